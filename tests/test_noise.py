"""Likelihood, gradient, recovery and the invariants of the noise of a pick."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import optimize

from annostat import (
    AnnostatError,
    AnnostatWarning,
    NoiseModel,
    Rounds,
    compare_noise,
    fit_noise,
    jit,
    simulate_rounds,
)
from annostat.datasets import lidc
from annostat.noise import FAMILIES, kernels
from annostat.noise.cells import Cells
from annostat.noise.goodness import SimulatedSets
from annostat.noise.model import inverted, mirror
from annostat.noise.problem import cell_log_likelihoods, make_problem
from annostat.plotting import plot_noise_law, plot_windows
from tests import naive
from tests.test_families import HALF_AND_HALF, noise_models, parts_of

PAPER = NoiseModel("laplace", {"scale": 2.0}, "independent", 1 / 300, window=50)

every_way = pytest.mark.parametrize(
    "kind", ["none", "independent", "shared", HALF_AND_HALF], ids=lambda w: getattr(w, "name", w)
)


def paper_rounds(seed, n=1277, mae=2.0):
    law = NoiseModel.with_mae(
        "laplace", mae, abandonment="independent", abandonment_rate=1 / 300, window=50
    )
    return law, Rounds.from_array(law.sample_errors((n, 2), rng=seed), unit="frames")


def pairs_of_laplace(p, r, d):
    """The law of the difference of two discrete Laplace errors, P(x) ∝ p^|x| and r^|x|."""
    both = (1 - p) / (1 + p) * (1 - r) / (1 + r)
    if p == r:
        return both * p**d * (d + (1 + p * p) / (1 - p * p))
    ends = (p**d + r**d) * p * r / (1 - p * r)
    return both * ((p ** (d + 1.0) - r ** (d + 1.0)) / (p - r) + ends)


@settings(max_examples=60)
@example(0.1, 0.3, 7, 0.3)
@example(0.5, 0.4, 7, 0.3)
@example(0.9, 0.6, 7, 0.3)
@given(st.floats(0.01, 0.97), st.floats(0.01, 0.97), st.integers(1, 60), st.floats(0, 1))
def test_closed_forms(p, r, window, rate):
    """Invariant 5: discrete Laplace and uniform, alone and convolved, and Skellam."""
    assume(abs(p - r) > 0.01)
    scale = -1 / math.log(p)
    model = NoiseModel("laplace", {"scale": scale})
    d, q = model.difference_pmf()
    size = np.abs(d)
    ll = pairs_of_laplace(p, p, size)
    np.testing.assert_allclose(q, ll, atol=1e-12)
    assert model.core_mae == pytest.approx(2 * p / (1 - p * p), abs=1e-12, rel=1e-12)
    ratio = 2 * (1 + p + p * p) / (1 + p) ** 2
    assert abs(model.pair_mae / model.mae - ratio) < 1e-10

    _, other = NoiseModel("laplace", {"scale": -1 / math.log(r)}).noise_pmf()
    both = np.convolve(model.noise_pmf()[1], other)
    e = np.abs(np.arange(both.size) - both.size // 2)
    np.testing.assert_allclose(both, pairs_of_laplace(p, r, e), atol=1e-12)

    mixed = NoiseModel("laplace", {"scale": scale}, "independent", rate, window=window)
    d, q = mixed.difference_pmf()
    size = np.abs(d)
    uu = np.maximum(2 * window + 1 - size, 0) / (2 * window + 1) ** 2
    inside = (1 - (p ** np.abs(window + 1.0 - size) + p ** (window + 1.0 + size)) / (1 + p)) / (
        2 * window + 1
    )
    beyond = (
        p ** np.abs(size - float(window))
        * (1 - p ** (2 * window + 1))
        / ((1 + p) * (2 * window + 1))
    )
    lu = np.where(size <= window, inside, beyond)
    ll = pairs_of_laplace(p, p, size)
    expected = (1 - rate) ** 2 * ll + 2 * rate * (1 - rate) * lu + rate**2 * uu
    np.testing.assert_allclose(q, expected, atol=1e-12)
    shared = NoiseModel("laplace", {"scale": scale}, "shared", rate, window=window)
    law = shared.difference_counts_law(80) / np.where(np.arange(81) == 0, 1, 2)
    d = np.arange(81.0)
    uu = np.maximum(2 * window + 1 - d, 0) / (2 * window + 1) ** 2
    expected = (1 - rate) * pairs_of_laplace(p, p, d) + rate * uu
    np.testing.assert_allclose(law, expected, atol=1e-12)

    d, q = NoiseModel("uniform", {"half_width": window + 0.5}).difference_pmf()
    expected = np.maximum(2 * window + 1 - np.abs(d), 0) / (2 * window + 1) ** 2
    np.testing.assert_allclose(q, expected, atol=1e-12)
    d, q = NoiseModel("skellam", {"sd": scale}).difference_pmf()
    twice = FAMILIES["skellam"].pmf([scale * math.sqrt(2)], int(d.max()))
    np.testing.assert_allclose(q, twice[np.abs(d)], atol=1e-12)


@pytest.mark.parametrize("kind", ["independent", "shared"])
@pytest.mark.parametrize("length", [5, 30])
def test_abandoned_picks_of_one_clip_share_its_truth(kind, length):
    law = NoiseModel("laplace", {"scale": 0.8}, kind, 0.3, length=length)
    core = {x: p for x, p in enumerate(law.core_pmf)}
    core |= {-x: p for x, p in core.items() if x}
    for widest in (3, length + 2):
        expected = naive.difference_with_truth(core, 0.3, length, kind == "shared", widest)
        assert law.difference_counts_law(widest) == pytest.approx(expected, abs=1e-12)
        d, q = law.difference_pmf()
        both = np.bincount(np.abs(d), q)
        assert both[: widest + 1] == pytest.approx(expected, abs=1e-12)
    assert q.sum() == pytest.approx(1, abs=1e-12)


@every_way
@pytest.mark.parametrize("core", ["laplace", "gaussian"])
def test_counts_are_the_folded_law_of_differences(core, kind):
    rate = 0.0 if kind == "none" else 0.2
    law = NoiseModel.with_mae(core, 1.5, abandonment=kind, abandonment_rate=rate, window=6)
    d, q = law.difference_pmf()
    folded = np.bincount(np.abs(d), q)
    for widest in (4, 40):
        counts = law.difference_counts_law(widest)
        assert counts == pytest.approx(np.pad(folded, (0, 50))[: widest + 1], abs=1e-12)
        cut = law.difference_counts_law(widest, support=60)
        assert cut == pytest.approx(counts, abs=1e-9)


@every_way
@pytest.mark.parametrize("core", sorted(FAMILIES))
@pytest.mark.parametrize("layout", ["pairs", "four", "periods", "raters", "length"])
def test_gradient(core, kind, layout):
    rng = np.random.default_rng(7)
    z = rng.integers(-4, 5, size=(30, 2 if layout == "pairs" else 4)).astype(float)
    z[0, 0] = 17
    if layout != "pairs":
        z[5:12, 3] = np.nan
        z[8:12, 2] = np.nan
    rounds = Rounds.from_array(
        z,
        period=rng.choice([1.0, 1.7, 2.5], size=30) if layout == "periods" else None,
        length=rng.choice([40, 55], size=30) if layout == "length" else None,
    )
    if layout == "length" and kind == "none":
        return
    window = "length" if layout == "length" else 12
    problem = make_problem(rounds, FAMILIES[core], kind, window, None, layout == "raters", None)
    u = np.clip(problem.starts()[0] + 0.11, *problem.box)
    if problem.rated:
        u[problem.n_core] = 0.07
    problem = problem.with_support(u, 1.5)
    grad, other = np.zeros(u.size), np.zeros(u.size)

    def value(v):
        data = problem.data(12)
        return kernels.evaluate(FAMILIES[core].kernel, problem.spec, v, data, other)

    kernels.evaluate(FAMILIES[core].kernel, problem.spec, u, problem.data(12), grad)
    numeric = optimize.approx_fprime(u, value, 1e-7)
    central = np.empty(u.size)
    for i in range(u.size):
        e = np.zeros(u.size)
        e[i] = 1e-5
        central[i] = (value(u + e) - value(u - e)) / 2e-5
    if FAMILIES[core].kinked:
        np.testing.assert_allclose(grad, numeric, rtol=1e-3, atol=1e-3)
    else:
        np.testing.assert_allclose(grad, central, rtol=1e-6, atol=1e-6 * np.abs(central).max())
    mae, slopes = problem.mae(u, 12)
    for i in range(u.size):
        e = np.zeros(u.size)
        e[i] = 1e-5
        change = (problem.mae(u + e, 12)[0] - problem.mae(u - e, 12)[0]) / 2e-5
        assert abs(slopes[i] - change) < 1e-5 * (1 + mae)


@st.composite
def picks(draw, rows=8, columns=4):
    """Rounds of up to `rows` items with any cells missing but two of each item."""
    k = draw(st.integers(2, columns))
    table = np.full((draw(st.integers(1, rows)), k), np.nan)
    for row in table:
        seen = draw(st.lists(st.sampled_from(range(k)), min_size=2, max_size=k, unique=True))
        row[seen] = draw(st.lists(st.integers(-8, 8), min_size=len(seen), max_size=len(seen)))
    return table


def likelihood(model, rounds, factor=1.0):
    """The compiled log-likelihood of a model, its scale times `factor`; the problem; u."""
    problem = make_problem(
        rounds, model.family, model.way, model.window or "auto", None, False, None
    )
    u = np.log([model.parameters[p.name] for p in model.family.parameters])
    u[0] += math.log(factor)
    if problem.rated:
        u = np.append(u, model.rate)
    problem = problem.with_support(u)
    grad, data = np.zeros(u.size), problem.data(model.window or 0)
    value = kernels.evaluate(model.family.kernel, problem.spec, u, data, grad)
    return value, problem, u


@settings(max_examples=40)
@example(
    NoiseModel("uniform", {"half_width": 1.0}), np.array([[0.0, 3.0]]), np.random.default_rng(0)
)
@example(
    NoiseModel("laplace", {"scale": 1.5}, "shared", 0.2, window=6),
    np.array([[0.0, 3.0, 5.0], [1.0, 1.0, np.nan]]),
    np.random.default_rng(0),
)
@given(noise_models(longest=12), picks(), st.integers(0, 99).map(np.random.default_rng))
def test_flat_prior_likelihood(model, table, rng):
    """Invariant 7: Σ_y Π_j f(z_j − y), any missing cells and any family; at two rounds the
    autocorrelation of f; items may be shifted, raters permuted, and all mirrored."""
    value, problem, _ = likelihood(model, Rounds.from_array(table))
    core = model.family.pmf(model.theta, int(problem.support[0]))
    laws = parts_of(model, core)
    laws = [(w, naive.dictionary_law(half), half.size) for w, half in laws]
    each = [sum(w * naive.flat_prior(row, law, reach) for w, law, reach in laws) for row in table]
    # What a law cannot give counts as hardly possible, so that its logarithm exists.
    expected = float(np.log(np.maximum(each, kernels.TINY)).sum())
    assert abs(value - expected) < 1e-9 * (1 + abs(expected))
    shuffled = rng.permuted(table, axis=1) + rng.integers(0, 50, size=(len(table), 1))
    for data in (shuffled, -table):
        assert abs(likelihood(model, Rounds.from_array(data))[0] - expected) < 1e-9 * (
            1 + abs(expected)
        )
    two = np.array([row[np.isfinite(row)][:2] for row in table])
    q = model.difference_counts_law(16) / np.where(np.arange(17) == 0, 1, 2)
    q = np.maximum(q[np.abs(two[:, 1] - two[:, 0]).astype(int)], kernels.TINY)
    pairs = np.log(q).sum()
    # The kernel leaves out a mass of 1e-13, or a power tail beyond a few times the widest span.
    loose = 1e-4 if model.family.tail_index >= 0 else 1e-9
    allowed = loose * (1 + abs(pairs)) + (1e-12 / q).sum()
    assert abs(likelihood(model, Rounds.from_array(two))[0] - pairs) < allowed


@pytest.mark.parametrize("mae", [2.0, 2.4])
def test_recovery_against_brute_force(mae):
    """The paper's situation: same optimum as a plain implementation, log-likelihood to 1e-6."""
    _, rounds = paper_rounds(11, mae=mae)
    d = rounds.differences()

    def minus(v, window):
        if not (0.05 < v[0] < 20 and 0 <= v[1] <= 0.5):
            return 1e9
        return -naive.log_likelihood(d, naive.laplace_uniform(v[0], v[1], window)[1])

    for window in (50, 40):
        fit = fit_noise(rounds, "laplace", window=window)
        best = optimize.minimize(
            minus,
            [1.5, 0.01],
            args=(window,),
            method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000},
        )
        assert abs(fit.log_likelihood + best.fun) < 1e-6
        x, f = naive.laplace_uniform(*best.x, window)
        assert abs(fit.mae.value / (np.abs(x) @ f) - 1) < 1e-4
        at_fit = naive.laplace_uniform(fit.parameters["scale"].value, fit.model.rate, window)[1]
        assert abs(naive.log_likelihood(d, at_fit) - fit.log_likelihood) < 1e-6
    profiled = fit_noise(rounds, "laplace")
    windows, values, _ = profiled.window_profile
    assert profiled.log_likelihood == values.max()
    assert profiled.model.window == windows[values.argmax()]
    assert profiled.log_likelihood >= fit.log_likelihood - 1e-6


