"""The mean difference of every two rounds, tested against none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from annostat.arrays import FloatArray, IntArray
from annostat.labels.pairs import ROUNDING
from annostat.labels.ranks import sign_tests

CELLS = 1 << 20  # differences that are held at a time


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
    if codes is not None:  # rows of a cluster together, so that a block adds them up at once
        order = np.argsort(codes, kind="stable")
        values, weights, codes = values[order], weights[order], codes[order]
        begins: IntArray | None = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    else:
        begins = None
    size = max(1, CELLS // len(values))
    found = [
        _biases(values, weights, begins, first[i : i + size], second[i : i + size])
        for i in range(0, first.size, size)
    ]
    mean, p, units = (np.concatenate(part) for part in zip(*found, strict=True))
    kept = units >= 2
    return PairBiases(first[kept], second[kept], mean[kept], p[kept])


def _biases(
    values: FloatArray, weights: FloatArray, begins: IntArray | None, a: IntArray, b: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean difference, p-value and number of units of some pairs."""
    d = values[:, b] - values[:, a]
    seen = np.isfinite(d)
    d[~seen] = 0.0
    w = weights[:, None] * seen
    size = w.sum(axis=0)
    total = np.einsum("i,ij->j", weights, d)  # no BLAS, which would start threads
    mean = np.divide(total, size, out=np.zeros(size.size), where=size > 0)
    if begins is None:
        sums, counts = d, w
        residual = (d - mean) * seen
    else:
        sums = np.add.reduceat(weights[:, None] * d, begins, axis=0)
        within = np.add.reduceat(w, begins, axis=0)
        counts = (within > 0).astype(np.float64)
        residual = sums - mean * within
    units = counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(units / (units - 1) * (counts * residual**2).sum(axis=0)) / size
        p = sign_tests((counts * (sums > 0)).sum(axis=0), (counts * (sums < 0)).sum(axis=0))
        t = 2 * special.stdtr(units - 1, -np.abs(mean) / error)
        p = np.where(error > ROUNDING * np.abs(mean), np.minimum(p, t), p)
    return mean, np.minimum(1.0, 2 * p), units
