"""Intervals of ratios of sums by inverted tests: all values that the data do not refute.

A coefficient 1 − Do/De is the root u = Do/De of E(o − u·e) = 0. Its interval is the set of all u at
which a t test of that mean is not significant (Fieller), with two pseudo-items of weight one half:
one that agrees and one that does not. No transform and no bootstrap holds where a class is rare;
these do (`docs/calibration.md`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.optimize import brentq

from annostat.arrays import FloatArray
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval

METHOD = "inverted t and likelihood tests over {}, two half pseudo-items"
HALF = 0.5  # weight of a pseudo-item
NEAR = 1e-6  # how exactly a limit is found
MOST_UNITS = 1000  # beyond these the two tests agree, and the first one is enough


def fieller_limits(
    o: FloatArray,
    e: FloatArray,
    *,
    level: float,
    pseudo: tuple[tuple[float, float], ...] = (),
    top: float = 2.0,
) -> tuple[float, float]:
    """Return the limits of u within [0, top] that a t test of mean(o − u·e) = 0 does not refute.

    Parameters
    ----------
    o, e : float64 arrays of shape (n_units,)
        Linearised numerator and denominator of each independent unit (item or cluster).
    level : float
        Confidence level; t has n_units − 1 degrees of freedom.
    pseudo : tuple of (o, e)
        Pseudo-items of weight one half.
    top : float
        Largest value that u can have.

    Returns
    -------
    low, high : float
        The hull of the set, cut to [0, top].
    """
    n = len(o)
    if n < 2:
        return 0.0, top
    weight = np.r_[np.ones(n), np.full(len(pseudo), HALF)]
    both = np.column_stack([np.r_[o, [p[0] for p in pseudo]], np.r_[e, [p[1] for p in pseudo]]])
    total = weight.sum()
    mo, me = weight @ both / total
    off = both - (mo, me)
    (voo, voe), (_, vee) = (off * weight[:, None]).T @ off * n / (n - 1) / total**2
    q2 = t_reach(n - 1, level) ** 2
    a, b, c = me * me - q2 * vee, mo * me - q2 * voe, mo * mo - q2 * voo
    disc = b * b - a * c
    if disc < 0 or abs(a) < 1e-300:  # the set is everything
        return 0.0, top
    root = math.sqrt(disc)
    first, second = sorted(((b - root) / a, (b + root) / a))
    if a > 0:
        return max(first, 0.0), min(max(second, 0.0), top)
    # All but what lies between the roots.
    if first < 0 < second <= top:
        return second, top
    if second > top > first >= 0:
        return 0.0, first
    return 0.0, top


def ratio_limits(
    o: FloatArray,
    e: FloatArray,
    *,
    level: float,
    pseudo: tuple[tuple[float, float], ...] = (),
    top: float = 2.0,
) -> tuple[float, float]:
    """Return the limits of u within [0, top] that the t test or the likelihood does not refute.

    Parameters as for `fieller_limits`. Where a class is rare the one fails and the other holds; up
    to a thousand units a value is left out only if both refute it.
    """
    low, high = fieller_limits(o, e, level=level, pseudo=pseudo, top=top)
    n = len(o)
    if not 2 <= n <= MOST_UNITS:
        return low, high
    reach = t_reach(n - 1, level)
    weight = np.r_[np.ones(n), np.full(len(pseudo), HALF)]
    top_of = np.r_[o, [p[0] for p in pseudo]]
    bottom_of = np.r_[e, [p[1] for p in pseudo]]

    def excess(u: float) -> float:
        v = top_of - u * bottom_of
        return max(likelihood_root(v, weight), likelihood_root(-v, weight)) - reach

    if low > 0 and excess(low) < 0:
        low = 0.0 if excess(0.0) < 0 else float(brentq(excess, 0.0, low, xtol=NEAR))
    if high < top and excess(high) < 0:
        high = top if excess(top) < 0 else float(brentq(excess, high, top, xtol=NEAR))
    return low, high


def ratio_of(
    o: FloatArray,
    e: FloatArray,
    *,
    level: float,
    units: str,
    pseudo: tuple[tuple[float, float], ...] = (),
    top: float = 2.0,
) -> Estimate:
    """Return u = Σo/Σe with its standard error and `ratio_limits`; e must not sum to 0."""
    u = float(o.sum() / e.sum())
    low, high = ratio_limits(o, e, level=level, pseudo=pseudo, top=top)
    error = float(np.std(o - u * e, ddof=1) / e.mean() / math.sqrt(len(o))) if len(o) > 1 else None
    return Estimate(u, error or None, Interval(low, high, level, METHOD.format(units)))


def evidence(v: FloatArray, weight: FloatArray) -> float:
    """Return `likelihood_root` with the sign of the mean: smooth where a search crosses 0."""
    return likelihood_root(v, weight) or -likelihood_root(-v, weight)


def refuted_from(
    excess: Callable[[float], float], near: float, far: float, *, step: float, xtol: float
) -> float:
    """Return the first value between `near` and `far` that is refuted, or `far`.

    The search goes from `near` in steps that double. Where `near` itself is refuted it is returned.

    Parameters
    ----------
    excess : callable
        Of a value: positive where it is refuted, and increasing towards `far`.
    near, far : float
    step : float
        Of the first step.
    xtol : float
        How exactly the value is found.
    """
    known = cache(excess)  # an excess may take long, and the search asks twice for its ends
    if known(near) > 0:
        return near
    side = 1 if far > near else -1
    inner = near
    while abs(far - inner) > xtol:
        outer = inner + side * step
        outer = far if (outer - far) * side > 0 else outer
        if known(outer) > 0:
            return float(brentq(known, inner, outer, xtol=xtol))
        inner, step = outer, 2 * step
    return far


def likelihood_root(v: FloatArray, weight: FloatArray) -> float:
    """Return the root of the adjusted empirical-likelihood ratio of "the mean of v is not above 0".

    Zero where the mean is not positive. The adjustment (Chen, Variyath and Abraham 2008) adds one
    point on the other side of 0, so that there always is a solution.

    Parameters
    ----------
    v, weight : float64 arrays of shape (n,)
        Independent values, and how much each counts.
    """
    n = float(weight.sum())
    mean = float(weight @ v) / n
    if not mean > 0:
        return 0.0
    v = np.r_[v, -max(1.0, 0.5 * math.log(n)) * mean]
    weight = np.r_[weight, 1.0]
    top = (1 - 1e-10) / -float(v.min())

    def slope(x: float) -> float:
        return float((weight * v / (1 + x * v)).sum())

    if slope(0.0) <= 0:  # the mean is 0 but for rounding
        return 0.0
    best = brentq(slope, 0.0, top) if slope(top) < 0 else top
    return math.sqrt(max(2 * float((weight * np.log1p(best * v)).sum()), 0.0))
