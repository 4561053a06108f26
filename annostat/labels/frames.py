"""The tables that people have, as data frames of pandas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.errors import AnnostatError
from annostat.labels.layout import Layout, Roles
from annostat.labels.looks import is_item_name

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 1000  # rows that say which column is what, where not all are at hand


def as_frame(table: Any) -> pd.DataFrame:
    """Return a pandas data frame of whatever people have a table in.

    Data frames of pandas; those of polars, pyarrow and others through the interchange protocol;
    of Dask, brought here; mappings of columns; records of NumPy.
    """
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        frame = table
    elif is_parted(table):
        frame = table.compute()
    elif hasattr(table, "to_pandas"):
        frame = table.to_pandas()
    elif hasattr(table, "__dataframe__"):
        frame = pd.api.interchange.from_dataframe(table)
    elif isinstance(table, Mapping) or (
        isinstance(table, np.ndarray) and table.dtype.names is not None
    ):
        frame = pd.DataFrame(table)
    else:
        got = (
            f"an array of shape {table.shape}"
            if isinstance(table, np.ndarray)
            else (f"a {type(table).__name__}")
        )
        raise AnnostatError(
            f"source must be a path, a data frame or a mapping of columns, got {got}; an array of "
            "items × rounds is read by Rounds.from_array"
        )
    if isinstance(frame.columns, pd.MultiIndex):
        frame = frame.set_axis([column_name(c) for c in frame.columns], axis=1)
    return frame.rename(columns=column_name)


def named_index(frame: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """Return a table whose index holds what names items as columns; row numbers are no column."""
    levels = [str(n) for n in frame.index.names if n is not None]
    wanted = [n for n in levels if n not in frame.columns]
    if wanted and (len(wanted) > 1 or wanted[0] in roles.named or is_item_name(wanted[0])):
        frame = frame.reset_index()
    return frame


def column_name(name: Any) -> str:
    """Return the name of a column as text, without spaces around it."""
    return str(name).strip()


def is_parted(source: Any) -> bool:
    """Return whether a source is a data frame of Dask, without importing Dask."""
    return type(source).__module__.partition(".")[0] == "dask" and hasattr(source, "to_delayed")


def layout_of(first: pd.DataFrame, roles: Roles, source: str) -> tuple[Layout, list[str]]:
    """Return which column is what, told by some rows, and the columns that matter."""
    if first.empty:
        raise AnnostatError(f"{source} has no rows")
    named = first.rename(columns=column_name)
    layout = Layout.resolve(named_index(named, roles), roles)
    about = (roles.by, roles.period, roles.fps, roles.length, roles.cluster)
    wanted = [*layout.item, layout.rater, layout.value, *layout.rounds, *about]
    return layout, [c for c in dict.fromkeys(wanted) if isinstance(c, str)]


def rounds_table(table: Any, roles: Roles) -> tuple[pd.DataFrame, Layout]:
    """Return a table of rounds, of Dask's only the columns that matter, and which is what."""
    if not is_parted(table):
        frame = named_index(as_frame(table), roles)
        return frame, Layout.resolve(frame, roles)
    source = "a data frame of Dask"
    layout, wanted = layout_of(table.head(LOOKED_AT, npartitions=-1), roles, source)
    there = {column_name(c): c for c in table.columns}
    frame = named_index(as_frame(table[[there[c] for c in wanted if c in there]]), roles)
    found = Layout.resolve(frame, roles)
    found.unused = layout.unused
    return frame, found
