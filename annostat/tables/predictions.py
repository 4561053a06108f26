"""Predictions in a file of their own, joined to labels by item."""

from __future__ import annotations

import os

import numpy as np

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, shown
from annostat.labels.columns import as_numbers, as_text
from annostat.labels.looks import is_item_name, item_rank, look_of
from annostat.labels.rounds import Rounds
from annostat.tables.reading import read_table


def read_predictions(
    path: str | os.PathLike[str], rounds: Rounds
) -> tuple[dict[str, FloatArray], str]:
    """Return the predictions of a table by model, in the order of the rounds' items.

    Parameters
    ----------
    path : path
        A table with a column of items, named as those of the rounds, and numeric columns.
    rounds : Rounds
        Labels with names of items.

    Returns
    -------
    predictions : dict of str to float64 array of shape (n_items,)
        NaN for items that the table does not have.
    words : str
        How many items were matched, and which were not.

    Raises
    ------
    AnnostatError
        If there is no column of items, an item stands twice, no item matches, or there is no
        column of numbers.
    """
    if rounds.items is None:
        raise AnnostatError("predictions are joined by item, but the labels have no names of items")
    names = [] if rounds.read is None else list(rounds.read.item)
    table = read_table(path, keep_text=names)
    columns = [str(c) for c in table.columns]
    keys = [c for c in names if c in columns]
    if not keys or len(keys) < len(names):
        keys = sorted(filter(is_item_name, columns), key=item_rank)[:1]
    if not keys:
        raise AnnostatError(
            f"{os.fspath(path)!r} has no column of items; it has {shown(columns, 8)}"
        )
    parts = [as_text(table[c]) for c in keys]
    items = np.array([":".join(row) for row in zip(*parts, strict=True)], dtype=object)
    if len(set(items)) < len(items):
        raise AnnostatError(f"{os.fspath(path)!r} has items that stand in more than one row")
    models = [c for c in columns if c not in keys and look_of(table[c]) == "numbers"]
    if not models:
        raise AnnostatError(f"{os.fspath(path)!r} has no column of numbers beside its items")
    place = {item: i for i, item in enumerate(items)}
    rows = np.array([place.get(str(item), -1) for item in rounds.items])
    matched = int((rows >= 0).sum())
    if not matched:
        raise AnnostatError(
            f"no item of {os.fspath(path)!r} is among the labels: it has {shown(items, 3)}, the "
            f"labels {shown(rounds.items, 3)}"
        )
    found = {}
    for model in models:
        column = as_numbers(table[model], model, items)
        found[model] = np.where(rows >= 0, column[rows], np.nan)
    name = os.path.basename(os.fspath(path))
    words = f"{name}: predictions of {', '.join(models)} for {matched:,} of {len(rows):,} items"
    extra = [item for item in items if item not in set(map(str, rounds.items))]
    if extra:
        words += f"; {len(extra):,} of its items have no labels: {shown(extra, 3)}"
    return found, words
