"""Sizes of the differences of labels, ready for the likelihood of their laws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.agreement.label_kinds import UnequalRaters
from annostat.agreement.noise_sd import ALL_EQUAL, NOTHING
from annostat.agreement.variances import Variances
from annostat.arrays import FloatArray, beside, dot, row_sums
from annostat.labels.pairs import pair_mae
from annostat.labels.rounds import Rounds
from annostat.noise.hull import CHUNK
from annostat.resampling.clusters import cluster_codes, renumbered
from annostat.resampling.intervals import log_t_limits
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate

APART = 1.5  # ratio of the raters' noise SDs from which light tails take the bracket
BLOCK = 65_536  # numbers that are taken at a time


@dataclass(frozen=True, eq=False)
class Differences:
    """Sizes of the differences of all pairs, and the raters behind them.

    For three or more raters with identity the differences are standardised, and `sizes` are those
    of errors with an SD of 1; `sigmas` then hold the raters' noise SDs, else 1. Those of an item
    stand together, `counts` of them, and `units` are those of items that have any.
    """

    sizes: FloatArray
    counts: NDArray[np.int64]
    units: NDArray[np.int64]
    k: int
    bias: FloatArray
    bias_error: float
    sigmas: FloatArray
    light_tails: bool

    @cached_property
    def n_units(self) -> int:
        """Number of independent units."""
        return int(self.units.max()) + 1

    @property
    def platykurtic(self) -> bool:
        """Whether the tails are lighter than those of Gaussian differences."""
        square, fourth = _even_moments(self.sizes)
        return fourth < 3 * square**2

    @property
    def unit_size(self) -> float:
        """What E|X| of the fitted law is a multiple of."""
        return float(self.sigmas.mean())

    @cached_property
    def design_effect(self) -> float:
        """Variance of mean |d| over units, over that of independent differences.

        At least k/2, k being the labels of an item, which makes its k(k − 1)/2 pairs count as the
        k − 1 differences that they are made of.
        """
        mean, independent = float(self.sizes.mean()), 0.0
        for begin in range(0, len(self.sizes), CHUNK):
            off = self.sizes[begin : begin + CHUNK] - mean
            independent += dot(off, off)
        total = self._of_units(self.sizes) - mean * np.bincount(self.units, self.counts)
        return max(dot(total, total) / independent if independent > 0 else 1.0, self.k / 2)

    def shared_limit(self, level: float) -> float:
        """Return the upper limit of mean_j E|X_j + β_j| where difficulty is shared."""
        # A sum over raters of max(size·σ/√2, |β|) is linear between the sizes where one of them
        # turns from its bias to its noise: sums over the raters in this order serve every size.
        slopes, bias = self.sigmas / math.sqrt(2), np.abs(self.bias)
        turns = np.divide(bias, slopes, out=np.full(bias.size, np.inf), where=slopes > 0)
        order = np.argsort(turns)
        noisy = np.concatenate([[0.0], np.cumsum(slopes[order])])
        biased = np.concatenate([np.cumsum(bias[order][::-1])[::-1], [0.0]])
        turns = turns[order]

        def shared(sizes: FloatArray) -> FloatArray:
            turned = np.searchsorted(turns, sizes)
            return np.asarray((sizes * noisy[turned] + biased[turned]) / bias.size)

        return self._upper(self._mean(self.sizes, shared), level)

    def half_limit(self, level: float) -> float:
        """Return the upper limit of E|D|/√2, in the units of `sizes`."""
        return self._upper(self._half, level)

    @cached_property
    def _half(self) -> tuple[float, float]:
        return self._mean(self.sizes, lambda sizes: sizes / math.sqrt(2))

    def _mean(
        self, sizes: FloatArray, of: Callable[[FloatArray], FloatArray] = np.asarray
    ) -> tuple[float, float]:
        """Return the mean over all pairs of what is made of sizes, and its error over units."""
        counts = np.bincount(self.units, self.counts)
        sums = Sums(beside([counts, self._of_units(sizes, of)]), True)

        def mean(t: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(t[..., 1] / t[..., 0])

        return sums.value(mean), sums.standard_error(mean)

    def _of_units(
        self, sizes: FloatArray, of: Callable[[FloatArray], FloatArray] = np.asarray
    ) -> FloatArray:
        """Return the sum over each unit of what is made of the sizes of its pairs."""
        begins = np.cumsum(self.counts) - self.counts
        total = np.zeros(len(begins))
        for at in range(0, len(sizes), CHUNK):
            part = of(sizes[at : at + CHUNK])
            first, last = np.searchsorted(begins, [at, at + len(part) - 1], side="right") - 1
            items = slice(first, last + 1)
            total[items] += np.add.reduceat(part, np.maximum(begins[items] - at, 0))
        return np.asarray(np.bincount(self.units, total))

    def _upper(self, mean: tuple[float, float], level: float) -> float:
        return float(log_t_limits(*mean, self.n_units - 1, level)[1])

    @classmethod
    def of(cls, rounds: Rounds, v: Variances, raters: UnequalRaters | None) -> Differences:
        """Return the differences of usable rounds, about the biases of the rounds."""
        z = rounds.values - v.effects * v.scale
        n, k = z.shape
        shrink = math.sqrt(v.degrees / (v.n_labels - v.n_items)) if v.n_effects else 1.0
        codes = cluster_codes(rounds.cluster)
        units = np.arange(n) if codes is None else codes
        one, other = np.triu_indices(k, 1)
        d = np.empty((n, len(one)))
        for rows in _blocks(d):  # of many raters each copy of all pairs counts
            np.subtract(z[rows][:, one], z[rows][:, other], out=d[rows])
            d[rows] /= shrink
        seen = np.isfinite(d)
        bias = np.zeros(2 if k == 2 else k)
        sigmas = np.ones(len(bias))
        error, light = 0.0, False
        standardised = k > 2 and not rounds.exchangeable
        if not rounds.exchangeable:
            bias = v.effects * v.scale
            if raters is not None:
                errors = [r.bias.standard_uncertainty or 0.0 for r in raters.raters]
                error = float(np.mean(errors))
        if standardised:
            counts, total = seen.sum(axis=0), _square_sums(d, seen)
            sigmas = np.sqrt(rater_variances(total, counts, k))
            scales = np.sqrt(2 / (sigmas[one] ** 2 + sigmas[other] ** 2))
            for rows in _blocks(d):
                d[rows] *= scales
        for rows in _blocks(d):
            np.abs(d[rows], out=d[rows])
        sizes = d.ravel() if seen.all() else d[seen]
        if standardised:
            square, fourth = _even_moments(sizes)
            light = fourth / square**2 < 3 and bool(sigmas.max() > APART * sigmas.min())
        pairs = row_sums(seen)
        units = renumbered(units[pairs > 0])
        return cls(sizes, pairs[pairs > 0], units, k, bias, error, sigmas, light)


def _even_moments(sizes: FloatArray) -> tuple[float, float]:
    """Return the means of squares and of fourth powers, a part at a time."""
    square = fourth = 0.0
    for begin in range(0, len(sizes), CHUNK):
        squares = sizes[begin : begin + CHUNK] ** 2
        square += float(squares.sum())
        fourth += dot(squares, squares)
    return square / len(sizes), fourth / len(sizes)


def _square_sums(d: FloatArray, seen: NDArray[np.bool_]) -> FloatArray:
    """Return the sums of squares of each column, rows at a time."""
    total = np.zeros((1, d.shape[1]))
    for rows in _blocks(d):
        squares = np.where(seen[rows], d[rows] * d[rows], 0.0)
        total = np.add.reduce(np.vstack([total, squares]), axis=0, keepdims=True)
    return np.asarray(total[0])


def _blocks(d: FloatArray) -> Iterator[slice]:
    """Return rows that are taken together: their copies stay in the cache."""
    step = max(BLOCK // d.shape[1], 1)
    return (slice(i, i + step) for i in range(0, len(d), step))


def rater_variances(total: FloatArray, counts: NDArray[np.int64], k: int) -> FloatArray:
    """Return σ_j² from E D_jl² = σ_j² + σ_l² by least squares, none below 1% of their mean.

    `total` and `counts` are ΣD² and the number of differences of each pair of raters, in the order
    of `numpy.triu_indices(k, 1)`; the normal equations need no matrix of pairs × raters.
    """
    one, other = np.triu_indices(k, 1)
    normal, right = np.zeros((k, k)), np.zeros((k, k))
    right[one, other] = right[other, one] = total
    if k > 2 and counts.min() == counts.max():  # their inverse is known
        each = right.sum(axis=1) / counts[0]
        found = (each - each.sum() / (2 * k - 2)) / (k - 2)
    else:
        normal[one, other] = normal[other, one] = counts
        normal[np.diag_indices(k)] = normal.sum(axis=1)
        found = np.linalg.lstsq(normal, right.sum(axis=1), rcond=None)[0]
    mean = float(total.sum() / counts.sum()) / 2
    return np.asarray(np.maximum(found, 0.01 * mean))


def unbiased_pair_mae(rounds: Rounds, v: Variances, *, level: float = 0.95) -> Estimate:
    """Return E|D| after removing the bias between rounds, and paying for its estimate.

    Differences about an estimated bias are too small by √(1 − e/(N − n)), for N labels of n items
    and e effects of rounds (exactly so for Gaussian noise and complete tables).
    """
    if float(v.within(v.sums.totals)) <= NOTHING:
        return Estimate(0.0, unit=rounds.unit, note=ALL_EQUAL)
    if not v.n_effects:
        return pair_mae(rounds, level=level)
    centred = replace(rounds, values=rounds.values - v.effects * v.scale)
    shrink = math.sqrt(v.degrees / (v.n_labels - v.n_items))
    return pair_mae(centred, level=level).scaled(1 / shrink)
