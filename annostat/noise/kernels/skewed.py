"""Likelihoods of skewed laws on whole numbers, for many parameters at once."""

from __future__ import annotations

import math

import numpy as np

from annostat.jit import njit
from annostat.noise.kernels.types import FLAGS, TINY

DEEP = 27.0  # a law is followed until its density is e^-27 of its height, or so far:
FARTHEST = 1000


@njit(**FLAGS)
def two_piece(late, early, shape, law):
    """Write the two-piece exponential power on −L..R into `law`; return L and R.

    f(x) ∝ exp(−(x/late)^shape) for x ≥ 0 and exp(−(−x/early)^shape) for x < 0; L and R are where
    it ends, at most `FARTHEST`.
    """
    deep = DEEP ** (1.0 / shape)
    left = np.int64(min(math.ceil(early * deep), FARTHEST))
    right = np.int64(min(math.ceil(late * deep), FARTHEST))
    total = 0.0
    for x in range(-left, right + 1):
        z = x / late if x >= 0 else -x / early
        law[left + x] = math.exp(-(z**shape)) if x != 0 else 1.0
        total += law[left + x]
    for i in range(left + right + 1):
        law[i] /= total
    return left, right


@njit(**FLAGS)
def scan_skewed(cells, points, values):
    """Write log-likelihood, min_c E|X − c| and mean − median of each row (late, early, shape).

    `cells` are picks from 0 up, first picks and counts. A cell has probability
    sum_y prod_j f(z_j − y), as in `cell_products`.
    """
    z, start, count = cells
    law = np.empty(2 * FARTHEST + 1)
    for i in range(points.shape[0]):
        left, right = two_piece(points[i, 0], points[i, 1], points[i, 2], law)
        below, middle, mean = 0.0, left, 0.0
        for x in range(left + right + 1):
            if below < 0.5:
                middle = x
            below += law[x]
            mean += law[x] * (x - left)
        floor = 0.0
        for x in range(left + right + 1):
            floor += law[x] * abs(x - middle)
        value = 0.0
        for c in range(count.size):
            first, last = start[c], start[c + 1]
            widest = 0
            for m in range(first, last):
                widest = max(widest, z[m])
            p = 0.0
            for t in range(left + right + 1 - widest):
                product = 1.0
                for m in range(first, last):
                    product *= law[z[m] + t]
                p += product
            value += count[c] * math.log(max(p, TINY))
        values[i, 0] = value
        values[i, 1] = floor
        values[i, 2] = mean - (middle - left)
