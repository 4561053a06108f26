r"""How far mean distances reach where readers differ in noise: few of them show too little of it.

With labels of noise σ_j² and squares for the distance, what two readers differ by has the mean
B = 2·mean σ_j², and γ = E(f − Y)² − mean σ_j². A mean of a few variances is skewed: a sample of
quiet readers has too small a mean and too small a spread at once, so that t intervals missed what
noisy readers make of γ, on one side (five readers, log-SD of the noise 0.4: in 13%, not 2.5%).

    γ = R − B/2,  A = R + B/2,  R = A − B/2

R, for squares the model's own error, hardly depends on how noisy readers are, and has a t interval;
B has one on the log scale. Both are put together by the method of variance estimates recovery (Zou
& Donner 2008), with the correlation of R and B:

    L = γ − √(l_R² + u_B² − 2r·l_R·u_B),  u_B = (B/2)(exp(t·s_B) − 1)

The variance of log B over readers, v by the jackknife, is widened to v + (kv)²/(k − 1): if readers'
variances are log-normal with the squared log-SD s² = kv, the log of their mean is off by s²/k, and
by s⁴/(2(k − 1)) more for what k readers leave open of s² (Cox's interval, Zhou & Gao 1997, Stat Med
16:783-790). A jackknife knows s² less well than the log-variances would, so that this term counts
twice (ten readers, log-SD of the noise 0.4: 94 to 95% of 1,500 sets). Readers who are alike have
hardly any v, and pay nothing for it.

Biases of readers are in B too, by the variance of k of them: with S² theirs, B may be larger by
G = (1 + x)^p, x = S²((k − 1)/χ²_{k−1} − 1)/V at the lower quantile of χ², V being the variance of
the labels of an item and B ∝ V^p (p = 1 for squares, ½ for absolute and radial distances). Both
reaches of B are added in squares. Without that, five readers with biases of half a noise SD and
1,000 items were held in 84 to 92%. The ratio A/B = ½ + R/B reaches to ½ + R/(BG), and "worse" takes
a lower limit of γ above 0.

No end lies inside that of t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.interchange.spread import (
    Spread,
    Statistic,
    Units,
    across,
    difference,
    log_among,
    mean_first,
    rest,
)
from annostat.resampling.intervals import exp, t_reach
from annostat.results.estimates import Estimate, Interval

MOST = 700.0  # exponent
FOR_UNLIKE = "wide enough for readers who differ"


@dataclass(frozen=True)
class Biases:
    """What biases of readers are of the variance of an item's labels.

    Attributes
    ----------
    share : float
        S²/V: the variance of the readers' biases over that of an item's labels.
    n_readers : int
    power : float
        The mean distance goes with this power of the variance: 1 or ½.
    """

    share: float = 0.0
    n_readers: int = 2
    power: float = 0.5

    def growth(self, level: float) -> float:
        """Return the log of the factor by which other readers may differ more, two-sided."""
        df = self.n_readers - 1
        most = df / float(special.chdtri(df, (1 + level) / 2)) - 1
        return self.power * math.log1p(self.share * most)


ALIKE = Biases()


def biases_of(labels: Sequence[NDArray[Any]], seen: NDArray[np.bool_], *, power: float) -> Biases:
    """Return what biases are of the variance of labels.

    Parameters
    ----------
    labels : sequence of arrays of shape (n,) or (n, n_axes)
        Of each reader.
    seen : bool array of shape (n, n_readers)
        Two labels of each item or more.
    power : float

    Examples
    --------
    >>> z = [np.array([1.0, 2, 4]), np.array([2.0, 3, 4]), np.array([3.0, 4, 7])]
    >>> biases_of(z, np.full((3, 3), True), power=1.0).share
    0.8666666666666666
    """
    m = across(seen)
    n, k = seen.shape
    square, bias = 0.0, np.zeros(k)
    axes = labels[0].reshape(n, -1).shape[1]
    for axis in range(axes):
        z = np.column_stack([x.reshape(n, -1)[:, axis] for x in labels])
        z = np.where(seen, z, 0.0)
        away = np.where(seen, z - (across(z) / m)[:, None], 0.0)
        square += float(np.mean(across(away**2) / (m - 1)))
        # From the mean of the others, which are k − 1 of k.
        there = np.maximum(seen.sum(axis=0), 1)
        from_others = (away * (m / (m - 1))[:, None]).sum(axis=0) / there * (k - 1) / k
        bias += (from_others - from_others.mean()) ** 2
    if not square > 0:
        return Biases(0.0, k, power)
    return Biases(float(bias.sum()) / (k - 1) / square, k, power)


def change_estimate(
    units: Units, level: float, unit: str, method: str, biases: Biases = ALIKE
) -> Estimate:
    """Return γ = A/N − B/M with limits that hold readers whose noise differs.

    Parameters
    ----------
    units : Units
        Readers being a sample; else, or where R or B has no variance, the interval is that of t.
    level : float
    unit, method : str
        Of the estimate, and of its interval of t.
    biases : Biases
        Of the readers; none by default.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.random.default_rng(1).normal(0, [1.0, 1, 3], (200, 3))
    >>> d = (labels[:, :, None] - labels[:, None]) ** 2
    >>> units = Units.of(labels**2, d.sum(axis=2), np.full((200, 3), True), None, readers=True)
    >>> plain = units.spread(difference).estimate(0.95, "", "t")
    >>> found = change_estimate(units, 0.95, "", "t")
    >>> bool(found.low < plain.low), found.value == plain.value
    (True, True)
    """
    return _Joined.of(units, difference, -1.0, biases).estimate(level, unit, method)


def to_reader_estimate(
    units: Units, level: float, unit: str, method: str, biases: Biases = ALIKE
) -> Estimate:
    """Return A/N, what a model differs from a reader by, with limits as `change_estimate`."""
    return _Joined.of(units, mean_first, 1.0, biases).estimate(level, unit, method)


def among_estimate(
    units: Units, level: float, unit: str, method: str, biases: Biases = ALIKE
) -> Estimate:
    """Return B/M, what two readers differ by, on the log scale with the same reaches."""
    wide = units.spread(log_among, unlike=units.by_reader is not None)
    e = wide.estimate(level, unit, method, log=True)
    more = biases.growth(level)
    if e.interval is None or units.by_reader is None or more == 0:
        return e
    up = math.hypot(math.log(e.interval.high / e.value), more)
    limits = Interval(e.interval.low, e.value * exp(up), level, f"{method}, {FOR_UNLIKE}")
    return Estimate(e.value, e.standard_uncertainty, limits, unit, e.note)


def ratio_estimate(spread: Spread, level: float, method: str, biases: Biases = ALIKE) -> Estimate:
    """Return A/B from the spread of its logarithm, reaching to readers whose biases differ more."""
    e = spread.estimate(level, "", method, log=True)
    more = biases.growth(level)
    if e.interval is None or more == 0:
        return e
    moved = 0.5 + (e.value - 0.5) * math.exp(-more)
    away = math.log(moved / e.value)
    low, high = math.log(e.interval.low / e.value), math.log(e.interval.high / e.value)
    if away < 0:
        low = -math.hypot(low, away)
    else:
        high = math.hypot(high, away)
    limits = Interval(e.value * exp(low), e.value * exp(high), level, f"{method}, {FOR_UNLIKE}")
    return Estimate(e.value, e.standard_uncertainty, limits, "", e.note)


def p_above(units: Units, biases: Biases = ALIKE) -> float | None:
    """Return the one-sided p-value of "γ is 0 or less": where its lower limit passes 0."""
    return _p(units, biases, 1)


def p_below(units: Units, biases: Biases = ALIKE) -> float | None:
    """Return the one-sided p-value of "γ is 0 or more": where its upper limit passes 0."""
    return _p(units, biases, -1)


def _p(units: Units, biases: Biases, side: int) -> float | None:
    joined = _Joined.of(units, difference, -1.0, biases)
    if joined.estimate(0.5, "", "").interval is None:
        return None
    if side * joined.whole.value <= 0:
        return 0.5
    low, high = 0.0, 0.5  # p
    for _ in range(30):
        p = (low + high) / 2
        i = joined.estimate(1 - 2 * p, "", "").interval
        shown = i is not None and (i.low > 0 if side > 0 else i.high < 0)
        low, high = (low, p) if shown else (p, high)
    return high


@dataclass(frozen=True)
class _Joined:
    """R ± B/2: what its limits at any level are made of, so that units are summed up once.

    Attributes
    ----------
    whole, own, among, wide : Spread
        Of the statistic, of R, of log B, and of log B of readers who differ.
    side : float
        The sign of B/2.
    sampled : bool
        Whether readers are a sample.
    """

    whole: Spread
    own: Spread
    among: Spread
    wide: Spread
    side: float
    biases: Biases
    sampled: bool

    @classmethod
    def of(cls, units: Units, g: Statistic, side: float, biases: Biases) -> _Joined:
        return cls(
            units.spread(g),
            units.spread(rest),
            units.spread(log_among),
            units.spread(log_among, unlike=True),
            side,
            biases,
            units.by_reader is not None,
        )

    def estimate(self, level: float, unit: str, method: str) -> Estimate:
        """Return R ± B/2 with the larger reach of t and of both limits."""
        whole, own, among, wide = self.whole, self.own, self.among, self.wide
        plain = whole.estimate(level, unit, method)
        i = plain.interval
        if i is None or not (self.sampled and own.known and _usable(among)):
            return plain
        half = exp(among.value) / 2
        spread_half = half * among.error
        # Of R and ±B/2, so that the variance of their sum is that which was found.
        r = (whole.variance - own.variance - spread_half**2) / (2 * own.error * spread_half)
        r = float(np.clip(r, -1, 1))
        a = t_reach(own.df, level) * own.error
        t = min(t_reach(wide.df, level) * wide.error, MOST)
        up = half * math.hypot(math.expm1(t), math.expm1(self.biases.growth(level)))
        down = -half * math.expm1(-t)
        ends = (down, up) if self.side > 0 else (up, down)
        low, high = (math.sqrt(max(a**2 + b**2 + 2 * r * a * b, 0.0)) for b in ends)
        low, high = min(i.low, whole.value - low), max(i.high, whole.value + high)
        if (low, high) == (i.low, i.high):
            return plain
        limits = Interval(low, high, level, f"{i.method}, {FOR_UNLIKE}")
        return Estimate(plain.value, plain.standard_uncertainty, limits, unit, plain.note)


def _usable(s: Spread) -> bool:
    return math.isfinite(s.variance) and s.variance > 0
