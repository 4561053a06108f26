"""Rounds and tables read from files.

Tables too large for memory are streamed and collapsed, see `annostat.tables.streaming`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError, shown
from annostat.labels.categories import Categories
from annostat.labels.frames import is_parted
from annostat.labels.layout import Roles
from annostat.labels.rounds import Rounds
from annostat.tables.category_streaming import stream_categories
from annostat.tables.files import (
    check_quotes,
    is_parquet,
    is_workbook,
    local,
    open_parquet,
    read_workbook,
    reading,
    text_table,
)
from annostat.tables.parts import folder_rounds, parquet_folder, parted_rounds
from annostat.tables.peek import count_columns
from annostat.tables.streaming import stream_rounds

if TYPE_CHECKING:
    import pandas as pd


STREAM_BYTES = 256 << 20  # files larger than this are streamed into counts


def read_rounds(
    source: Any,
    *,
    item: str | Sequence[str] | None = None,
    rounds: Sequence[str] | None = None,
    rater: str | None = None,
    value: str | None = None,
    models: Sequence[str] = (),
    by: str | None = None,
    cluster: str | None = None,
    period: str | float | None = None,
    fps: str | float | None = None,
    length: str | float | None = None,
    missing: Sequence[str] = (),
    tidy_names: bool = False,
    unit: str = "",
    period_unit: str = "",
    exchangeable: bool = False,
    collapse: bool | None = None,
) -> Rounds:
    """Read rounds of annotation from a table: CSV, TSV, Parquet, Excel, or a data frame.

    Parameters
    ----------
    source : path, data frame or mapping of columns
        A table; text tables may be compressed (.gz, .bz2, .xz, .zip), in UTF-8 or UTF-16, with
        commas, semicolons, tabs or bars between cells, and decimal commas. "-" is standard input.
        Data frames of pandas, polars or pyarrow; of Dask, and a folder of Parquet files (by
        Dask), reduced part by part where the parts are.
    item : str or sequence of str, optional
        Column (or columns together) that names the items. Without it a usual name ("patient",
        "case", "FileName", ...) or the only text column is taken, else the row number.
    rounds : sequence of str, optional
        Columns of the rounds of a wide table, or raters of a long one. Without it columns are
        taken only if the table leaves no other reading: two numeric columns beside the items, or
        more whose names count (first, second, third; reader_1, reader_2; a, b). Otherwise the
        error lists the columns and what each looks like.
    rater, value : str, optional
        Columns of a long table: who (or which round), and the annotation.
    models : sequence of str, optional
        Columns (or raters) that are models; they stand behind the rounds, and `choose` parts them.
    by, cluster : str, optional
        Columns of the stratum and of the cluster (patient). If items repeat but items within
        strata do not, both tell them apart.
    period, fps : str or float, optional
        Column, or one number, of the duration of one frame (or the spacing of one slice) or of
        the frames per second, which becomes a period in milliseconds.
    length : str or float, optional
        Column, or one number, of the number of frames of the clip.
    missing : sequence of str
        Markers of a missing number, beside empty cells, NA, NaN, null and what Excel writes.
    tidy_names : bool
        Take names of items and raters that differ only by case, spaces, ".0" or Unicode form for
        one. Without it they are pointed out.
    unit, period_unit : str
        Units of the annotations and of the period.
    exchangeable : bool
        True if the order of the rounds carries no identity.
    collapse : bool, optional
        Stream the file and keep one row per pattern of differences, with its multiplicity.
        Default: for wide files (and folders) above 256 MiB without a cluster column. Item
        identifiers and the level of the values are lost.

    Returns
    -------
    Rounds
        Missing cells are NaN. Items annotated once are kept; estimators leave them out. `read`
        says which columns were taken for what, and which were not used.

    Raises
    ------
    AnnostatError
        For files that are empty, binary or unreadable, missing columns, text in a number
        column, infinities, duplicated items, a single round; the first offending rows are shown.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"clip": ["a", "b"], "first": [10, 31], "second": [12, 30]})
    >>> print(read_rounds(table).read)
    a data frame: 2 items (clip), 2 rounds (first, second).
    """
    units: dict[str, Any] = dict(unit=unit, period_unit=period_unit, exchangeable=exchangeable)
    roles = Roles(
        item=item,
        rounds=rounds,
        rater=rater,
        value=value,
        models=models,
        by=by,
        cluster=cluster,
        period=period,
        fps=fps,
        length=length,
        missing=missing,
        tidy_names=tidy_names,
    )
    plain = cluster is None and rater is None
    if collapse and not plain:
        raise AnnostatError("collapse needs a wide table without a cluster column")
    if is_parted(source):
        name = "a data frame of Dask"
        return parted_rounds(source, roles, units, collapse=bool(collapse), source=name)
    if not isinstance(source, (str, os.PathLike)):
        return Rounds.from_roles(source, roles, **units)
    if files := parquet_folder(source):
        if collapse is None:
            large = sum(f.stat().st_size for f in files) > STREAM_BYTES
            collapse = large and plain and not models
        name = os.path.basename(os.path.normpath(source))
        return folder_rounds(files, roles, units, collapse=collapse, source=name)
    with local(source) as path:
        if collapse is None:
            collapse = path.stat().st_size > STREAM_BYTES and plain and not models
        if collapse:
            return stream_rounds(path, roles, units)
        kept = [c for c in (*roles.items, rater, by, cluster) if c]
        table, notes = named_table(path, kept)
        return Rounds.from_roles(table, roles, source=path.name, notes=notes, **units)


def read_categories(
    source: Any,
    *,
    item: str | Sequence[str] | None = None,
    rounds: Sequence[str] | None = None,
    rater: str | None = None,
    value: str | None = None,
    models: Sequence[str] = (),
    by: str | None = None,
    cluster: str | None = None,
    missing: Sequence[str] = (),
    tidy_names: bool = False,
    order: Sequence[object] | None = None,
    ordinal: bool = False,
    counts: bool = False,
    exchangeable: bool = False,
) -> Categories:
    """Read categories or grades from a table: CSV, TSV, Parquet, Excel, or a data frame.

    Parameters
    ----------
    source, item, rounds, rater, value, models, by, cluster, missing, tidy_names, exchangeable
        As in `read_rounds`; labels may be text or numbers.
    order : sequence, optional
        All classes, from the lowest grade to the highest; makes the labels ordinal.
    ordinal : bool
        Whether the labels are grades: numbers, whose order needs no words.
    counts : bool
        Whether the table has a column for each class and counts of labels in its cells: `rounds`
        are then the classes, all columns of whole numbers where none is named.

    Returns
    -------
    Categories
        Wide files of text above 256 MB are read batch by batch: items are numbered, not named.

    Raises
    ------
    AnnostatError
        As `read_rounds`; and if `order` misses a class, or counts are no whole numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> both = {"anna": ["yes", "no", "no"], "ben": ["yes", "yes", "no"]}
    >>> table = pd.DataFrame({"clip": ["a", "b", "c"], **both})
    >>> print(read_categories(table).read)
    a data frame: 3 items (clip), 2 rounds (anna, ben). 2 categories: no, yes.
    """
    roles = Roles(
        item=item,
        rounds=rounds,
        rater=rater,
        value=value,
        models=models,
        by=by,
        cluster=cluster,
        missing=missing,
        tidy_names=tidy_names,
    )
    kinds: dict[str, Any] = {"order": order, "ordinal": ordinal, "exchangeable": exchangeable}
    if counts:
        if rounds is None:
            taken = {*roles.items, by, cluster, *models}
            roles = replace(roles, rounds=count_columns(source, taken))
        return _counted(read_rounds(source, **_as_options(roles)), ordinal or order is not None)
    if not isinstance(source, (str, os.PathLike)):
        return Categories.from_roles(source, roles, **kinds)
    with local(source) as path:
        text = not (is_parquet(path) or is_workbook(path))
        if text and rater is None and path.stat().st_size > STREAM_BYTES:
            return stream_categories(path, roles, **kinds)
        kept = [c for c in (*roles.items, rater, by, cluster) if c]
        table, notes = named_table(path, kept)
        return Categories.from_roles(table, roles, source=path.name, notes=notes, **kinds)


def _as_options(roles: Roles) -> dict[str, Any]:
    return {field.name: getattr(roles, field.name) for field in fields(roles)}


def _counted(rounds: Rounds, ordinal: bool) -> Categories:
    """Return the labels that counts by class stand for."""
    read = rounds.read
    if read is not None:
        told = f"Columns are classes, and cells count labels: {shown(read.rounds, 8)}."
        read = replace(read, rounds=(), notes=(*read.notes, told))
    return Categories.from_counts(
        rounds.values,
        classes=rounds.names,
        ordinal=ordinal,
        items=rounds.items,
        cluster=rounds.cluster,
        stratum=rounds.stratum,
        read=read,
    )


def read_table(path: str | os.PathLike[str], *, keep_text: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV, TSV, Parquet or Excel file; columns in `keep_text` stay text ("007")."""
    with local(path) as place:
        return named_table(place, keep_text)[0]


def named_table(path: Path, keep_text: Sequence[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a table with names of columns without spaces around them, and notes on it."""
    import pandas as pd

    notes: tuple[str, ...] = ()
    with reading(path):
        if is_parquet(path):
            frame: pd.DataFrame = open_parquet(path).read().to_pandas()
        elif is_workbook(path):
            frame = read_workbook(path, keep_text)
        else:
            text = text_table(path)
            notes = text.notes
            frame = pd.read_csv(path, **text.options(keep_text))
            check_quotes(frame, path.name)
    return frame.rename(columns=lambda c: str(c).strip()), notes
