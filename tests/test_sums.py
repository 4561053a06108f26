"""Sums and what they are made of: short ways say what the plain ones say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from annostat import AnnostatError, Rounds, score_models
from annostat.agreement.covariances import derivatives
from annostat.arrays import beside
from annostat.labels.characteristic import _factor_of
from annostat.labels.taking import all_aligned
from annostat.resampling import bootstraps, steps
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.intervals import quantiles
from annostat.resampling.sums import PIECE, Smooth, Sums, draw_together, gradient

G = np.random.default_rng(8)
FEW = st.sampled_from([-1.5, 0.0, 2.0, 3.25, np.nan])


def log_variance(t):
    mean = t[..., 1] / t[..., 0]
    return steps.log(t[..., 2] / t[..., 0] - mean * mean)


def columns_of(n, *more):
    x = G.normal(1, 2, n)
    return beside([np.ones(n), x, x * x, *more])


@given(st.integers(1, 40), st.floats(0, 1))
def test_quantiles_are_those_of_numpy(n, share):
    values = np.random.default_rng(n).normal(size=n)
    assert quantiles(values, share) == [pytest.approx(np.quantile(values, share), abs=1e-12)]
    both = quantiles(values, [share, 1 - share])
    np.testing.assert_allclose(both, np.quantile(values, [share, 1 - share]), atol=1e-12)


@pytest.mark.parametrize(
    ("own", "plain", "x"),
    [
        (steps.log, np.log, [0.1, 1.0, 7.0]),
        (steps.sqrt, np.sqrt, [0.1, 1.0, 7.0]),
        (steps.artanh, np.arctanh, [-0.9, 0.0, 0.5]),
    ],
)
def test_a_step_is_that_of_the_complex_function(own, plain, x):
    z = np.array(x) + 1e-30j
    np.testing.assert_array_equal(own(z).real, plain(np.array(x)))
    np.testing.assert_allclose(own(z).imag, plain(z).imag, rtol=1e-14)
    np.testing.assert_array_equal(own(np.array(x)), plain(np.array(x)))


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(2, 3)), elements=FEW))
def test_the_order_by_value_hangs_on_the_values_alone(rows):
    other = np.random.default_rng(len(rows)).permutation(len(rows))
    one, two = (Rounds.from_array(v).by_value() for v in (rows, rows[other]))
    np.testing.assert_array_equal(one.values, two.values)


def test_multiplicities_that_are_kept_are_the_same(monkeypatch):
    columns = columns_of(60)
    kept = bootstraps.bootstrap_sums(columns, n_resamples=300, rng=4)
    monkeypatch.setattr(bootstraps, "KEPT_CELLS", 0)
    drawn = bootstraps.bootstrap_sums(columns, n_resamples=300, rng=4)
    np.testing.assert_array_equal(kept, drawn)


def test_errors_of_resamples_are_plain_delta_errors():
    """A column that is the same for all units, the first, adds nothing to them."""
    sums = Sums.of(columns_of(30, G.normal(size=30)))

    def g(t):
        return log_variance(t) + t[..., 3] / t[..., 0]

    values, errors = sums.replicates(g, n_resamples=50, rng=1)
    w = bootstraps.bootstrap(lambda w: w, 30, n_resamples=50, rng=1)
    for b in range(50):
        drawn = Sums.of(np.repeat(sums.columns, w[b].astype(int), axis=0))
        assert values[b] == pytest.approx(drawn.value(g), rel=1e-10)
        assert errors[b] == pytest.approx(drawn.standard_error(g), rel=1e-8)


def test_sums_that_are_drawn_together_are_those_drawn_alone():
    columns = columns_of(40), columns_of(40, G.normal(size=40)), columns_of(25)
    together = [Sums.of(c) for c in columns]
    draw_together(together, n_resamples=200, rng=3)
    for c, s in zip(columns, together, strict=True):
        alone = Sums.of(c).replicates(log_variance, n_resamples=200, rng=3)
        found = s.replicates(log_variance, n_resamples=200, rng=3)
        np.testing.assert_allclose(found, alone, rtol=1e-10)


def test_values_without_a_unit_are_the_same_in_pieces():
    n = 2 * PIECE + 7
    sums = Sums.of(columns_of(n))
    whole = log_variance(sums.totals - sums.columns)
    np.testing.assert_array_equal(sums.jackknife(log_variance), whole)


def test_gradients_of_some_columns_are_those_of_all():
    totals = np.column_stack([G.uniform(5, 9, 20), G.normal(size=20), G.uniform(50, 90, 20)])
    whole = gradient(log_variance, totals)
    np.testing.assert_array_equal(
        gradient(log_variance, totals, np.array([2, 0])), whole[:, [2, 0]]
    )
    np.testing.assert_allclose([gradient(log_variance, t) for t in totals], whole, rtol=1e-13)


@pytest.mark.parametrize("cluster", [None, np.arange(60) // 2])
def test_slopes_that_are_written_down_are_complex_steps(monkeypatch, cluster):
    met = set()

    def compared(g, totals, columns=None):
        found = gradient(g, totals, columns)
        if isinstance(g, Smooth):
            plain = gradient(lambda t: g.of(t), totals, columns)
            np.testing.assert_allclose(found, plain, rtol=1e-9, atol=1e-12 * np.abs(plain).max())
            met.add((totals.ndim, totals.shape[-1]))
        return found

    monkeypatch.setattr("annostat.resampling.sums.gradient", compared)
    truth = G.normal(0, 3, 60)
    labels = truth[:, None] + G.normal(0, 1, (60, 3))
    labels[:9, 0] = np.nan
    rounds = Rounds.from_array(labels, names=["A", "B", "C"], cluster=cluster)
    score_models(rounds, {"m": 2 * truth + G.normal(0, 1, 60)}, kind="values", n_resamples=99)
    # Of means, of squares, of correlations and of variances; of resamples and of the data.
    assert met >= {(1, 2), (1, 4), (2, 4), (1, 6), (2, 6), (1, 9), (2, 9)}


def test_derivatives_by_covariances_are_differences():
    k = 15  # more derivatives than are taken together
    weight, at = G.normal(size=(k, k)), G.normal(size=k)
    s = np.cov(G.normal(size=(k, 40)))

    def g(mean, s):
        return np.sum(weight * s, axis=(-2, -1)) * mean[..., 0] + mean[..., 1] ** 2

    slope, curve = derivatives(g, at, s)
    wanted = np.zeros(k)
    wanted[:2] = np.sum(weight * s), 2 * at[1]
    np.testing.assert_allclose(slope, wanted, atol=1e-12)
    np.testing.assert_allclose(curve, (weight + weight.T) / 2 * at[0], rtol=1e-12)


@given(st.lists(st.integers(-3, 5), min_size=1, max_size=20))
def test_codes_of_numbers_are_those_of_their_names(numbers):
    for labels in (numbers, sorted(numbers)):
        names = np.array([str(v) for v in labels], dtype=object)
        assert cluster_codes(np.array(labels)).tolist() == cluster_codes(names).tolist()


def test_columns_of_one_table_are_put_in_order_together():
    pd = pytest.importorskip("pandas")
    rounds = Rounds.from_array(np.ones((3, 2)), items=["c", "a", "b"])
    table = pd.DataFrame({"m": [1.0, 2, 3], "k": [4.0, 5, 6]}, index=["a", "b", "c"])
    plain = pd.Series([7.0, 8, 9])
    found = all_aligned({"m": table["m"], "k": table["k"], "p": plain, "l": [1, 2, 3]}, rounds)
    assert [list(v) for v in found.values()] == [[3, 1, 2], [6, 4, 5], [7, 8, 9], [1, 2, 3]]
    with pytest.raises(AnnostatError, match="predictions of 'k' have an index"):
        all_aligned({"m": table["m"], "k": table["k"].rename({"a": "z"})}, rounds)


@pytest.mark.parametrize("rank", [1, 5, 48])
def test_a_factor_of_correlations_has_their_products(rank):
    x = G.normal(size=(48, rank)) + 1e-7 * G.normal(size=(48, rank))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    factor = _factor_of(x @ x.T)
    assert factor.shape[1] <= 48
    np.testing.assert_allclose(factor @ factor.T, x @ x.T, atol=1e-8)


@pytest.mark.parametrize("shapes", [((1, 30_000), (30_000, 1)), ((1, 30_000), (30_000, 4))])
def test_products_in_pieces_are_the_products(shapes):
    a, b = (G.normal(size=shape) for shape in shapes)
    np.testing.assert_allclose(bootstraps.serial_product(a, b), a @ b, rtol=1e-10)
