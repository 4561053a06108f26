"""Sizes of the differences of labels, ready for the likelihood of their laws."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.agreement.label_kinds import UnequalRaters
from annostat.agreement.noise_sd import ALL_EQUAL, NOTHING
from annostat.agreement.variances import Variances
from annostat.arrays import FloatArray
from annostat.labels.pairs import pair_mae
from annostat.labels.rounds import Rounds
from annostat.noise.hull import design_effect
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.intervals import log_t_limits
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate

APART = 1.5  # ratio of the raters' noise SDs from which light tails take the bracket


@dataclass(frozen=True, eq=False)
class Differences:
    """Sizes of the differences of all pairs, and the raters behind them.

    For three or more raters with identity the differences are standardised, and `sizes` are those
    of errors with an SD of 1; `sigmas` then hold the raters' noise SDs, else 1.
    """

    sizes: FloatArray
    units: NDArray[np.int64]
    k: int
    bias: FloatArray
    bias_error: float
    sigmas: FloatArray
    light_tails: bool

    @property
    def n_units(self) -> int:
        """Number of independent units."""
        return int(self.units.max()) + 1

    @property
    def platykurtic(self) -> bool:
        """Whether the tails are lighter than those of Gaussian differences."""
        square = self.sizes**2
        return float(np.mean(square**2)) < 3 * float(np.mean(square)) ** 2

    @property
    def unit_size(self) -> float:
        """What E|X| of the fitted law is a multiple of."""
        return float(self.sigmas.mean())

    @property
    def design_effect(self) -> float:
        """Variance of mean |d| over units, over that of independent differences."""
        return design_effect(self.sizes, self.units, self.k)

    def shared_limit(self, level: float) -> float:
        """Return the upper limit of mean_j E|X_j + β_j| where difficulty is shared."""
        halves = np.zeros(len(self.sizes))
        for s, b in zip(self.sigmas, self.bias, strict=True):
            halves += np.maximum(self.sizes * s / math.sqrt(2), abs(b)) / len(self.sigmas)
        return self._upper(halves, level)

    def half_limit(self, level: float) -> float:
        """Return the upper limit of E|D|/√2, in the units of `sizes`."""
        return self._upper(self.sizes / math.sqrt(2), level)

    def _upper(self, sizes: FloatArray, level: float) -> float:
        sums = Sums.of(np.column_stack([np.ones(len(sizes)), sizes]), self.units)

        def mean(t: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(t[..., 1] / t[..., 0])

        error, value = sums.standard_error(mean), sums.value(mean)
        return float(log_t_limits(value, error, self.n_units - 1, level)[1])

    @classmethod
    def of(cls, rounds: Rounds, v: Variances, raters: UnequalRaters | None) -> Differences:
        """Return the differences of usable rounds, about the biases of the rounds."""
        z = rounds.values - v.effects * v.scale
        n, k = z.shape
        shrink = math.sqrt(v.degrees / (v.n_labels - v.n_items)) if v.n_effects else 1.0
        codes = cluster_codes(rounds.cluster)
        units = np.arange(n) if codes is None else codes
        pairs = list(combinations(range(k), 2))
        d = np.column_stack([(z[:, a] - z[:, b]) / shrink for a, b in pairs])
        seen = np.isfinite(d)
        bias = np.zeros(2 if k == 2 else k)
        sigmas = np.ones(len(bias))
        error, light = 0.0, False
        if not rounds.exchangeable:
            bias = v.effects * v.scale
            if k > 2:
                square = np.array(
                    [
                        np.nanmean(np.where(s, x, np.nan) ** 2) if s.any() else np.nan
                        for x, s in zip(d.T, seen.T, strict=True)
                    ]
                )
                sigmas = np.sqrt(rater_variances(pairs, square, seen.sum(axis=0), k))
                d = d * [math.sqrt(2 / (sigmas[a] ** 2 + sigmas[b] ** 2)) for a, b in pairs]
                r = d[seen]
                kurtosis = float(np.mean(r**4) / np.mean(r**2) ** 2)
                light = kurtosis < 3 and bool(sigmas.max() > APART * sigmas.min())
            if raters is not None:
                errors = [r.bias.standard_uncertainty or 0.0 for r in raters.raters]
                error = float(np.mean(errors))
        rows = np.broadcast_to(units[:, None], d.shape)[seen]
        places = np.unique(rows, return_inverse=True)[1]
        return cls(np.abs(d[seen]), places, k, bias, error, sigmas, light)


def rater_variances(
    pairs: list[tuple[int, int]], square: FloatArray, counts: FloatArray, k: int
) -> FloatArray:
    """Return σ_j² from E D_jl² = σ_j² + σ_l² by least squares, none below 1% of their mean."""
    there = np.isfinite(square)
    design = np.zeros((len(pairs), k))
    for row, (a, b) in enumerate(pairs):
        design[row, [a, b]] = 1.0
    root = np.sqrt(counts[there])
    found = np.linalg.lstsq(design[there] * root[:, None], square[there] * root, rcond=None)[0]
    mean = float(np.average(square[there], weights=counts[there])) / 2
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
