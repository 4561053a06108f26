"""Raters of picks who differ: biases to half a frame, own scales, and against whose label."""

import math

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import optimize, stats

from annostat import AnnostatError, Estimate, Interval, NoiseModel, Rounds, compare_noise
from annostat.cli import cli
from annostat.noise.fit import fit_noise
from annostat.noise.raters import (
    mixed_size,
    over_models,
    own_noise,
    rater_biases,
    trimmed_mean,
)


def picks(bias, size=None, n=200, seed=1):
    """Return picks of truths that lie anywhere between two frames."""
    rng = np.random.default_rng(seed)
    k = len(bias)
    x = np.array(size or [1.0] * k) * rng.laplace(0, 1.5, (n, k)) + np.array(bias)
    z = np.floor(50 + rng.random((n, 1)) + x) + rng.integers(0, 30, (n, 1))
    return Rounds.from_array(z, names=[f"r{j}" for j in range(k)], unit="frames")


def compared(rounds, **options):
    return compare_noise(rounds, cores="laplace", n_tests=0, by_rater=True, **options)


def test_trimmed_mean_is_the_textbook_one():
    d = np.random.default_rng(0).standard_t(2, 83) + 1
    found = trimmed_mean(d, 0.95)
    assert found.value == pytest.approx(stats.trim_mean(d, 0.1))
    cut = 8
    ordered = np.sort(d)
    winsorised = np.concatenate([[ordered[8]] * cut, ordered[cut:-cut], [ordered[-9]] * cut])
    error = winsorised.std(ddof=1) / (0.8 * math.sqrt(83))
    assert found.standard_uncertainty == pytest.approx(error)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 66) * error)
    assert trimmed_mean(np.array([3.0]), 0.95).interval is None


@pytest.mark.parametrize("bias", [[0, 4], [0, 2.5], [-3, 0, 1.5], [0, 0, 7, -2]])
def test_biases_are_found_and_sum_to_zero(bias):
    found = rater_biases(picks(bias, n=2000))
    values = np.array([e.value for e in found.values()])
    assert values == pytest.approx(np.array(bias) - np.mean(bias), abs=0.15)
    assert values.sum() == pytest.approx(0, abs=1e-9)
    for e, b in zip(found.values(), np.array(bias) - np.mean(bias), strict=True):
        assert b in e.interval


def test_biases_of_raters_who_share_few_items():
    rounds = picks([0, 3, -3, 6], n=1200)
    values = rounds.values.copy()
    for i in range(4):  # each item has two neighbours in a ring
        values[i::4, [(i + 2) % 4, (i + 3) % 4]] = np.nan
    found = rater_biases(Rounds.from_array(values))
    against = np.array([e.value for e in found.values()])
    assert against == pytest.approx(np.array([0, 3, -3, 6]) - 1.5, abs=0.4)


def test_a_constant_for_one_rater_moves_its_bias_alone():
    one = picks([0, 2], n=120)
    two = Rounds.from_array(one.values + np.array([0, 5]), names=one.names, unit="frames")
    a, b = compared(one), compared(two)
    assert b.mae.value == a.mae.value and b.envelope == a.envelope
    assert b.by_rater.bias["r1"].value == pytest.approx(a.by_rater.bias["r1"].value + 2.5)
    swapped = Rounds.from_array(one.values[:, ::-1], names=one.names[::-1], unit="frames")
    c = compared(swapped)
    assert c.mae.value == pytest.approx(a.mae.value)
    assert c.by_rater.bias["r0"].value == pytest.approx(a.by_rater.bias["r0"].value)
    assert c.by_rater.one_of_them.value == pytest.approx(a.by_rater.one_of_them.value, rel=0.02)


def test_half_frames_have_a_lattice_of_their_own():
    rounds = picks([0, 2.5], n=1500)
    result = compared(rounds)
    assert "half frames" in str(result) and result.mae.unit == "frames"
    straight = compared(picks([0, 0], n=1500))
    assert result.mae.value == pytest.approx(straight.mae.value, rel=0.06)
    assert result.bracket.symmetric["high"] == pytest.approx(result.pair_mae.value)
    # A period of one's own stays one: half frames are of half of it.
    timed = Rounds.from_array(rounds.values, period=np.full(1500, 20.0), period_unit="ms")
    slow = compared(timed)
    assert slow.mae.unit == "ms" and slow.mae.value == pytest.approx(20 * result.mae.value)
    assert slow.by_rater.one_of_them.value == pytest.approx(
        20 * result.by_rater.one_of_them.value, rel=1e-3
    )


