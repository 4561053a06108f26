"""Many raters: what is computed for all pairs at once, against a loop over them."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from annostat import Rounds
from annostat.agreement import ONE_OF_THEM
from annostat.agreement.variances import Variances
from annostat.ceilings import bounds
from annostat.ceilings.differences import Differences, rater_variances
from annostat.errors import AnnostatError, positions_of
from annostat.labels.biases import pair_biases
from annostat.labels.checks import check_rounds
from annostat.labels.pairs import ROUNDING, ratio_of_sums, unit_sums
from annostat.labels.ranks import sign_test, sign_tests
from annostat.resampling.sums import Sums
from annostat.truth.comparison import _of_models, _studentised


def labels(n=60, k=7, seed=0, missing=0.2):
    g = np.random.default_rng(seed)
    noise = g.normal(g.normal(0, 1, k), g.uniform(0.5, 3, k), (n, k))
    z = g.normal(50, 10, (n, 1)) + noise
    z[g.random(z.shape) < missing] = np.nan
    return z


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("cells", [1 << 20, 100])
def test_biases_of_all_pairs_are_those_of_a_loop(clustered, cells, monkeypatch):
    monkeypatch.setattr("annostat.labels.biases.CELLS", cells)
    from scipy import special

    z = np.round(labels())
    z[:, 6] = np.nan  # shares nothing with anybody
    z[0, 6] = 50.0
    g = np.random.default_rng(1)
    w = g.integers(0, 3, len(z)).astype(float)
    codes = g.integers(0, 25, len(z)) if clustered else None
    found = pair_biases(z, w, codes)
    expected = []
    for a, b in combinations(range(7), 2):
        d = z[:, b] - z[:, a]
        seen = np.isfinite(d)
        mine = None if codes is None else codes[seen]
        if not w[seen].sum() > 0:
            continue
        mean, se, units = ratio_of_sums(d[seen], np.ones(seen.sum()), w[seen], mine)
        if units < 2:
            continue
        sums, counts = unit_sums(d[seen], w[seen], mine)
        p = sign_test(float(counts[sums > 0].sum()), float(counts[sums < 0].sum()))
        if se > ROUNDING * abs(mean):
            p = min(p, 2 * float(special.stdtr(units - 1, -abs(mean) / se)))
        expected.append((a, b, mean, min(1.0, 2 * p)))
    ours = np.column_stack([found.first, found.second, found.mean, found.p])
    assert ours == pytest.approx(np.array(expected), rel=1e-10, abs=1e-12)


def test_sign_tests_are_binomial():
    from scipy import stats

    above, below = np.array([0, 3, 8, 20, 0]), np.array([0, 9, 8, 4, 6])
    p = [
        1.0 if a + b == 0 else stats.binomtest(a, a + b).pvalue
        for a, b in zip(above, below, strict=True)
    ]
    assert sign_tests(above, below) == pytest.approx(p)


def test_limit_with_shared_difficulty_is_that_of_a_loop_over_raters():
    z = labels()
    rounds = Rounds.from_array(z).usable()
    seen = Differences.of(rounds, Variances.of(rounds), None)
    assert np.any(seen.bias) and len(set(seen.sigmas)) > 1
    halves = np.zeros(len(seen.sizes))
    for s, b in zip(seen.sigmas, seen.bias, strict=True):
        halves += np.maximum(seen.sizes * s / math.sqrt(2), abs(b)) / len(seen.sigmas)
    plain = seen._upper(seen._mean(halves), 0.95)
    assert seen.shared_limit(0.95) == pytest.approx(plain, rel=1e-12)


def test_rater_variances_are_least_squares_over_pairs():
    """The normal equations against the matrix of pairs × raters, a pair without items included."""
    g, k = np.random.default_rng(2), 6
    pairs = list(combinations(range(k), 2))
    counts = g.integers(1, 40, len(pairs))
    counts[3] = 0
    square = g.uniform(1, 5, len(pairs))
    design = np.zeros((len(pairs), k))
    for row, (a, b) in enumerate(pairs):
        design[row, [a, b]] = 1.0
    root = np.sqrt(counts)
    plain = np.linalg.lstsq(design * root[:, None], square * root, rcond=None)[0]
    low = 0.01 * np.average(square, weights=counts) / 2
    found = rater_variances(square * counts, counts, k)
    assert found == pytest.approx(np.maximum(plain, low), rel=1e-10)


def test_sums_by_cluster():
    g = np.random.default_rng(3)
    columns, codes = g.normal(size=(50, 3)), g.integers(0, 9, 50)
    total = np.zeros((codes.max() + 1, 3))
    np.add.at(total, codes, columns)
    assert (Sums.of(columns, codes).columns == total).all()


@pytest.mark.parametrize("clustered", [False, True])
def test_models_compared_by_their_own_sums_are_those_compared_by_pairs(clustered):
    """Products of the models' columns against five columns for each pair, on the same resamples."""
    g = np.random.default_rng(4)
    table = 1e3 + g.normal(0, 1, (90, 5)) ** 2
    there = g.random(90) > 0.2
    codes = np.sort(g.integers(0, 30, 90)) if clustered else None
    pairs = [
        np.where(there, table[:, a] - table[:, b], np.nan) for a, b in combinations(range(5), 2)
    ]
    plain = _studentised(pairs, codes, 50, 0, 1)
    ours = _of_models(np.where(there[:, None], table, 0.0), there, codes, 50, 0, 1)
    assert ours == pytest.approx(plain, rel=1e-7, abs=1e-9)


