"""The best detector against one reader: a bracket and limits from how many readers marked what.

A finding has a probability p that a random reader marks it; what nobody marked is not seen. The
best detector's score θ* is the root of E Σ g_θ(p) = 0, the sum over all findings of an image:

    F1           g = (2p − θ)₊ − θp
    sensitivity  at s false positives an image: the least over λ > 0 of the roots of
                 g = (p − λ(1 − p))₊ − θp, plus λs for each image

Both vanish or are negative where p is small, so that what nobody saw does not enter. The counts
n_x of findings that x of k readers marked are Σ w(p) B(x; k, p), x ≥ 1, for the measure w of p: a
linear programme gives the least and the largest root. For limits a test is inverted: φ with
Σ_x φ(x) B(x; k, p) ≤ g(p) for every p, certified on a fine grid, has mean Σφ ≤ E Σ g, and is tried
over images by adjusted empirical likelihood (see `annostat.ceilings.mixing`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar, nnls

from annostat.arrays import FloatArray, IntArray
from annostat.ceilings.certificates import (
    PENALTY,
    Extreme,
    certificate_costs,
    certificate_programme,
)
from annostat.ceilings.mixing import NEAR, STEPS, binomial
from annostat.ceilings.programme import Programme
from annostat.resampling.intervals import t_reach
from annostat.resampling.inverted import evidence, refuted_from

HALF = 0.5  # weight of a pseudo-image with one finding
# λ is p/(1 − p) of the p above which the best detector marks: from nothing but sure findings to
# all that anybody might mark, however faint.
MULTIPLIERS = tuple(np.geomspace(2e-4, 2e3, 21).tolist())
EXACT = 0.02  # of the logarithm of λ


class Gain(NamedTuple):
    """A score: its best value is the root in θ of E Σ g(θ, p) = 0, g decreasing in θ.

    Attributes
    ----------
    at : callable
        g of θ and of probabilities p.
    cut : callable
        Of θ: the p where g bends, above which the best detector marks.
    """

    at: Callable[[float, FloatArray], FloatArray]
    cut: Callable[[float], float]

    def __call__(self, theta: float, p: FloatArray) -> FloatArray:
        """Return g."""
        return self.at(theta, p)


def _f1(theta: float, p: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(2 * p - theta, 0.0) - theta * p)


f1_gain = Gain(_f1, lambda theta: theta / 2)


def froc_gain(multiplier: float) -> Gain:
    """Return (p − λ(1 − p))₊ − θp of a multiplier λ."""

    def gain(theta: float, p: FloatArray) -> FloatArray:
        return np.asarray(np.maximum(p - multiplier * (1 - p), 0.0) - theta * p)

    return Gain(gain, lambda theta: multiplier / (1 + multiplier))


def least_over_multipliers(of: Callable[[float], float]) -> tuple[float, float]:
    """Return the least value of a function of λ, and that λ: on a grid, then beside the best one.

    Parameters
    ----------
    of : callable
    """
    values = [of(x) for x in MULTIPLIERS]
    i = int(np.argmin(values))
    sides = MULTIPLIERS[max(i - 1, 0)], MULTIPLIERS[min(i + 1, len(values) - 1)]
    near = minimize_scalar(
        lambda u: of(math.exp(u)),
        bounds=(math.log(sides[0]), math.log(sides[1])),
        method="bounded",
        options={"xatol": EXACT},
    )
    return min((values[i], MULTIPLIERS[i]), (float(near.fun), math.exp(float(near.x))))


def _grid(low: float, n_low: int, n_high: int) -> FloatArray:
    return np.unique(np.r_[np.geomspace(low, 0.05, n_low), np.linspace(0.05, 1, n_high)])


COARSE, FINE = _grid(1e-4, 25, 140), _grid(1e-5, 100, 1500)


@dataclass(frozen=True)
class Seen:
    """How many findings were marked by x of k readers, by independent unit.

    Attributes
    ----------
    sizes : tuple of int
        Groups of images, by the number k of readers; with `odds` by which readers saw them.
    counts : tuple of float64 array of shape (n_units, k)
        For each group: findings that 1, ..., k readers marked, in the unit's images of the group.
    images : int64 array of shape (n_units, n_groups)
        Images of each unit, by group.
    odds : tuple of float64 array of shape (k,)
        For each group what its readers' odds of marking are multiplied by; none: they are alike.
    """

    sizes: tuple[int, ...]
    counts: tuple[FloatArray, ...]
    images: IntArray
    odds: tuple[FloatArray, ...] = ()

    @property
    def n_units(self) -> int:
        """Number of independent units: images, or clusters of them."""
        return len(self.images)

    @property
    def n_findings(self) -> float:
        """Number of findings that somebody marked."""
        return float(sum(c.sum() for c in self.counts))

    def laws(self, p: FloatArray) -> list[FloatArray]:
        """Return P(x readers of a group mark | p) for x = 1, ..., k, of shape (k, len(p)) each."""
        if self.odds:
            return [marked_by(tilted(p, o[:, None])) for o in self.odds]
        return [binomial(np.arange(1, k + 1), k, p) for k in self.sizes]

    def law(self, p: FloatArray) -> FloatArray:
        """Return the cells' probabilities over p, of shape (n_cells, len(p)); weights by images."""
        share = self.images.sum(axis=0) / self.images.sum()
        return np.vstack([s * law for s, law in zip(share, self.laws(p), strict=True)]) / p


