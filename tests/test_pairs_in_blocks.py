"""Differences of all pairs of labels a block at a time, against all of them at once."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from annostat import Rounds
from annostat.agreement.unequal import equally_noisy, unequal_raters
from annostat.agreement.variances import Variances
from annostat.arrays import order_of, sorted_within
from annostat.ceilings import differences
from annostat.labels import characteristic
from annostat.labels.checks import check_rounds
from annostat.labels.pairs import PairTable
from annostat.labels.ranks import ranks_within
from annostat.noise import pair_sizes
from annostat.noise.hull import log_likelihood


def labels(seed, n=200, k=4, gaps=0.0):
    g = np.random.default_rng(seed)
    z = g.normal(50, 9, (n, 1)) + g.normal(0, 1, (n, k))
    z[g.random((n, k)) < gaps] = np.nan
    return z, g.integers(0, max(n // 3, 1), n)


@pytest.mark.parametrize("block", [16, 300, 1 << 15])
@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("spread", [False, True])
def test_sizes_in_blocks_are_those_at_once(block, gaps, spread, monkeypatch):
    monkeypatch.setattr(pair_sizes, "BLOCK", block)
    z, units = labels(1, gaps=gaps)
    variances = np.array([1.0, 0.0, 4.0, 0.0])
    more = np.random.default_rng(2).uniform(0.5, 2, len(z)) if spread else np.ones(len(z))
    found, effect = pair_sizes.likelihood_of_pairs(z.T, variances, units, more if spread else None)
    sizes, places = [], []
    for a, b in combinations(range(4), 2):
        scale = np.sqrt((variances[a] + variances[b]) / 2)
        if scale > 0:  # two raters without noise say nothing
            d = np.abs(z[:, a] - z[:, b]) / scale / more
            sizes.append(d[np.isfinite(d)])
            places.append(units[np.isfinite(d)])
    d, of = np.concatenate(sizes), np.concatenate(places)
    assert found.n == d.size
    assert [found.mean, found.square] == pytest.approx([d.mean(), np.mean(d**2)], rel=1e-13)
    values, scales = log_likelihood(d, float(d.mean()))
    assert found.values == pytest.approx(values, abs=1e-5) and (found.scales == scales).all()
    off = d - d.mean()
    total = np.bincount(of, off)
    expected = max(float(total @ total / (off @ off)), np.isfinite(z).sum() / len(z) / 2)
    assert effect == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("chunk", [7, 1 << 16])
def test_sums_of_units_are_those_of_a_loop_over_differences(gaps, chunk, monkeypatch):
    monkeypatch.setattr(differences, "CHUNK", chunk)
    z, units = labels(3, gaps=gaps)
    rounds = Rounds.from_array(z, cluster=units).usable()
    found = differences.Differences.of(rounds, Variances.of(rounds), None)
    items = np.repeat(found.units, found.counts)
    assert found.n_units == len(set(rounds.cluster))
    for power in (1, 2):
        expected = np.bincount(items, found.sizes**power)
        ours = found._of_units(found.sizes, lambda sizes, power=power: sizes**power)
        assert ours == pytest.approx(expected, rel=1e-12)
    off = found.sizes - found.sizes.mean()
    total = np.bincount(items, off)
    assert found.design_effect == pytest.approx(max(total @ total / (off @ off), 2), rel=1e-10)
    square = found.sizes**2
    assert found.platykurtic == (np.mean(square**2) < 3 * np.mean(square) ** 2)


@pytest.mark.parametrize("gaps", [0.0, 0.4])
@pytest.mark.parametrize("clustered", [False, True])
def test_cosines_of_pairs_are_those_of_labels(gaps, clustered, monkeypatch):
    z, units = labels(4, gaps=gaps)
    table = PairTable.of(Rounds.from_array(z, cluster=units if clustered else None).usable())
    by_pairs = characteristic.cosine_moments(table, [0.1, 0.3], 24)
    monkeypatch.setattr(characteristic, "FEW_ROUNDS", 1)
    monkeypatch.setattr(characteristic, "CHUNK_ROWS", 17)  # clusters go on from part to part
    by_labels = characteristic.cosine_moments(table, [0.1, 0.3], 24)
    assert by_pairs.units == by_labels.units
    for name in ("y", "m", "yy", "ym", "mm"):
        ours, theirs = getattr(by_pairs, name), getattr(by_labels, name)
        assert ours == pytest.approx(theirs, rel=1e-10, abs=1e-8)


def test_cosines_that_are_alike_but_for_rounding_are_left_out():
    """All differences are multiples of 10⁶: at t = 3π/24, 6π/24, ... all cosines are 1."""
    g = np.random.default_rng(5)
    z = g.integers(0, 30, (300, 1)) + np.round(g.normal(0, 1.5, (300, 12)))
    found = {
        check_rounds(Rounds.from_array(1e6 * z[:, order]))[2].p_value
        for order in (np.arange(12), np.arange(12)[::-1], g.permutation(12))
    }
    assert len(found) == 1


def test_equal_noise_alone_is_that_of_the_floors():
    z, units = labels(6, gaps=0.1)
    for rounds in (Rounds.from_array(z), Rounds.from_array(z, cluster=units)):
        whole = unequal_raters(rounds).equal
        assert equally_noisy(rounds) == whole
        ordered = equally_noisy(rounds.by_value())
        assert ordered.statistic == pytest.approx(whole.statistic, rel=1e-10)


def test_rounds_without_identity_keep_the_order_of_their_items():
    z, units = labels(7)
    names = [f"item {i}" for i in np.random.default_rng(8).permutation(len(z))]
    rounds = Rounds.from_array(z, items=names, cluster=units)
    found = rounds.without_identity()
    assert found.exchangeable and not rounds.exchangeable
    assert (found.usable().items == rounds.usable().items).all()
    ordered = rounds.by_value()
    assert ordered.by_value() is ordered and ordered.items is None


@pytest.mark.parametrize("k", range(1, 9))
def test_columns_are_sorted_as_numpy_does(k):
    g = np.random.default_rng(k)
    z = g.integers(0, 4, (k, 60)).astype(float)
    z[g.random(z.shape) < 0.3] = np.nan
    before = z.copy()
    assert np.array_equal(sorted_within(z), np.sort(z, axis=0), equal_nan=True)
    assert np.array_equal(z, before, equal_nan=True)


def test_rows_in_order_and_rows_that_all_tie():
    g = np.random.default_rng(9)
    keys = g.integers(0, 3, (1200, 40)).astype(float)  # more keys than calls may be nested
    keys[:, 20:] = keys[:, :20]
    order = np.lexsort(keys)
    assert np.array_equal(order_of(*keys), order)
    assert np.array_equal(order_of(*keys[:, order]), np.arange(40))
    codes = g.integers(0, 9, 200)
    assert np.array_equal(order_of(codes), np.argsort(codes, kind="stable"))


def test_ranks_within_items_are_those_of_a_loop():
    g = np.random.default_rng(10)
    x = g.integers(0, 4, (5, 40)).astype(float)
    x[g.random(x.shape) < 0.3] = np.nan
    expected = np.zeros_like(x)
    for i in range(x.shape[1]):
        for j in range(5):
            expected[j, i] = np.nansum(np.sign(x[j, i] - x[:, i])) / 2
    assert np.array_equal(ranks_within(x), expected)
