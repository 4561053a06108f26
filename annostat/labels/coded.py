"""Categories that are written as text, as numbers that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError
from annostat.labels.categories import label_text
from annostat.labels.columns import NO_LABEL


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
    absent = NO_LABEL | set(missing)
    texts = []
    for column in columns:
        shape = np.shape(column)
        flat = np.asarray(column, dtype=object).ravel()
        text = np.array(
            ["" if v is None or v != v else label_text(v) for v in flat.tolist()], dtype=object
        )
        texts.append(np.where([t in absent for t in text], "", text).reshape(shape))
    return texts
