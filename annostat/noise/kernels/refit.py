"""Refits of many sets of counts, and the EM of unimodal laws."""

from __future__ import annotations

import numpy as np

from annostat.jit import njit
from annostat.noise.kernels.likelihood import law_slopes
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


@njit(**FLAGS)
def fit_unimodal(cells, weights, law, max_steps, tolerance):
    """Fit a mixture of uniforms on ±0, ±1, ..., ±M by the EM algorithm, in place.

    A symmetric unimodal law on the whole numbers is such a mixture (Khintchine). The directional
    derivative of the likelihood towards each uniform is at most 1 at a maximum (Lindsay 1983).

    Returns
    -------
    log-likelihood, largest directional derivative, number of steps
    """
    start, count = cells.start, cells.count
    readings = 0.0
    for c in range(count.size):
        readings += count[c] * (start[c + 1] - start[c])
    m = weights.size - 1
    slopes = np.zeros((1, 2 * m + 1))
    value, largest = -np.inf, np.inf
    for step in range(max_steps):
        height = 0.0
        for w in range(m, -1, -1):
            height += weights[w] / (2.0 * w + 1.0)
            law[0, m + w] = height
            law[0, m - w] = height
        slopes[:] = 0.0
        value, _ = law_slopes(law, cells, 1.0, 0.0, np.int64(-1), slopes)
        ahead = slopes[0, m]
        largest = 0.0
        for w in range(m + 1):
            if w > 0:
                ahead += slopes[0, m + w] + slopes[0, m - w]
            ratio = ahead / (2.0 * w + 1.0) / readings
            largest = max(largest, ratio)
            weights[w] *= ratio
        if largest < 1.0 + tolerance:
            return value, largest, step
    return value, largest, max_steps
