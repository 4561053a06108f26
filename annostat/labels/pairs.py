"""Sums over the pairs of annotations of each item, and the mean difference E|D|.

The unit of independence is the cluster (patient) where one is given, else the item. A row of
weight w counts as w items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from annostat.arrays import FloatArray, IntArray, all_whole, dot, sorted_within, unless_rounding
from annostat.errors import check_level, check_squares
from annostat.labels.rounds import Rounds
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.intervals import log_t_limits
from annostat.results.estimates import Estimate, Interval

ROUNDING = 1e-12  # a spread below this fraction of the mean is rounding, not spread


def pair_mae(rounds: Rounds, *, level: float = 0.95) -> Estimate:
    r"""Return the mean absolute difference between two annotations of the same item, E|D|.

    Every pair of annotations of an item has weight 1, so an item with k annotations counts
    k(k − 1)/2 times; with more than two rounds and missing cells the note says so.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds); NaN is a missing annotation, and items with fewer
        than two annotations are left out.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        In `rounds.unit`. The interval is a t interval for log E|D|: with S_u the sum of |D| and
        M_u the number of pairs in unit u of C, m = ΣS/ΣM and
        SE² = C/(C−1) · Σ(S_u − m·M_u)² / (ΣM)², it is m·exp(± t_{C−1}·SE/m). It covers 93 to
        95% even under rare blunders. If all differences are 0 the interval is [0, u]: u is the
        Clopper-Pearson limit 1 − (α/2)^(1/C) of the share of units that differ, times the
        smallest step between two values (1 for whole numbers). It then bounds how often
        annotations differ, on the premise that they differ by that smallest step. With one unit,
        or if all differences have one size, the interval is None and the note says why.

    Raises
    ------
    AnnostatError
        If no item has two annotations, values are beyond 1e60 or all below 1e-60, or the level
        is outside (0, 1).

    Examples
    --------
    >>> rounds = Rounds.from_array([[10, 12], [31, 30], [7, 7], [20, 23]], unit="frames")
    >>> print(pair_mae(rounds))
    1.50 frames, 95% interval 0.38 to 5.90
    """
    level = check_level(level)
    rounds = rounds.usable()
    unit = rounds.unit
    table = PairTable.of(rounds)
    mean, se, units = ratio_of_sums(table.abs_sum, table.pairs, table.weights, table.codes)
    note = ""
    if (table.pairs != table.pairs[0]).any():
        note = "every pair of annotations counts once: items with more annotations weigh more"
    if mean == 0:
        share = -math.expm1(math.log((1 - level) / 2) / units)
        method = "Clopper-Pearson limit of the share that differs, by one step each"
        top = share * smallest_step(rounds.values)
        return Estimate(0.0, None, Interval(0.0, top, level, method), unit, note)
    if units < 2:
        what = "items" if table.codes is None else "clusters"
        return Estimate(mean, None, None, unit, f"no interval: it takes two {what} or more")
    if se <= ROUNDING * mean:
        why = "no interval: all differences have the same size"
        return Estimate(mean, None, None, unit, why)
    low, high = log_t_limits(mean, se, units - 1, level)
    where = "items" if table.codes is None else "clusters"
    interval = Interval(float(low), float(high), level, f"log-t over {where}")
    return Estimate(mean, se, interval, unit, note)


def design_effect(rounds: Rounds) -> float:
    """Return by how much clusters widen the variance of mean |D|; at least 1, 1 without clusters.

    Ratio of the cluster-robust variance to that of independent items (Kish 1965).
    """
    if rounds.cluster is None:
        check_squares(float(np.abs(rounds.values[rounds.present]).max()))
        return 1.0
    table = PairTable.of(rounds)
    mean, se, units = ratio_of_sums(table.abs_sum, table.pairs, table.weights, table.codes)
    _, plain_se, _ = ratio_of_sums(table.abs_sum, table.pairs, table.weights, None)
    if units < 2 or plain_se <= ROUNDING * mean:
        return 1.0
    return max((se / plain_se) ** 2, 1.0)


@dataclass(frozen=True, eq=False)
class PairTable:
    """Sums over the pairs of each item, without a loop over pairs; a round stands in each row."""

    values: FloatArray  # shape (k, n), NaN where missing
    first: FloatArray  # first label of each item, shape (n,)
    shifted: FloatArray  # values less that, which keeps whole numbers whole
    weights: FloatArray  # multiplicity of each item, shape (n,)
    codes: IntArray | None  # cluster of each item
    readings: IntArray
    pairs: FloatArray
    abs_sum: FloatArray  # Σ|D| over the pairs of the item

    @classmethod
    def of(cls, rounds: Rounds) -> PairTable:
        """Return the sums; items of weight 0 are left out by the caller's arithmetic."""
        v = np.ascontiguousarray(rounds.values.T)  # sums of a few long rows are quick
        seen = np.isfinite(v)
        complete = bool(seen.all())
        largest = float(np.abs(v if complete else v[seen]).max())
        check_squares(largest)
        k = rounds.readings
        first = v[0] if complete else v[seen.argmax(axis=0), np.arange(v.shape[1])]
        shifted = unless_rounding(v - first, largest)
        # Σ|z_i − z_j| = Σ (2r − k − 1) z_(r); missing cells sort last.
        ordered = sorted_within(shifted)
        ordered *= 2.0 * np.arange(1, len(v) + 1)[:, None] - 1.0 - (k[:1] if complete else k)
        return cls(
            v,
            first,
            shifted,
            weights=rounds.row_weights.astype(np.float64),
            codes=cluster_codes(rounds.cluster),
            readings=k,
            pairs=(k * (k - 1) / 2).astype(np.float64),
            abs_sum=np.maximum(_total(ordered), 0),
        )

    @cached_property
    def _mean(self) -> FloatArray:
        return np.asarray(_total(self.shifted) / self.readings)

    @cached_property
    def means(self) -> FloatArray:
        """Mean of each item."""
        return np.asarray(self._mean + self.first)

    @cached_property
    def centred(self) -> FloatArray:
        """Labels less the mean of their item, shape (k, n)."""
        return np.asarray(self.shifted - self._mean)

    @cached_property
    def square_sum(self) -> FloatArray:
        """ΣD² over the pairs of the item."""
        return np.asarray(self.readings * _total(self.centred**2))

    @cached_property
    def whole(self) -> bool:
        """Whether all labels are whole numbers."""
        return all_whole(self.values)


