"""Which column of a table is what.

Two layouts are read. Wide: one row per item, one column per round. Long: one row per annotation,
with a column for the item, one for the rater or round, and one for the value. What a table does
not say by itself is asked for, and never guessed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, IntArray
from annostat.errors import (
    AnnostatError,
    AnnostatWarning,
    check_column,
    check_number,
    option,
    shown,
)
from annostat.labels.columns import (
    MISSING_MARKERS,
    alike,
    as_labels,
    as_names,
    as_numbers,
    as_table,
    refuse_duplicates,
    tidied,
    tidy,
)
from annostat.labels.looks import (
    LONG_RATER_NAMES,
    LONG_VALUE_NAMES,
    are_series,
    is_item_name,
    is_model_name,
    item_rank,
    look_of,
    may_be_category,
    may_be_round,
    no_numbers,
    plain_name,
)
from annostat.labels.read import Read
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd

# What many programs write where nothing was measured; all of them may be measurements too.
SENTINELS = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0)
MOST_WORDS = 20  # different words of columns that are taken for categories
MOST_LISTED = 14  # columns that an error lists


@dataclass(frozen=True)
class Roles:
    """What a caller says about the columns of a table; parameters of `annostat.read_rounds`."""

    item: str | Sequence[str] | None = None
    rounds: Sequence[str] | None = None
    rater: str | None = None
    value: str | None = None
    models: Sequence[str] = ()
    by: str | None = None
    cluster: str | None = None
    period: str | float | None = None
    fps: str | float | None = None
    length: str | float | None = None
    missing: Sequence[str] = ()
    tidy_names: bool = False

    def __post_init__(self) -> None:
        if self.period is not None and self.fps is not None:
            raise AnnostatError("give either period or fps, not both")
        object.__setattr__(self, "models", _names_of("models", self.models))
        if self.rounds is not None:
            object.__setattr__(self, "rounds", _names_of("rounds", self.rounds))
        if (self.rater is None) != (self.value is None):
            raise AnnostatError("a long table needs both rater and value")
        named = [*self.items, self.rater, self.value, *(self.rounds or ()), *self.models]
        roles = [str(c) for c in named if c is not None]
        if len(set(roles)) != len(roles):
            twice = sorted({c for c in roles if roles.count(c) > 1})
            raise AnnostatError(
                "item, rater, value, rounds and models must be different columns, got "
                f"{shown(twice)} twice"
            )

    @property
    def items(self) -> tuple[str, ...]:
        """Columns that tell items apart, as they were named."""
        if self.item is None:
            return ()
        return (self.item,) if isinstance(self.item, str) else tuple(map(str, self.item))

    @property
    def named(self) -> dict[str, str]:
        """Columns that were named, with the role that each was named for."""
        single = {
            "rater": self.rater,
            "value": self.value,
            "by": self.by,
            "cluster": self.cluster,
            "period": self.period,
            "fps": self.fps,
            "length": self.length,
        }
        found = {str(c): role for role, c in single.items() if isinstance(c, str)}
        return {**{str(c): "item" for c in self.items}, **found}

    def check(self, columns: Sequence[str], *, long: bool) -> None:
        """Refuse what is not there, and a table that names a column twice.

        In a long table rounds and models are raters, and no columns.
        """
        if len(set(columns)) != len(columns):
            seen: set[str] = set()
            twice = sorted({c for c in columns if c in seen or seen.add(c)})  # type: ignore[func-returns-value]
            raise AnnostatError(f"the table names a column twice: {shown(twice)}")
        known = dict.fromkeys(columns)  # in order, and a look-up that does not grow with them
        for column, role in self.named.items():
            check_column(role, column, known)
        if not long:
            for role, names in (("rounds", self.rounds or ()), ("models", self.models)):
                for name in names:
                    check_column(role, str(name), known)


@dataclass
class Layout:
    """Which column of a table is what, after a look at it."""

    roles: Roles
    item: tuple[str, ...]
    rounds: list[str]
    rater: str | None
    value: str | None
    unused: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    @classmethod
    def resolve(cls, frame: pd.DataFrame, roles: Roles, *, categories: bool = False) -> Layout:
        """Find out which column is what; see `annostat.tables.read_rounds`.

        With `categories` labels may be text.
        """
        columns = [str(c) for c in frame.columns]
        rater, value = roles.rater, roles.value
        notes: list[str] = []
        named = {*(roles.rounds or ()), *roles.models}
        if rater is None and (roles.rounds is None or not named & set(columns)):
            rater, value = _long_of(columns, roles)
            if rater is not None:
                notes.append(f"Long table: rater from {rater!r}, value from {value!r}.")
        roles.check(columns, long=rater is not None)
        taken = {*roles.named, *roles.models, *(roles.rounds or ())}
        taken |= {c for c in (rater, value) if c is not None}
        item = roles.items or _items_of(frame, columns, taken)
        if rater is not None:
            if not item:
                raise AnnostatError(
                    f"a long table needs the name of its item column: {option('item')}"
                )
            unused = tuple(c for c in columns if c not in taken and c not in item)
            return cls(roles, item, [], rater, value, unused, notes)
        rounds = None if roles.rounds is None else list(roles.rounds)
        if rounds is None:
            free = [c for c in columns if c not in taken and c not in item]
            rounds = _rounds_of(frame, free, may_be_category if categories else may_be_round)
        if len(rounds) < 2:
            others = [c for c in columns if c not in taken and c not in (*item, *rounds)]
            raise AnnostatError(
                f"at least two rounds of annotation are needed, got {len(rounds)} "
                f"({shown(rounds) or 'none'}; columns: {shown(columns, 12)})"
                f"{no_numbers(frame, others)}"
            )
        rounds = [*rounds, *roles.models]
        unused = tuple(c for c in columns if c not in taken and c not in (*item, *rounds))
        return cls(roles, item, rounds, None, None, unused, notes)

    def read(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[Any]]:
        """Return the wide form of the table, and the names of its items."""
        labels = self._named_items(frame)
        if self.rater is None or self.value is None:
            refuse_duplicates(labels)
            return frame.reset_index(drop=True), labels
        return self._widened(frame, labels)

    def _named_items(self, frame: pd.DataFrame) -> NDArray[Any]:
        if not self.item:
            return np.array([f"row {i + 1}" for i in range(len(frame))], dtype=object)
        labels = self._tidied("items", as_names(frame, self.item))
        by = self.roles.by
        wide = self.rater is None
        if wide and by is not None and by not in self.item and len(set(labels)) < len(labels):
            both = as_names(frame, (*self.item, by))
            if len(set(both)) == len(both):
                self.notes.append(f"Items are told apart by {', '.join(self.item)} and {by}.")
                self.item = (*self.item, by)
                return both
        return labels

    def _tidied(self, what: str, names: NDArray[Any]) -> NDArray[Any]:
        """Return names of which those that are alike are one, or a word on them."""
        groups = alike([str(n) for n in names])
        if not groups:
            return names
        pairs = "; ".join(" and ".join(repr(n) for n in group) for group in groups[:3])
        if self.roles.tidy_names:
            self.notes.append(f"Taken as one: {what} {pairs}.")
            return tidied(names)
        warnings.warn(
            f"names of {what} differ only by case, spaces, '.0' or Unicode form: {pairs}"
            f"{'' if len(groups) <= 3 else f' ({len(groups)} in all)'}; if they are the same, say "
            f"{option('tidy-names', True)}",
            AnnostatWarning,
            stacklevel=6,
        )
        return names

    def _widened(
        self, frame: pd.DataFrame, labels: NDArray[Any]
    ) -> tuple[pd.DataFrame, NDArray[Any]]:
        import pandas as pd

        roles, rater, value = self.roles, str(self.rater), str(self.value)
        raters = self._tidied("raters", as_labels(frame[rater], rater, labels))
        wanted = [*(roles.rounds or ()), *roles.models]
        known = sorted(set(raters))
        for name in wanted:
            check_column("rounds" if name not in roles.models else "models", name, known)
        if roles.rounds is not None:
            others = [r for r in known if r not in wanted]
            if others:
                self.notes.append(f"Raters not used: {shown(others, 8)}.")
            keep = np.isin(raters.astype(str), wanted)
            frame, labels, raters = frame[keep], labels[keep], raters[keep]
        numbers = as_numbers(frame[value], value, labels, roles.missing)
        long = pd.DataFrame({"item": labels, "rater": raters, "value": numbers})
        twice = long.duplicated(["item", "rater"], keep=False)
        if twice.any():
            first = long.loc[twice, ["item", "rater"]].drop_duplicates().head(3)
            pairs = "; ".join(f"item {i!r}, {rater} {r!r}" for i, r in first.to_numpy())
            raise AnnostatError(
                f"{counted(int(twice.sum()), 'row annotates', 'rows annotate')} the same item "
                f"twice by the same rater; first: {pairs}"
            )
        wide = long.pivot(index="item", columns="rater", values="value")
        wide = wide.reindex(list(dict.fromkeys(labels)))
        if wanted and roles.rounds is not None:
            self.rounds = wanted
        else:
            models = roles.models
            rounds = [r for r in map(str, sorted(set(raters))) if r not in models]
            suspects = [r for r in rounds if is_model_name(r)]
            others = [r for r in rounds if r not in suspects]
            if suspects:
                raise AnnostatError(
                    f"is {shown(suspects)} a model? Say so ({option('model', suspects[0])}) or "
                    f"name the raters ({option('rounds', *others[:3])})"
                )
            self.rounds = [*rounds, *models]
        wide = wide[self.rounds]
        wide.columns.name = None
        extras = [
            c
            for c in (roles.by, roles.cluster, roles.period, roles.fps, roles.length)
            if isinstance(c, str)
        ]
        for column in dict.fromkeys(extras):
            if column in self.rounds:
                raise AnnostatError(f"a rater has the name of the column {column!r}")
            per_item = frame[column].groupby(labels, sort=False)
            differing = per_item.nunique(dropna=False) > 1
            if differing.any():
                raise AnnostatError(
                    f"column {column!r} changes within an item; first: "
                    f"{shown(differing[differing].index, 3)}"
                )
            wide[column] = per_item.first()
        items = np.array(wide.index, dtype=object)
        return wide.reset_index(drop=True), items

    def numbers(self, wide: pd.DataFrame, items: NDArray[Any]) -> FloatArray:
        """Return rounds and models as float64 of shape (n_items, n_rounds)."""
        missing = self.roles.missing
        values = as_table(wide, self.rounds, items, missing)
        self.notes += _sentinels(values, self.rounds)
        return values

    def codes(self, wide: pd.DataFrame, items: NDArray[Any]) -> FloatArray:
        """Return rounds and models whose labels are codes already."""
        return as_table(wide, self.rounds, items)

    def periods(self, frame: pd.DataFrame, items: NDArray[Any]) -> FloatArray | None:
        """Return the period of each item; a number means the same one for all."""
        source = self.roles.period if self.roles.period is not None else self.roles.fps
        if source is None:
            return None
        name = "period" if self.roles.period is not None else "fps"
        if isinstance(source, str):
            column = as_numbers(frame[source], source, items)
        else:
            column = np.full(len(frame), check_number(name, source))
        if not (np.isfinite(column) & (column > 0)).all():
            bad = np.flatnonzero(~(np.isfinite(column) & (column > 0)))
            raise AnnostatError(
                f"{name} must be positive, but is not in {counted(len(bad), 'row')}; first: item "
                f"{items[bad[0]]!r}: {column[bad[0]]:g}"
            )
        return column if name == "period" else 1000.0 / column

    def lengths(self, frame: pd.DataFrame, items: NDArray[Any]) -> IntArray | None:
        """Return the number of frames of each item."""
        length = self.roles.length
        if length is None:
            return None
        if isinstance(length, str):
            column = as_numbers(frame[length], length, items)
        else:
            column = np.full(len(frame), check_number("length", length))
        bad = np.flatnonzero(~(np.isfinite(column) & (column >= 1) & (column == np.round(column))))
        if bad.size:
            raise AnnostatError(
                f"length must be a whole number of frames, but is not in "
                f"{counted(len(bad), 'row')}; first: item {items[bad[0]]!r}: {column[bad[0]]:g}"
            )
        return column.astype(np.int64)

    def record(self, source: str, n_rows: int, clusters: NDArray[Any] | None) -> Read:
        """Return what was read."""
        models = self.roles.models
        return Read(
            source,
            n_rows,
            self.item,
            tuple(r for r in self.rounds if r not in models),
            tuple(models),
            self.roles.cluster or "",
            0 if clusters is None else len(set(clusters)),
            self.roles.by or "",
            self.unused,
            notes=tuple(self.notes),
        )


def _sentinels(values: FloatArray, names: Sequence[str]) -> list[str]:
    """Return a note on numbers that may stand for no number."""
    notes = []
    for code in SENTINELS:
        held = values == code
        if not held.any():
            continue
        rest = values[~held & np.isfinite(values)]
        if rest.size < 2:
            continue
        low, high = float(rest.min()), float(rest.max())
        if (code < 0 <= low) or max(low - code, code - high) > high - low:
            where = [name for name, column in zip(names, held.T, strict=True) if column.any()]
            cure = option("missing", f"{code:g}")
            notes.append(
                f"{code:g} stands {counted(int(held.sum()), 'time')} in {shown(where)}, unlike "
                f"all else: if it means that nothing was measured, say {cure}."
            )
    return notes


def _names_of(what: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return names of columns without spaces around them; a single text is no list."""
    if isinstance(names, str):
        raise AnnostatError(f"{what} must be a list of columns, got {names!r}")
    return tuple(str(name).strip() for name in names)


