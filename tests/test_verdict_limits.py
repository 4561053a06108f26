"""The upper limit of a model's error: plain twin, invariances, how often it is too low."""

import math

import numpy as np
import pytest
from scipy import stats

from annostat import Rounds, bounds, score_models
from annostat.plotting.agreement import plot_deviations
from annostat.plotting.truth import plot_rmse_floor
from annostat.plotting.values import plot_floors
from annostat.truth import AT, BELOW, OPEN, Labels, judge, mean_estimate, upper_limit
from annostat.truth.verdict_power import VerdictPower
from annostat.truth.verdicts import FEW, fewest_to_accuse, fewest_units, unseen_share

# ---------------------------------------------------------------- plain twin


def plain_upper(values, f, groups=None, level=0.95):
    """The limit with loops, from labels without gaps and with equal means."""
    square, noise, k = [], [], []
    for z, g in zip(values, f, strict=True):
        z = [v for v in z if not math.isnan(v)]
        mean = sum(z) / len(z)
        square.append((g - mean) ** 2)
        noise.append(sum((v - mean) ** 2 for v in z) / (len(z) - 1) / len(z))
        k.append(len(z))
    groups = list(range(len(f))) if groups is None else list(groups)
    units = sorted(set(groups))
    n, m = len(units), len(f) / len(units)
    a, b, k = np.mean(square), np.mean(noise), np.mean(k)
    sums = [
        [sum(x[i] - mean for i in range(len(f)) if groups[i] == u) / m for u in units]
        for x, mean in ((square, a), (noise, b))
    ]
    variances = [sum(v * v for v in x) / (n - 1) for x in sums]
    reach = []
    for mean, variance, usual, q in (
        (a, variances[0], 3.0, -1),
        (b, variances[1], 2 / (k - 1) + 2 / k, 1),
    ):
        seen = variance / mean**2
        v = (n * seen + 10 * usual / m) / (n + 10)
        c = 2 / (9 * (2 * n / (max(v, seen) if m > 1 else v)))
        z = q * stats.norm.ppf(level)
        reach.append(mean * abs((1 - c + z * math.sqrt(c)) ** -3 - 1))
    r = np.corrcoef(*sums)[0, 1]
    u, down = reach
    return a - b + math.sqrt(u**2 + down**2 - 2 * r * u * down)


def study(n=30, k=3, seed=1, error=0.5):
    rng = np.random.default_rng(seed)
    truth = rng.normal(10, 3, n)
    z = truth[:, None] + rng.normal(size=(n, k))
    return z, truth + rng.normal(0, error, n)


def limit_of(z, f, groups=None, level=0.95):
    labels = Labels(z, 1.0, tuple("abcdef"[: z.shape[1]]), True)
    return upper_limit(labels.products(f), *labels.noise(), groups, level=level)


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_plain_loops_say_the_same(k, level):
    z, f = study(k=k)
    assert limit_of(z, f, level=level) == pytest.approx(plain_upper(z, f, level=level), rel=1e-9)
    gaps = z.copy()
    gaps[:4, 0] = np.nan
    if k > 2:
        assert limit_of(gaps, f) == pytest.approx(plain_upper(gaps, f), rel=1e-9)
    groups = np.arange(30) // 3
    assert limit_of(z, f, groups) == pytest.approx(plain_upper(z, f, groups), rel=1e-9)


def test_a_verdict_has_the_larger_of_two_limits():
    z, f = study(error=1.0)
    labels = Labels(z, 1.0, ("a", "b", "c"), True)
    square = mean_estimate(labels.products(f))
    limit = limit_of(z, f)
    t = square.value + stats.t(29).ppf(0.95) * square.standard_uncertainty
    assert limit > t
    assert judge(square, None, None, df=29, upper=limit).upper == pytest.approx(limit**0.5)
    assert judge(square, None, None, df=29, upper=t - 1).upper == pytest.approx(t**0.5)
    between = ((limit + t) / 2) ** 0.5
    assert judge(square, None, None, df=29, margin=between).name == AT
    assert judge(square, None, None, df=29, margin=between, upper=limit).name != AT


