"""Where the variance of γ comes from: items, readers, single cells, and pairs of cells."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from annostat.arrays import FloatArray
from annostat.interchange.cells import measured, sums_among, to_model
from annostat.interchange.distances import Distance
from annostat.interchange.result import Interchange
from annostat.interchange.spread import Units, difference, slopes

FEWEST = 10  # items with all labels, below which pairs are not told from cells


@dataclass(frozen=True, slots=True)
class Components:
    """Components of the variance of γ, in the square of the distance.

    V = items/n + readers/k + cells/(nk) + 2·pairs/(nk(k − 1)) for n items and k readers. The
    jackknife over readers sees 4·pairs/(nk(k − 2)) in place of the last.

    Attributes
    ----------
    n_units, n_readers : int
        Of the study that they come from.
    items, readers, cells, pairs : float
        All but the first are 0 where readers are no sample.
    """

    n_units: int
    n_readers: int
    items: float
    readers: float
    cells: float
    pairs: float

    def over_items(self, n: float, k: int) -> float:
        """Return the variance that items show."""
        return self.items / n + self.cells / (n * k) + 2 * self.pairs / (n * k * (k - 1))

    def noise(self, n: float, k: int) -> float:
        """Return the noise of cells in the variance that the jackknife over readers shows."""
        return self.cells / (n * k) + 4 * self.pairs / (n * k * (k - 2)) if k > 2 else 0.0

    def true(self, n: float, k: int) -> float:
        """Return the variance of γ."""
        return self.over_items(n, k) + self.readers / k


def components_of(study: Interchange, model: str) -> Components:
    """Return the components of variance of a model's γ in a study."""
    columns, distance = study.taken.columns, study.distance
    f, given = study.taken.models[model]
    seen = columns.seen[given]
    codes = None if study.taken.codes is None else study.taken.codes[given]
    sample = study.readers == "sample"

    def both(of: Distance) -> tuple[FloatArray, FloatArray]:
        """Return cells to the model, 0 where there is no label, and sums among the labels."""
        cells = to_model(columns, f, given, of)[given]
        return np.where(seen, cells, 0.0), sums_among(columns, of)[given]

    cells, among = both(distance)
    weight = None
    if distance.weight is not None:
        weight = replace(distance, name=f"weight of {distance.name}", between=distance.weight)
    weights = None if weight is None else both(weight)
    units = Units.of(cells, among, seen, codes, readers=sample, weights=weights)
    n, k = units.n_units, units.n_readers
    whole = units.spread(difference)
    pull = units.pulls(difference)
    over_items = n / (n - 1) * float(pull @ pull) if n > 1 else math.nan
    if not sample:
        return Components(n, k, n * over_items, 0.0, 0.0, 0.0)
    labels = seen.all(axis=1)
    rows = np.flatnonzero(given)[labels]
    pair = np.empty((len(rows), 0))
    if k > 3 and len(rows) >= FEWEST:
        spacing = None if columns.spacing is None else columns.spacing[rows]
        # What an item adds to γ, linear in its sums, times the number of items.
        to, between, of_n, of_m = len(seen) * slopes(difference, units.totals)
        columns_of_pairs = []
        for j, m in combinations(range(k), 2):
            ends = columns.labels[j][rows], columns.labels[m][rows], spacing
            adds = to * (cells[labels, j] + cells[labels, m]) / 2
            adds += between * measured(distance, *ends)
            if weight is not None and weights is not None:
                adds += of_n * (weights[0][labels, j] + weights[0][labels, m]) / 2
                adds += of_m * measured(weight, *ends)
            columns_of_pairs.append(adds)
        pair = np.column_stack(columns_of_pairs)
    of_cells, of_pairs = _noise(units, pair)
    first = Components(n, k, 0.0, 0.0, of_cells, of_pairs)
    over_readers = whole.variance - over_items
    return Components(
        n,
        k,
        n * max(over_items - first.over_items(n, k), 0.0),
        k * max(over_readers - first.noise(n, k), 0.0),
        of_cells,
        of_pairs,
    )


def _noise(units: Units, pair: FloatArray) -> tuple[float, float]:
    """Return the variances of single cells and of pairs of cells, in one item.

    Within an item h_jl = (x_j + x_l)/2 + b_jl. Deviations of the sums by reader and of the pairs
    have (k − 1)(k − 2)[(k − 2)c₁/4 + c₂] and (k − 1)(k − 2)c₁/4 + (k(k − 1)/2 − 1)c₂ for the means
    of their squares. Three readers do not tell one from the other: all is taken for cells.
    """
    n, k = units.n_units, units.n_readers
    if not pair.size:
        # What the jackknife sees of both is known: its part of single cells.
        around, _ = units.by_cell(difference)
        scale = n * k * k / (k - 1) * ((k - 1) / (k - 2)) ** 2
        return scale * float(np.sum(around**2)), 0.0
    m = len(pair)
    pair = pair - pair.mean(axis=0)
    within = pair - pair.mean(axis=1, keepdims=True)
    of_pairs = float(np.sum(within**2)) / (m - 1)
    sums = np.zeros((m, k))
    for p, (j, o) in enumerate(combinations(range(k), 2)):
        sums[:, j] += within[:, p]
        sums[:, o] += within[:, p]
    of_readers = float(np.sum(sums**2)) / (m - 1)
    second = max(((k - 2) * of_pairs - of_readers) / ((k - 2) * k * (k - 3) / 2), 0.0)
    first = max(of_readers / ((k - 1) * (k - 2)) - second, 0.0) * 4 / (k - 2)
    return first, second
