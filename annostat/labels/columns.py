"""Columns of a table as text, labels or numbers; what is neither is shown and refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, shown

if TYPE_CHECKING:
    import pandas as pd


def as_text(column: pd.Series[Any]) -> NDArray[Any]:
    """Return the identifiers of a column as text; empty ones are refused."""
    missing = column.isna().to_numpy()
    if missing.any():
        raise AnnostatError(
            f"column {column.name!r} has no item identifier in {int(missing.sum())} rows; "
            f"first: row {int(np.flatnonzero(missing)[0]) + 1}"
        )
    return np.array([str(v) for v in column], dtype=object)


def as_labels(column: pd.Series[Any], name: str, items: NDArray[Any]) -> NDArray[Any]:
    """Return the labels of a column as text; empty ones are refused."""
    missing = np.flatnonzero(column.isna().to_numpy())
    if missing.size:
        raise AnnostatError(
            f"column {name!r} is empty in {missing.size} rows; first: {items[missing[0]]!r}"
        )
    return np.array([str(v) for v in column], dtype=object)


class RowNames:
    """Names of the rows of a batch, made only when a message needs one."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self.numbers = numbers

    def __getitem__(self, i: int) -> str:
        return f"row {self.numbers[i] + 1}"


def as_numbers(
    column: pd.Series[Any], name: str, items: NDArray[Any] | RowNames
) -> NDArray[np.float64]:
    """Return a column as float64; text that is no number is shown and refused."""
    import pandas as pd

    if column.dtype.kind in "mMc":
        raise AnnostatError(f"column {name!r} must hold numbers, but holds {column.dtype}")
    if column.dtype.kind in "iuf":
        return column.to_numpy(np.float64, na_value=np.nan)
    numbers = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero((numbers.isna() & column.notna()).to_numpy())
    if bad.size:
        places = "; ".join(f"{items[i]}: {str(column.iloc[i])!r}" for i in bad[:3])
        raise AnnostatError(f"column {name!r} holds text in {bad.size} rows; first: {places}")
    return np.asarray(numbers.to_numpy(np.float64, na_value=np.nan))


def refuse_duplicates(items: NDArray[Any]) -> None:
    """Refuse identifiers that stand in more than one row."""
    seen, counts = np.unique(items.astype(str), return_counts=True)
    if (counts > 1).any():
        twice = seen[counts > 1]
        raise AnnostatError(
            f"{len(twice)} items stand in more than one row; first: {shown(twice, 3)} "
            "(a long table? then name its rater and value columns)"
        )
