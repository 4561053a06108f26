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

from annostat.arrays import FloatArray, IntArray

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
    even = bool((w == 1).all())
    # Columns in a row are looked at in place, not copied.
    joined = columns.size > 0 and columns[-1] - columns[0] + 1 == columns.size
    here = slice(columns[0], columns[-1] + 1) if joined else columns

    def look(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        curve, slopes = chart.shape(theta, v)
        error = y - curve
        slopes = slopes[:, here]
        if project:
            shift = error @ w / w.sum()
            theta[:, 0] += shift
            error -= shift[:, None]
            slopes -= (slopes @ w / w.sum())[:, :, None]
        rss = np.maximum(error**2 @ w, points.n * TINY)
        cost = dof * np.log(rss)
        if prior is not None and chart.log_floor is not None:
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
        weighted = slopes if even else slopes * w
        hessian = weighted @ slopes.transpose(0, 2, 1)
        gradient = np.einsum("bin,bn->bi", weighted, error)
        if prior is not None and chart.log_floor is not None:
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
        if better.all():  # the rule, and no array is copied
            theta, error, slopes, rss, cost = trial, new_error, new_slopes, new_rss, new_cost
        else:
            for old, new in (
                (theta, trial),
                (error, new_error),
                (slopes, new_slopes),
                (rss, new_rss),
                (cost, new_cost),
            ):
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


@dataclass(frozen=True)
class Profile:
    """A fit whose columns are to be profiled.

    Attributes
    ----------
    chart : Chart
    points : Points
    starts : float64 array of shape (s, p)
        The solution first, then other places to start from.
    free : bool array of shape (p,)
        As for the fit itself; in its own profile a column is held.
    lowest, rise : float
        Deviance of the solution, and by how much it may rise.
    dof : int
    prior : Prior or None
    """

    chart: Chart
    points: Points
    starts: FloatArray
    free: NDArray[np.bool_]
    lowest: float
    rise: float
    dof: int
    prior: Prior | None = None

    def limits(self, columns: Sequence[int]) -> list[tuple[float, float]]:
        """Return the limits of columns, all their profiles solved together.

        A limit is infinite where the profile is still below at the end of the box.
        """
        ends = [column for column in columns for _ in (0, 1)]
        widths = [max(self._standard_error(c), 1e-9 * self._span(c)) for c in ends]
        brackets = self._brackets(ends, widths)
        for _ in range(8):
            wide = [i for i, (a, b) in brackets.items() if abs(b[0] - a[0]) > 0.02 * widths[i]]
            if not wide:
                break
            self._narrow(brackets, wide, ends)
        found = [-math.inf, math.inf] * len(columns)
        for i, (a, b) in brackets.items():
            found[i] = float(a[0] + a[1] / (a[1] - b[1]) * (b[0] - a[0]))
        return list(zip(found[::2], found[1::2], strict=True))

    def _brackets(self, ends: list[int], widths: list[float]) -> dict[int, Ladder]:
        """Return the last place inside and the next one outside, for each end that has them.

        The places are steps away from the best value, each twice the last, then the end of the
        box; lower ends stand at even places of `ends`, upper ones at odd places.
        """
        steps = []
        for i, (c, width) in enumerate(zip(ends, widths, strict=True)):
            away = min(width, 0.05 * self._span(c)) * 0.5 * 2.0 ** np.arange(11)
            away[-1] = self._span(c)
            place = self.starts[0, c] + (away if i % 2 else -away)
            steps.append(np.clip(place, self.chart.low[c], self.chart.high[c]))
        n = steps[0].size
        begin = np.repeat(self.starts[None], n * len(ends), axis=0)
        found = self._roots(np.repeat(ends, n), np.concatenate(steps), begin, 1e-3)
        brackets = {}
        for i, c in enumerate(ends):
            best = (float(self.starts[0, c]), -math.sqrt(self.rise), self.starts[0])
            ladder = [best, *found[i * n : (i + 1) * n]]
            last = max(k for k, (_, z, _) in enumerate(ladder) if z <= 0)
            if last < n:
                brackets[i] = ladder[last : last + 2]
        return brackets

    def _narrow(self, brackets: dict[int, Ladder], wide: list[int], ends: list[int]) -> None:
        """Look about the crossing of the chord: the root is nearly straight."""
        places, begin = [], []
        for a, b in (brackets[i] for i in wide):
            places += [a[0] + share * (b[0] - a[0]) for share in _around(a[1], b[1])]
            begin += [np.stack([a[2], b[2]])] * 3
        columns = np.repeat([ends[i] for i in wide], 3)
        found = self._roots(columns, np.array(places), np.stack(begin), 1e-5)
        for k, i in enumerate(wide):
            a, b = brackets[i]
            ladder = [a, *found[3 * k : 3 * k + 3], b]
            last = max(j for j, (_, z, _) in enumerate(ladder[:-1]) if z <= 0)
            brackets[i] = ladder[last : last + 2]

    def _roots(
        self, columns: IntArray, values: FloatArray, begin: FloatArray, tolerance: float
    ) -> Ladder:
        """Return (value, √deviance less the wanted one, solution) for columns held at values.

        `begin`, of shape (len(values), s, p), holds the places to start from.
        """
        rows = np.arange(values.size)
        begin = begin.copy()
        begin[rows, :, columns] = values[:, None]
        masks = np.repeat(self.free[None], values.size, axis=0)
        masks[rows, columns] = False
        n_starts, n_columns = begin.shape[1:]
        theta, cost = solve(
            self.chart,
            self.points,
            begin.reshape(-1, n_columns),
            np.repeat(masks, n_starts, axis=0),
            dof=self.dof,
            prior=self.prior,
            tolerance=tolerance,
            max_steps=40,
        )
        cost = cost.reshape(begin.shape[:2])
        first = cost.argmin(axis=1)
        z = np.sqrt(np.maximum(cost[rows, first] - self.lowest, 0.0)) - math.sqrt(self.rise)
        return list(zip(values, z, theta.reshape(begin.shape)[rows, first], strict=True))

    def _span(self, column: int) -> float:
        return float(self.chart.high[column] - self.chart.low[column])

    def _standard_error(self, column: int) -> float:
        """Return the Gauss-Newton standard error of a free column; 0 if it has none."""
        curve, slopes = self.chart.shape(self.starts[:1], self.points.v)
        columns = np.flatnonzero(self.free)
        jacobian = slopes[0, columns]
        rss = float((self.points.y - curve[0]) ** 2 @ self.points.w)
        try:
            inverse = np.linalg.inv((jacobian * self.points.w) @ jacobian.T)
        except np.linalg.LinAlgError:
            return 0.0
        place = int(np.flatnonzero(columns == column)[0])
        variance = rss / self.dof * float(inverse[place, place])
        return math.sqrt(variance) if math.isfinite(variance) and variance > 0 else 0.0


def _around(inside: float, outside: float) -> tuple[float, float, float]:
    """Return three places in the bracket, as shares of it, about where a chord crosses zero."""
    share = min(max(inside / (inside - outside), 0.03), 0.97)
    return 0.9 * share, share, share + 0.1 * (1 - share)
