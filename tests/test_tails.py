"""How heavy tails are, and the SDs that heavy-tailed laws leave."""

import numpy as np
import pytest
from scipy import integrate, special

import annostat
from annostat import Rounds, bounds
from annostat.agreement import (
    ONE_OF_THEM,
    Variances,
    hierarchy,
    repeatability,
    unequal_raters,
)
from annostat.agreement.noise_sd import noise_estimate
from annostat.agreement.small import for_tails
from annostat.noise.tails import HELD, Tails, tails, tails_of_labels
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check

HEAVY = (3.0, 3.28, 3.58, 3.92)  # degrees of freedom of the table


def density(nu):
    """Return log q(d) of D = X₁ − X₂ of Student's t, by quadrature on a grid of d."""
    height = special.gamma((nu + 1) / 2) / special.gamma(nu / 2) / np.sqrt(nu * np.pi)

    def f(x):
        return height * (1 + x * x / nu) ** (-(nu + 1) / 2)

    grid = np.concatenate([np.linspace(0, 12, 121), np.geomspace(12.5, 400, 60)])
    q = [
        integrate.quad(lambda x, d=d: f(x) * f(d - x), -np.inf, np.inf, limit=200)[0] for d in grid
    ]
    return grid, np.log(q)


def twin(d, nu):
    """Return the log-likelihoods at SDs of X, by plain interpolation, and the SDs."""
    grid, logs = density(nu)
    sigma = np.exp(np.linspace(-1.2, 1.5, 541)) * np.sqrt(np.mean(d**2) / 2)
    unit = np.sqrt(nu / (nu - 2))
    level = [np.interp(d * unit / s, grid, logs).sum() + len(d) * np.log(unit / s) for s in sigma]
    return np.array(level), sigma


@pytest.mark.parametrize("hidden", [0.4, 0.1])
def test_the_sds_are_those_of_a_plain_scan_of_likelihoods(hidden):
    g = np.random.default_rng(4)
    d = np.abs(np.diff(g.laplace(size=(60, 2)), axis=1)[:, 0])
    found = tails(d, hidden=hidden)
    scans = [twin(d, nu) for nu in HEAVY]
    # Laplace's law itself is the best or nearly: its likelihood at its own scale, D being gamma.
    scale = np.exp(np.linspace(-2, 2, 4001))
    laplace = [np.sum(np.log((1 + d / s) / (4 * s)) - d / s) for s in scale]
    best = max(max(laplace), *(level.max() for level, _ in scans))
    inside = np.concatenate([s[level >= best + np.log(0.05 * hidden)] for level, s in scans])
    moment = np.sqrt(np.mean(d**2) / 2)
    assert hidden != 0.1 or found == tails(d)
    assert found.high == pytest.approx(inside.max() / moment, rel=0.06)
    assert found.low == pytest.approx(min(inside.min() / moment, 1), rel=0.06)


def test_gaussian_errors_rule_heavy_tails_out_and_then_nothing_moves():
    z = np.random.default_rng(1).normal(size=(1000, 3))
    found = tails_of_labels(z, np.ones(3), np.arange(1000))
    assert found.check.passed is True and found.low == found.high == 1
    e = annostat.Estimate(2.0, None, annostat.Interval(1.0, 3.0, 0.95, "t"))
    assert found.widened(e) is e and found.share_widened(e) is e


def test_an_interval_is_widened_to_both_sides_and_never_narrowed():
    found = Tails(Check("heavy_tails", None, ""), 0.8, 1.5)
    e = annostat.Estimate(2.0, None, annostat.Interval(1.7, 2.4, 0.95, "t"))
    wide = found.widened(e).interval
    assert (wide.low, wide.high) == (1.6, 3.0) and wide.method == "t, held for heavy tails"
    far = annostat.Estimate(2.0, None, annostat.Interval(0.5, 9.0, 0.95, "t"))
    assert found.widened(far) is far
    none = annostat.Estimate(2.0)
    assert found.widened(none) is none
    share = annostat.Estimate(0.8, None, annostat.Interval(0.75, 0.85, 0.95, "F"))
    moved = found.share_widened(share).interval
    assert moved.low == pytest.approx(4 / (4 + 1.5**2)) and moved.high == pytest.approx(
        4 / (4 + 0.8**2)
    )
    assert found.of_few(4.0).high == pytest.approx(1.5**2)
    joined = found.share_added(share).interval  # odds of 4; limits of 3 and 17/3
    down, up = np.hypot(np.log(4 / 3), 2 * np.log(1.5)), np.hypot(np.log(17 / 12), 2 * np.log(0.8))
    assert joined.low / (1 - joined.low) == pytest.approx(4 * np.exp(-down))
    assert joined.high / (1 - joined.high) == pytest.approx(4 * np.exp(up))
    at_end = annostat.Estimate(0.8, None, annostat.Interval(0.0, 1.0, 0.95, "F"))
    assert (found.share_added(at_end).low, found.share_added(at_end).high) == (0, 1)
    assert found.share_added(none) is none
    assert found.of_part(0.0).high == 1 and found.of_part(1.0).high == pytest.approx(1.5)


