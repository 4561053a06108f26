"""Scans of windows and limits of profile likelihood."""

from __future__ import annotations

import math

import numpy as np

from annostat.jit import njit
from annostat.noise.kernels.types import (
    FLAGS,
    PROFILE_GAIN,
    SCAN_GAIN,
    Goal,
    Space,
    copy_into,
    set_diagonal,
    set_window,
)


@njit(**FLAGS)
def scan_windows(calls, space, start, windows, u, values):
    """Maximise for each window, from its neighbour's solution or, if that has no rate, from start.

    Writes the coordinates (windows, n) and, per window, the log-likelihood, E|X| and whether the
    search converged.
    """
    fill, _, size = calls.points
    spec, data = space.spec, space.data
    goal = Goal(0.0, SCAN_GAIN, -np.inf)
    n = start.size
    metric = np.zeros((n, n))
    slopes, fresh = np.empty(n), np.empty(n)
    for i in range(windows.size):
        set_window(data, windows[i])
        copy_into(start if i == 0 else u[i - 1], u[i])
        value, fine = calls.climb(calls.points, space, u[i], metric, goal)
        if u[i, spec[0]] == 0.0:
            copy_into(start, fresh)
            fresh[spec[0]] = max(start[spec[0]], 0.01)
            set_diagonal(metric, 0.0)
            again, fine_again = calls.climb(calls.points, space, fresh, metric, goal)
            if again > value:
                value, fine = again, fine_again
                copy_into(fresh, u[i])
            set_diagonal(metric, 0.0)
        values[i, 0] = value
        values[i, 1] = size(fill, spec, u[i], data, slopes)
        values[i, 2] = fine


@njit(**FLAGS)
def profile_miss(x, walk, calls, space, u, metric):
    """Return √drop − √half of the profile log-likelihood with one quantity held at x.

    The signed root is nearly linear in x, which is what root finders like. Where there is no
    likelihood, u is left as it was.
    """
    v, a, b, target = u.copy(), space.low.copy(), space.high.copy(), 0.0
    if walk.held < 0:
        target = math.exp(x)
    else:
        v[walk.held] = x
        a[walk.held] = x
        b[walk.held] = x
    # On the surface of one E|X|, solve for what carries more of it, the scale or the rate; for
    # the other one where that cannot reach it.
    rated = walk.held < 0 and space.spec[1] > 0
    if rated:
        slopes, p = np.empty(u.size), space.spec[0]
        calls.points.size(calls.points.fill, space.spec, v, space.data, slopes)
        if v[p] * slopes[p] > slopes[0]:
            target = -target
    here = Space(space.spec, space.data, a, b)
    value, _ = calls.climb(calls.points, here, v, metric, Goal(target, PROFILE_GAIN, -np.inf))
    if not value > -np.inf and rated:
        copy_into(u, v)
        set_diagonal(metric, 0.0)
        value, _ = calls.climb(calls.points, here, v, metric, Goal(-target, PROFILE_GAIN, -np.inf))
        set_diagonal(metric, 0.0)
    if not value > -np.inf:
        return 1e3
    copy_into(v, u)
    return math.sqrt(max(walk.top - value, 0.0)) - math.sqrt(walk.half)


@njit(**FLAGS)
def profile_limit(walk, windows, calls, space, u):
    """Return where the profile log-likelihood has dropped by `half` below `top`.

    For one window: walks from `start` in growing steps to a bracket, and closes that by the
    Anderson–Björck secant (1973) to a thousandth of the step. If another one of `windows` has
    dropped by less there, the walk goes on from there with that one. Returns `bottom` if the
    profile does not drop so far before it. `u` follows the profile.
    """
    start, step, bottom = walk.start, walk.step, walk.bottom
    v, metric = np.empty(u.size), np.zeros((u.size, u.size))
    miss_start = -math.sqrt(walk.half)
    for turn in range(4):
        set_diagonal(metric, 0.0)
        a, miss_a, b, miss_b = start, miss_start, start, -1.0
        limit = bottom
        for _ in range(40):
            b = start + step if b == start else b + (b - start)
            b = min(b, bottom) if step > 0.0 else max(b, bottom)
            miss_b = profile_miss(b, walk, calls, space, u, metric)
            if miss_b > 0.0 or b == bottom:
                break
            a, miss_a = b, miss_b
        if miss_b > 0.0:
            limit = b
            for _ in range(60):
                c = b - miss_b * (b - a) / (miss_b - miss_a)
                miss_c = profile_miss(c, walk, calls, space, u, metric)
                limit = c
                # What a secant through c would still move.
                left = abs(miss_c * (b - a) / (miss_b - miss_a))
                if left < 1e-3 * abs(step) or abs(b - a) < 1e-3 * abs(step):
                    break
                if (miss_c > 0.0) == (miss_b > 0.0):
                    shrink = 1.0 - miss_c / miss_b
                    miss_a *= shrink if shrink > 0.0 else 0.5
                else:
                    a, miss_a = b, miss_b
                b, miss_b = c, miss_c
        if turn > 0 and abs(limit - start) < 2e-3 * abs(step):
            return start
        if turn == 3 or limit == bottom or windows.size < 2:
            return limit
        set_diagonal(metric, 0.0)
        miss_start, window = np.inf, windows[0]
        for w in windows:
            set_window(space.data, w)
            copy_into(u, v)
            miss = profile_miss(limit, walk, calls, space, v, metric)
            if miss < miss_start:
                miss_start, window = miss, w
        if miss_start > -1e-3:
            return limit
        set_window(space.data, window)
        start = limit
    return limit
