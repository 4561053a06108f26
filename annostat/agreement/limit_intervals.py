"""Intervals of limits of agreement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.agreement.differences import Differences
from annostat.agreement.variances import NONE_COVERS
from annostat.arrays import FloatArray
from annostat.errors import AnnostatError
from annostat.resampling.clusters import renumbered, require_clusters
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import t_interval, t_reach
from annostat.results.estimates import Estimate, Interval


def moments_of_differences(
    x: FloatArray,
    y: FloatArray,
    pair: NDArray[np.bool_],
    codes: NDArray[np.int64] | None,
    replicates: bool,
) -> tuple[float, float, int, float, float]:
    """Return bias, SD of one difference, units, standard error of the bias, df of the SD."""
    d = (y - x)[pair]
    if codes is None:
        if replicates:
            raise AnnostatError("replicates=True needs clusters: which pairs are of one subject")
        n = len(d)
        sd = float(np.std(d, ddof=1))
        return float(d.mean()), sd, n, sd / math.sqrt(n), n - 1
    if not replicates:
        groups, counts, sums, within, df_within = one_way(d, codes[pair])
        n, total = groups, counts.sum()
        require_clusters("limits of agreement take", n, 3)
        bias = float(sums.sum() / total)
        between = float(np.sum(counts * (sums / counts - bias) ** 2)) / (n - 1)
        size = (total - float(np.sum(counts**2)) / total) / (n - 1)
        extra = max((between - within) / size, 0.0)
        # Cluster-robust error of the mean; Satterthwaite's degrees of freedom of the variance.
        pull = sums - counts * bias
        error = math.sqrt(n / (n - 1) * float(np.sum(pull**2))) / total
        variance = extra + within
        top, rest = between / size, (1 - 1 / size) * within
        spread = top**2 / (n - 1) + (rest**2 / df_within if df_within else 0.0)
        freedom = variance**2 / spread if spread > 0 else n - 1
        return bias, math.sqrt(variance), n, error, freedom
    parts = [one_way(v[np.isfinite(v)], codes[np.isfinite(v)]) for v in (x, y)]
    means = []
    for v in (x, y):
        seen = np.isfinite(v)
        count = np.bincount(codes[seen], minlength=codes.max() + 1)
        total = np.bincount(codes[seen], weights=v[seen], minlength=codes.max() + 1)
        means.append((np.where(count > 0, total / np.maximum(count, 1), np.nan), count))
    (mean_x, count_x), (mean_y, count_y) = means
    both = np.isfinite(mean_x) & np.isfinite(mean_y)
    n = int(both.sum())
    if n < 3:
        raise AnnostatError(f"limits of agreement take 3 or more subjects with both, got {n}")
    delta = (mean_y - mean_x)[both]
    variance = float(np.var(delta, ddof=1))
    pieces = [(variance, n - 1)]
    for (_, _, _, within, df), count in zip(parts, (count_x, count_y), strict=True):
        share = 1 - float(np.mean(1 / count[both]))
        if df:
            pieces.append((share * within, df))
    whole = sum(p for p, _ in pieces)
    freedom = whole**2 / sum(p**2 / df for p, df in pieces) if whole > 0 else n - 1
    bias = float(delta.mean())
    return bias, math.sqrt(whole), n, math.sqrt(variance / n), freedom


def one_way(
    v: FloatArray, codes: NDArray[np.int64]
) -> tuple[int, FloatArray, FloatArray, float, int]:
    """Return groups, their counts and sums, the mean square within, its degrees of freedom."""
    codes = renumbered(codes)
    counts = np.bincount(codes).astype(np.float64)
    sums = np.asarray(np.bincount(codes, weights=v), dtype=np.float64)
    df = len(v) - len(counts)
    inside = float(np.sum((v - (sums / counts)[codes]) ** 2))
    return len(counts), counts, sums, inside / df if df else 0.0, df


def limits_of(
    bias: float,
    sd: float,
    n: int,
    error: float,
    freedom: float,
    z: float,
    method: str,
    level: float,
) -> list[tuple[float, float | None, Interval | None]]:
    """Return the lower and the upper limit of agreement, and the factor of the SD."""
    if sd == 0:
        return [(bias, None, None), (bias, None, None)]
    size = (sd / error) ** 2  # of independent differences with this error of the mean
    if method == "sqrt3":
        se = sd * math.sqrt(3 / size)
        name = "t, SE² = 3·sd²/n (Bland & Altman 1986)"
    else:
        se = sd * math.sqrt(1 / size + z**2 / (2 * freedom))
        name = "t, SE² = sd²·(1/n + z²/(2·df))"
    found: list[tuple[float, float | None, Interval | None]] = []
    reach = t_reach(freedom, level) * se
    for side in (-1, 1):
        limit = bias + side * z * sd
        if method == "noncentral-t":
            tails = [
                float(special.nctdtrit(freedom, z * math.sqrt(size), q)) * error
                for q in ((1 - level) / 2, (1 + level) / 2)
            ]
            ends = sorted(bias + side * t for t in tails)
            interval = Interval(ends[0], ends[1], level, "noncentral t (Carkeet 2015)")
        else:
            interval = Interval(limit - reach, limit + reach, level, name)
        found.append((limit, se, interval))
    return found


@dataclass(frozen=True)
class Moments:
    """Mean and SD of differences, by what they were divided, the factor of the SD, their unit."""

    centre: float
    sd: float
    scale: float
    multiplier: float
    unit: str

    def estimates(
        self, found: Differences, spread: Interval, limits: Sequence[Interval]
    ) -> tuple[Estimate, Estimate, Estimate]:
        """Return the SD with its interval, and both limits with these of `found`.

        `found` is of (difference − centre)/scale.
        """
        errors = [self.scale * error for error in found.errors(self.multiplier)]
        back = [i.through(lambda x: self.centre + self.scale * x) for i in limits]
        sd, lower, upper = (
            Estimate(value, error, interval, self.unit)
            for value, error, interval in zip(self.values, errors, (spread, *back), strict=True)
        )
        return sd, lower, upper

    def bare(self, note: str) -> tuple[Estimate, Estimate, Estimate]:
        """Return the SD and both limits without intervals."""
        sd, lower, upper = (Estimate(v, None, None, self.unit, note) for v in self.values)
        return sd, lower, upper

    @property
    def values(self) -> tuple[float, float, float]:
        """The SD, and the lower and the upper limit."""
        reach = self.multiplier * self.sd
        return self.sd, self.centre - reach, self.centre + reach


def resampled_limits(
    found: Differences,
    moments: Moments,
    *,
    level: float,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None,
) -> tuple[Estimate, Estimate, Estimate]:
    """Return the SD and both limits with the intervals that presume no law."""
    if found.dominated:
        return moments.bare(NONE_COVERS)
    intervals = found.intervals(
        moments.multiplier, level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs
    )
    if intervals is None:
        return moments.bare("no interval: all differences have the same size")
    spread, *limits = intervals
    return moments.estimates(found, spread.through(lambda x: moments.scale * x), limits)


def limits_of_sd(
    found: Differences, moments: Moments, sd: Estimate
) -> tuple[Estimate, Estimate, Estimate]:
    """Return the SD with this interval, and both limits with those that follow from it."""
    if sd.interval is None:
        return moments.bare(sd.note)
    spread = sd.interval.through(lambda x: x / moments.scale)
    return moments.estimates(found, sd.interval, found.limits(moments.multiplier, spread))


def t_estimate(value: float, error: float, df: float, level: float, unit: str) -> Estimate:
    """Return an estimate with its t interval; none where the error is 0."""
    if error == 0:
        return Estimate(value, None, None, unit, "no interval: all differences are equal")
    return Estimate(value, error, t_interval(value, error, df, level, "t"), unit)


def chi_square_interval(sd: float, freedom: float, level: float, unit: str) -> Estimate:
    """Return an SD with its chi-square interval; none where it is 0."""
    if sd == 0:
        return Estimate(0.0, None, None, unit, "no interval: all differences are equal")
    low, high = (
        sd * math.sqrt(freedom / float(special.chdtri(freedom, p)))
        for p in ((1 - level) / 2, (1 + level) / 2)
    )
    error = sd / math.sqrt(2 * freedom)
    return Estimate(sd, error, Interval(low, high, level, "chi-square"), unit)
