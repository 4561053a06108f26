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

The variance of log B over readers, v by the jackknife, is widened to v + (kv)²/(2(k − 1)): if
readers' variances are log-normal with the squared log-SD s² = kv, the log of their mean is off by
s²/k, and by s⁴/(2(k − 1)) more for what k readers leave open of s² (Cox's interval, Zhou & Gao
1997, Stat Med 16:783-790). Readers who are alike have hardly any v, and pay nothing for it.

No end lies inside that of t.
"""

from __future__ import annotations

import math

import numpy as np

from annostat.interchange.spread import (
    Spread,
    Statistic,
    Units,
    difference,
    log_among,
    mean_first,
    rest,
)
from annostat.resampling.intervals import exp, t_reach
from annostat.results.estimates import Estimate, Interval

MOST = 700.0  # exponent


def change_estimate(units: Units, level: float, unit: str, method: str) -> Estimate:
    """Return γ = A/N − B/M with limits that hold readers whose noise differs.

    Parameters
    ----------
    units : Units
        Readers being a sample; else, or where R or B has no variance, the interval is that of t.
    level : float
    unit, method : str
        Of the estimate, and of its interval of t.

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
    return _joined(units, difference, -1.0, level, unit, method)


def to_reader_estimate(units: Units, level: float, unit: str, method: str) -> Estimate:
    """Return A/N, what a model differs from a reader by, with limits as `change_estimate`."""
    return _joined(units, mean_first, 1.0, level, unit, method)


def _joined(
    units: Units, g: Statistic, side: float, level: float, unit: str, method: str
) -> Estimate:
    """Return R ± B/2, `side` being the sign, with the larger reach of t and of both limits."""
    whole = units.spread(g)
    plain = whole.estimate(level, unit, method)
    own, among = units.spread(rest), units.spread(log_among)
    wide = units.spread(log_among, unlike=True)
    i = plain.interval
    if i is None or units.by_reader is None or not (own.known and _usable(among)):
        return plain
    half = exp(among.value) / 2
    spread_half = half * among.error
    # Of R and ±B/2, so that the variance of their sum is that which was found.
    r = (whole.variance - own.variance - spread_half**2) / (2 * own.error * spread_half)
    r = float(np.clip(r, -1, 1))
    a = t_reach(own.df, level) * own.error
    t = min(t_reach(wide.df, level) * wide.error, MOST)
    up, down = half * math.expm1(t), -half * math.expm1(-t)
    ends = (down, up) if side > 0 else (up, down)
    low, high = (math.sqrt(max(a**2 + b**2 + 2 * r * a * b, 0.0)) for b in ends)
    low, high = min(i.low, whole.value - low), max(i.high, whole.value + high)
    if (low, high) == (i.low, i.high):
        return plain
    words = f"{i.method}, wide enough for readers whose noise differs"
    return Estimate(
        plain.value, plain.standard_uncertainty, Interval(low, high, level, words), unit, plain.note
    )


def _usable(s: Spread) -> bool:
    return math.isfinite(s.variance) and s.variance > 0
