"""Straight lines by least squares, with robust standard errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat.arrays import FloatArray, dot
from annostat.resampling.clusters import renumbered
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
    r"""Return the least-squares line with a robust test of its slope.

    HC2 (whole clusters summed) with the degrees of freedom of Bell & McCaffrey (2002; Imbens &
    Kolesár 2016): those at which the variance of the estimated variance is that of χ² for errors of
    one size. A few large x carry the slope and its error alike, and n − 2 would promise too many.

    With v = (x − x̄)/√Σ(x − x̄)², aᵢ = vᵢ/√(1 − hᵢ) and M = A(I − H)Aᵀ, A having a row for each
    cluster: tr(M)²/tr(M²), from sums over clusters.

    Parameters
    ----------
    x, y : float64 arrays of shape (n,)
    codes : int64 array of shape (n,), optional
        Codes of clusters.

    Returns
    -------
    Line
        The p-value is NaN where all x are equal, the line goes through all points, or for two units
        or fewer.
    """
    centre = float(x.mean())
    u = x - centre
    sxx = dot(u, u)
    if sxx <= 1e-24 * (1 + float(np.max(np.abs(x)))) ** 2:
        return Line(float(y.mean()), 0.0, math.nan, math.nan)
    slope = dot(u, y) / sxx
    level = float(y.mean())
    residual = y - level - slope * u
    v = u / math.sqrt(sxx)
    a = v / np.sqrt(np.maximum(1 - 1 / len(x) - v**2, 1e-12))
    unit = np.arange(len(x)) if codes is None else renumbered(codes)
    error = math.sqrt(float(np.sum(_summed(a * residual, unit) ** 2)) / sxx)
    sums = np.stack([_summed(part, unit) for part in (a**2, a, a * v)])
    p = math.nan
    if error > 0 and sums.shape[1] > 2:
        p = 2 * float(special.stdtr(_freedom(sums, len(x)), -abs(slope) / error))
    return Line(level - slope * centre, slope, error, p)


def _summed(part: FloatArray, unit: NDArray[np.int64]) -> FloatArray:
    return np.bincount(unit, part).astype(np.float64)


def _freedom(sums: FloatArray, n: int) -> float:
    """Return tr(M)²/tr(M²) from q, s and t, sums of a², a and a·v over each cluster.

    M has q − s²/n − t² on its diagonal, and −(s·s′/n + t·t′) elsewhere.
    """
    q, s, t = sums
    off = s**2 / n + t**2
    square = float(np.sum(q**2 - 2 * q * off))
    square += dot(s, s) ** 2 / n**2 + 2 * dot(s, t) ** 2 / n + dot(t, t) ** 2
    return float(np.sum(q - off)) ** 2 / square if square > 0 else math.nan
