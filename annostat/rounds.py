"""Rounds: several annotations of the same items, for one measurand.

Two layouts are read. Wide: one row per item, one column per round. Long: one row per annotation,
with a column for the item, one for the rater or round, and one for the value. Tables too large
for memory are streamed and collapsed: the items of one pattern of differences become one row with
a multiplicity (`Rounds.weights`), which is all that the noise of a pick needs.
"""

from __future__ import annotations

import csv
import hashlib
import os
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_column, check_number, check_numbers, shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rounds", "read_rounds"]

STREAM_BYTES = 256 << 20  # files larger than this are streamed into counts
BATCH_ROWS = 1 << 20
COUNT_ROWS = 1 << 15
SMALL = 2**30  # picks below it differ by what fits an int32
SAFE = 2**52  # a pick and a difference below it make a pick below the next
PICK_LIMIT = 2**53  # whole numbers beyond this are not exact in float64
ITEM_NAMES = ("item", "id", "filename", "name", "case", "clip", "image", "study", "subject")
LONG_RATER_NAMES = ("rater", "round", "reader", "annotator", "observer")
LONG_VALUE_NAMES = ("value", "pick", "frame", "label", "score")


@dataclass(frozen=True, eq=False)
class Rounds:
    """Items × rounds of one measurand.

    Attributes
    ----------
    values : float64 array of shape (n_items, n_rounds)
        One row per item, one column per round; NaN where an annotation is missing.
    names : tuple of str
        Names of the rounds.
    items : object array of shape (n_items,) or None
        Item identifiers as text; None if rows are collapsed.
    cluster : object array of shape (n_items,) or None
        Label of the cluster (patient) of each item: clusters are resampled whole.
    stratum : object array of shape (n_items,) or None
        Label by which results are split.
    period : float64 array of shape (n_items,) or None
        Duration of one frame, or spacing of one slice, in `period_unit`.
    length : int64 array of shape (n_items,) or None
        Number of frames of each clip.
    weights : int64 array of shape (n_items,) or None
        How many items each row stands for; None means one each.
    unit, period_unit : str
        Units of the values and of the period.
    exchangeable : bool
        True if the order of the rounds means nothing (reader 1 is not always the same person).
    notes : tuple of str
        What was noticed while reading.

    Examples
    --------
    >>> rounds = Rounds.from_array([[10, 12], [31, 30], [7, 7]], unit="frames")
    >>> rounds.n_items, rounds.n_pairs
    (3, 3)
    >>> rounds.differences().tolist()
    [2.0, -1.0, 0.0]
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    items: NDArray[Any] | None = None
    cluster: NDArray[Any] | None = None
    stratum: NDArray[Any] | None = None
    period: NDArray[np.float64] | None = None
    length: NDArray[np.int64] | None = None
    weights: NDArray[np.int64] | None = None
    unit: str = ""
    period_unit: str = ""
    exchangeable: bool = False
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.values, dtype=np.float64)
        if values.ndim != 2:
            raise AnnostatError(
                f"values must have two axes (items × rounds), got shape {values.shape}"
            )
        object.__setattr__(self, "values", values)
        n, k = values.shape
        if n == 0:
            raise AnnostatError("there are no items: the table has no rows")
        if k < 2:
            raise AnnostatError(
                f"at least two rounds of annotation are needed, got {k} ({shown(self.names)})"
            )
        if len(self.names) != k:
            raise AnnostatError(f"{k} rounds but {len(self.names)} names: {shown(self.names)}")
        if len(set(self.names)) != k:
            raise AnnostatError(f"the same round is named twice: {shown(self.names)}")
        for name in ("items", "cluster", "stratum", "period", "length", "weights"):
            column = getattr(self, name)
            if column is not None and len(column) != n:
                raise AnnostatError(f"{name} has {len(column)} entries for {n} items")
        if np.isinf(values).any():
            self._refuse(np.isinf(values), "an infinite value")
        if self.period is not None and not (np.isfinite(self.period) & (self.period > 0)).all():
            bad = ~(np.isfinite(self.period) & (self.period > 0))
            self._refuse(bad, "a period that is not a positive number", self.period)
        if self.length is not None and (self.length < 1).any():
            self._refuse(self.length < 1, "a clip length below 1", self.length)
        if self.weights is not None and (self.weights < 1).any():
            self._refuse(self.weights < 1, "a multiplicity below 1", self.weights)

    @classmethod
    def from_array(
        cls, values: Any, *, names: Sequence[str] | None = None, **columns: Any
    ) -> Rounds:
        """Make rounds from an array-like of shape (n_items, n_rounds); NaN means missing.

        `columns` are the other attributes of `Rounds`, by name.
        """
        array = check_numbers("values", values)
        if array.ndim != 2:
            raise AnnostatError(f"values must have shape (n_items, n_rounds), got {array.shape}")
        labels = [f"round_{j + 1}" for j in range(array.shape[1])] if names is None else names
        for key in ("period", "length", "weights"):
            if columns.get(key) is not None:
                columns[key] = _numbers_of(key, columns[key], len(array), whole=key != "period")
        for key in ("items", "cluster", "stratum"):
            if columns.get(key) is not None:
                given = list(columns[key])
                empty = [i + 1 for i, v in enumerate(given) if v is None or v != v]
                if empty:
                    raise AnnostatError(f"{key} is empty in {len(empty)} rows; first: {empty[0]}")
                columns[key] = np.asarray([str(v) for v in given], dtype=object)
        return cls(array, tuple(str(name) for name in labels), **columns)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        item: str | None = None,
        rounds: Sequence[str] | None = None,
        rater: str | None = None,
        value: str | None = None,
        by: str | None = None,
        cluster: str | None = None,
        period: str | float | None = None,
        fps: str | float | None = None,
        length: str | float | None = None,
        unit: str = "",
        period_unit: str = "",
        exchangeable: bool = False,
    ) -> Rounds:
        """Make rounds from a table; parameters as in `read_rounds`."""
        frame = frame.rename(columns=str)
        named = str(frame.index.name)
        if named not in frame.columns and (
            named in (item, rater, by, cluster) or named.lower() in ITEM_NAMES
        ):
            frame = frame.reset_index(names=named)
        layout = _Layout.resolve(
            frame,
            item=item, rounds=rounds, rater=rater, value=value, by=by, cluster=cluster,
            period=period, fps=fps, length=length,
        )  # fmt: skip
        if frame.empty:
            raise AnnostatError("the table has no rows")
        wide = layout.widen(frame)
        notes = list(layout.notes)
        if not period_unit and (period is not None or fps is not None):
            period_unit = "ms" if fps is not None else ""
        items = _as_text(wide[layout.item]) if layout.item else None
        if items is None:
            items = np.array([f"row {i + 1}" for i in range(len(wide))], dtype=object)
        values = np.column_stack([_as_numbers(wide[c], c, items) for c in layout.rounds])
        _refuse_duplicates(items)
        return cls(
            values,
            tuple(layout.rounds),
            items=items,
            cluster=None if cluster is None else _labels(wide[cluster], cluster, items),
            stratum=None if by is None else _labels(wide[by], by, items),
            period=layout.periods(wide, items),
            length=layout.lengths(wide, items),
            unit=unit,
            period_unit=period_unit,
            exchangeable=exchangeable,
            notes=tuple(notes),
        )

    @property
    def n_rounds(self) -> int:
        """Number of rounds."""
        return int(self.values.shape[1])

    @property
    def n_items(self) -> int:
        """Number of items with at least two annotations."""
        return int(self.row_weights[self.readings >= 2].sum())

    @property
    def n_pairs(self) -> int:
        """Number of pairs of annotations of the same item."""
        k = self.readings
        return int((self.row_weights * (k * (k - 1) // 2)).sum())

    @property
    def readings(self) -> NDArray[np.int64]:
        """Number of annotations of each item, int64 of shape (n_items,)."""
        return np.asarray(np.isfinite(self.values).sum(axis=1), dtype=np.int64)

    @property
    def row_weights(self) -> NDArray[np.int64]:
        """Multiplicity of each row, int64 of shape (n_items,)."""
        return np.ones(len(self.values), dtype=np.int64) if self.weights is None else self.weights

    def differences(self, first: int = 0, second: int = 1) -> NDArray[np.float64]:
        """Return second − first round of the items that have both, one entry per row."""
        d = self.values[:, second] - self.values[:, first]
        return np.asarray(d[np.isfinite(d)])

    def usable(self) -> Rounds:
        """Return the items with two or more annotations; the others carry no information."""
        keep = self.readings >= 2
        if keep.all():
            return self
        if not keep.any():
            raise AnnostatError(
                "no item has two annotations, so nothing can be said about their noise"
            )
        dropped = int(self.row_weights[~keep].sum())
        note = f"{dropped} items with fewer than two annotations were left out"
        return replace(self.take(keep), notes=(*self.notes, note))

    def take(self, rows: NDArray[Any]) -> Rounds:
        """Return the rows that a mask or an index array selects."""

        def cut(column: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if column is None else column[rows]

        return replace(
            self,
            values=self.values[rows],
            items=cut(self.items),
            cluster=cut(self.cluster),
            stratum=cut(self.stratum),
            period=cut(self.period),
            length=cut(self.length),
            weights=cut(self.weights),
        )

    def strata(self) -> dict[str, Rounds]:
        """Return the rounds of each stratum, in sorted order; one entry "" without strata."""
        if self.stratum is None:
            return {"": self}
        return {str(s): self.take(self.stratum == s) for s in sorted(set(self.stratum))}

    def picks(self) -> Rounds:
        """Return self after making sure that all values are whole numbers."""
        v = self.values
        fractional = np.isfinite(v) & (v != np.round(v))
        if fractional.any():
            self._refuse(fractional, "a pick that is not a whole number")
        if (np.abs(v[np.isfinite(v)]) >= PICK_LIMIT).any():
            self._refuse(np.abs(v) >= PICK_LIMIT, "a pick of 2^53 or more")
        return self

    def to_frame(self) -> pd.DataFrame:
        """Return a wide table: item, one column per round, then the other columns present."""
        import pandas as pd

        frame = pd.DataFrame(self.values, columns=list(self.names))
        if self.items is not None:
            frame.insert(0, "item", self.items)
        for name in ("cluster", "stratum", "period", "length", "weights"):
            if getattr(self, name) is not None:
                frame[name] = getattr(self, name)
        return frame

    def digest(self) -> str:
        """Return a hash of everything that a result depends on: 16 hexadecimal digits."""
        # One bit pattern for all zeros and one for all missing cells.
        values = np.where(np.isnan(self.values), np.nan, self.values + 0.0)
        h = hashlib.sha256(repr(values.shape).encode() + values.tobytes())
        for column in (self.period, self.length, self.weights):
            h.update(b"|" if column is None else np.ascontiguousarray(column).tobytes())
        for labels in (self.cluster, self.stratum):
            h.update(b"|" if labels is None else "\x1f".join(map(str, labels)).encode())
        return h.hexdigest()[:16]

    def __repr__(self) -> str:
        missing = int(np.isnan(self.values).sum())
        extra = [
            n for n in ("cluster", "stratum", "period", "length") if getattr(self, n) is not None
        ]
        parts = [f"{len(self.values)} items × {self.n_rounds} rounds ({shown(self.names)})"]
        parts += [f"{missing} missing"] * bool(missing) + [f"with {', '.join(extra)}"] * bool(extra)
        return f"<Rounds: {', '.join(parts)}>"

    def _refuse(self, bad: NDArray[np.bool_], what: str, column: Any = None) -> None:
        rows = np.flatnonzero(bad.any(axis=1) if bad.ndim == 2 else bad)
        places = []
        for i in rows[:3]:
            label = f"row {i + 1}" if self.items is None else f"item {str(self.items[i])!r}"
            if bad.ndim == 2:
                j = int(np.flatnonzero(bad[i])[0])
                places.append(f"{label}, {self.names[j]} = {self.values[i, j]:g}")
            else:
                places.append(f"{label}: {column[i]:g}" if column is not None else label)
        raise AnnostatError(f"{len(rows)} rows hold {what}; first: {'; '.join(places)}")


@dataclass
class _Layout:
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
    ) -> _Layout:
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
        named = {"item": item, "rater": rater, "value": value, "by": by, "cluster": cluster,
                 "period": period, "fps": fps, "length": length}  # fmt: skip
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
        labels = _as_text(frame[self.item])
        frame[self.value] = _as_numbers(frame[self.value], self.value, labels)
        frame[self.item] = labels
        raters = _labels(frame[self.rater], self.rater, labels)
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
            column = _as_numbers(frame[source], source, items)
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
            column = _as_numbers(frame[self.length], self.length, items)
        else:
            column = np.full(len(frame), check_number("length", self.length))
        bad = np.flatnonzero(~(np.isfinite(column) & (column >= 1) & (column == np.round(column))))
        if bad.size:
            raise AnnostatError(
                f"length must be a whole number of frames, but is not in {len(bad)} rows; "
                f"first: item {items[bad[0]]!r}: {column[bad[0]]:g}"
            )
        return column.astype(np.int64)


def read_rounds(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    item: str | None = None,
    rounds: Sequence[str] | None = None,
    rater: str | None = None,
    value: str | None = None,
    by: str | None = None,
    cluster: str | None = None,
    period: str | float | None = None,
    fps: str | float | None = None,
    length: str | float | None = None,
    unit: str = "",
    period_unit: str = "",
    exchangeable: bool = False,
    collapse: bool | None = None,
) -> Rounds:
    """Read rounds of annotation from CSV, TSV, Parquet or a DataFrame.

    Parameters
    ----------
    source : path or DataFrame
        A table; text tables may be compressed (.gz, .bz2, .xz, .zst).
    item : str, optional
        Column of item identifiers. Without it a usual name ("item", "id", "FileName", ...) or
        the only text column is taken, else the row number.
    rounds : sequence of str, optional
        Columns of the rounds of a wide table. Without it all columns that are nothing else.
    rater, value : str, optional
        Columns of a long table: who (or which round), and the annotation.
    by, cluster : str, optional
        Columns of the stratum and of the cluster (patient).
    period, fps : str or float, optional
        Column, or one number, of the duration of one frame (or the spacing of one slice) or of
        the frames per second, which becomes a period in milliseconds.
    length : str or float, optional
        Column, or one number, of the number of frames of the clip.
    unit, period_unit : str
        Units of the annotations and of the period.
    exchangeable : bool
        True if the order of the rounds carries no identity.
    collapse : bool, optional
        Stream the file and keep one row per pattern of differences, with its multiplicity.
        Default: for wide files above 256 MiB without a cluster column. Item identifiers and the
        level of the values are lost.

    Returns
    -------
    Rounds
        Missing cells are NaN. Items annotated once are kept; estimators leave them out.

    Raises
    ------
    AnnostatError
        For files that are empty, binary or unreadable, missing columns, text in a number
        column, infinities, duplicated items, a single round; the first offending rows are shown.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"clip": ["a", "b"], "first": [10, 31], "second": [12, 30]})
    >>> read_rounds(table, rounds=["first", "second"])
    <Rounds: 2 items × 2 rounds (first, second)>
    """
    options: dict[str, Any] = dict(
        item=item, rounds=rounds, rater=rater, value=value, by=by, cluster=cluster,
        period=period, fps=fps, length=length,
    )  # fmt: skip
    units: dict[str, Any] = dict(unit=unit, period_unit=period_unit, exchangeable=exchangeable)
    if not isinstance(source, (str, os.PathLike)):
        if not hasattr(source, "columns"):
            raise AnnostatError(
                f"source must be a path or a DataFrame, got {type(source).__name__}"
            )
        return Rounds.from_frame(source, **options, **units)
    path = Path(source)
    _check_readable(path)
    if collapse is None:
        collapse = path.stat().st_size > STREAM_BYTES and cluster is None and rater is None
    if collapse:
        if cluster is not None or rater is not None:
            raise AnnostatError("collapse needs a wide table without a cluster column")
        return _stream(path, options, units)
    table = read_table(path, keep_text=[c for c in (item, rater, by, cluster) if c])
    return Rounds.from_frame(table, **options, **units)


def read_table(path: str | os.PathLike[str], *, keep_text: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV, TSV or Parquet file; columns in `keep_text` stay text ("007" is no number)."""
    import pandas as pd

    path = Path(path)
    _check_readable(path)
    with _reading(path):
        if _is_parquet(path):
            frame: pd.DataFrame = _open_parquet(path).read().to_pandas()
            return frame
        table: pd.DataFrame = pd.read_csv(path, **_csv_options(path, keep_text))
        return table


