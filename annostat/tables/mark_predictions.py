"""Marks of models in files of their own, put beneath those of readers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annostat.errors import AnnostatError, shown
from annostat.labels.columns import as_names
from annostat.labels.long_tables import columns_of, item_columns, rater_column
from annostat.labels.looks import LONG_RATER_NAMES, plain_name
from annostat.results.text import counted
from annostat.tables.files import local
from annostat.tables.reading import named_table

if TYPE_CHECKING:
    import pandas as pd


def with_models(
    source: str | os.PathLike[str],
    files: Sequence[str | os.PathLike[str]],
    *,
    item: Sequence[str] = (),
    rater: str | None = None,
    models: Sequence[str] = (),
    keep_text: Sequence[str] = (),
    axes: Callable[[Sequence[str]], Sequence[str]] | None = None,
) -> tuple[pd.DataFrame, tuple[str, ...], str, tuple[str, ...], tuple[str, ...]]:
    """Return a long table of marks with the marks of models beneath it.

    Parameters
    ----------
    source : path
        Marks of readers, and of models that `models` names.
    files : sequence of path
        Tables of marks with the same columns. A column of the rater names the models; without one
        the model has the name of the file.
    item : sequence of str
        Columns that tell items apart; found by their names if empty.
    rater : str, optional
        Column of the rater, found by its name.
    models : sequence of str
        Raters that are models; of a file with a column of the rater, those to take, all if none of
        these is in it.
    keep_text : sequence of str
        Columns that stay text.
    axes : callable, optional
        Returns the columns of the marks from those of the table: every file needs them.

    Returns
    -------
    table : DataFrame
    models : tuple of str
        All models.
    name : str
        Of the first file.
    notes : tuple of str
        What was noticed while reading it.
    words : tuple of str
        What was joined from each file.

    Raises
    ------
    AnnostatError
        If a file has no column of items, or not those of the marks, no item of the labels, or a
        model that is there already.
    """
    import pandas as pd

    kept = [c for c in (*item, rater, *keep_text) if c]
    with local(source) as path:
        table, notes = named_table(path, kept)
        name = path.name
    if not files:
        return table, tuple(models), name, notes, ()
    columns = columns_of(table)
    which, who = item_columns(item, columns), rater_column(rater, columns)
    labelled = set(map(str, as_names(table, which)))
    there = {str(v).strip() for v in table[who]}
    marks = () if axes is None else tuple(axes(columns))
    found, parts, words = list(models), [table], []
    for file in files:
        with local(file) as path:
            part, _ = named_table(path, [*kept, *which, who])
            stem = Path(path.name).stem
        part, named = _raters(part, who, stem, models, there)
        own = columns_of(part)
        if not set(which) <= set(own):
            raise AnnostatError(
                f"{os.fspath(file)!r} has no column {shown(which)}, by which items are joined; "
                f"it has {shown(own, 8)}"
            )
        if lacking := [c for c in marks if c not in own]:
            raise AnnostatError(
                f"{os.fspath(file)!r} has no column {shown(lacking)}, which the marks of the "
                f"readers have; it has {shown(own, 8)}"
            )
        twice = [n for n in named if n in there]
        if twice:
            raise AnnostatError(
                f"--predictions {os.fspath(file)!r}: {shown(twice)} is there already, as a reader"
                " or a model; name those to take (--model)"
            )
        names = as_names(part, which)
        inside = [str(n) in labelled for n in names]
        if not any(inside):
            raise AnnostatError(
                f"no item of {os.fspath(file)!r} is among the labels: it has {shown(names, 3)}, "
                f"the labels {shown(sorted(labelled), 3)}"
            )
        there |= set(named)
        found += [n for n in named if n not in found]
        parts.append(part[inside])
        extra = sorted({str(n) for n, i in zip(names, inside, strict=True) if not i})
        text = f"{path.name}: {counted(int(sum(inside)), 'row')} of {shown(named)}"
        if extra:
            text += f"; {len(extra):,} of its items have no labels: {shown(extra, 3)}"
        words.append(text)
    return pd.concat(parts, ignore_index=True), tuple(found), name, notes, tuple(words)


def _raters(
    part: pd.DataFrame, who: str, stem: str, models: Sequence[str], there: set[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Return a table whose column of the rater names models, and these."""
    by_name = {plain_name(c): c for c in reversed(columns_of(part))}
    known = [by_name[n] for n in (plain_name(who), *LONG_RATER_NAMES) if n in by_name]
    if not known:
        return part.assign(**{who: stem}), [stem]
    if known[0] != who:
        part = part.rename(columns={known[0]: who})
    text = part[who].map(lambda v: str(v).strip())
    chosen = [m for m in models if m in set(text) and m not in there]
    if chosen:
        part, text = part[text.isin(chosen)], text[text.isin(chosen)]
    return part, sorted(set(text))
