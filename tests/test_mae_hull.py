"""The floor of the mae of values: laws, likelihoods, kinds of labels, whole numbers."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import integrate, special, stats

import annostat
from annostat.agreement.label_kinds import ONE_OF_THEM, RaterNoise
from annostat.agreement.unequal import unequal_raters
from annostat.ceilings.mae_hull import least_share, mae_floor, step_of
from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.noise import difference_laws as laws
from annostat.noise.brackets import lattice_floor
from annostat.noise.hull import REFUTED, fit_test, hull, limits, log_likelihood

ROWS = laws.table()


def row_of(family, shape=""):
    return next(i for i, law in enumerate(ROWS.laws) if (law.family, law.shape) == (family, shape))


def drawn(seed, n, k=2, bias=0.0, law="laplace"):
    g = np.random.default_rng(seed)
    y = g.normal(10, 5, n)
    x = {"laplace": g.laplace, "uniform": lambda size: g.uniform(-2, 2, size)}[law](size=(n, k))
    return np.round(1024 * (y[:, None] + x + bias * np.arange(k))) / 1024


# ------------------------------------------------------------------------------------ laws


def test_every_law_has_unit_mean_and_its_difference_is_a_density():
    d = np.exp(laws.lattice())
    for i, law in enumerate(ROWS.laws):
        mass = np.exp(ROWS.log_density[i]) * 2 * d * laws.STEP
        assert mass.sum() == pytest.approx(1, abs=5e-4)
        wide = law.rate * law.half_width / 2
        assert law.weights @ law.nodes + wide == pytest.approx(1, abs=1e-5)
        # Whatever the symmetric law, E|D| is between E|X| and 2·E|X|; unimodal ones reach 4/3.
        assert 4 / 3 * 0.999 < (mass * d).sum() < 2
        assert law.shifted(0.0) == pytest.approx(1, abs=1e-5)
        assert 1 < law.shifted(1.0) < 2 and law.shifted(-300.0) == pytest.approx(300, rel=1e-3)


def test_differences_have_the_densities_of_the_books():
    d = np.array([0.01, 0.3, 1.0, 2.5, 6.0])
    f = laws.exponential_power(1.0)
    assert laws.difference_density(f, *laws.nodes_of(f), d) == pytest.approx(
        np.log((1 + d) * np.exp(-d) / 4), abs=1e-5
    )
    f = laws.exponential_power(2.0)
    assert laws.difference_density(f, *laws.nodes_of(f), d) == pytest.approx(
        stats.norm.logpdf(d, scale=np.pi**0.5), abs=1e-5
    )


@pytest.mark.parametrize(
    "density", [laws.logistic, laws.student(3.0), laws.exponential_power(18.0)]
)
def test_the_quadrature_is_that_of_scipy(density):
    d = np.array([0.1, 1.0, 2.0, 3.3])
    found = laws.difference_density(density, *laws.nodes_of(density), d)
    for x, value in zip(d, found, strict=True):
        q = integrate.quad(
            lambda u, x=x: float(density(np.array(u)) * density(np.array(x - u))),
            -60,
            60,
            points=[-2, 0, 1, 2, x],
            limit=1000,
        )[0]
        assert value == pytest.approx(np.log(q), abs=2e-3)


def test_give_ups_are_closed_given_the_core():
    shape = "core of power 1, 4% give-ups 16 times as far"
    i = row_of("core with give-ups", shape)
    g = np.random.default_rng(0)
    x = np.where(
        g.random((400_000, 2)) < 0.04,
        g.uniform(-32, 32, (400_000, 2)),
        g.laplace(size=(400_000, 2)),
    ) / (0.96 + 0.64)
    sizes = np.abs(x[:, 0] - x[:, 1])
    for t in (0.3, 1.0, 5.0, 15.0):
        share = np.interp(np.log(t), laws.lattice(), ROWS.cumulative(i))
        assert np.mean(sizes <= t) == pytest.approx(share, abs=0.004)
    assert np.mean(np.abs(x + 0.7)) == pytest.approx(ROWS.laws[i].shifted(0.7), rel=0.01)


# ------------------------------------------------------------------------------ likelihood


def test_the_correlation_is_the_likelihood_point_by_point():
    sizes = np.abs(drawn(1, 40)[:, 0] - drawn(1, 40)[:, 1])
    sizes /= sizes.mean()
    found, scales = log_likelihood(sizes)
    t = laws.lattice()
    for row in (0, 20, 50, len(ROWS.laws) - 1):
        for at in (200, 300, 330):
            m = scales[at]
            logs = np.interp(np.log(sizes / m), t, ROWS.log_density[row])
            expected = float(np.sum(logs)) - len(sizes) * np.log(m)
            assert found[row, at] == pytest.approx(expected, abs=0.02)


def test_limits_are_where_the_signed_root_crosses():
    scales = np.exp(np.arange(-100, 101) * laws.STEP)
    profile = -((np.arange(-100, 101) * 0.1) ** 2) / 2
    low, high = limits(profile, scales, 1.96**2 / 2)
    assert [np.log(low), np.log(high)] == pytest.approx([-0.196, 0.196], abs=1e-6)


def test_the_fit_is_that_of_equiprobable_cells():
    g = np.random.default_rng(3)
    row = row_of("logistic")
    u = (np.arange(600) + 0.5) / 600
    sizes = np.exp(np.interp(u, ROWS.cumulative(row), laws.lattice()))
    assert fit_test(sizes, row, 1.0) == pytest.approx(1, abs=1e-6)
    assert fit_test(g.uniform(0.9, 1.1, 600), row, 1.0) < 1e-9
    assert fit_test(sizes[:12], row, 1.0) is None


def test_the_hull_holds_the_families_within_two():
    z = drawn(4, 300)
    found = hull(np.abs(z[:, 0] - z[:, 1]))
    within = [f for f in found.fits if f.aic <= 2]
    assert found.fits[0].aic == 0 and found.fits[0].family == "exponential power"
    assert found.low == min(f.low for f in within) and found.high == max(f.high for f in within)
    wider = hull(np.abs(z[:, 0] - z[:, 1]), design_effect=4.0)
    assert wider.high - wider.low > 1.5 * (found.high - found.low)


@pytest.mark.parametrize(("power", "n"), [(1.128, 65_536), (2.0, 65_536), (1.51, 262_144)])
def test_many_differences_of_a_law_between_the_points_of_the_lattice(power, n):
    size = special.gamma(2 / power) / special.gamma(1 / power)
    held, refuted = 0, 0
    for seed in range(10):
        g = np.random.default_rng([seed, n])
        x = g.gamma(1 / power, 1, (n, 2)) ** (1 / power) * g.choice([-1, 1], (n, 2))
        scale = g.uniform(1, 1.2)
        found = hull(scale * np.abs(x[:, 0] - x[:, 1]))
        held += found.low < scale * size < found.high
        refuted += found.p_fit < REFUTED
    assert held == 10 and refuted == 0  # 5 to 8, if all differences counted


# ----------------------------------------------------------------------------------- floors


def test_bias_and_labels_are_of_one_kind():
    z = drawn(5, 400, bias=4.0)
    found = mae_floor(Rounds.from_array(z))
    x = np.random.default_rng(0).laplace(size=400_000)
    assert np.mean(np.abs(x + 2)) in found.one_of_them.interval
    assert 1.0 in found.equal_raters.interval
    rmse = unequal_raters(Rounds.from_array(z)).kind(ONE_OF_THEM).rmse_floor
    assert found.one_of_them.value < rmse.value and found.one_of_them.high < rmse.high * 1.05


def test_raters_who_differ_get_the_bracket_of_unimodal_laws():
    g = np.random.default_rng(6)
    z = g.normal(0, 3, (500, 1)) + g.normal(0, [0.5, 2.0], (500, 2))
    found = mae_floor(Rounds.from_array(z, names=["A", "B"]))
    d = np.abs(z[:, 0] - z[:, 1]).mean()
    assert found.equal_raters.interval is None and "not equal" in found.equal_raters.note
    assert found.one_of_them.low < d / 2 < found.one_of_them.value < found.one_of_them.high
    assert 2.0 * (2 / np.pi) ** 0.5 in found.named["B"].interval


def test_three_raters_have_the_hull_times_their_own_noise():
    g = np.random.default_rng(7)
    z = g.normal(0, 3, (300, 1)) + g.normal([0, 1, 2], [1.0, 1.0, 3.0], (300, 3))
    found = mae_floor(Rounds.from_array(z, names=["A", "B", "C"]))
    assert 3.0 * (2 / np.pi) ** 0.5 in found.named["C"].interval
    assert "hull" in found.named["C"].interval.method
    brackets = mae_floor(Rounds.from_array(z[:, [0, 2]])).named["round_2"]
    sharper = found.named["C"].interval
    assert sharper.high - sharper.low < brackets.interval.high - brackets.interval.low


def test_whole_numbers_that_lie_close_have_the_ends_of_their_lattice():
    g = np.random.default_rng(8)
    p = 0.0990195  # discrete Laplace with E|X| = 0.2
    x = g.geometric(1 - p, (2000, 2)) - g.geometric(1 - p, (2000, 2))
    z = g.integers(0, 50, (2000, 1)) + x
    rounds = Rounds.from_array(z, exchangeable=True)
    found = mae_floor(rounds)
    d = np.abs(x[:, 0] - x[:, 1]).mean()
    assert 0.2 in found.one_of_them.interval and "log-concave laws" in found.note
    assert found.bracket.log_concave["low"] == pytest.approx(lattice_floor(d))
    tenths = mae_floor(Rounds.from_array(z / 8, exchangeable=True))
    assert tenths.one_of_them.low == pytest.approx(found.one_of_them.low / 8)


def test_whole_numbers_lose_whole_biases_only_and_stay_below_the_rmse():
    g = np.random.default_rng(12)
    x = np.rint(g.normal(0, 0.4, (500, 2)))
    z = g.integers(0, 50, (500, 1)) + x + np.array([0, 4])
    found = mae_floor(Rounds.from_array(z))
    d = z[:, 1] - z[:, 0] - 4
    assert found.bracket.pair_mae.value == pytest.approx(np.abs(d).mean())
    assert np.mean(np.abs(np.rint(g.normal(0, 0.4, 100_000)))) in found.equal_raters.interval
    rmse = unequal_raters(Rounds.from_array(z)).kind(ONE_OF_THEM).rmse_floor
    assert found.one_of_them.value <= rmse.value and found.one_of_them.high <= rmse.high * 1.0001


def test_two_humps_are_told_by_the_fit():
    g = np.random.default_rng(10)
    x = g.choice([-1, 1], (400, 2)) + g.normal(0, 0.2, (400, 2))
    found = mae_floor(Rounds.from_array(g.normal(0, 5, (400, 1)) + x))
    assert found.checks[0].name == "noise_law" and found.checks[0].passed is False
    assert np.mean(np.abs(1 + 0.2 * g.normal(size=10_000))) in found.equal_raters.interval


def test_the_step_of_a_lattice():
    assert step_of(np.array([0.0, 0.25, 1.0, np.nan])) == 0.25
    assert step_of(np.array([0.0, 0.3, 1.0])) == 0.0
    assert step_of(np.array([2.0, 2.0])) == 0.0


@pytest.mark.parametrize("k", [2, 3])
def test_order_names_swap_units_and_constants_change_nothing(k):
    z = drawn(10, 60, k, bias=0.5)

    def numbers(values, **columns):
        found = mae_floor(Rounds.from_array(values, **columns))
        rows = [found.one_of_them, found.equal_raters, *found.named.values()]
        return np.array([[e.value, e.low, e.high] for e in rows])

    here = numbers(z)
    order = np.random.default_rng(2).permutation(len(z))
    assert np.array_equal(numbers(z[order]), here)
    assert np.array_equal(numbers(z, names=[f"n{j}" for j in range(k)]), here)
    assert numbers(z * 4) == pytest.approx(4 * here, rel=1e-12)
    assert numbers(z + 4096) == pytest.approx(here, rel=1e-9)
    turned = numbers(z[:, ::-1])
    assert turned[:2] == pytest.approx(here[:2], rel=1e-9)
    assert turned[2:] == pytest.approx(here[:1:-1], rel=1e-9)


def test_clusters_widen():
    z = drawn(11, 100)
    apart = mae_floor(Rounds.from_array(z, exchangeable=True)).equal_raters
    twice = np.repeat(z, 2, axis=0)
    doubled = mae_floor(
        Rounds.from_array(twice, exchangeable=True, cluster=[str(i // 2) for i in range(200)])
    ).equal_raters
    assert doubled.low == pytest.approx(apart.low, rel=0.02)
    assert doubled.high == pytest.approx(apart.high, rel=0.02)


def test_edges():
    nothing = mae_floor(Rounds.from_array([[1, 1], [2, 2.0]]))
    assert nothing.one_of_them.value == 0 and nothing.one_of_them.interval is None
    two = mae_floor(Rounds.from_array([[1, 2], [2, 4.5]]))
    assert two.equal_raters.value > 0
    nan = float("nan")
    gaps = Rounds.from_array([[1, 2.5, nan], [nan, 1.3, 3], [2, nan, 2.9], [4, 4.7, nan]])
    found = mae_floor(gaps)
    assert not found.named and found.one_of_them.interval is not None
    with pytest.raises(AnnostatError, match="two annotations"):
        mae_floor(Rounds.from_array([[1, nan], [2, nan]]))
    text = str(mae_floor(Rounds.from_array(drawn(1, 50), names=["A", "B"])))
    assert "Floor of the mean absolute error" in text and "ΔAIC" in text
    found = mae_floor(Rounds.from_array(drawn(1, 50)))
    assert len(found.to_frame()) == 5 and set(found.to_dict()) >= {"named", "bracket"}


def test_raters_who_may_be_unequal_have_a_lower_end_for_it():
    def of(first, second):
        sigma = annostat.Estimate(1.0)
        pair = [
            RaterNoise(name, sigma, sigma, annostat.Interval(*ends, 0.95, "t"))
            for name, ends in (("A", first), ("B", second))
        ]
        return least_share(SimpleNamespace(raters=tuple(pair)))

    # Of a variance of the difference of 2: equal at most; 3 : 1, or 1.8 and 0.2; all of it one's.
    assert of((1.0, 1.0), (1.0, 1.0)) == pytest.approx(1)
    assert of((1.0, 1.8**0.5), (0.2**0.5, 1.0)) == pytest.approx(2 / 5**0.5)
    assert of((0.5, 3.0), (0.0, 1.2)) == pytest.approx(0.5**0.5)
    rounds = Rounds.from_array(drawn(3, 60))
    raters = unequal_raters(rounds)
    found = mae_floor(rounds, raters=raters)
    assert raters.equal.passed is True
    unknown = tuple(replace(r, light=None) for r in raters.raters)
    alone = mae_floor(rounds, raters=replace(raters, raters=unknown))
    share = least_share(raters)
    least = max(alone.unbiased.low * share, found.bracket.pair_mae.low / 2)
    assert found.unbiased.low == pytest.approx(least)
    assert found.unbiased.high == pytest.approx(alone.unbiased.high)


def test_the_integrals_in_the_file_are_those_of_the_laws():
    found = np.load(laws.FILE, allow_pickle=False)
    np.testing.assert_allclose(found, laws.integrated(), rtol=1e-11, atol=1e-11)
