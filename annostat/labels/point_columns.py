"""Columns of a table of points: coordinates, the size of a pixel, of the image, of the object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_column, check_number, option, shown
from annostat.labels.columns import as_numbers
from annostat.labels.long_tables import column_of, columns_of, positions
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd

AXES = ("x", "y", "z")


def axes_of(given: Sequence[str] | None, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of the coordinates."""
    if given:
        given = given.split(",") if isinstance(given, str) else given
        if len(given) > len(AXES):
            raise AnnostatError(f"coordinates must be one to three columns, got {given!r}")
        return tuple(check_column("coordinates", c.strip(), columns) for c in given)
    found = [column_of(a, None, (a, f"{a}_mm", f"{a}_px"), columns, needed=False) for a in AXES]
    if found[0] is None or found[1] is None:
        raise AnnostatError(
            f"which columns are the coordinates? Name them ({option('coordinates', 'x,y')}); "
            f"columns: {shown(columns, 12)}"
        )
    return tuple(c for c in found if c is not None)


def spacing_columns(spacing: Any) -> tuple[str, ...]:
    """Return the columns that a spacing names."""
    parts = spacing if isinstance(spacing, (list, tuple)) else (spacing,)
    return tuple(p for p in parts if isinstance(p, str))


def spacing_of(table: pd.DataFrame, spacing: Any, d: int, names: NDArray[Any]) -> FloatArray:
    """Return the factor of each coordinate, of shape (n_rows or 1, d or 1)."""
    if spacing is None:
        return np.ones((1, 1))
    parts = list(spacing) if isinstance(spacing, (list, tuple)) else [spacing]
    if len(parts) not in (1, d):
        raise AnnostatError(f"spacing must be one number, or one for each of {d} axes, got {parts}")
    found = []
    for part in parts:
        if isinstance(part, str):
            column = as_numbers(
                table[check_column("spacing", part, columns_of(table))], part, names
            )
            bad = np.flatnonzero(~(column > 0))
            if bad.size:
                raise AnnostatError(
                    f"spacing must be above 0, but is not in {counted(bad.size, 'row')}; first: "
                    f"{names[bad[0]]!r}: {column[bad[0]]:g}"
                )
            found.append(column)
        else:
            value = check_number("spacing", part, low=0, open_ends=True)
            found.append(np.full(len(table), value))
    return np.column_stack(found)


def check_inside(xy: FloatArray, axes: Sequence[str], size: Sequence[float], names: Any) -> None:
    """Refuse points outside the image."""
    if len(size) != len(axes):
        raise AnnostatError(f"size must have one number for each of {len(axes)} axes, got {size}")
    ends = np.array([check_number("size", s, low=0, open_ends=True) for s in size])
    bad = np.flatnonzero(((xy < 0) | (xy > ends)).any(axis=1))
    if bad.size:
        at = ", ".join(f"{c} {v:g}" for c, v in zip(axes, xy[bad[0]], strict=True))
        raise AnnostatError(
            f"{counted(bad.size, 'point')} outside the image (size "
            f"{' × '.join(f'{s:g}' for s in ends)}); first: {names[bad[0]]!r} at {at}: leave "
            "a cell empty where there is no point"
        )


def told_of(
    points: NDArray[Any], what: str | None, axes: Sequence[str], left: Sequence[str]
) -> tuple[str, ...]:
    """Return what was read, in words."""
    told = []
    if what is not None:
        told.append(f"{counted(len(points), 'landmark')} ({what}: {shown(points, 6)}).")
    told.append(f"Coordinates: {', '.join(axes)}.")
    if left:
        told.append(f"Readers not used: {shown(left, 8)}.")
    return tuple(told)


def scale_of(
    table: pd.DataFrame, scale: str | float | None, names: NDArray[Any], items: NDArray[Any]
) -> FloatArray | None:
    """Return the size of the object of each item: the mean of its rows.

    Raises
    ------
    AnnostatError
        If an item has none, or one that is not above 0.
    """
    if scale is None:
        return None
    if not isinstance(scale, str):
        return np.full(len(items), check_number("scale", scale, low=0, open_ends=True))
    column = as_numbers(table[check_column("scale", scale, columns_of(table))], scale, names)
    wrong = np.flatnonzero(column <= 0)
    if wrong.size:
        raise AnnostatError(
            f"scale must be above 0, but is not in {counted(wrong.size, 'row')}; first: "
            f"{names[wrong[0]]!r}: {column[wrong[0]]:g}"
        )
    there = np.isfinite(column)
    at = positions(names, items)[there]
    total = np.bincount(at, column[there], len(items))
    count = np.bincount(at, minlength=len(items))
    found = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    bad = np.flatnonzero(np.isnan(found))
    if bad.size:
        raise AnnostatError(
            f"scale is missing for {counted(bad.size, 'item')}; first: {items[bad[0]]!r}"
        )
    return np.asarray(found)


def refuse_cases(what: str, names: NDArray[Any]) -> None:
    """Refuse names that differ by capitals alone."""
    first: dict[str, str] = {}
    for name in map(str, names):
        other = first.setdefault(name.casefold(), name)
        if other != name:
            raise AnnostatError(
                f"{what}s {other!r} and {name!r} differ by capitals alone: write them alike"
            )
