r"""The likelihood of `location_scale` where items are many: the same numbers, rater by rater.

Items pass in blocks that stay in the processor's cache, so that memory does not grow beyond a copy
of the labels. What an integral over the difficulty gives of an item depends on Q and on the number
of its labels alone: it is worked out at 2,049 values of log(1 + Q/d²), d being the difficulty of
the easiest node, and read off by Hermite's cubics: ℓ and its scores to 10⁻⁸, the Hessian to 10⁻⁵ of
its largest entry. It follows from ∂Q/∂β_j = −2·w_j·e_j, ∂Q/∂log w_j = w_j·e_j² and

    ∂²Q/∂β_j∂β_l = 2·(δ·w_j − w_j·w_l/W)
    ∂²Q/∂β_j∂log w_l = −2·(δ·w_j·e_j − w_j·w_l·e_l/W)
    ∂²Q/∂log w_j∂log w_l = δ·w_j·e_j² − 2·w_j·e_j·w_l·e_l/W
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, order_of
from annostat.resampling.bootstraps import serial_product

NODES = 25
BLOCK = 32_768  # numbers of one array
CELLS = 2048


@functools.lru_cache(maxsize=1)
def hermite() -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights of means over a standard normal law."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights / weights.sum()


@dataclass(frozen=True, eq=False)
class _Block:
    """Items, one column each, at some biases and weights.

    Attributes
    ----------
    w, a, e : float64 arrays of shape (k, n)
        w_j, 0 where missing; w_j·e_j; e_j.
    weight, square : float64 arrays of shape (n,)
        W and Q.
    m : int64 array of shape (n,)
        Labels less 1.
    seen : bool array of shape (k, n)
    units : int64 array of shape (n,)
    """

    w: FloatArray
    a: FloatArray
    e: FloatArray
    weight: FloatArray
    square: FloatArray
    m: NDArray[np.int64]
    seen: NDArray[np.bool_]
    units: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ManyItems:
    """Labels rater by rater, the items of a unit side by side. Made by `ManyItems.of`.

    Attributes
    ----------
    z : float64 array of shape (k, n)
        0 where missing.
    seen : bool array of shape (k, n)
    units : int64 array of shape (n,)
        In order, 0, 1, ...
    m : int64 array of shape (n,)
        Labels less 1.
    cuts : int64 array
        Where blocks begin and end: no unit is in two of them.
    far : float
        The largest distance of an item's labels from their mean.
    """

    z: FloatArray
    seen: NDArray[np.bool_]
    units: NDArray[np.int64]
    m: NDArray[np.int64]
    cuts: NDArray[np.int64]
    far: float

    @classmethod
    def of(cls, z: FloatArray, seen: NDArray[np.bool_], units: NDArray[np.int64]) -> ManyItems:
        """Take labels of shape (n, k) about the means of their items, and a unit of each."""
        columns, there = z.T, seen.T
        if (units[1:] < units[:-1]).any():
            order = order_of(units)
            columns, there, units = columns[:, order], there[:, order], units[order]
        k, n = columns.shape
        begins = np.flatnonzero(np.diff(units, prepend=-1))
        step = max(BLOCK // k, 1)
        near = begins[np.searchsorted(begins, np.arange(0, n, step), side="right") - 1]
        columns, there = np.ascontiguousarray(columns), np.ascontiguousarray(there)
        far = math.sqrt(float((columns**2).sum(axis=0).max()))
        return cls(columns, there, units, there.sum(axis=0) - 1, np.unique([*near, n]), far)

    def total(self, x: FloatArray, difficulty: bool) -> tuple[float, FloatArray]:
        """Return ℓ and the sum of its scores by (β, log w[, log spread])."""
        value, scores = self._without_items(x)
        curves = self._curves(x, difficulty)
        for b in self._blocks(x):
            value += self._climbed(b, curves.at(b.square, b.m, 1), scores)
        return value, scores

    def information(self, x: FloatArray, difficulty: bool) -> FloatArray:
        """Return minus the Hessian of ℓ, its biases free."""
        return self.expanded(x, difficulty)[2]

    def expanded(self, x: FloatArray, difficulty: bool) -> tuple[float, FloatArray, FloatArray]:
        """Return ℓ, its scores and minus its Hessian, as `total` and `information` have them."""
        k, found = len(self.z), np.zeros((len(x), len(x)))
        value, scores = self._without_items(x)
        curves = self._curves(x, difficulty)
        own = np.arange(k)
        for b in self._blocks(x):
            g, u, drift, bent, by_spread, twice = curves.at(b.square, b.m, 2)
            value += self._climbed(b, [g, u, drift], scores)
            if difficulty:
                slopes = np.vstack([-2 * b.a, b.a * b.e])  # of Q
                found[: 2 * k, : 2 * k] += 0.5 * serial_product(slopes * bent, slopes.T)
                found[: 2 * k, 2 * k :] += 0.5 * (slopes * by_spread).sum(axis=1)[:, None]
                found[2 * k :, 2 * k :] -= np.sum(twice)
            share, ua = b.w / b.weight, b.a * u
            found[own, own] += (u * b.w).sum(axis=1)
            found[own, k + own] -= ua.sum(axis=1)
            found[k + own, k + own] += 0.5 * (share + ua * b.e).sum(axis=1)
            over = u / b.weight
            by_w, by_a = b.w * over, b.a * over
            found[:k, :k] -= serial_product(by_w, b.w.T)
            found[:k, k : 2 * k] += serial_product(by_w, b.a.T)
            found[k : 2 * k, k : 2 * k] -= serial_product(by_a, b.a.T) + 0.5 * serial_product(
                share, share.T
            )
        upper = np.triu(found)
        return value, scores, np.asarray(upper + np.triu(upper, 1).T)

    def _without_items(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return the part of ℓ and of its scores that numbers of labels make."""
        k, scores = len(self.z), np.zeros(len(x))
        labels = self.seen.sum(axis=1)
        scores[k : 2 * k] = 0.5 * labels
        return 0.5 * float(labels @ x[k : 2 * k]), scores

    def _climbed(self, b: _Block, curves: list[FloatArray], scores: FloatArray) -> float:
        """Return what items add to ℓ, and add to its scores."""
        k, (g, u, by_spread) = len(self.z), curves
        ua = b.a * u
        scores[:k] += ua.sum(axis=1)
        scores[k : 2 * k] -= 0.5 * (b.w / b.weight + ua * b.e).sum(axis=1)
        scores[2 * k :] += np.sum(by_spread)
        return float(np.sum(g) - 0.5 * np.sum(np.log(b.weight)))

    def middle(self, x: FloatArray, difficulty: bool) -> FloatArray:
        """Return n/(n − 1)·Σ s·sᵀ over the n units, s being a unit's scores."""
        found = np.zeros((len(x), len(x)))
        curves = self._curves(x, difficulty)
        for b in self._blocks(x):
            _, u, by_spread = curves.at(b.square, b.m, 1)
            by_beta = b.a * u
            by_w = 0.5 * (b.seen - b.w / b.weight - by_beta * b.e)
            s = np.vstack([by_beta, by_w, *([by_spread] * difficulty)])
            begins = np.flatnonzero(np.diff(b.units, prepend=-1))
            if len(begins) < len(b.units):
                s = np.add.reduceat(s, begins, axis=1)
            found += serial_product(s, s.T)
        n = int(self.units[-1]) + 1
        return np.asarray(n / max(n - 1, 1) * found)

    def _curves(self, x: FloatArray, difficulty: bool) -> _Gauss | _Difficulty:
        if not difficulty:
            return _Gauss()
        k = len(self.z)
        # Q is the least of Σ w_j·(z_ij − β_j − y)² over y.
        most = math.exp(float(x[k : 2 * k].max())) * (self.far + float(np.linalg.norm(x[:k]))) ** 2
        return _Difficulty(math.exp(x[-1]), most)

    def _blocks(self, x: FloatArray) -> Iterator[_Block]:
        k = len(self.z)
        beta, w = x[:k, None], np.exp(x[k : 2 * k, None])
        for start, stop in zip(self.cuts[:-1], self.cuts[1:], strict=True):
            seen, m = self.seen[:, start:stop], self.m[start:stop]
            own = np.broadcast_to(w, seen.shape) if seen.all() else w * seen
            e = self.z[:, start:stop] - beta
            weight = own.sum(axis=0)
            e -= (own * e).sum(axis=0) / weight
            a = own * e
            square = (a * e).sum(axis=0)
            yield _Block(own, a, e, weight, square, m, seen, self.units[start:stop])


