"""The individual equivalence index from sums over items, and how far it may be off.

Every statistic here is a function of A = Σ mean_j d(f, z_j), B = Σ mean d(z_j, z_l) and the number
of items N = M: γ = A/N − B/M, the log ratio log((A/N)/(B/M)). Distances that are ratios of sums,
as 1 − F1 of pooled counts, have their own N = Σ mean_j w(f, z_j) and M = Σ mean w(z_j, z_l). What
an item, or a reader, adds to these sums gives the variance over items (or clusters) and the
jackknife over readers in one pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray, dot
from annostat.resampling.clusters import renumbered
from annostat.resampling.intervals import exp, t_interval, t_reach
from annostat.results.estimates import Estimate, Interval

# Units from which on half of the cells' noise may be taken out: with fewer, "better" was said of a
# fair model in up to 10% of simulated studies instead of 5%.
MANY_UNITS = 100

Statistic = Callable[[FloatArray], FloatArray]  # of sums (A, B, N, M) along the last axis


def difference(t: FloatArray) -> FloatArray:
    """Return γ = A/N − B/M."""
    return np.asarray(t[..., 0] / t[..., 2] - t[..., 1] / t[..., 3])


def log_ratio(t: FloatArray) -> FloatArray:
    """Return log((A/N)/(B/M))."""
    return np.asarray(np.log(t[..., 0] / t[..., 1] * (t[..., 3] / t[..., 2])))


def log_among(t: FloatArray) -> FloatArray:
    """Return log(B/M)."""
    return np.asarray(np.log(t[..., 1] / t[..., 3]))


def mean_first(t: FloatArray) -> FloatArray:
    """Return A/N."""
    return np.asarray(t[..., 0] / t[..., 2])


def rest(t: FloatArray) -> FloatArray:
    """Return A/N − ½B/M: for squares the error of a model against the truth."""
    return np.asarray(t[..., 0] / t[..., 2] - 0.5 * t[..., 1] / t[..., 3])


def slopes(g: Statistic, t: FloatArray) -> FloatArray:
    """Return the derivatives of a statistic, by name: they are simple and exact."""
    a, b, n, m = t
    if g is difference:
        return np.array([1 / n, -1 / m, -a / n**2, b / m**2])
    if g is rest:
        return np.array([1 / n, -0.5 / m, -a / n**2, 0.5 * b / m**2])
    if g is log_ratio:
        return np.array([1 / a, -1 / b, -1 / n, 1 / m])
    if g is log_among:
        return np.array([0.0, 1 / b, 0.0, -1 / m])
    return np.array([1 / n, 0.0, -a / n**2, 0.0])


def across(columns: NDArray[Any]) -> FloatArray:
    """Return the sums over readers of an array of shape (n, n_readers), reader by reader."""
    total = columns[:, 0].astype(np.float64)
    for column in columns.T[1:]:
        total += column
    return np.asarray(total)


def side_by_side(*columns: NDArray[Any]) -> FloatArray:
    """Return columns as an array of shape (n, p), each of them in one piece of memory.

    Few columns of many items are looked at one by one: that is several times as fast.
    """
    return np.stack(columns).T.astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class Units:
    """What each unit (item, or cluster of items) adds to the sums, and each reader in it.

    Attributes
    ----------
    sums : float64 array of shape (n_units, 4)
        A, B and what these are counted in: the number of items twice, or the sums of weights.
    by_reader : four float64 arrays of shape (n_units, n_readers), or None
        The part of these that comes from the pairs of readers with this reader, each pair counting
        with both; None where readers are no sample. Without weights the last two are one array.
    n_readers : int
    clustered : bool
    """

    sums: FloatArray
    by_reader: tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None
    n_readers: int
    clustered: bool

    @classmethod
    def of(
        cls,
        to_model: FloatArray,
        among: FloatArray,
        seen: NDArray[np.bool_],
        codes: NDArray[np.int64] | None,
        *,
        readers: bool,
        weights: tuple[FloatArray, FloatArray] | None = None,
    ) -> Units:
        """Return the units of cells: distances to a model, and sums among the labels.

        Parameters
        ----------
        to_model : float64 array of shape (n_items, n_readers)
            d(f, z_j), 0 where there is no label.
        among : float64 array of the same shape
            Σ_l d(z_j, z_l), 0 where there is no label.
        readers : bool
            Whether readers are a sample too.
        weights : two arrays as `to_model` and `among`, optional
            Weights of these, where the distance is a ratio of sums.
        """
        m = across(seen)
        pairs = m * (m - 1)
        one = np.ones(len(m))
        counted = (one, one)
        if weights is not None:
            counted = across(weights[0]) / m, across(weights[1]) / pairs
        sums = side_by_side(across(to_model) / m, across(among) / pairs, *counted)
        parts: tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None = None
        if readers:
            # Pairs with reader j: Σ ½(a_j + a_l) = ½[(m − 2)a_j + Σa], each counting 2/(m(m − 1)).
            scale = (1 / pairs)[:, None]
            share = seen * scale

            def half(a: FloatArray) -> FloatArray:
                found = (m - 2)[:, None] * a
                found += across(a)[:, None]
                found *= share
                return np.asarray(found)

            if weights is None:
                items = (2 / m)[:, None] * seen
                parts = half(to_model), 2 * scale * among, items, items
            else:
                parts = (
                    half(to_model),
                    2 * scale * among,
                    half(weights[0]),
                    2 * scale * weights[1],
                )
        if codes is not None:
            codes = renumbered(codes)
            n = int(codes.max()) + 1
            sums = _add_up(sums, codes, n)
            if parts is not None:
                a, b, c = (_add_up(part, codes, n) for part in parts[:3])
                parts = a, b, c, c if weights is None else _add_up(parts[3], codes, n)
        return cls(sums, parts, seen.shape[1], codes is not None)

    @classmethod
    def of_means(
        cls,
        first: FloatArray,
        codes: NDArray[np.int64] | None,
        second: FloatArray | None = None,
        weights: tuple[FloatArray, FloatArray] | None = None,
    ) -> Units:
        """Return the units of plain means over items: A and B are sums of `first` and `second`."""
        n = len(first)
        counted = (np.ones(n), np.ones(n)) if weights is None else weights
        sums = side_by_side(first, np.zeros(n) if second is None else second, *counted)
        if codes is not None and n:
            codes = renumbered(codes)
            sums = _add_up(sums, codes, int(codes.max()) + 1)
        return cls(sums, None, 1, codes is not None)

    def against(self, other: Units) -> Units:
        """Return the units with another model for the labels: B and M are its A and N."""
        sums = side_by_side(self.sums[:, 0], other.sums[:, 0], self.sums[:, 2], other.sums[:, 2])
        parts = None
        if self.by_reader is not None and other.by_reader is not None:
            parts = self.by_reader[0], other.by_reader[0], self.by_reader[2], other.by_reader[2]
        return Units(sums, parts, self.n_readers, self.clustered)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.sums)

    @property
    def words(self) -> str:
        """What is independent."""
        return "clusters" if self.clustered else "items"

    @cached_property
    def totals(self) -> FloatArray:
        """Sums over all units, shape (4,)."""
        return np.asarray(self.sums.sum(axis=0))

    @cached_property
    def of_each(self) -> FloatArray:
        """Sums over all units of what each reader adds, shape (n_readers, 4)."""
        parts = self.by_reader or ()
        return np.column_stack([part.sum(axis=0) for part in parts])

    def pulls(self, g: Statistic) -> FloatArray:
        """Return what each unit adds to a statistic, about its mean, shape (n_units,)."""
        first, *others = slopes(g, self.totals)
        pull = first * self.sums[:, 0]
        for slope, column in zip(others, self.sums.T[1:], strict=True):
            if slope:
                pull += slope * column
        return np.asarray(pull)

    @cached_property
    def unlike(self) -> float:
        """What the variance over readers is multiplied by, for how few show how they differ.

        1 + k²v/(k − 1), v being the jackknife variance of log(B/M): after Cox's interval of a
        log-normal mean (`annostat.interchange.reach`), about 1 where readers are alike.
        """
        k, each = self.n_readers, self.of_each
        with np.errstate(all="ignore"):
            v = _jackknife(log_among(self.totals - each))
        return 1 + k**2 * v / (k - 1) if math.isfinite(v) else 1.0

    def spread(self, g: Statistic, *, half: bool = False, unlike: bool = False) -> Spread:
        """Return a statistic with its variance.

        `half` takes half of the cells' noise out again; `unlike` widens the variance over readers
        for how few of them show how they differ.
        """
        key = g, half, unlike
        if key not in self._known:
            self._known[key] = self._spread(g, half, unlike)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[Statistic, bool, bool], Spread]:
        """Spreads that were asked for: each takes passes over all units."""
        return {}

    def _spread(self, g: Statistic, half: bool, unlike: bool) -> Spread:
        total = self.totals
        with np.errstate(all="ignore"):
            value = float(g(total))
        n = self.n_units
        if n < 2 or not math.isfinite(value):
            return Spread(value, math.nan, math.nan, n)
        pull = self.pulls(g)
        items = n / (n - 1) * dot(pull, pull)
        if self.by_reader is None:
            return Spread(value, items, float(n - 1), n)
        k = self.n_readers
        each = self.of_each
        with np.errstate(all="ignore"):
            left_out = g(total - each)
        if not np.isfinite(left_out).all():
            return Spread(value, math.nan, math.nan, n)
        jackknife = _jackknife(left_out)
        if half:
            cells, totals = self.by_cell(g)
            square = float(totals @ totals)
            # The noise of single cells is in the variance over items, and in that over readers.
            noise = float(np.einsum("ij,ij->", cells, cells))
            share = 0.5 * noise / square if square > 0 else 1.0
            jackknife *= 1 - min(share, 1.0)
        if unlike:
            jackknife *= self.unlike
        variance = items + jackknife
        if variance <= 0:
            return Spread(value, 0.0, float(n - 1), n)
        df = variance**2 / (items**2 / (n - 1) + jackknife**2 / (k - 1))
        return Spread(value, variance, df, n)

    def by_cell(self, g: Statistic) -> tuple[FloatArray, FloatArray]:
        """Return what each cell adds to a statistic, about the unit's mean, and each reader."""
        if self.by_reader is None:
            return np.zeros((self.n_units, 1)), np.zeros(1)
        a, b, n, m = self.by_reader
        of_a, of_b, of_n, of_m = slopes(g, self.totals)
        if m is n:
            of_n, of_m = of_n + of_m, 0.0
        cells = of_a * a
        for slope, part in ((of_b, b), (of_n, n), (of_m, m)):
            if slope:
                cells += slope * part
        totals = cells.sum(axis=0)
        cells -= (across(cells) / self.n_readers)[:, None]
        return cells, np.asarray(totals)