def test_profile_interval_is_a_profile():
    """At each limit the likelihood, maximised under E|X| = limit, has dropped by 1.92."""
    _, rounds = paper_rounds(3)
    fit = fit_noise(rounds, "laplace", window=50)
    d = rounds.differences()
    for limit in (fit.mae.low, fit.mae.high):

        def drop(rate, limit=limit):
            wide = 50 * 51 / 101
            core = (limit - rate * wide) / (1 - rate)
            if core <= 0.01:
                return 1e9
            p = optimize.brentq(lambda p: 2 * p / (1 - p * p) - core, 1e-9, 1 - 1e-9)
            f = naive.laplace_uniform(-1 / math.log(p), rate, 50)[1]
            return fit.log_likelihood - naive.log_likelihood(d, f)

        best = optimize.minimize_scalar(drop, bounds=(0, 0.03), method="bounded")
        assert abs(best.fun - 1.9207) < 0.02


def test_profile_of_a_tiny_sample_is_not_cut_short():
    """One pair says little: the limits are far out, where the law is far wider than at the fit."""
    fit = fit_noise(Rounds.from_array([[3, 5]]), "laplace", abandonment="none")

    def drop(log_scale):
        f = naive.laplace_uniform(math.exp(log_scale), 0.0, 1)[1]
        return fit.log_likelihood - naive.log_likelihood([2], f) - 1.9207

    scale = fit.parameters["scale"]
    high = math.exp(optimize.brentq(drop, math.log(scale.value), math.log(60)))
    low = math.exp(optimize.brentq(drop, math.log(0.1), math.log(scale.value)))
    assert scale.low == pytest.approx(low, rel=0.01)
    assert scale.high == pytest.approx(high, rel=0.01)
    x, f = naive.laplace_uniform(high, 0.0, 1)
    assert fit.mae.high == pytest.approx(np.abs(x) @ f, rel=0.01)


