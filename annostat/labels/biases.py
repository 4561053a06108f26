"""The mean difference of every two rounds, tested against none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from annostat.arrays import FloatArray, IntArray
from annostat.labels.pairs import ROUNDING
from annostat.labels.ranks import sign_tests

CELLS = 1 << 16  # differences that are held at a time


@dataclass(frozen=True, eq=False)
class PairBiases:
    """Of each two rounds that share two units: rounds, mean difference, and p-value.

    The p-value is the smaller of a robust t test and a sign test, doubled; at most 1.
    """

    first: IntArray
    second: IntArray
    mean: FloatArray
    p: FloatArray


def pair_biases(values: FloatArray, weights: FloatArray, codes: IntArray | None) -> PairBiases:
    """Test the mean difference of each two columns, a block of pairs at a time.

    Parameters
    ----------
    values : float64 (n_items, n_rounds)
        NaN for missing.
    weights : float64 (n_items,)
        How often each row counts.
    codes : int64 (n_items,) or None
        Cluster of each row, which is a unit as a whole.
    """
    first, second = np.triu_indices(values.shape[1], 1)
    columns, n = np.ascontiguousarray(values.T), len(values)
    size = min(max(1, CELLS // n), first.size)
    places: IntArray | None = None
    if codes is not None:  # where a block's sums of clusters stand, one pair after the other
        places = np.arange(size)[:, None] * (int(codes.max()) + 1) + codes
    found = [
        _biases(columns, weights, places, first[i : i + size], second[i : i + size])
        for i in range(0, first.size, size)
    ]
    mean, p, units = (np.concatenate(part) for part in zip(*found, strict=True))
    kept = units >= 2
    return PairBiases(first[kept], second[kept], mean[kept], p[kept])


def _biases(
    columns: FloatArray, weights: FloatArray, places: IntArray | None, a: IntArray, b: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean difference, p-value and number of units of some pairs."""
    d = columns[b]
    d -= columns[a]
    seen = np.isfinite(d)
    d[~seen] = 0.0
    w = weights * seen
    size = w.sum(axis=1)
    total = np.einsum("ij,j->i", d, weights)  # no BLAS, which would start threads
    mean = np.divide(total, size, out=np.zeros(size.size), where=size > 0)
    if places is None:
        sums, counts = d, w
        residual = (d - mean[:, None]) * seen
    else:
        sums, within = (_summed(part, places[: len(d)]) for part in (weights * d, w))
        counts = (within > 0).astype(np.float64)
        residual = sums - mean[:, None] * within
    units = counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(units / (units - 1) * (counts * residual**2).sum(axis=1)) / size
        p = sign_tests((counts * (sums > 0)).sum(axis=1), (counts * (sums < 0)).sum(axis=1))
        t = 2 * special.stdtr(units - 1, -np.abs(mean) / error)
        p = np.where(error > ROUNDING * np.abs(mean), np.minimum(p, t), p)
    return mean, np.minimum(1.0, 2 * p), units


def _summed(rows: FloatArray, places: IntArray) -> FloatArray:
    """Return the sum of each row by cluster."""
    found = np.bincount(places.ravel(), rows.ravel())
    return np.asarray(found.reshape(len(rows), -1), dtype=np.float64)