def test_order_units_and_constants_move_nothing():
    z, f = study()
    whole = limit_of(z, f)
    turn = np.random.default_rng(2).permutation(30)
    assert limit_of(z[turn][:, ::-1], f[turn]) == pytest.approx(whole, rel=1e-12)
    assert limit_of(1e3 * z, 1e3 * f) == pytest.approx(1e6 * whole, rel=1e-12)
    assert limit_of(z + 1e4, f + 1e4) == pytest.approx(whole, rel=1e-8)
    assert limit_of(z, f, np.arange(30)) == pytest.approx(whole, rel=0.2)
    z, f = study(k=2)
    rounds = Rounds.from_array(z)
    scores = score_models(rounds, {"m": f}, kind="values", n_resamples=9, rng=1)
    moved = score_models(
        Rounds.from_array(2 * z - 7), {"m": 2 * f - 7}, kind="values", n_resamples=9, rng=1
    )
    upper = scores.models[0].verdict.upper
    assert moved.models[0].verdict.upper == pytest.approx(2 * upper, rel=1e-9)


def test_few_units_and_labels_without_noise():
    one = np.array([1.0])
    assert math.isnan(upper_limit(one, one, 2 * one))
    n = np.full(8, 2.0)
    without = upper_limit(np.arange(8.0), np.zeros(8), n)
    assert without > 3.5 + stats.t(7).ppf(0.95) * stats.sem(np.arange(8.0))
    assert upper_limit(np.zeros(8), np.zeros(8), n) == 0
    none = np.full(3, np.nan)
    assert math.isnan(upper_limit(none, none, none))


# ---------------------------------------------------------------- calibration


@pytest.mark.parametrize(("n", "k"), [(20, 2), (50, 4)])
def test_wrong_verdicts_are_rare(n, k):
    """A model's error is below its limit in 5%; by the t limit in 9 to 12%."""
    sets, above, above_t = 1500, 0, 0
    g = np.random.default_rng(6)
    for _ in range(sets):
        x = g.normal(size=(n, k))
        labels = Labels(x, 1.0, ("a", "b", "c", "d")[:k], True)
        f = g.normal(size=n)
        products = labels.products(f)
        square = mean_estimate(products)
        limit = upper_limit(products, *labels.noise())
        above += judge(square, None, None, df=n - 1, upper=limit).upper < 1
        above_t += judge(square, None, None, df=n - 1).upper < 1
    assert above / sets <= 0.067  # three standard errors over 5%
    assert above_t / sets >= 0.08


def test_rare_errors_are_not_denied_by_few_items():
    """All of a model's error in one item of ten: few items lack it in (1 − p)^n of samples."""
    for level, share in ((0.95, 0.1), (0.9, 0.05), (0.95, 0.5)):
        n = fewest_units(level, share)
        assert (1 - share) ** n <= 1 - level < (1 - share) ** (n - 1)
        p = unseen_share(n, level)
        assert stats.binom.cdf(1, n, p) == pytest.approx(1 - level)
    g, big = np.random.default_rng(7), 10.0
    said = {}
    for n in (15, 28, 29):
        names = []
        for _ in range(400):
            x = g.normal(size=(n, 2))
            f = big * (g.random(n) < 0.1)
            labels = Labels(x, 1.0, ("a", "b"), True)
            products = labels.products(f)
            limit = upper_limit(products, *labels.noise())
            square = mean_estimate(products)
            found = judge(square, None, None, df=n - 1, margin=big * 0.1**0.5, upper=limit)
            names.append(found.name)
            if found.name == FEW:
                assert found.upper < found.margin
                told = found.sentence("mm")
                assert f"but {n} may miss errors that sit in fewer than" in told
                assert told.endswith("of items: the verdict takes 29")
            if found.name == AT:
                told = "(but 29 may miss errors that sit in fewer than 15% of items)"
                assert told in found.sentence("mm")
        said[n] = names.count(AT) / 400
        assert names.count(FEW) > 20 or n == 29
    assert said[15] == said[28] == 0 and said[29] < 0.08


def test_the_plan_knows_the_limit():
    plan = VerdictPower(AT, 1.0, 2.0, 0.0, 3.0, 1.0, 0.95)
    h, b = plan.drawn(400_000, 3, np.random.default_rng(1))
    moments = plan._squares(3)
    seen = (np.mean(h + b), b.mean(), np.var(h + b), b.var())
    assert moments[:4] == pytest.approx(seen, rel=0.02)
    assert abs(np.cov(h + b, b)[0, 1] - moments[4]) < 0.1
    null = plan.null().simulated(50, 3, 2000, np.random.default_rng(3))
    assert null <= 0.065
    assert plan.power(28, 3) == 0 == plan.simulated(28, 3, 9, np.random.default_rng(3))
    assert plan.power(29, 3) > 0
    assert (plan.curve(40, 3, 50, np.random.default_rng(3))[3:29] == 0).all()


