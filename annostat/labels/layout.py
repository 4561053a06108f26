"""Which column of a table is what.

Two layouts are read. Wide: one row per item, one column per round. Long: one row per annotation,
with a column for the item, one for the rater or round, and one for the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_column, check_number, shown
from annostat.labels.columns import as_labels, as_numbers, as_text

if TYPE_CHECKING:
    import pandas as pd


ITEM_NAMES = ("item", "id", "filename", "name", "case", "clip", "image", "study", "subject")
LONG_RATER_NAMES = ("rater", "round", "reader", "annotator", "observer")
LONG_VALUE_NAMES = ("value", "pick", "frame", "label", "score")


@dataclass
class Layout:
    """Which column of a table is what."""

    item: str | None
    rounds: list[str]
    rater: str | None
    value: str | None
    by: str | None
    cluster: str | None
    period: str | float | None
    fps: str | float | None
    length: str | float | None
    notes: list[str]

    @classmethod
    def resolve(
        cls,
        frame: pd.DataFrame,
        *,
        item: str | None,
        rounds: Sequence[str] | None,
        rater: str | None,
        value: str | None,
        by: str | None,
        cluster: str | None,
        period: str | float | None,
        fps: str | float | None,
        length: str | float | None,
    ) -> Layout:
        """Find out which column is what; see `annostat.tables.read_rounds`."""
        columns = [str(c) for c in frame.columns]
        if len(set(columns)) != len(columns):
            twice = sorted({c for c in columns if list(columns).count(c) > 1})
            raise AnnostatError(f"the table names a column twice: {shown(twice)}")
        if period is not None and fps is not None:
            raise AnnostatError("give either period or fps, not both")
        if isinstance(rounds, str):
            raise AnnostatError(f"rounds must be a list of columns, got {rounds!r}")
        numeric = [c for c, t in zip(columns, frame.dtypes, strict=True) if t.kind in "iufb"]
        text = [c for c in columns if c not in numeric]
        by_name = {c.lower(): c for c in columns}
        named = {
            "item": item,
            "rater": rater,
            "value": value,
            "by": by,
            "cluster": cluster,
            "period": period,
            "fps": fps,
            "length": length,
        }
        for role, column in named.items():
            if isinstance(column, str):
                check_column(role, column, columns)
        for column in rounds or ():
            check_column("rounds", column, columns)
        roles = [c for c in (item, rater, value, *(rounds or ())) if c is not None]
        if len(set(roles)) != len(roles):
            raise AnnostatError(
                f"item, rater, value and rounds must be different columns, got {shown(roles)}"
            )
        notes: list[str] = []
        if rounds is None and rater is None and value is None:
            raters = [by_name[n] for n in LONG_RATER_NAMES if n in by_name]
            labels = [by_name[n] for n in LONG_VALUE_NAMES if n in by_name]
            if len(raters) == 1 and len(labels) == 1:
                rater, value = raters[0], labels[0]
                notes.append(f"long table: rater from {rater!r}, value from {value!r}")
        if (rater is None) != (value is None):
            raise AnnostatError("a long table needs both rater and value")
        if rater is not None and rounds is not None:
            raise AnnostatError("give rounds (wide table) or rater and value (long), not both")
        used = {c for c in (rater, value, by, cluster, period, fps, length) if isinstance(c, str)}
        used |= set(rounds or ())
        if item is None:
            known = [by_name[n] for n in ITEM_NAMES if n in by_name and by_name[n] not in used]
            free_text = [c for c in text if c not in used]
            item = known[0] if known else free_text[0] if len(free_text) == 1 else None
        if rater is not None:
            if item is None:
                raise AnnostatError("a long table needs the name of its item column (item)")
            return cls(item, [], rater, value, by, cluster, period, fps, length, notes)
        if rounds is None:
            rounds = [c for c in columns if c not in used and c != item]
            strays = [c for c in rounds if c in text]
            if strays and len([c for c in rounds if c in numeric]) >= 2:
                raise AnnostatError(
                    f"column {strays[0]!r} is not numeric: name the columns of the rounds "
                    f"(rounds) if it is not one of them (columns: {shown(columns, 12)})"
                )
            notes.append(f"rounds: {', '.join(rounds)}")
        if len(rounds) < 2:
            raise AnnostatError(
                f"at least two rounds of annotation are needed, got {len(rounds)} "
                f"({shown(rounds) or 'none'}; columns: {shown(columns, 12)})"
            )
        return cls(item, list(rounds), None, None, by, cluster, period, fps, length, notes)

    def widen(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the wide form of a long table; a wide one comes back as it is."""
        if self.rater is None or self.value is None or self.item is None:
            return frame
        frame = frame.copy()
        labels = as_text(frame[self.item])
        frame[self.value] = as_numbers(frame[self.value], self.value, labels)
        frame[self.item] = labels
        raters = as_labels(frame[self.rater], self.rater, labels)
        frame[self.rater] = raters
        twice = frame.duplicated([self.item, self.rater], keep=False)
        if twice.any():
            first = frame.loc[twice, [self.item, self.rater]].drop_duplicates().head(3)
            pairs = "; ".join(f"item {i!r}, {self.rater} {r!r}" for i, r in first.to_numpy())
            raise AnnostatError(
                f"{int(twice.sum())} rows annotate the same item twice by the same rater; "
                f"first: {pairs}"
            )
        wide = frame.pivot(index=self.item, columns=self.rater, values=self.value)
        wide = wide.reindex(list(dict.fromkeys(labels)))
        self.rounds = sorted(str(c) for c in wide.columns)
        wide = wide[self.rounds]
        wide.columns.name = None
        extras = [
            c
            for c in (self.by, self.cluster, self.period, self.fps, self.length)
            if isinstance(c, str)
        ]
        if self.item in self.rounds:
            raise AnnostatError(f"a rater has the name of the column {self.item!r}")
        for column in dict.fromkeys(extras):
            if column == self.item:
                continue  # each item is its own cluster or stratum
            if column in self.rounds:
                raise AnnostatError(f"a rater has the name of the column {column!r}")
            per_item = frame.groupby(self.item, sort=False)[column]
            differing = per_item.nunique(dropna=False) > 1
            if differing.any():
                raise AnnostatError(
                    f"column {column!r} changes within an item; first: "
                    f"{shown(differing[differing].index, 3)}"
                )
            wide[column] = per_item.first()
        return wide.reset_index()

    def periods(self, frame: pd.DataFrame, items: NDArray[Any]) -> NDArray[np.float64] | None:
        """Return the period of each item; a number means the same one for all."""
        if self.period is None and self.fps is None:
            return None
        name = "period" if self.period is not None else "fps"
        source = self.period if self.period is not None else self.fps
        if isinstance(source, str):
            column = as_numbers(frame[source], source, items)
        else:
            column = np.full(len(frame), check_number(name, source))
        if not (np.isfinite(column) & (column > 0)).all():
            bad = np.flatnonzero(~(np.isfinite(column) & (column > 0)))
            raise AnnostatError(
                f"{name} must be positive, but is not in {len(bad)} rows; first: item "
                f"{items[bad[0]]!r}: {column[bad[0]]:g}"
            )
        return column if name == "period" else 1000.0 / column

    def lengths(self, frame: pd.DataFrame, items: NDArray[Any]) -> NDArray[np.int64] | None:
        """Return the number of frames of each item."""
        if self.length is None:
            return None
        if isinstance(self.length, str):
            column = as_numbers(frame[self.length], self.length, items)
        else:
            column = np.full(len(frame), check_number("length", self.length))
        bad = np.flatnonzero(~(np.isfinite(column) & (column >= 1) & (column == np.round(column))))
        if bad.size:
            raise AnnostatError(
                f"length must be a whole number of frames, but is not in {len(bad)} rows; "
                f"first: item {items[bad[0]]!r}: {column[bad[0]]:g}"
            )
        return column.astype(np.int64)
