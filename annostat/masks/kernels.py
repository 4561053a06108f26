"""The compiled loops over pixels: counting overlaps, and collapsing raters' decisions.

Contiguous arrays of unsigned bytes go in; nothing is validated. Plain twins are in
``tests/test_masks_staple.py`` and ``tests/test_masks_overlap.py``.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

FLAGS: dict[str, Any] = {"cache": True, "nogil": True}


@nb.njit(**FLAGS)
def pair_counts(a, b, label, out):
    """Write |a ∩ b|, |a| and |b| of one label for each row of two (n, pixels) byte arrays.

    `label` must be a byte too: wider, the comparison would not fit the vector unit.
    """
    rows, pixels = a.shape
    for i in range(rows):
        both, in_a, in_b = np.uint32(0), np.uint32(0), np.uint32(0)
        for j in range(pixels):
            p = a[i, j] == label
            q = b[i, j] == label
            both = np.uint32(both + (p & q))
            in_a = np.uint32(in_a + p)
            in_b = np.uint32(in_b + q)
        out[i, 0], out[i, 1], out[i, 2] = both, in_a, in_b


@nb.njit(**FLAGS)
def add_digit(codes, mask, weight):
    """Add mask × weight to the codes, in place; all three have the dtype of the codes but mask."""
    for i in range(codes.size):
        codes[i] += mask[i] * weight


@nb.njit(**FLAGS)
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


@nb.njit(**FLAGS)
def look_up(table, codes, out):
    """Write the table's entry of each code; NumPy would first widen the codes to 8 bytes each."""
    for i in range(codes.size):
        out[i] = table[codes[i]]
