"""The likelihood of differences between rounds, with its exact gradient."""

from __future__ import annotations

import math

import numpy as np

from annostat.jit import njit
from annostat.noise.kernels.law import (
    abandoned_pmf,
    cell_products,
    cell_slopes,
    core_law,
    mix_law,
    pair_probability,
    pair_slopes,
)
from annostat.noise.kernels.types import FLAGS, POINT, TINY, entry, unpack


@njit(**FLAGS)
def law_slopes(law, data_cells, mixture, slopes):
    """Log-likelihood of cells under given laws, and its derivative by the laws.

    Parameters
    ----------
    law : float64 (raters, 2M + 1)
    data_cells : tuple
        z, rater, start, count, constant and the first and last cell of the group.
    mixture : tuple
        (a, b, a', b'): a cell has probability a·P(law) + b·constant; a', b' are derivatives by
        the abandonment rate.
    slopes : float64 (raters, 2M + 1)
        Receives the derivative by the laws.

    Returns
    -------
    log-likelihood, its derivative by the rate through a and b
    """
    z, rater, start, count, constant, first, last = data_cells
    a, b, da, db = mixture
    raters, width = law.shape
    longest = 2
    for c in range(first, last):
        longest = max(longest, start[c + 1] - start[c])
    simple = longest == 2 and raters == 1
    before = np.empty((1 if simple else longest, 1 if simple else width))
    total, rate_slope = 0.0, 0.0
    for c in range(first, last):
        if count[c] == 0.0:
            continue
        i, j = start[c], start[c + 1]
        low = z[i]
        d = z[i]
        for m in range(i, j):
            low = min(low, z[m])
            d = max(d, z[m])
        reach = width - d
        pair = j - i == 2 and raters == 1
        if reach <= 0:
            p_law = 0.0
        elif pair:
            p_law = pair_probability(law[0], d)
        else:
            p_law = cell_products(law, z[i:j], rater[i:j], reach, before)
        p = a * p_law + b * constant[c]
        floored = p < TINY
        total += count[c] * math.log(TINY if floored else p)
        if floored:
            continue
        rate_slope += count[c] * (da * p_law + db * constant[c]) / p
        if reach > 0:
            weight = count[c] * a / p
            if pair:
                pair_slopes(law[0], d, 2.0 * weight, slopes[0])
            else:
                cell_slopes(law, z[i:j], rater[i:j], reach, before, weight, slopes)
    return total, rate_slope


@entry(POINT)
def evaluate(fill, spec, u, data, grad):
    """Return the log-likelihood at u and write its gradient.

    Independent abandonment: every error is drawn from (1−ε)·core + ε·abandoned. Two abandoned
    picks of one clip of known length share the truth, which `extra` (a correction of order ε²)
    accounts for. Shared abandonment: all picks of an item are abandoned together, with
    probability ε; k picks uniform on `base` frames span r with probability (base − r)₊ / base^k.
    """
    z, rater, start, group, count, extra, span, period, base, _, support = unpack(data)
    n, kind, raters, triangle = spec[0], spec[1], spec[2], spec[5]
    rate = u[n] if kind > 0 else 0.0
    grad[:] = 0.0
    total = 0.0
    first = np.int64(0)  # a literal 0 would compile `law_slopes` once more
    n_cells = group.size
    constant = np.empty(n_cells)
    for g in range(period.size):
        last = first
        while last < n_cells and group[last] == g:
            if kind == 2:
                k = start[last + 1] - start[last]
                constant[last] = max(base[g] - span[last], 0) / float(base[g]) ** k
            else:
                constant[last] = extra[last]
            last += 1
        s = support[g]
        half = s
        if kind == 1:
            half = max(s, base[g] - 1 if triangle == 1 else (base[g] - 1) // 2)
        law = np.empty((raters, 2 * half + 1))
        slopes = np.zeros((raters, 2 * half + 1))
        pmf = np.zeros((raters, s + 1))
        d_pmf = np.zeros((raters, n, s + 1))
        for r in range(raters):
            offset = u[n + (kind > 0) + r - 1] if r > 0 else 0.0
            core_law(fill, spec, u, offset, period[g], s, pmf[r], d_pmf[r])
            mix_law(pmf[r], s, half, rate if kind == 1 else 0.0, base[g], triangle, law[r])
        if kind == 1:
            mixture = (1.0, rate * rate, 0.0, 2.0 * rate)
        elif kind == 2:
            mixture = (1.0 - rate, rate, -1.0, 1.0)
        else:
            mixture = (1.0, 0.0, 0.0, 0.0)
        cells = (z, rater, start, count, constant, first, last)
        value, rate_slope = law_slopes(law, cells, mixture, slopes)
        total += value
        keep = 1.0 - rate if kind == 1 else 1.0
        for r in range(raters):
            for j in range(n):
                slope = slopes[r, half] * d_pmf[r, j, 0]
                for x in range(1, s + 1):
                    slope += (slopes[r, half + x] + slopes[r, half - x]) * d_pmf[r, j, x]
                grad[j] += keep * slope
                if j == 0 and r > 0:
                    grad[n + (kind > 0) + r - 1] += keep * slope
            if kind == 1:
                for x in range(-half, half + 1):
                    y = abs(x)
                    wide = abandoned_pmf(y, base[g], triangle)
                    rate_slope += slopes[r, half + x] * (wide - (pmf[r, y] if y <= s else 0.0))
        if kind > 0:
            grad[n] += rate_slope
        first = last
    return total


@njit(**FLAGS)
def objective(fill, like, size, spec, u, data, target, grad, d_mae, low, high):
    """Return the log-likelihood at u, or on the surface E|X| = target if target > 0.

    On the surface the first coordinate (log scale) is solved for and overwritten, and the
    gradient is the one along the surface. Where no scale reaches the target: minus infinity.
    """
    if target > 0.0:
        log_target = math.log(target)
        a, b = low[0], high[0]
        reached = False
        u[0] = min(max(u[0], a), b)
        for _ in range(60):
            mae = size(fill, spec, u, data, d_mae)
            miss = math.log(max(mae, TINY)) - log_target
            if abs(miss) < 1e-11:
                reached = True
                break
            if miss > 0.0:
                b = u[0]
            else:
                a = u[0]
            if d_mae[0] * (b - a) > abs(miss) * mae:  # else it would leave the bracket, or overflow
                step = u[0] - miss * mae / d_mae[0]
            else:
                step = a
            previous = u[0]
            u[0] = step if a < step < b else 0.5 * (a + b)
            if abs(u[0] - previous) < 1e-14:
                reached = abs(miss) < 1e-6
                break
        if not reached:
            grad[:] = 0.0
            return -np.inf
    value = like(fill, spec, u, data, grad)
    if target > 0.0:
        size(fill, spec, u, data, d_mae)
        if d_mae[0] <= 0.0:  # the scale no longer moves E|X|: not on the surface
            grad[:] = 0.0
            return -np.inf
        for i in range(1, u.size):
            grad[i] -= grad[0] * d_mae[i] / d_mae[0]
        grad[0] = 0.0
    return value
