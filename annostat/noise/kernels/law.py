"""The law of one pick, and the probability of a cell under given laws."""

from __future__ import annotations

import math

import numpy as np

from annostat.jit import njit
from annostat.noise.kernels.types import FLAGS, INLINED, POINT, copy_into, entry, unpack


@njit(**FLAGS)
def digamma(x):
    """Return the logarithmic derivative of the gamma function, x > 0 (A&S 6.3.5, 6.3.18)."""
    value = 0.0
    while x < 8.0:
        value -= 1.0 / x
        x += 1.0
    y = 1.0 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
    return value + math.log(x) - 0.5 / x - series


@njit(**FLAGS)
def core_law(fill, spec, u, scale, pmf, slopes):
    """Write the core's pmf on 0..S and its derivatives by u; return E|X|, and its slopes.

    `scale` multiplies the core's scale: a rater's factor over the period of the group. The mass of
    a power tail beyond S enters E|X| through its exponent.
    """
    n, support = spec[0], pmf.size - 1
    theta = np.empty(n)
    for j in range(n):
        theta[j] = math.exp(u[j])
    theta[0] *= scale
    fill(theta, pmf, slopes)
    total = pmf[0]
    for x in range(1, support + 1):
        total += 2.0 * pmf[x]
    if spec[3] == 1:
        for x in range(support + 1):
            pmf[x] /= total
    mae = 0.0
    for x in range(1, support + 1):
        mae += 2.0 * x * pmf[x]
    mae_slopes = np.empty(n)
    for j in range(n):
        moved = slopes[j, 0]
        for x in range(1, support + 1):
            moved += 2.0 * slopes[j, x]
        slope = 0.0
        for x in range(support + 1):
            if spec[3] == 1:
                slopes[j, x] = (slopes[j, x] / total - pmf[x] * moved / total) * theta[j]
            else:
                slopes[j, x] *= theta[j]
            slope += 2.0 * x * slopes[j, x]
        mae_slopes[j] = slope
        if spec[4] >= 0:
            exponent = theta[spec[4]]
            reach = (support + 1.0) * exponent / (exponent - 1.0)
            mae_slopes[j] -= moved * theta[j] * reach
            if j == spec[4]:
                mae_slopes[j] -= (1.0 - total) * reach / (exponent - 1.0)
    if spec[4] >= 0:
        exponent = theta[spec[4]]
        mae += (1.0 - total) * (support + 1.0) * exponent / (exponent - 1.0)
    return mae, mae_slopes


@njit(**INLINED)
def abandoned_mae(base, triangle):
    """Return E|X| of an abandoned pick."""
    if triangle == 1:
        return (base * base - 1.0) / (3.0 * base)
    w = (base - 1) // 2
    return w * (w + 1.0) / (2.0 * w + 1.0)


@entry(POINT)
def mean_error(fill, spec, u, data, slopes):
    """Return E|X| over all readings in the periods' unit, and write its derivatives by u."""
    p = unpack(data)
    n, rated, raters = spec[0], spec[1], spec[2]
    rate = u[n] if rated else 0.0
    # A pick is abandoned with all others of its item, or else by itself.
    one = p.together * rate
    lost = one + (1.0 - one) * p.alone * rate
    d_lost = p.together + p.alone - 2.0 * p.together * p.alone * rate
    slopes[:] = 0.0
    mae = 0.0
    for g in range(p.period.size):
        for r in range(raters):
            weight = p.share[g] * p.period[g] / raters
            offset = u[n + rated + r - 1] if r > 0 else 0.0
            pmf = np.zeros(p.support[g] + 1)
            d_pmf = np.zeros((n, p.support[g] + 1))
            scale = math.exp(offset) / p.period[g]
            core, d_core = core_law(fill, spec, u, scale, pmf, d_pmf)
            mae += weight * (1.0 - lost) * core
            for j in range(n):
                slopes[j] += weight * (1.0 - lost) * d_core[j]
            if r > 0:
                slopes[n + rated + r - 1] += weight * (1.0 - lost) * d_core[0]
            if rated:
                wide = abandoned_mae(p.base[g], spec[5])
                mae += weight * lost * wide
                slopes[n] += weight * d_lost * (wide - core)
    return mae


@njit(**INLINED)
def pair_probability(law, d):
    """Return sum_x f(x) f(x + d) of a law on −M..M."""
    # Views, so that the loops are over plain positions, which the compiler vectorises.
    left, right = law[: law.size - d], law[d:]
    total = 0.0
    for i in range(left.size):
        total += left[i] * right[i]
    return total


