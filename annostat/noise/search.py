"""The search for the most likely law: starts, windows, refits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.noise import kernels
from annostat.noise.problem import Problem


def coarse(
    profile: tuple[NDArray[np.int64], FloatArray, FloatArray], problem: Problem, best: int | None
) -> NDArray[np.int64]:
    """Return at most eight windows that span the scan, the best one among them."""
    windows = problem.windows
    if windows.size <= 8:
        return windows if windows.size else np.zeros(1, dtype=np.int64)
    spread = np.geomspace(windows[0], windows[-1], 7).round().astype(np.int64)
    return np.unique(np.append(spread, best or windows[0]))


def scan_windows(problem: Problem, u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Maximise for each window; return coordinates, and log-likelihood, E|X|, convergence."""
    found = np.empty((problem.windows.size, u.size))
    values = np.empty((problem.windows.size, 3))
    kernels.scan_windows(problem.calls, problem.space(), u, problem.windows, found, values)
    return found, values
