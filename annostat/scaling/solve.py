"""Least squares of many small problems at once, and the limits of a profile.

A law is written in *charts*: coordinates in which the quantity of interest is one column, so that
its profile is the same least squares with that column held. Column 0 is always the level of
log loss; it is linear, and projected out wherever nothing else holds it (variable projection).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

FloatArray = NDArray[np.float64]
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
    free : bool array of shape (p,)
        The other columns stay as they are in `start`.

    Returns
    -------
    tuple of float64 arrays, of shapes (b, p) and (b,)
        Parameters and deviances.
    """
    v, y, w = points.v, points.y, points.w
    project = bool(free[0]) and prior is None
    columns = np.flatnonzero(free)
    columns = columns[columns > 0] if project else columns

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
        stuck = ((at <= chart.low[columns]) & (gradient < 0)) | (
            (at >= chart.high[columns]) & (gradient > 0)
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
            rss, cost = rss[keep], cost[keep]
            if not live.size:
                break
    out[live], best[live] = theta, cost
    return out, best


def limits(
    chart: Chart,
    points: Points,
    starts: FloatArray,
    column: int,
    free: NDArray[np.bool_],
    *,
    lowest: float,
    rise: float,
    dof: int,
    prior: Prior | None = None,
) -> tuple[float, float]:
    """Return where the profile of one column leaves `rise` above the `lowest` deviance.

    Parameters
    ----------
    starts : float64 array of shape (s, p)
        The solution first, then other places to start from.
    column : int
        Column whose limits are wanted.
    free : bool array of shape (p,)
        As for the fit itself; `column` is held here.

    Returns
    -------
    tuple of float
        An infinite limit where the profile is still below at the end of the box.
    """
    held = free.copy()
    held[column] = False
    best = float(starts[0, column])
    low, high = float(chart.low[column]), float(chart.high[column])

    def root(values: FloatArray, begin: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return √deviance less the wanted one, and the solutions, for values of the column.

        `begin`, of shape (len(values), s, p), holds the places to start from.
        """
        begin = begin.copy()
        begin[:, :, column] = values[:, None]
        theta, cost = solve(
            chart, points, begin.reshape(-1, begin.shape[2]), held, dof=dof, prior=prior,
            tolerance=1e-5, max_steps=40,
        )  # fmt: skip
        cost = cost.reshape(begin.shape[:2])
        first = cost.argmin(axis=1)
        rows = np.arange(values.size)
        above = np.maximum(cost[rows, first] - lowest, 0.0)
        return np.sqrt(above) - math.sqrt(rise), theta.reshape(begin.shape)[rows, first]

    width = max(standard_error(chart, points, starts[0], column, free, dof), 1e-9 * (high - low))
    steps = min(width, 0.05 * (high - low)) * 0.35 * 2.0 ** np.arange(12)
    steps[-1] = high - low
    ends = [-math.inf, math.inf]
    brackets: dict[int, list[tuple[float, float, FloatArray]]] = {}
    grid = np.concatenate([np.maximum(best - steps, low), np.minimum(best + steps, high)])
    z, theta = root(grid, np.repeat(starts[None], grid.size, axis=0))
    for side in (0, 1):
        part = slice(side * steps.size, (side + 1) * steps.size)
        seen = [
            (best, -math.sqrt(rise), starts[0]),
            *zip(grid[part], z[part], theta[part], strict=True),
        ]
        last = max(k for k, (_, height, _) in enumerate(seen) if height <= 0)
        if last < steps.size:
            brackets[side] = seen[last : last + 2]
    for _ in range(8):
        wide = {s: b for s, b in brackets.items() if abs(b[1][0] - b[0][0]) > 0.02 * width}
        if not wide:
            break
        # The root is nearly straight: a point on each side of the chord's crossing brackets it.
        places = [
            a[0] + share * (b[0] - a[0]) for a, b in wide.values() for share in _around(a[1], b[1])
        ]
        begin = np.array([[a[2], b[2]] for a, b in wide.values() for _ in range(3)])
        tried = list(zip(places, *root(np.array(places), begin), strict=True))
        for i, (side, (a, b)) in enumerate(wide.items()):
            ladder = [a, *tried[3 * i : 3 * i + 3], b]
            last = max(k for k, (_, height, _) in enumerate(ladder[:-1]) if height <= 0)
            brackets[side] = ladder[last : last + 2]
    for side, (inside, outside) in brackets.items():
        share = inside[1] / (inside[1] - outside[1])
        ends[side] = inside[0] + share * (outside[0] - inside[0])
    return float(ends[0]), float(ends[1])


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