@settings(max_examples=40)
@given(
    noise_models(longest=40),
    picks(),
    st.lists(st.floats(0.5, 3.0), min_size=8, max_size=8),
    st.floats(1e-3, 1e3),
)
def test_unit_of_time_changes_no_likelihood(model, table, periods, factor):
    """Invariant 8: all periods and the noise in another unit of time."""
    periods = np.array(periods[: len(table)])
    one, problem, u = likelihood(model, Rounds.from_array(table, period=periods))
    rounds = Rounds.from_array(table, period=periods * factor)
    two, scaled, v = likelihood(model, rounds, factor)
    assert abs(two - one) < 1e-9 * (1 + abs(one))
    window = model.window or 0
    mae = problem.mae(u, window)[0]
    assert scaled.mae(v, window)[0] == pytest.approx(factor * mae, rel=1e-9)


# Fits by plain Python take minutes where the law has a power tail.
@settings(max_examples=2 if jit.OFF else 15)
@given(
    noise_models(st.just(FAMILIES["laplace"])) if jit.OFF else noise_models(),
    st.integers(0, 2**32),
    st.floats(5.0, 80.0),
    st.floats(1.0, 3.0),
    st.floats(1e-3, 1e3),
)
def test_rescaling_periods_changes_no_fit(model, seed, period, ratio, factor):
    """Invariant 8: whichever unit the periods are in; and one period is frames in disguise."""
    rng = np.random.default_rng(seed)
    periods = rng.choice([period, ratio * period], size=400)
    z = np.round(model.sample_errors((400, 2), rng=rng) * period / periods[:, None])
    options = {"core": model.family, "abandonment": model.abandonment, "ci": "none"}
    one, other = (
        fit_noise(Rounds.from_array(z, period=periods * c), **options) for c in (1, factor)
    )
    assert abs(one.log_likelihood - other.log_likelihood) < 1e-6
    assert other.mae.value == pytest.approx(factor * one.mae.value, rel=1e-4)
    same = fit_noise(Rounds.from_array(z, period=period), **options)
    frames = fit_noise(Rounds.from_array(z), **options)
    assert abs(same.log_likelihood - frames.log_likelihood) < 1e-6
    assert same.mae.value == pytest.approx(period * frames.mae.value, rel=5e-5)


