"""What a mark is, and which columns of a table hold it: boxes, intervals, points, masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from annostat.arrays import FloatArray, IntArray
from annostat.errors import AnnostatError, check_choice, check_column, option, shown
from annostat.labels.runs import Runs

# Columns of a geometry, and how its numbers become corners, or start and end.
SHAPES = (
    ("box", ("x1", "y1", "x2", "y2"), False),
    ("box", ("xmin", "ymin", "xmax", "ymax"), False),
    ("box", ("left", "top", "right", "bottom"), False),
    ("box", ("x", "y", "width", "height"), True),
    ("box", ("x", "y", "w", "h"), True),
    ("interval", ("start", "end"), False),
    ("interval", ("onset", "offset"), False),
    ("interval", ("start", "stop"), False),
    ("interval", ("onset", "duration"), True),
    ("interval", ("start", "duration"), True),
    ("point", ("x", "y", "z"), False),
    ("point", ("x", "y"), False),
    ("point", ("time",), False),
)
KINDS = ("box", "interval", "point", "mask")
PLURAL = {"mask": "masks", "box": "boxes", "interval": "intervals", "point": "points"}
BOX = ("x1", "y1", "x2", "y2")
MASK = "mask"


def sizes_of(kind: str, g: FloatArray) -> FloatArray | None:
    """Return widths and heights, or durations; None of points."""
    if kind == "point":
        return None
    half = g.shape[1] // 2
    return np.asarray(g[:, half:] - g[:, :half])


def shape_of(
    kind: str | None, geometry: Sequence[str] | None, size: bool | None, columns: Sequence[str]
) -> tuple[str, tuple[str, ...], bool]:
    """Return the kind of the marks, its columns, and whether their last half is a size."""
    by_name = {c.casefold(): c for c in reversed(columns)}
    if kind is not None:
        check_choice("kind", kind, KINDS)
    if geometry is not None:
        given = geometry.split(",") if isinstance(geometry, str) else geometry
        named = tuple(check_column("geometry", c.strip(), columns) for c in given)
        guess = {4: "box", 1: "point", 3: "point"}.get(len(named))
        chosen = kind or guess
        fits = {"box": (4,), "interval": (2,), "point": (1, 2, 3)}
        if chosen is None or len(named) not in fits[chosen]:
            raise AnnostatError(
                f"geometry has {len(named)} columns ({', '.join(named)}): say what they are "
                f"({option('kind', 'interval')} for start and end, "
                f"{option('kind', 'point')} for x and y)"
            )
        return chosen, named, bool(size)
    for name, wanted, sized in SHAPES:
        if kind in (None, name) and all(w in by_name for w in wanted):
            return name, tuple(by_name[w] for w in wanted), sized if size is None else size
    such = {"point": "x,y", "interval": "start,end"}.get(kind or "", "x1,y1,x2,y2")
    raise AnnostatError(
        f"which columns are the marks? Name them ({option('geometry', such)}); columns: "
        f"{shown(columns, 12)}"
    )


def mask_columns(table: Any, column: str) -> tuple[Any, list[tuple[IntArray, IntArray]]]:
    """Return a table with the boxes around its masks, and the runs of each row.

    A mask is a bool array of shape (height, width), or its runs with its height: begin, end, height
    (`Runs`). An empty cell says that nothing was marked.

    Raises
    ------
    AnnostatError
        If a cell is neither, or a mask has no pixel.
    """
    boxes = np.full((len(table), 4), np.nan)
    runs: list[tuple[IntArray, IntArray]] = []
    for at, cell in enumerate(table[column].to_numpy(dtype=object)):
        if cell is None or (isinstance(cell, float) and np.isnan(cell)):
            runs.append((np.zeros(0, np.int64), np.zeros(0, np.int64)))
            continue
        if isinstance(cell, np.ndarray) and cell.ndim == 2:
            begin, end, height = *Runs.of_image(cell), len(cell)
        elif isinstance(cell, tuple) and len(cell) == 3:
            begin, end, height = (*(np.asarray(x, dtype=np.int64) for x in cell[:2]), int(cell[2]))
        else:
            raise AnnostatError(
                f"{column} must hold masks of shape (height, width), got {type(cell).__name__} in "
                f"row {at}"
            )
        if not len(begin):
            raise AnnostatError(f"the mask of row {at} is empty: leave the cell empty instead")
        boxes[at] = box_around(begin, end, height)
        runs.append((begin, end))
    return table.assign(**dict(zip(BOX, boxes.T, strict=True))), runs


def box_around(begin: IntArray, end: IntArray, height: int) -> tuple[float, float, float, float]:
    """Return the box x1, y1, x2, y2 around runs of pixels, down the columns."""
    last = end - 1
    same = begin // height == last // height
    top = np.where(same, begin % height, 0).min()
    bottom = np.where(same, last % height, height - 1).max()
    left, right = (begin // height).min(), (last // height).max()
    return float(left), float(top), float(right + 1), float(bottom + 1)