def _stream(path: Path, options: dict[str, Any], units: dict[str, Any]) -> Rounds:
    """Read a wide file batch by batch and count the patterns of differences."""
    import pandas as pd

    layout: _Layout | None = None
    keys: list[str] = []
    fast: dict[int, int] = {}
    tables: list[pd.DataFrame] = []
    start = 0
    with closing(_batches(path, options)) as batches:
        for batch in batches:
            if layout is None:
                # With the rounds named, the column of the items is not even read.
                item = options["item"] if options["rounds"] is None else None
                layout = _Layout.resolve(batch, **{**options, "item": item})
                if layout.rater is not None:
                    raise AnnostatError(
                        "a long table cannot be streamed into counts: read it with collapse=False, "
                        "or turn it into one column per round"
                    )
                extra = (layout.by, layout.period, layout.fps, layout.length)
                keys = [c for c in extra if isinstance(c, str)]
            names = layout.rounds
            rows = _RowNames(np.arange(start, start + len(batch)))
            start += len(batch)
            if len(names) == 2 and not keys and all(_is_plain(batch[c].dtype) for c in names):
                left = _count_into(fast, *(batch[c].to_numpy() for c in names))
                if not left.size:
                    continue
                batch, rows = batch.iloc[left], _RowNames(rows.numbers[left])
            values = np.vstack([_as_numbers(batch[c], c, rows) for c in names]).T
            present = np.isfinite(values)
            whole = (values == np.round(values)) & (np.abs(values) < PICK_LIMIT)
            if not (whole | np.isnan(values)).all():  # let `Rounds` refuse it and show the rows
                labels = np.array([rows[i] for i in range(len(values))], dtype=object)
                Rounds(values, tuple(names), items=labels).picks()
            if len(names) == 2 and not keys:
                rest = np.asarray(~present.all(axis=1))
                both = np.flatnonzero(~rest)
                rest[both[_count_into(fast, *values[both].T)]] = True
                if not rest.any():
                    continue
                values, present = values[rest], present[rest]
            reference = values[np.arange(len(values)), present.argmax(axis=1)]
            table = pd.DataFrame(values - reference[:, None], columns=names)
            for key in keys:
                table[key] = batch[key].to_numpy()
            tables.append(
                table.groupby([*names, *keys], dropna=False).size().reset_index(name="\0n")
            )
            if len(tables) > 32:
                tables = [_merge(tables, [*names, *keys])]
    if layout is None:
        raise AnnostatError(f"{path.name} has no rows")
    names = layout.rounds
    if fast:
        d = np.array(sorted(fast), dtype=np.float64)
        counted = pd.DataFrame({names[0]: np.zeros_like(d), names[1]: d})
        counted["\0n"] = [fast[int(v)] for v in d]
        tables.append(counted)
    if not tables:
        raise AnnostatError(f"{path.name} has no rows")
    merged = _merge(tables, [*names, *keys])
    if merged.empty:
        raise AnnostatError(f"{path.name} has no rows")
    patterns = np.array([f"pattern {i + 1}" for i in range(len(merged))], dtype=object)
    return Rounds(
        merged[names].to_numpy(np.float64),
        tuple(names),
        stratum=None if layout.by is None else _labels(merged[layout.by], layout.by, patterns),
        period=layout.periods(merged, patterns),
        length=layout.lengths(merged, patterns),
        weights=merged["\0n"].to_numpy(np.int64),
        unit=units["unit"],
        period_unit=units["period_unit"] or ("ms" if layout.fps is not None else ""),
        exchangeable=units["exchangeable"],
        notes=(*layout.notes, "streamed: items were collapsed into patterns of differences"),
    )


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


