"""Clips of CAMUS, whose labels are people's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.datasets import read_camus
from annostat.datasets.camus import Camus, CamusImage
from annostat.errors import shown
from models.data.settings import Data
from models.data.store import Example, Outline, Recipe, Unreadable
from models.data.targets import Targets, unreadable
from models.data.teachers import Source

SPLITS = {"train": "training", "valid": "validation", "test": "testing"}
LABELS = {"LV": 1, "MYO": 2, "LA": 3}


def camus_recipe(data: Data, split: str, targets: Targets) -> Recipe:
    """Return the clips of a split; what can be known to fail is told before any is read."""
    unknown = [s for s in data.structures if s not in LABELS]
    if unknown:
        raise AnnostatError(f"CAMUS has no {shown(unknown)}, only {', '.join(LABELS)}")
    folder = read_camus(data.path)
    rows = folder.table[folder.table["view"] == data.view]
    if not folder.splits:
        raise AnnostatError(
            f"{data.path!r} has no database_split/subgroup_*.txt beside it: which patients are "
            "for training?"
        )
    rows = rows[rows["split"] == SPLITS[split]]
    rows = rows.head(data.wanted(split)) if data.wanted(split) else rows
    if rows.empty:
        raise AnnostatError(
            f"{data.path!r} has no {data.view} view of a patient in subgroup_{SPLITS[split]}"
        )
    targets.check(list(rows["item"]), needed=split != "test")
    if targets.kind == "none":
        targets.kind = "labels"
    listed = rows.to_dict("records")

    def group(k: int) -> list[Example | Unreadable]:
        return [_example(data, split, targets, folder, listed[k])]

    return Recipe(len(listed), group, targets.kind, targets.notes, targets.workers)


def _example(
    data: Data, split: str, targets: Targets, folder: Camus, row: dict[Any, Any]
) -> Example | Unreadable:
    item, labels = str(row["item"]), None
    try:
        image = folder.image(item, "sequence")
        if targets.kind == "labels" or folder.path(item, "sequence", labels=True):
            labels = _labels(data, folder, item, image.values.shape)
    except AnnostatError as error:
        return unreadable(item, error)
    frames = image.squared(data.size).astype(np.uint8)
    facts = {
        "name": item,
        "ed": row["ed_frame"],
        "es": row["es_frame"],
        "ef": row["ef"],
        "fps": row["fps"],
        "quality": row["quality"],
    }
    if targets.kind == "labels":
        return Example(item, frames, labels, facts)
    outlines: list[Outline] = []
    if labels is not None and split != "train":
        outlines = [
            Outline(t, structure, 0, labels[t, k])
            for t in range(len(labels))
            for k, structure in enumerate(data.structures)
        ]
    return Example(item, frames, _taught(data, targets, item, image, frames), facts, outlines)


def _taught(
    data: Data, targets: Targets, item: str, image: CamusImage, frames: NDArray[np.uint8]
) -> NDArray[np.uint8] | None:
    """Return the targets of a clip: teachers see it squared, unless their masks are as stored.

    A folder's masks may be those of the clip's own pixels, as `models.infer` writes them.
    """
    stored = Source(item, image.values)
    folders = [t for t in targets.teachers if t.clips is not None]
    if not folders or len(folders) < len(targets.teachers):
        return targets.of(data, Source(item, frames))
    if any(t.masks(stored).shape != image.values.shape for t in folders):
        return targets.of(data, Source(item, frames))
    return targets.of(
        data, stored, lambda masks: CamusImage(masks, image.spacing_mm).squared(data.size)
    )


def _labels(data: Data, folder: Camus, item: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return people's labels of all frames, (T, K, size, size)."""
    labels = folder.image(item, "sequence", labels=True)
    if labels.values.shape != shape:
        raise AnnostatError(
            f"masks of {item!r} have shape {labels.values.shape}, its frames {shape}"
        )
    square = labels.squared(data.size, mask=True)
    return np.stack([255 * (square == LABELS[s]).astype(np.uint8) for s in data.structures], 1)
