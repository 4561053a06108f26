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
    flat_probability,
    flat_slopes,
    mix_law,
    pair_probability,
    pair_slopes,
)
from annostat.noise.kernels.types import FLAGS, INLINED, POINT, TINY, Cells, entry, unpack


@njit(**INLINED)
def workspace(law, cells):
    """Return room for the products of `cell_products`; pairs of one law need none."""
    longest = 2
    for c in range(cells.first, cells.last):
        longest = max(longest, cells.start[c + 1] - cells.start[c])
    simple = longest == 2 and law.shape[0] == 1
    return np.empty((1 if simple else longest, 1 if simple else law.shape[1]))


@njit(**FLAGS)
def law_slopes(law, cells, keep, d_keep, flat, slopes):
    """Log-likelihood of cells under given laws, and its derivative by the laws.

    Parameters
    ----------
    law : float64 (raters, 2M + 1)
    cells : Cells
    keep, d_keep : float
        A cell has probability keep·P(law) + constant; the derivative of `keep` by the rate.
    flat : int
        How far from its middle the law is constant, −1 if it is not: pairs then cost no more for
        a wide window, and all slopes beyond are added up in the first place.
    slopes : float64 (raters, 2M + 1)
        Receives the derivative by the laws.

    Returns
    -------
    log-likelihood, its derivative by the rate through `keep` and the constants; `cells.logs`
    receives the log-likelihood of one item of each cell
    """
    raters, width = law.shape
    before = workspace(law, cells)
    # Taken out once: a tuple of arrays that is handed on for each cell costs more than the cell.
    z, rater, start = cells.z, cells.rater, cells.start
    counts, constant, slope, logs = cells.count, cells.constant, cells.slope, cells.logs
    one, its_slopes = law[0], slopes[0]
    total, rate_slope = 0.0, 0.0
    for c in range(cells.first, cells.last):
        count = counts[c]
        if count == 0.0:
            continue
        i, j = start[c], start[c + 1]
        pair = j - i == 2 and raters == 1
        d = z[i]
        for m in range(i, j):
            d = max(d, z[m])
        if d >= width:
            p_law = 0.0
        elif pair:
            p_law = pair_probability(one, d) if flat < 0 else flat_probability(one, flat, d)
        else:
            p_law = cell_products(law, z[i:j], rater[i:j], width - d, before)
        p = keep * p_law + constant[c]
        floored = p < TINY
        logs[c] = math.log(TINY if floored else p)
        total += count * logs[c]
        if floored:
            continue
        rate_slope += count * (d_keep * p_law + slope[c]) / p
        if d < width:
            weight = count * keep / p
            if pair and flat < 0:
                pair_slopes(one, d, 2.0 * weight, its_slopes)
            elif pair:
                flat_slopes(one, flat, d, 2.0 * weight, its_slopes)
            else:
                cell_slopes(law, z[i:j], rater[i:j], before, weight, slopes)
    return total, rate_slope


