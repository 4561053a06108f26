"""What holds without a law, and the checks: size, power, weights, degenerate input."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annostat.errors import AnnostatError
from annostat.labels.checks import check_rounds
from annostat.labels.pairs import pair_mae
from annostat.labels.rounds import Rounds
from annostat.noise.brackets import bracket, lattice_floor
from annostat.results.estimates import Estimate, Interval
from annostat.simulate import simulate_values

NAMES = [
    "bias",
    "equal_raters",
    "characteristic_function",
    "dependence_on_value",
    "influence",
    "clusters",
]


def checks(rounds, **options):
    return {c.name: c for c in check_rounds(rounds, **options)}


def laplace_rounds(n, k, seed, **columns):
    g = np.random.default_rng(seed)
    truth = g.integers(0, 100, (n, 1))
    return Rounds.from_array(truth + np.round(g.laplace(0, 2, (n, k))), unit="frames", **columns)


def e_abs(f):
    x = np.arange(f.size) - f.size // 2
    q = np.convolve(f, f[::-1])
    d = np.arange(q.size) - q.size // 2
    return float(np.abs(x) @ f), float(np.abs(d) @ q)


# ------------------------------------------------------------------ pair_mae


def test_pair_mae_by_hand():
    r = Rounds.from_array([[0, 2, np.nan], [5, 5, 6], [1, np.nan, np.nan]], unit="mm")
    e = pair_mae(r)
    assert e.value == pytest.approx((2 + 0 + 1 + 1) / 4)
    s, m = np.array([2.0, 2.0]), np.array([1.0, 3.0])
    assert e.standard_uncertainty == pytest.approx(np.sqrt(2 * ((s - m) ** 2).sum()) / 4)
    assert e.unit == "mm" and "weigh more" in e.note


def test_pair_mae_interval_is_log_t():
    from scipy import stats

    r = laplace_rounds(50, 2, 1)
    d = np.abs(r.differences())
    e = pair_mae(r, level=0.9)
    reach = stats.t.ppf(0.95, 49) * stats.sem(d) / d.mean()
    assert [e.low, e.high] == pytest.approx(d.mean() * np.exp([-reach, reach]))


def test_clusters_of_repeated_items_widen_the_interval():
    v = laplace_rounds(60, 2, 2).values
    once = pair_mae(Rounds.from_array(v))
    four = Rounds.from_array(np.repeat(v, 4, axis=0), cluster=np.repeat(np.arange(60), 4))
    e = pair_mae(four)
    assert (e.value, e.low, e.high) == pytest.approx((once.value, once.low, once.high))
    assert checks(four)["clusters"].statistic == pytest.approx(4, rel=0.1)
    assert pair_mae(Rounds.from_array(four.values)).high < e.high


def test_pair_mae_without_spread():
    zero = pair_mae(Rounds.from_array([[3, 3]] * 20))
    assert (zero.value, zero.low) == (0, 0)
    assert zero.high == pytest.approx(1 - 0.025 ** (1 / 20))
    assert pair_mae(Rounds.from_array([[0.5, 0.5], [0.75, 0.75]])).high < 0.25
    assert "same size" in pair_mae(Rounds.from_array([[3, 4]] * 9)).note
    assert pair_mae(Rounds.from_array([[3, 5]])).interval is None
    with pytest.raises(AnnostatError, match="two annotations"):
        pair_mae(Rounds.from_array([[3, np.nan]]))


def test_pair_mae_covers():
    hits = 0
    for seed in range(300):
        r = simulate_values(60, noise_sd=1, law="laplace", rng=seed)
        e = pair_mae(r)
        hits += e.low <= 1.5 / np.sqrt(2) <= e.high  # E|D| = 1.5 b
    assert 0.91 <= hits / 300 <= 0.985


# ------------------------------------------------------------------ brackets


mass = st.one_of(st.just(0.0), st.floats(0.001, 1.0))
masses = st.lists(mass, min_size=1, max_size=30).filter(any)


def inside(law, ex, ed):
    limits = bracket(Estimate(ed)).to_dict()[law]
    return limits["low"] - 1e-9 <= ex <= limits["high"] + 1e-9


@given(masses)
def test_symmetric_law_stays_in_its_bracket(half):
    """Invariant 6: E|D| = E|X|·(1 + G), G the Gini coefficient of |X|; hence ½ to 1."""
    f = np.array([*half[:0:-1], *half])
    f /= f.sum()
    ex, ed = e_abs(f)
    if half[0] == sum(half):
        assert ex == ed == 0
        return
    ax = np.abs(np.arange(f.size) - f.size // 2)
    gini = float(f @ np.abs(ax[:, None] - ax) @ f) / (2 * ex)
    assert ed == pytest.approx(ex * (1 + gini))
    assert 0.5 - 1e-9 <= ex / ed <= 1 + 1e-9 and inside("symmetric", ex, ed)


@given(masses)
def test_unimodal_law_stays_below_three_quarters(steps):
    """Invariant 6: unimodal X, hence at most ¾."""
    half = np.cumsum(steps)[::-1]
    f = np.concatenate([half[:0:-1], half])
    ex, ed = e_abs(f / f.sum())
    assert ex <= 0.75 * ed + 1e-9
    assert ed == 0 or inside("unimodal", ex, ed)


@given(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=30))
def test_log_concave_law_stays_above_the_lattice_floor(drops):
    # Log-probabilities whose steps fall: concave on 0, 1, ... and symmetric.
    half = np.exp(-np.cumsum(np.concatenate([[0.0], np.cumsum(drops)])))
    f = np.concatenate([half[:0:-1], half])
    ex, ed = e_abs(f / f.sum())
    assert lattice_floor(ed) <= ex * (1 + 1e-9) and ex <= 0.75 * ed + 1e-9


@pytest.mark.parametrize("p", [0.01, 0.3, 0.6, 0.95])
def test_discrete_laplace_attains_the_lattice_floor(p):
    f = p ** np.abs(np.arange(-900, 901))
    ex, ed = e_abs(f / f.sum())
    assert lattice_floor(ed) == pytest.approx(ex, rel=1e-9)


def test_lattice_floor_limits():
    assert lattice_floor(0) == 0
    assert lattice_floor(1e-3) / 1e-3 == pytest.approx(1 / 2, abs=1e-3)
    assert lattice_floor(1e3) / 1e3 == pytest.approx(2 / 3, abs=1e-5)
    assert 2 / lattice_floor(2 / 0.6545) == pytest.approx(1, abs=1e-3)
    for bad in (-1, np.nan, np.inf):
        with pytest.raises(AnnostatError, match="pair_mae"):
            lattice_floor(bad)


def test_bracket_carries_the_limits():
    e = Estimate(3.0, 0.15, Interval(2.7, 3.3, 0.95, "log-t"), "frames")
    found = bracket(e).to_dict()
    assert list(found) == ["symmetric", "unimodal", "log_concave"]
    assert found["symmetric"] == pytest.approx(
        {"low": 1.5, "high": 3.0, "low_limit": 1.35, "high_limit": 3.3}
    )
    assert found["log_concave"]["low_limit"] == pytest.approx(1.8)
    assert bracket(e).note == "" and "frames" in str(bracket(e))
    assert list(bracket(e).to_frame().index) == list(found)
    assert "discrete Laplace" in bracket(Estimate(0.5)).note
    assert bracket(Estimate(0.5), lattice=False).note == ""
    assert (
        json.loads(json.dumps(bracket(Estimate(0.5)).to_dict()))["symmetric"]["low_limit"] is None
    )
    with pytest.raises(AnnostatError, match="pair must"):
        bracket(Estimate(float("nan")))


# ------------------------------------------------------------------ checks


@pytest.mark.parametrize(("n", "k"), [(60, 2), (80, 3)])
def test_size_of_the_checks(n, k):
    failed = dict.fromkeys(NAMES, 0)
    for seed in range(200):
        for check in check_rounds(laplace_rounds(n, k, seed), rng=seed):
            failed[check.name] += check.passed is False
    # 5% nominal: 99.9% of such counts are at most 21; Holm and the added item lean below.
    assert all(failed[name] <= 21 for name in NAMES), failed
    assert failed["equal_raters"] >= 2 and failed["dependence_on_value"] >= 2


def test_bias_is_seen():
    v = laplace_rounds(200, 3, 5).values + np.array([0, 0, 2])
    check = checks(Rounds.from_array(v, unit="frames"))["bias"]
    assert check.passed is False and "round_3 above" in check.message
    assert "(RMS² − bias²)/2" in check.message


def test_constant_shift_is_a_bias():
    assert checks(Rounds.from_array([[i, i + 1] for i in range(30)]))["bias"].passed is False


@pytest.mark.parametrize("k", [2, 4])
def test_unequal_raters_are_seen(k):
    g = np.random.default_rng(3)
    v = g.normal(0, 3, (300, 1)) + g.normal(0, 1, (300, k)) * np.where(np.arange(k) == 1, 3, 1)
    v[::7, 0] = np.nan
    check = checks(Rounds.from_array(v))["equal_raters"]
    assert check.passed is False and "round_2" in check.message


@pytest.mark.parametrize("k", [2, 3])
def test_negative_characteristic_function_is_seen(k):
    # One rater picks even, the next one odd frames: D is odd, so φ(π) = −1 between them.
    g = np.random.default_rng(4)
    v = 2 * g.integers(-2, 3, (200, k)) + np.arange(k) % 2
    check = checks(Rounds.from_array(v))["characteristic_function"]
    assert check.passed is False and "copies of one law" in check.message


def test_dependence_is_seen():
    g = np.random.default_rng(5)
    size = np.repeat([1.0, 4.0], 100)
    v = g.integers(0, 50, (200, 1)) + g.normal(0, 1, (200, 2)) * size[:, None]
    found = checks(Rounds.from_array(v), covariates={"depth": size})["dependence_on_value"]
    assert found.passed is False and "grow with depth" in found.message
    w = v + 100 * size[:, None]
    assert "the value" in checks(Rounds.from_array(w))["dependence_on_value"].message
    per = checks(Rounds.from_array(v, period=size * 10))["dependence_on_value"]
    assert "the period" in per.message and per.passed is False


def test_blunders_are_seen():
    v = laplace_rounds(300, 2, 6).values
    v[:2, 0] += 100
    check = checks(Rounds.from_array(v))["influence"]
    assert check.passed is False and check.message.endswith("mae scale.")
    assert checks(laplace_rounds(300, 2, 6))["influence"].passed


@pytest.mark.parametrize(
    ("n", "said"), [(60, "look at P7,"), (300, "P7, P8 and P9,"), (500, "P7, P8, P9 first,")]
)
def test_the_items_that_differ_most_are_named(n, said):
    v = np.random.default_rng(1).normal(size=(n, 2))
    v[7:12, 1] += [50, 40, 30, 2, 2]
    rounds = Rounds.from_array(v, items=[f"P{i}" for i in range(n)])
    check = checks(rounds)["influence"]
    assert check.passed is False and said in check.message
    assert "look at these" in checks(Rounds.from_array(v))["influence"].message


def test_few_clusters_fail():
    r = laplace_rounds(60, 2, 7, cluster=np.arange(60) % 3)
    assert checks(r)["clusters"].passed is False
    assert checks(laplace_rounds(60, 2, 7))["clusters"].passed is None


def test_exchangeable_rounds_have_no_order():
    found = checks(laplace_rounds(60, 3, 8, exchangeable=True))
    assert found["bias"].passed is None and found["equal_raters"].passed is None
    assert "no identity" in found["bias"].message


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("clustered", [False, True])
def test_weights_equal_repetition(k, clustered):
    g = np.random.default_rng(9)
    r = laplace_rounds(60, k, 9)
    v = r.values.copy()
    v[:5, -1] = np.nan if k == 3 else v[:5, -1]
    times = g.integers(1, 4, 60)
    c = np.arange(60) % 25
    columns = {"cluster": c} if clustered else {}
    one = Rounds.from_array(v, weights=times, items=np.arange(60), **columns)
    columns = {"cluster": np.repeat(c, times)} if clustered else {}
    two = Rounds.from_array(np.repeat(v, times, axis=0), **columns)
    a, b = pair_mae(one), pair_mae(two)
    assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))
    for x, y in zip(check_rounds(one), check_rounds(two), strict=True):
        assert (x.name, x.passed) == (y.name, y.passed)
        assert x.statistic == pytest.approx(y.statistic)
        assert x.p_value == pytest.approx(y.p_value)


def test_collapsed_rows():
    r = Rounds.from_array([[0, 0], [0, 1], [0, -1], [0, 2]], weights=[50, 20, 22, 2])
    found = checks(r)
    assert "collapsed" in found["dependence_on_value"].message
    assert found["equal_raters"].passed is None
    assert found["bias"].passed and found["characteristic_function"].passed


nan = float("nan")


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2]],
        [[1, 1]],
        [[1, 2, nan]],
        [[3, 3]] * 40,
        [[3, 4]] * 40,
        [[3, 3, 3]] * 40,
        [[0, 1, 5]] * 40,
        [[1, nan, nan], [2, 3, nan], [nan, 4, 4]],
        [[i, i] for i in range(30)],
        [[0, i % 2] for i in range(30)],
        [[1e59, -1e59], [0, 1]] * 20,
        [[2**53, 2**53 - 1], [0, 1], [3, 3]] * 20,
    ],
)
@pytest.mark.parametrize("cluster", [False, True])
def test_degenerate_input_is_answered_in_words(values, cluster):
    n = len(values)
    r = Rounds.from_array(values, cluster=np.zeros(n) if cluster else None)
    found = check_rounds(r, covariates={"flat": np.ones(n)})
    assert [c.name for c in found] == NAMES
    for c in found:
        assert c.message.endswith(".") and "nan" not in c.message.lower()
        json.dumps(c.to_dict(), allow_nan=False)
    pair_mae(r)


def test_huge_values_are_refused():
    with pytest.raises(AnnostatError, match="rescale"):
        pair_mae(Rounds.from_array([[1e300, -1e300]]))


def test_bad_covariates_are_named():
    r = laplace_rounds(10, 2, 1)
    with pytest.raises(AnnostatError, match="'q' must have one number per item"):
        check_rounds(r, covariates={"q": [1, 2]})
    with pytest.raises(AnnostatError, match="'q' must be numbers"):
        check_rounds(r, covariates={"q": ["a"] * 10})
