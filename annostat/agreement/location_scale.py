r"""The likelihood of raters with biases and scales of their own, items being free.

Z_ij = y_i + β_j + σ_j·d_i·x_ij: an item's value, a rater's bias and noise SD, an item's difficulty.
The value is integrated out with a flat prior, which for Gaussian errors is REML. Item i then enters
through Q_i = Σ_j w_j·e_ij² alone, w_j = 1/σ_j², e_ij = z_ij − β_j − ȳ_i, ȳ_i the weighted mean of
its labels less their biases, W_i = Σ_j w_j over the labels seen, m_i = labels − 1:

    ℓ_i = ½·Σ_j log w_j − ½·log W_i + g(Q_i)
    ∂ℓ_i/∂log w_j = ½ − ½·w_j/W_i − ½·u_i·w_j·e_ij²,  ∂ℓ_i/∂β_j = u_i·w_j·e_ij,  u = −2·g'(Q)

    Gauss        g = −Q/2
    difficulty   g = log Σ_q ω_q·d_q^(−m)·exp(−Q/(2·d_q²)), log d normal, E d² = 1

Newton's steps climb it where they lead up, SciPy's search else. Above `MANY` items it is worked out
by `many_items`, and above `SAMPLED` the steps start from the maximum of a random part of the units:
the maximum is the same, and the cost is a few passes over the labels.

The Gaussian form is a method of moments with good weights: no law biases it. Difficulty that is
shared by the labels of an item can be told from heavy tails of each label from four labels on
(`shared_difficulty`), and there its likelihood takes over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from annostat.agreement.many_items import ManyItems, hermite
from annostat.arrays import FloatArray, row_sums

WIDEST = 6.0  # of log σ_j², about the mean: a rater without noise is not let go further
MANY, SAMPLED = 512, 16_384  # items above which blocks, and a first sample, are taken
FROM_NEAR, FROM_FAR = (8, 1e-4), (30, 1e-8)  # Newton's pace, see `_by_newton`
SAMPLE, ENOUGH = 8192, 50  # items of the sample, and labels in it of a rater that it speaks of

Bounds = Sequence[tuple[float | None, float | None]]


@dataclass(frozen=True, eq=False)
class Table:
    """Labels of items with two or more, about the mean, in units of their spread.

    Attributes
    ----------
    z : float64 array of shape (n, k)
        0 where missing.
    seen : bool array of shape (n, k)
    units : int64 array of shape (n,)
    scale : float
    """

    z: FloatArray
    seen: NDArray[np.bool_]
    units: NDArray[np.int64]
    scale: float

    @property
    def n_units(self) -> int:
        """Number of independent units."""
        return int(self.units.max()) + 1

    def of(self, rows: NDArray[np.bool_]) -> Table:
        """Return some of the items."""
        return Table(self.z[rows], self.seen[rows], self.units[rows], self.scale)

    @cached_property
    def likelihood(self) -> _FewItems | ManyItems:
        """What the labels say of biases and scales."""
        if len(self.z) > MANY:
            return ManyItems.of(self.z, self.seen, self.units)
        return _FewItems(self)

    @cached_property
    def sample(self) -> Table:
        """A random part of the units, the same one each time."""
        chosen = np.zeros(self.n_units, dtype=bool)
        most = max(self.n_units * SAMPLE // len(self.z), 1)
        chosen[np.random.default_rng(self.n_units).permutation(self.n_units)[:most]] = True
        return self.of(chosen[self.units])


@dataclass(frozen=True, eq=False)
class Fitted:
    """Maximum of the likelihood.

    Attributes
    ----------
    beta, log_w : float64 arrays of shape (k,)
        Biases, summing to 0, and log 1/σ_j².
    spread : float
        SD of log d; 0 for Gaussian errors.
    hessian, sandwich : float64 arrays of shape (2k or 2k + 1, 2k or 2k + 1)
        Covariances of (β, log w, log spread).
    loglik : float
    """

    beta: FloatArray
    log_w: FloatArray
    spread: float
    hessian: FloatArray
    sandwich: FloatArray
    loglik: float


def fit(
    table: Table,
    beta: FloatArray,
    *,
    log_w: FloatArray | None = None,
    difficulty: bool = False,
) -> Fitted:
    """Return the maximum of the likelihood, started from biases (and log 1/σ²)."""
    k = table.z.shape[1]
    start = np.full(k, -math.log(within(table, beta))) if log_w is None else log_w
    x = np.concatenate([beta, start, [math.log(0.3)] if difficulty else []])
    bounds: list[tuple[float | None, float | None]] = [(None, None)] * k
    bounds += [(float(start.mean()) - WIDEST, float(start.mean()) + WIDEST)] * k
    bounds += [(math.log(0.02), math.log(1.5))] * difficulty
    likelihood, pace = table.likelihood, FROM_FAR
    if len(table.z) > SAMPLED:
        x, pace = _of_sample(table, x, difficulty, bounds), FROM_NEAR
    # SciPy's search takes 0.3 s to load, and starts threads of BLAS that wait busily.
    found = _by_newton(likelihood, x, difficulty, bounds, pace)
    if found is None:
        at = _newton(likelihood, _maximum(likelihood, x, difficulty, bounds), difficulty, bounds)
        found = at, _pinned(likelihood.information(at, difficulty), k)
    at, information = found
    hessian = _inverse(information)
    value, _ = likelihood.total(at, difficulty)
    sandwich = np.asarray(hessian @ likelihood.middle(at, difficulty) @ hessian, dtype=np.float64)
    beta = np.asarray(at[:k] - at[:k].mean(), dtype=np.float64)
    spread = math.exp(at[-1]) if difficulty else 0.0
    log_w = np.asarray(at[k : 2 * k], dtype=np.float64)
    return Fitted(beta, log_w, spread, hessian, sandwich, value)


def _maximum(
    likelihood: _FewItems | ManyItems, x: FloatArray, difficulty: bool, bounds: Bounds
) -> FloatArray:
    k = len(x) // 2

    def down(x: FloatArray) -> tuple[float, FloatArray]:
        value, scores = likelihood.total(x, difficulty)
        # Biases are told up to a constant: their sum is held at 0.
        total = float(x[:k].sum())
        gradient = -scores
        gradient[:k] += total
        return -value + total**2 / 2, gradient

    from scipy.optimize import minimize

    found = minimize(
        down,
        x,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 500, "maxfun": 1000, "ftol": 1e-13, "gtol": 1e-8},
    )
    return np.asarray(found.x, dtype=np.float64)


def _of_sample(table: Table, x: FloatArray, difficulty: bool, bounds: Bounds) -> FloatArray:
    """Return the maximum of a random part of the units, to start from; `x` where it is silent."""
    k, part = table.z.shape[1], table.sample
    quick = _by_newton(part.likelihood, x, difficulty, bounds, FROM_FAR)
    found = _maximum(part.likelihood, x, difficulty, bounds) if quick is None else quick[0]
    few = np.flatnonzero(part.seen.sum(axis=0) < ENOUGH)
    for silent in (few, k + few):
        found[silent] = x[silent]
    return found


def _by_newton(
    likelihood: _FewItems | ManyItems,
    x: FloatArray,
    difficulty: bool,
    bounds: Bounds,
    pace: tuple[int, float],
) -> tuple[FloatArray, FloatArray] | None:
    """Return the maximum by Newton's steps, with minus the Hessian a last step before.

    None where one of them leads down, or they do not end. `pace` is how many there may be, and the
    square of a step in standard errors that is the last: what is left after it is of its second
    order. What is at a bound, and would go on beyond it, stays.
    """
    low, high = _ends(bounds)
    most, near = pace
    last = -math.inf
    for _ in range(most):
        value, scores, information = likelihood.expanded(x, difficulty)
        if value < last - 1e-9 * (1 + abs(value)):
            return None
        free = ~(((x <= low) & (scores <= 0)) | ((x >= high) & (scores >= 0)))
        information = _pinned(information, len(x) // 2)
        step = _inverse(information[np.ix_(free, free)]) @ scores[free]
        last, x = value, x.copy()
        x[free] = np.clip(x[free] + step, low[free], high[free])
        if float(step @ scores[free]) < near:
            return x, information
    return None


@dataclass(frozen=True, eq=False)
class _FewItems:
    """The likelihood of a table, as `ManyItems` has it."""

    table: Table

    def total(self, x: FloatArray, difficulty: bool) -> tuple[float, FloatArray]:
        """Return ℓ and the sum of its scores."""
        value, scores = log_likelihood(self.table, x, difficulty)
        return value, scores.sum(axis=0)

    def information(self, x: FloatArray, difficulty: bool) -> FloatArray:
        """Return minus the Hessian of ℓ, its biases free."""
        return _information(self.table, x, difficulty)

    def expanded(self, x: FloatArray, difficulty: bool) -> tuple[float, FloatArray, FloatArray]:
        """Return ℓ, its scores and minus its Hessian."""
        return *self.total(x, difficulty), self.information(x, difficulty)

    def middle(self, x: FloatArray, difficulty: bool) -> FloatArray:
        """Return n/(n − 1)·Σ s·sᵀ over the n units, s being a unit's scores."""
        n = self.table.n_units
        total = np.zeros((n, len(x)))
        np.add.at(total, self.table.units, log_likelihood(self.table, x, difficulty)[1])
        return np.asarray(n / max(n - 1, 1) * total.T @ total)


