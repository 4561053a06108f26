"""Rounds: several annotations of the same items, for one measurand.

Items whose pattern of differences is the same may stand as one row with a multiplicity
(`Rounds.weights`), which is all that the noise of a pick needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import PICK_LIMIT, digest, order_of, sorted_within
from annostat.errors import AnnostatError, check_numbers, cut, positions_of, shown
from annostat.labels.columns import as_labels, canonical_order, refuse_repeated
from annostat.labels.frames import rounds_table
from annostat.labels.layout import Roles
from annostat.labels.read import Read
from annostat.labels.vocabulary import LabelSet, rows_of
from annostat.once import once
from annostat.resampling.clusters import cluster_codes
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Rounds(LabelSet):
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
    read : Read or None
        What was read from a table: columns, what was not used, what was left out.

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
    read: Read | None = field(default=None, repr=False)

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
        self._check_about(n, "period", "length", "weights")
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
                given = columns[key]
                whole = isinstance(given, np.ndarray) and given.dtype.kind in "iu"
                given = given.tolist() if whole else list(given)
                empty = [] if whole else [i + 1 for i, v in enumerate(given) if v is None or v != v]
                if empty:
                    raise AnnostatError(
                        f"{key} is empty in {counted(len(empty), 'row')}; first: {empty[0]}"
                    )
                columns[key] = np.asarray([str(v) for v in given], dtype=object)
        if columns.get("items") is not None:
            refuse_repeated(columns["items"])
        return cls(array, tuple(str(name) for name in labels), **columns)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        item: str | Sequence[str] | None = None,
        rounds: Sequence[str] | None = None,
        rater: str | None = None,
        value: str | None = None,
        models: Sequence[str] = (),
        by: str | None = None,
        cluster: str | None = None,
        period: str | float | None = None,
        fps: str | float | None = None,
        length: str | float | None = None,
        missing: Sequence[str] = (),
        tidy_names: bool = False,
        unit: str = "",
        period_unit: str = "",
        exchangeable: bool = False,
    ) -> Rounds:
        """Make rounds from a table; parameters as in `annostat.read_rounds`."""
        roles = Roles(
            item=item,
            rounds=rounds,
            rater=rater,
            value=value,
            models=models,
            by=by,
            cluster=cluster,
            period=period,
            fps=fps,
            length=length,
            missing=missing,
            tidy_names=tidy_names,
        )
        return cls.from_roles(
            frame,
            roles,
            unit=unit,
            period_unit=period_unit,
            exchangeable=exchangeable,
        )

    @classmethod
    def from_roles(
        cls,
        frame: Any,
        roles: Roles,
        *,
        source: str = "a data frame",
        notes: Sequence[str] = (),
        unit: str = "",
        period_unit: str = "",
        exchangeable: bool = False,
    ) -> Rounds:
        """Make rounds from a table and what is said about its columns."""
        frame, layout = rounds_table(frame, roles)
        if frame.empty:
            raise AnnostatError("the table has no rows")
        wide, items = layout.read(frame)
        clusters = roles.cluster
        if not period_unit and roles.fps is not None:
            period_unit = "ms"
        patients = None if clusters is None else as_labels(wide[clusters], clusters, items)
        values = layout.numbers(wide, items)
        read = layout.record(source, len(items), patients)
        return cls(
            values,
            tuple(layout.rounds),
            items=items,
            cluster=patients,
            stratum=None if roles.by is None else as_labels(wide[roles.by], roles.by, items),
            period=layout.periods(wide, items),
            length=layout.lengths(wide, items),
            unit=unit,
            period_unit=period_unit,
            exchangeable=exchangeable,
            read=replace(read, notes=(*notes, *read.notes)),
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
    def present(self) -> NDArray[np.bool_]:
        """Where there is an annotation, bool of shape (n_items, n_rounds)."""
        return np.isfinite(self.values)

    @property
    def row_weights(self) -> NDArray[np.int64]:
        """Multiplicity of each row, int64 of shape (n_items,)."""
        return np.ones(len(self.values), dtype=np.int64) if self.weights is None else self.weights

    def differences(self, first: int = 0, second: int = 1) -> NDArray[np.float64]:
        """Return second − first round of the items that have both, one entry per row."""
        d = self.values[:, second] - self.values[:, first]
        return np.asarray(d[np.isfinite(d)])

    @cached_property
    def usable_rows(self) -> NDArray[np.int64]:
        """Positions of the items with two or more annotations, in the order of their names."""
        keep = self.readings >= 2
        if self.items is None:
            return np.flatnonzero(keep)
        order = canonical_order(self.items)
        return np.asarray(order[keep[order]])

    def usable(self) -> Rounds:
        """Return the items with two or more annotations; the others carry no information.

        They stand in the order of their names, so that no result depends on that of the rows.
        """
        if self.models:
            rounds = list(self.without_models().names)
            raise AnnostatError(
                f"{shown(sorted(self.models))} are models, not annotators: take "
                f"rounds.choose({rounds})"
            )
        rows = self.usable_rows
        if np.array_equal(rows, np.arange(len(self.values))):
            return self
        if not rows.size:
            raise AnnostatError(
                "no item has two annotations, so nothing can be said about their noise"
            )
        found = self.take(rows)
        if rows.size < len(self.values):
            dropped = int(self.row_weights[self.readings < 2].sum())
            why = "with fewer than two annotations"
            note = counted(dropped, f"item {why} was left out", f"items {why} were left out")
            found = replace(found, notes=(*self.notes, note), read=self._without(dropped))
        # Their order is known; to work it out again is most of what follows would take.
        vars(found)["usable_rows"] = np.arange(rows.size)
        return found

    def _without(self, dropped: int) -> Read | None:
        """Return the record of what was read, with items that were left out."""
        if self.read is None:
            return None
        left = {**self.read.left_out, "with fewer than two annotations": dropped}
        return replace(self.read, left_out=left)

    def take(self, rows: NDArray[Any]) -> Rounds:
        """Return the rows that a mask or an index array selects."""
        return replace(
            self,
            values=self.values[rows],
            period=rows_of(self.period, rows),
            length=rows_of(self.length, rows),
            weights=rows_of(self.weights, rows),
            **self._about(rows),
        )

    def by_value(self) -> Rounds:
        """Return the rows in the order of their values, so that no digit depends on theirs.

        They have no names, which would put them back into the order of these.
        """

        def make() -> Rounds:
            columns = np.ascontiguousarray(self.values.T)
            order = order_of(*columns, *sorted_within(columns))
            if self.items is None and np.array_equal(order, np.arange(order.size)):
                return self
            # Whole numbers are quicker to put in an order than names of clusters.
            return replace(self, items=None, cluster=cluster_codes(self.cluster)).take(order)

        return once("by value", (self,), make)

    def without_identity(self) -> Rounds:
        """Return the same labels, the order of whose rounds means nothing."""
        found = replace(self, exchangeable=True)
        vars(found)["usable_rows"] = self.usable_rows  # to work it out again takes long
        return found

    def choose(self, names: Sequence[str]) -> Rounds:
        """Return some of the rounds, in the order given."""
        columns = positions_of("round", names, self.names)
        return replace(self, values=self.values[:, columns], names=tuple(map(str, names)))

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
        numbers = self.period, self.length, self.weights

        def make() -> str:
            # One bit pattern for all zeros and one for all missing cells.
            values = np.where(np.isnan(self.values), np.nan, self.values + 0.0)
            return digest(repr(values.shape), values, *numbers, *self._about_text())

        return once("digest", (self.values, *numbers, self.cluster, self.stratum), make)

    def __repr__(self) -> str:
        missing = int(np.isnan(self.values).sum())
        extra = [
            n for n in ("cluster", "stratum", "period", "length") if getattr(self, n) is not None
        ]
        n = f"{len(self.values):,}"
        if self.weights is not None:
            n = f"{n} patterns of {int(self.weights.sum()):,}"
        parts = [f"{n} items × {self.n_rounds} rounds ({shown(self.names)})"]
        parts += [f"{missing} missing"] * bool(missing) + [f"with {', '.join(extra)}"] * bool(extra)
        return f"<Rounds: {', '.join(parts)}>"

    def _refuse(self, bad: NDArray[np.bool_], what: str, column: Any = None) -> None:
        rows = np.flatnonzero(bad.any(axis=1) if bad.ndim == 2 else bad)
        places = []
        for i in rows[:3]:
            label = f"row {i + 1}" if self.items is None else f"item {cut(self.items[i])!r}"
            if bad.ndim == 2:
                j = int(np.flatnonzero(bad[i])[0])
                places.append(f"{label}, {self.names[j]} = {self.values[i, j]:g}")
            else:
                places.append(f"{label}: {column[i]:g}" if column is not None else label)
        raise AnnostatError(
            f"{counted(len(rows), 'row holds', 'rows hold')} {what}; first: {'; '.join(places)}"
        )


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
