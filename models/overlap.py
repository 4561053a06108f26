"""Dice and IoU from counts of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
METRICS = {"dice": "Dice", "iou": "IoU"}


def count_pairs(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> IntArray:
    """Return pixels in both masks, in `a` and in `b`: (..., 3) of masks (..., H, W)."""
    counts = [np.count_nonzero(m, axis=(-2, -1)) for m in (a & b, a, b)]
    return np.stack(counts, axis=-1).astype(np.int64)


def overlap_of(counts: IntArray) -> dict[str, FloatArray]:
    """Return Dice and IoU of counts (both, a, b) along the last axis; 1 for two empty masks."""
    both, a, b = (counts[..., i].astype(np.float64) for i in range(3))
    total, union = a + b, a + b - both
    with np.errstate(invalid="ignore"):
        return {
            "dice": np.where(total == 0, 1.0, 2 * both / total),
            "iou": np.where(union == 0, 1.0, both / union),
        }
