"""What the differences of all pairs of labels say of their laws, without an array of them all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, dot
from annostat.noise.hull import CELLS, Likelihood, lattice, of_lattice

BLOCK = 1 << 15  # differences that are made together: they stay in the cache


def likelihood_of_pairs(
    columns: FloatArray,
    variances: FloatArray,
    units: NDArray[np.int64],
    spread: FloatArray | None = None,
) -> tuple[Likelihood, float]:
    """Return the likelihood of |d| in units of the noise, and its design effect.

    That is the variance of mean |d| over units, over that of independent differences: at least k/2,
    k being the labels of an item, which makes its k(k − 1)/2 pairs count as the k − 1 differences
    that they are made of.

    The sizes are made a block at a time, and made again when they are asked for again: that takes
    less than to write all of them and to read them.

    Parameters
    ----------
    columns : float64 array of shape (k, n)
        Labels of each rater, less biases; NaN where missing.
    variances : float64 array of shape (k,)
        Noise variance of each rater; where two of them are 0 their differences are left out.
    units : int64 array of shape (n,)
    spread : float64 array of shape (n,), optional
        What the differences of an item are divided by too.
    """
    k, n = columns.shape
    few = k * (k - 1) // 2 * n <= BLOCK  # and then in their order: that of items moves no digit
    count, total = np.zeros((2, n))
    number, whole, square = 0, 0.0, 0.0
    for part, d in _blocks(columns, variances, spread):
        there = np.isfinite(d)
        count[part] += there.sum(axis=0)
        total[part] += np.where(there, d, 0.0).sum(axis=0)
        sizes = _sizes(d, there, few)
        number += sizes.size
        whole += float(sizes.sum())
        square += dot(sizes, sizes)
    if not whole > 0:
        return Likelihood(number), 1.0
    mean, independent = whole / number, 0.0
    counts = np.zeros(2 * CELLS + 1)
    for _, d in _blocks(columns, variances, spread):
        sizes = _sizes(d, np.isfinite(d), few)
        counts += lattice(sizes, mean)
        sizes -= mean
        independent += dot(sizes, sizes)
    of_units = np.bincount(units, total - mean * count)
    labels = float(np.count_nonzero(np.isfinite(columns))) / n
    effect = dot(of_units, of_units) / independent if independent > 0 else 1.0
    found = Likelihood(number, mean, square / number, *of_lattice(counts, number))
    return found, max(effect, labels / 2)


def _blocks(
    columns: FloatArray, variances: FloatArray, spread: FloatArray | None
) -> Iterator[tuple[slice, FloatArray]]:
    """Return items, and the sizes of some of their pairs, a pair in each row."""
    one, other = np.triu_indices(len(columns), 1)
    scales = np.sqrt((variances[one] + variances[other]) / 2)
    one, other, scales = (part[scales > 0] for part in (one, other, scales))
    items = min(columns.shape[1], BLOCK)
    pairs = BLOCK // items
    for begin in range(0, columns.shape[1], items):
        part = slice(begin, begin + items)
        for i in range(0, len(one), pairs):
            d = columns[one[i : i + pairs], part]
            d -= columns[other[i : i + pairs], part]
            np.abs(d, out=d)
            d /= scales[i : i + pairs, None]
            if spread is not None:
                d /= spread[part]
            yield part, d


def _sizes(d: FloatArray, there: NDArray[np.bool_], ordered: bool) -> FloatArray:
    """Return the sizes that are there, in place where that is all of them."""
    found = d.ravel() if there.all() else d[there]
    if ordered:
        found.sort()
    return found
