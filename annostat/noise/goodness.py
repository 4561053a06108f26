"""Sets drawn from a fitted law, and how far counts of pairs are from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError
from annostat.noise.cells import Cells, canonical, unique_rows
from annostat.noise.model import NoiseModel
from annostat.noise.problem import Problem
from annostat.resampling.generators import Rng, as_generator


class SimulatedSets:
    """Sets of items drawn from a fitted law, with the data's own pattern of missing cells."""

    def __init__(self, p: Problem, law: NoiseModel, n_sets: int, rng: Rng) -> None:
        rounds, c = p.rounds, p.cells
        generator = as_generator(rng)
        rows = np.repeat(np.arange(len(rounds.values)), rounds.row_weights)
        if rows.size * n_sets > 40_000_000:
            raise AnnostatError(
                f"{rows.size:,} items are too many to simulate {n_sets} times; test a sample"
            )
        absent = np.isnan(rounds.values)[rows].T  # a row for each round: whole rows add up fast
        group = c.group[c.of_item][rows]
        laws = []
        for g in range(c.period.size):
            model = replace(law, period=float(c.period[g]))
            if p.by_length:
                model = replace(model, length=int(c.length[g]))
            laws.append((model, np.flatnonzero(group == g)))
        tables, far = [], np.iinfo(np.int64).max
        for _ in range(n_sets):
            z = np.empty(absent.shape, dtype=np.int64)
            for model, mine in laws:
                z[:, mine] = model.sample_errors((mine.size, len(z)), rng=generator).T
            z[absent] = far
            z -= z.min(axis=0) - 1
            z[absent] = 0
            tables.append(np.vstack([group, z]))
        drawn, of_row = unique_rows(np.concatenate(tables, axis=1).T)
        # Few patterns are distinct: the same one is put into its canonical form only once.
        cells, of_drawn = unique_rows(
            np.column_stack([drawn[:, 0], canonical(drawn[:, 1:] - 1) + 1])
        )
        of_row = of_drawn[of_row]
        present = cells[:, 1:] > 0
        counts = np.zeros((n_sets, len(cells)))
        for b, index in enumerate(of_row.reshape(n_sets, -1)):
            counts[b] = np.bincount(index, minlength=len(cells))
        self.counts: FloatArray = counts
        new = replace(
            c,
            z=cells[:, 1:][present] - 1,
            rater=np.zeros(int(present.sum()), dtype=np.int64),
            start=np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64),
            group=np.ascontiguousarray(cells[:, 0]),
            count=counts[0],
            span=cells[:, 1:].max(axis=1) - 1,
        )
        self.problem: Problem = replace(p, cells=new)

    def draw(self, numbers: range, _: np.random.Generator) -> FloatArray:
        """Return the counts of some sets, one row each."""
        return np.asarray(self.counts[numbers.start : numbers.stop])


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