def test_cost_grows_with_distinct_periods_only():
    z = np.random.default_rng(0).integers(0, 4, size=(5000, 2)).astype(float)
    rounds = Rounds.from_array(z, period=np.repeat([1.0, 2.0], 2500))
    cells = Cells.from_rounds(rounds, physical=True)
    assert cells.period.tolist() == [1.0, 2.0]
    assert cells.count.size <= 8
    assert cells.count.sum() == 5000


@settings(max_examples=60)
@given(picks(), st.integers(0, 99).map(np.random.default_rng))
def test_one_cell_for_what_order_direction_and_place_do_not_tell_apart(table, rng):
    def pattern(row):
        seen = np.sort(row[np.isfinite(row)])
        return min(tuple(seen - seen[0]), tuple(seen[-1] - seen[::-1]))

    mirrored = np.where(rng.random((len(table), 1)) < 0.5, table, -table)
    both = np.concatenate([table, rng.permuted(mirrored, axis=1) + 30_000])
    cells = Cells.from_rounds(Rounds.from_array(both))
    patterns = [pattern(row) for row in table]
    counted = sorted((p, 2.0 * patterns.count(p)) for p in set(patterns))
    parts = np.split(cells.z, cells.start[1:-1])
    assert sorted((tuple(z), n) for z, n in zip(parts, cells.count, strict=True)) == counted