class _Gauss:
    """g = −Q/2."""

    def at(self, square: FloatArray, m: NDArray[np.int64], order: int) -> list[FloatArray]:
        """Return g, u = −2·g', ∂g/∂log spread; of order 2 too ∂u/∂Q, ∂u/∂log spread, ∂²g/∂ … ²."""
        none, zero = np.zeros(0), np.zeros_like(square)
        found = [-square / 2, np.ones_like(square), none]
        return found if order == 1 else [*found, zero, zero, none]


class _Difficulty:
    """g = log Σ_q ω_q·d_q^(−m)·exp(−Q/(2·d_q²)) at a spread of log d, for Q up to `most`."""

    def __init__(self, spread: float, most: float) -> None:
        self.spread = spread
        nodes, _ = hermite()
        self.sharp = math.exp(2 * (spread**2 - spread * float(nodes.min())))  # the largest 1/d²
        self.width = math.log1p(most * self.sharp) * (1 + 1e-9) / CELLS
        self.known: dict[tuple[int, int], list[list[FloatArray]]] = {}

    def at(self, square: FloatArray, m: NDArray[np.int64], order: int) -> list[FloatArray]:
        """Return what `_Gauss.at` does."""
        place = np.log1p(self.sharp * square) / self.width
        cell = place.astype(np.int64)
        place -= cell
        found = [np.empty_like(square) for _ in range(3 * order)]
        kinds = [int(m[0])] if m.min() == m.max() else np.unique(m).tolist()
        for kind in kinds:
            rows = slice(None) if len(kinds) == 1 else m == kind
            i, t = cell[rows], place[rows]
            for out, (c0, c1, c2, c3) in zip(found, self._cubics(kind, order), strict=True):
                out[rows] = ((c3.take(i) * t + c2.take(i)) * t + c1.take(i)) * t + c0.take(i)
        return found

    def _cubics(self, m: int, order: int) -> list[list[FloatArray]]:
        """Return the coefficients of each cell of what `at` returns."""
        if (m, order) not in self.known:
            grown = np.exp(self.width * np.arange(CELLS + 1))
            values, slopes = _integrals((grown - 1) / self.sharp, m, self.spread)
            scale = self.width * grown / self.sharp  # from ∂/∂Q to ∂/∂cell
            slopes = [s * scale for s in slopes]
            slopes += [np.gradient(v, edge_order=2) for v in values[3:]]
            found = [_hermite_cubics(v, s) for v, s in zip(values, slopes, strict=True)]
            self.known[m, order] = found[: 3 * order]
        return self.known[m, order]


