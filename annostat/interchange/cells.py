"""Distances cell by cell: of each label to the others of its item, and to a model.

Pairs of annotators are gone through by column, so that memory does not grow with their number;
squares, counts and sorted values take their place where they give the same sums faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError
from annostat.interchange.distances import Distance

MANY = 8  # raters from which on sorting and counting beat going through the pairs
MOST_CODES = 64
ASYMMETRY = 1e-9


@dataclass(frozen=True, eq=False)
class Columns:
    """Labels by annotator, whatever a label is.

    Attributes
    ----------
    labels : sequence of n_raters arrays of shape (n_items, ...)
    seen : bool array of shape (n_items, n_raters)
    spacing : float64 array of shape (n_items, n_axes) or None
        Size of a pixel.
    """

    labels: Sequence[NDArray[Any]]
    seen: NDArray[np.bool_]
    spacing: FloatArray | None = None

    def __post_init__(self) -> None:
        # Annotator by annotator in memory, as all that is made of them: they are few, items many.
        object.__setattr__(self, "seen", np.asfortranarray(self.seen))

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.seen)

    @property
    def n_raters(self) -> int:
        """Number of annotators."""
        return int(self.seen.shape[1])

    @cached_property
    def table(self) -> NDArray[Any]:
        """Labels that are numbers, of shape (n_items, n_raters); read only."""
        found = np.stack(self.labels).T
        found.flags.writeable = False
        return found


def measured(
    distance: Distance, a: NDArray[Any], b: NDArray[Any], spacing: FloatArray | None
) -> FloatArray:
    """Return distances after making sure that they are numbers of at least 0."""
    try:
        found = np.asarray(distance.of(a, b, spacing), dtype=np.float64)
    except AnnostatError:
        raise
    except Exception as error:
        raise AnnostatError(f"distance {distance.name!r} failed: {error}") from error
    if found.shape != (len(a),):
        raise AnnostatError(
            f"distance {distance.name!r} must return one number per item, shape ({len(a)},), got "
            f"{found.shape}: it takes arrays of labels, not single labels"
        )
    wrong = ~(found >= 0) | np.isinf(found)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        hint = (
            "; the outline of an empty mask is nowhere: take 1-dice, or leave such items out"
            if distance.spaced is not None
            else ""
        )
        raise AnnostatError(
            f"distance {distance.name!r} must be 0 or more, got {found[first]:g} in "
            f"{int(wrong.sum()):,} pairs of labels{hint}"
        )
    return found


def sums_among(columns: Columns, distance: Distance) -> FloatArray:
    """Return Σ_l d(z_ij, z_il) over the other labels of the item, 0 where there is no label.

    Returns
    -------
    float64 array of shape (n_items, n_raters)
    """
    if columns.labels[0].ndim == 1 and columns.n_raters >= MANY:
        z = columns.table
        if distance.name in ("absolute", "linear"):
            return _sorted_sums(z, columns.seen)
        if distance.name == "differ":
            counted = _counted_sums(z, columns.seen)
            if counted is not None:
                return counted
    if columns.labels[0].ndim == 1 and distance.name in ("squared", "quadratic"):
        return _square_sums(columns.table, columns.seen)
    rows = np.zeros(columns.seen.shape, order="F")
    whole = bool(columns.seen.all())
    for j, k in combinations(range(columns.n_raters), 2):
        if whole:
            d = measured(distance, columns.labels[j], columns.labels[k], columns.spacing)
            rows[:, j] += d
            rows[:, k] += d
            continue
        both = np.flatnonzero(columns.seen[:, j] & columns.seen[:, k])
        if both.size:
            d = measured(
                distance,
                columns.labels[j][both],
                columns.labels[k][both],
                None if columns.spacing is None else columns.spacing[both],
            )
            rows[both, j] += d
            rows[both, k] += d
    return rows


def to_model(
    columns: Columns, f: NDArray[Any], given: NDArray[np.bool_], distance: Distance
) -> Any:
    """Return d(f_i, z_ij), NaN where there is no label or no prediction.

    Returns
    -------
    float64 array of shape (n_items, n_raters)
    """
    found = np.full(columns.seen.shape, np.nan, order="F")
    for j, z in enumerate(columns.labels):
        rows = np.flatnonzero(columns.seen[:, j] & given)
        if rows.size == len(z):
            found[:, j] = measured(distance, f, z, columns.spacing)
        elif rows.size:
            spacing = None if columns.spacing is None else columns.spacing[rows]
            found[rows, j] = measured(distance, f[rows], z[rows], spacing)
    return found


def check_symmetry(columns: Columns, distance: Distance, names: Sequence[str]) -> None:
    """Refuse a function that gives d(a, b) ≠ d(b, a), tried on up to 200 items of each pair."""
    for j, k in combinations(range(columns.n_raters), 2):
        both = np.flatnonzero(columns.seen[:, j] & columns.seen[:, k])[:200]
        if not both.size:
            continue
        spacing = None if columns.spacing is None else columns.spacing[both]
        a, b = columns.labels[j][both], columns.labels[k][both]
        there, back = measured(distance, a, b, spacing), measured(distance, b, a, spacing)
        far = np.abs(there - back) > ASYMMETRY * np.maximum(there, back)
        if far.any():
            i = int(np.flatnonzero(far)[0])
            raise AnnostatError(
                f"distance {distance.name!r} must be symmetric, but between "
                f"{names[j]} and {names[k]} it is {there[i]:g} one way and {back[i]:g} the other, "
                f"in {int(far.sum())} of {both.size} items: take their mean"
            )


def _square_sums(z: FloatArray, seen: NDArray[np.bool_]) -> FloatArray:
    """Return Σ_l (z_j − z_l)² from the first two sums, about the mean of the item."""
    m = seen.sum(axis=1, keepdims=True)
    filled = np.where(seen, z, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = np.where(seen, z - filled.sum(axis=1, keepdims=True) / m, 0.0)
    squares = (centred**2).sum(axis=1, keepdims=True)
    # The sum of the centred labels is 0 but for rounding.
    return np.where(seen, m * centred**2 + squares - 2 * centred * centred.sum(1, keepdims=True), 0)


def _sorted_sums(z: FloatArray, seen: NDArray[np.bool_]) -> FloatArray:
    """Return Σ_l |z_j − z_l| by sorting each item's labels: k log k instead of k²."""
    order = np.argsort(np.where(seen, z, np.inf), axis=1, kind="stable")
    ranked = np.take_along_axis(np.where(seen, z, 0.0), order, axis=1)
    there = np.take_along_axis(seen, order, axis=1)
    first = ranked[:, :1]
    ranked = np.where(there, ranked - first, 0.0)  # large labels lose no digits
    below = np.cumsum(ranked, axis=1)
    total = below[:, -1:]
    rank = np.arange(1, z.shape[1] + 1)
    m = there.sum(axis=1, keepdims=True)
    sums = np.where(there, (2 * rank - m) * ranked + total - 2 * below, 0.0)
    out = np.empty_like(sums)
    np.put_along_axis(out, order, sums, axis=1)
    return out


def _counted_sums(z: FloatArray, seen: NDArray[np.bool_]) -> FloatArray | None:
    """Return how many other labels differ from each, by counting those of each code."""
    codes = np.unique(z[seen])
    if codes.size > MOST_CODES:
        return None
    m = seen.sum(axis=1)
    out = np.zeros(z.shape)
    for code in codes:
        here = seen & (z == code)
        out += np.where(here, (m - here.sum(axis=1))[:, None], 0)
    return out
