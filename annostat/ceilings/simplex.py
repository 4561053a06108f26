"""The best score against one label of three or four classes: brackets that hold for any difficulty.

Item i has probabilities p_i on the simplex; an item's counts of k labels are multinomial given
them. As with two classes (`mixing`), the best model's score θ* is the root of E g_θ(p) = 0 with

    accuracy       g = max_c p_c − θ
    quadratic κ    g = max_f [2(f − μ)(m − μ) − θ(f − μ)²] − θ Σ_c p_c (c − μ)²,  m = Σ c p_c

f over the grades, c/(K − 1), and μ their mean over all labels. Counts fix the law of p as far as a
linear programme over a grid of the simplex says; at two labels and accuracy that is narrower than
the closed form, which knows how often labels agree and not the classes. Certificates are checked on
a grid four times finer, and shifted by what they miss: g is convex in p, a certificate for "θ* is
less" therefore has its worst place on the grid or near it. Brackets are as exact as the coarse grid
(a few thousandths). What was simulated is in `docs/calibration.md`.
"""

from __future__ import annotations

import itertools
import math
from functools import cached_property

import numpy as np
from scipy.special import gammaln, xlogy

from annostat.arrays import FloatArray, IntArray
from annostat.ceilings.certificates import (
    Certificates,
    CertificatesByReach,
    Extreme,
    Grids,
)
from annostat.ceilings.mixing import NEAR, halves_of, root_between
from annostat.labels.categories import Categories
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import t_reach
from annostat.resampling.inverted import evidence, refuted_from

STEPS = {3: (24, 96), 4: (12, 40)}  # steps of an edge, of the coarse and the fine grid
MOST_CELLS = 200  # of counts; with more, the programme chases noise
PER_CELL = 2.0  # items for each cell that there must be
EM_STEPS = 400
ROUNDS = 30  # of the search for an end of a bracket


def simplex_grid(n_classes: int, steps: int) -> FloatArray:
    """Return all points of the simplex whose coordinates are multiples of 1/steps."""
    places = itertools.combinations_with_replacement(range(n_classes), steps)
    found = np.array([np.bincount(p, minlength=n_classes) for p in places], dtype=np.float64)
    return np.asarray(found / steps)


