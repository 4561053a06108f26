"""What all kinds of labels have in common: one word for one thing, whatever was labelled.

A container of labels holds what several raters gave for the same items. It is a frozen dataclass
derived from `LabelSet`; what differs between kinds is what a label is, and its `take`, `choose`
and `digest`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import IntArray, row_sums
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from annostat.labels.read import Read


ABOUT = ("items", "cluster", "stratum")  # columns about the items, whatever was labelled


def rows_of(column: NDArray[Any] | None, rows: NDArray[Any]) -> NDArray[Any] | None:
    """Return the rows of a column that a mask or an index array selects, if there is one."""
    return None if column is None else column[rows]


def joined(column: NDArray[Any] | None) -> NDArray[Any] | str | None:
    """Return a column as one text, for a digest; whole numbers as they are."""
    if column is not None and column.dtype.kind in "iu":
        return column
    return None if column is None else "\x1f".join(map(str, column))


class LabelSet:
    """Labels of the same items by several raters (or in several rounds).

    Attributes
    ----------
    names : tuple of str
        Raters or rounds.
    items : object array of shape (n_items,) or None
        Identifiers as text; None where rows are counts of items.
    cluster : object array of shape (n_items,) or None
        Patient of each item: clusters are resampled whole.
    stratum : object array of shape (n_items,) or None
        Label by which results are split.
    exchangeable : bool
        True if the order of the raters means nothing.
    notes : tuple of str
        What was noticed while reading.
    read : Read or None
        What was read from a table, where a kind keeps it.
    present : bool array of shape (n_items, n_raters)
        Where there is a label.
    """

    if TYPE_CHECKING:
        names: tuple[str, ...]
        items: NDArray[Any] | None
        cluster: NDArray[Any] | None
        stratum: NDArray[Any] | None
        exchangeable: bool
        notes: tuple[str, ...]

    read: Read | None = None

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where there is a label, bool of shape (n_items, n_raters)."""
        raise NotImplementedError

    @property
    def n_raters(self) -> int:
        """Number of raters, or rounds."""
        return len(self.names)

    @cached_property
    def readings(self) -> IntArray:
        """Number of labels of each item, int64 of shape (n_items,)."""
        return np.asarray(row_sums(self.present), dtype=np.int64)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of those that were read as models, and are no raters."""
        known = () if self.read is None else self.read.models
        return tuple(name for name in self.names if name in known)

    def without_models(self) -> Self:
        """Return the labels of the raters alone, where models were read with them."""
        models = self.models
        return self.choose([n for n in self.names if n not in models]) if models else self

    def take(self, rows: NDArray[Any]) -> Self:
        """Return the items that a mask or an index array selects."""
        raise NotImplementedError

    def choose(self, names: tuple[str, ...] | list[str]) -> Self:
        """Return the labels of some raters, in the order given."""
        raise NotImplementedError

    def digest(self) -> str:
        """Return a hash of everything that a result depends on: 16 hexadecimal digits."""
        raise NotImplementedError

    def _check_about(self, n: int, *more: str) -> None:
        """Refuse a column about the items, or one more, that has not one entry for each of n."""
        for name in (*ABOUT, *more):
            column = getattr(self, name)
            if column is not None and len(column) != n:
                raise AnnostatError(f"{name} has {len(column)} entries for {n} items")

    def _about(self, rows: NDArray[Any]) -> dict[str, Any]:
        """Return what is known about the items that a mask or an index array selects."""
        return {name: rows_of(getattr(self, name), rows) for name in ABOUT}

    def _about_text(self) -> list[NDArray[Any] | str | None]:
        """Return clusters and strata as texts, for a digest."""
        return [joined(self.cluster), joined(self.stratum)]

    def strata(self) -> dict[str, Self]:
        """Return the labels of each stratum, in sorted order; one entry "" without strata."""
        if self.stratum is None:
            return {"": self}
        return {str(s): self.take(self.stratum == s) for s in sorted(set(self.stratum))}
