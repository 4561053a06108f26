"""Tables in parts: Dask data frames, and folders of Parquet files, reduced where the parts are.

Each part is reduced by the worker that holds it, to counts of patterns or to the columns that
matter; only these travel. Counts add up exactly and columns are put together in the order of the
parts, so that the numbers are those of the same table read in one piece.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError
from annostat.files import reading as note_input
from annostat.labels.frames import LOOKED_AT, column_name, layout_of, named_index
from annostat.labels.layout import Layout, Roles
from annostat.labels.rounds import Rounds
from annostat.tables.counts import PatternCounts
from annostat.tables.files import open_parquet, reading

if TYPE_CHECKING:
    import pandas as pd

FAN_IN = 16  # counts that are added up at a time


def parquet_folder(path: str | os.PathLike[str]) -> list[Path]:
    """Return the Parquet files of a folder in the order of their names; empty if it is none."""
    folder = Path(path)
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    for file in files:
        note_input(file)
    return files


def folder_rounds(
    files: Sequence[Path], roles: Roles, units: dict[str, Any], *, collapse: bool, source: str
) -> Rounds:
    """Read rounds from Parquet files, each of which is a part; see `parted_rounds`."""
    import pandas as pd

    dask = _dask()
    first = pd.DataFrame()
    for file in files:
        with reading(file):
            batch = next(open_parquet(file).iter_batches(batch_size=LOOKED_AT), None)
        if batch is not None and batch.num_rows:
            first = batch.to_pandas()
            break
    layout, wanted = layout_of(first, roles, source)
    parts = [dask.delayed(_read)(os.fspath(file), wanted) for file in files]
    return _reduced(parts, layout, wanted, units, collapse=collapse, source=source)


def parted_rounds(
    frame: Any, roles: Roles, units: dict[str, Any], *, collapse: bool, source: str
) -> Rounds:
    """Read rounds from a data frame of Dask, on whatever scheduler is set.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    roles, units
        As for a table in one piece. Which column is what is told by the first rows.
    collapse : bool
        Count the patterns of differences of whole-number labels on the workers; otherwise the
        columns that matter are brought here.
    source : str
        What is read, for the results.
    """
    if not collapse:
        return Rounds.from_roles(frame, roles, source=source, **units)
    layout, wanted = layout_of(frame.head(LOOKED_AT, npartitions=-1), roles, source)
    parts = frame.to_delayed()
    return _reduced(parts, layout, wanted, units, collapse=collapse, source=source)


def _reduced(
    parts: Sequence[Any],
    layout: Layout,
    wanted: list[str],
    units: dict[str, Any],
    *,
    collapse: bool,
    source: str,
) -> Rounds:
    """Reduce delayed parts where they are, and return what is left of them as rounds."""
    dask = _dask()
    reduce: Callable[..., Any] = _counted if collapse else _chosen
    tasks = [
        dask.delayed(_of_part)(part, number, reduce, wanted, layout)
        for number, part in enumerate(parts, start=1)
    ]
    if collapse:
        while len(tasks) > 1:
            groups = [tasks[i : i + FAN_IN] for i in range(0, len(tasks), FAN_IN)]
            tasks = [dask.delayed(_added)(group, layout) for group in groups]
        counts: PatternCounts = dask.compute(*tasks)[0]
        return counts.rounds(source, units)
    import pandas as pd

    found = [part for part in dask.compute(*tasks) if len(part)]
    rounds = Rounds.from_roles(pd.concat(found), layout.roles, source=source, **units)
    if rounds.read is None:
        return rounds
    return replace(rounds, read=replace(rounds.read, unused=layout.unused))


def _dask() -> Any:
    try:
        import dask
    except ImportError:
        raise AnnostatError(
            "a folder of Parquet files is read part by part with Dask, which is not installed: "
            "pip install 'annostat[dask]'"
        ) from None
    return dask


def _read(path: str, wanted: list[str]) -> pd.DataFrame:
    """Read the columns of a file that matter; all of them if some are named by its index."""
    import pandas as pd

    with reading(Path(path)):
        there = set(open_parquet(Path(path)).schema_arrow.names)
        return pd.read_parquet(path, columns=wanted if there.issuperset(wanted) else None)


def _of_part(
    part: pd.DataFrame, number: int, reduce: Callable[..., Any], wanted: list[str], layout: Layout
) -> Any:
    """Reduce one part; rows of an error are those of the part, which it names."""
    rows = named_index(part.rename(columns=column_name), layout.roles)[wanted]
    try:
        return reduce(rows, layout)
    except AnnostatError as error:
        raise AnnostatError(f"part {number}: {error}") from None


def _chosen(rows: pd.DataFrame, _: Layout) -> pd.DataFrame:
    return rows


def _counted(rows: pd.DataFrame, layout: Layout) -> PatternCounts:
    counts = PatternCounts(layout)
    if len(rows):
        counts.add(rows)
    return counts


def _added(several: list[PatternCounts], layout: Layout) -> PatternCounts:
    total = PatternCounts(layout)
    for counts in several:
        total.merge(counts)
    return total