@njit(**FLAGS)
def pair_law(law, widest):
    """Return sum_x f(x) f(x + d) for d = 0..widest."""
    q = np.zeros(widest + 1)
    for d in range(min(widest + 1, law.size)):
        q[d] = pair_probability(law, d)
    return q


@njit(**INLINED)
def pair_slopes(law, d, weight, slopes):
    """Add 2·weight·∂/∂f of `pair_probability`; both halves are equal by symmetry."""
    left, right = law[: law.size - d], slopes[d:]
    for i in range(left.size):
        right[i] += weight * left[i]


@njit(**INLINED)
def flat_probability(law, reach, d):
    """Return `pair_probability` of a law that is constant farther than `reach` from its middle."""
    middle, last = law.size // 2, law.size - 1 - d
    total, near = 0.0, 0
    if d <= 2 * reach:
        first, end = max(middle - reach - d, 0), min(middle + reach, last)
        for i in range(first, end + 1):
            total += law[i] * law[i + d]
        near = end + 1 - first
    elif d <= middle + reach:  # one of the two is in the core, or the other one is: the same sum
        first, end = middle - reach, min(middle + reach, last)
        for i in range(first, end + 1):
            total += law[i]
        total *= 2.0 * law[0]
        near = 2 * (end + 1 - first)
    return total + law[0] * law[0] * (last + 1 - near)


@njit(**INLINED)
def flat_slopes(law, reach, d, weight, slopes):
    """Add what `pair_slopes` adds; beyond `reach`, where only their sum matters, in one place."""
    middle, last = law.size // 2, law.size - 1 - d
    near = 0.0
    for i in range(max(middle - reach, d), middle + reach + 1):
        slopes[i] += weight * law[i - d]
        near += law[i - d]
    total = law[0] * min(last + 1, middle - reach)
    for i in range(middle - reach, min(middle + reach, last) + 1):
        total += law[i]
    total += law[0] * max(last - middle - reach, 0)
    slopes[0] += weight * (total - near)


@njit(**INLINED)
def cell_products(laws, z, rater, reach, before):
    """Write products of the first 1, ..., k − 1 factors f(z − y), for each y, into `before`.

    Returns sum_y prod_j f(z_j − y), the flat-prior likelihood of a cell.
    """
    # Rows and shifted laws are views, as in `pair_probability`.
    copy_into(laws[rater[0]][z[0] : z[0] + reach], before[1])
    for j in range(1, z.size - 1):
        law = laws[rater[j]][z[j] : z[j] + reach]
        row, product = before[j], before[j + 1]
        for i in range(reach):
            product[i] = row[i] * law[i]
    j = z.size - 1
    row, law, total = before[j], laws[rater[j]][z[j] : z[j] + reach], 0.0
    for i in range(reach):
        total += row[i] * law[i]
    return total


@njit(**INLINED)
def cell_slopes(laws, z, rater, before, weight, slopes):
    """Add weight·∂/∂f of `cell_products` to `slopes`, one row per rater."""
    widest = z[0]
    for m in range(z.size):
        widest = max(widest, z[m])
    reach = laws.shape[1] - widest
    after = before[0]  # weight times the product of the factors after the j-th
    after[:reach] = weight
    for j in range(z.size - 1, -1, -1):
        slope = slopes[rater[j]][z[j] : z[j] + reach]
        if j == 0:
            for i in range(reach):
                slope[i] += after[i]
        else:
            row, law = before[j], laws[rater[j]][z[j] : z[j] + reach]
            for i in range(reach):
                slope[i] += row[i] * after[i]
                after[i] *= law[i]


@njit(**INLINED)
def mix_law(pmf, rate, base, triangle, law):
    """Write (1 − rate)·core + rate·abandoned on −half..half."""
    half = law.size // 2
    first = half + 1
    if triangle == 0 and 2 * half < base:  # beyond the core all are as likely
        first = min(first, pmf.size)
        wide = rate / base
        law[: half + 1 - first] = wide
        law[half + first :] = wide
    for x in range(first):
        value = (1.0 - rate) * pmf[x] if x < pmf.size else 0.0
        if rate > 0.0:
            value += rate * abandoned_pmf(x, base, triangle)
        law[half + x] = value
        law[half - x] = value


@njit(**INLINED)
def abandoned_pmf(x, base, triangle):
    """Return the probability that an abandoned pick is off by x ≥ 0."""
    if triangle == 1:
        return max(base - x, 0) / (base * base)
    return 1.0 / base if 2 * x < base else 0.0