@pytest.mark.parametrize("sizes", [[], [1.0, 2.0], [0.0] * 30])
def test_too_few_differences_say_nothing(sizes):
    found = tails(np.array(sizes))
    assert found.check.passed is None and found.low == found.high == 1


@pytest.mark.parametrize("k", [2, 3])
def test_floors_by_label_hold_heavy_tails(k):
    hits, widened = [], []
    for seed in range(60):
        g = np.random.default_rng([seed, k])
        z = g.normal(0, 2, (50, 1)) + g.standard_t(3, (50, k)) / 3**0.5
        rounds = annostat.Rounds.from_array(z)
        found = unequal_raters(rounds)
        one = found.kind(ONE_OF_THEM).rmse_floor.interval
        hits.append(1.0 in one)
        widened.append("heavy tails" in one.method)
        if k == 3 and seed < 20:
            hits.append(1.0 in hierarchy(rounds).one_of_them.interval)
    # 76 to 84% before; the chance of fewer hits at 92% is below 1 in 1,000.
    assert np.mean(hits) >= 0.92 - 3.2 * (0.92 * 0.08 / len(hits)) ** 0.5
    assert np.mean(widened) > 0.5


# ---------------------------------------------------------------- one SD, from 30 items on


def drawn(law, n, k, g):
    errors = {"gauss": g.normal, "t3": lambda size: g.standard_t(3, size) / 3**0.5}[law]
    return Rounds.from_array(2 * g.normal(size=(n, 1)) + errors(size=(n, k)))


def test_the_first_sd_says_whether_it_holds_heavy_tails():
    g = np.random.default_rng(3)
    said = set()
    for law, n in (("gauss", 400), ("gauss", 60), ("t3", 60), ("t3", 300), ("gauss", 20)) * 3:
        v = Variances.of(drawn(law, n, 2, g))
        e = Estimate(1.0, None, Interval(0.9, 1.15, 0.95, "m"))
        found = for_tails(e, v)
        seen = tails_of_labels(v.centred, np.ones(2), v.units)
        if n < 30 or seen.check.passed:
            assert found is e
            said.add("light")
        elif seen.check.passed is False or seen.apparent:
            want = min(0.9, seen.low), max(1.15, seen.high)
            assert (found.low, found.high) == pytest.approx(want)
            assert found.interval.method == f"m, {HELD}"
            share = for_tails(Estimate(0.8, None, Interval(0.7, 0.85, 0.95, "m")), v, share=True)
            low, high = (1 / (1 + f**2 / 4) for f in (seen.high, seen.low))
            assert (share.low, share.high) == pytest.approx((min(0.7, low), max(0.85, high)))
            said.add("held")
        else:
            assert (found.low, found.high) == (0.9, 1.15)
            assert found.interval.method == "m, not for heavy tails"
            said.add("not held")
    assert said == {"light", "held", "not held"}


def test_one_number_has_one_interval():
    rounds = drawn("t3", 120, 2, np.random.default_rng(5))
    found = bounds(rounds, n_resamples=200)
    assert HELD in found.noise_sd.interval.method
    [icc_form] = [f for f in found.icc if f.name == "icc_c_1"]
    limits = found.reliability.low, found.reliability.high
    assert (icc_form.estimate.low, icc_form.estimate.high) == pytest.approx(limits, rel=1e-12)
    assert found.limits.sd.high == pytest.approx(2**0.5 * found.noise_sd.high)
    assert repeatability(rounds, n_resamples=200).noise_sd.high == found.noise_sd.high
    assert "Heavy tails are not ruled out" not in found.quote()
    asked = bounds(rounds, n_resamples=200, interval="bootstrap-t")
    assert asked.noise_sd.interval.method == "bootstrap-t of log σ over items"


def test_heavy_tails_are_held_and_gaussian_noise_hardly_pays():
    g = np.random.default_rng(9)
    hit, before, wider, sets = [], [], [], 120
    for _ in range(sets):
        v = Variances.of(drawn("t3", 150, 2, g))
        found = noise_estimate(v, n_resamples=200, rng=1)
        if found.interval is not None:
            plain = noise_estimate(v, n_resamples=200, rng=1, interval="bootstrap-t")
            before.append(1.0 in plain.interval)
            if "not for" not in found.interval.method:
                hit.append(1.0 in found.interval)
        v = Variances.of(drawn("gauss", 60, 2, g))
        found = noise_estimate(v, n_resamples=200, rng=1)
        plain = noise_estimate(v, n_resamples=200, rng=1, interval="bootstrap-t")
        wider.append((found.high - found.low) / (plain.high - plain.low))
    assert np.mean(before) < 0.9 and np.mean(hit) >= 0.93 and len(hit) > 0.8 * len(before)
    assert np.mean(wider) < 1.05
