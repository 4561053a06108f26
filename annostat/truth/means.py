"""Means over items and ratios of them, with intervals that are formed before they are clipped."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray, beside, dot
from annostat.resampling.clusters import renumbered
from annostat.resampling.intervals import t_interval, t_reach
from annostat.resampling.sums import Smooth, Sums, error_of_pulls
from annostat.results.estimates import Estimate, Interval

SAME = 1e-14  # of the largest number: an error below is rounding


def mean_estimate(
    products: FloatArray,
    cluster: NDArray[np.int64] | None = None,
    *,
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    """Return the mean over items with a t interval over units; NaN items are left out."""
    sums = unit_sums(beside([np.ones(len(products)), products]), cluster)
    if sums.n_units == 0:
        return Estimate(math.nan, None, None, unit, "undefined: no item has all the labels needed")
    items, total = sums.totals.tolist()
    value = total / items
    if sums.n_units < 2:
        return Estimate(value, None, None, unit, f"no interval: it takes two {sums.units} or more")
    count, own = sums.columns.T
    error = error_of_pulls((own - value * count) / items)
    if error <= SAME * float(np.abs(sums.columns).max()):
        return Estimate(value, 0.0, None, unit, "no interval: all items say the same")
    interval = t_interval(value, error, sums.n_units - 1, level, f"t over {sums.units}")
    return Estimate(value, error, interval, unit)


def unit_sums(columns: FloatArray, cluster: NDArray[np.int64] | None = None) -> Sums:
    """Return the sums over the items whose columns are all there, by cluster."""
    finite = np.isfinite(columns)
    if cluster is None and finite.all():
        return Sums.of(columns)
    there = finite.all(axis=1)
    if cluster is None:
        return Sums.of(columns[there])
    if not there.any():
        return Sums(np.zeros((0, columns.shape[1])), True)
    return Sums.of(columns[there], renumbered(cluster[there]))


def _ratio(t: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(t[..., 1] / t[..., 0])


# The second sum over the first.
ratio = Smooth(_ratio, lambda t: {0: -_ratio(t) / t[..., 0], 1: 1 / t[..., 0]})


def fieller(sums: Sums, *, level: float = 0.95) -> tuple[Estimate, float | None]:
    """Return the ratio of the first sum to the second, and the two-sided p-value of 0.

    Fieller (1954): all a at which Σ(x − a·y) passes a t test over units. It covers under heavy
    tails too, where the delta method of the ratio does not. Unbounded where Σy may be 0.
    """
    x, y = sums.totals
    n = sums.n_units
    if n < 2 or not y > 0:
        return Estimate(math.nan, note="undefined: the other rounds do not tell its noise"), None
    one, other = (sums.columns - sums.totals / n).T
    xx, xy, yy = (n / (n - 1) * dot(a, b) for a, b in ((one, one), (one, other), (other, other)))
    value, error = x / y, math.sqrt(max(xx - 2 * x / y * xy + (x / y) ** 2 * yy, 0.0)) / y
    if error <= 1e-14:
        return Estimate(value, 0.0, None, note="no interval: all items say the same"), None
    q2 = t_reach(n - 1, level) ** 2
    a, b, c = y * y - q2 * yy, x * y - q2 * xy, x * x - q2 * xx
    if a > 0:
        reach = math.sqrt(max(b * b - a * c, 0.0))
        interval = Interval((b - reach) / a, (b + reach) / a, level, f"Fieller over {sums.units}")
    else:
        interval = Interval(-math.inf, math.inf, level, f"Fieller over {sums.units}, unbounded")
    p = 2 * float(special.stdtr(n - 1, -abs(x) / math.sqrt(xx))) if xx > 0 else None
    return Estimate(value, error, interval), p


def root(square: Estimate, unit: str) -> Estimate:
    """Return the root of an estimated square whose interval was formed before it is clipped."""
    interval = square.interval
    if interval is not None and interval.high < 0:
        note = "undefined: the whole interval of its square is negative"
        return Estimate(math.nan, None, None, unit, note)
    value = math.sqrt(max(square.value, 0.0)) if square.value == square.value else math.nan
    note = square.note
    if square.value < 0 and "negative" not in note:
        note = "the estimate of its square is negative"
    error = square.standard_uncertainty
    if interval is not None:
        low, high = (math.sqrt(max(v, 0.0)) for v in (interval.low, interval.high))
        method = interval.method.replace("t over", "root of a t interval over", 1)
        interval = Interval(low, high, interval.level, method)
    # The delta method for the root says nothing near 0.
    spread = error / (2 * value) if error is not None and value**2 > error else None
    return Estimate(value, spread, interval, unit, note)
