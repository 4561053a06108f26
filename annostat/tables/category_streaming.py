"""Large tables of categories, read batch by batch: a label takes two bytes, and no text is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, shown
from annostat.labels.categories import (
    MISSING,
    MOST_CLASSES,
    Categories,
    as_texts,
    classes_of,
    told_classes,
)
from annostat.labels.columns import as_labels
from annostat.labels.layout import Layout, Roles
from annostat.tables.counts import SeenItems
from annostat.tables.files import reading, text_table
from annostat.tables.streaming import read_each, text_batches

BATCH_ROWS = 1 << 16  # text takes 50 bytes a cell


def stream_categories(
    path: Path,
    roles: Roles,
    *,
    order: Sequence[object] | None = None,
    ordinal: bool = False,
    exchangeable: bool = False,
) -> Categories:
    """Read a wide table of text batch by batch; items are numbered, and their names not kept."""
    layout: Layout | None = None
    seen = SeenItems((), None)
    place: dict[str, int] = {}
    coded: list[NDArray[np.int16]] = []
    about: dict[str, list[NDArray[np.object_]]] = {"cluster": [], "stratum": []}
    start = 0
    with reading(path):
        text = text_table(path)
        roles.check([c.strip() for c in text.columns], long=False)
        kept = [c for c in (*roles.items, roles.by, roles.cluster) if c]
        batches = text_batches(path, text.options(kept), BATCH_ROWS)
    for batch in read_each(path, batches):
        if layout is None:
            layout = Layout.resolve(batch, roles, categories=True)
            if layout.rater is not None:
                raise AnnostatError(
                    "a long table this large cannot be read batch by batch: turn it into one "
                    "column per rater"
                )
            seen = SeenItems(layout.item, roles.by)
        seen.add(batch)
        coded.append(_codes(batch[layout.rounds].to_numpy(dtype=object), roles, place))
        rows = np.array([f"row {start + 1} and on"] * len(batch), dtype=object)
        for name, column in (("cluster", roles.cluster), ("stratum", roles.by)):
            if column is not None:
                about[name].append(as_labels(batch[column], column, rows))
        start += len(batch)
    if layout is None or not start:
        raise AnnostatError(f"{path.name} has no rows")
    seen.refuse_duplicates()
    classes, new = classes_of(list(place), order, tidy_names=roles.tidy_names)
    codes = np.append(new, np.int16(MISSING))[np.concatenate(coded)]
    cluster = np.concatenate(about["cluster"]) if about["cluster"] else None
    read = layout.record(path.name, start, cluster)
    graded = ordinal or order is not None
    told = (
        told_classes(classes, graded=graded),
        "Streamed: items are numbered, their names are not kept.",
    )
    return Categories(
        codes,
        classes,
        tuple(layout.rounds),
        graded,
        cluster=cluster,
        stratum=np.concatenate(about["stratum"]) if about["stratum"] else None,
        exchangeable=exchangeable,
        read=replace(read, notes=(*read.notes, *told)),
    )


def _codes(cells: NDArray[np.object_], roles: Roles, place: dict[str, int]) -> NDArray[np.int16]:
    """Return the place of each label among those met so far, which grow; -1 where there is none."""
    import pandas as pd

    texts, there = as_texts(cells, roles.missing)
    which, names = pd.factorize(texts[there])
    for name in names:
        place.setdefault(str(name), len(place))
    if len(place) > MOST_CLASSES:
        raise AnnostatError(
            f"more than {MOST_CLASSES:,} different labels are no categories: "
            f"{shown(list(place), 4)}"
        )
    codes = np.full(texts.shape, MISSING, dtype=np.int16)
    codes[there] = np.array([place[str(name)] for name in names], dtype=np.int16)[which]
    return codes
