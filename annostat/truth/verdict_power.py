"""How often a verdict is given, by formula and in simulated studies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.resampling.intervals import noncentral_t, t_reach
from annostat.truth.verdicts import ABOVE, AT, BELOW

MOST_ITEMS = 1_000_000
AT_ONCE = 100  # studies whose items are drawn together
SMOOTH = 0.03  # share of n over which a simulated curve is averaged, to either side


@dataclass(frozen=True, slots=True)
class VerdictPower:
    """The chance of a verdict.

    Attributes
    ----------
    claim : str
    error : float
        Of the model against the truth.
    margin : float or None
    learned : float
        Share of the labels' noise that is in the model.
    sigma, difficulty : float
        SD of a label's error, and E σ_i⁴/(E σ_i²)² over items.
    level : float
    """

    claim: str
    error: float
    margin: float | None
    learned: float
    sigma: float
    difficulty: float
    level: float

    def moments(self, k: int) -> tuple[float, float]:
        """Return mean and variance of what one item with k labels says."""
        e2, s2, r, s = self.error**2, self.sigma**2, self.difficulty, self.learned
        c = s * s - 2 * s
        mean = e2 + c * s2 / k
        pairs = 2 * (1 + c * (k - 1) / k) ** 2 * r / (k * (k - 1))
        variance = 2 * e2**2 + 4 * (1 - s) ** 2 * e2 * s2 / k
        return mean, variance + ((c / k) ** 2 * (2 * r / k + r - 1) + pairs) * s2**2

    def power(self, n: float, k: int) -> float:
        """Return the chance of the verdict."""
        mean, variance = self.moments(k)
        if not variance > 0:
            return 1.0 if self.claim == ABOVE else 0.0
        root = math.sqrt(n / variance)
        one, two = t_reach(n - 1, 2 * self.level - 1), t_reach(n - 1, self.level)
        below = noncentral_t(n - 1, mean * root, -two)
        if self.claim == BELOW:
            return below
        if self.claim == ABOVE:
            return 1 - noncentral_t(n - 1, mean * root, one)
        limit = 0.0 if self.margin is None else self.margin**2
        at = noncentral_t(n - 1, (mean - limit) * root, -one)
        return max(at - below, 0.0)

    def needed(self, k: int, wanted: float, curve: FloatArray | None) -> int | None:
        """Return the least number of items with that power, None if no number is enough.

        Parameters
        ----------
        curve : float64 array of shape (n + 1,) or None
            Simulated power by number of items; beyond it, or without it, the formula counts.
        """
        if curve is not None and np.nanmax(curve[-len(curve) // 10 :]) >= wanted:
            return int(np.flatnonzero(~(curve >= wanted))[-1]) + 1
        low, high = 3 if curve is None else len(curve) - 1, MOST_ITEMS
        if not self.power(high, k) >= wanted:
            return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.power(middle, k) >= wanted else (middle + 1, high)
        return low

    def curve(self, longest: int, k: int, n_resamples: int, g: np.random.Generator) -> FloatArray:
        """Return the share of simulated studies with the verdict, by number of items.

        The first n items of each of them are a study of n. A formula would be short of the skewness
        of products, which tells at powers near 1 and at small n.

        Returns
        -------
        float64 array of shape (longest + 1,)
            NaN below three items.
        """
        said = np.zeros(longest + 1)
        n = np.arange(1, longest + 1)
        df = [max(v - 1, 1) for v in range(1, longest + 1)]
        one = np.array([t_reach(v, 2 * self.level - 1) for v in df])
        two = np.array([t_reach(v, self.level) for v in df])
        for start in range(0, n_resamples, AT_ONCE):
            rows = min(AT_ONCE, n_resamples - start)
            h = self.products(rows * longest, k, g).reshape(rows, longest)
            mean = h.cumsum(axis=1) / n
            with np.errstate(invalid="ignore", divide="ignore"):
                variance = ((h**2).cumsum(axis=1) / n - mean**2) * n / (n - 1)
                error = np.sqrt(np.maximum(variance, 0) / n)
            said[1:] += self.given(mean, one * error, two * error).sum(axis=0)
        said /= n_resamples
        said[:3] = np.nan
        around = np.cumsum(np.nan_to_num(said))
        reach = np.maximum((SMOOTH * np.arange(longest + 1)).astype(np.int64), 0)
        low = np.maximum(np.arange(longest + 1) - reach, 3)
        high = np.minimum(np.arange(longest + 1) + reach, longest)
        smooth = (around[high] - around[low - 1]) / np.maximum(high - low + 1, 1)
        smooth[:3] = np.nan
        return np.asarray(smooth)

    def given(self, mean: FloatArray, one: FloatArray, two: FloatArray) -> NDArray[np.bool_]:
        """Return where the verdict is given, by the rule of `judge`.

        Parameters
        ----------
        mean, one, two : float64 arrays
            Means of products, and what a limit of one side, and of two, is from them.
        """
        below = mean < -two
        if self.claim == BELOW:
            return np.asarray(below)
        at = np.zeros(np.shape(mean), dtype=bool)
        if self.margin is not None:
            at = ~below & (mean + one < self.margin**2)
        return np.asarray(at if self.claim == AT else ~below & ~at & (mean > one))

    def null(self) -> VerdictPower:
        """Return the plan in which the verdict would be wrong, as near to right as can be."""
        error = self.margin if self.claim == AT and self.margin is not None else 0.0
        return VerdictPower(
            self.claim, error, self.margin, 0.0, self.sigma, self.difficulty, self.level
        )

    def simulated(self, n: int, k: int, n_resamples: int, g: np.random.Generator) -> float:
        """Return the share of simulated studies with the verdict, by the rule of `judge`."""
        one, two = t_reach(n - 1, 2 * self.level - 1), t_reach(n - 1, self.level)
        said = 0
        for _ in range(n_resamples):
            h = self.products(n, k, g)
            error = h.std(ddof=1) / math.sqrt(n)
            said += bool(self.given(h.mean(), one * error, two * error))
        return said / n_resamples

    def products(self, n: int, k: int, g: np.random.Generator) -> FloatArray:
        """Return what each item of a simulated study says."""
        size = np.ones((n, 1))
        if self.difficulty > 1.01:  # variances of items by a gamma law
            shape = 1 / (self.difficulty - 1)
            size = np.sqrt(g.gamma(shape, 1 / shape, (n, 1)))
        x = self.sigma * size * g.normal(size=(n, k))
        u = self.error * g.normal(size=n) + self.learned * x.mean(axis=1)
        h = u[:, None] - x
        return np.asarray((h.sum(axis=1) ** 2 - (h**2).sum(axis=1)) / (k * (k - 1)))
