"""Rounds as counts of patterns: the form in which the likelihood wants them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError
from annostat.labels.pairs import design_effect
from annostat.labels.rounds import Rounds

FAR = 128  # a widest difference beyond this makes laws that reach it costly
MAX_SPAN = 20_000  # a pmf this wide is the most that is worth an autocorrelation


@dataclass(frozen=True, eq=False)
class Cells:
    """Patterns of differences with their counts; fields as described in `kernels`.

    `of_item` gives the cell of each row of the rounds, `effect` the design effect of clusters;
    `digest` and `n_items` are the rounds', kept since many models are fitted to the same ones.
    """

    z: NDArray[np.int64]
    rater: NDArray[np.int64]
    start: NDArray[np.int64]
    group: NDArray[np.int64]
    count: NDArray[np.float64]
    span: NDArray[np.int64]
    period: NDArray[np.float64]
    length: NDArray[np.int64]  # clip length per group, 0 if not known
    share: NDArray[np.float64]
    of_item: NDArray[np.int64]
    effect: float
    digest: str
    n_items: int

    @classmethod
    def from_rounds(
        cls, rounds: Rounds, *, physical: bool = False, by_rater: bool = False
    ) -> Cells:
        """Collapse rounds of whole-number picks; `physical` groups them by period."""
        picks = rounds.values
        n = len(picks)
        low = np.nanmin(picks, axis=1, keepdims=True)
        spans = np.nanmax(picks, axis=1) - low[:, 0]
        if spans.max() > MAX_SPAN:
            worst = int(spans.argmax())
            label = f"row {worst + 1}" if rounds.items is None else repr(rounds.items[worst])
            raise AnnostatError(
                f"picks of one item differ by up to {spans.max():,.0f} (first: {label}), and the "
                f"noise of a pick is fitted up to {MAX_SPAN:,}; are the picks in frames?"
            )
        z = np.where(np.isnan(picks), -1, picks - low).astype(np.int64)
        if not by_rater:
            z = canonical(z)
        period = np.ones(n) if not physical or rounds.period is None else rounds.period
        length = np.zeros(n, dtype=np.int64) if rounds.length is None else rounds.length
        groups, group = np.array([[1.0, 0.0]]), np.zeros(n, dtype=np.int64)
        if rounds.length is not None or (physical and rounds.period is not None):
            about = np.column_stack([period, length])
            groups, group = np.unique(about, axis=0, return_inverse=True)
        # One integer per row, where it fits, makes `unique` ten times as fast as on rows.
        table = np.column_stack([group.ravel(), z + 1])
        cells, of_item = unique_rows(table)
        weights = rounds.row_weights
        present = cells[:, 1:] > 0
        count = np.bincount(of_item, weights=weights, minlength=len(cells))
        k = present.sum(axis=1)
        readings = np.bincount(cells[:, 0], weights=count * k, minlength=len(groups))
        return cls(
            z=cells[:, 1:][present] - 1,
            rater=np.nonzero(present)[1] * int(by_rater),
            start=np.concatenate([[0], np.cumsum(k)]).astype(np.int64),
            group=np.ascontiguousarray(cells[:, 0]),
            count=count.astype(np.float64),
            span=cells[:, 1:].max(axis=1) - 1,
            period=np.ascontiguousarray(groups[:, 0]),
            length=groups[:, 1].astype(np.int64),
            share=readings / readings.sum(),
            of_item=of_item,
            effect=design_effect(rounds),
            digest=rounds.digest(),
            n_items=rounds.n_items,
        )

    @property
    def readings(self) -> NDArray[np.int64]:
        """Number of annotations in each cell."""
        return np.diff(self.start)

    @property
    def far(self) -> bool:
        """Whether the widest difference is so wide that laws which reach it are costly."""
        return int(self.span.max()) > FAR

    @property
    def bulk(self) -> int:
        """The widest difference of all but 5% of the items."""
        order = np.argsort(self.span, kind="stable")
        within = np.cumsum(self.count[order])
        return int(self.span[order[np.searchsorted(within, 0.95 * within[-1])]])

    @property
    def near_span(self) -> NDArray[np.int64]:
        """The spans, with those of far picks as wide as the bulk: what is typical without them."""
        return np.minimum(self.span, max(self.bulk, 1)) if self.far else self.span

    def with_counts(self, count: NDArray[np.float64]) -> Cells:
        """Return the same cells with other counts."""
        return replace(self, count=count)


def canonical(z: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each row sorted, missing (−1) last, and mirrored if that comes first.

    Raters with a common symmetric law make order and direction irrelevant.
    """
    far = np.iinfo(np.int64).max
    ordered = np.sort(np.where(z < 0, far, z), axis=1)
    k = (ordered < far).sum(axis=1)
    column = np.arange(z.shape[1])
    back = np.clip(k[:, None] - 1 - column, 0, None)
    top = ordered[np.arange(len(z)), k - 1][:, None]
    mirrored = np.where(column < k[:, None], top - np.take_along_axis(ordered, back, axis=1), far)
    differ = ordered != mirrored
    first = differ.argmax(axis=1)
    rows = np.arange(len(z))
    swap = differ.any(axis=1) & (mirrored[rows, first] < ordered[rows, first])
    chosen = np.where(swap[:, None], mirrored, ordered)
    return np.where(chosen == far, -1, chosen)


def unique_rows(table: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sorted distinct rows of non-negative integers, and the row of each."""
    bases = [int(b) + 1 for b in table.max(axis=0)]
    size = math.prod(bases)
    if size >= 2**62:
        rows, inverse = np.unique(table, axis=0, return_inverse=True)
        return rows, inverse.ravel()
    # One integer per row instead of many.
    key = np.zeros(len(table), dtype=np.int64)
    for base, column in zip(bases, table.T, strict=True):
        key *= base
        key += column
    if size <= 4 * len(table) + 1000:  # all there can be: nothing needs to be sorted
        found = np.zeros(size, dtype=bool)
        found[key] = True
        keys = np.flatnonzero(found)
        inverse = (np.cumsum(found) - 1)[key]
    else:
        keys, inverse = np.unique(key, return_inverse=True)
    rows = np.empty((keys.size, len(bases)), dtype=np.int64)
    for j in range(len(bases) - 1, -1, -1):
        keys, rows[:, j] = np.divmod(keys, bases[j])
    return rows, inverse.ravel()