def _jackknife(left_out: FloatArray) -> float:
    """Return the variance of a statistic from what it is without each reader."""
    k = len(left_out)
    return (k - 1) / k * float(np.sum((left_out - left_out.mean()) ** 2))


def _add_up(columns: FloatArray, codes: NDArray[np.int64], n: int) -> FloatArray:
    return side_by_side(*(np.bincount(codes, weights=c, minlength=n) for c in columns.T))


@dataclass(frozen=True, slots=True)
class Spread:
    """A statistic, its variance and its degrees of freedom (NaN where there is none)."""

    value: float
    variance: float
    df: float
    n_units: int

    @property
    def error(self) -> float:
        """Standard error."""
        return math.sqrt(self.variance) if self.variance >= 0 else math.nan

    @property
    def known(self) -> bool:
        """Whether it has an interval: units that all say the same leave nothing to chance."""
        return self.error > 1e-12 * max(abs(self.value), 1e-12)

    def p_below(self, limit: float) -> float | None:
        """Return the one-sided p-value of "at least `limit`": small if the value lies below."""
        if not self.known:
            return None
        return float(special.stdtr(self.df, (self.value - limit) / self.error))

    def p_above(self, limit: float) -> float | None:
        """Return the one-sided p-value of "at most `limit`"."""
        below = self.p_below(limit)
        return None if below is None else 1.0 - below

    def upper(self, level: float) -> float:
        """Return the one-sided upper limit; the value itself where nothing is left to chance."""
        if math.isnan(self.variance):
            return math.nan
        return self.value + t_reach(self.df, 2 * level - 1) * self.error

    def estimate(self, level: float, unit: str, method: str, *, log: bool = False) -> Estimate:
        """Return value and interval, through the exponential for a logarithm."""
        if math.isnan(self.value):
            return Estimate(math.nan, None, None, unit, "undefined: two labels never differ")
        value = exp(self.value) if log else self.value
        if math.isnan(self.variance):
            return Estimate(value, None, None, unit, "no interval: it takes two items or more")
        if not self.known:
            return Estimate(value, 0.0, None, unit, "no interval: all items say the same")
        interval = t_interval(self.value, self.error, self.df, level, method)
        error = self.error
        if log:
            interval, error = interval.through(exp), value * error
        return Estimate(value, error, interval, unit)


def simultaneous(spread: Spread, level: float, count: int, method: str) -> Interval | None:
    """Return the interval of one of `count` statistics that hold together (Bonferroni)."""
    if not spread.known:
        return None
    wide = 1 - (1 - level) / count
    found = t_interval(spread.value, spread.error, spread.df, wide, method)
    return Interval(found.low, found.high, level, method)
