"""Hotelling's test of a mean vector that may be zero, and of several means that may be equal."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from annostat.arrays import FloatArray

SINGULAR = 1e-10  # of the largest eigenvalue: below, a direction does not vary


def hotelling(vectors: FloatArray) -> tuple[float, float] | None:
    """Return T² and its p-value of "the mean vector is zero"; None where it cannot be told.

    T² = n m̄ᵀS⁻¹m̄, and T²(n − d)/(d(n − 1)) is F with d and n − d degrees of freedom
    (Hotelling 1931). Directions that do not vary are left out, unless the mean lies in them.

    Parameters
    ----------
    vectors : float64 array of shape (n, d)
        Independent vectors; rows with NaN are left out.
    """
    x = vectors[np.isfinite(vectors).all(axis=1)]
    n = len(x)
    if n < 2 or not x.shape[1]:
        return None
    return hotelling_of(n, x.mean(axis=0), np.atleast_2d(np.cov(x, rowvar=False)))


def hotelling_of(n: int, mean: FloatArray, covariance: FloatArray) -> tuple[float, float] | None:
    """Return `hotelling` of n vectors with this mean and covariance, of shapes (d,) and (d, d)."""
    if n <= len(mean) and bool(np.diagonal(covariance).any()):
        return None
    values, axes = np.linalg.eigh(covariance)
    along = axes.T @ mean
    top = float(values.max(initial=0.0))
    size = max(top, float(along @ along))
    kept = values > SINGULAR * top
    if bool((along[~kept] ** 2 > SINGULAR * max(size, 1e-300)).any()):
        return math.inf, 0.0  # it differs by a constant
    d = int(kept.sum())
    if d == 0 or n <= d:
        return None
    t2 = n * float((along[kept] ** 2 / values[kept]).sum())
    return t2, float(special.fdtrc(d, n - d, t2 * (n - d) / (d * (n - 1))))


def equal_means(columns: FloatArray) -> tuple[float, float] | None:
    """Return T² and its p-value of "all columns have the same mean"; None where untold.

    Parameters
    ----------
    columns : float64 array of shape (n, k)
        One row for each independent unit, one column for each reader.
    """
    return hotelling(columns[:, :-1] - columns[:, -1:])
