"""The compiled loop of the bootstrap: how often each unit is drawn.

Its plain twin is in ``tests/naive.py``.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

FLAGS: dict[str, Any] = {"cache": True, "nogil": True}
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
HALF = np.uint64(0xFFFFFFFF)


@nb.njit(**FLAGS)
def mixed(z):
    """Return the 64 random bits of a counter: SplitMix64 (Steele, Lea & Flood 2014)."""
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))


@nb.njit(**FLAGS)
def draw(seed, resample, row):
    """Write into `row`, float64 (n,), how often n draws out of n took each unit.

    A resample is always the same for one seed: its counters begin n·resample steps after the
    seed, far enough to be its own. Two draws come out of 64 bits, each by Lemire's
    multiplication (2019), whose rejection makes all units equally likely.
    """
    size = np.uint64(row.size)
    reject = (HALF + np.uint64(1)) % size
    row[:] = 0.0
    counter = seed + np.uint64(resample) * size * GOLDEN
    left = row.size
    while left > 0:
        counter += GOLDEN
        bits = mixed(counter)
        product = (bits >> np.uint64(32)) * size
        if product & HALF >= reject:
            row[product >> np.uint64(32)] += 1.0
            left -= 1
        product = (bits & HALF) * size
        if left > 0 and product & HALF >= reject:
            row[product >> np.uint64(32)] += 1.0
            left -= 1


@nb.njit(**FLAGS)
def draw_multiplicities(seed, start, out):
    """Write the resamples from `start` on into the rows of `out`, float64 (b, n)."""
    for r in range(out.shape[0]):
        draw(seed, start + r, out[r])


@nb.njit(**FLAGS, fastmath={"reassoc", "contract"})
def draw_sums(seed, start, columns, out):
    """Write the sums of `columns`, float64 (p, n), over the same resamples into `out`, (b, p)."""
    row = np.empty(columns.shape[1])
    for r in range(out.shape[0]):
        draw(seed, start + r, row)
        for j in range(columns.shape[0]):
            total = 0.0
            for i in range(row.size):
                total += row[i] * columns[j, i]
            out[r, j] = total
