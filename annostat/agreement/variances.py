"""Variance within and between items, as functions of sums over items."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, beside, unless_rounding
from annostat.errors import check_squares
from annostat.labels.rounds import Rounds
from annostat.once import once
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import exp
from annostat.resampling.steps import log
from annostat.resampling.sums import Function, Smooth, Sums
from annostat.results.estimates import Interval

MANY_ROUNDS = 8  # with more, the round means are taken as known
# With rare blunders, a sample holds too few of them for any interval of a standard deviation to
# cover. Two signs together: heavy tails, and few items left that carry the variance.
HEAVY_KURTOSIS, FEW_CARRIERS = 9.0, 100
NONE_COVERS = "no interval covers: a few differences carry most of the variance"
# Fewer independent items cannot show their law: a bootstrap-t is two or three times as wide as the
# intervals that are exact for Gaussian noise, and below eight it would not cover.
FEW_ITEMS = 15


@dataclass(frozen=True, eq=False)
class Variances:
    """Sums behind the variance components of rounds, items (or clusters) being the units.

    Made by `Variances.of`. Values are centred and scaled before they are squared, so that huge
    and tiny units lose no digits; `scale` undoes it.
    """

    sums: Sums
    n_items: int
    n_labels: int
    n_effects: int
    scale: float
    centre: float
    centred: FloatArray  # residuals within items, NaN where missing, in units of `scale`
    effects: FloatArray  # mean of each round about the items' means, in units of `scale`
    units: NDArray[np.int64]  # item or cluster of each row

    @classmethod
    def of(cls, rounds: Rounds) -> Variances:
        """Return the sums of rounds whose items have two or more labels.

        Rounds with an identity may be biased against each other: their means are removed, and
        degrees of freedom paid for it. Where the order of the rounds means nothing they are not.
        """
        about = rounds.values, rounds.cluster, rounds.weights, rounds.exchangeable
        return once("variances", about, lambda: cls._of(rounds.usable()))

    @classmethod
    def _of(cls, rounds: Rounds) -> Variances:
        if rounds.weights is not None:
            rounds = replace(
                rounds.take(np.repeat(np.arange(len(rounds.values)), rounds.weights)), weights=None
            )
        v = np.ascontiguousarray(rounds.values.T)  # a round in each row: sums of few are quick
        seen = np.isfinite(v)
        complete = bool(seen.all())

        def kept(rows: FloatArray, missing: float = 0.0) -> FloatArray:
            return rows if complete else np.where(seen, rows, missing)

        largest = float(np.abs(v if complete else v[seen]).max())
        check_squares(largest)
        n_labels = v.size if complete else int(np.count_nonzero(seen))
        # Item by item first, so that swapping two rounds moves no digit.
        centre = float(kept(v).sum(axis=0).sum() / n_labels)
        z = kept(v - centre)
        scale = float(np.abs(z).max())
        scale = scale if scale > 0 else 1.0
        z /= scale
        k = np.full(v.shape[1], float(len(v))) if complete else seen.sum(axis=0).astype(float)
        effects, n_effects = np.zeros(len(v)), 0
        if not rounds.exchangeable:
            effects, n_effects = _round_effects(z - z.sum(axis=0) / k, seen, k)
            z = kept(z - effects[:, None])
        means = z.sum(axis=0) / k
        residual = unless_rounding(kept(z - means), largest / scale)
        square = np.sum(residual**2, axis=0)
        columns = [np.ones_like(k), k, square, means * k, means**2 * k, k**2]
        if 0 < n_effects < MANY_ROUNDS:
            columns += list(residual)
        codes = cluster_codes(rounds.cluster)
        return cls(
            Sums.of(beside(columns), codes),
            v.shape[1],
            n_labels,
            n_effects,
            scale,
            centre,
            kept(residual, np.nan).T,
            effects,
            np.arange(v.shape[1]) if codes is None else codes,
        )

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the variance within items."""
        return self.n_labels - self.n_items - self.n_effects

    def within(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return the variance within items from sums, in units of scale²."""
        square = t[..., 2]
        for j in range(6, t.shape[-1]):  # the round means of a resample are its own
            square = square - t[..., j] ** 2 / t[..., 0]
        # As many effects per label are paid for in a resample as in the data.
        share = self.n_effects / self.n_items
        return np.asarray(square / (t[..., 1] - t[..., 0] - share * t[..., 0]))

    def within_slopes(self, t: FloatArray) -> dict[int, NDArray[Any]]:
        """Return the derivatives of `within` by the sums."""
        share, n = 1 + self.n_effects / self.n_items, t[..., 0]
        each = 1 / (t[..., 1] - share * n)
        within = self.within(t)
        found = {0: share * within * each, 1: -within * each, 2: each}
        for j in range(6, t.shape[-1]):
            mean = t[..., j] / n
            found[j] = -2 * mean * each
            found[0] = found[0] + mean * mean * each
        return found

    def between(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return the mean square between items from sums, in units of scale²."""
        items, labels = t[..., 0], t[..., 1]
        return np.asarray((t[..., 4] - t[..., 3] ** 2 / labels) / (items * (1 - 1 / self.n_items)))

    def size(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return k₀, the number of labels of an item that the mean squares speak of."""
        items, labels = t[..., 0], t[..., 1]
        return np.asarray((labels - t[..., 5] / labels) / (items * (1 - 1 / self.n_items)))

    @cached_property
    def reliability(self) -> Smooth:
        """The share of the truth in the variance of one label, ICC(1) or its like."""

        def share(t: NDArray[Any]) -> NDArray[Any]:
            w = self.within(t)
            spread = (self.between(t) - w) / self.size(t)
            return np.asarray(spread / (spread + w))

        def slopes(t: FloatArray) -> dict[int, NDArray[Any]]:
            items, labels, mean = t[..., 0], t[..., 1], t[..., 3] / t[..., 1]
            w, b, k = self.within(t), self.between(t), self.size(t)
            spread = (b - w) / k
            total = (spread + w) ** 2
            by_spread, by_w = w / total / k, -spread / total
            # Of the mean square between, of k₀, then of the variance within.
            each = by_spread / (items * (1 - 1 / self.n_items))
            by_k = -spread * each
            found = {
                0: by_spread * (spread * k - b) / items,
                1: mean * mean * each + by_k * (1 + t[..., 5] / labels**2),
                3: -2 * mean * each,
                4: each,
                5: -by_k / labels,
            }
            by_w = by_w - by_spread
            for j, slope in self.within_slopes(t).items():
                found[j] = found.get(j, 0.0) + by_w * slope
            return found

        return Smooth(share, slopes)

    def absolute_agreement(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return that share if the bias of a round counts as error too, ICC(A,1) or its like."""
        w = self.within(t)
        spread = (self.between(t) - w) / self.size(t)
        rounds = len(self.effects)
        off: Any = 0.0
        for j, effect in enumerate(self.effects):
            if 6 + j < t.shape[-1]:  # the bias of a round in a resample
                effect = effect + t[..., 6 + j] / t[..., 0]
            off = off + effect**2 / (rounds - 1)
        # Biases scatter by the noise of their estimates, with n labels of a round w/n.
        return np.asarray(spread / (spread + w + off - w * rounds / t[..., 1]))

    @cached_property
    def kurtosis(self) -> float:
        """Kurtosis of the differences, 3 if they are Gaussian, whatever the number of rounds.

        With q_i the squares within item i on ν degrees of freedom, 1 + ν·(mean q²/(mean q)² − 1):
        exactly the kurtosis of D for two rounds.
        """
        square = self.centred.T**2
        q = square.sum(axis=0)
        if np.isnan(q).any():
            q = np.where(np.isnan(square), 0.0, square).sum(axis=0)
        if q.sum() <= 0:
            return math.nan
        freedom = self.n_labels / self.n_items - 1
        return 1 + freedom * (float(np.mean(q**2)) / float(np.mean(q)) ** 2 - 1)

    @property
    def dominated(self) -> bool:
        """Whether a few items carry most of the variance within items.

        (Σq)²/Σq² = n/(1 + (κ−1)/ν) is the effective number of items that carry it.
        """
        return dominates(self.kurtosis, self.n_items, self.n_labels / self.n_items - 1)


def dominates(kurtosis: float, n: int, freedom: float = 1.0) -> bool:
    """Return whether a few of n items carry most of the variance; `freedom` is of each."""
    return kurtosis > HEAVY_KURTOSIS and n / (1 + (kurtosis - 1) / freedom) < FEW_CARRIERS


def share_interval(
    sums: Sums, share: Function, *, level: float, n_resamples: int, rng: Rng, n_jobs: int | None
) -> Interval | None:
    """Return the bootstrap-t interval of a share of the variance ρ, on the scale of −log(1 − ρ)."""
    g: Function = lambda t: -log(1 - share(t))  # noqa: E731
    if isinstance(share, Smooth):
        g = share.through(lambda x: -log(1 - x), lambda x: 1 / (1 - x))
    found = sums.interval(
        g,
        level=level,
        n_resamples=n_resamples,
        rng=rng,
        n_jobs=n_jobs,
        scale="−log(1−ρ)",
    )
    return found and found.through(lambda x: 1 - exp(-x))


def _round_effects(
    residual: FloatArray, seen: NDArray[np.bool_], k: FloatArray
) -> tuple[FloatArray, int]:
    """Return the least-squares effects of rounds, items being free, and how many are estimated.

    `residual` and `seen` have a round in each row. Effects sum to zero within each set of rounds
    that shared items link.
    """
    if seen.all():
        found = residual.mean(axis=1)
        return found - found.mean(), len(seen) - 1
    m = seen.astype(float)
    normal = np.diag(m.sum(axis=1)) - (m / k) @ m.T
    right = np.where(seen, residual, 0.0).sum(axis=1)
    solution, _, rank, _ = np.linalg.lstsq(normal, right, rcond=1e-10)
    return np.asarray(solution), int(rank)
