"""Rounds and tables read from files.

Tables too large for memory are streamed and collapsed, see `annostat.tables.streaming`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.tables.files import check_readable, csv_options, is_parquet, open_parquet, reading
from annostat.tables.streaming import stream_rounds

if TYPE_CHECKING:
    import pandas as pd


STREAM_BYTES = 256 << 20  # files larger than this are streamed into counts


def read_rounds(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    item: str | None = None,
    rounds: Sequence[str] | None = None,
    rater: str | None = None,
    value: str | None = None,
    by: str | None = None,
    cluster: str | None = None,
    period: str | float | None = None,
    fps: str | float | None = None,
    length: str | float | None = None,
    unit: str = "",
    period_unit: str = "",
    exchangeable: bool = False,
    collapse: bool | None = None,
) -> Rounds:
    """Read rounds of annotation from CSV, TSV, Parquet or a DataFrame.

    Parameters
    ----------
    source : path or DataFrame
        A table; text tables may be compressed (.gz, .bz2, .xz, .zst).
    item : str, optional
        Column of item identifiers. Without it a usual name ("item", "id", "FileName", ...) or
        the only text column is taken, else the row number.
    rounds : sequence of str, optional
        Columns of the rounds of a wide table. Without it all columns that are nothing else.
    rater, value : str, optional
        Columns of a long table: who (or which round), and the annotation.
    by, cluster : str, optional
        Columns of the stratum and of the cluster (patient).
    period, fps : str or float, optional
        Column, or one number, of the duration of one frame (or the spacing of one slice) or of
        the frames per second, which becomes a period in milliseconds.
    length : str or float, optional
        Column, or one number, of the number of frames of the clip.
    unit, period_unit : str
        Units of the annotations and of the period.
    exchangeable : bool
        True if the order of the rounds carries no identity.
    collapse : bool, optional
        Stream the file and keep one row per pattern of differences, with its multiplicity.
        Default: for wide files above 256 MiB without a cluster column. Item identifiers and the
        level of the values are lost.

    Returns
    -------
    Rounds
        Missing cells are NaN. Items annotated once are kept; estimators leave them out.

    Raises
    ------
    AnnostatError
        For files that are empty, binary or unreadable, missing columns, text in a number
        column, infinities, duplicated items, a single round; the first offending rows are shown.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"clip": ["a", "b"], "first": [10, 31], "second": [12, 30]})
    >>> read_rounds(table, rounds=["first", "second"])
    <Rounds: 2 items × 2 rounds (first, second)>
    """
    options: dict[str, Any] = dict(
        item=item,
        rounds=rounds,
        rater=rater,
        value=value,
        by=by,
        cluster=cluster,
        period=period,
        fps=fps,
        length=length,
    )
    units: dict[str, Any] = dict(unit=unit, period_unit=period_unit, exchangeable=exchangeable)
    if not isinstance(source, (str, os.PathLike)):
        if not hasattr(source, "columns"):
            raise AnnostatError(
                f"source must be a path or a DataFrame, got {type(source).__name__}"
            )
        return Rounds.from_frame(source, **options, **units)
    path = Path(source)
    check_readable(path)
    if collapse is None:
        collapse = path.stat().st_size > STREAM_BYTES and cluster is None and rater is None
    if collapse:
        if cluster is not None or rater is not None:
            raise AnnostatError("collapse needs a wide table without a cluster column")
        return stream_rounds(path, options, units)
    table = read_table(path, keep_text=[c for c in (item, rater, by, cluster) if c])
    return Rounds.from_frame(table, **options, **units)


def read_table(path: str | os.PathLike[str], *, keep_text: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV, TSV or Parquet file; columns in `keep_text` stay text ("007" is no number)."""
    import pandas as pd

    path = Path(path)
    check_readable(path)
    with reading(path):
        if is_parquet(path):
            frame: pd.DataFrame = open_parquet(path).read().to_pandas()
            return frame
        table: pd.DataFrame = pd.read_csv(path, **csv_options(path, keep_text))
        return table
