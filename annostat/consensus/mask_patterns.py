"""Which decisions the raters of masks took, and on how many pixels of each item."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import Bytes
from annostat.consensus.decisions import code_base, collapse
from annostat.labels.mask_arrays import box_of
from annostat.labels.packed_masks import PackedMasks
from annostat.resampling.parallel import map_parallel


def decisions_of(
    masks: Sequence[Bytes] | PackedMasks,
    present: NDArray[np.bool_] | None,
    n_labels: int,
    *,
    margin: int | None,
    n_jobs: int | None = 1,
) -> tuple[NDArray[Any] | None, NDArray[np.int64], NDArray[np.int64]]:
    """Return the pattern of each pixel, the patterns that occur, and their counts in each item.

    Parameters
    ----------
    masks : sequence of uint8 arrays of shape (N, H, W) or (H, W), or packed of (n_raters, N, H, W)
        Of packed masks there is no pattern of each pixel (None): items are counted on workers.
    present : bool array of shape (n_raters, N) or None
    n_labels : int
        With the background.
    margin : int or None
        Pixels around all that is marked within which pixels count; None for the whole image.
    """
    if isinstance(masks, PackedMasks):
        flags = np.ones(masks.patches.shape, dtype=bool) if present is None else present
        return None, *_counted(masks, flags, n_labels, margin, n_jobs)
    codes, patterns, per_item = collapse(masks, present, n_labels)
    if margin is not None:
        per_item = within_boxes(masks, patterns, per_item, margin)
    return codes.reshape(masks[0].shape), patterns, per_item


def _counted(
    masks: PackedMasks,
    present: NDArray[np.bool_],
    n_labels: int,
    margin: int | None,
    n_jobs: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the patterns of packed masks and their counts, item by item."""
    n_raters, n = present.shape
    base = code_base(n_labels, not present.all(), n_raters)
    places = base ** np.arange(n_raters)

    def count(task: tuple[Any, NDArray[np.bool_]]) -> tuple[NDArray[Any], NDArray[Any]]:
        _, patterns, counts = decisions_of(
            list(np.asarray(task[0])[:, None]), task[1][:, None], n_labels, margin=margin
        )
        return np.where(patterns < 0, n_labels, patterns) @ places, counts[0]

    tasks = [(masks[:, i], present[:, i]) for i in range(n)]
    found = map_parallel(count, tasks, n_jobs=n_jobs)
    used = np.unique(np.concatenate([numbers for numbers, _ in found]))
    per_item = np.zeros((n, used.size), dtype=np.int64)
    for row, (numbers, counts) in zip(per_item, found, strict=True):
        row[np.searchsorted(used, numbers)] = counts
    digits = (used[:, None] // places) % base
    return np.where(digits == n_labels, -1, digits).astype(np.int64), per_item


def within_boxes(
    arrays: Sequence[Bytes], patterns: NDArray[np.int64], per_item: NDArray[np.int64], margin: int
) -> NDArray[np.int64]:
    """Reduce the pixels that nobody marked to those of the boxes: all others lie inside them."""
    single = arrays[0].ndim == 2
    out = per_item.copy()
    nobody = (patterns <= 0).all(axis=1)
    for i in range(len(per_item)):
        marked = np.zeros(arrays[0].shape if single else arrays[0].shape[1:], dtype=bool)
        for array in arrays:
            marked |= (array if single else array[i]) > 0
        box = box_of(marked, margin)
        size = 0 if box is None else math.prod(b.stop - b.start for b in box)
        outside = marked.size - size
        here = np.flatnonzero(nobody & (per_item[i] > 0))
        if here.size:
            out[i, here[0]] -= outside
    return out
