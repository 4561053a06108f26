r"""E|X| of one error from differences D of two: a hull of likelihood intervals of families.

Two labels show D alone, and E|X|/E|D| is between ½ and 1, as the law of X is. So the law is fitted,
in every family of `difference_laws`: L_s(m) = Σ log q_s(|d_i|/m) − n·log m, the profile over the
shapes s, and the m at which it has dropped by χ²₁/2. The hull is that of the intervals of all
families within 2 AIC of the best. Difficulty that both labels of an item share cannot be seen by
two labels: Gaussian errors of unequal size give D any law of heavier tails, with E|X| = E|D|/√2.
Hence users raise the upper end to that of E|D|/√2.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray, dot
from annostat.noise import difference_laws as laws
from annostat.noise.difference_laws import FAMILIES, REACH, STEP, UNIFORM, Law
from annostat.once import once
from annostat.resampling.intervals import t_reach

LOWEST, HIGHEST, CELLS = -300, 200, 600  # of log m, and of log |d|, in steps about log mean |d|
POINTS = 2048
CHUNK = 1 << 16  # differences that are looked at together: what comes of them stays in the cache
EDGE = 1e-9  # |d| below this share of the mean is taken for this
AIC_WITHIN = 2.0
FEW_CELLS, MANY_CELLS, PER_CELL, REFUTED = 12, 20, 5, 0.01
RESOLVED = 8192  # independent differences that tell no more than the lattice of laws has


@dataclass(frozen=True)
class FamilyFit:
    """What one family says: m = E|X| at its maximum, its limits, its AIC less the best one."""

    family: str
    shape: str
    mean: float
    low: float
    high: float
    aic: float


@dataclass(frozen=True, eq=False)
class Hull:
    """Likelihood of all laws at all scales, and what follows from it.

    Attributes
    ----------
    fits : tuple of FamilyFit
        In the order of their AIC.
    p_fit : float or None
        χ² test of the best law on equiprobable cells of |D|; None for too few differences.
    low, high : float
        Hull of the families within 2 AIC of the best.
    laws, scales : tuple of Law, float64 array of shape (n_laws, 2)
        The likelihood set behind the hull: the least and largest E|X| of each law in it.
    best : Law
        Best law of the family of least AIC.
    """

    fits: tuple[FamilyFit, ...]
    p_fit: float | None
    low: float
    high: float
    laws: tuple[Law, ...]
    scales: FloatArray
    best: Law

    def shifted(self, deltas: FloatArray, sigmas: FloatArray) -> tuple[float, float]:
        """Return the range of mean_j E|σ_j·X + δ_j| over the likelihood set and each row of δ."""
        size = self.scales[:, :, None, None] * sigmas
        shifts = zip(self.laws, deltas / size, strict=True)
        found = (size * np.stack([law.shifted(d) for law, d in shifts])).mean(axis=-1)
        return float(found.min()), float(found.max())


def hull(
    sizes: FloatArray,
    *,
    level: float = 0.95,
    design_effect: float = 1.0,
    clusters: int | None = None,
) -> Hull:
    """Return the hull from sizes |d| of differences, not all 0.

    Parameters
    ----------
    sizes : float64 array of shape (n,)
        |d|, centred where raters may be biased.
    level : float
        Confidence level.
    design_effect : float
        At least 1: what the log-likelihood is divided by where differences are not independent.
        More than `RESOLVED` count as so many: shapes and scales are a lattice, and the true law
        lies between its points, where all of them would be refuted.
    clusters : int, optional
        Number of clusters, two or more, where there are any.
    """
    # The design effect of few clusters is itself not well known.
    reach = t_reach(math.inf if clusters is None else clusters - 1, level)
    seen = Likelihood.of(sizes)
    mean, scales = seen.mean, seen.scales
    design_effect = max(design_effect, len(sizes) / RESOLVED)
    loglik = seen.values / design_effect
    cut, edge = reach**2 / 2, -math.log(1 - level)
    t = laws.table()
    fits, inside = [], []
    for number, (family, parameters) in enumerate(FAMILIES.items()):
        rows = np.flatnonzero(t.family == number)
        profile = loglik[rows].max(axis=0)
        at = int(np.argmax(profile))
        best = rows[int(np.argmax(loglik[rows, at]))]
        # The edge of the uniform law is not a regular parameter: its drop is χ²₂/2, not χ²₁/2.
        drop = edge if t.laws[best].shape == UNIFORM else cut
        low, high = limits(profile, scales, drop)
        aic = 2 * parameters - 2 * float(profile[at])
        fits.append(FamilyFit(family, t.laws[best].shape, scales[at], low, high, aic))
        inside.append((rows, profile[at] - drop))
    least = min(f.aic for f in fits)
    kept_laws, kept_scales = [], []
    for f, (rows, bar) in zip(fits, inside, strict=True):
        if f.aic <= least + AIC_WITHIN:
            law, scale = np.nonzero(loglik[rows] >= bar)
            # Of each law the ends are enough: E|X + δ| rises with the scale. They lie between the
            # points of the lattice, half a step further on average.
            numbers, first, count = np.unique(law, return_index=True, return_counts=True)
            ends = scales[[scale[first], scale[first + count - 1]]].T * mean
            kept_laws += [t.laws[rows[i]] for i in numbers]
            kept_scales.append(ends * np.exp([-0.5 * STEP, 0.5 * STEP]))
    within = [f for f in fits if f.aic <= least + AIC_WITHIN]
    low, high = min(f.low for f in within) * mean, max(f.high for f in within) * mean
    row, column = np.unravel_index(int(np.argmax(loglik - _penalty()[:, None])), loglik.shape)
    p = fit_test(sizes, int(row), design_effect, (mean, float(scales[column])))
    ranked = sorted(
        (
            FamilyFit(f.family, f.shape, f.mean * mean, f.low * mean, f.high * mean, f.aic - least)
            for f in fits
        ),
        key=lambda f: f.aic,
    )
    best_law = t.laws[row]
    return Hull(tuple(ranked), p, low, high, tuple(kept_laws), np.vstack(kept_scales), best_law)


@dataclass(frozen=True, eq=False)
class Likelihood:
    """What sizes |d| say of the laws.

    Attributes
    ----------
    n : int
    mean, square : float
        Mean of the sizes and of their squares.
    values : float64 array of shape (n_laws, n_scales)
        Log-likelihood; empty where all sizes are 0.
    scales : float64 array of shape (n_scales,)
        Of a law with E|X| = 1, in units of the mean.
    """

    n: int
    mean: float = 0.0
    square: float = 0.0
    values: FloatArray = field(default_factory=lambda: np.empty((0, 0)))
    scales: FloatArray = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(cls, sizes: FloatArray) -> Likelihood:
        """Return the likelihood of an array of sizes; one answer asks for it several times."""

        def make() -> Likelihood:
            # So that the order of the items moves no digit.
            ordered = np.sort(sizes) if sizes.size <= CHUNK else sizes
            if not ordered.any():
                return cls(ordered.size)
            mean = float(np.mean(ordered))
            square = dot(ordered, ordered) / ordered.size
            return cls(ordered.size, mean, square, *log_likelihood(ordered, mean))

        return once("likelihood", (sizes,), make)


def log_likelihood(sizes: FloatArray, mean: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Return the log-likelihood of each law at each scale, shape (n_laws, n_scales), and scales."""
    counts = np.zeros(2 * CELLS + 1)
    for begin in range(0, len(sizes), CHUNK):
        counts += lattice(sizes[begin : begin + CHUNK], mean)
    return of_lattice(counts, len(sizes))