def _long_of(columns: Sequence[str], roles: Roles) -> tuple[str | None, str | None]:
    """Return the columns of rater and value of a table that is long by their names."""
    by_name = {plain_name(c): c for c in columns if c not in roles.named}
    raters = [by_name[n] for n in LONG_RATER_NAMES if n in by_name]
    values = [by_name[n] for n in LONG_VALUE_NAMES if n in by_name]
    return (raters[0], values[0]) if len(raters) == 1 and len(values) == 1 else (None, None)


def _items_of(frame: pd.DataFrame, columns: Sequence[str], taken: set[str]) -> tuple[str, ...]:
    """Return the column that tells items apart, if one does by its name or is the only text."""
    free = [c for c in columns if c not in taken]
    known = sorted((c for c in free if is_item_name(c)), key=item_rank)
    if known:
        unique = [c for c in known if frame[c].is_unique]
        return ((unique or known)[0],)
    text = [c for c in free if frame[c].dtype.kind not in "iufb"]
    names = [c for c in text if look_of(frame[c]) in ("identifier", "text")]
    return (names[0],) if len(names) == 1 else ()


def _rounds_of(
    frame: pd.DataFrame, free: Sequence[str], fits: Callable[[str, str], bool]
) -> list[str]:
    """Return the columns of the rounds, if the table leaves no other reading.

    `fits` says whether a column of some name and look may be a round.
    """
    if len(free) > 1000:
        raise AnnostatError(
            f"the table has {len(free):,} columns that may be rounds: name them "
            f"({option('rounds', 'A', 'B')})"
        )
    looks = {c: look_of(frame[c]) for c in free}
    may = [c for c in free if fits(c, looks[c]) and not is_model_name(c)]
    words = fits is may_be_category and all(looks[c] == "text" for c in may)
    if words and len(may) > 2 and _same_words(frame, may):
        return may
    if len(may) == 2 or (len(may) > 2 and are_series(may)):
        broken = [c for c in free if c not in may and looks[c] == "text" and _numbers_in(frame[c])]
        if not broken:
            return may
    odd = ""
    if len(may) < 2:
        may = [c for c in free if looks[c] not in ("empty", "dates")] if len(free) == 2 else may
        if len(may) < 2:
            return may
        odd = no_numbers(frame, may)
    listed = ", ".join(f"{c} ({looks[c]})" for c in free[:MOST_LISTED])
    more = "" if len(free) <= MOST_LISTED else f", {len(free) - MOST_LISTED} more"
    raise AnnostatError(
        "which columns are rounds of annotation? The table does not say; name them, for example "
        f"{option('rounds', *may[:2])}. Columns: {listed}{more}{odd}"
    )


def _same_words(frame: pd.DataFrame, columns: Sequence[str]) -> bool:
    """Return whether columns hold the same few words; spaces and case do not count.

    A rare word may be missing in some: one word is in all columns, and half of the words of each
    are in another one too.
    """
    each = [{tidy(str(w)) for w in frame[c].dropna().unique()} - {""} for c in columns]
    if len(set.union(*each)) > MOST_WORDS or not set.intersection(*each):
        return False
    others = [set.union(*(w for w in each if w is not words)) for words in each]
    return all(
        2 * len(words & rest) >= len(words) for words, rest in zip(each, others, strict=True)
    )


def _numbers_in(column: pd.Series[Any]) -> bool:
    """Return whether a column of text holds some numbers: a round with a slip in it."""
    import pandas as pd

    text = column.dropna().astype(str).str.strip()
    text = text[~text.isin(MISSING_MARKERS)]
    return bool(pd.to_numeric(text, errors="coerce").notna().any())
