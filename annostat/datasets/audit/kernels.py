"""One pass over a frame: everything that the signs of a clip need of it.

The plain twin is in `tests/test_audit.py`.
"""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(cache=True, nogil=True)
def add_frame(frame, step, last, new, total, motion, row_steps):
    """Add a frame to the sums of its clip.

    Parameters
    ----------
    frame : uint8 array of shape (height, width)
        Of it, every `step`-th pixel of every `step`-th row is used: (rows, columns).
    step : int
    last : uint8 array of shape (rows, columns)
        The pixels of the frame before.
    new : uint8 array of shape (rows, columns)
        Becomes those of this frame.
    total, motion : int32 arrays of shape (rows, columns)
        Sums of the grey values and of their changes, added to.
    row_steps : float64 array of shape (rows - 1,)
        Becomes the mean difference of each row to the next.

    Returns
    -------
    low, high, saturated, change : int
        Least and largest grey value, number of pixels of 250 and more, sum of the changes.
    """
    rows, columns = last.shape
    low, high = np.int32(255), np.int32(0)
    saturated, change = np.int32(0), np.int32(0)
    for i in range(rows):
        for j in range(columns):
            new[i, j] = frame[i * step, j * step]
        # Loops without branches, in 32 bits: they fit the vector unit.
        for j in range(columns):
            value = np.int32(new[i, j])
            gap = np.int32(abs(value - np.int32(last[i, j])))
            low, high = np.int32(min(low, value)), np.int32(max(high, value))
            saturated = np.int32(saturated + (value >= 250))
            change = np.int32(change + gap)
            total[i, j] += value
            motion[i, j] += gap
        if i > 0:
            steps = np.int32(0)
            for j in range(columns):
                gap = np.int32(abs(np.int32(new[i, j]) - np.int32(new[i - 1, j])))
                steps = np.int32(steps + gap)
            row_steps[i - 1] = steps / columns
    return low, high, saturated, change
