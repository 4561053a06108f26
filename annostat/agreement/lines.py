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

ROUNDING = 1e-14  # of the largest x, as the line has it in y: residuals below are rounding


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
    return Design.of(x, codes).fit(y)


@dataclass(frozen=True, eq=False)
class Design:
    """What lines of several y on the same x share.

    Attributes
    ----------
    centre, sxx : float
        Mean of x, and the sum of squares about it; 0 where all x are equal.
    u, a : float64 arrays of shape (n,)
        x less its mean, and aᵢ of `fit_line`.
    unit : int64 array of shape (n,) or None
        Clusters.
    freedom : float
        NaN for two units or fewer.
    """

    centre: float
    sxx: float
    u: FloatArray
    a: FloatArray
    unit: NDArray[np.int64] | None
    freedom: float

    @classmethod
    def of(cls, x: FloatArray, codes: NDArray[np.int64] | None = None) -> Design:
        """Return the design of the line on x."""
        n, centre = len(x), float(x.mean())
        u = x - centre
        sxx = dot(u, u)
        if sxx <= 1e-24 * float(np.max(np.abs(x))) ** 2:
            return cls(centre, 0.0, u, u, None, math.nan)
        v = u / math.sqrt(sxx)
        a = v / np.sqrt(np.maximum(1 - 1 / n - v**2, 1e-12))
        unit = None if codes is None else renumbered(codes)
        sums = np.stack([_summed(part, unit) for part in (a**2, a, a * v)])
        return cls(centre, sxx, u, a, unit, _freedom(sums, n) if sums.shape[1] > 2 else math.nan)

    def fit(self, y: FloatArray) -> Line:
        """Return `fit_line` of these x and y."""
        level = float(y.mean())
        if self.sxx == 0:
            return Line(level, 0.0, math.nan, math.nan)
        slope = dot(self.u, y) / self.sxx
        residual = y - level - slope * self.u
        error = math.sqrt(float(np.sum(_summed(self.a * residual, self.unit) ** 2)) / self.sxx)
        largest = abs(self.centre) + float(np.max(np.abs(self.u)))
        if error * math.sqrt(self.sxx) <= ROUNDING * largest * abs(slope):
            error = 0.0
        p = math.nan
        if error > 0 and not math.isnan(self.freedom):
            p = 2 * float(special.stdtr(self.freedom, -abs(slope) / error))
        return Line(level - slope * self.centre, slope, error, p)


def _summed(part: FloatArray, unit: NDArray[np.int64] | None) -> FloatArray:
    return part if unit is None else np.bincount(unit, part).astype(np.float64)


def _freedom(sums: FloatArray, n: int) -> float:
    """Return tr(M)²/tr(M²) from q, s and t, sums of a², a and a·v over each cluster.

    M has q − s²/n − t² on its diagonal, and −(s·s′/n + t·t′) elsewhere.
    """
    q, s, t = sums
    off = s**2 / n + t**2
    square = float(np.sum(q**2 - 2 * q * off))
    square += dot(s, s) ** 2 / n**2 + 2 * dot(s, t) ** 2 / n + dot(t, t) ** 2
    return float(np.sum(q - off)) ** 2 / square if square > 0 else math.nan
