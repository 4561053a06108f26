"""Which of several models is nearer to the truth: paired, on the same resamples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray, beside
from annostat.resampling.bootstraps import Resamples, bootstrap_sums
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import of_ordered
from annostat.resampling.multiplicity import holm, step_down
from annostat.resampling.sums import FEW_UNITS, Sums, folded
from annostat.results.estimates import Estimate, Interval
from annostat.results.text import plain
from annostat.truth.means import SAME, mean_estimate

ROUNDING = 1e-12
PAIRS = 64  # of models, taken together
CELLS = 1 << 18  # numbers of items of pairs, taken together


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the items that both have.

    Attributes
    ----------
    first, second : str
        Names of the models.
    difference : Estimate
        E(first − Y)² − E(second − Y)²: negative if the first is nearer to the truth. The noise of
        the labels cancels in it.
    p_value, p_adjusted : float or None
        Two-sided, as it is and for all pairs together (step-down of the largest |t|; Holm below
        eight units).
    nearer : str
        The model that is nearer to the truth, empty if that is not shown.
    n_items : int
    """

    first: str
    second: str
    difference: Estimate
    p_value: float | None
    p_adjusted: float | None
    nearer: str
    n_items: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "first": self.first,
            "second": self.second,
            "n_items": self.n_items,
            "difference": self.difference.to_dict(),
            "p_value": plain(self.p_value),
            "p_adjusted": plain(self.p_adjusted),
            "nearer": self.nearer,
        }


@dataclass(frozen=True, slots=True)
class Paired:
    """The difference of two models on the items that both have.

    Attributes
    ----------
    first, second : str
    difference : Estimate
        Mean of first − second.
    p_value, p_adjusted : float or None
        Two-sided, as it is and for all pairs together.
    n_items : int
    """

    first: str
    second: str
    difference: Estimate
    p_value: float | None
    p_adjusted: float | None
    n_items: int


