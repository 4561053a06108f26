"""Sets drawn from a fitted law, and how far counts of pairs are from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.noise.cells import Cells, canonical, unique_rows
from annostat.noise.model import NoiseModel
from annostat.noise.problem import Problem
from annostat.resampling.generators import Rng, as_generator

AT_ONCE = 1 << 20  # items that are drawn one by one at a time


@dataclass(frozen=True, eq=False)
class Drawn:
    """How often some patterns were drawn: of set `of[i]`, `times[i]` times the pattern `row[i]`."""

    patterns: NDArray[np.int64]
    of: NDArray[np.int64]
    row: NDArray[np.int64]
    times: NDArray[np.int64]


class SimulatedSets:
    """Sets of items drawn from a fitted law, with the data's own pattern of missing cells.

    All annotators have one law, so that of an item only its period (and clip length) and the
    number of its picks matter. The differences of items with two picks are drawn as what they are,
    counts of each |d| from one multinomial law: the cost does not grow with the items. Items with
    more picks, and few items of a kind, are drawn one by one.

    Parameters
    ----------
    p : Problem
        Whose items are imitated.
    law : NoiseModel
        What is drawn from; its period and length are each item's own.
    n_sets : int
    rng : Rng

    Attributes
    ----------
    problem : Problem
        With the cells of all sets; their counts are those of the first one.
    n_sets : int
    """

    def __init__(self, p: Problem, law: NoiseModel, n_sets: int, rng: Rng) -> None:
        c = p.cells
        generator = as_generator(rng)
        width = int(c.readings.max())
        # Whole items of each group and number of picks.
        kinds = np.bincount(c.group * (width + 1) + c.readings, weights=c.count)
        found: list[Drawn] = []
        model, of = law, -1
        for kind in np.flatnonzero(kinds):
            g, k = divmod(int(kind), width + 1)
            if g != of:
                model, of = replace(law, period=float(c.period[g])), g
                if p.by_length:
                    model = replace(model, length=int(c.length[g]))
            n = int(kinds[kind])
            parts = pairs_drawn if k == 2 and 4 * n > model.core_pmf.size else items_drawn
            for patterns, counts in parts(model, n, k, n_sets, generator):
                table = np.zeros((len(patterns), 1 + width), dtype=np.int64)
                table[:, 0] = g
                table[:, 1 : 1 + k] = patterns + 1
                sets, rows = np.nonzero(counts)
                found.append(Drawn(table, sets, rows, counts[sets, rows]))
        offsets = np.cumsum([0, *(len(d.patterns) for d in found)])
        cells, index = unique_rows(np.concatenate([d.patterns for d in found]))
        of_set = np.concatenate([d.of for d in found])
        order = np.argsort(of_set, kind="stable")
        self._cell = np.concatenate(
            [index[d.row + offset] for d, offset in zip(found, offsets, strict=False)]
        )[order]
        self._times = np.concatenate([d.times for d in found])[order].astype(np.float64)
        self._start = np.searchsorted(of_set[order], np.arange(n_sets + 1))
        self.n_sets, self._n_cells = n_sets, len(cells)
        present = cells[:, 1:] > 0
        new = replace(
            c,
            z=cells[:, 1:][present] - 1,
            rater=np.zeros(int(present.sum()), dtype=np.int64),
            start=np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64),
            group=np.ascontiguousarray(cells[:, 0]),
            count=self.counts(0),
            span=cells[:, 1:].max(axis=1) - 1,
        )
        self.problem: Problem = replace(p, cells=new)

    def counts(self, number: int) -> FloatArray:
        """Return how often each cell was drawn in one set."""
        mine = slice(self._start[number], self._start[number + 1])
        cell, times = self._cell[mine], self._times[mine]
        return np.asarray(np.bincount(cell, times, self._n_cells), dtype=np.float64)

    def draw(self, numbers: range, _: np.random.Generator) -> FloatArray:
        """Return the counts of some sets, one row each."""
        return np.array([self.counts(number) for number in numbers])


def pairs_drawn(
    model: NoiseModel, n: int, _: int, n_sets: int, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the patterns of two picks, and how often each occurs among n items of each set."""
    d, q = model.difference_pmf()
    law = q[d >= 0]
    law[1:] *= 2
    # What a convolution leaves of a mass of 0 may be negative; what a power tail hides is left out.
    law = np.maximum(law, 0.0)
    counts = generator.multinomial(n, law / law.sum(), size=n_sets)
    seen = np.flatnonzero(counts.any(axis=0))
    yield np.column_stack([np.zeros_like(seen), seen]), counts[:, seen]


def items_drawn(
    model: NoiseModel, n: int, k: int, n_sets: int, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield patterns of k picks, and how often each occurs, of items drawn one by one in parts."""
    together = max(1, AT_ONCE // n)
    for first in range(0, n_sets, together):
        sets = min(together, n_sets - first)
        for begin in range(0, n, AT_ONCE):
            size = min(AT_ONCE, n - begin)
            z = model.sample_errors((sets * size, k), rng=generator)
            z -= z.min(axis=1, keepdims=True)
            # Few patterns are distinct: the same one is put into its canonical form only once.
            rough, of_item = unique_rows(z)
            patterns, of_rough = unique_rows(canonical(rough))
            of_set = np.repeat(np.arange(sets), size)
            key = of_set * len(patterns) + of_rough[of_item]
            counts = np.zeros((n_sets, len(patterns)), dtype=np.int64)
            drawn = np.bincount(key, minlength=sets * len(patterns))
            counts[first : first + sets] = drawn.reshape(sets, -1)
            yield patterns, counts


def pairs_of(cells: Cells) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cell and |d| of every pair of annotations in a cell."""
    of, distance = [], []
    for k in np.unique(cells.readings):
        mine = np.flatnonzero(cells.readings == k)
        z = cells.z[cells.start[mine][:, None] + np.arange(k)]
        for i in range(k):
            for j in range(i):
                of.append(mine)
                distance.append(np.abs(z[:, i] - z[:, j]))
    return np.concatenate(of), np.concatenate(distance)


def pair_counts(cells: Cells) -> FloatArray:
    """Return the number of pairs at each |d|, float64 of shape (widest + 1,)."""
    of, distance = pairs_of(cells)
    size = int(cells.span.max()) + 1
    return np.asarray(np.bincount(distance, weights=cells.count[of], minlength=size), float)


def pooled_bins(expected: FloatArray, least: float = 5.0) -> NDArray[np.int64]:
    """Return the bin of each |d|, neighbours pooled until `least` pairs are expected."""
    bins = np.zeros(expected.size, dtype=np.int64)
    number, held = 0, 0.0
    rest = expected[::-1].cumsum()[::-1]
    for d in range(expected.size):
        bins[d] = number
        held += expected[d]
        # A new bin opens only if enough is left to fill it.
        if held >= least and d + 1 < expected.size and rest[d + 1] >= least:
            number, held = number + 1, 0.0
    return bins


def deviance(counts: FloatArray, law: FloatArray, bins: NDArray[np.int64]) -> float:
    """Return G² of pooled pair counts against a law of |d|; the last bin holds all beyond it."""
    law = law.copy()
    law[-1] += max(1.0 - law.sum(), 0.0)
    expected = counts.sum() * np.bincount(bins, weights=law)
    seen = np.bincount(bins[: counts.size], weights=counts, minlength=expected.size)
    there = seen > 0
    ratio = seen[there] / np.maximum(expected[there], 1e-300)
    return float(2 * (seen[there] @ np.log(ratio)))
