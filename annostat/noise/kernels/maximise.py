"""The maximiser: BFGS in a box."""

from __future__ import annotations

import numpy as np

from annostat.jit import njit
from annostat.noise.kernels.likelihood import objective
from annostat.noise.kernels.types import CLIMB, FLAGS, INLINED, MAX_STEPS, entry, set_diagonal

CRAWL = 12  # halvings of a step, after which a gain that small is the last


@njit(**INLINED)
def invert(matrix, size, inverse):
    """Invert a symmetric positive definite matrix; return False if it is not."""
    work = matrix.copy()
    set_diagonal(inverse, 1.0)
    for i in range(size):
        pivot = work[i, i]
        if not pivot > 1e-12 * (abs(matrix[i, i]) + 1e-12):
            return False
        for j in range(size):
            work[i, j] /= pivot
            inverse[i, j] /= pivot
        for k in range(size):
            if k != i:
                factor = work[k, i]
                for j in range(size):
                    work[k, j] -= factor * work[i, j]
                    inverse[k, j] -= factor * inverse[i, j]
    return True


@njit(**FLAGS)
def curvature(points, space, u, target, hessian):
    """Write minus the Hessian at u, by central differences of the exact gradient."""
    n, low, high = u.size, space.low, space.high
    up, down, d_mae = np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n):
        if low[i] == high[i]:  # held fixed by the caller
            continue
        step = 1e-4
        moved = u.copy()
        moved[i] = min(u[i] + step, high[i])
        right = moved[i]
        objective(points, space, moved, target, up, d_mae)
        moved = u.copy()
        moved[i] = max(u[i] - step, low[i])
        objective(points, space, moved, target, down, d_mae)
        for j in range(n):
            hessian[i, j] = -(up[j] - down[j]) / (right - moved[i])
    for i in range(n):
        for j in range(i):
            mean = 0.5 * (hessian[i, j] + hessian[j, i])
            if low[i] == high[i] or low[j] == high[j]:
                mean = 0.0
            hessian[i, j] = mean
            hessian[j, i] = mean
        if low[i] == high[i]:
            hessian[i, i] = 1.0


@njit(**INLINED)
def pivot_of(spec, target):
    """Return the coordinate that is solved for to hold E|X| (see `objective`), or −1."""
    if target > 0.0:
        return np.int64(0)
    return spec[0] if target < 0.0 else np.int64(-1)


@njit(**FLAGS)
def set_metric(points, space, u, target, metric):
    """Set the maximiser's metric to the inverse curvature, or to its diagonal if indefinite."""
    n = u.size
    hessian = np.zeros((n, n))
    curvature(points, space, u, target, hessian)
    if target != 0.0:
        p = pivot_of(space.spec, target)
        for i in range(n):
            hessian[p, i] = 0.0
            hessian[i, p] = 0.0
        hessian[p, p] = 1.0
    if not invert(hessian, n, metric):
        set_diagonal(metric, 0.0)
        for i in range(n):
            metric[i, i] = 1.0 / max(abs(hessian[i, i]), 1e-3)


@njit(**FLAGS)
def ascent(metric, grad, u, space, pivot, direction):
    """Write metric·gradient over the coordinates free to move; return its slope."""
    n, low, high = u.size, space.low, space.high
    free = np.zeros(n)
    for i in range(n):
        if i != pivot:
            inside = (u[i] > low[i] or grad[i] > 0.0) and (u[i] < high[i] or grad[i] < 0.0)
            free[i] = 1.0 if inside else 0.0
    slope = 0.0
    for i in range(n):
        direction[i] = 0.0
        if free[i] > 0.0:
            for j in range(n):
                if free[j] > 0.0:
                    direction[i] += metric[i, j] * grad[j]
            slope += direction[i] * grad[i]
    return slope


