"""Tables of what readers marked: points, findings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError, shown
from annostat.labels.finding_shapes import BOX, MASK
from annostat.labels.findings import Findings
from annostat.labels.points import Points
from annostat.tables.coco import is_coco, read_coco
from annostat.tables.files import local
from annostat.tables.reading import named_table, read_table

if TYPE_CHECKING:
    import pandas as pd


def read_points(
    source: Any,
    *,
    item: str | Sequence[str] | None = None,
    rater: str | None = None,
    landmark: str | None = None,
    coordinates: Sequence[str] | None = None,
    spacing: float | str | Sequence[float | str] | None = None,
    size: Sequence[float] | None = None,
    scale: str | float | None = None,
    rounds: Sequence[str] | None = None,
    models: Sequence[str] = (),
    by: str | None = None,
    cluster: str | None = None,
    missing: Sequence[str] = (),
    unit: str = "",
    exchangeable: bool = False,
) -> Points:
    """Read points from a long table: CSV, TSV, Parquet, Excel, or a data frame.

    Parameters
    ----------
    source : path or DataFrame
        One row for each point that a reader put.
    item, rater, landmark, coordinates, spacing, size, scale, rounds, models, by, cluster, \
missing, unit, exchangeable
        As in `Points.from_frame`.

    Returns
    -------
    Points

    Raises
    ------
    AnnostatError
        As `Points.from_frame`, and if the file cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("a", "anna", 1, 2), ("a", "ben", 1, 3), ("b", "anna", 5, 5), ("b", "ben", 6, 5)]
    >>> table = pd.DataFrame(rows, columns=["image", "reader", "x", "y"])
    >>> print(read_points(table, unit="mm").read)
    a data frame: 2 items (image), 2 rounds (anna, ben). Coordinates: x, y.
    """
    options: dict[str, Any] = {
        "item": item,
        "rater": rater,
        "landmark": landmark,
        "coordinates": coordinates,
        "spacing": spacing,
        "size": size,
        "scale": scale,
        "rounds": rounds,
        "models": models,
        "by": by,
        "cluster": cluster,
        "missing": missing,
        "unit": unit,
        "exchangeable": exchangeable,
    }
    if not isinstance(source, (str, os.PathLike)):
        return Points.from_frame(source, **options)
    items = (item,) if isinstance(item, str) else tuple(item or ())
    kept = [c for c in (*items, rater, landmark, by, cluster) if c]
    with local(source) as path:
        table, notes = named_table(path, kept)
        return Points.from_frame(table, **options, source=path.name, notes=notes)


def read_findings(
    source: Any,
    *,
    item: str | Sequence[str] | None = None,
    rater: str | None = None,
    kind: str | None = None,
    geometry: Sequence[str] | None = None,
    size: bool | None = None,
    classes: str | None = None,
    score: str | None = None,
    seen: Any = None,
    rounds: Sequence[str] | None = None,
    models: Sequence[str] = (),
    by: str | None = None,
    cluster: str | None = None,
    missing: Sequence[str] = (),
    exchangeable: bool = False,
) -> Findings:
    """Read findings from a long table: CSV, TSV, Parquet, Excel, a data frame, or COCO JSON.

    Parameters
    ----------
    source : path, DataFrame, or sequence of paths
        One row for each mark. Several files are one for each reader, who is called like the file.
        COCO JSON: a file for each reader, or one whose annotations name the reader (`rater`); its
        images are what the reader saw, `category` is the class, `score` the score. Segmentations
        are taken as the boxes around them, and as they are with `kind="mask"`.
    seen : path, DataFrame or sequence of str, optional
        Images that readers saw, so that empty ones count.
    item, rater, kind, geometry, size, classes, score, rounds, models, by, cluster, missing, \
exchangeable
        As in `Findings.from_frame`.

    Returns
    -------
    Findings

    Raises
    ------
    AnnostatError
        As `Findings.from_frame`, and if a file cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("a", "anna", 1, 2), ("a", "ben", 1, 3), ("b", "anna", 5, 9)]
    >>> table = pd.DataFrame(rows, columns=["night", "scorer", "start", "end"])
    >>> read_findings(table, item="night", rater="scorer", seen=["a", "b", "c"])
    <Findings: 3 intervals on 3 images by 2 readers (anna, ben)>
    """
    items = (item,) if isinstance(item, str) else tuple(item or ())
    kept = [c for c in (*items, rater, by, cluster, classes) if c]
    if isinstance(seen, (str, os.PathLike)):
        seen = read_table(seen, keep_text=[c for c in (*items, rater) if c])
    options: dict[str, Any] = {
        "item": item,
        "rater": rater,
        "kind": kind,
        "geometry": geometry,
        "size": size,
        "classes": classes,
        "score": score,
        "seen": seen,
        "rounds": rounds,
        "models": models,
        "by": by,
        "cluster": cluster,
        "missing": missing,
        "exchangeable": exchangeable,
    }
    paths = list(source) if isinstance(source, (list, tuple)) else [source]
    if not paths or not all(isinstance(p, (str, os.PathLike)) for p in paths):
        return Findings.from_frame(source, **options)
    with ExitStack() as stack:
        places = [stack.enter_context(local(p)) for p in paths]
        title = ", ".join(p.name for p in places)
        if any(is_coco(p) for p in places):
            return _from_coco(places, options, title)
        table, notes = _stacked(places, kept, rater)
        if len(places) > 1:
            options["rater"] = rater or "reader"
        return Findings.from_frame(table, **options, source=title, notes=notes)


def _stacked(
    paths: Sequence[Path], kept: list[str], rater: str | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the rows of all files; several files are one for each reader."""
    import pandas as pd

    tables, notes = zip(*(named_table(p, kept) for p in paths), strict=True)
    if len(paths) == 1:
        return tables[0], notes[0]
    who = rater or "reader"
    named = [
        t if who in t.columns else t.assign(**{who: p.stem})
        for t, p in zip(tables, paths, strict=True)
    ]
    return pd.concat(named, ignore_index=True), tuple(n for some in notes for n in some)


def _from_coco(paths: Sequence[Path], options: dict[str, Any], title: str) -> Findings:
    """Return the findings of COCO files."""
    import pandas as pd

    others = [p.name for p in paths if not is_coco(p)]
    if others:
        raise AnnostatError(f"give COCO files or tables, not both, got {shown(others)} too")
    masks = options["kind"] == MASK
    if options["kind"] == "box":
        options["kind"] = None
    refused = ("item", "geometry", "size", *(() if masks else ("kind",)))
    given = [n for n in refused if options[n] is not None]
    if given:
        raise AnnostatError(
            f"COCO JSON says what images and boxes are: leave out {', '.join(given)}"
        )
    found = read_coco(paths, rater=options["rater"], masks=masks)
    options |= {"item": "image", "rater": "reader"}
    options |= {"kind": MASK, "geometry": (MASK,)} if masks else {"kind": "box", "geometry": BOX}
    if options["score"] is None and "score" in found.marks.columns:
        options["score"] = "score"
    if options["seen"] is None:
        options["seen"] = found.seen
    # Readers who marked nothing stand in no row of the marks, and images neither.
    marked = set(zip(found.marks["image"], found.marks["reader"], strict=True))
    empty = [
        (i, r) not in marked for i, r in zip(found.seen["image"], found.seen["reader"], strict=True)
    ]
    table = pd.concat([found.marks, found.seen[empty]], ignore_index=True)
    return Findings.from_frame(table, **options, source=title, notes=found.notes)
