"""Long tables of marks: which column is what, by what is said or by its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import IntArray
from annostat.errors import AnnostatError, check_column, option, shown
from annostat.labels.columns import as_labels
from annostat.labels.looks import (
    LONG_RATER_NAMES,
    is_item_name,
    is_model_name,
    item_rank,
    plain_name,
)

if TYPE_CHECKING:
    import pandas as pd


def columns_of(frame: pd.DataFrame) -> list[str]:
    """Return the names of the columns; a name that stands twice is refused."""
    columns = [str(c) for c in frame.columns]
    twice = sorted({c for c in columns if columns.count(c) > 1})
    if twice:
        raise AnnostatError(f"the table names a column twice: {shown(twice)}")
    return columns


def column_of(
    role: str,
    given: str | None,
    names: Sequence[str],
    columns: Sequence[str],
    *,
    needed: bool = True,
) -> str | None:
    """Return the column of a role: as it was named, else the first with a usual name.

    Raises
    ------
    AnnostatError
        If a named column is not there, or one that is needed is not found.
    """
    if given is not None:
        return check_column(role, given, columns)
    by_name = {plain_name(c): c for c in reversed(columns)}
    for name in names:
        if name in by_name:
            return by_name[name]
    if needed:
        raise AnnostatError(
            f"which column is the {role}? Name it ({option(role, 'COLUMN')}); columns: "
            f"{shown(columns, 12)}"
        )
    return None


def item_columns(given: str | Sequence[str] | None, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that tell items apart: as they were named, else the likeliest name."""
    if given:
        named = (given,) if isinstance(given, str) else tuple(map(str, given))
        return tuple(check_column("item", c, columns) for c in named)
    known = sorted((c for c in columns if is_item_name(c)), key=item_rank)
    if not known:
        raise AnnostatError(
            f"which column tells the items apart? Name it ({option('item', 'COLUMN')}); columns: "
            f"{shown(columns, 12)}"
        )
    return (known[0],)


def rater_column(given: str | None, columns: Sequence[str]) -> str:
    """Return the column of the reader."""
    found = column_of("rater", given, LONG_RATER_NAMES, columns)
    return str(found)


def chosen_raters(
    raters: NDArray[Any], rounds: Sequence[str] | None, models: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return the readers whose labels count, and those that are not used; models come last.

    Raises
    ------
    AnnostatError
        If a name is no reader of the table, or one looks like a model and nobody said what it is.
    """
    known = sorted(set(map(str, raters)))
    for role, names in (("rounds", rounds or ()), ("models", models)):
        for name in names:
            if str(name) not in known:
                raise AnnostatError(
                    f"{role}: there is no reader {str(name)!r} (readers: {shown(known, 12)})"
                )
    if rounds is not None:
        both = [n for n in rounds if n in models]
        if both:
            raise AnnostatError(f"{shown(both)} cannot be both a reader and a model")
        kept = [*map(str, rounds), *map(str, models)]
        return kept, [n for n in known if n not in kept]
    suspects = [n for n in known if is_model_name(n) and n not in models]
    people = [n for n in known if n not in models and n not in suspects]
    if suspects:
        raise AnnostatError(
            f"is {shown(suspects)} a model? Say so ({option('model', suspects[0])}) or "
            f"name the readers ({option('rounds', *people[:3])})"
        )
    return [*people, *map(str, models)], []


def positions(labels: Iterable[object], order: Iterable[object]) -> IntArray:
    """Return the place of each label in an order of them all, by their names."""
    place = {str(name): i for i, name in enumerate(order)}
    return np.array([place[str(name)] for name in labels], dtype=np.int64)


def per_item(
    frame: pd.DataFrame, column: str | None, labels: NDArray[Any], items: NDArray[Any]
) -> NDArray[Any] | None:
    """Return one label for each item of a column that must not vary within an item."""
    if column is None:
        return None
    import pandas as pd

    text = pd.Series(as_labels(frame[column], column, labels), index=labels)
    per = text.groupby(level=0).nunique()
    if (per > 1).any():
        raise AnnostatError(
            f"column {column!r} differs within an item; first: {shown(per.index[per > 1], 1)}"
        )
    first = text[~text.index.duplicated()]
    return first.loc[list(items)].to_numpy(dtype=object)