def test_columns_are_found_by_name():
    assert positions_of("round", ["b", "a"], ["a", "b", "a"]) == [1, 0]
    with pytest.raises(AnnostatError, match="round: there is no column 'c'"):
        positions_of("round", ["c"], ["a", "b"])
    with pytest.raises(AnnostatError, match="there is no column"):
        positions_of("round", [["a"]], ["a", "b"])


def test_the_headline_of_biased_raters_counts_the_bias():
    """Twelve readers: the answer said 3.78 where the row of one at random says 3.85."""
    g = np.random.default_rng(12)
    truth = g.normal(55, 9, 100)
    z = truth[:, None] + g.normal(g.normal(0, 1.5, 12), g.uniform(1, 6, 12), (100, 12))
    found = bounds(Rounds.from_array(z, unit="%"), n_resamples=200)
    kind = found.by_label.kind(ONE_OF_THEM)
    assert found.headline == kind and kind.rmse_floor.value > found.rmse_floor.value
    rmse, r = kind.rmse_floor, kind.correlation_ceiling
    assert found.answer().startswith(
        f"Against one of these raters at random, even a perfect model has an RMSE of "
        f"{rmse.short()} % and a correlation of {r.short()}:"
    )
    said = f"Floor of the RMSE {rmse.short()} % (95% {rmse.range()}); ceiling of r {r.short()} "
    assert found.quote().startswith(said) and found.quote().endswith("random, bias included.")
    assert rmse.range() in found.cited().results
    # Each fact has one line.
    failed = [c.name for c in found.checks if c.passed is False]
    assert failed.count("rater_bias") == 1 == failed.count("equal_noise")
    assert not {"bias", "equal_raters"} & {c.name for c in found.checks}
    assert found.against(3).headline is None
    alike = bounds(Rounds.from_array(truth[:, None] + g.normal(0, 3, (100, 12))), n_resamples=200)
    assert alike.headline is None and alike.answer().startswith("Against one annotation")


def test_the_bias_of_a_pair_names_the_pair():
    g = np.random.default_rng(1)
    z = g.normal(50, 9, (60, 1)) + g.normal([0.0, 0, 5], 1, (60, 3))
    rounds = Rounds.from_array(z, names=["a", "b", "c"])
    [check] = [c for c in check_rounds(rounds) if c.name == "bias"]
    assert "against each other, c above " in check.message and " on average (p" in check.message
    assert "subtract" not in check.message
