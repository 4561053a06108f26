"""Least squares of many small problems at once, and the limits of a profile.

A law is written in *charts*: coordinates in which the quantity of interest is one column, so that
its profile is the same least squares with that column held. Column 0 is always the level of
log loss; it is linear, and projected out wherever nothing else holds it (variable projection).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Ladder = list[tuple[float, float, FloatArray]]  # value, height of the root, solution
# Parameters of shape (b, p) and log sizes (n,) to log losses (b, n) and their slopes (b, p, n).
Shape = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
TINY = 1e-26  # mean squared residual below which points count as lying on the law exactly


@dataclass(frozen=True)
class Points:
    """What is fitted: log sizes about their mean, log losses, weights of mean 1.

    Attributes
    ----------
    v, y, w : float64 arrays of shape (n,)
    """

    v: FloatArray
    y: FloatArray
    w: FloatArray

    @property
    def n(self) -> int:
        """Number of points."""
        return self.v.size

    @property
    def knots(self) -> FloatArray:
        """The different sizes, in order."""
        return np.unique(self.v)


@dataclass(frozen=True)
class Prior:
    """What is known of the floor from elsewhere: its value and its standard error."""

    floor: float
    se: float


@dataclass(frozen=True)
class Chart:
    """One way to write a law down.

    Attributes
    ----------
    shape : callable
        The law; the slope of column 0 is 1.
    low, high : float64 arrays of shape (p,)
        Box of the parameters.
    log_floor : callable, optional
        Parameters (b, p) to log E (b,) and its slopes (b, p).
    """

    shape: Shape
    low: FloatArray
    high: FloatArray
    log_floor: Callable[[FloatArray], tuple[FloatArray, FloatArray]] | None = None


def threshold(dof: int, level: float, inflation: float = 1.0) -> float:
    """Return by how much the deviance ``dof * log(rss)`` may rise: F with 1 and `dof` degrees."""
    return dof * math.log1p(inflation * float(special.fdtri(1, dof, level)) / dof)


def solve(
    chart: Chart,
    points: Points,
    start: FloatArray,
    free: NDArray[np.bool_],
    *,
    dof: int,
    prior: Prior | None = None,
    tolerance: float = 1e-8,
    max_steps: int = 200,
) -> tuple[FloatArray, FloatArray]:
    """Minimise the deviance from every start, by Levenberg-Marquardt within the box.

    The deviance is ``dof * log(rss) + ((E - floor) / se)²``, its second term with a prior only.

    Parameters
    ----------
    start : float64 array of shape (b, p)
    free : bool array of shape (p,), or (b, p) with one row for each start
        The other columns stay as they are in `start`. Column 0 is either free in all or in none.

    Returns
    -------
    tuple of float64 arrays, of shapes (b, p) and (b,)
        Parameters and deviances.
    """
    v, y, w = points.v, points.y, points.w
    masks = np.broadcast_to(free, start.shape)
    project = bool(masks[0, 0]) and prior is None
    columns = np.flatnonzero(masks.any(axis=0))
    columns = columns[columns > 0] if project else columns
    held = ~masks[:, columns]

    def look(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        curve, slopes = chart.shape(theta, v)
        error = y - curve
        slopes = slopes[:, columns]
        if project:
            shift = error @ w / w.sum()
            theta[:, 0] += shift
            error -= shift[:, None]
            slopes = slopes - (slopes @ w / w.sum())[:, :, None]
        rss = np.maximum(error**2 @ w, points.n * TINY)
        cost = dof * np.log(rss)
        if prior is not None:
            assert chart.log_floor is not None
            cost = cost + ((np.exp(chart.log_floor(theta)[0]) - prior.floor) / prior.se) ** 2
        return error, slopes, rss, cost

    theta = np.clip(start, chart.low, chart.high)
    error, slopes, rss, cost = look(theta)
    if not columns.size:
        return theta, cost
    out, best = theta.copy(), cost.copy()
    live = np.arange(len(theta))
    damping = np.full(len(theta), 1e-2)
    unit = np.eye(columns.size)
    for _ in range(max_steps):
        weighted = slopes * w
        hessian = weighted @ slopes.transpose(0, 2, 1)
        gradient = np.einsum("bin,bn->bi", weighted, error)
        if prior is not None:
            assert chart.log_floor is not None
            log_floor, pull = chart.log_floor(theta)
            scale = np.sqrt(rss / dof) / prior.se
            row = (np.exp(log_floor) * scale)[:, None] * pull[:, columns]
            gap = (prior.floor - np.exp(log_floor)) * scale
            hessian += row[:, :, None] * row[:, None, :]
            gradient += row * gap[:, None]
        at = theta[:, columns]
        stuck = (
            held
            | ((at <= chart.low[columns]) & (gradient < 0))
            | ((at >= chart.high[columns]) & (gradient > 0))
        )
        gradient[stuck] = 0.0
        hessian *= ~stuck[:, :, None] & ~stuck[:, None, :]
        diagonal = np.einsum("bii->bi", hessian)
        ridge = damping[:, None] * diagonal + 1e-14 * diagonal.max(axis=1, keepdims=True) + 1e-280
        ridge[stuck] = 1.0
        step = np.linalg.solve(hessian + ridge[:, :, None] * unit, gradient[:, :, None])[:, :, 0]
        trial = theta.copy()
        trial[:, columns] = np.clip(at + step, chart.low[columns], chart.high[columns])
        new_error, new_slopes, new_rss, new_cost = look(trial)
        better = new_cost < cost
        gain, before = cost - new_cost, rss.copy()
        damping = np.where(better, np.maximum(damping * 0.1, 1e-12), damping * 8)
        for old, new in (
            (theta, trial), (error, new_error), (slopes, new_slopes), (rss, new_rss),
            (cost, new_cost),
        ):  # fmt: skip
            old[better] = new[better]
        # What a full step could still gain, were the law linear, is the other sign of an end.
        hoped = dof * np.einsum("bi,bi->b", gradient, step) / before
        done = (better & (gain < tolerance)) | (hoped < tolerance) | (damping > 1e8)
        if done.any():
            out[live[done]], best[live[done]] = theta[done], cost[done]
            keep = ~done
            live, damping = live[keep], damping[keep]
            theta, error, slopes = theta[keep], error[keep], slopes[keep]
            rss, cost, held = rss[keep], cost[keep], held[keep]
            if not live.size:
                break
    out[live], best[live] = theta, cost
    return out, best


def limits(
    chart: Chart,
    points: Points,
    starts: FloatArray,
    targets: Sequence[int],
    free: NDArray[np.bool_],
    *,
    lowest: float,
    rise: float,
    dof: int,
    prior: Prior | None = None,
) -> list[tuple[float, float]]:
    """Return where the profiles of columns leave `rise` above the `lowest` deviance.

    Parameters
    ----------
    starts : float64 array of shape (s, p)
        The solution first, then other places to start from.
    targets : sequence of int
        Columns whose limits are wanted: all their profiles are solved together.
    free : bool array of shape (p,)
        As for the fit itself; in its own profile a target is held.

    Returns
    -------
    list of tuple of float
        For each target; infinite where the profile is still below at the end of the box.
    """
    zero = -math.sqrt(rise)

    def roots(column: IntArray, value: FloatArray, begin: FloatArray, tolerance: float) -> Ladder:
        """Return (value, √deviance less the wanted one, solution) for columns held at values.

        `begin`, of shape (len(value), s, p), holds the places to start from.
        """
        rows = np.arange(value.size)
        begin = begin.copy()
        begin[rows, :, column] = value[:, None]
        masks = np.repeat(free[None], value.size, axis=0)
        masks[rows, column] = False
        theta, cost = solve(
            chart, points, begin.reshape(-1, begin.shape[2]),
            np.repeat(masks, begin.shape[1], axis=0), dof=dof, prior=prior, tolerance=tolerance,
            max_steps=40,
        )  # fmt: skip
        cost = cost.reshape(begin.shape[:2])
        first = cost.argmin(axis=1)
        z = np.sqrt(np.maximum(cost[rows, first] - lowest, 0.0)) + zero
        return list(zip(value, z, theta.reshape(begin.shape)[rows, first], strict=True))

    # Steps away from the best value, each twice the last, and the end of the box.
    width, ladders = {}, []
    for c in targets:
        best, low, high = float(starts[0, c]), chart.low[c], chart.high[c]
        se = standard_error(chart, points, starts[0], c, free, dof)
        width[c] = max(se, 1e-9 * (high - low))
        steps = min(width[c], 0.05 * (high - low)) * 0.5 * 2.0 ** np.arange(11)
        steps[-1] = high - low
        ladders += [
            (c, np.maximum(best - steps, low)),
            (c, np.minimum(best + steps, high)),
        ]
    values = np.concatenate([ladder for _, ladder in ladders])
    column = np.repeat([c for c, _ in ladders], [ladder.size for _, ladder in ladders])
    found = roots(column, values, np.repeat(starts[None], values.size, axis=0), 1e-3)
    brackets: dict[int, Ladder] = {}  # by the place in `ladders`
    for i, (c, ladder) in enumerate(ladders):
        seen = [(float(starts[0, c]), zero, starts[0])]
        seen += found[i * ladder.size : (i + 1) * ladder.size]
        last = max(k for k, (_, z, _) in enumerate(seen) if z <= 0)
        if last < ladder.size:
            brackets[i] = seen[last : last + 2]
    for _ in range(8):
        wide = {
            i: b
            for i, b in brackets.items()
            if abs(b[1][0] - b[0][0]) > 0.02 * width[ladders[i][0]]
        }
        if not wide:
            break
        # The root is nearly straight: a point on each side of the chord's crossing brackets it.
        values = np.array(
            [
                a[0] + share * (b[0] - a[0])
                for a, b in wide.values()
                for share in _around(a[1], b[1])
            ]
        )
        begin = np.array([[a[2], b[2]] for a, b in wide.values() for _ in range(3)])
        column = np.repeat([ladders[i][0] for i in wide], 3)
        found = roots(column, values, begin, 1e-5)
        for k, (i, (a, b)) in enumerate(wide.items()):
            seen = [a, *found[3 * k : 3 * k + 3], b]
            last = max(j for j, (_, z, _) in enumerate(seen[:-1]) if z <= 0)
            brackets[i] = seen[last : last + 2]
    ends = [-math.inf, math.inf] * len(targets)
    for i, (a, b) in brackets.items():
        ends[i] = float(a[0] + a[1] / (a[1] - b[1]) * (b[0] - a[0]))
    return list(zip(ends[::2], ends[1::2], strict=True))


def _around(inside: float, outside: float) -> tuple[float, float, float]:
    """Return three places in the bracket, as shares of it, about where a chord crosses zero."""
    share = min(max(inside / (inside - outside), 0.03), 0.97)
    return 0.9 * share, share, share + 0.1 * (1 - share)


def standard_error(
    chart: Chart,
    points: Points,
    theta: FloatArray,
    column: int,
    free: NDArray[np.bool_],
    dof: int,
) -> float:
    """Return the Gauss-Newton standard error of one free column; 0 if it has none."""
    curve, slopes = chart.shape(theta[None], points.v)
    columns = np.flatnonzero(free)
    jacobian = slopes[0, columns]
    hessian = (jacobian * points.w) @ jacobian.T
    rss = float((points.y - curve[0]) ** 2 @ points.w)
    try:
        inverse = np.linalg.inv(hessian)
    except np.linalg.LinAlgError:
        return 0.0
    place = int(np.flatnonzero(columns == column)[0])
    variance = rss / dof * float(inverse[place, place])
    return math.sqrt(variance) if math.isfinite(variance) and variance > 0 else 0.0
