"""Outlines of one item by several raters: signed distances, sizes in pixels, waves.

Volumes are drawn slice by slice: their outlines lie within slices, and where a structure ends from
slice to slice is no matter of drawing larger. Distances across thick slices would take their faces
for outline, which it is not: equal raters and one who draws 1.5 px larger then differed by 0.35 px.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.consensus.merged import signed_distance
from annostat.labels.mask_arrays import box_of
from annostat.results.result import Check

PARTS = ("the place, across", "the place, down", "the shape", "the shape")
NOWHERE = -1e6  # signed distance where nothing is drawn
THICK = (
    1.5  # slices are as much thicker than a pixel is wide, so that it is known which way they go
)
NOT_OF_VOLUMES = Check(
    "habit_size",
    None,
    "Who draws larger is not looked at: these volumes are as fine in all directions, or state no "
    "spacing, so that it is not known in which slices they were drawn; one slice of each shows it.",
)


def slice_axis(n_axes: int, spacing: FloatArray | None) -> int | None:
    """Return the axis from slice to slice: 0 of images, of volumes the coarsest; None if unknown.

    Parameters
    ----------
    n_axes : int
        Of one item: 2 or 3.
    spacing : float64 array of shape (n_items, n_axes) or None

    Examples
    --------
    >>> slice_axis(3, np.array([[8.0, 1.0, 1.0]])), slice_axis(3, None), slice_axis(2, None)
    (0, None, 0)
    """
    if n_axes == 2:
        return 0
    if spacing is None or not len(spacing):
        return None
    ordered = np.sort(spacing, axis=1)
    axis = np.unique(spacing.argmax(axis=1))
    thick = (ordered[:, -1] >= THICK * ordered[:, -2]).all()
    return int(axis[0]) if thick and axis.size == 1 else None


def in_slices(masks: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Return volumes of shape (m, ...) with the axis from slice to slice first; images as is."""
    return masks if masks.ndim == 3 else np.moveaxis(masks, axis + 1, 1)


def outlines_of(masks: NDArray[np.bool_], margin: int, *, sliced: bool = True) -> FloatArray:
    """Return signed distances of the masks of one item, cut to what anybody drew and a margin.

    Of volumes (m, D, H, W) within each of D slices, NOWHERE on those that a rater left empty; with
    `sliced` False across slices as well, in voxels.
    """
    box = box_of(np.asarray(masks.any(axis=0)))
    cut = masks[(slice(None), *box)] if box is not None else masks
    flat = cut.ndim - 2 if sliced else 1
    padded = np.pad(cut, [(0, 0)] * flat + [(margin, margin)] * (cut.ndim - flat))
    if flat == 1:
        return np.stack([signed_distance(mask) for mask in padded])
    out = np.full(padded.shape, NOWHERE)
    for at in np.argwhere(cut.any(axis=(2, 3))):
        out[tuple(at)] = signed_distance(padded[tuple(at)])
    return out


def length_of(distance: FloatArray) -> float:
    """Return by how many pixels the area within an outline grows with its distance, per pixel."""
    grown = np.clip(distance + 1, 0, 1) - np.clip(distance, 0, 1)
    return max(float(grown.sum()), 1.0)


def directions(mean: FloatArray, there: NDArray[np.bool_] | None = None) -> FloatArray:
    """Return 1, cos θ, sin θ, cos 2θ, sin 2θ of all or of some pixels about the centre."""
    y, x = np.indices(mean.shape)
    inside = np.clip(mean + 0.5, 0, 1)
    weight = max(float(inside.sum()), 1e-9)
    up, right = y - (inside * y).sum() / weight, x - (inside * x).sum() / weight
    theta = np.arctan2(up, right) if there is None else np.arctan2(up[there], right[there])
    waves = [f(k * theta) for k in (1, 2) for f in (np.cos, np.sin)]
    return np.stack([np.ones_like(theta), *waves], axis=-1)


def edge_of(mean: FloatArray, columns: int) -> NDArray[np.bool_]:
    """Return the pixels on the mean outline, enough to fit so many columns."""
    away = np.abs(mean)
    # Where raters drew apart, the mean outline may run between all pixels.
    near = np.partition(away, 4 * columns, axis=None)[4 * columns]
    return np.asarray(away <= max(0.5, float(near)))


def displaced(d: FloatArray, mean: FloatArray, basis: FloatArray) -> FloatArray:
    """Return what moves outlines off the mean one, whose pixels these are, a row for each."""
    return np.asarray(np.linalg.lstsq(basis, (d - mean).T, rcond=None)[0].T)


def drawn_apart(masks: NDArray[np.bool_], n_readers: int) -> tuple[FloatArray, FloatArray]:
    """Return how masks of one item depart from the mean of the readers, who come first.

    Of volumes (see `in_slices`) on the slices that all readers drew, and the mask's own rater too.

    Returns
    -------
    float64 arrays of shape (k,) and (n_readers, 4 or 0)
        By how many pixels each mask lies outside of the readers' mean outline, and the waves that
        move each reader's outline off it; of volumes no waves.
    """
    if masks.ndim != 3:
        return _apart_in_slices(masks, n_readers), np.zeros((n_readers, 0))
    d = outlines_of(masks[:n_readers], 2)
    mean = d.mean(axis=0)
    area = masks.reshape(len(masks), -1).sum(axis=1).astype(np.float64)
    size = (area - area[:n_readers].mean()) / length_of(mean)
    edge = edge_of(mean, 1 + len(PARTS))
    return size, displaced(d[:, edge], mean[edge], directions(mean, edge))[:, 1:]


def _apart_in_slices(masks: NDArray[np.bool_], n_readers: int) -> FloatArray:
    """Return by how many pixels each mask lies outside of the mean outline, along all slices."""
    area = masks.sum(axis=(2, 3)).astype(np.float64)
    whole = (area[:n_readers] > 0).all(axis=0)
    if not whole.any():
        return np.zeros(len(masks))
    d = outlines_of(masks[:n_readers][:, whole], 2)
    length = np.array([length_of(x) for x in d.mean(axis=0)])
    area = area[:, whole]
    drawn = area > 0
    more = np.where(drawn, area - area[:n_readers].mean(axis=0), 0.0).sum(axis=1)
    return np.asarray(more / np.maximum((drawn * length).sum(axis=1), 1.0))


def mean_length(d: FloatArray) -> float:
    """Return the length of the mean outline of readers, on the slices that all of them drew."""
    if d.ndim == 3:
        return length_of(d.mean(axis=0))
    whole = (d > NOWHERE).all(axis=(0, 2, 3))
    return sum(length_of(x) for x in d[:, whole].mean(axis=0)) if whole.any() else 1.0