def _integrals(
    square: FloatArray, m: int, spread: float
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return g, u, ∂g/∂s, ∂u/∂Q, ∂u/∂s and ∂²g/∂s², s = log spread, and by Q the first three's."""
    nodes, weights = hermite()
    log_d = spread * nodes - spread**2
    inverse = np.exp(-2 * log_d)
    turn = spread * nodes - 2 * spread**2  # ∂log d/∂s
    pull = square[:, None] * inverse
    logs = np.log(weights) - m * log_d - pull / 2
    top = logs.max(axis=1)
    share = np.exp(logs - top[:, None])
    total = share.sum(axis=1)
    share /= total[:, None]
    drift = (pull - m) * turn  # of a node's logarithm, by s
    again = (pull - m) * (turn - 2 * spread**2) - 2 * pull * turn**2

    def mean(v: FloatArray) -> FloatArray:
        return np.asarray(np.einsum("iq,iq->i", share, np.broadcast_to(v, share.shape)))

    u, by_spread = mean(inverse), mean(drift)
    bent = -0.5 * (mean(inverse**2) - u**2)
    turned = mean(inverse * drift) - 2 * mean(inverse * turn) - u * by_spread
    twice = mean(again + drift**2) - by_spread**2
    return [np.log(total) + top, u, by_spread, bent, turned, twice], [-u / 2, bent, -turned / 2]


def _hermite_cubics(v: FloatArray, slope: FloatArray) -> list[FloatArray]:
    """Return the coefficients of cubics with these values and slopes at the ends of cells."""
    rise = np.diff(v)
    left, right = slope[:-1], slope[1:]
    return [v[:-1], left, 3 * rise - 2 * left - right, left + right - 2 * rise]