def test_one_of_them_is_the_least_mean_error():
    model = NoiseModel("laplace", {"scale": 1.3}, "independent", 0.02, window=9)
    x, f = model.noise_pmf()
    sizes, shifts = np.array([model.mae, 2 * model.mae]), np.array([-1.5, 1.5])

    def at(c):
        return 0.5 * f @ np.abs(x - 1.5 - c) + 0.5 * f @ np.abs(2 * x + 1.5 - c)

    best = min(at(c) for c in np.arange(-8, 8, 0.25)) / f.sum()
    assert mixed_size(model, sizes, shifts) == pytest.approx(best, rel=1e-9)
    alone = mixed_size(model, sizes[:1], np.zeros(1))
    assert alone == pytest.approx(model.mae, rel=1e-9)


def test_own_scales_are_profiles():
    """The limits of E|X| of a rater are where the likelihood, maximised over the others, drops."""
    rounds = picks([0, 0, 0], [0.7, 1, 2], n=60)
    fit = fit_noise(rounds, "laplace", abandonment="none", ci="none")
    found = own_noise([fit], rounds, 0.95)
    z = rounds.values.astype(int)
    z -= z.min(axis=1, keepdims=True)
    reach = 60
    y = np.arange(-reach, reach + z.max() + 1)

    def minus(logs):
        total = 1.0
        for j, scale in enumerate(np.exp(logs)):
            p = math.exp(-1 / scale)
            total = total * (1 - p) / (1 + p) * p ** np.abs(z[:, j, None] - y)
        return -np.log(total.sum(axis=1)).sum()

    top = optimize.minimize(minus, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-6}).fun
    for limit in (found["r2"].low, found["r2"].high):
        p = optimize.brentq(lambda p, m=limit: 2 * p / (1 - p * p) - m, 1e-9, 1 - 1e-9)
        held = optimize.minimize(
            lambda two, p=p: minus([*two, math.log(-1 / math.log(p))]),
            np.zeros(2),
            method="Nelder-Mead",
            options={"xatol": 1e-6},
        )
        assert held.fun - top == pytest.approx(-math.log(0.05), abs=0.03)


def test_the_limits_of_a_rater_are_those_of_all_models():
    own, one, every = (
        Estimate(v, None, Interval(low, high, 0.95, "m"))
        for v, low, high in ((4, 3, 6), (2, 1.6, 2.4), (2, 1.2, 3.6))
    )
    wider = over_models(own, one, every)
    assert (wider.value, wider.low, wider.high) == pytest.approx((4, 3 * 0.75, 6 * 1.5))
    assert over_models(own, every, one).interval.high == 6  # never narrower
    assert over_models(own, Estimate(2.0), every) == own
    result = compared(picks([0, 2, -1], n=150))
    assert list(result.by_rater.mae) == ["r0", "r1", "r2"] and result.by_rater.own_scales


def test_two_rounds_do_not_know_whose_noise_it_is():
    result = compared(picks([0, 3]))
    own = result.by_rater.mae["r1"]
    assert own.low == 0 and own.high == result.pair_mae.high
    assert "Two rounds give the average" in str(result)
    data = result.to_dict()["by_rater"]
    assert data["own_scales"] is False and list(data["raters"]) == ["r0", "r1"]
    assert list(result.by_rater.to_frame().rater) == ["r0", "r1", "one of them"]


def test_what_has_no_identity_is_refused_and_the_remedy_is_named(tmp_path):
    rounds = picks([0, 3])
    with pytest.raises(AnnostatError, match="no identity"):
        compared(Rounds.from_array(rounds.values, exchangeable=True))
    plain = compare_noise(rounds, cores="laplace", abandonment="none", n_tests=0)
    assert "by_rater" not in plain.to_dict()
    [bias] = [c for c in plain.checks if c.name == "bias"]
    assert "--by-rater" in bias.message
    path = tmp_path / "picks.csv"
    rows = [f"c{i},{int(a)},{int(b)}" for i, (a, b) in enumerate(rounds.values)]
    path.write_text("\n".join(["clip,a,b", *rows]), encoding="utf-8")
    done = CliRunner().invoke(
        cli,
        f"fit-afd {path} --item clip --rounds a b --by-rater --core laplace --resamples 9".split(),
    )
    assert done.exit_code == 0, done.output
    assert "Against whose label" in done.output and "one of them" in done.output
    items = tmp_path / "items.csv"
    more = f"fit-afd {path} --item clip --rounds a b --by-rater --core laplace --resamples 9"
    CliRunner().invoke(cli, [*more.split(), "--items", str(items)], catch_exceptions=False)
    listed = {line.split(",")[0]: line.split(",")[3:] for line in items.read_text().split()[1:]}
    assert {k: [float(x) for x in v] for k, v in listed.items()} == {
        f"c{i}": list(row) for i, row in enumerate(rounds.values)
    }
