"""Intervals by formula, and what carries them to other scales."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from annostat.arrays import FloatArray
from annostat.results.estimates import Interval

LARGEST_LOG = 709.0  # of float64, whole


def exp(x: float) -> float:
    """Return e^x, infinite beyond float64: limits on a log scale may lie anywhere."""
    return math.exp(x) if x < LARGEST_LOG else math.inf


def mapped(interval: Interval | None, back: Callable[[float], float]) -> Interval | None:
    """Return an interval on another scale; `back` must increase."""
    if interval is None:
        return None
    return Interval(back(interval.low), back(interval.high), interval.level, interval.method)


def log_t_limits(
    mean: ArrayLike, se: ArrayLike, df: int, level: float
) -> tuple[FloatArray, FloatArray]:
    """Return the limits of the t interval on the log scale; arrays give arrays."""
    m = np.asarray(mean, dtype=np.float64)
    reach = special.stdtrit(df, (1 + level) / 2) * np.asarray(se, dtype=np.float64) / m
    with np.errstate(over="ignore"):
        return np.asarray(m * np.exp(-reach)), np.asarray(m * np.exp(reach))
