r"""The upper limit of a model's error where large errors are rare: products are skewed.

E(f − Y)² is the mean of products, (f − z̄)² less the noise of z̄. A sample that lacks the large ones
has too small a mean and too small a standard error at once, so that the t limit is below the truth
in 6 to 19% of samples of 10 to 50 items in place of 5%. What is skewed are two mean squares, and
the relative error of a mean square hardly depends on its size: each has a limit by χ² with 2/v
degrees of freedom, v being its squared relative error, and the two are put together by the method
of variance estimates recovery (Zou & Donner 2008), with the correlation of the squares:

    U = A − B + √(u² + l² − 2r·u·l),  u = A(ν_A/χ²(1 − level) − 1),  l = B(1 − ν_B/χ²(level))

χ²(p)/ν is (1 − c + z_p√c)³, c = 2/(9ν) (Wilson & Hilferty 1931): quick, and for few degrees of
freedom a little wide.

Few items do not show how heavy the tails are: v is shrunken to that of errors between Gaussian and
exponential ones (relative variance of a square 3) with a weight of ten items.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat.arrays import FloatArray, beside, dot
from annostat.results.estimates import Estimate, Interval
from annostat.truth.means import unit_sums

SPREAD, WEIGHT = 3.0, 10.0  # relative variance of a square, and the items that it counts for
LEAST = 0.01  # cube root of χ²/ν, at levels so high that the formula has none
FEW = 30  # units below which t's upper end is too near, whatever the tails


def upper_limit(
    products: FloatArray,
    noise: FloatArray,
    labels: FloatArray,
    cluster: NDArray[np.int64] | None = None,
    *,
    squares: int = 1,
    level: float = 0.95,
) -> float:
    """Return the one-sided upper limit of the mean of products.

    Parameters
    ----------
    products, noise, labels : float64 arrays of shape (n_items,)
        What each item says about E(f − Y)², what was taken off its square for noise (both in the
        square of the labels' unit), and the number of labels behind it (2 or more); items where any
        is NaN are left out.
    cluster : int64 array of shape (n_items,), optional
        Codes of clusters.
    squares : int
        Independent squares in each item's product: the coordinates of a point.
    level : float
        Confidence level, one-sided.

    Returns
    -------
    float
        NaN below two units.

    Examples
    --------
    >>> import numpy as np
    >>> square, noise = np.array([4.0, 1, 0, 2, 9]), np.array([1.0, 0, 2, 1, 1])
    >>> round(upper_limit(square - noise, noise, np.full(5, 2.0)), 1)
    16.8
    """
    return limit_by_level(products, noise, labels, cluster, squares=squares)(level)


def limit_by_level(
    products: FloatArray,
    noise: FloatArray,
    labels: FloatArray,
    cluster: NDArray[np.int64] | None = None,
    *,
    squares: int = 1,
) -> Callable[[float], float]:
    """Return `upper_limit` as a function of its level, whose moments are worked out once."""
    columns = [np.ones(len(products)), products + noise, noise, labels]
    sums = unit_sums(beside(columns), cluster)
    n = sums.n_units
    if n < 2:
        return lambda level: math.nan
    items, *totals = sums.totals
    a, b, k = np.array(totals) / items
    squared, noises = sums.columns[:, 1:3].T - np.outer([a, b], sums.columns[:, 0])
    per_unit = items / n
    pairs = ((squared, squared), (noises, noises), (squared, noises))
    spread = [dot(x, y) / (n - 1) / per_unit**2 for x, y in pairs]
    moments = np.array([a, b, *spread])
    items = per_unit * squares

    def limit(level: float) -> float:
        return float(upper(moments, n, k, items=items, clustered=sums.clustered, level=level))

    return limit


def reaching(square: Estimate, limit: Callable[[float], float], n: int, level: float) -> Estimate:
    """Return a mean of products whose interval reaches to the limit for skewed products.

    Its upper end is no nearer than the one-sided limit at the same level, which stands beside it;
    below 30 units, no nearer than that at half of what is left, as a two-sided interval has it.

    Parameters
    ----------
    square : Estimate
    limit : callable
        `limit_by_level`.
    n : int
        Units.
    level : float
    """
    i = square.interval
    if i is None:
        return square
    high = limit(0.5 + level / 2 if n < FEW else level)
    if not high > i.high:
        return square
    method = f"{i.method}, its upper end for skewed products"
    return replace(square, interval=Interval(i.low, float(high), i.level, method))


def upper(
    moments: FloatArray,
    n: ArrayLike,
    n_labels: float,
    *,
    items: float = 1.0,
    clustered: bool = False,
    level: float = 0.95,
) -> FloatArray:
    """Return the upper limit of A − B from moments; arrays give arrays.

    Parameters
    ----------
    moments : float64 array of shape (5, ...)
        A and B, the means of squares and of the noise in them; the variances of both in one unit,
        and their covariance.
    n : array-like
        Units, 2 or more.
    n_labels : float
    items : float
        Squares in a unit.
    clustered : bool
        Whether units are clusters: what their items have in common is no tail, and is not shrunken
        away.
    level : float
    """
    a, b, aa, bb, ab = moments
    n = np.asarray(n, dtype=np.float64)
    prior = (SPREAD, 2 / (n_labels - 1) + (SPREAD - 2) * 2 / n_labels)
    reach = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for mean, spread, usual, tail in ((a, aa, prior[0], level), (b, bb, prior[1], 1 - level)):
            seen = spread / mean**2
            v = (n * seen + WEIGHT * usual / items) / (n + WEIGHT)
            c = (np.maximum(v, seen) if clustered else v) / (9 * n)
            limit = np.maximum(1 - c + special.ndtri(1 - tail) * np.sqrt(c), LEAST) ** -3
            reach.append(np.where(mean > 0, mean * np.abs(limit - 1), 0.0))
        alike = ab / np.sqrt(aa * bb)
    up, down = reach
    r = np.where(np.isfinite(alike), np.clip(alike, -1, 1), 0.0)
    return np.asarray(a - b + np.sqrt(np.maximum(up**2 + down**2 - 2 * r * up * down, 0)))
