"""The best score against one noisy label of two classes: a bracket that holds for any difficulty.

Item i has a probability p_i that a random annotator says yes; labels are independent given it. The
best model knows p. Its score θ* is the root of E g_θ(p) = 0, with g decreasing in θ. Labels fix
the first moments of the law of p and no more, so that θ* has a bracket: its least and largest
value over all laws that reproduce the counts (a linear programme).

The interval inverts a test. At each θ a function φ of an item's counts with
Σ_x φ(x) P(x | p) ≤ g_θ(p) for every p (the programme's dual) is chosen on one half of the units and
certified on a fine grid; E φ > 0 proves θ* > θ, and is tested on the other half by adjusted
empirical likelihood. What was simulated is in `docs/calibration.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, nnls
from scipy.special import gammaln, xlogy

from annostat.arrays import FloatArray, IntArray
from annostat.ceilings.certificates import (
    Certificates,
    CertificatesByReach,
    Extreme,
    Grids,
)
from annostat.errors import AnnostatError, check_count
from annostat.labels.categories import Categories
from annostat.resampling.clusters import renumbered
from annostat.resampling.generators import Rng, as_generator
from annostat.resampling.intervals import t_reach
from annostat.resampling.inverted import evidence, refuted_from

NEAR = 1e-3  # how exactly a limit is found
STEPS = 25  # most programmes for one end of a bracket
Gainer = Callable[[float, FloatArray, float], FloatArray]


class Gain(NamedTuple):
    """A metric: its best value is the root in θ of E g(θ, p, π) = 0, g decreasing in θ.

    Attributes
    ----------
    key : str
    at : callable
        g of θ, of probabilities p and of their mean π.
    low, high : float
        Range of the metric's best value.
    cut : callable
        The p above which the best model says yes, of (θ, π): where g bends.
    influence : callable, optional
        ∂E g/∂π of (θ, share of items called positive, π), where π is held and was estimated.
    """

    key: str
    at: Gainer
    low: float
    high: float
    cut: Callable[[float, float], float]
    influence: Callable[[float, float, float], float] | None = None


def _entropy(p: FloatArray) -> FloatArray:
    return np.asarray(-xlogy(p, p) - xlogy(1 - p, 1 - p), dtype=np.float64)


def _plus(x: FloatArray) -> FloatArray:
    return np.maximum(x, 0.0)


GAINS = {
    gain.key: gain
    for gain in (
        Gain(
            "accuracy",
            lambda th, p, pi: np.maximum(p, 1 - p) - th,
            0.5,
            1.0,
            cut=lambda th, pi: 0.5,
        ),
        Gain(
            "f1",
            lambda th, p, pi: _plus(2 * p - th) - th * p,
            0.0,
            1.0,
            cut=lambda th, pi: th / 2,
        ),
        Gain(
            "kappa",
            lambda th, p, pi: _plus(2 * (p - pi) - th * (1 - 2 * pi)) - th * pi,
            0.0,
            1.0,
            cut=lambda th, pi: pi + th * (1 - 2 * pi) / 2,
            influence=lambda th, yes, pi: yes * (2 * th - 2) - th,
        ),
        Gain(
            "balanced_accuracy",
            lambda th, p, pi: _plus(p - pi) - (2 * th - 1) * pi * (1 - pi),
            0.5,
            1.0,
            cut=lambda th, pi: pi,
            influence=lambda th, yes, pi: -yes - (2 * th - 1) * (1 - 2 * pi),
        ),
        Gain(
            "log_score",
            lambda th, p, pi: _entropy(p) - th,
            0.0,
            math.log(2),
            cut=lambda th, pi: 0.5,
        ),
    )
}


def against_majority(gain: Gain, m: int) -> Gain:
    """Return a gain whose labels are majorities of m, an odd number of annotators.

    Only of metrics that hold no prevalence: accuracy and F1.
    """
    m = check_count("majority_of", m, low=1)
    if m % 2 == 0:
        raise AnnostatError(f"majority_of must be odd, so that there is a majority, got {m}")
    if m == 1:
        return gain
    if gain.influence is not None or gain.key == "log_score":
        raise AnnostatError(f"{gain.key} against a majority is not known: take accuracy or f1")
    most = np.arange(m // 2 + 1, m + 1)

    def majority(p: FloatArray) -> FloatArray:
        return np.asarray(binomial(most, m, p).sum(axis=0))

    return gain._replace(at=lambda th, p, pi: gain.at(th, majority(p), pi))


def binomial(x: NDArray[Any], k: int, p: FloatArray) -> FloatArray:
    """Return the probability of x of k, of shape (len(x), len(p))."""
    ways = np.exp(gammaln(k + 1) - gammaln(x + 1) - gammaln(k - x + 1))
    return np.asarray(
        ways[:, None] * p[None, :] ** x[:, None] * (1 - p)[None, :] ** (k - x)[:, None]
    )


def _coarse() -> FloatArray:
    cosine = 0.5 * (1 - np.cos(np.linspace(0, np.pi, 61)))
    near = np.geomspace(1e-4, 0.02, 12)
    return np.unique(np.r_[np.linspace(0, 1, 151), cosine, near, 1 - near])


def _fine() -> FloatArray:
    near = np.geomspace(1e-5, 0.02, 60)
    return np.unique(np.r_[np.linspace(0, 1, 2001), near, 1 - near])


@dataclass(frozen=True)
class Cells:
    """Items by their counts: x of k labels are yes.

    Attributes
    ----------
    cell : int64 array of shape (n_items,)
        Position of each item's (k, x) among all of them.
    size, yes : int64 arrays of shape (n_cells,)
        k and x of each cell.
    unit : int64 array of shape (n_items,)
        Independent unit of each item.
    """

    cell: IntArray
    size: IntArray
    yes: IntArray
    unit: IntArray

    @classmethod
    def of(cls, yes: IntArray, k: IntArray, unit: IntArray | None = None) -> Cells:
        """Return the cells of counts; items without a label are left out."""
        keep = k > 0
        yes, k = yes[keep], k[keep]
        if not len(k):
            raise AnnostatError("no item has a label")
        unit = np.arange(len(k)) if unit is None else renumbered(unit[keep])
        sizes = np.unique(k)
        start = dict(zip(sizes.tolist(), np.r_[0, np.cumsum(sizes + 1)[:-1]].tolist(), strict=True))
        begin = np.zeros(int(sizes.max()) + 1, dtype=np.int64)
        for s in sizes.tolist():
            begin[s] = start[s]
        return cls(
            np.asarray(begin[k] + yes, dtype=np.int64),
            np.repeat(sizes, sizes + 1),
            np.concatenate([np.arange(s + 1) for s in sizes]),
            np.asarray(unit, dtype=np.int64),
        )

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.cell)

    @property
    def n_units(self) -> int:
        """Number of independent units."""
        return int(self.unit.max()) + 1

    @property
    def share(self) -> FloatArray:
        """x/k of each cell."""
        return np.asarray(self.yes / self.size)

    @cached_property
    def counts(self) -> FloatArray:
        """Number of items in each cell."""
        return np.bincount(self.cell, minlength=len(self.size)).astype(np.float64)

    @cached_property
    def weight_of_size(self) -> FloatArray:
        """Share of items whose number of labels is that of the cell."""
        by_size = np.bincount(self.size, self.counts, int(self.size.max()) + 1)
        return np.asarray(by_size[self.size] / self.n_items)

    @cached_property
    def half_counts(self) -> FloatArray:
        """Half a count for each cell, two items at most in all."""
        whole = min((float(self.size.max()) + 1) / 2, 2.0)
        return np.asarray(whole * self.weight_of_size / (self.size + 1))

    def law(self, p: FloatArray) -> FloatArray:
        """Return P(cell | p), of shape (n_cells, len(p))."""
        blocks = [binomial(np.arange(k + 1), int(k), p) for k in np.unique(self.size).tolist()]
        return np.asarray(self.weight_of_size[:, None] * np.vstack(blocks))

    def weights(self, counts: FloatArray, law: FloatArray) -> FloatArray:
        """Return the weights of places, up to their sum, that explain counts best (minimum χ²)."""
        total = counts.sum()
        scale = 1 / np.sqrt(counts + 0.5)
        heavy = 1e3 * math.sqrt(total)
        design = np.vstack([law * total * scale[:, None], np.full(law.shape[1], heavy)])
        found, _ = nnls(design, np.r_[counts * scale, heavy], maxiter=5000)
        return np.asarray(found)

    def fitted(self, counts: FloatArray, law: FloatArray) -> FloatArray:
        """Return the nearest probabilities of cells under independent labels (minimum χ²)."""
        weights = self.weights(counts, law)
        return np.asarray(law @ weights / weights.sum())


class Mixture:
    """Brackets and intervals of the best score, for one set of counts.

    Parameters
    ----------
    cells : Cells
    rng : None, int or Generator
        Decides which units are in which half.
    """

    def __init__(self, cells: Cells, *, rng: Rng = 0) -> None:
        self.cells = cells
        self.coarse, self.fine = _coarse(), _fine()
        self.law, self.fine_law = cells.law(self.coarse), cells.law(self.fine)
        counts = cells.counts + cells.half_counts
        self.pi = float(counts @ cells.share / counts.sum())
        self.rough = counts / counts.sum()
        self.half = halves_of(cells.unit, cells.cell, len(cells.size), rng)
        self._by_reach = CertificatesByReach(Grids(self.law, self.fine_law), cells.n_units)

    @cached_property
    def whole(self) -> FloatArray:
        """Fitted probabilities of cells, from all items."""
        return self.cells.fitted(self.cells.counts, self.law)

    @cached_property
    def halves(self) -> tuple[FloatArray, FloatArray]:
        """Fitted probabilities of cells for the tests on each half, from the other half."""
        c, m = self.cells, len(self.cells.size)
        first, second = (
            c.fitted(np.bincount(c.cell[self.half != f], minlength=m) + c.half_counts, self.law)
            for f in (0, 1)
        )
        return first, second

    def bracket(self, gain: Gain, whole: FloatArray | None = None) -> tuple[float, float]:
        """Return the least and the largest best score of all laws that give the fitted counts.

        `whole` are the probabilities of cells, where they are known and not fitted.
        """
        of_cells = self.whole if whole is None else whole
        low, high = sorted(self._end(gain, side, of_cells) for side in (-1, 1))
        return low, high

    def _end(self, gain: Gain, side: int, whole: FloatArray) -> float:
        """Return one end: the root of one law after the other, each the best at the last root."""
        pi = float(whole @ self.cells.share)
        theta = gain.low if side > 0 else gain.high
        law, p = Extreme(self.law, whole), self.coarse
        for _ in range(STEPS):
            # With the places where g bends on the grid, the programme is exact there.
            bend = np.array([gain.cut(theta, pi)])
            law.add(self.cells.law(bend)[:, 0])
            p = np.r_[p, bend]
            weights = law.weights(-side * gain.at(theta, p, pi))
            if weights is None:
                return gain.high if side > 0 else gain.low
            new = best_score(weights / weights.sum(), gain, p, pi)
            if abs(new - theta) < 1e-7:
                break
            theta = new
        return theta

    def limits(
        self, gain: Gain, level: float, *, bracket: tuple[float, float] | None = None
    ) -> tuple[float, float]:
        """Return the interval of the best score: all values that no test refutes.

        The search begins at the ends of the `bracket`, which is found if it is not known.
        """
        low, high = bracket or self.bracket(gain)
        return (
            self._limit(gain, -1, gain.low, low, level),
            self._limit(gain, 1, gain.high, high, level),
        )

    def _limit(self, gain: Gain, side: int, far: float, near: float, level: float) -> float:
        reach = t_reach(self.cells.n_units - 1, level)

        def excess(theta: float) -> float:
            return self.statistic(gain, theta, side, reach) - reach

        self._certificates(reach).forget()
        step = reach / math.sqrt(self.cells.n_units)
        return refuted_from(excess, near, far, step=step, xtol=NEAR)

    def paired(self, gain: Gain, theta: float, side: int, reach: float, of: FloatArray) -> float:
        """Return the evidence that the best model beats another one, or (side 1) falls short of it.

        Parameters
        ----------
        gain, theta, side
            As for `statistic`; θ is the score of the other model.
        reach : float
            Quantile of t that the evidence is held against.
        of : float64 array of shape (n_items,)
            What each item adds to E g_θ if the other model answers: 0 on average at its own score.
        """
        c = self.cells
        phi = self._phi(gain, theta, side, reach)
        value = np.bincount(c.unit, phi[self.half, c.cell] + side * of, c.n_units)
        held = np.maximum(c.counts, 1)
        mean = np.where(c.counts > 0, np.bincount(c.cell, of, len(c.size)) / held, float(of.mean()))
        return self._root(value, phi.mean(axis=0) + side * mean, np.ones(c.n_units))

    def statistic(self, gain: Gain, theta: float, side: int, reach: float) -> float:
        """Return the evidence that the best score lies above θ (side -1) or below it (side 1)."""
        c = self.cells
        phi = self._phi(gain, theta, side, reach)
        extra = np.zeros(len(c.size))
        if gain.influence is not None:
            yes = float(self.rough @ (c.share >= gain.cut(theta, self.pi)))
            extra = gain.influence(theta, yes, self.pi) * -side * (c.share - self.pi)
        if c.n_units == c.n_items:  # items of a cell and a half are alike
            return self._root((phi + extra).ravel(), phi.mean(axis=0) + extra, self._held)
        value = np.bincount(c.unit, phi[self.half, c.cell] + extra[c.cell], c.n_units)
        return self._root(value, phi.mean(axis=0) + extra, np.ones(c.n_units))

    def _phi(self, gain: Gain, theta: float, side: int, reach: float) -> FloatArray:
        """Return φ for each half of the units, of shape (2, n_cells)."""
        return self._certificates(reach).best(
            -side * gain.at(theta, self.coarse, self.pi), -side * gain.at(theta, self.fine, self.pi)
        )

    def _certificates(self, reach: float) -> Certificates:
        return self._by_reach.of(reach, self.halves)

    @cached_property
    def _held(self) -> FloatArray:
        """Items of each half in each cell, half after half."""
        m = len(self.cells.size)
        return np.bincount(self.half * m + self.cells.cell, minlength=2 * m).astype(np.float64)

    def _root(self, value: NDArray[Any], of_cell: FloatArray, weight: FloatArray) -> float:
        """Return the evidence of units' values, and of the half counts of cells."""
        c = self.cells
        size = c.n_items / c.n_units
        return evidence(np.r_[value, of_cell * size], np.r_[weight, c.half_counts / size])


