"""Predictions in a file of their own, joined to labels by item."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

import numpy as np

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_column, shown
from annostat.labels.columns import as_names, as_numbers
from annostat.labels.looks import is_item_name, item_rank, look_of, may_be_round
from annostat.labels.rounds import Rounds
from annostat.tables.reading import read_table


def read_predictions(
    path: str | os.PathLike[str],
    rounds: Rounds,
    *,
    models: Sequence[str] = (),
    missing: Sequence[str] = (),
) -> tuple[dict[str, FloatArray], str]:
    """Return the predictions of a table by model, in the order of the rounds' items.

    Parameters
    ----------
    path : path
        A table with a column of items, named as those of the rounds, and numeric columns.
    rounds : Rounds
        Labels with names of items.
    models : sequence of str
        Columns to take; empty for every column of numbers that may be one.
    missing : sequence of str
        Markers of a missing number, beside the usual ones.

    Returns
    -------
    predictions : dict of str to float64 array of shape (n_items,)
        NaN for items that the table does not have.
    words : str
        How many items were matched, and which were not.

    Raises
    ------
    AnnostatError
        If there is no column of items, an item stands twice, no item matches, there is no column
        of numbers or not the one asked for, or the table of the labels has a column of that name.
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
    items = as_names(table, keys)
    if len(set(items)) < len(items):
        raise AnnostatError(f"{os.fspath(path)!r} has items that stand in more than one row")
    if models:
        models = [check_column(os.path.basename(path), name, columns) for name in models]
    else:
        models = [c for c in columns if c not in keys and may_be_round(c, look_of(table[c]))]
    if not models:
        raise AnnostatError(f"{os.fspath(path)!r} has no column of numbers beside its items")
    if rounds.read is not None:
        twice = [m for m in models if m in (*rounds.read.unused, *rounds.read.models)]
        if twice:
            raise AnnostatError(
                f"{shown(twice)} stands in the table of the labels and in {os.fspath(path)!r}: "
                "rename one of them"
            )
    place = {item: i for i, item in enumerate(items)}
    rows = np.array([place.get(str(item), -1) for item in rounds.items])
    matched = int((rows >= 0).sum())
    if not matched:
        raise AnnostatError(
            f"no item of {os.fspath(path)!r} is among the labels: it has {shown(items, 3)}, the "
            f"labels {shown(rounds.items, 3)}{_hint(items, rounds.items)}"
        )
    found = {}
    for model in models:
        column = as_numbers(table[model], model, items, missing)
        found[model] = np.where(rows >= 0, column[rows], np.nan)
    name = os.path.basename(os.fspath(path))
    words = f"{name}: predictions of {', '.join(models)} for {matched:,} of {len(rows):,} items"
    labelled = set(map(str, rounds.items))
    extra = [item for item in items if item not in labelled]
    if extra:
        words += f"; {len(extra):,} of its items have no labels: {shown(extra, 3)}"
    unused = [c for c in columns if c not in keys and c not in models]
    if unused:
        words += f"; not used: {shown(unused, 8)}"
    return found, words


def _hint(items: Iterable[object], labelled: Iterable[object]) -> str:
    """Return a word on names that would match without leading zeros and the ends of files."""

    def bare(name: object) -> str:
        return re.sub(r"\.[a-z0-9]{2,5}(\.gz)?$", "", str(name).strip().casefold()).lstrip("0")

    if {bare(i) for i in items}.isdisjoint(bare(i) for i in labelled):
        return ""
    return "; without leading zeros and endings such as .avi they match: write them alike"