def _total(rows: FloatArray) -> FloatArray:
    """Return the sum of each column, what is missing left out."""
    found = rows.sum(axis=0)
    if np.isnan(found).any():
        found = np.where(np.isnan(rows), 0.0, rows).sum(axis=0)
    return np.asarray(found)


def unit_sums(
    y: FloatArray, w: FloatArray, codes: IntArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return the sum of each unit and how many units it stands for."""
    if codes is None:
        return y, w
    present = counted_by(codes, w) > 0
    return counted_by(codes, w * y)[present], np.ones(int(present.sum()))


def ratio_of_sums(
    y: FloatArray, m: FloatArray, w: FloatArray, codes: IntArray | None
) -> tuple[float, float, int]:
    """Return Σy/Σm, its standard error over units (0 with one unit), and the number of units."""
    total, size = dot(w, y), dot(w, m)
    mean = total / size
    residual, counts = unit_sums(y - mean * m, w, codes)
    units = int(counts.sum())
    if units < 2:
        return mean, 0.0, units
    return mean, math.sqrt(units / (units - 1) * dot(counts, residual**2)) / size, units


def counted_by(codes: IntArray, w: FloatArray) -> FloatArray:
    """Return the total weight of each code."""
    return np.asarray(np.bincount(codes, w), dtype=np.float64)


def smallest_step(values: FloatArray) -> float:
    """Return the smallest step between two values, 1 for whole numbers."""
    seen = np.unique(values[np.isfinite(values)])
    if seen.size < 2 or all_whole(seen):
        return 1.0
    return float(np.diff(seen).min())


def single_pairs(rounds: Rounds) -> tuple[FloatArray, FloatArray]:
    """Return what two labels of an item differ by, |d|, and how likely each of these is.

    An item of three labels counts like one of two.
    """
    first, second = np.triu_indices(rounds.n_rounds, 1)
    d = np.abs(rounds.values[:, first] - rounds.values[:, second])
    there = np.isfinite(d)
    weight = np.broadcast_to(1 / np.maximum(there.sum(axis=1, keepdims=True), 1), d.shape)
    size, place = np.unique(d[there], return_inverse=True)
    chance = np.bincount(place, weight[there])
    return size, chance / chance.sum()
