"""What masks may look like, checked at the public edge: bytes 0, 1, 2, ... come out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import Bytes
from annostat.errors import AnnostatError, check_number, check_numbers, shown

MAX_LABELS = 255


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Return any array-like of whole numbers or booleans as an array, without a NaN."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AnnostatError(f"{name} cannot be read as an array: {error}") from None
    if array.dtype.kind not in "buif":
        raise AnnostatError(f"{name} must hold numbers or booleans, got dtype {array.dtype}")
    if array.ndim < 2 or 0 in array.shape:
        raise AnnostatError(
            f"{name} must be one mask (H × W) or several (N × H × W), got shape {array.shape}"
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        bad = int(np.isnan(array).sum())
        raise AnnostatError(
            f"{name} must have a value in each pixel, got {bad} NaN; leave a missing mask out "
            "instead"
        )
    return array


def as_masks(name: str, value: Any, labels: Sequence[int] | None = None) -> Bytes:
    """Return masks as contiguous bytes: 0 for background, i for the i-th label.

    Without labels a mask is binary: booleans, {0, 1}, or {0, 255} as image files have it. With
    labels, 0 is background and every other value must be one of them.
    """
    array = as_array(name, value)
    if labels is not None:
        return _labelled(name, array, labels)
    if array.dtype == np.bool_:
        return np.ascontiguousarray(array).view(np.uint8)
    if array.dtype == np.uint8:
        top = int(array.max())
        if top <= 1:
            return np.ascontiguousarray(array)
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        if ((array == 0) | (array == 255)).all():
            return np.ascontiguousarray(array == 255).view(np.uint8)
        raise AnnostatError(
            f"{name} must be a mask of 0 and 1 (or 0 and 255), got also "
            f"{shown(np.unique(array[wrong]))}; give labels=[...] for several structures, or "
            "threshold probabilities first"
        )
    return np.ascontiguousarray(array, dtype=np.uint8)


def check_labels(labels: Sequence[int]) -> tuple[int, ...]:
    """Return distinct positive labels, in the given order."""
    kept: list[int] = []
    for label in labels:
        number = check_number("labels", label, low=1)
        if number != int(number) or int(number) in kept:
            raise AnnostatError(f"labels must be distinct whole numbers, got {list(labels)!r}")
        kept.append(int(number))
    if not kept or len(kept) > MAX_LABELS:
        raise AnnostatError(f"labels must be 1 to {MAX_LABELS} numbers, got {len(kept)}")
    return tuple(kept)


def _labelled(name: str, array: NDArray[Any], labels: Sequence[int]) -> Bytes:
    known = check_labels(labels)
    out = np.zeros(array.shape, dtype=np.uint8)
    seen = array == 0
    for index, label in enumerate(known, start=1):
        here = array == label
        out[here] = index
        seen |= here
    if not seen.all():
        raise AnnostatError(
            f"{name} holds labels that are not in labels={list(known)}: "
            f"{shown(np.unique(array[~seen]))}"
        )
    return out


def check_same_shape(a: Bytes, b: Bytes, names: tuple[str, str] = ("a", "b")) -> None:
    """Refuse masks of different shapes."""
    if a.shape != b.shape:
        raise AnnostatError(
            f"{names[0]} and {names[1]} must have the same shape, got {a.shape} and {b.shape}; "
            "resample or crop one of them"
        )


def check_spacing(spacing: Any, ndim: int, n: int) -> NDArray[np.float64]:
    """Return the size of a pixel for each of n masks, float64 of shape (n, ndim)."""
    if spacing is None:
        return np.ones((n, ndim))
    values = check_numbers("spacing", spacing)
    if values.shape == (n,) and n != ndim:
        values = values[:, None]
    try:
        out = np.broadcast_to(values, (n, ndim)).astype(np.float64)
    except ValueError:
        raise AnnostatError(
            f"spacing must be one number, {ndim} (one per axis), or {n} × {ndim} (per mask), got "
            f"shape {values.shape}"
        ) from None
    if not (np.isfinite(out) & (out > 0)).all():
        raise AnnostatError(f"spacing must be positive, got {shown(out[~(out > 0)])}")
    return out


def box_of(mask: NDArray[Any], margin: int = 0) -> tuple[slice, ...] | None:
    """Return the smallest box that holds every marked pixel, or None for an empty mask."""
    box: list[slice] = []
    for axis in range(mask.ndim):
        others = tuple(i for i in range(mask.ndim) if i != axis)
        seen = np.flatnonzero(mask.any(axis=others))
        if not seen.size:
            return None
        low = max(0, int(seen[0]) - margin)
        box.append(slice(low, min(mask.shape[axis], int(seen[-1]) + 1 + margin)))
    return tuple(box)
