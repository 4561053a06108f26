"""What all kinds of labels have in common: one word for one thing, whatever was labelled.

A container of labels holds what several raters gave for the same items. It is a frozen dataclass
derived from `LabelSet`; what differs between kinds is what a label is, and its `take`, `choose`
and `digest`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import IntArray


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

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where there is a label, bool of shape (n_items, n_raters)."""
        raise NotImplementedError

    @property
    def n_raters(self) -> int:
        """Number of raters, or rounds."""
        return len(self.names)

    @property
    def readings(self) -> IntArray:
        """Number of labels of each item, int64 of shape (n_items,)."""
        return np.asarray(self.present.sum(axis=1), dtype=np.int64)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return the items that a mask or an index array selects."""
        raise NotImplementedError

    def choose(self, names: tuple[str, ...] | list[str]) -> Self:
        """Return the labels of some raters, in the order given."""
        raise NotImplementedError

    def digest(self) -> str:
        """Return a hash of everything that a result depends on: 16 hexadecimal digits."""
        raise NotImplementedError

    def strata(self) -> dict[str, Self]:
        """Return the labels of each stratum, in sorted order; one entry "" without strata."""
        if self.stratum is None:
            return {"": self}
        return {str(s): self.take(self.stratum == s) for s in sorted(set(self.stratum))}