def _batches(path: Path, options: Mapping[str, Any]) -> Generator[pd.DataFrame, None, None]:
    """Yield the columns that matter, a batch of rows at a time."""
    import pandas as pd

    wanted = [options[k] for k in ("by", "period", "fps", "length") if isinstance(options[k], str)]
    chosen: list[str] | None = None
    if options["rounds"] is not None:
        chosen = list(dict.fromkeys([*options["rounds"], *wanted]))

    def check(columns: Sequence[str]) -> None:
        for role, column in options.items():
            for name in (column,) if isinstance(column, str) else column or ():
                check_column(role, name, columns)

    options = {k: v for k, v in options.items() if isinstance(v, str) or k == "rounds"}
    pieces: Any
    with _reading(path):
        if _is_parquet(path):
            parquet = _open_parquet(path)
            check(parquet.schema_arrow.names)
            pieces = _ahead(
                batch.to_pandas(split_blocks=True)
                for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=chosen)
            )
        else:
            check(_header(path)[1])
            text = _csv_options(path, [options["by"]] if "by" in options else [])
            pieces = pd.read_csv(path, chunksize=BATCH_ROWS, **text)
    with closing(pieces):
        while True:
            with _reading(path):  # not around the yield: its filters are not for the caller
                frame = next(pieces, None)
            if frame is None:
                return
            if chosen is None:
                yield frame
            elif frame.columns.isin(chosen).sum() == len(chosen):
                yield frame[chosen]
            else:  # some of them are in the index that pandas stored
                yield frame.reset_index()[chosen]


