"""Straight lines by least squares, with robust standard errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat.arrays import FloatArray
from annostat.results.text import plain


@dataclass(frozen=True)
class Line:
    """A fitted line: intercept, slope, and the test that the slope vanishes."""

    intercept: float
    slope: float
    slope_error: float
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return the slope and its test as plain data."""
        return {
            "value": plain(self.slope),
            "standard_uncertainty": plain(self.slope_error),
            "p_value": plain(self.p_value),
        }

    def at(self, x: ArrayLike) -> FloatArray:
        """Return the line's height."""
        return np.asarray(self.intercept + self.slope * np.asarray(x, dtype=np.float64))


def fit_line(x: FloatArray, y: FloatArray, codes: NDArray[np.int64] | None = None) -> Line:
    """Return the least-squares line with an HC3 (or cluster-robust) test of its slope."""
    centre = float(x.mean())
    u = x - centre
    sxx = float(u @ u)
    if sxx <= 1e-24 * (1 + float(np.max(np.abs(x)))) ** 2:
        return Line(float(y.mean()), 0.0, math.nan, math.nan)
    slope = float(u @ y) / sxx
    level = float(y.mean())
    residual = y - level - slope * u
    leverage = 1 / len(x) + u**2 / sxx
    pull = u * residual / np.maximum(1 - leverage, 1e-12)
    units = len(x)
    if codes is not None:
        _, codes = np.unique(codes, return_inverse=True)
        pull = np.asarray(np.bincount(codes, weights=pull), dtype=np.float64)
        units = len(pull)
    error = math.sqrt(float(pull @ pull)) / sxx
    p = math.nan
    if error > 0 and units > 2:
        p = 2 * float(special.stdtr(units - 2, -abs(slope) / error))
    return Line(level - slope * centre, slope, error, p)
