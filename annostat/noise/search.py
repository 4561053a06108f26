"""The search for the most likely law: starts, windows, refits of other counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, IntArray
from annostat.errors import check_count
from annostat.noise import kernels
from annostat.noise.problem import Problem
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng, spawn
from annostat.resampling.parallel import Progress, map_parallel

Draw: TypeAlias = Callable[[range, np.random.Generator], FloatArray]
AT_ONCE = 40  # more of them are tried in rounds, ever closer to the best one
ROWS, CELLS = 64, 2_000_000  # refits, and counts of cells, of one block


@dataclass(frozen=True, eq=False)
class Solution:
    """Where the search ended.

    Attributes
    ----------
    problem : Problem
        With the support that the law there needs.
    value : float
        Log-likelihood.
    u : float64 array
        Coordinates.
    window : int
        The best window, 0 without one.
    converged : bool
    windows, values, maes : arrays
        Windows that were tried, and the log-likelihood and E|X| of each.
    """

    problem: Problem
    value: float
    u: FloatArray
    window: int
    converged: bool
    windows: IntArray
    values: FloatArray
    maes: FloatArray

    @property
    def profile(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Windows, log-likelihoods, E|X|."""
        return self.windows, self.values, self.maes

    def uncertainty(self) -> tuple[float, float | None, FloatArray]:
        """Return E|X|, its standard uncertainty, and those of the coordinates (NaN: none).

        From the inverse curvature of the likelihood; coordinates at a limit have none.
        """
        p, u = self.problem, self.u
        low, high = p.box
        mae, slopes = p.mae(u, self.window)
        hessian = np.zeros((u.size, u.size))
        kernels.curvature(p.calls.points, p.space(self.window), u, 0.0, hessian)
        inside = (u > low + 1e-9) & (u < high - 1e-9)
        covariance = np.zeros_like(hessian)
        spread: float | None = None
        if inside.any():
            part = np.ix_(inside, inside)
            try:
                covariance[part] = np.linalg.inv(hessian[part])
                variance = float(slopes @ covariance @ slopes)
                spread = math.sqrt(variance) if variance > 0 and math.isfinite(variance) else None
            except np.linalg.LinAlgError:
                spread = None
        errors = np.sqrt(np.where(np.diag(covariance) > 0, np.diag(covariance), np.nan))
        return mae, spread, errors


def search(problem: Problem, *, refine: bool = True) -> Solution:
    """Maximise over the parameters and the window.

    Without `refine`, only the problem's own windows are tried.
    """
    windows = problem.windows
    middle = problem.first_window
    # Laws as wide as a far pick are costly: the choice of the start needs no last digits.
    digits = 1e-4 if problem.cells.far else 1e-11
    trials = (
        problem.with_support(s, 3.0).maximise(s, middle, tolerance=digits) for s in problem.starts()
    )
    best = max(trials, key=lambda trial: trial[0])
    problem = problem.with_support(best[1], 1.5)
    value, u, fine = problem.maximise(best[1], middle)
    window, values = middle, np.zeros((0, 3))
    if windows.size:
        found, values = scan_windows(problem, u)
        top = int(np.argmax(values[:, 0]))
        near = near_windows(windows, top)
        if refine and 0 < near.size <= AT_ONCE:
            return search(replace(problem, windows=np.union1d(windows, near)))
        while refine and near.size:
            some = near[:: math.ceil(near.size / AT_ONCE)]
            more = scan_windows(replace(problem, windows=some), found[top])
            windows = np.append(windows, some)
            order = np.argsort(windows)
            windows, found = windows[order], np.concatenate([found, more[0]])[order]
            values = np.concatenate([values, more[1]])[order]
            top = int(np.argmax(values[:, 0]))
            near = near_windows(windows, top)
        problem = replace(problem, windows=windows)
        window = int(windows[top])
        value, u, fine = problem.maximise(found[top], window)
        values[top] = value, problem.mae(u, window)[0], fine
    needed = problem.with_support(u)
    if (needed.support > problem.support).any():
        problem = needed
        value, u, fine = problem.maximise(u, window)
    return Solution(problem, value, u, window, fine, windows, values[:, 0], values[:, 1])


