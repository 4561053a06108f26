"""Which of several models is nearer to the truth: paired, on the same resamples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray
from annostat.resampling.bootstraps import bootstrap_sums
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import quantiles
from annostat.resampling.multiplicity import holm, step_down
from annostat.resampling.sums import FEW_UNITS, Sums, folded, upper_pairs
from annostat.results.estimates import Estimate, Interval
from annostat.results.text import plain
from annostat.truth.means import mean_estimate

PAIRS = 64  # of models, taken together


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
    pairs = list(combinations(columns, 2))
    if not pairs:
        return []
    differences = [columns[a] - columns[b] for a, b in pairs]
    found = [mean_estimate(d, cluster, level=level, unit=unit) for d in differences]
    table = np.column_stack(list(columns.values()))
    there = np.isfinite(table)
    if (there == there[:, :1]).all():
        drawn = _of_models(
            np.where(there, table, 0.0), there[:, 0], cluster, n_resamples, rng, n_jobs
        )
    else:
        drawn = _studentised(differences, cluster, n_resamples, rng, n_jobs)
    p_values: list[float | None] = []
    for i, estimate in enumerate(found):
        error = estimate.standard_uncertainty
        if not error:
            p_values.append(None)
            continue
        if drawn is None:
            seen = np.isfinite(differences[i])
            n = int(seen.sum()) if cluster is None else np.unique(cluster[seen]).size
            p_values.append(2 * float(special.stdtr(n - 1, -abs(estimate.value) / error)))
            continue
        ts = np.abs(drawn[:, i][np.isfinite(drawn[:, i])])
        t = abs(estimate.value) / error
        reach = quantiles(ts, level)[0] * error if ts.size else math.inf
        units = "items" if cluster is None else "clusters"
        method = f"symmetric bootstrap-t over {units}, shared resamples"
        interval = Interval(estimate.value - reach, estimate.value + reach, level, method)
        found[i] = Estimate(estimate.value, error, interval, unit)
        p_values.append((1 + int(np.sum(ts >= t))) / (1 + ts.size))
    adjusted = holm(p_values) if drawn is None else _together(found, p_values, drawn)
    return [
        Paired(a, b, estimate, p, q, int(np.isfinite(d).sum()))
        for (a, b), d, estimate, p, q in zip(
            pairs, differences, found, p_values, adjusted, strict=True
        )
    ]


def _together(
    found: list[Estimate], p_values: list[float | None], drawn: FloatArray
) -> list[float | None]:
    """Return the p-values of the pairs that have one, adjusted together."""
    tested = [i for i, p in enumerate(p_values) if p is not None]
    t = [found[i].value / (found[i].standard_uncertainty or math.nan) for i in tested]
    adjusted: list[float | None] = [None] * len(found)
    for i, q in zip(tested, step_down(t, drawn[:, tested]), strict=True):
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

    A difference and its square are made of sums and products of the models' own columns, so that m
    models take m(m + 1)/2 columns of squares and not five of each of their m(m - 1)/2 pairs.
    """
    ones = there[:, None].astype(np.float64)
    total, count = Sums.of(table, codes).columns, Sums.of(ones, codes).columns
    n, models = total.shape
    if n < FEW_UNITS:
        return None
    # About each model's mean, and what the models have in common: squares keep their digits.
    own = total - total.sum(axis=0) / max(count.sum(), 1) * count
    both = folded(np.hstack([own - own.mean(axis=1, keepdims=True), count]))
    n = len(both)
    first, second = upper_pairs(models + 1)
    everything = np.hstack([both, both[:, first] * both[:, second]])
    drawn = bootstrap_sums(everything, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs)
    drawn = np.ascontiguousarray(drawn.T)  # whole rows are taken of it
    sums, m = drawn[:models], drawn[[models]]
    place = np.empty((models + 1, models + 1), dtype=np.int64)
    place[first, second] = place[second, first] = models + 1 + np.arange(first.size)
    a, b = np.triu_indices(models, 1)
    ts = np.empty((len(a), drawn.shape[1]))
    for begin in range(0, len(a), PAIRS):  # what comes of a few pairs stays in the cache
        rows = slice(begin, begin + PAIRS)
        one, other = a[rows], b[rows]
        squares = drawn[place[one, one]] - 2 * drawn[place[one, other]] + drawn[place[other, other]]
        mixed = drawn[place[one, models]] - drawn[place[other, models]]
        of_counts = drawn[place[[models], models]]
        ts[rows] = _ratios(sums[one] - sums[other], m, squares, mixed, of_counts, n)
    return ts.T


def _ratios(
    s: FloatArray, m: FloatArray, ss: FloatArray, sm: FloatArray, mm: FloatArray, n: int
) -> FloatArray:
    """Return s/m over its standard error from n units, NaN where it has none."""
    with np.errstate(all="ignore"):
        shift = s / m
        variance = np.maximum(ss - 2 * shift * sm + shift**2 * mm, 0.0) * n / (n - 1)
        ts = shift / (np.sqrt(variance) / m)
    return np.asarray(np.where(variance > 0, ts, np.nan))


def _studentised(
    differences: list[FloatArray],
    codes: NDArray[np.int64] | None,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None,
) -> FloatArray | None:
    """Return (mean* − mean)/SE* of each pair, shape (n_resamples, n_pairs), or None."""
    d = np.column_stack(differences)
    there = np.isfinite(d)
    total, count = (Sums.of(v, codes).columns for v in (np.where(there, d, 0.0), there))
    n, pairs = total.shape
    if n < FEW_UNITS:
        return None
    mean = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    # About the mean, so that squares keep their digits.
    both = folded(np.hstack([total - mean * count, count]))
    n = len(both)
    centred, count = both[:, :pairs], both[:, pairs:]
    everything = np.hstack([centred, count, centred**2, centred * count, count**2])
    drawn = bootstrap_sums(everything, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs)
    s, m, ss, sm, mm = (drawn[:, i * pairs : (i + 1) * pairs] for i in range(5))
    return _ratios(s, m, ss, sm, mm, n)
