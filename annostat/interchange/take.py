"""Labels of any kind, taken as what is compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from annostat.errors import AnnostatError
from annostat.interchange.taken import Taken, of_classes, of_masks, of_numbers
from annostat.interchange.taken_findings import of_findings
from annostat.interchange.taken_points import of_array, of_points
from annostat.labels import Categories, Findings, MaskRounds, Points, Rounds
from annostat.labels.matching import Rule


def take(
    labels: Any,
    predictions: Any,
    label: int | None = None,
    unit: str = "",
    match: str | Rule | None = None,
) -> Taken:
    """Return labels of any kind and the models' predictions of the same items."""
    if match is not None and not isinstance(labels, Findings):
        raise AnnostatError("match is for findings; these labels are none")
    if isinstance(labels, MaskRounds):
        return of_masks(labels, predictions, label)
    if label is not None:
        raise AnnostatError("label is for masks of several structures; these labels are no masks")
    if isinstance(labels, Findings):
        return of_findings(labels, predictions, match)
    if isinstance(labels, Points):
        return of_points(labels, predictions, unit)
    if isinstance(labels, np.ndarray) and labels.ndim == 3:
        return of_array(labels, predictions, unit)
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "OUST":
        names = [f"round_{j + 1}" for j in range(labels.shape[-1])]
        labels = Categories.from_array(labels, names=names)
    if isinstance(labels, Categories):
        return of_classes(labels, predictions)
    if not isinstance(labels, Rounds):
        labels = Rounds.from_array(labels)
    if unit:
        labels = replace(labels, unit=unit)
    return of_numbers(labels, predictions)
