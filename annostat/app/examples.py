"""The bundled tables that the first page offers, as a person would bring them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from annostat.datasets import lidc, lidc_ratings
from annostat.errors import check_choice


class Example(NamedTuple):
    """A bundled table: what it is, and what the form begins with."""

    title: str
    options: dict[str, str]


EXAMPLES = {
    "lidc-diameter": Example(
        "Values: diameters of lung nodules, up to four readers",
        {"kind": "values", "unit": "mm", "exchangeable": "yes"},
    ),
    "lidc": Example(
        "Picks: the slice in which a nodule is largest",
        {"kind": "picks", "exchangeable": "yes"},
    ),
    "lidc-malignancy": Example(
        "Grades: how malignant a nodule looks, four readers",
        {"kind": "ordinal", "exchangeable": "yes"},
    ),
}


def example_table(name: str) -> bytes:
    """Return a bundled table as CSV: a row for each nodule, its patient, and the readings.

    Raises
    ------
    AnnostatError
        If no example has that name.
    """
    import pandas as pd

    check_choice("example", name, tuple(EXAMPLES))
    if name == "lidc-malignancy":
        grades = lidc_ratings(readings=4)
        words = np.array([*grades.classes, ""], dtype=object)
        cells, names = words[grades.codes], grades.names
        items, cluster = grades.items, grades.cluster
    else:
        rounds = lidc("diameter_mm" if name == "lidc-diameter" else "largest_slice")
        cells, names = rounds.values, rounds.names
        items, cluster = rounds.items, rounds.cluster
    table = pd.DataFrame({"nodule": items, "patient": cluster})
    for i, reading in enumerate(names):
        column = cells[:, i]
        table[reading] = column if name != "lidc" else pd.array(column, dtype="Int64")
    return table.to_csv(index=False).encode()