def _ahead(pieces: Iterator[pd.DataFrame]) -> Generator[pd.DataFrame, None, None]:
    """Yield the pieces, the next one being read while the caller is busy with this one."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = pool.submit(next, pieces, None)
            yield piece


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what pandas and pyarrow raise, of many kinds, into the one line that a user needs."""
    import pandas as pd

    try:
        with warnings.catch_warnings():
            # Rows longer than the header would be cut, or shift the columns, with a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except AnnostatError:
        raise
    except pd.errors.ParserWarning:
        raise AnnostatError(
            f"{path.name} has rows with more cells than its header: name every column, and "
            "remove separators at the ends of lines"
        ) from None
    except Exception as error:
        raise AnnostatError(f"{path.name} cannot be read as a table: {_one_line(error)}") from None


def _open_parquet(path: Path) -> Any:
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise AnnostatError(
            "reading Parquet needs pyarrow: pip install 'annostat[parquet]'"
        ) from None
    try:
        return pq.ParquetFile(path, memory_map=True)
    except Exception as error:
        raise AnnostatError(f"{path.name} is not a Parquet file: {_one_line(error)}") from None


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"PAR1"


def _header(path: Path) -> tuple[str, list[str]]:
    """Return the separator of a text table and the names of its columns."""
    head = _first_line(path)
    separator = "\t" if "\t" in head and "," not in head else ","
    if ";" in head and "," not in head:
        separator = ";"
    columns = next(csv.reader([head], delimiter=separator, skipinitialspace=True), [])
    for i, name in enumerate(columns):
        if name in columns[:i]:
            raise AnnostatError(f"{path.name} names the column {name!r} twice")
    return separator, columns


