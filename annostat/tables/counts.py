"""Counts of patterns of differences: what a table too large for memory is reduced to.

The items of one pattern become one row with a multiplicity (`Rounds.weights`). Counts of parts of a
table add up, whichever machine counted them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import PICK_LIMIT
from annostat.errors import AnnostatError, option, shown
from annostat.labels.columns import RowNames, as_labels, as_numbers, as_text
from annostat.labels.layout import Layout
from annostat.labels.rounds import Rounds
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd

COUNT_ROWS = 1 << 15
TABLES = 32  # of counts, before they are added up
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits are spread: names keep their order
SMALL = 2**30  # picks below it differ by what fits an int32
SAFE = 2**52  # a pick and a difference below it make a pick below the next


class PatternCounts:
    """How often each pattern of differences occurs in the rows that were added so far.

    Parameters
    ----------
    layout : Layout
        Which column is what; the table must be wide.
    start : int
        Number of the first row, for messages.
    """

    def __init__(self, layout: Layout, start: int = 0) -> None:
        if layout.rater is not None:
            raise AnnostatError(
                "a long table cannot be streamed into counts: read it with collapse=False, "
                "or turn it into one column per round"
            )
        roles = layout.roles
        extra = (roles.by, roles.period, roles.fps, roles.length)
        self.layout, self.start, self.n_rows = layout, start, 0
        self.keys = [c for c in extra if isinstance(c, str)]
        self.seen = SeenItems(layout.item, roles.by)
        self.fast: dict[int, int] = {}
        self.tables: list[pd.DataFrame] = []

    def add(self, batch: pd.DataFrame) -> None:
        """Count the rows of a batch."""
        import pandas as pd

        names, missing = self.layout.rounds, self.layout.roles.missing
        self.seen.add(batch)
        first = self.start + self.n_rows
        rows = RowNames(np.arange(first, first + len(batch)))
        self.n_rows += len(batch)
        plain = not missing and all(_is_plain(batch[c].dtype) for c in names)
        if len(names) == 2 and not self.keys and plain:
            left = _count_into(self.fast, *(batch[c].to_numpy() for c in names))
            if not left.size:
                return
            batch, rows = batch.iloc[left], RowNames(rows.numbers[left])
        values = np.vstack([as_numbers(batch[c], c, rows, missing) for c in names]).T
        present = np.isfinite(values)
        whole = (values == np.round(values)) & (np.abs(values) < PICK_LIMIT)
        if not (whole | np.isnan(values)).all():  # let `Rounds` refuse it and show the rows
            labels = np.array([rows[i] for i in range(len(values))], dtype=object)
            Rounds(values, tuple(names), items=labels).picks()
        if len(names) == 2 and not self.keys:
            rest = np.asarray(~present.all(axis=1))
            both = np.flatnonzero(~rest)
            rest[both[_count_into(self.fast, *values[both].T)]] = True
            if not rest.any():
                return
            values, present = values[rest], present[rest]
        reference = values[np.arange(len(values)), present.argmax(axis=1)]
        table = pd.DataFrame(values - reference[:, None], columns=names)
        for key in self.keys:
            table[key] = batch[key].to_numpy()
        by = [*names, *self.keys]
        self.tables.append(table.groupby(by, dropna=False).size().reset_index(name="\0n"))
        if len(self.tables) > TABLES:
            self.tables = [_merge(self.tables, by)]

    def merge(self, other: PatternCounts) -> None:
        """Add the counts of other rows of the same table."""
        for value, count in other.fast.items():
            self.fast[value] = self.fast.get(value, 0) + count
        self.tables += other.tables
        if len(self.tables) > TABLES:
            self.tables = [_merge(self.tables, [*self.layout.rounds, *self.keys])]
        self.seen.hashes += other.seen.hashes
        self.seen.within += other.seen.within
        self.n_rows += other.n_rows

    def __sizeof__(self) -> int:
        """Return how many bytes this holds, by which Dask knows what a worker has."""
        hashes = [*self.seen.hashes, *self.seen.within]
        tables = sum(int(t.memory_usage().sum()) for t in self.tables)
        return 100 * len(self.fast) + tables + sum(h.nbytes for h in hashes)

    def rounds(self, source: str, units: dict[str, Any]) -> Rounds:
        """Return the patterns as rounds, each with its multiplicity."""
        import pandas as pd

        layout, roles, names = self.layout, self.layout.roles, self.layout.rounds
        self.seen.refuse_duplicates()
        tables = list(self.tables)
        if self.fast:
            d = np.array(sorted(self.fast), dtype=np.float64)
            counted = pd.DataFrame({names[0]: np.zeros_like(d), names[1]: d})
            counted["\0n"] = [self.fast[int(v)] for v in d]
            tables.append(counted)
        if not tables:
            raise AnnostatError(f"{source} has no rows")
        merged = _merge(tables, [*names, *self.keys])
        if merged.empty:
            raise AnnostatError(f"{source} has no rows")
        patterns = np.array([f"pattern {i + 1}" for i in range(len(merged))], dtype=object)
        read = layout.record(source, self.n_rows, None)
        note = "Streamed: items were collapsed into patterns of differences."
        return Rounds(
            merged[names].to_numpy(np.float64),
            tuple(names),
            stratum=None if roles.by is None else as_labels(merged[roles.by], roles.by, patterns),
            period=layout.periods(merged, patterns),
            length=layout.lengths(merged, patterns),
            weights=merged["\0n"].to_numpy(np.int64),
            unit=units["unit"],
            period_unit=units["period_unit"] or ("ms" if roles.fps is not None else ""),
            exchangeable=units["exchangeable"],
            read=replace(read, notes=(*read.notes, note)),
        )


class SeenItems:
    """Which items were read: 64 bits of each name, so that one that stands twice is found.

    Where items repeat, the stratum may tell them apart, as in tables that are not streamed.
    """

    def __init__(self, columns: Sequence[str], by: str | None) -> None:
        self.columns = tuple(columns)
        self.by = by if columns and by not in columns else None
        self.hashes: list[NDArray[np.uint64]] = []
        self.within: list[NDArray[np.uint64]] = []

    def add(self, batch: pd.DataFrame) -> None:
        """Add the items of a batch; rows without a name are refused."""
        if not self.columns:
            return
        mixed = np.zeros(len(batch), dtype=np.uint64)
        for name in self.columns:
            mixed = mixed * SPREAD + _hashes(batch[name])
        self.hashes.append(mixed)
        if self.by is not None:
            self.within.append(mixed * SPREAD + _hashes(batch[self.by]))

    def refuse_duplicates(self) -> None:
        """Refuse items that stand in more than one row."""
        twice = _repeated(self.hashes)
        if twice and (self.by is None or _repeated(self.within)):
            raise AnnostatError(
                f"{counted(twice, 'item stands', 'items stand')} in more than one row "
                f"(columns that name them: {shown(self.columns)}); name all columns that tell "
                f"them apart by {option('item')}"
            )


def _hashes(column: pd.Series[Any]) -> NDArray[np.uint64]:
    """Return 64 bits for each name of a column."""
    import pandas as pd

    if column.dtype.kind not in "iu":
        column = pd.Series(as_text(column), dtype=object)
    return np.asarray(pd.util.hash_pandas_object(column, index=False), dtype=np.uint64)


def _repeated(hashes: list[NDArray[np.uint64]]) -> int:
    """Return how many different values stand more than once."""
    if not hashes:
        return 0
    everything = np.sort(np.concatenate(hashes))
    return int(np.unique(everything[1:][everything[1:] == everything[:-1]]).size)


def _merge(tables: list[pd.DataFrame], keys: list[str]) -> pd.DataFrame:
    import pandas as pd

    stacked = pd.concat(tables, ignore_index=True)
    return stacked.groupby(keys, dropna=False)["\0n"].sum().reset_index()


def _is_plain(dtype: Any) -> bool:
    """Return whether a column is an array of numbers, as NumPy has them."""
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf" and dtype != np.uint64


def _count_into(
    total: dict[int, int], first: NDArray[Any], second: NDArray[Any]
) -> NDArray[np.int64]:
    """Add the counts of whole-number differences, a piece that fits the cache at a time.

    Returns the rows of the pieces that were left out, since a cell is no whole number there.
    """
    left = []
    for start in range(0, len(first), COUNT_ROWS):
        piece = slice(start, start + COUNT_ROWS)
        a, b = _whole(first[piece]), _whole(second[piece])
        low, high = SAFE, SAFE
        if a is not None and b is not None:
            widest = max(int(a.max()), int(b.max()), -int(a.min()), -int(b.min()))
            if widest < SAFE:
                # What fits 31 bits is counted in 32: half the memory to walk through.
                kind = np.result_type(a, b, np.int32 if widest < SMALL else np.int64)
                d = np.subtract(b, a, dtype=kind)
                low, high = int(d.min()), int(d.max())
        if not -SAFE < low <= high < SAFE:  # these the caller looks at
            left.append(np.arange(start, min(start + COUNT_ROWS, len(first))))
            continue
        if high - low < 8 * COUNT_ROWS:
            d -= low
            counts = np.bincount(d)
            seen = np.flatnonzero(counts)
            pairs = zip((seen + low).tolist(), counts[seen].tolist(), strict=True)
        else:
            seen, counts = np.unique(d, return_counts=True)
            pairs = zip(seen.tolist(), counts.tolist(), strict=True)
        for value, count in pairs:
            total[value] = total.get(value, 0) + count
    return np.concatenate(left) if left else np.zeros(0, dtype=np.int64)


def _whole(piece: NDArray[Any]) -> NDArray[Any] | None:
    """Return numbers as whole ones, or None if one is missing, broken, or beyond int64."""
    if piece.dtype.kind != "f":
        return piece
    with np.errstate(invalid="ignore"):
        for kind in (np.int32, np.int64):
            whole = piece.astype(kind)
            if (whole == piece).all():
                return whole
    return None
