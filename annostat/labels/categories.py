"""Categories: labels that are names or grades, by several raters, of the same items."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, IntArray, digest
from annostat.errors import (
    AnnostatError,
    AnnostatWarning,
    check_choice,
    option,
    positions_of,
    shown,
)
from annostat.labels.columns import (
    NO_LABEL,
    alike,
    as_labels,
    canonical_order,
    refuse_repeated,
    tidied,
)
from annostat.labels.frames import as_frame, named_index
from annostat.labels.layout import Layout, Roles
from annostat.labels.read import Read
from annostat.labels.vocabulary import LabelSet
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd

MISSING = -1  # code of a label that is not there
MOST_CLASSES = 1000  # more different labels than this are no categories


@dataclass(frozen=True, eq=False)
class Categories(LabelSet):
    """Items × raters of categories, or of grades whose order means something.

    Attributes
    ----------
    codes : int16 array of shape (n_items, n_raters)
        Position of each label in `classes`; -1 where there is none.
    classes : tuple of str
        Names of the categories, in their order.
    names : tuple of str
        Names of the raters, or rounds.
    ordinal : bool
        Whether the order of the classes means something.
    items, cluster, stratum : object array of shape (n_items,) or None
    exchangeable : bool
        True if the order of the raters means nothing.
    notes : tuple of str
    read : Read or None
        What was read from a table.

    Examples
    --------
    >>> labels = Categories.from_array([["cat", "cat"], ["dog", "cat"], ["dog", None]])
    >>> labels.classes, labels.counts.tolist()
    (('cat', 'dog'), [[2, 0], [1, 1], [0, 1]])
    """

    codes: NDArray[np.int16]
    classes: tuple[str, ...]
    names: tuple[str, ...]
    ordinal: bool = False
    items: NDArray[Any] | None = None
    cluster: NDArray[Any] | None = None
    stratum: NDArray[Any] | None = None
    exchangeable: bool = False
    notes: tuple[str, ...] = field(default=())
    read: Read | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        codes = np.ascontiguousarray(self.codes, dtype=np.int16)
        object.__setattr__(self, "codes", codes)
        if codes.ndim != 2 or not len(codes):
            raise AnnostatError(f"codes must be items × raters, got shape {codes.shape}")
        n, k = codes.shape
        if len(self.names) != k or len(set(self.names)) != k:
            raise AnnostatError(f"{k} raters need {k} different names, got {shown(self.names)}")
        if len(set(self.classes)) != len(self.classes) or not self.classes:
            raise AnnostatError(f"classes must have different names, got {shown(self.classes)}")
        if codes.min() < MISSING or codes.max() >= len(self.classes):
            raise AnnostatError(
                f"codes must lie between -1 and {len(self.classes) - 1}, got "
                f"{codes.min()} to {codes.max()}"
            )
        self._check_about(n)

    @classmethod
    def from_array(
        cls,
        labels: Any,
        *,
        names: Sequence[str] | None = None,
        order: Sequence[object] | None = None,
        **columns: Any,
    ) -> Categories:
        """Make categories from an array of labels of shape (n_items, n_raters).

        Parameters
        ----------
        labels : array-like
            Text or numbers; None, NaN and empty text are missing.
        names : sequence of str, optional
            Names of the raters; `rater_1`, ... by default.
        order : sequence, optional
            All classes, from the lowest grade to the highest: the labels are ordinal.
        **columns
            items, cluster, stratum, exchangeable, notes.
        """
        table = np.asarray(labels, dtype=object)
        if table.ndim != 2:
            raise AnnostatError(f"labels must be items × raters, got shape {table.shape}")
        chosen = names or [f"rater_{j + 1}" for j in range(table.shape[1])]
        texts, there = as_texts(table)
        classes, codes = _coded(texts, there, order, tidy_names=False)
        for name in ("items", "cluster", "stratum"):
            if columns.get(name) is not None:
                columns[name] = np.array([str(v) for v in columns[name]], dtype=object)
        if columns.get("items") is not None:
            refuse_repeated(columns["items"])
        return cls(codes, classes, tuple(chosen), order is not None, **columns)

    @classmethod
    def from_counts(
        cls, counts: Any, *, classes: Sequence[object] | None = None, **columns: Any
    ) -> Categories:
        """Make categories from counts of labels, as of a crowd whose members have no names.

        Parameters
        ----------
        counts : array-like of shape (n_items, n_classes)
            How many labels of each class an item has.
        classes : sequence, optional
            Names of the classes; 0, 1, ... by default.
        **columns
            ordinal, items, cluster, stratum, notes, read.

        Raises
        ------
        AnnostatError
            If the counts are no whole numbers, or negative.
        """
        given = np.asarray(counts, dtype=np.float64)
        if given.ndim != 2 or not given.size:
            raise AnnostatError(f"counts must be items × classes, got shape {given.shape}")
        whole = np.rint(np.nan_to_num(given))
        if (np.isfinite(given) & (given != whole)).any() or (whole < 0).any():
            raise AnnostatError("counts must be whole numbers that are not negative")
        n = whole.astype(np.int64)
        most = int(n.sum(axis=1).max(initial=1))
        ends = np.cumsum(n, axis=1)
        place = np.arange(most)
        codes = (place[None, :, None] >= ends[:, None, :]).sum(axis=2)
        codes[place[None, :] >= ends[:, -1:]] = MISSING
        names = tuple(f"label_{j + 1}" for j in range(most))
        kinds = tuple(str(c) for c in (classes if classes is not None else range(n.shape[1])))
        return cls(codes, kinds, names, exchangeable=True, **columns)

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
        missing: Sequence[str] = (),
        tidy_names: bool = False,
        order: Sequence[object] | None = None,
        ordinal: bool = False,
        exchangeable: bool = False,
    ) -> Categories:
        """Make categories from a table; parameters as in `annostat.read_categories`."""
        roles = Roles(
            item=item,
            rounds=rounds,
            rater=rater,
            value=value,
            models=models,
            by=by,
            cluster=cluster,
            missing=missing,
            tidy_names=tidy_names,
        )
        return cls.from_roles(frame, roles, order=order, ordinal=ordinal, exchangeable=exchangeable)

    @classmethod
    def from_roles(
        cls,
        frame: Any,
        roles: Roles,
        *,
        order: Sequence[object] | None = None,
        ordinal: bool = False,
        source: str = "a data frame",
        notes: Sequence[str] = (),
        exchangeable: bool = False,
    ) -> Categories:
        """Make categories from a table and what is said about its columns."""
        table = named_index(as_frame(frame), roles)
        if table.empty:
            raise AnnostatError("the table has no rows")
        layout = Layout.resolve(table, roles, categories=True)
        columns = [layout.value] if layout.value is not None else layout.rounds
        texts, there = as_texts(table[columns].to_numpy(dtype=object), roles.missing)
        classes, codes = _coded(texts, there, order, tidy_names=roles.tidy_names)
        coded = np.where(codes < 0, np.nan, codes.astype(np.float64))
        table = table.assign(**{str(c): coded[:, j] for j, c in enumerate(columns)})
        layout.roles = replace(roles, missing=())  # codes are no numbers of the table
        wide, items = layout.read(table)
        values = layout.codes(wide, items)
        clusters = roles.cluster
        patients = None if clusters is None else as_labels(wide[clusters], clusters, items)
        read = layout.record(source, len(items), patients)
        graded = ordinal or order is not None
        told = told_classes(classes, graded=graded)
        return cls(
            np.where(np.isnan(values), MISSING, values).astype(np.int16),
            classes,
            tuple(layout.rounds),
            graded,
            items=items,
            cluster=patients,
            stratum=None if roles.by is None else as_labels(wide[roles.by], roles.by, items),
            exchangeable=exchangeable,
            read=replace(read, notes=(*notes, *read.notes, told)),
        )

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where there is a label, bool of shape (n_items, n_raters)."""
        return self.codes >= 0

    @cached_property
    def units(self) -> IntArray:
        """Independent unit of each item: its cluster, in the order of their names, or itself."""
        if self.cluster is None:
            return np.arange(len(self.codes))
        _, unit = np.unique(self.cluster.astype(str), return_inverse=True)
        return np.asarray(unit, dtype=np.int64)

    @property
    def n_units(self) -> int:
        """Number of independent units."""
        return int(self.units.max()) + 1

    @cached_property
    def order(self) -> IntArray:
        """Positions of the items in the order of their names."""
        return np.arange(len(self.codes)) if self.items is None else canonical_order(self.items)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def n_items(self) -> int:
        """Number of items with at least two labels."""
        return int((self.readings >= 2).sum())

    @cached_property
    def counts(self) -> IntArray:
        """Labels of each class, int64 of shape (n_items, n_classes)."""
        return counts_of(self.codes, self.n_classes)

    def usable(self) -> Categories:
        """Return the items with two labels or more, in the order of their names."""
        if self.models:
            raise AnnostatError(f"{shown(self.models)} are models, not annotators")
        keep = self.readings >= 2
        if not keep.any():
            raise AnnostatError(
                "no item has two labels, so nothing can be said about their agreement"
            )
        order = self.order
        dropped = int((~keep).sum())
        if not dropped:
            return self if np.array_equal(order, np.arange(len(keep))) else self.take(order)
        read = self.read
        if read is not None:
            left = {**read.left_out, "with fewer than two labels": dropped}
            read = replace(read, left_out=left)
        return replace(self.take(order[keep[order]]), read=read)

    def rated(self) -> Categories:
        """Return the items with a label or more, in the order of their names."""
        return self.take(self.order[self.readings[self.order] >= 1])

    def binary(self, positive: Sequence[object] | object) -> Categories:
        """Return the labels as two classes, "other" and the named ones together.

        Parameters
        ----------
        positive : str or sequence of str
            Classes that count as positive.

        Raises
        ------
        AnnostatError
            If a name is none of the classes, or all of them are named.
        """
        several = isinstance(positive, (list, tuple, set, frozenset))
        wanted = [label_text(p) for p in (positive if several else [positive])]  # type: ignore[attr-defined]
        for name in wanted:
            check_choice("positive", name, self.classes)
        if set(wanted) >= set(self.classes):
            raise AnnostatError("positive names every class: there is nothing to tell apart")
        yes = np.isin(np.array(self.classes), wanted)
        codes = np.where(self.codes < 0, MISSING, yes[np.maximum(self.codes, 0)])
        return replace(self, codes=codes, classes=("other", " or ".join(wanted)), ordinal=False)

    def of_annotators(self) -> Categories:
        """Return the labels without models, and without classes that models alone use.

        Grades keep all of their scale.
        """
        alone = self.without_models()
        held = alone.counts.sum(axis=0) > 0
        if self.ordinal or held.all() or not held.any():
            return alone
        place = np.r_[np.cumsum(held) - 1, MISSING]
        kept = tuple(c for c, there in zip(alone.classes, held, strict=True) if there)
        return replace(alone, codes=place[alone.codes], classes=kept)

    def take(self, rows: NDArray[Any]) -> Categories:
        """Return the items that a mask or an index array selects."""
        return replace(
            self,
            codes=self.codes[rows],
            **self._about(rows),
        )

    def answers(self, name: str) -> NDArray[Any]:
        """Return the class that a rater or a model gives each item, as text; None without one."""
        text = np.array([*self.classes, None], dtype=object)
        return np.asarray(text[self.codes[:, self.names.index(name)]])

    def choose(self, names: Sequence[str]) -> Categories:
        """Return the labels of some raters, in the order given."""
        columns = positions_of("rater", names, self.names)
        return replace(self, codes=self.codes[:, columns], names=tuple(map(str, names)))

    def to_frame(self) -> pd.DataFrame:
        """Return a wide table: item, one column of names of classes for each rater."""
        import pandas as pd

        text = np.array([*self.classes, None], dtype=object)
        frame = pd.DataFrame(text[self.codes], columns=list(self.names))
        if self.items is not None:
            frame.insert(0, "item", self.items)
        for name in ("cluster", "stratum"):
            if getattr(self, name) is not None:
                frame[name] = getattr(self, name)
        return frame

    def digest(self) -> str:
        """Return a hash of everything that a result depends on: 16 hexadecimal digits."""
        about = f"{self.codes.shape}{self.classes}{self.ordinal}"
        return digest(about, self.codes, *self._about_text())

    def __repr__(self) -> str:
        return (
            f"<Categories: {len(self.codes)} items × {self.n_raters} raters "
            f"({shown(self.names)}), {self.n_classes} classes ({shown(self.classes)})>"
        )


