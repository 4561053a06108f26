"""Tables of what readers marked: points, findings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from annostat.labels.findings import Findings
from annostat.labels.points import Points
from annostat.tables.files import local
from annostat.tables.reading import named_table, read_table


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
    seen: Any = None,
    rounds: Sequence[str] | None = None,
    models: Sequence[str] = (),
    by: str | None = None,
    cluster: str | None = None,
    missing: Sequence[str] = (),
    exchangeable: bool = False,
) -> Findings:
    """Read findings from a long table: CSV, TSV, Parquet, Excel, or a data frame.

    Parameters
    ----------
    source : path or DataFrame
        One row for each mark.
    seen : path, DataFrame or sequence of str, optional
        Images that readers saw, so that empty ones count.
    item, rater, kind, geometry, size, classes, rounds, models, by, cluster, missing, exchangeable
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
        "seen": seen,
        "rounds": rounds,
        "models": models,
        "by": by,
        "cluster": cluster,
        "missing": missing,
        "exchangeable": exchangeable,
    }
    if not isinstance(source, (str, os.PathLike)):
        return Findings.from_frame(source, **options)
    with local(source) as path:
        table, notes = named_table(path, kept)
        return Findings.from_frame(table, **options, source=path.name, notes=notes)