def lattice(sizes: FloatArray, mean: float) -> FloatArray:
    """Return sizes over their mean, each split between its two neighbours on that of log |d|."""
    place = sizes / mean
    np.maximum(place, EDGE, out=place)
    np.log(place, out=place)
    place /= STEP
    np.clip(place, -CELLS, CELLS - 1e-9, out=place)
    place += CELLS
    left = place.astype(np.int64)
    place -= left
    right = np.bincount(left, place, 2 * CELLS + 1)
    counts = np.bincount(left, minlength=2 * CELLS + 1) - right
    counts[1:] += right[:-1]
    return np.asarray(counts)


def of_lattice(counts: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Return `log_likelihood` of n sizes that were put on the lattice."""
    k = np.arange(LOWEST, HIGHEST + 1)
    # Sizes that differ by rounding alone, as those of one command do, are to be the same ones.
    found = _correlation(np.round(counts, 9).tobytes())
    return found - n * k * STEP, np.exp(k * STEP)


def limits(profile: FloatArray, scales: FloatArray, cut: float) -> tuple[float, float]:
    """Return where a profile has dropped by `cut`, linear in the signed root of the drop."""
    at = int(np.argmax(profile))
    root = np.sqrt(np.maximum(profile[at] - profile, 0.0))
    bar = math.sqrt(cut)
    ends = []
    for side in (root[at::-1], root[at:]):
        over = np.flatnonzero(side >= bar)
        if not over.size:
            ends.append(float(len(side) - 1))
            continue
        i = int(over[0])
        ends.append(i - 1 + (bar - side[i - 1]) / (side[i] - side[i - 1]))
    return float(scales[at] * math.exp(-ends[0] * STEP)), float(
        scales[at] * math.exp(ends[1] * STEP)
    )


def fit_test(
    sizes: FloatArray, row: int, design_effect: float, units: tuple[float, float] = (1.0, 1.0)
) -> float | None:
    """Return the p-value of χ² on equiprobable cells of a law with E|X| = 1, in these units."""
    n = len(sizes)
    cells = min(MANY_CELLS if n >= MANY_CELLS * 10 else FEW_CELLS, n // PER_CELL)
    freedom = cells - 1 - min(list(FAMILIES.values())[laws.table().family[row]], 3)
    if freedom < 1:
        return None
    cumulative = laws.table().cumulative(row)
    slopes = np.append(np.diff(cumulative), 0.0)
    seen = np.zeros(cells, dtype=np.int64)
    for begin in range(0, n, CHUNK):
        # The lattice is even, so that its cell is known without a search.
        place = sizes[begin : begin + CHUNK] / units[0]
        place /= units[1]
        np.maximum(place, EDGE, out=place)
        np.log(place, out=place)
        place /= STEP
        place += REACH
        np.clip(place, 0, len(cumulative) - 1, out=place)
        left = place.astype(np.int64)
        place -= left
        u = cumulative.take(left) + slopes.take(left) * place
        seen += np.bincount(np.minimum((u * cells).astype(np.int64), cells - 1), minlength=cells)
    statistic = float(np.sum((seen - n / cells) ** 2) / (n / cells)) / design_effect
    return float(special.chdtrc(freedom, statistic))


def _penalty() -> FloatArray:
    return np.array(list(FAMILIES.values()), dtype=np.float64)[laws.table().family]


@functools.lru_cache(maxsize=1)
def _correlation(counts: bytes) -> FloatArray:
    """Return Σ_a counts[a]·T[a + l] of each law and scale; one command asks for the same twice."""
    product = np.conj(np.fft.rfft(np.frombuffer(counts), POINTS)) * _spectra()
    # Entry l is at lag l; scale k of m = e^{k·STEP} is at lag REACH − CELLS − k.
    correlation = np.fft.irfft(product, POINTS, axis=1)
    return correlation[:, REACH - CELLS - np.arange(LOWEST, HIGHEST + 1)]


@functools.lru_cache(maxsize=1)
def _spectra() -> NDArray[np.complex128]:
    return np.asarray(np.fft.rfft(laws.table().log_density, POINTS, axis=1))
