"""What a model answers for each item, as positions among the classes of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from annostat.arrays import IntArray
from annostat.errors import AnnostatError
from annostat.labels.categories import MISSING, Categories, label_text
from annostat.labels.taking import in_order


def answers_of(name: str, given: Any, labels: Categories) -> list[str]:
    """Return a model's answers as text, in the order of the labels' items; "" where it has none."""
    values = np.asarray(in_order(name, given, labels.items), dtype=object).ravel()
    if len(values) != len(labels.codes):
        raise AnnostatError(
            f"model {name!r} has {len(values)} answers for {len(labels.codes)} items"
        )
    return ["" if v is None or v != v else label_text(v) for v in values]


def codes_of(answers: Sequence[str], classes: Sequence[str]) -> IntArray:
    """Return the position of each answer among the classes; -1 where there is none.

    A class that only the model uses is wrong for every label: it stands behind all others.
    """
    place = {c: i for i, c in enumerate(classes)}
    found = [place.get(t, MISSING if not t else len(place)) for t in answers]
    return np.array(found, dtype=np.int64)