def _csv_options(path: Path, keep_text: Sequence[str]) -> dict[str, Any]:
    separator, columns = _header(path)
    dtype = {c: "str" for c in columns if c in keep_text or c.lower() in ITEM_NAMES}
    return {
        "sep": separator, "dtype": dtype, "skipinitialspace": True, "encoding": "utf-8-sig",
        "index_col": False,
    }  # fmt: skip


def _first_line(path: Path) -> str:
    """Return the header line; refuse what is empty or no text."""
    from pandas.io.common import get_handle  # type: ignore[import-not-found]

    try:
        with get_handle(path, "rb", compression="infer", is_text=False) as handles:
            head = handles.handle.read(1 << 16)
    except Exception as error:
        raise AnnostatError(f"{path.name} cannot be read: {_one_line(error)}") from None
    assert isinstance(head, bytes)
    if not head.strip():
        raise AnnostatError(f"{path.name} is empty")
    if b"\0" in head:
        raise AnnostatError(f"{path.name} is a binary file, not a table of text or Parquet")
    try:
        lines = head.decode("utf-8-sig", errors="strict" if len(head) < 1 << 16 else "ignore")
    except UnicodeDecodeError:
        raise AnnostatError(f"{path.name} is not UTF-8 text") from None
    if not lines.strip():
        raise AnnostatError(f"{path.name} is empty")
    return lines.lstrip("\r\n").splitlines()[0]