def near_windows(windows: IntArray, top: int) -> IntArray:
    """Return the windows that a sparse grid leaves out beside its best one."""
    left, right = windows[max(top - 1, 0)], windows[min(top + 1, windows.size - 1)]
    return np.setdiff1d(np.arange(left, right + 1), windows)


def scan_windows(problem: Problem, u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Maximise for each window; return coordinates, and log-likelihood, E|X|, convergence."""
    found = np.empty((problem.windows.size, u.size))
    values = np.empty((problem.windows.size, 3))
    kernels.scan_windows(problem.calls, problem.space(), u, problem.windows, found, values)
    return found, values


def coarse(windows: IntArray, best: int | None) -> IntArray:
    """Return at most eight windows that span a scan, the best one among them."""
    if windows.size <= 8:
        return windows if windows.size else np.zeros(1, dtype=np.int64)
    spread = np.geomspace(windows[0], windows[-1], 7).round().astype(np.int64)
    return np.unique(np.append(spread, best or windows[0]))


def resampled_counts(problem: Problem) -> Draw:
    """Return what draws the counts of resampled items, or of resampled whole clusters."""
    cells = problem.cells
    codes = cluster_codes(problem.rounds.cluster)
    if codes is None:
        share = cells.count / cells.count.sum()
        n = int(cells.count.sum())

        def draw_items(numbers: range, generator: np.random.Generator) -> FloatArray:
            return generator.multinomial(n, share, size=len(numbers)).astype(np.float64)

        return draw_items
    import scipy.sparse as sparse

    ones = problem.rounds.row_weights.astype(np.float64)
    shape = (int(codes.max()) + 1, cells.count.size)
    table = sparse.csr_array((ones, (codes, cells.of_item)), shape=shape)

    def draw_clusters(numbers: range, generator: np.random.Generator) -> FloatArray:
        picked = generator.integers(0, shape[0], size=(len(numbers), shape[0]))
        times = np.array([np.bincount(row, minlength=shape[0]) for row in picked])
        return np.asarray(times @ table, float)

    return draw_clusters


def refit(
    problem: Problem,
    start: Solution,
    draw: Draw,
    n_resamples: int,
    *,
    like_data: bool = True,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> tuple[FloatArray, NDArray[np.int64], FloatArray, FloatArray]:
    """Refit counts of the problem's cells, drawn block by block, from a solution on the data.

    Returns log-likelihood, window and E|X| of each resample, and the coordinates. Counts that are
    not like the data, but drawn under another law, take longer.
    """
    n_resamples = check_count("n_resamples", n_resamples, low=1)
    windows = coarse(problem.windows, start.window)
    low, high = problem.box
    metrics = np.zeros((windows.size, low.size, low.size))
    for w, metric in zip(windows, metrics, strict=True):
        space = start.problem.space(int(w))._replace(low=low, high=high)
        kernels.set_metric(problem.calls.points, space, start.u, 0.0, metric)
    starts = np.tile(start.u, (windows.size, 1))
    data = problem.data(int(windows[0]))
    first = int(np.argmin(np.abs(windows - start.window))) if like_data else -1
    # A block has a generator of its own and a fixed size: any number of workers agrees.
    size = max(1, min(ROWS, CELLS // max(problem.cells.count.size, 1)))
    ranges = [range(i, min(i + size, n_resamples)) for i in range(0, n_resamples, size)]
    blocks = list(zip(ranges, spawn(rng, len(ranges)), strict=True))

    def one(task: tuple[range, np.random.Generator]) -> FloatArray:
        block = task[0]
        counts = np.ascontiguousarray(draw(*task))
        coordinates = np.empty((len(block), low.size))
        best = np.empty((len(block), 3))
        # Arrays that Ray shares with a worker are read only, which kernels do not take.
        u, inverse, tried, a, b, *cells = (
            np.require(array, requirements="W")
            for array in (starts, metrics, windows, low, high, *data)
        )
        space = kernels.Space(problem.spec, tuple(cells), a, b)
        warm = kernels.Warm(u, inverse, tried, first)
        kernels.refit_counts(problem.calls, space, warm, counts, coordinates, best)
        return np.column_stack([best, coordinates])

    table = np.concatenate(map_parallel(one, blocks, n_jobs=n_jobs, progress=progress))
    return table[:, 0], table[:, 1].astype(np.int64), table[:, 2], table[:, 3:]
