"""The compiled loops over patterns of decisions.

Plain twins are in ``tests/naive.py``.
"""

from __future__ import annotations

import numpy as np

from annostat.jit import njit


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