class Simplex:
    """Brackets and intervals of the best accuracy and quadratic κ of K = 3, 4 classes.

    Parameters
    ----------
    labels : Categories
        Items with two labels or more; clusters are the independent units.
    rng : None, int or Generator
        Decides which units are in which half.
    """

    def __init__(self, labels: Categories, *, rng: Rng = 0) -> None:
        self.k_classes = labels.n_classes
        self.cells, self.cell = all_cells(labels)
        self.n_items = len(labels.counts)
        self.unit, self.n_units = labels.units, labels.n_units
        coarse, fine = STEPS[self.k_classes]
        self.coarse, self.fine = (
            simplex_grid(self.k_classes, coarse),
            simplex_grid(self.k_classes, fine),
        )
        sizes = self.cells.sum(axis=1)
        share = np.bincount(labels.readings, minlength=int(sizes.max()) + 1) / self.n_items
        self.weight = share[sizes]
        self.law, self.fine_law = self.law_of(self.coarse), self.law_of(self.fine)
        m = len(self.cells)
        self.half_counts = np.full(m, min(0.5, 2 / m))
        self.counts = np.bincount(self.cell, minlength=m).astype(np.float64)
        rough = self.counts + self.half_counts
        self.rough = rough / rough.sum()
        # Grades between 0 and 1: κ does not depend on their unit, and g stays within reach of φ.
        self.grades = np.arange(self.k_classes) / (self.k_classes - 1)
        self.mu = float(self.rough @ (self.cells @ self.grades / sizes))
        self.half = halves_of(self.unit, self.cell, m, rng)
        self._by_reach = CertificatesByReach(Grids(self.law, self.fine_law), self.n_units)

    def law_of(self, p: FloatArray) -> FloatArray:
        """Return P(cell | p), of shape (n_cells, len(p))."""
        x = self.cells.astype(np.float64)
        ways = gammaln(x.sum(axis=1) + 1) - gammaln(x + 1).sum(axis=1)
        logs = sum(xlogy(x[:, [c]], p[None, :, c]) for c in range(self.k_classes))
        return np.asarray(self.weight[:, None] * np.exp(ways[:, None] + logs))

    def fitted(self, counts: FloatArray) -> FloatArray:
        """Return the nearest probabilities of cells under independent labels (EM of the law)."""
        h = counts / counts.sum()
        w = np.full(self.law.shape[1], 1 / self.law.shape[1])
        for _ in range(EM_STEPS):
            w = w * (self.law.T @ (h / np.maximum(self.law @ w, 1e-300)))
            w /= w.sum()
        return np.asarray(self.law @ w)

    @cached_property
    def whole(self) -> FloatArray:
        """Fitted probabilities of cells, from all items."""
        return self.fitted(self.counts)

    @cached_property
    def halves(self) -> tuple[FloatArray, FloatArray]:
        """Fitted probabilities of cells for the tests on each half, from the other half."""
        m = len(self.cells)
        first, second = (
            self.fitted(np.bincount(self.cell[self.half != f], minlength=m) + self.half_counts)
            for f in (0, 1)
        )
        return first, second

    def gain(self, metric: str, theta: float, p: FloatArray, mu: float | None = None) -> FloatArray:
        """Return g_θ(p) of "accuracy" or "quadratic_kappa"."""
        if metric == "accuracy":
            return np.asarray(p.max(axis=1) - theta)
        off = self.grades - (self.mu if mu is None else mu)
        m = p @ off
        best = np.max([2 * f * m - theta * f * f for f in off], axis=0)
        return np.asarray(best - theta * (p @ (off * off)))

    def range_of(self, metric: str) -> tuple[float, float]:
        """Return the least and the largest value that the metric's best can have."""
        return (1 / self.k_classes, 1.0) if metric == "accuracy" else (0.0, 1.0)

    def bracket(self, metric: str) -> tuple[float, float]:
        """Return the least and the largest best score of all laws that give the fitted counts."""
        low, high = sorted((self._end(metric, -1), self._end(metric, 1)))
        return low, high

    def _end(self, metric: str, side: int) -> float:
        """Return one end: the root of one law after the other, each the best at the last root."""
        bottom, top = self.range_of(metric)
        theta = bottom if side > 0 else top
        sizes = self.cells.sum(axis=1)
        mu = float(self.whole @ (self.cells @ self.grades / sizes))
        mu /= float(self.whole.sum())
        law = Extreme(self.law, self.whole)
        for _ in range(ROUNDS):
            g = self.gain(metric, theta, self.coarse, mu)
            weights = law.weights(-side * g)
            if weights is None:
                return top if side > 0 else bottom
            new = self.best(metric, weights / weights.sum(), self.coarse, mu)
            if abs(new - theta) < 1e-7:
                break
            theta = new
        return theta

    def best(
        self, metric: str, weights: FloatArray, p: FloatArray, mu: float | None = None
    ) -> float:
        """Return the best score of a metric under one law of p."""
        return root_between(
            lambda theta: float(weights @ self.gain(metric, theta, p, mu)), *self.range_of(metric)
        )

    def limits(
        self, metric: str, level: float, *, bracket: tuple[float, float] | None = None
    ) -> tuple[float, float]:
        """Return the interval of the best score: all values that no test refutes."""
        low, high = bracket or self.bracket(metric)
        bottom, top = self.range_of(metric)
        return (
            self._limit(metric, -1, bottom, low, level),
            self._limit(metric, 1, top, high, level),
        )

    def _limit(self, metric: str, side: int, far: float, near: float, level: float) -> float:
        reach = t_reach(self.n_units - 1, level)

        def excess(theta: float) -> float:
            return self.statistic(metric, theta, side, reach) - reach

        self._certificates(reach).forget()
        step = reach / math.sqrt(self.n_units)
        return refuted_from(excess, near, far, step=step, xtol=NEAR)

    def statistic(self, metric: str, theta: float, side: int, reach: float) -> float:
        """Return the evidence that the best score lies above θ (side -1) or below it (side 1)."""
        g = -side * self.gain(metric, theta, self.coarse)
        fine = -side * self.gain(metric, theta, self.fine)
        phi = self._certificates(reach).best(g, fine)
        value = np.bincount(self.unit, phi[self.half, self.cell], self.n_units)
        size = self.n_items / self.n_units
        weight = np.r_[np.ones(self.n_units), self.half_counts / size]
        return evidence(np.r_[value, phi.mean(axis=0) * size], weight)

    def _certificates(self, reach: float) -> Certificates:
        return self._by_reach.of(reach, self.halves)


def all_cells(labels: Categories) -> tuple[IntArray, IntArray]:
    """Return all counts that items with so many labels can have, and the place of each item's."""
    k = labels.n_classes
    sizes = np.unique(labels.readings)
    cells = np.concatenate([np.rint(simplex_grid(k, int(s)) * s).astype(np.int64) for s in sizes])
    base = int(sizes.max()) + 1
    number = base ** np.arange(k)
    code = cells @ number
    order = np.argsort(code)
    place = order[np.searchsorted(code[order], labels.counts @ number)]
    return cells, np.asarray(place, dtype=np.int64)


def fits_simplex(labels: Categories) -> bool:
    """Return whether the programme is for these labels: 3 or 4 classes, items enough for cells."""
    k = labels.n_classes
    if k not in STEPS:
        return False
    cells = sum(math.comb(int(s) + k - 1, k - 1) for s in np.unique(labels.readings))
    return cells <= min(MOST_CELLS, labels.n_units / PER_CELL)