def paired_differences(
    columns: Mapping[str, FloatArray],
    *,
    cluster: NDArray[np.int64] | None = None,
    unit: str = "",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> list[Paired]:
    """Compare each two of several models by a number that each has of each item.

    Parameters
    ----------
    columns : mapping of name to float64 array of shape (n_items,)
        NaN where a model has none.
    cluster : int64 array of shape (n_items,), optional
        Items of one cluster are drawn together.
    unit : str
        Of the numbers.
    level, n_resamples, rng, n_jobs
        As everywhere.

    Returns
    -------
    list of Paired
        One for each pair, in the order of the models; empty for one model.

    Notes
    -----
    All pairs share the resamples of one symmetric bootstrap-t (Hall 1992, section 3.6): that of
    equal tails covers 89 to 93% below 200 items. p-values are adjusted by the step-down of the
    largest |t| in the same resamples (Romano and Wolf 2005). Below eight units plain t and Holm's
    rule take their place.
    """
    names = list(columns)
    if len(names) < 2:
        return []
    table = beside(list(columns.values()))
    first, second = np.triu_indices(len(names), 1)
    there = np.isfinite(table)
    resampled = cluster, n_resamples, rng, n_jobs
    if (there == there[:, :1]).all():
        drawn = _of_models(np.where(there, table, 0.0), there[:, 0], *resampled)
    else:
        of_pairs = [table[:, a] - table[:, b] for a, b in zip(first, second, strict=True)]
        drawn = _studentised(of_pairs, *resampled)
    found: list[Paired] = []
    step = max(1, min(PAIRS, CELLS // len(table)))
    for begin in range(0, len(first), step):
        a, b = first[begin : begin + step], second[begin : begin + step]
        ts = None if drawn is None else drawn[:, begin : begin + step]
        seen = _means(table[:, a] - table[:, b], cluster, ts, level, unit)
        found += [
            Paired(names[i], names[j], mean, p, None, n)
            for i, j, (mean, p, n) in zip(a, b, seen, strict=True)
        ]
    p_values = [pair.p_value for pair in found]
    if drawn is None:
        adjusted = holm(p_values)
    else:
        adjusted = _together([pair.difference for pair in found], p_values, drawn)
    return [replace(pair, p_adjusted=q) for pair, q in zip(found, adjusted, strict=True)]


def _means(
    differences: FloatArray,
    cluster: NDArray[np.int64] | None,
    drawn: FloatArray | None,
    level: float,
    unit: str,
) -> Iterator[tuple[Estimate, float | None, int]]:
    """Yield the mean of each column, its p-value and its items.

    `drawn`: t* of each resample and column; None for plain t.
    """
    there = np.isfinite(differences)
    total, count = (Sums.of(v, cluster).columns for v in (np.where(there, differences, 0.0), there))
    items, units = count.sum(axis=0), np.count_nonzero(count, axis=0)
    largest = np.maximum(np.abs(total).max(axis=0), count.max(axis=0))
    with np.errstate(all="ignore"):  # as in `mean_estimate`, of all columns at once
        means = total.sum(axis=0) / items
        pulls = (total - means * count) / items
        errors = np.sqrt(units / (units - 1) * np.einsum("ij,ij->j", pulls, pulls))
    ordered = None if drawn is None else np.sort(np.abs(drawn.T), axis=1)  # NaN comes last
    method = f"symmetric bootstrap-t over {'items' if cluster is None else 'clusters'}"
    for i, (mean, error) in enumerate(zip(means.tolist(), errors.tolist(), strict=True)):
        n = int(there[:, i].sum())
        if ordered is None or not error > SAME * largest[i]:
            e, p = mean_estimate(differences[:, i], cluster, level=level, unit=unit), None
            if e.standard_uncertainty:
                t = abs(e.value) / e.standard_uncertainty
                p = 2 * float(special.stdtr(int(units[i]) - 1, -t))
            yield e, p, n
            continue
        ts = ordered[i, : np.count_nonzero(np.isfinite(ordered[i]))]
        reach = of_ordered(ts, level)[0] * error if ts.size else math.inf
        interval = Interval(mean - reach, mean + reach, level, f"{method}, shared resamples")
        beyond = ts.size - int(np.searchsorted(ts, abs(mean) / error))
        yield Estimate(mean, error, interval, unit), (1 + beyond) / (1 + ts.size), n


def _together(
    found: list[Estimate], p_values: list[float | None], drawn: FloatArray
) -> list[float | None]:
    """Return the p-values of the pairs that have one, adjusted together."""
    tested = [i for i, p in enumerate(p_values) if p is not None]
    t = [found[i].value / (found[i].standard_uncertainty or math.nan) for i in tested]
    adjusted: list[float | None] = [None] * len(found)
    if len(tested) < len(found):  # else no copy of what may be much
        drawn = drawn[:, tested]
    for i, q in zip(tested, step_down(t, drawn), strict=True):
        adjusted[i] = max(q, p_values[i] or 0.0)
    return adjusted


def compare_models(
    products: dict[str, FloatArray],
    *,
    cluster: NDArray[np.int64] | None = None,
    unit: str = "",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> list[Comparison]:
    """Compare each two of several models by what each item says about E(f − Y)².

    See `paired_differences` for the parameters and the method.
    """
    found = paired_differences(
        products,
        cluster=cluster,
        unit=unit,
        level=level,
        n_resamples=n_resamples,
        rng=rng,
        n_jobs=n_jobs,
    )
    result = []
    for d in found:
        shown = d.p_adjusted is not None and d.p_adjusted < 1 - level
        nearer = (d.first if d.difference.value < 0 else d.second) if shown else ""
        values = (d.first, d.second, d.difference, d.p_value, d.p_adjusted, nearer, d.n_items)
        result.append(Comparison(*values))
    return result


def _of_models(
    table: FloatArray,
    there: NDArray[np.bool_],
    codes: NDArray[np.int64] | None,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None,
) -> FloatArray | None:
    """Return what `_studentised` does, for models that all have the same items.

    Sums of a difference are made of the models' own, so that each of m(m - 1)/2 pairs takes one
    column, that of its squares, and not five.
    """
    ones = there[:, None].astype(np.float64)
    total, count = Sums.of(table, codes).columns, Sums.of(ones, codes).columns
    n, models = total.shape
    if n < FEW_UNITS:
        return None
    # About each model's mean, and what the models have in common: squares keep their digits.
    own = total - total.sum(axis=0) / max(count.sum(), 1) * count
    both = folded(np.hstack([own - own.mean(axis=1, keepdims=True), count]))
    n, own, count = len(both), both[:, :-1], both[:, -1:]
    drawn = Resamples.of(rng)

    def resampled(columns: FloatArray) -> FloatArray:
        sums = bootstrap_sums(columns, n_resamples=n_resamples, rng=drawn, n_jobs=n_jobs)
        return np.ascontiguousarray(sums.T)  # whole rows are taken of it

    sums = resampled(np.hstack([own, own * count, count, count**2]))
    (s, sm), (m, mm) = sums[: 2 * models].reshape(2, models, -1), sums[2 * models :, None]
    a, b = np.triu_indices(models, 1)
    ts = np.empty((len(a), n_resamples))
    for begin in range(0, len(a), PAIRS):  # what comes of a few pairs stays in the cache
        one, other = a[begin : begin + PAIRS], b[begin : begin + PAIRS]
        ss = resampled((own[:, one] - own[:, other]) ** 2)
        ts[begin : begin + PAIRS] = _ratios(s[one] - s[other], m, ss, sm[one] - sm[other], mm, n)
    return ts.T


def _ratios(
    s: FloatArray, m: FloatArray, ss: FloatArray, sm: FloatArray, mm: FloatArray, n: int
) -> FloatArray:
    """Return s/m over its standard error from n units, NaN where it has none."""
    with np.errstate(all="ignore"):
        shift = s / m
        size = ss + shift**2 * mm
        variance = size - 2 * shift * sm
        ts = shift / (np.sqrt(variance * n / (n - 1)) / m)
    # A resample of one unit has no variance, whatever rounding leaves of it.
    return np.asarray(np.where(variance > ROUNDING * size, ts, np.nan))


def _studentised(
    differences: Sequence[FloatArray],
    codes: NDArray[np.int64] | None,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None,
) -> FloatArray | None:
    """Return (mean* − mean)/SE* of each pair, shape (n_resamples, n_pairs), or None."""
    if (len(differences[0]) if codes is None else codes.max() + 1) < FEW_UNITS:
        return None
    drawn = Resamples.of(rng)
    ts = np.empty((len(differences), n_resamples))
    for begin in range(0, len(differences), PAIRS):
        d = np.column_stack(differences[begin : begin + PAIRS])
        there = np.isfinite(d)
        total, count = (Sums.of(v, codes).columns for v in (np.where(there, d, 0.0), there))
        mean = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
        # About the mean, so that squares keep their digits.
        both = folded(np.hstack([total - mean * count, count]))
        n, pairs = len(both), total.shape[1]
        centred, count = both[:, :pairs], both[:, pairs:]
        everything = np.hstack([centred, count, centred**2, centred * count, count**2])
        sums = bootstrap_sums(everything, n_resamples=n_resamples, rng=drawn, n_jobs=n_jobs)
        s, m, ss, sm, mm = np.ascontiguousarray(sums.T).reshape(5, pairs, -1)
        ts[begin : begin + PAIRS] = _ratios(s, m, ss, sm, mm, n)
    return ts.T