def two_classes(
    labels: Categories, positive: Sequence[object] | object | None, what: str
) -> Categories:
    """Return the usable labels as two classes; `what` says for what, in an error."""
    used = (labels if positive is None else labels.binary(positive)).usable()
    if used.n_classes != 2:
        raise AnnostatError(
            f"{what} is of two classes, and there are {used.n_classes}: name the positive ones "
            "(positive)"
        )
    return used


def mixture_of(labels: Categories, rng: Rng = 0) -> Mixture:
    """Return the programme for labels of two classes; clusters are the independent units."""
    clustered = labels.cluster is not None
    cells = Cells.of(labels.counts[:, 1], labels.readings, labels.units if clustered else None)
    return Mixture(cells, rng=rng)


def best_score(weights: FloatArray, gain: Gain, p: FloatArray, pi: float) -> float:
    """Return the best score of a metric under one law of p."""
    return root_between(lambda theta: float(weights @ gain.at(theta, p, pi)), gain.low, gain.high)


def root_between(f: Callable[[float], float], low: float, high: float) -> float:
    """Return the root of a decreasing function, or the end of the range beyond which it lies."""
    if f(low) <= 0:
        return low
    return high if f(high) >= 0 else float(brentq(f, low, high, xtol=1e-10))


def halves_of(unit: IntArray, cell: IntArray, n_cells: int, rng: Rng) -> IntArray:
    """Return the half, 0 or 1, of each item's unit, dealt at random.

    Units stand in the order of their cells, so that no result depends on that of rows.
    """
    n_units = int(unit.max()) + 1
    first = np.full(n_units, n_cells)
    np.minimum.at(first, unit, cell)
    shuffled = as_generator(rng).permutation(np.resize([0, 1], n_units))
    half = np.empty(n_units, dtype=np.int64)
    clustered = n_units < len(cell)
    half[np.arange(n_units) if clustered else np.argsort(first, kind="stable")] = shuffled
    return np.asarray(half[unit])
