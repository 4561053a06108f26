"""Bundled ratings: LIDC-IDRI's nine judgements of a nodule, VADER's of the sentiment of a term."""

from __future__ import annotations

import gzip
from importlib.resources import files
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from annostat.errors import check_choice

if TYPE_CHECKING:
    from annostat.labels import Categories

__all__ = ["lidc_ratings", "vader"]

# The characteristics of a nodule and their grades; those whose order means nothing are categories.
RATINGS = {
    "subtlety": 5,
    "internal_structure": 4,
    "calcification": 6,
    "sphericity": 5,
    "margin": 5,
    "lobulation": 5,
    "spiculation": 5,
    "texture": 5,
    "malignancy": 5,
}
UNORDERED = ("internal_structure", "calcification")


def lidc_ratings(name: str = "malignancy", *, readings: int | None = None) -> Categories:
    """Return what up to four radiologists judged of each nodule of LIDC-IDRI.

    Parameters
    ----------
    name : str
        "malignancy", "subtlety", "sphericity", "margin", "lobulation", "spiculation", "texture":
        grades 1 to 5; "internal_structure", "calcification": categories.
    readings : int, optional
        Only nodules with that many readings.

    Returns
    -------
    Categories
        1,868 nodules, or those with `readings`; patients are clusters. The order of the readings
        is not the identity of a reader.

    Raises
    ------
    AnnostatError
        If there is no such characteristic.

    Notes
    -----
    See `annostat.datasets.lidc_table` for the source and the licence.

    Examples
    --------
    >>> lidc_ratings("malignancy", readings=4)
    <Categories: 896 items × 4 raters (reading_1, reading_2, reading_3, reading_4), 5 classes \
(1, 2, 3, 4, 5)>
    """
    from annostat.datasets.lidc_tables import lidc_table
    from annostat.labels import Categories

    check_choice("name", name, list(RATINGS))
    table = lidc_table().assign(reader=lambda t: "reading_" + t["reading"].astype(str))
    if readings is not None:
        held = table.groupby("nodule_id")["reading"].transform("size")
        table = table[held == readings]
    from annostat.labels.layout import Roles

    roles = Roles(item="nodule_id", rater="reader", value=name, cluster="patient_id")
    return Categories.from_roles(
        table[["nodule_id", "reader", name, "patient_id"]],
        roles,
        order=[str(g + 1) for g in range(RATINGS[name])] if name not in UNORDERED else None,
        source=f"LIDC-IDRI, {name}",
        exchangeable=True,
    )


def vader() -> Categories:
    """Return ten human ratings of the sentiment of 7,520 terms, -4 to 4.

    Returns
    -------
    Categories
        Ordinal, nine grades; the raters have no identity.

    Notes
    -----
    Hutto and Gilbert (2014), MIT licence; see `data/VADER-README.md`.

    Examples
    --------
    >>> labels = vader()
    >>> len(labels.codes), labels.n_raters, labels.classes[0], labels.classes[-1]
    (7520, 10, '-4', '4')
    """
    import pandas as pd

    from annostat.labels import Categories

    data = files("annostat.datasets").joinpath("data", "vader_ratings.csv.gz").read_bytes()
    table = pd.read_csv(BytesIO(gzip.decompress(data)), keep_default_na=False, dtype={"term": str})
    ratings = table.iloc[:, 1:].to_numpy(np.int64)
    from annostat.labels.read import Read

    classes = tuple(str(v) for v in range(-4, 5))
    read = Read("VADER (bundled)", len(table), ("term",), tuple(table.columns[1:]))
    return Categories(
        (ratings + 4).astype(np.int16),
        classes,
        tuple(table.columns[1:]),
        ordinal=True,
        items=np.array([f"{i + 1} {t}" for i, t in enumerate(table["term"])], dtype=object),
        exchangeable=True,
        read=read,
    )
