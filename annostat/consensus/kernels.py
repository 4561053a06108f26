"""The compiled loops over patterns of decisions, and over the distances of pixels.

Plain twins are in ``tests/naive.py``.
"""

from __future__ import annotations

import numpy as np

from annostat.jit import njit

FAR = 1 << 40  # a squared distance that no image has


@njit()
def add_digit(codes, mask, weight):
    """Add mask × weight to the codes, in place; all three have the dtype of the codes but mask."""
    for i in range(codes.size):
        codes[i] += mask[i] * weight


@njit()
def histogram(codes, counts):
    """Add the number of each code to `counts`, an int64 array.

    Four tables take turns: neighbouring pixels are alike, and adding to the same cell twice in a
    row would wait for the memory each time.
    """
    size = counts.size
    table = np.zeros((4, size), np.int64)
    whole = codes.size // 4 * 4
    for i in range(0, whole, 4):
        table[0, codes[i]] += 1
        table[1, codes[i + 1]] += 1
        table[2, codes[i + 2]] += 1
        table[3, codes[i + 3]] += 1
    for i in range(whole, codes.size):
        table[0, codes[i]] += 1
    for c in range(size):
        counts[c] += table[0, c] + table[1, c] + table[2, c] + table[3, c]


@njit()
def look_up(table, codes, out):
    """Write the table's entry of each code; NumPy would first widen the codes to 8 bytes each."""
    for i in range(codes.size):
        out[i] = table[codes[i]]


@njit()
def squares_along_first(mask, square):
    """Write squared distances along the first axis to where `mask`, of shape (n, b), is not set.

    `square` has two such arrays: this one, and that to where it is set; `FAR` where there is none.
    """
    n, last = mask.shape
    for side in range(2):
        steps = square[side]
        for b in range(last):
            steps[0, b] = 0 if mask[0, b] == side else FAR
        for i in range(1, n):
            for b in range(last):
                steps[i, b] = 0 if mask[i, b] == side else min(steps[i - 1, b] + 1, FAR)
        for i in range(n - 2, -1, -1):
            for b in range(last):
                steps[i, b] = min(steps[i, b], steps[i + 1, b] + 1)
        for i in range(n):
            for b in range(last):
                steps[i, b] = steps[i, b] * steps[i, b] if steps[i, b] < FAR else FAR


@njit()
def nearest_along(square):
    """Set square[a, i, b] to min over m of square[a, m, b] + (i − m)², in place; whole numbers.

    Along each axis in turn this makes squared distances to the nearest zero out of 0 and `FAR`
    (Meijster, Roerdink & Hesselink 2000), in time linear in the pixels. `where` holds the parabolas
    of the lower envelope, `since` where each begins.
    """
    first, n, last = square.shape
    old = np.empty(n, np.int64)
    where, since = np.empty(n, np.int64), np.empty(n, np.int64)
    for a in range(first):
        for b in range(last):
            for i in range(n):
                old[i] = square[a, i, b]
            top = 0
            where[0], since[0] = 0, 0
            for i in range(1, n):
                while top >= 0:
                    at, m = since[top], where[top]
                    if (at - m) * (at - m) + old[m] <= (at - i) * (at - i) + old[i]:
                        break
                    top -= 1
                if top < 0:
                    top = 0
                    where[0], since[0] = i, 0
                    continue
                m = where[top]
                # Exact: no quotient of such numbers is within rounding of a whole number below it.
                meet = np.float64(i * i - m * m + old[i] - old[m]) / np.float64(2 * (i - m))
                begin = 1 + np.int64(np.floor(meet))
                if begin < n:
                    top += 1
                    where[top], since[top] = i, begin
            for i in range(n - 1, -1, -1):
                m = where[top]
                square[a, i, b] = (i - m) * (i - m) + old[m]
                if i == since[top]:
                    top -= 1