@pytest.mark.parametrize("n", [8, 20, 40, 200])
def test_an_interval_is_never_below_the_limit_beside_it(n):
    rng = np.random.default_rng(n)
    truth = rng.normal(0, 10, n)
    rounds = Rounds.from_array(truth[:, None] + rng.standard_t(3, (n, 2)))
    for error in (0.5, 2.0):
        [m] = score_models(rounds, {"m": truth + rng.normal(0, error, n)}, n_resamples=100).models
        if m.verdict.name != "below the floor" and m.true_rmse.interval is not None:
            assert m.true_rmse.high >= m.verdict.upper * (1 - 1e-12)
            assert m.true_rmse.value in m.true_rmse.interval


# ---------------------------------------------------------------- accusations


def test_a_model_is_accused_where_signs_alone_could_show_it():
    assert [fewest_to_accuse(level) for level in (0.9, 0.95, 0.99)] == [5, 6, 8]
    for level in (0.9, 0.95, 0.99):
        n = fewest_to_accuse(level)
        assert 0.5**n < (1 - level) / 2 <= 0.5 ** (n - 1)


def test_so_few_items_accuse_no_right_model():
    rng = np.random.default_rng(5)
    told = []
    for n in (2, 3, 6):
        accused = 0
        for _ in range(60):
            truth = rng.normal(55, 10, n)
            rounds = Rounds.from_array(truth[:, None] + rng.normal(0, 3, (n, 2)))
            found = score_models(rounds, {"m": truth + rng.normal(0, 0.5, n)}, n_resamples=20)
            accused += found.models[0].verdict.name == BELOW
        told.append(accused)
    assert told[:2] == [0, 0] and told[2] <= 5  # 1.5 expected, P(more) below 0.1%
    z = np.array([[1.0, 5], [2, 6], [3, 7], [4, 8], [5, 9]]) + 0.1 * rng.normal(size=(5, 2))
    exchangeable = Rounds.from_array(z, exchangeable=True)
    five = score_models(exchangeable, {"m": z.mean(axis=1)}).models[0].verdict
    assert five.p_below < 0.001 and five.name == OPEN and math.isnan(five.upper)


def test_the_answer_says_that_errors_may_be_shared():
    rng = np.random.default_rng(3)
    z = rng.normal(55, 10, (40, 1)) + rng.normal(0, 3, (40, 2))
    found = score_models(Rounds.from_array(z), {"m": z.mean(axis=1) + 0.1 * rng.normal(size=40)})
    assert "it has seen these labels, or shares their errors" in found.answer()


# ---------------------------------------------------------------- next to nothing


def test_fewer_than_five_items_have_no_headline():
    rng = np.random.default_rng(2)
    for n in (2, 4, 5):
        truth = rng.normal(55, 10, n)
        rounds = Rounds.from_array(truth[:, None] + rng.normal(0, 3, (n, 2)), unit="%")
        found = score_models(rounds, {"m": truth + rng.normal(0, 1, n)}, n_resamples=50)
        few = f"{n} items are too few"
        for result in (found, bounds(rounds, n_resamples=50)):
            assert (few in result.answer()) == (few in result.quote()) == (n < 5)
            assert n == 5 or not any(c.isdigit() for c in result.quote().replace(few, ""))
        assert (few in found.cited().results) == (n < 5)
        assert (bounds(rounds, n_resamples=50).cited() is None) == (n < 5)


def test_axes_do_not_follow_the_interval_of_two_items():
    pytest.importorskip("matplotlib")
    rounds = Rounds.from_array([[59.55, 50.09], [59.65, 59.73]])
    found = score_models(rounds, {"m": [55.6, 59.1]}, n_resamples=50)
    measured = bounds(rounds, n_resamples=50)
    assert found.floors["rmse_floor"].high > 1e5
    for draw, result in ((plot_rmse_floor, found), (plot_floors, measured)):
        assert draw(result).get_xlim()[1] < 100
    assert plot_deviations(measured.deviations).get_ylim()[1] < 200
