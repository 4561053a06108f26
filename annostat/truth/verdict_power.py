"""How often a verdict is given, by formula and in simulated studies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.resampling.intervals import noncentral_t, t_reach
from annostat.truth.skewed import upper
from annostat.truth.verdicts import ABOVE, AT, BELOW, fewest_units

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

    @property
    def fewest(self) -> int:
        """Units below which the verdict is never given."""
        return fewest_units(self.level) if self.claim == AT else 0

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
        if n < self.fewest:
            return 0.0
        root = math.sqrt(n / variance)
        one, two = t_reach(n - 1, 2 * self.level - 1), t_reach(n - 1, self.level)
        below = noncentral_t(n - 1, mean * root, -two)
        if self.claim == BELOW:
            return below
        if self.claim == ABOVE:
            return 1 - noncentral_t(n - 1, mean * root, one)
        limit = 0.0 if self.margin is None else self.margin**2
        # The limit for skewed products lies further off than that of t, by as much as in a sample
        # whose moments are those of the law.
        far = float(upper(self._squares(k), n, k, level=self.level)) - mean
        at = noncentral_t(n - 1, (mean - limit) * root, -max(one, far * root))
        return max(at - below, 0.0)

    def _squares(self, k: int) -> FloatArray:
        """Return the moments of `upper` of a model that has learned nothing."""
        e2, noise, r = self.error**2, self.sigma**2 / k, self.difficulty
        spread = 2 * e2**2 + 4 * e2 * noise + (3 * r - 1) * noise**2
        return np.array(
            [e2 + noise, noise, spread, (r * (k + 1) / (k - 1) - 1) * noise**2, (r - 1) * noise**2]
        )

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
            drawn = self.drawn(rows * longest, k, g)
            h, b = (x.reshape(rows, longest) for x in drawn)
            with np.errstate(invalid="ignore", divide="ignore"):
                moments = _moments(h + b, b, n)
                mean, error = _mean(moments, n)
                limit = upper(moments, n, k, level=self.level) if self.claim == AT else mean
            said[1:] += self.given(mean, one * error, two * error, limit).sum(axis=0)
        said /= n_resamples
        said[: self.fewest] = 0.0
        said[:3] = np.nan
        around = np.cumsum(np.nan_to_num(said))
        reach = np.maximum((SMOOTH * np.arange(longest + 1)).astype(np.int64), 0)
        low = np.maximum(np.arange(longest + 1) - reach, 3)
        high = np.minimum(np.arange(longest + 1) + reach, longest)
        smooth = (around[high] - around[low - 1]) / np.maximum(high - low + 1, 1)
        smooth[:3] = np.nan
        return np.asarray(smooth)

    def given(
        self, mean: FloatArray, one: FloatArray, two: FloatArray, limit: FloatArray
    ) -> NDArray[np.bool_]:
        """Return where the verdict is given, by the rule of `judge`.

        Parameters
        ----------
        mean, one, two : float64 arrays
            Means of products, and what a limit of one side, and of two, is from them.
        limit : float64 array
            The upper limit that allows for skewness.
        """
        below = mean < -two
        if self.claim == BELOW:
            return np.asarray(below)
        at = np.zeros(np.shape(mean), dtype=bool)
        if self.margin is not None:
            at = ~below & (np.maximum(mean + one, limit) < self.margin**2)
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
        if n < self.fewest:
            return 0.0
        said = 0
        for _ in range(n_resamples):
            h, b = self.drawn(n, k, g)
            moments = _moments(h[None] + b, b[None], np.arange(1, n + 1))[:, :, -1]
            mean, error = _mean(moments, n)
            limit = upper(moments, n, k, level=self.level)
            said += bool(self.given(mean, one * error, two * error, limit)[0])
        return said / n_resamples

    def products(self, n: int, k: int, g: np.random.Generator) -> FloatArray:
        """Return what each item of a simulated study says."""
        return self.drawn(n, k, g)[0]

    def drawn(self, n: int, k: int, g: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Return what each item of a simulated study says, and what was taken off for noise."""
        size = np.ones((n, 1))
        if self.difficulty > 1.01:  # variances of items by a gamma law
            shape = 1 / (self.difficulty - 1)
            size = np.sqrt(g.gamma(shape, 1 / shape, (n, 1)))
        x = self.sigma * size * g.normal(size=(n, k))
        u = self.error * g.normal(size=n) + self.learned * x.mean(axis=1)
        square = (u - x.mean(axis=1)) ** 2
        noise = x.var(axis=1, ddof=1) / k
        return square - noise, noise


def _moments(a: FloatArray, b: FloatArray, n: NDArray[np.int64]) -> FloatArray:
    """Return means, variances and covariance (`upper`) of the first n items of each row."""
    a_mean, b_mean = a.cumsum(axis=1) / n, b.cumsum(axis=1) / n
    found = [a_mean, b_mean]
    for x, y, m in ((a, a, a_mean**2), (b, b, b_mean**2), (a, b, a_mean * b_mean)):
        spread = ((x * y).cumsum(axis=1) / n - m) * n / np.maximum(n - 1, 1)
        found.append(np.maximum(spread, 0) if x is y else spread)
    return np.stack(found)


def _mean(moments: FloatArray, n: NDArray[np.int64] | int) -> tuple[FloatArray, FloatArray]:
    """Return the mean of products, and its standard error."""
    a, b, aa, bb, ab = moments
    return a - b, np.asarray(np.sqrt(np.maximum(aa + bb - 2 * ab, 0) / n))
