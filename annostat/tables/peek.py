"""What the first rows of a table say of its labels: words, or numbers."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError
from annostat.labels.columns import MISSING_MARKERS
from annostat.labels.layout import MOST_WORDS
from annostat.labels.looks import (
    OTHER_NAMES,
    is_item_name,
    look_of,
    may_be_category,
    may_be_round,
    plain_name,
)
from annostat.tables.files import is_parquet, is_workbook, open_parquet, read_workbook, text_table

if TYPE_CHECKING:
    import pandas as pd

ROWS = 200


def holds_words(
    path: str | os.PathLike[str],
    *,
    rounds: Sequence[str] = (),
    value: str | None = None,
    missing: Sequence[str] = (),
) -> bool:
    """Return whether the labels of a table can only be categories: words that stand again.

    Parameters
    ----------
    path : str or path
        A table; of what is no file (a pipe, standard input) nothing is said, and nothing read.
    rounds : sequence of str
        Columns of the labels; where none is named, all that may hold labels.
    value : str, optional
        Column of the labels of a long table.
    missing : sequence of str
        Markers of missing labels, beside the usual ones.

    Returns
    -------
    bool
        True if no label among the first rows is a number and there are few different ones. A table
        that cannot be read is not judged here.
    """
    place = Path(path)
    try:
        head = _head(place) if place.is_file() else None
    except (AnnostatError, OSError):
        return False
    if head is None:
        return False
    head.columns = head.columns.map(lambda c: str(c).strip())
    names = [value] if value else [str(r).strip() for r in rounds]
    if not names:
        looks = {str(c): look_of(head[c]) for c in head.columns}
        if sum(may_be_round(c, look) for c, look in looks.items()) > 1:
            return False  # columns of numbers may be meant
        names = [c for c, look in looks.items() if look == "text" and may_be_category(c, look)]
    if not names or not set(names) <= set(head.columns) or (len(names) < 2 and not value):
        return False
    return _are_words(head[names], {*MISSING_MARKERS, *missing})


def count_columns(source: Any, taken: Collection[str | None]) -> list[str] | None:
    """Return the columns of a table of counts: all whole numbers but what tells items apart.

    None where the table cannot be looked at (a pipe) or fewer than two are left.
    """
    import pandas as pd

    if isinstance(source, (str, os.PathLike)):
        place = Path(source)
        head = _head(place) if place.is_file() else pd.DataFrame()
    else:
        head = pd.DataFrame(source)
    found = []
    for name in head.columns:
        column = str(name).strip()
        values = pd.to_numeric(head[name], errors="coerce")
        counts = values.notna().all() and bool((values >= 0).all() and (values % 1 == 0).all())
        if column in taken or is_item_name(column) or look_of(head[name]) == "row numbers":
            continue
        if counts and plain_name(column) not in OTHER_NAMES:
            found.append(column)
    return found if len(found) > 1 else None


def _head(path: Path) -> pd.DataFrame:
    """Return the first rows of a table, text as it stands."""
    import pandas as pd

    if is_parquet(path):
        batches = open_parquet(path).iter_batches(batch_size=ROWS)
        first = next(batches, None)
        frame: pd.DataFrame = pd.DataFrame() if first is None else first.to_pandas()
        return frame
    if is_workbook(path):
        return read_workbook(path, [], rows=ROWS)
    options = {**text_table(path).options([]), "dtype": str}
    try:
        rows: pd.DataFrame = pd.read_csv(path, nrows=ROWS, **options)
        return rows
    except Exception:  # the reader of the whole table says what is wrong with it
        return pd.DataFrame()


def _are_words(labels: pd.DataFrame, missing: set[str]) -> bool:
    """Return whether cells are few words that stand again, and none a number."""
    import pandas as pd

    # A column that was named twice stands twice here; whoever reads the table says so.
    cells = pd.Series(labels.to_numpy(dtype=object).ravel()).dropna().astype(str).str.strip()
    cells = cells[~cells.isin(missing)]
    if cells.empty or not pd.to_numeric(cells, errors="coerce").isna().all():
        return False
    if cells.str.match(r"[-+.]?\d").any():  # "12,5", "50 %": numbers as somebody writes them
        return False
    return int(cells.nunique()) <= min(MOST_WORDS, len(cells) / 2)
