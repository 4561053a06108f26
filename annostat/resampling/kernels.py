"""The compiled loop of the bootstrap: how often each unit is drawn.

`annostat.resampling.draws.draw_multiplicities` gives the same numbers without numba, more slowly;
a plain twin is in ``tests/naive.py``.
"""

from __future__ import annotations

import numpy as np

from annostat.jit import njit
from annostat.resampling.draws import GOLDEN, HALF
from annostat.resampling.draws import mixed as mixed_plainly

mixed = njit()(mixed_plainly)


@njit()
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


@njit()
def draw_multiplicities(seed, start, out):
    """Write the resamples from `start` on into the rows of `out`, float64 (b, n)."""
    for r in range(out.shape[0]):
        draw(seed, start + r, out[r])
