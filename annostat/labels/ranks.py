"""Rank tests on weighted rows that may share clusters."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from annostat.arrays import FloatArray, IntArray, dot
from annostat.labels.pairs import counted_by, unit_sums

RANK_MIN_UNITS = 5


def midranks(x: FloatArray, w: FloatArray) -> FloatArray:
    """Return mid-ranks 1..Σw, rows counted as often as their weight says."""
    _, inverse = np.unique(x, return_inverse=True)
    counts = counted_by(inverse, w)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse])


def ranks_within(x: FloatArray) -> FloatArray:
    """Return mid-ranks within each column minus their mean, 0 where missing."""
    ranks = np.zeros_like(x)
    for j in range(len(x) - 1):  # a rank is half of those below less half of those above
        above = np.sign(x[j + 1 :] - x[j])
        above[np.isnan(above)] = 0.0
        ranks[j + 1 :] += above
        ranks[j] -= above.sum(axis=0)
    return np.asarray(ranks / 2)


def association(
    x: FloatArray, y: FloatArray, w: FloatArray, codes: IntArray | None
) -> tuple[float, float] | None:
    """Return the correlation and the p-value of the studentised test that it is zero."""
    if x.size == 0:
        return None
    x = x - dot(w, x) / float(w.sum())
    y = y - dot(w, y) / float(w.sum())
    product = x * y
    sxx, syy = dot(w, x**2), dot(w, y**2)
    sums, counts = unit_sums(product, w, codes)
    units, variance = int(counts.sum()), dot(counts, sums**2)
    if units < RANK_MIN_UNITS or sxx * syy <= 0 or variance <= 0:
        return None
    total = dot(w, product)
    p = 2 * float(special.stdtr(units - 1, -abs(total) / math.sqrt(variance)))
    return total / math.sqrt(sxx * syy), p


def sign_test(above: float, below: float) -> float:
    """Return the two-sided exact p-value for equal chances; 1 if there is nothing to count."""
    return float(sign_tests(np.array(above), np.array(below)))


def sign_tests(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return the p-value of `sign_test` for arrays of counts."""
    low, n = np.minimum(above, below), above + below
    p = 2 * special.betainc(np.maximum(n - low, 0.5), low + 1, 0.5)
    return np.asarray(np.where(n > 0, np.minimum(p, 1.0), 1.0))
