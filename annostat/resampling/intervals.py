"""Intervals by formula: t, log-t, and exponentials that may leave the range of float64."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from annostat.arrays import FloatArray
from annostat.results.estimates import Interval

LARGEST_LOG = 709.0  # exp of anything larger leaves float64
NORMAL_95 = 1.959963984540054  # 97.5% quantile of the normal law


def exp(x: float) -> float:
    """Return e^x, infinite beyond float64: limits on a log scale may lie anywhere."""
    return math.exp(x) if x < LARGEST_LOG else math.inf


def t_reach(df: float, level: float) -> float:
    """Return the factor of a standard error in a two-sided t interval; infinite df are normal."""
    tail = (1 + level) / 2
    return float(special.ndtri(tail) if math.isinf(df) else special.stdtrit(df, tail))


def quantiles(values: FloatArray, shares: ArrayLike) -> list[float]:
    """Return what `numpy.quantile` does of finite values, linear between them.

    Of the few thousand of a bootstrap in a tenth of its time.
    """
    return of_ordered(np.sort(values), shares)


def of_ordered(ordered: FloatArray, shares: ArrayLike) -> list[float]:
    """Return the quantiles of values in their order."""
    found = []
    for share in np.atleast_1d(shares).tolist():
        place = share * (ordered.size - 1)
        i = min(int(place), ordered.size - 2) if ordered.size > 1 else 0
        low, high = float(ordered[i]), float(ordered[min(i + 1, ordered.size - 1)])
        found.append(low + (place - i) * (high - low))
    return found


def noncentral_t(df: float, shift: float, limit: float) -> float:
    """Return P(T ≤ limit) of a noncentral t; far out, where SciPy's may be NaN, by a normal law."""
    found = float(special.nctdtr(df, shift, limit))
    if math.isnan(found):  # Abramowitz & Stegun 26.7.10
        wide = math.sqrt(1 + limit**2 / (2 * df))
        found = float(special.ndtr((limit * (1 - 1 / (4 * df)) - shift) / wide))
    return found


def wilson(share: float, n: float, level: float, method: str = "Wilson") -> Interval:
    """Return Wilson's interval of a share of n, which need not be a whole number."""
    z = t_reach(math.inf, level)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half), level, method)


def t_interval(value: float, error: float, df: float, level: float, method: str) -> Interval:
    """Return value ± t·error."""
    reach = t_reach(df, level) * error
    return Interval(value - reach, value + reach, level, method)


def log_t_limits(
    mean: ArrayLike, se: ArrayLike, df: int, level: float
) -> tuple[FloatArray, FloatArray]:
    """Return the limits of the t interval on the log scale; arrays give arrays."""
    m = np.asarray(mean, dtype=np.float64)
    reach = t_reach(df, level) * np.asarray(se, dtype=np.float64) / m
    with np.errstate(over="ignore"):
        return np.asarray(m * np.exp(-reach)), np.asarray(m * np.exp(reach))
