"""The loops behind the signs of a clip: one over its pixels, one over its frames, one over rows.

The plain twins are in `tests/test_audit.py`.
"""

from __future__ import annotations

import math

import numpy as np

from annostat.jit import njit

BLACK_BELOW = 24  # no pixel of a black frame is brighter
FLAT_WITHIN = 8  # range of the grey values of a constant frame
SATURATED_SHARE = 0.3  # of the pixels are at least 250
STILL = 0.05  # mean grey levels that a repeated frame differs by, at most
FEW = 4  # changes, or frames, without which nothing stands out


@njit()
def add_frames(stack, n, sums):
    """Add frames to the sums of their clip.

    Parameters
    ----------
    stack : uint8 array of shape (n + 1 or more, rows, columns)
        The frame before the first one, then n frames.
    n : int
    sums : int32 array of shape (2, rows, columns)
        Sums of the grey values and of their changes, added to.

    Returns
    -------
    facts : int32 array of shape (n, 4)
        Least and largest grey value, number of pixels of 250 and more, sum of the changes.
    row_steps : int32 array of shape (n, rows - 1)
        Sums of the differences of each row to the next.
    """
    _, rows, columns = stack.shape
    facts, row_steps = np.empty((n, 4), np.int32), np.empty((n, rows - 1), np.int32)
    for k in range(n):
        last, new = stack[k], stack[k + 1]
        low, high = np.int32(255), np.int32(0)
        saturated, change = np.int32(0), np.int32(0)
        for i in range(rows):
            # Loops without branches, in 32 bits: they fit the vector unit.
            for j in range(columns):
                value = np.int32(new[i, j])
                gap = np.int32(abs(value - np.int32(last[i, j])))
                low, high = np.int32(min(low, value)), np.int32(max(high, value))
                saturated = np.int32(saturated + (value >= 250))
                change = np.int32(change + gap)
                sums[0, i, j] += value
                sums[1, i, j] += gap
            if i > 0:
                steps = np.int32(0)
                for j in range(columns):
                    gap = np.int32(abs(np.int32(new[i, j]) - np.int32(new[i - 1, j])))
                    steps = np.int32(steps + gap)
                row_steps[k, i - 1] = steps
        facts[k, 0], facts[k, 1], facts[k, 2], facts[k, 3] = low, high, saturated, change
    return facts, row_steps


@njit()
def find_odd(facts, n_pixels):
    """Return the frames that are black, constant or saturated, and the longest standstill.

    Parameters
    ----------
    facts : int32 array of shape (frames, 4)
        As `add_frames` returns them.
    n_pixels : int

    Returns
    -------
    odd, still : bool arrays of shape (frames,)
        Black, constant or saturated; like the frame before.
    counts, firsts : int64 arrays of shape (3,)
        How many frames are black, constant, saturated, and the first of each.
    run, start : int
        Length of the longest run of repeats of one frame, and that frame; 0, 0 if there is none.
    """
    n = len(facts)
    odd, still = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    counts, firsts = np.zeros(3, np.int64), np.zeros(3, np.int64)
    run, start, length = 0, 0, 0
    for k in range(n):
        low, high, bright, change = facts[k]
        kind = -1
        if high < BLACK_BELOW:
            kind = 0
        elif high - low < FLAT_WITHIN:
            kind = 1
        elif bright > SATURATED_SHARE * n_pixels:
            kind = 2
        if kind >= 0:
            odd[k] = True
            if counts[kind] == 0:
                firsts[kind] = k
            counts[kind] += 1
        still[k] = k > 0 and change / n_pixels < STILL
        length = length + 1 if still[k] and not odd[k] else 0
        if length > run:
            run, start = length, k - length
    return odd, still, counts, firsts, run, start


@njit()
def find_jump(facts, odd, still):
    """Return the largest change over the 90% quantile of all, the frame after it, and its size.

    Parameters
    ----------
    facts : int32 array of shape (frames, 4)
    odd, still : bool arrays of shape (frames,)
        A change to or from an odd frame, and the one that ends a standstill, are no jumps.

    Returns
    -------
    ratio, frame, size : float, int, int
        Zeros if there are too few changes.
    """
    values, n, frame = np.empty(len(facts), np.int64), 0, 0
    for k in range(1, len(facts)):
        if not (odd[k] or odd[k - 1] or still[k] or still[k - 1]):
            values[n] = facts[k, 3]
            if frame == 0 or values[n] > facts[frame, 3]:
                frame = k
            n += 1
    if n < FEW:
        return 0.0, 0, 0
    # Not the median: the key frames of a codec, and the beat, make a tenth of changes large.
    return facts[frame, 3] / np.quantile(values[:n], 0.9), frame, facts[frame, 3]


@njit()
def find_tear(row_steps, odd):
    """Return the row step that stands out most of its frame: by how much, frame, row, and noise.

    What a row step has beyond its own mean over time is a tear where it stands alone in its
    frame: the largest excess less the next one that is not its neighbour.

    Parameters
    ----------
    row_steps : int32 array of shape (frames, rows - 1)
        As `add_frames` returns them.
    odd : bool array of shape (frames,)
        Frames that are not looked at.

    Returns
    -------
    tear, frame, row, noise : float, int, int, float
        Row `row` does not fit the one before. The noise is the root mean square of all excesses:
        not a quantile, for walls that move make a long tail, and one tear moves the mean by little.
        Zeros if there are too few frames or rows.
    """
    n, m = row_steps.shape
    squares, tear, frame, row = 0.0, 0.0, 0, 0
    if n < FEW or m < 8:
        return tear, frame, row, squares
    mean = np.zeros(m)
    for k in range(n):
        for i in range(m):
            mean[i] += row_steps[k, i]
    mean /= n
    for k in range(n):
        if odd[k]:
            continue
        top, at = -math.inf, 0
        for i in range(m):
            excess = row_steps[k, i] - mean[i]
            squares += excess * excess
            if excess > top:
                top, at = excess, i
        other = 0.0
        for i in range(m):
            if abs(i - at) > 1:
                other = max(other, row_steps[k, i] - mean[i])
        if top - other > tear:
            tear, frame, row = top - other, k, at + 1
    return tear, frame, row, math.sqrt(squares / (n * m))