def _check_readable(path: Path) -> None:
    if not path.exists():
        raise AnnostatError(f"there is no file {str(path)!r}")
    if path.is_dir():
        raise AnnostatError(f"{str(path)!r} is a folder, not a table")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise AnnostatError(f"{str(path)!r} cannot be opened: {error.strerror}") from None


def _numbers_of(name: str, given: Any, n: int, *, whole: bool) -> NDArray[Any]:
    """Return one number per item from an array-like, or from one number for all."""
    try:
        column = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise AnnostatError(f"{name} must hold numbers, got {given!r}") from None
    if column.ndim and column.shape != (n,):
        raise AnnostatError(f"{name} has shape {column.shape} for {n} items")
    if whole and not (np.isfinite(column) & (column == np.round(column))).all():
        raise AnnostatError(f"{name} must hold whole numbers, got {shown(column.ravel(), 3)}")
    return np.broadcast_to(column, (n,)).astype(np.int64 if whole else np.float64)


def _as_text(column: pd.Series[Any]) -> NDArray[Any]:
    missing = column.isna().to_numpy()
    if missing.any():
        raise AnnostatError(
            f"column {column.name!r} has no item identifier in {int(missing.sum())} rows; "
            f"first: row {int(np.flatnonzero(missing)[0]) + 1}"
        )
    return np.array([str(v) for v in column], dtype=object)


