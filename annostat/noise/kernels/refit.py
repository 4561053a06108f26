"""Refits of many sets of counts."""

from __future__ import annotations

import numpy as np

from annostat.jit import njit
from annostat.noise.kernels.types import FLAGS, Goal, Space, copy_into, set_window


@njit(**FLAGS)
def refit_counts(calls, space, warm, counts, best_u, best):
    """Refit every row of `counts` (replicates, cells), the window included.

    `warm` holds the solution for each window on the data. With first >= 0 rows are taken to be like
    the data: after that window each begins at the best solution so far (a rate of 0 knows no
    window: at the data's then), and is left where it cannot become the best. With first < 0 all
    windows are climbed. Writes the best coordinates, and per row: log-likelihood, window and E|X|.
    """
    fill, _, size = calls.points
    spec, data, low, high = space
    starts, metrics, windows, first = warm
    drawn = (data[0].copy(), data[1].copy())
    there = Space(spec, drawn, low, high)
    count = drawn[1][: counts.shape[1]]  # set in place
    u, slopes = np.empty(low.size), np.empty(low.size)
    for b in range(counts.shape[0]):
        copy_into(counts[b], count)
        best[b, 0] = -np.inf
        for k in range(windows.size):
            i = (max(first, 0) + k) % windows.size
            if windows[i] > 0:
                set_window(drawn, windows[i])
            follow = first >= 0 and k > 0 and best_u[b, spec[0]] > 0.0
            beat = best[b, 0] if first >= 0 else -np.inf
            copy_into(best_u[b] if follow else starts[i], u)
            metric = metrics[i].copy()
            value, _ = calls.climb(calls.points, there, u, metric, Goal(0.0, 1e-8, beat))
            if value > best[b, 0]:
                best[b, 0] = value
                best[b, 1] = windows[i]
                best[b, 2] = size(fill, spec, u, drawn, slopes)
                copy_into(u, best_u[b])
