"""Limits of agreement whatever the law of the noise: what their bootstrap-t needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.agreement.variances import dominates
from annostat.arrays import FloatArray, IntArray, beside, dot
from annostat.resampling.clusters import renumbered
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import exp, t_reach
from annostat.resampling.steps import log
from annostat.resampling.sums import Function, Sums
from annostat.results.estimates import Interval


@dataclass(frozen=True, eq=False)
class Differences:
    """Mean and variance of the differences of two rounds, as functions of sums over units.

    `kurtosis` and `n` are of the differences, or of the units' means where those are used.
    """

    sums: Sums
    mean: Function
    variance: Function
    kurtosis: float
    n: int

    @classmethod
    def of(cls, d: FloatArray, codes: IntArray | None) -> Differences:
        """Return the differences of pairs; within a cluster they are differences of their own."""
        n = len(d)
        kurtosis = kurtosis_of(d)
        if codes is not None:
            codes = renumbered(codes)
        if codes is None or codes.max() + 1 == n:
            sums = Sums(beside([np.ones(n), d, d**2]), codes is not None)
            return cls(sums, _ratio(1, 0), lambda t: _spread(t, n), kurtosis, n)
        count = np.bincount(codes).astype(np.float64)
        total, square = (np.bincount(codes, weights=v) for v in (d, d**2))
        units = len(count)
        columns = beside([np.ones(units), total**2 / count, total, count, square, count**2])

        def variance(t: NDArray[Any]) -> NDArray[Any]:
            k, means, whole, labels, squares = (t[..., i] for i in range(5))
            rest = k * (1 - 1 / units)
            between = (means - whole**2 / labels) / rest
            within = (squares - means) / (labels - k)
            size = (labels - t[..., 5] / labels) / rest
            return np.asarray(between / size + (1 - 1 / size) * within)

        return cls(Sums(columns, True), _ratio(2, 3), variance, kurtosis, n)

    @classmethod
    def of_replicates(cls, x: FloatArray, y: FloatArray, codes: IntArray) -> Differences:
        """Return differences of one replicate each, from replicates that are not paired."""
        units = int(codes.max()) + 1
        count, mean, inside = np.zeros((3, 2, units))
        for i, v in enumerate((x, y)):
            seen = np.isfinite(v)
            count[i] = np.bincount(codes[seen], minlength=units)
            total = np.bincount(codes[seen], weights=v[seen], minlength=units)
            mean[i] = total / np.maximum(count[i], 1)
            off = v[seen] - mean[i][codes[seen]]
            inside[i] = np.bincount(codes[seen], weights=off**2, minlength=units)
        both = (count > 0).all(axis=0)
        freedom = np.maximum(count - 1, 0)
        share = np.where(both, 1 - 1 / np.maximum(count, 1), 0.0)
        delta = np.where(both, mean[1] - mean[0], 0.0)
        columns = [both.astype(np.float64), delta, delta**2]
        repeated = [i for i in (0, 1) if freedom[i].any()]
        for i in repeated:
            columns += [share[i], inside[i], freedom[i]]
        n = int(both.sum())

        def variance(t: NDArray[Any]) -> NDArray[Any]:
            found = _spread(t, n)
            for j in range(len(repeated)):
                shares, squares, df = (t[..., 3 + 3 * j + i] for i in range(3))
                found = found + shares / t[..., 0] * squares / df
            return found

        sums = Sums(beside(columns), True)
        return cls(sums, _ratio(1, 0), variance, kurtosis_of(delta[both]), n)

    def log_sd(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return the logarithm of the SD from sums."""
        return np.asarray(0.5 * log(self.variance(t)))

    @property
    def dominated(self) -> bool:
        """Whether a few differences carry most of the variance."""
        return dominates(self.kurtosis, self.n)

    def intervals(
        self, multiplier: float, *, level: float, n_resamples: int, rng: Rng, n_jobs: int | None
    ) -> tuple[Interval, Interval, Interval] | None:
        """Return the intervals of the SD and of both limits; None if the data give none.

        That of the SD is bootstrap-t of its logarithm, that of the mean t. A limit's combines them
        by MOVER with their correlation (Zou & Donner 2008, Stat Med 27:1693-1702; Donner & Zou
        2012, Stat Methods Med Res 21:347-359): with skew differences they move together.
        """
        sums = self.sums
        found = sums.interval(
            self.log_sd,
            level=level,
            n_resamples=n_resamples,
            rng=rng,
            n_jobs=n_jobs,
            scale="log SD",
        )
        if found is None:
            return None
        found = found.through(exp)
        return found, *self.limits(multiplier, found)

    def limits(self, multiplier: float, spread: Interval) -> tuple[Interval, Interval]:
        """Return the intervals of both limits that follow from this one of the SD, see above."""
        sums = self.sums
        mean, sd = sums.value(self.mean), math.exp(sums.value(self.log_sd))
        reach = t_reach(sums.n_units - 1, spread.level) * sums.standard_error(self.mean)
        pulls = sums.pull(self.mean), sums.pull(self.log_sd)
        size = math.sqrt(dot(pulls[0], pulls[0]) * dot(pulls[1], pulls[1]))
        r = dot(pulls[0], pulls[1]) / size if size > 0 else 0.0
        below, above = multiplier * (sd - spread.low), multiplier * (spread.high - sd)

        def combined(a: float, r: float) -> float:
            if not math.isfinite(a):
                return math.inf
            return math.sqrt(max(a**2 + reach**2 + 2 * r * a * reach, 0.0))

        name, level = f"MOVER: t of the mean, {spread.method}", spread.level
        low, high = mean - multiplier * sd, mean + multiplier * sd
        return (
            Interval(low - combined(above, -r), low + combined(below, -r), level, name),
            Interval(high - combined(below, r), high + combined(above, r), level, name),
        )

    def errors(self, multiplier: float) -> tuple[float, float, float]:
        """Return the standard errors of the SD and of both limits."""
        mean, log_sd = self.sums.pull(self.mean), self.sums.pull(self.log_sd)
        sd = math.exp(self.sums.value(self.log_sd)) * log_sd
        wide = self.sums.n_units / (self.sums.n_units - 1)
        pulls = sd, mean - multiplier * sd, mean + multiplier * sd
        of_sd, low, high = (math.sqrt(wide * dot(p, p)) for p in pulls)
        return of_sd, low, high


def kurtosis_of(d: FloatArray) -> float:
    """Return the kurtosis, 3 for a Gaussian; NaN if all are equal."""
    squares = (d - d.mean()) ** 2
    square = float(np.mean(squares))
    return float(np.mean(squares**2)) / square**2 if square > 0 else math.nan


def _ratio(top: int, bottom: int) -> Function:
    def ratio(t: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(t[..., top] / t[..., bottom])

    return ratio


def _spread(t: NDArray[Any], n: int) -> NDArray[Any]:
    """Return the variance of one column from its first three sums, n − 1 of n in a resample too."""
    each = 1 / t[..., 0]
    mean = t[..., 1] * each
    return np.asarray((t[..., 2] * each - mean * mean) / (1 - 1 / n))