def counts_of(codes: NDArray[np.int16], n_classes: int) -> IntArray:
    """Return how many labels of each class items have, int64 of shape (n_items, n_classes)."""
    n = len(codes)
    place = np.arange(n)[:, None] * (n_classes + 1) + codes + 1
    found = np.bincount(place.ravel(), minlength=n * (n_classes + 1))
    return np.asarray(found.reshape(n, n_classes + 1)[:, 1:])


def label_text(label: object) -> str:
    """Return a label as text: 1.0 and "1" are one grade."""
    if isinstance(label, (float, np.floating)) and float(label).is_integer():
        return str(int(label))
    return re.sub(r"^([-+]?\d+)\.0+$", r"\1", str(label).strip())


def as_texts(
    table: NDArray[Any], missing: Sequence[str] = ()
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return labels as text, and where there is one."""
    import pandas as pd

    flat = table.ravel()
    codes, different = pd.factorize(flat)  # text is made of what differs only
    absent = NO_LABEL | {*missing}
    names = np.array([label_text(v) for v in different] + [""], dtype=object)
    named = np.array([*(str(name) not in absent for name in names[:-1]), False])
    return names[codes].reshape(table.shape), named[codes].reshape(table.shape)


def _coded(
    texts: NDArray[Any],
    there: NDArray[np.bool_],
    order: Sequence[object] | None,
    *,
    tidy_names: bool,
) -> tuple[tuple[str, ...], NDArray[np.int16]]:
    """Return the classes in their order, and the code of each label; -1 where there is none."""
    import pandas as pd

    which, names = pd.factorize(texts[there])
    known, place = classes_of([str(name) for name in names], order, tidy_names=tidy_names)
    codes = np.full(texts.shape, MISSING, dtype=np.int16)
    codes[there] = place[which]
    return known, codes


def told_classes(classes: Sequence[str], *, graded: bool) -> str:
    """Return what classes were read, as a sentence."""
    n = (
        counted(len(classes), "grade")
        if graded
        else counted(len(classes), "category", "categories")
    )
    return f"{n}{', in this order' if graded else ''}: {shown(classes, 8)}."


def classes_of(
    different: list[str], order: Sequence[object] | None, *, tidy_names: bool
) -> tuple[tuple[str, ...], NDArray[np.int16]]:
    """Return the classes in their order, and the place of each of the labels that differ."""
    if not different:
        raise AnnostatError("there is no label: every cell is empty")
    if len(different) > MOST_CLASSES:
        raise AnnostatError(
            f"{len(different):,} different labels are no categories: {shown(different, 4)}"
        )
    joined = dict(zip(different, different, strict=True))
    groups = alike(different)
    if groups and tidy_names:
        one = tidied(np.array(different, dtype=object))
        joined = dict(zip(different, map(str, one), strict=True))
    elif groups:
        pairs = "; ".join(" and ".join(repr(n) for n in group) for group in groups[:3])
        warnings.warn(
            f"labels differ only by case, spaces or Unicode form: {pairs}; if they are the same, "
            f"say {option('tidy-names', True)}",
            AnnostatWarning,
            stacklevel=7,
        )
    # By the alphabet, whatever the case: "Yes" comes after "no".
    known = _ordered(sorted(set(joined.values()), key=lambda c: (c.casefold(), c)), order)
    place = np.array([known.index(joined[name]) for name in different], dtype=np.int16)
    return tuple(known), place


def _ordered(found: list[str], order: Sequence[object] | None) -> list[str]:
    """Return classes in the order given, else numbers by size and text by the alphabet."""
    if order is None:
        try:
            return sorted(found, key=float)
        except ValueError:
            return found
    given = [label_text(o) for o in order]
    if len(set(given)) != len(given):
        raise AnnostatError(f"order names a class twice: {shown(given, 12)}")
    left = [name for name in found if name not in given]
    if left:
        raise AnnostatError(
            f"order must name every class, and misses {shown(left)} (it has {shown(given, 12)})"
        )
    return given


def class_shares(labels: Categories) -> FloatArray:
    """Return the share of each class among all labels, float64 of shape (n_classes,)."""
    total = labels.counts.sum(axis=0)
    return np.asarray(total / total.sum())
