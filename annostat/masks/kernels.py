"""The compiled loops over pixels: counting overlaps, and collapsing raters' decisions.

Contiguous arrays of unsigned bytes go in; nothing is validated. Plain twins are in
``tests/test_masks_staple.py`` and ``tests/test_masks_overlap.py``.
"""

from __future__ import annotations

import numpy as np

from annostat.jit import njit


@njit()
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


@njit()
def classify_points(x, y, top, left, out):
    """Write 0 (outside), 1 (within) or 2 (on an edge) for the points (top + i, left + j).

    Rays to the right and to the left cross the polygon an odd number of times from within; from
    an edge, one of them does (O'Rourke, Computational Geometry in C, 2nd ed. 1998, 7.4.2). With
    corners on whole numbers every product here is exact.
    """
    n = x.size
    for i in range(out.shape[0]):
        py = np.float64(top + i)
        for j in range(out.shape[1]):
            px = np.float64(left + j)
            right, left_odd, corner = False, False, False
            for k in range(n):
                m = k + 1 if k + 1 < n else 0
                ax, ay, bx, by = x[k] - px, y[k] - py, x[m] - px, y[m] - py
                if ax == 0 and ay == 0:
                    corner = True
                    break
                cross = ax * by - bx * ay
                rising = by > ay
                if (ay > 0) != (by > 0) and cross != 0 and (cross > 0) == rising:
                    right = not right
                if (ay < 0) != (by < 0) and cross != 0 and (cross < 0) == rising:
                    left_odd = not left_odd
            out[i, j] = 2 if corner or right != left_odd else np.uint8(right)


@njit()
def add_coverage(x, y, out):
    """Add the signed area that a polygon covers of each unit square [j, j+1] × [i, i+1].

    `out` has one column more than the image. Each edge is cut at the lines between pixels; a
    piece of signed height h covers, in its own pixel, what lies to its right, and every pixel
    further right by h in full. The running sum along a row, which the caller takes, does the rest.
    """
    height, width = out.shape[0], out.shape[1] - 1
    n = x.size
    for k in range(n):
        m = k + 1 if k + 1 < n else 0
        x0, y0, x1, y1 = x[k], y[k], x[m], y[m]
        if y0 == y1:
            continue
        sign = 1.0
        if y0 > y1:
            x0, y0, x1, y1, sign = x1, y1, x0, y0, -1.0
        slope = (x1 - x0) / (y1 - y0)
        for row in range(max(0, int(np.floor(y0))), min(height, int(np.ceil(y1)))):
            ya, yb = max(y0, np.float64(row)), min(y1, np.float64(row + 1))
            if yb <= ya:
                continue
            xa, xb = x0 + (ya - y0) * slope, x0 + (yb - y0) * slope
            if xa > xb:
                xa, xb = xb, xa
            h = sign * (yb - ya)
            if xb <= 0:
                out[row, 0] += h
                continue
            if xa >= width:
                continue
            if xa == xb or np.floor(xa) == np.floor(xb):
                cell = int(np.floor(xa))
                part = (xa + xb) / 2 - cell
                out[row, cell] += h * (1 - part)
                out[row, cell + 1] += h * part
                continue
            per = h / (xb - xa)
            if xa < 0:
                out[row, 0] += per * -xa
            for cell in range(max(0, int(np.floor(xa))), min(width, int(np.ceil(xb)))):
                ca, cb = max(xa, np.float64(cell)), min(xb, np.float64(cell + 1))
                g = per * (cb - ca)
                part = (ca + cb) / 2 - cell
                out[row, cell] += g * (1 - part)
                out[row, cell + 1] += g * part