def log_likelihood(table: Table, x: FloatArray, difficulty: bool) -> tuple[float, FloatArray]:
    """Return ℓ and the scores of items by (β, log w[, log spread]), shape (n, p)."""
    k = table.z.shape[1]
    w = np.where(table.seen, np.exp(x[k : 2 * k]), 0.0)
    off = table.z - x[:k]
    weight = w.sum(axis=1)
    mean = (w * off).sum(axis=1) / weight
    e = np.where(table.seen, off - mean[:, None], 0.0)
    square = (w * e**2).sum(axis=1)
    m = table.seen.sum(axis=1) - 1.0
    base = 0.5 * (table.seen * x[k : 2 * k]).sum(axis=1) - 0.5 * np.log(weight)
    if difficulty:
        g, u, by_spread = _difficult(square, m, math.exp(x[-1]))
    else:
        g, u, by_spread = -square / 2, np.ones_like(square), np.zeros((len(m), 0))
    by_beta = u[:, None] * w * e
    by_w = np.where(table.seen, 0.5 - 0.5 * w / weight[:, None], 0.0)
    by_w -= 0.5 * u[:, None] * w * e**2
    return float((base + g).sum()), np.hstack([by_beta, by_w, by_spread])


def _difficult(
    square: FloatArray, m: FloatArray, spread: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return g, u and ∂g/∂log spread for a log-normal difficulty with E d² = 1."""
    nodes, weights = hermite()
    log_d = spread * nodes - spread**2
    inverse = np.exp(-2 * log_d)
    logs = np.log(weights) - m[:, None] * log_d - square[:, None] * inverse / 2
    top = logs.max(axis=1, keepdims=True)
    part = np.exp(logs - top)
    total = part.sum(axis=1)
    share = part / total[:, None]
    turn = spread * nodes - 2 * spread**2  # ∂log d/∂log spread
    by_spread = (share * (square[:, None] * inverse - m[:, None]) * turn).sum(axis=1)
    return (np.log(total) + top[:, 0]), (share * inverse).sum(axis=1), by_spread[:, None]


def _information(table: Table, x: FloatArray, difficulty: bool) -> FloatArray:
    """Return minus the Hessian of ℓ, by central differences of its exact scores."""
    p, step = len(x), 1e-5
    found = np.zeros((p, p))
    k = table.z.shape[1]
    # What a rater did not label does not move with that rater.
    parts = [table.of(table.seen[:, j]) for j in range(k)]
    for j in range(p):
        part = parts[j % k] if j < 2 * k else table
        moved = [x + side * step * np.eye(p)[j] for side in (1, -1)]
        up, down = (log_likelihood(part, v, difficulty)[1].sum(axis=0) for v in moved)
        found[j] = -(up - down) / (2 * step)
    return found


def _pinned(found: FloatArray, k: int) -> FloatArray:
    """Return it with the mean bias, which nobody asks for and nothing tells, held in place."""
    found[:k, :k] += float(np.trace(found[:k, :k])) / k**2
    return np.asarray((found + found.T) / 2)


def _inverse(information: FloatArray) -> FloatArray:
    """Return the inverse; what has no curvature, at a bound, is hardly known at all."""
    values, vectors = np.linalg.eigh(information)
    values = np.maximum(values, 1e-8 * values[-1])
    return np.asarray((vectors / values) @ vectors.T, dtype=np.float64)


def _newton(
    likelihood: _FewItems | ManyItems, x: FloatArray, difficulty: bool, bounds: Bounds
) -> FloatArray:
    """Return the maximum to the last digits, unless it is at a bound."""
    low, high = _ends(bounds)
    if ((x <= low + 1e-6) | (x >= high - 1e-6)).any():
        return x
    for _ in range(3):
        value, scores = likelihood.total(x, difficulty)
        inverse = _inverse(_pinned(likelihood.information(x, difficulty), len(x) // 2))
        moved = np.clip(x + inverse @ scores, low, high)
        if likelihood.total(moved, difficulty)[0] < value - 1e-9 * (1 + abs(value)):
            break
        near = bool(np.abs(moved - x).max() < 1e-8)
        x = moved
        if near:
            break
    return x


def _ends(bounds: Bounds) -> tuple[FloatArray, FloatArray]:
    low = np.array([-np.inf if b[0] is None else b[0] for b in bounds])
    high = np.array([np.inf if b[1] is None else b[1] for b in bounds])
    return low, high


def within(table: Table, beta: FloatArray) -> float:
    """Return the variance of labels about the means of their items, biases removed."""
    off = np.where(table.seen, table.z - beta, 0.0)
    mean = row_sums(off) / row_sums(table.seen)
    residual = np.where(table.seen, off - mean[:, None], 0.0)
    return float(np.sum(residual**2) / (table.seen.sum() - len(mean)))