def tilted(p: FloatArray, odds: FloatArray | float) -> FloatArray:
    """Return the probabilities whose odds are those of p, multiplied."""
    return np.asarray(p * odds / (1 - p + p * odds))


def marked_by(each: FloatArray) -> FloatArray:
    """Return the probabilities that 1, ..., k of k readers mark (Poisson-binomial).

    Parameters
    ----------
    each : float64 array of shape (k, n)
        Probability of each reader.
    """
    k, n = each.shape
    found = np.zeros((k + 1, n))
    found[0] = 1.0
    for p in each:
        found[1:] = found[1:] * (1 - p) + found[:-1] * p
        found[0] *= 1 - p
    return found[1:]


class SeenMixture:
    """Brackets and limits of the best detector's scores, for one set of counts."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.coarse = seen.law(COARSE)
        self._coarse, self._fine = seen.laws(COARSE), seen.laws(FINE)
        self._by_group: dict[tuple[int, float], Programme] = {}

    @cached_property
    def fitted(self) -> FloatArray:
        """Nearest counts of cells that some measure of p gives (minimum χ²)."""
        raw = np.concatenate([c.sum(axis=0) for c in self.seen.counts])
        scale = 1 / np.sqrt(raw + HALF)
        weights, _ = nnls(self.coarse * scale[:, None], raw * scale, maxiter=5000)
        return np.asarray(self.coarse @ weights)

    def bracket(self, gain: Gain, free: float = 0.0, high: float = 1.0) -> tuple[float, float]:
        """Return the least and the largest root over all measures that give the fitted counts.

        Parameters
        ----------
        gain : callable
            g(θ, p), decreasing in θ.
        free : float
            What is added for all images together (λs times their number).
        high : float
            The largest root there can be.
        """
        ends = [self.end(gain, side, free, high) for side in (-1, 1)]
        return min(ends), max(ends)

    def end(self, gain: Gain, side: int, free: float = 0.0, high: float = 1.0) -> float:
        """Return the least root (side -1) or the largest (side 1); arguments as of `bracket`."""
        theta = 0.0 if side > 0 else high
        law, grid = Extreme(self.coarse, self.fitted), COARSE
        for _ in range(STEPS):
            bend = gain.cut(theta)
            if side < 0 and COARSE[0] < bend < 1:  # the least gain lies where g bends
                grid = np.r_[grid, bend]
                law.add(self.seen.law(grid[-1:])[:, 0])
            weights = law.weights(-side * gain(theta, grid) / grid)
            if weights is None:
                return high if side > 0 else 0.0
            mass = weights / grid

            def f(th: float, mass: FloatArray = mass, p: FloatArray = grid) -> float:
                return float(mass @ gain(th, p)) + free

            new = high if f(high) >= 0 else 0.0 if f(0.0) <= 0 else float(brentq(f, 0.0, high))
            if abs(new - theta) < 1e-7:
                break
            theta = new
        return theta

    def limit(self, gain: Gain, side: int, near: float, level: float, free: float = 0.0) -> float:
        """Return the first root below (side -1) or above (side 1) `near` that a test refutes."""
        far = 0.0 if side < 0 else 1.0
        n = self.seen.n_units
        if n < 2:
            return far
        reach = t_reach(n - 1, level)

        def excess(theta: float) -> float:
            return self.statistic(gain, theta, side, reach, free) - reach

        for programme in self._by_group.values():
            programme.forget()
        return refuted_from(excess, near, far, step=reach / math.sqrt(n), xtol=NEAR)

    def sensitivity(
        self, rate: float, level: float
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the bracket and the limits of the best sensitivity.

        Parameters
        ----------
        rate : float
            False positives per image.
        level : float
        """
        n = float(self.seen.images.sum())

        @cache
        def end(x: float, side: int) -> float:
            return self.end(froc_gain(x), side, x * rate * n)

        def limit(x: float, side: int) -> float:
            return self.limit(froc_gain(x), side, end(x, side), level, x * rate * n)

        low = least_over_multipliers(lambda x: end(x, -1))[0]
        high, tight = least_over_multipliers(lambda x: end(x, 1))
        # Any multiplier gives an upper limit; the lower one needs the one that gives the least.
        below = least_over_multipliers(lambda x: limit(x, -1))[0]
        high = max(low, high)
        return (low, high), (min(below, low), max(limit(tight, 1), high))

    def statistic(
        self, gain: Gain, theta: float, side: int, reach: float, free: float = 0.0
    ) -> float:
        """Return the evidence that the root lies above θ (side -1) or below it (side 1)."""
        s = self.seen
        each = free / s.images.sum()
        value = np.zeros(s.n_units)
        pseudo = []
        start = 0
        for group, (counts, images) in enumerate(zip(s.counts, s.images.T, strict=True)):
            k = counts.shape[1]
            h = self.fitted[start : start + k]
            start += k
            phi = self._dual(group, h, gain, theta, side, reach)
            value += counts @ phi - side * each * images
            pseudo.append(phi - side * each)
        extra = np.concatenate(pseudo)
        weight = np.r_[np.ones(s.n_units), np.full(len(extra), HALF / len(s.sizes))]
        return evidence(np.r_[value, extra], weight)

    def _dual(
        self, group: int, h: FloatArray, gain: Gain, theta: float, side: int, reach: float
    ) -> FloatArray:
        """Return φ(1), ..., φ(k): the best at the fitted counts, certified on the fine grid."""
        fine = self._fine[group]
        k = len(fine)
        found = self._programme(group, h, reach).solve(
            certificate_costs(-side * gain(theta, COARSE) / COARSE, k)
        )
        phi = np.zeros(k) if found is None else found.multipliers  # any φ may be certified
        # Σ_x (x/k) P(x | p) is the readers' mean p: this takes the worst violation off everywhere.
        share = np.arange(1, k + 1) / k
        over = (phi @ fine + side * gain(theta, FINE)) / (share @ fine)
        return np.asarray(phi - max(float(over.max()), 0.0) * share)

    def _programme(self, group: int, h: FloatArray, reach: float) -> Programme:
        """Return the programme of a group; it is kept for the next value of θ."""
        if (group, reach) not in self._by_group:
            share = (h + 1e-9) / (h + 1e-9).sum()
            penalty = PENALTY * reach / math.sqrt(max(self.seen.n_findings, 1.0))
            law = self._coarse[group] / COARSE
            self._by_group[group, reach] = certificate_programme(law, share, penalty, centred=False)
        return self._by_group[group, reach]