def test_bootstrap_is_the_same_on_any_number_of_workers():
    _, rounds = paper_rounds(5, n=400)
    fit = fit_noise(rounds, ci="none")
    one, two = (fit.bootstrap(n_resamples=150, rng=4, n_jobs=j) for j in (1, 2))
    assert one.equals(two)
    low, high = np.quantile(one["mae"], [0.025, 0.975])
    profile = fit_noise(rounds).mae
    assert abs(low - profile.low) < 0.1 * profile.value
    assert abs(high - profile.high) < 0.1 * profile.value
    clustered = Rounds.from_array(rounds.values, cluster=[i // 4 for i in range(400)])
    wide = fit_noise(clustered, ci="bootstrap", n_resamples=200, rng=1)
    assert "clusters" in wide.mae.interval.method


@pytest.mark.parametrize("core, kind", [("student-t", "shared"), ("symmetric-nb", "independent")])
def test_a_resample_is_maximised_over_all_windows(core, kind):
    # The likelihood has several hills over the windows; climbing from the data's own one missed
    # the highest in one set of twenty.
    fit = fit_noise(lidc(), core, abandonment=kind, physical=False, ci="none")
    share = fit.problem.cells.count / 1868
    counts = np.random.default_rng(2).multinomial(1868, share, size=100).astype(float)
    near, all_windows = (
        fit.refit(lambda numbers, _: counts[list(numbers)], 100, like_data=like)
        for like in (True, False)
    )
    np.testing.assert_allclose(near["log_likelihood"], all_windows["log_likelihood"], atol=1e-5)
    assert near["window"].nunique() > 2


def test_weights_are_repetitions():
    z = np.array([[0.0, 0], [0, 1], [0, 3], [0, -7]])
    w = np.array([5, 4, 2, 1])
    once = fit_noise(Rounds.from_array(z, weights=w), window=7)
    many = fit_noise(Rounds.from_array(np.repeat(z, w, axis=0)), window=7)
    assert abs(once.log_likelihood - many.log_likelihood) < 1e-9
    assert abs(once.mae.high - many.mae.high) < 1e-6


def test_scale_per_rater():
    rng = np.random.default_rng(8)
    scales = np.array([1.0, 2.0, 4.0])
    z = np.round(rng.laplace(scale=scales, size=(3000, 3))) + rng.integers(0, 90, (3000, 1))
    fit = fit_noise(Rounds.from_array(z), "rounded-laplace", by_rater=True, abandonment="none")
    found = np.array(list(fit.rater_scales.values()))
    np.testing.assert_allclose(found, scales, rtol=0.1)
    with pytest.raises(AnnostatError, match="three or more rounds"):
        fit_noise(Rounds.from_array(z[:, :2]), by_rater=True)


def test_posterior_finds_the_abandoned():
    rng = np.random.default_rng(4)
    z = NoiseModel("laplace", {"scale": 1.0}).sample_errors((500, 2), rng=rng)
    z[7, 1] += 40
    rounds = Rounds.from_array(z, items=[f"clip-{i}" for i in range(500)])
    for kind in ("independent", "shared"):
        table = fit_noise(rounds, abandonment=kind).abandonment_posterior()
        assert table["item"].iloc[0] == "clip-7"
        assert table["posterior"].iloc[0] > 0.99
        assert table["posterior"].iloc[100] < 0.05


def test_a_way_of_giving_up_that_is_declared_here():
    """Half of those who give up do so alone, half together: fitted, printed, tested, read back."""
    law = NoiseModel("laplace", {"scale": 1.5}, HALF_AND_HALF, 0.1, window=40)
    rounds = simulate_rounds(law, 4000, rng=3)
    flags = np.abs(law.sample_errors((200_000, 2), rng=4)) > 15
    lost = HALF_AND_HALF.total(0.1) * 50 / 81  # 50 of 81 abandoned errors are beyond 15
    assert flags.mean() == pytest.approx(lost, rel=0.05)
    assert flags.all(axis=1).mean() == pytest.approx(
        (0.05 + 0.95 * 0.05**2) * (50 / 81) ** 2, rel=0.1
    )
    fit = fit_noise(rounds, abandonment=HALF_AND_HALF)
    assert law.mae in fit.mae.interval and 0.1 in fit.abandonment_rate.interval
    assert "laplace + half-and-half" in str(fit) and "abandonment rate" in str(fit)
    assert fit.to_dict()["abandonment"] == "half-and-half"
    assert "abandonment_rate" in set(fit.to_frame()["estimate"])
    gave_up = np.ptp(rounds.values, axis=1) > 20
    table = fit.abandonment_posterior().set_index("item")
    found = table.loc[rounds.items, "posterior"] if rounds.items is not None else table["posterior"]
    assert (found.to_numpy()[gave_up] > 0.9).mean() > 0.9
    found = compare_noise(
        rounds, cores=["laplace"], abandonment=["none", "shared", HALF_AND_HALF], n_tests=0
    )
    assert found.best.model.way is HALF_AND_HALF and "half-and-half" in str(found)


def test_the_log_likelihood_of_cells_adds_up():
    rng = np.random.default_rng(2)
    z = rng.integers(-4, 5, (60, 3)).astype(float)
    z[:9, 2] = np.nan
    rounds = Rounds.from_array(z, period=rng.choice([1.0, 2.0], 60), period_unit="ms")
    for way in ("none", "shared", HALF_AND_HALF):
        fit = fit_noise(rounds, abandonment=way, window=12 if way != "none" else "auto")
        each = cell_log_likelihoods(fit.problem, fit.solution, fit.model.window or 0)
        assert each @ fit.problem.cells.count == pytest.approx(fit.log_likelihood, rel=1e-9)


def test_a_period_of_one_is_a_period():
    """1-mm slices are in millimetres, as 2-mm slices are; without a period picks are in frames."""
    z = np.random.default_rng(1).integers(0, 9, (40, 2))
    given = dict(period=1.0, period_unit="mm", unit="slices")
    fit = fit_noise(Rounds.from_array(z, **given), abandonment="none")
    assert (fit.mae.unit, fit.problem.physical) == ("mm", True)
    found = compare_noise(Rounds.from_array(z, **given), cores="laplace", abandonment="none")
    assert found.mae.unit == "mm" and found.provenance.options["physical"] is True
    plain = fit_noise(Rounds.from_array(z, unit="slices"), abandonment="none")
    assert plain.mae.unit == "slices" and plain.mae.value == pytest.approx(fit.mae.value)
    twice = fit_noise(Rounds.from_array(z, period=2.0, period_unit="mm"), abandonment="none")
    assert twice.mae.value == pytest.approx(2 * fit.mae.value, rel=1e-4)


def test_comparison_prefers_the_truth_and_checks_it():
    _, rounds = paper_rounds(1)
    result = compare_noise(rounds, cores=["laplace", "gaussian"], n_tests=39, rng=0)
    assert result.best.model.family.name == "laplace"
    checks = {c.name: c for c in result.checks}
    assert checks["goodness_of_fit"].passed
    assert checks["abandonment"].p_value < 0.05
    assert abs(result.weights.sum() - 1) < 1e-12
    assert result.envelope.low <= result.mae.low <= result.mae.high <= result.envelope.high
    bracket = result.bracket.to_dict()["symmetric"]
    assert bracket["low"] <= result.mae.value <= bracket["high"]
    assert abs(result.unimodal.mae.value / result.mae.value - 1) < 0.1
    gaussian = next(f for f in result.fits if f.label == "gaussian + independent")
    assert not gaussian.goodness_of_fit(n_resamples=39, rng=0).passed


def test_sets_of_clips_of_known_length_stay_within_their_clips():
    """Who gives up picks within this clip; a core of about one frame reaches little beyond."""
    length = np.repeat([8, 400], 60)
    z = np.random.default_rng(1).integers(0, length[:, None], (120, 2))
    z[::2, 1] = z[::2, 0]
    rounds = Rounds.from_array(z, length=length)
    fit = fit_noise(rounds, abandonment="independent", window="length", ci="none")
    cells = SimulatedSets(fit.problem, fit.model, 20, 0).problem.cells
    short = cells.length[cells.group] == 8
    assert cells.span[short].max() < 8 + 10 * fit.parameters["scale"].value
    assert cells.span[~short].max() > 200


def test_no_abandonment_is_not_found():
    law = NoiseModel("laplace", {"scale": 2.0})
    fit = fit_noise(simulate_rounds(law, 800, rng=6), ci="none")
    assert fit.test_abandonment(n_resamples=39, rng=0).p_value > 0.05


@pytest.mark.parametrize("seed", [4, 7, 10])
def test_heavy_tails_are_not_taken_for_abandonment(seed):
    """The Gaussian core gives up best here, but nobody does: the Laplace core explains all."""
    rounds = simulate_rounds(NoiseModel("laplace", {"scale": 2.0}), 300, rng=seed)
    result = compare_noise(rounds, cores=["laplace", "gaussian"], n_tests=19, rng=0, ci="none")
    kinds = {f.problem.rated: f.model.family.name for f in reversed(result.fits)}
    assert kinds == {True: "gaussian", False: "laplace"}
    [check] = [c for c in result.checks if c.name == "abandonment"]
    assert check.p_value > 0.05 and check.message.endswith("core laplace)")


def test_all_zero_and_single_item():
    zeros = Rounds.from_array(np.zeros((50, 2)))
    fit = fit_noise(zeros)
    assert fit.mae.value < 1e-3
    assert 0 < fit.mae.high < 0.1
    assert any("zero" in note for note in fit.notes)
    result = compare_noise(zeros, n_tests=9)
    assert result.pair_mae.value == 0
    single = compare_noise(Rounds.from_array([[3, 5]]), n_tests=9)
    assert single.rounds.n_items == 1


def test_refuses_what_it_cannot_fit():
    with pytest.raises(AnnostatError, match="not a whole number"):
        fit_noise(Rounds.from_array([[1.5, 2], [3, 4]]))
    with pytest.raises(AnnostatError, match=r"differ by up to 10,000,000 \(first: row 1\)"):
        fit_noise(Rounds.from_array([[0, 10_000_000], [1, 2]]))
    with pytest.raises(AnnostatError, match="first: 'clip 7'"):
        fit_noise(Rounds.from_array([[1, 2], [0, 10_000_000]], items=["clip 6", "clip 7"]))
    with pytest.raises(AnnostatError, match="two annotations"):
        fit_noise(Rounds.from_array([[1, np.nan], [np.nan, 2]]))
    with pytest.raises(AnnostatError, match="length of each clip"):
        fit_noise(Rounds.from_array([[1, 2], [3, 4]]), window="length")


OUTLIERS = ["laplace", "discrete-gaussian", "skellam", "exponential-power", "symmetric-nb"]


@pytest.mark.parametrize("core", OUTLIERS)
@pytest.mark.parametrize(("n", "wide"), [(20, 200), (100, 30)])
def test_one_pair_far_apart_is_not_passed_over(core, n, wide):
    """Without abandonment the core must explain it: the largest likelihood by plain sums."""
    d = np.repeat([0, 1, -1, wide], [2 * n, n, n, 1])
    rounds = Rounds.from_array(np.column_stack([d, 0 * d]))
    fit = fit_noise(rounds, core, abandonment="none", ci="none")
    family = FAMILIES[core]
    box = np.log([[p.low, p.high] for p in family.parameters])

    def minus(u):
        half = family.pmf(np.exp(u), 3 * wide)
        q = naive.difference(np.concatenate([half[:0:-1], half]))
        return -np.log(np.maximum(q[d + q.size // 2], 1e-300)).sum()

    starts = [np.log([wide / c, shape])[: len(box)] for c in (4, 30, 200) for shape in (0.1, 0.8)]
    found = [
        optimize.minimize(
            minus,
            np.clip(s, *box.T),
            method="Nelder-Mead",
            bounds=box,
            options={"xatol": 1e-6, "fatol": 1e-7},
        )
        for s in starts
    ]
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(-min(f.fun for f in found), abs=1e-3)


def test_what_a_law_cannot_give_is_said():
    d = np.repeat([0, 1, -1, 200], [400, 200, 200, 1])
    rounds = Rounds.from_array(np.column_stack([d, 0 * d]))
    fit = fit_noise(rounds, "gaussian", abandonment="none", ci="none")
    assert not fit.converged and "differ by 200 are all but impossible" in str(fit)


def test_wide_spans_are_refined():
    rng = np.random.default_rng(0)
    z = NoiseModel("laplace", {"scale": 2.0}, "independent", 0.01, window=900).sample_errors(
        (2000, 2), rng=rng
    )
    fit = fit_noise(Rounds.from_array(z), ci="none")
    assert 700 < fit.model.window < 1200


def test_simulated_coverage_is_plausible():
    """A thin slice of the study in analysis/calibration, fixed seeds."""
    hits = 0
    for seed in range(40):
        law, rounds = paper_rounds(seed)
        hits += law.mae in fit_noise(rounds, "laplace").mae.interval
    assert hits >= 34


def test_window_smaller_than_the_data_warns():
    d = np.array([0, 1, -2, 0, 1, 3, 0, 40] * 5)
    rounds = Rounds.from_array(np.column_stack([d, np.zeros(d.size)]))
    with pytest.warns(AnnostatWarning, match="differ by more than 20, up to 40"):
        fit_noise(rounds, "laplace", window=10, ci="none")
    with pytest.warns(AnnostatWarning, match="5 items"):
        compare_noise(rounds, cores="laplace", window=10, n_tests=0, ci="none")


def test_few_items_and_their_share_of_the_likelihood_are_said():
    tiny = Rounds.from_array(np.array([[10, 12]]))
    result = compare_noise(tiny, cores="laplace", abandonment="none", n_tests=0)
    assert next(c for c in result.checks if c.name == "sample_size").passed is False
    assert "1 item," in str(result)
    assert result.answer() == "1 item is too few to tell the floor."
    assert result.quote() == "Nothing: 1 item is too few for a floor."
    six = Rounds.from_array(np.array([[10, 12], [3, 3], [20, 21], [8, 8], [5, 9], [7, 7]]))
    few = compare_noise(six, cores="laplace", abandonment="none", n_tests=0)
    assert few.answer().startswith("6 items are too few to tell the floor: by the laws that fit")
    assert "6 items are too few for an interval" in few.quote()
    # One rule in text, table, figure and Python: a range, which is not known to cover.
    assert few.mae.interval == few.envelope.interval and "too few" in few.mae.note
    assert few.to_dict()["headline"]["mae"]["low"] == few.envelope.low
    assert plot_noise_law(few).get_title().endswith(f"{few.mae.range()} frames: too few items")
    assert not plot_windows(few).patches
    assert "range, not known to cover" in str(few) and "value   interval" not in str(few)
    assert f"by {few.mae.range()} frames on average; 6 items are" in few.cited().results
    d = np.array([0, 1, -1, 0, 1, 2, 0, 30] * 10)
    rounds = Rounds.from_array(np.column_stack([d, np.zeros(d.size)]))
    result = compare_noise(rounds, cores="laplace", abandonment="none", n_tests=0, ci="none")
    [check] = [c for c in result.checks if c.name == "likelihood_share"]
    law = result.best.difference_law(30)  # both signs together, except at 0
    each = -np.log(law[np.abs(d)] / np.where(d == 0, 1, 2))
    assert check.statistic == pytest.approx(each.max() / each.sum(), rel=1e-9)


def test_many_numbers_are_inverted_as_searchsorted_does():
    rng = np.random.default_rng(3)
    for half in (np.ones(1), np.ones(40), 0.5 ** np.arange(60), np.array([0.0, 0.3, 0.0, 0.7])):
        cumulative = np.cumsum(mirror(half))
        for n in (50, 200_000):
            at = rng.random((n, 1)) * cumulative[-1]
            at[:20, 0] = np.resize(np.append(cumulative[:-1], 0.0), 20)  # on an edge
            found = inverted(cumulative, at)
            assert np.array_equal(found, np.searchsorted(cumulative, at, side="right"))
