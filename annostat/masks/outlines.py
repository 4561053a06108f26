"""Outlines to masks: which pixels a drawn polygon holds, by three rules and exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_choice, check_count

RULES = ("centre", "echonet", "lidc")
FAR = 1e6  # pixels; further out a coordinate is a mistake


def polygon_area(outline: ArrayLike) -> float:
    """Return the area that a closed polygon encloses, whichever way round it is drawn.

    Parameters
    ----------
    outline : array-like of shape (n_points, 2)
        Corners x, y; the last one joins the first. Fewer than three enclose nothing.

    Examples
    --------
    >>> polygon_area([[0, 0], [4, 0], [4, 3]])
    6.0
    """
    corners = np.asarray(outline, dtype=np.float64)
    if len(corners) < 3:
        return 0.0
    # Around its own centre, so that an outline far from the origin loses no digits.
    x, y = (corners - corners.mean(axis=0)).T
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)


def chords_to_outline(segments: ArrayLike) -> FloatArray:
    """Return the outline of an EchoNet-Dynamic trace: along the chords and back.

    Parameters
    ----------
    segments : array-like of shape (n, 2, 2)
        Two ends (x, y) of each row: first the long axis, which is no part of the outline, then
        the chords from the apex to the mitral plane.

    Returns
    -------
    float64 array of shape (2(n − 1), 2)

    Examples
    --------
    >>> chords_to_outline([[[0, 0], [9, 9]], [[1, 2], [3, 2]], [[1, 4], [3, 4]]]).tolist()
    [[1.0, 2.0], [1.0, 4.0], [3.0, 4.0], [3.0, 2.0]]
    """
    rows = np.asarray(segments, dtype=np.float64)
    if rows.ndim != 3 or rows.shape[1:] != (2, 2) or len(rows) < 2:
        raise AnnostatError(
            f"segments must be a long axis and chords, shape (n, 2, 2), got shape {rows.shape}"
        )
    return np.concatenate([rows[1:, 0], rows[:0:-1, 1]])


def polygon_mask(
    outline: ArrayLike, shape: Sequence[int], *, rule: str = "centre"
) -> NDArray[np.bool_]:
    """Return the pixels that a polygon holds; pixel (i, j) has its centre at x = j, y = i.

    Parameters
    ----------
    outline : array-like of shape (n_points, 2)
        Corners x, y in pixels; the last one joins the first. Parts outside the image are cut off.
    shape : (height, width)
    rule : {"centre", "echonet", "lidc"}
        "centre": the centre lies within the polygon or on its edge. "echonet": the same with the
        corners first rounded to whole pixels (halves to even), as the EchoNet-Dynamic code does
        with scikit-image's `polygon`. "lidc": the centre lies strictly within; LIDC's outlines
        run through the first pixels *outside*.

    Returns
    -------
    bool array of shape (height, width)
        Empty for fewer than three corners by the rules "centre" and "lidc". Where a polygon
        crosses itself, a pixel is in if a ray from it crosses the outline an odd number of times.

    Raises
    ------
    AnnostatError
        If corners are not finite numbers.

    See Also
    --------
    polygon_coverage : the exact share of each pixel.

    Examples
    --------
    >>> square = [[0.6, 0.6], [2.4, 0.6], [2.4, 2.4], [0.6, 2.4]]
    >>> [int(polygon_mask(square, (4, 4), rule=rule).sum()) for rule in RULES]
    [4, 4, 4]
    >>> square = [[1, 1], [3, 1], [3, 3], [1, 3]]
    >>> [int(polygon_mask(square, (5, 5), rule=rule).sum()) for rule in RULES]
    [9, 9, 1]
    """
    from annostat.masks.kernels import classify_points

    check_choice("rule", rule, RULES)
    height, width = _size(shape)
    x, y = _corners(outline).T
    if rule == "echonet":
        x, y = np.rint(x), np.rint(y)
    out = np.zeros((height, width), dtype=bool)
    if rule != "echonet" and x.size < 3:
        return out
    top, left = max(0, math.floor(y.min())), max(0, math.floor(x.min()))
    bottom, right = min(height, math.ceil(y.max()) + 1), min(width, math.ceil(x.max()) + 1)
    if top >= bottom or left >= right:
        return out
    kinds = np.empty((bottom - top, right - left), dtype=np.uint8)
    classify_points(np.ascontiguousarray(x), np.ascontiguousarray(y), top, left, kinds)
    out[top:bottom, left:right] = kinds == 1 if rule == "lidc" else kinds > 0
    return out


def polygon_coverage(outline: ArrayLike, shape: Sequence[int]) -> FloatArray:
    """Return the exact share of each pixel that a polygon covers: an anti-aliased mask.

    Parameters
    ----------
    outline, shape : as in `polygon_mask`
        Pixel (i, j) is the square of side 1 around x = j, y = i.

    Returns
    -------
    float64 array of shape (height, width)
        From 0 to 1. The sum is the polygon's area, if it lies within the image and does not
        cross itself; where it does, parts that are run round in opposite directions cancel.

    Examples
    --------
    >>> polygon_coverage([[0, 0], [1, 0], [1, 1], [0, 1]], (2, 2)).tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    from annostat.masks.kernels import add_coverage

    height, width = _size(shape)
    corners = _corners(outline) + 0.5
    out = np.zeros((height, width + 1))
    add_coverage(np.ascontiguousarray(corners[:, 0]), np.ascontiguousarray(corners[:, 1]), out)
    return np.asarray(np.clip(np.abs(np.cumsum(out, axis=1)[:, :width]), 0.0, 1.0))


def outlines_mask(
    outlines: Sequence[ArrayLike],
    shape: Sequence[int],
    *,
    holes: Sequence[ArrayLike] = (),
    rule: str = "centre",
) -> NDArray[np.bool_]:
    """Return the pixels that any of several outlines holds, less those that a hole holds.

    Parameters
    ----------
    outlines, holes : sequence of outlines
    shape, rule : as in `polygon_mask`

    Examples
    --------
    >>> outer, inner = [[0, 0], [6, 0], [6, 6], [0, 6]], [[2, 2], [4, 2], [4, 4], [2, 4]]
    >>> int(outlines_mask([outer], (7, 7), holes=[inner]).sum())
    40
    """
    out = np.zeros(_size(shape), dtype=bool)
    for outline in outlines:
        out |= polygon_mask(outline, shape, rule=rule)
    for hole in holes:
        out &= ~polygon_mask(hole, shape, rule=rule)
    return out


def _size(shape: Any) -> tuple[int, int]:
    sides = tuple(shape) if isinstance(shape, (tuple, list, np.ndarray)) else ()
    if len(sides) != 2:
        raise AnnostatError(f"shape must be (height, width), got {shape!r}")
    return check_count("height", sides[0], low=1), check_count("width", sides[1], low=1)


def _corners(outline: ArrayLike) -> FloatArray:
    try:
        corners = np.asarray(outline, dtype=np.float64)
    except (TypeError, ValueError):
        raise AnnostatError("outline must hold numbers x, y") from None
    if corners.ndim != 2 or corners.shape[1] != 2 or not len(corners):
        raise AnnostatError(f"outline must be corners x, y (n_points × 2), got {corners.shape}")
    if not (np.abs(corners) <= FAR).all():
        raise AnnostatError("outline must have finite corners within a million pixels")
    return corners


__all__ = [
    "chords_to_outline",
    "outlines_mask",
    "polygon_area",
    "polygon_coverage",
    "polygon_mask",
]