@njit(**FLAGS)
def group_laws(fill, spec, u, p, g):
    """Return the core's pmf of each rater in a group with its derivatives, and the raters' laws."""
    n, rated, raters, triangle = spec[0], spec[1], spec[2], spec[5]
    alone = p.alone * u[n] if rated else 0.0
    half = p.support[g]
    if p.alone > 0.0:
        half = max(half, p.base[g] - 1 if triangle == 1 else (p.base[g] - 1) // 2)
    law = np.empty((raters, 2 * half + 1))
    pmf = np.zeros((raters, p.support[g] + 1))
    d_pmf = np.zeros((raters, n, p.support[g] + 1))
    for r in range(raters):
        offset = u[n + rated + r - 1] if r > 0 else 0.0
        core_law(fill, spec, u, math.exp(offset) / p.period[g], pmf[r], d_pmf[r])
        mix_law(pmf[r], alone, p.base[g], triangle, law[r])
    return pmf, d_pmf, law


@njit(**FLAGS)
def group_cells(spec, u, p, g, first, room):
    """Return the cells of a group, the first of which is known; `room` is for their constants.

    Two abandoned picks of one clip of known length share the truth, which `extra` (a correction of
    order ε²) accounts for. Raters who give up together pick on `base` frames: k such picks span r
    with probability (base − r)₊ / base^k.
    """
    n = spec[0]
    rate = u[n] if spec[1] else 0.0
    alone, together = p.alone * rate, p.together * rate
    last = first
    group, extra = p.group, p.extra
    n_cells = group.size
    constant, slope, logs = room
    both = (1.0 - together) * alone * alone
    d_both = 2.0 * (1.0 - together) * alone * p.alone - p.together * alone * alone
    while last < n_cells and group[last] == g:
        constant[last] = both * extra[last]
        slope[last] = d_both * extra[last]
        last += 1
    if p.together > 0.0:
        for c in range(first, last):
            k = p.start[c + 1] - p.start[c]
            wide = max(p.base[g] - p.span[c], 0) / float(p.base[g]) ** k
            constant[c] += together * wide
            slope[c] += p.together * wide
    return Cells(p.z, p.rater, p.start, p.count, constant, slope, logs, first, last)


@njit(**INLINED)
def flat_from(pmf, d_pmf, half):
    """Return beyond which error a law is constant, if that is far less than `half`, else −1.

    Only give-ups, all of them equally likely, are left where the core's law is 0.
    """
    x = np.int64(pmf.size - 1)
    while x > 0 and pmf[x] == 0.0:
        moved = 0.0
        for j in range(d_pmf.shape[0]):
            moved += abs(d_pmf[j, x])
        if moved > 0.0:
            break
        x -= 1
    return x if 2 * x + 1 < half else np.int64(-1)


@entry(POINT)
def evaluate(fill, spec, u, data, grad):
    """Return the log-likelihood at u and write its gradient.

    With probability together·ε all picks of an item are abandoned; else every error is drawn from
    (1 − alone·ε)·core + alone·ε·abandoned. What `grad` has room for beyond the gradient receives
    the log-likelihood of one item of each cell, of cells that have any.
    """
    p = unpack(data)
    n, rated, raters, triangle = spec[0], spec[1], spec[2], spec[5]
    rate = u[n] if rated else 0.0
    grad[:] = 0.0
    total = 0.0
    first = np.int64(0)  # a literal 0 would compile `law_slopes` once more
    kept = 1.0 - p.alone * rate
    n_cells = p.group.size
    logs = grad[u.size :] if grad.size > u.size else np.empty(n_cells)
    room = np.empty(n_cells), np.empty(n_cells), logs
    for g in range(p.period.size):
        cells = group_cells(spec, u, p, g, first, room)
        pmf, d_pmf, law = group_laws(fill, spec, u, p, g)
        slopes = np.zeros((raters, law.shape[1]))
        half, s = law.shape[1] // 2, p.support[g]
        wavy = raters > 1 or (p.alone > 0.0 and (triangle == 1 or 2 * half >= p.base[g]))
        flat = np.int64(-1) if wavy else flat_from(pmf[0], d_pmf[0], half)
        kept_together = 1.0 - p.together * rate
        value, rate_slope = law_slopes(law, cells, kept_together, -p.together, flat, slopes)
        total += value
        for r in range(raters):
            for j in range(n):
                slope = slopes[r, half] * d_pmf[r, j, 0]
                for x in range(1, s + 1):
                    slope += (slopes[r, half + x] + slopes[r, half - x]) * d_pmf[r, j, x]
                grad[j] += kept * slope
                if j == 0 and r > 0:
                    grad[n + rated + r - 1] += kept * slope
            if p.alone > 0.0:
                base, moved = p.base[g], 0.0
                last = half if flat < 0 else flat
                if flat >= 0:
                    for x in range(half - flat):  # what lies beyond, on both sides
                        moved += slopes[r, x] + slopes[r, 2 * half - x]
                    moved *= abandoned_pmf(half, base, triangle)
                for x in range(-last, last + 1):
                    y = abs(x)
                    wide = abandoned_pmf(y, base, triangle)
                    moved += slopes[r, half + x] * (wide - (pmf[r, y] if y <= s else 0.0))
                rate_slope += p.alone * moved
        if rated:
            grad[n] += rate_slope
        first = cells.last
    return total


@njit(**FLAGS)
def objective(points, space, u, target, grad, d_mae):
    """Return the log-likelihood at u, or on the surface E|X| = target if target > 0.

    On the surface the first coordinate (log scale) is solved for and overwritten, and the
    gradient is the one along the surface. Where no scale reaches the target: minus infinity.
    If target < 0 the surface is E|X| = -target, and the abandonment rate is solved for: the scale
    cannot reach a target that far give-ups alone exceed at the current rate.
    """
    fill, like, size = points
    spec, data, low, high = space
    if target < 0.0:
        p = spec[0]
        mae = size(fill, spec, u, data, d_mae)
        for _ in range(60):  # linear in the rate but for raters who give up alone and together
            if not d_mae[p] > 0.0:
                break
            u[p] += (-target - mae) / d_mae[p]
            if not low[p] <= u[p] <= high[p]:
                break
            mae = size(fill, spec, u, data, d_mae)
            if abs(mae + target) < -1e-11 * target:
                break
        if not (abs(mae + target) < -1e-9 * target and low[p] <= u[p] <= high[p]):
            u[p] = min(max(u[p], low[p]), high[p])
            grad[:] = 0.0
            return -np.inf
        value = like(fill, spec, u, data, grad)
        for i in range(u.size):
            if i != p:
                grad[i] -= grad[p] * d_mae[i] / d_mae[p]
        grad[p] = 0.0
        return value
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