def _labels(column: pd.Series[Any], name: str, items: NDArray[Any]) -> NDArray[Any]:
    missing = np.flatnonzero(column.isna().to_numpy())
    if missing.size:
        raise AnnostatError(
            f"column {name!r} is empty in {missing.size} rows; first: {items[missing[0]]!r}"
        )
    return np.array([str(v) for v in column], dtype=object)


class _RowNames:
    """Names of the rows of a batch, made only when a message needs one."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self.numbers = numbers

    def __getitem__(self, i: int) -> str:
        return f"row {self.numbers[i] + 1}"


def _as_numbers(
    column: pd.Series[Any], name: str, items: NDArray[Any] | _RowNames
) -> NDArray[np.float64]:
    """Return a column as float64; text that is no number is shown and refused."""
    import pandas as pd

    if column.dtype.kind in "mMc":
        raise AnnostatError(f"column {name!r} must hold numbers, but holds {column.dtype}")
    if column.dtype.kind in "iuf":
        return column.to_numpy(np.float64, na_value=np.nan)
    numbers = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero((numbers.isna() & column.notna()).to_numpy())
    if bad.size:
        places = "; ".join(f"{items[i]}: {str(column.iloc[i])!r}" for i in bad[:3])
        raise AnnostatError(f"column {name!r} holds text in {bad.size} rows; first: {places}")
    return np.asarray(numbers.to_numpy(np.float64, na_value=np.nan))


def _refuse_duplicates(items: NDArray[Any]) -> None:
    seen, counts = np.unique(items.astype(str), return_counts=True)
    if (counts > 1).any():
        twice = seen[counts > 1]
        raise AnnostatError(
            f"{len(twice)} items stand in more than one row; first: {shown(twice, 3)} "
            "(a long table? then name its rater and value columns)"
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