@entry(CLIMB)
def maximise(points, space, u, metric, goal):
    """Maximise `objective` from u, in place, by BFGS within a box.

    Parameters
    ----------
    metric : float64 (n, n)
        Inverse of minus the Hessian, or zeros to have it computed; overwritten.
    goal : Goal
        With a target, E|X| is held there (see `objective`). The search ends when a Newton step
        would gain less log-likelihood than `tolerance`; also, short of the maximum, where not even
        forty times what a Newton step would gain reaches `beat`.

    Returns
    -------
    log-likelihood, whether it converged
    """
    target, tolerance, beat = goal
    spec, low, high = space.spec, space.low, space.high
    n = u.size
    grad, new_grad, d_mae = np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n):
        u[i] = min(max(u[i], low[i]), high[i])
    value = objective(points, space, u, target, grad, d_mae)
    fresh = metric[0, 0] == 0.0
    if fresh:
        set_metric(points, space, u, target, metric)
    steps = 0
    pivot = pivot_of(spec, target)
    direction = np.zeros(n)
    for _ in range(MAX_STEPS):
        slope = ascent(metric, grad, u, space, pivot, direction)
        if slope >= 0.0 and value + 20.0 * slope < beat:  # a Newton step gains half the slope
            return value, False
        if slope < tolerance:
            # A metric handed in is believed once a few steps have shaped it; a search for the
            # last digit computes it anew.
            shaped = steps > 0 and tolerance > 1e-9
            if (fresh or shaped) and slope >= 0.0:
                return value, True
            set_metric(points, space, u, target, metric)
            fresh = True
            slope = ascent(metric, grad, u, space, pivot, direction)
            if 0.0 <= slope < 10.0 * tolerance:
                return value, True
            if slope < 0.0:
                set_diagonal(metric, 1e-3)
                slope = ascent(metric, grad, u, space, pivot, direction)
        longest = 0.0
        for i in range(n):
            # Steps of more than a factor of four in a scale, or 0.1 in a rate, are too bold.
            limit = 0.1 if (spec[1] > 0 and i == spec[0]) else 1.4
            longest = max(longest, abs(direction[i]) / limit)
        step = 1.0 if longest <= 1.0 else 1.0 / longest
        improved = False
        for _halving in range(40):
            trial = u.copy()
            predicted = 0.0
            for i in range(n):
                if i == pivot:
                    continue
                trial[i] = min(max(u[i] + step * direction[i], low[i]), high[i])
                predicted += (trial[i] - u[i]) * grad[i]
            new_value = objective(points, space, trial, target, new_grad, d_mae)
            if new_value > value + 1e-4 * predicted or (
                predicted < 100.0 * tolerance and new_value >= value
            ):
                improved = True
                break
            step *= 0.5
        if not improved:
            if fresh:
                return value, slope < 1e-6 * (1.0 + abs(value) * 1e-3)
            set_metric(points, space, u, target, metric)
            fresh = True
            continue
        update(metric, u, trial, grad, new_grad, pivot)
        steps += 1
        fresh = False
        for i in range(n):
            u[i] = trial[i]
            grad[i] = new_grad[i]
        crawls = _halving >= CRAWL and new_value - value < 1e-6
        value = new_value
        if crawls:  # along a corner of the likelihood, where no step gets far
            return value, False
    return value, False


@njit(**INLINED)
def update(metric, old, new, old_grad, new_grad, pivot):
    """Update the inverse Hessian from one step (Broyden-Fletcher-Goldfarb-Shanno)."""
    n = old.size
    moved, bent = np.empty(n), np.empty(n)
    along = 0.0
    for i in range(n):  # a pivot moves, but its gradient does not bend: it must not enter
        moved[i] = 0.0 if i == pivot else new[i] - old[i]
        bent[i] = old_grad[i] - new_grad[i]
        if moved[i] == 0.0:  # held at a limit: its gradient says nothing about the others
            bent[i] = 0.0
        along += moved[i] * bent[i]
    if along <= 1e-14:
        return
    image = np.zeros(n)
    for i in range(n):
        for j in range(n):
            image[i] += metric[i, j] * bent[j]
    squared = 0.0
    for i in range(n):
        squared += bent[i] * image[i]
    for i in range(n):
        for j in range(n):
            metric[i, j] += (1.0 + squared / along) * moved[i] * moved[j] / along
            metric[i, j] -= (image[i] * moved[j] + moved[i] * image[j]) / along
