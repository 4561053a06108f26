"""Categories that are written as text, as numbers that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_column
from annostat.labels.columns import MISSING_MARKERS

if TYPE_CHECKING:
    import pandas as pd


def coded_columns(
    frame: pd.DataFrame, columns: Sequence[str], missing: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a table whose columns of text hold numbers: one for each category, in sorted order.

    Parameters
    ----------
    frame : DataFrame
    columns : sequence of str
        Columns that hold the same categories: what each annotator, and each model, said.
    missing : sequence of str
        Markers of a missing label, beside the usual ones.

    Returns
    -------
    DataFrame
        A copy; NaN where a label is missing. Columns of numbers alone stay as they are, if all are.

    Raises
    ------
    AnnostatError
        If there is no such column.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"anna": ["cyst", "tumour"], "ben": ["cyst", None]})
    >>> coded_columns(table, ["anna", "ben"])["ben"].tolist()
    [0.0, nan]
    """
    for column in columns:
        check_column("categories", column, [str(c) for c in frame.columns])
    if all(frame[c].dtype.kind in "biuf" for c in columns):
        return frame
    codes = coded([frame[c].to_numpy(dtype=object) for c in columns], missing)
    return frame.assign(**dict(zip(columns, codes, strict=True)))


def coded(columns: Sequence[NDArray[Any]], missing: Sequence[str] = ()) -> list[FloatArray]:
    """Return columns of text as numbers, the same number for the same category in all of them."""
    texts = text_of(columns, missing)
    known = sorted({t for column in texts for t in column.ravel() if t})
    if not known:
        raise AnnostatError("categories: there is no label at all")
    place: dict[str, float] = {t: float(i) for i, t in enumerate(known)} | {"": float("nan")}
    return [
        np.array([place[t] for t in column.ravel()], dtype=np.float64).reshape(column.shape)
        for column in texts
    ]


def text_of(columns: Sequence[NDArray[Any]], missing: Sequence[str] = ()) -> list[NDArray[Any]]:
    """Return labels as text, empty where one is missing."""
    absent = MISSING_MARKERS | set(missing)
    texts = []
    for column in columns:
        shape = np.shape(column)
        flat = np.asarray(column, dtype=object).ravel()
        text = np.array(
            ["" if v is None or v != v else _plain(v) for v in flat.tolist()], dtype=object
        )
        texts.append(np.where([t in absent for t in text], "", text).reshape(shape))
    return texts


def _plain(value: Any) -> str:
    """Return a label as text: 2.0 and 2 are one, as a missing cell makes numbers decimal."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()
