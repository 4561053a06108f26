"""MaskRounds: the masks that several raters drew of the same items."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import Bytes, digest
from annostat.errors import AnnostatError, check_column, positions_of, shown
from annostat.labels.columns import refuse_repeated
from annostat.labels.mask_arrays import as_array, as_masks, check_labels, check_spacing
from annostat.labels.packed_masks import EMPTY, PackedMasks, as_codes
from annostat.labels.vocabulary import LabelSet, rows_of
from annostat.results.text import counted


@dataclass(frozen=True, eq=False)
class MaskRounds(LabelSet):
    """Masks of the same items by several raters.

    Attributes
    ----------
    values : uint8 array of shape (n_raters, n_items, H, W)
        0 for background, i for the i-th of `labels`. Items may also have three axes. Of more
        pixels than are held at once, `PackedMasks`, which ``np.asarray(values[:, item])`` lays out.
    names : tuple of str
        Names of the raters.
    drawn : bool array of shape (n_raters, n_items)
        False where a rater did not look at an item: its mask is then missing, not empty.
    items : object array of shape (n_items,)
        Identifiers.
    cluster : object array of shape (n_items,) or None
        Patient of each item.
    stratum : object array of shape (n_items,) or None
        Label by which results are split.
    spacing : float64 array of shape (n_items, n_axes) or None
        Size of a pixel in `spacing_unit`.
    labels : tuple of int
        The structures, (1,) for binary masks.
    exchangeable : bool
        True if rater 1 is not the same person from item to item.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.eye(3)[None], np.ones((1, 3, 3))
    >>> rounds = MaskRounds.from_arrays({"anna": a, "ben": b})
    >>> rounds.n_raters, rounds.n_items, rounds.values.shape
    (2, 1, (2, 1, 3, 3))
    """

    values: Bytes
    names: tuple[str, ...]
    drawn: NDArray[np.bool_]
    items: NDArray[Any]
    cluster: NDArray[Any] | None = None
    stratum: NDArray[Any] | None = None
    spacing: NDArray[np.float64] | None = None
    spacing_unit: str = "pixels"
    labels: tuple[int, ...] = (1,)
    exchangeable: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def from_arrays(
        cls,
        masks: Mapping[str, Any],
        *,
        labels: Sequence[int] | None = None,
        present: Mapping[str, Any] | None = None,
        items: Sequence[object] | None = None,
        cluster: Sequence[object] | None = None,
        stratum: Sequence[object] | None = None,
        spacing: Any = None,
        spacing_unit: str = "",
        exchangeable: bool = False,
        notes: Sequence[str] = (),
    ) -> MaskRounds:
        """Make rounds from one array of shape (N, H, W) per rater.

        Parameters
        ----------
        masks : mapping of name to array
            Booleans, {0, 1}, {0, 255}, or whole numbers with `labels`.
        present : mapping of name to bool array of shape (N,), optional
            Which items a rater looked at; raters that are not named looked at all.
        items, cluster, stratum : sequence of length N, optional
        spacing : as in `overlap`
            Size of a pixel, in `spacing_unit`.
        """
        if not masks:
            raise AnnostatError("masks must hold one array per rater, got none")
        names = tuple(str(name) for name in masks)
        arrays: list[Any] = []
        packed = any(isinstance(value, PackedMasks) for value in masks.values())
        for name, value in masks.items():
            array: Any
            if packed:
                array = value if isinstance(value, PackedMasks) else PackedMasks.of(value)
            else:
                array = as_array(f"masks of {name!r}", value)
                array = array[None] if array.ndim == 2 else array
            if arrays and array.shape != arrays[0].shape:
                raise AnnostatError(
                    f"masks of {name!r} have shape {array.shape}, those of {names[0]!r} "
                    f"{arrays[0].shape}; all raters need the same items and image size"
                )
            arrays.append((as_codes if packed else as_masks)(f"masks of {name!r}", array, labels))
        values: Any = PackedMasks.stacked(arrays) if packed else np.stack(arrays)
        n = values.shape[1]
        there = np.ones((len(names), n), dtype=bool)
        for name, flags in (present or {}).items():
            check_column("present", name, names)
            column = np.asarray(flags, dtype=bool)
            if column.shape != (n,):
                raise AnnostatError(f"present[{name!r}] has shape {column.shape} for {n} items")
            there[names.index(str(name))] = column
        without = [name for name, row in zip(names, there, strict=True) if not row.any()]
        if without:
            raise AnnostatError(f"there is no mask by {shown(without)}; leave that rater out")
        nobody = np.flatnonzero(~there.any(axis=0))
        if nobody.size:
            raise AnnostatError(f"nobody drew item {shown(nobody)}; leave it out")
        # What stands in place of a missing mask must not matter.
        if packed:
            values.patches[~there] = EMPTY
        else:
            values[~there] = 0
        return cls(
            values=values,
            names=names,
            drawn=there,
            items=_named(items, n),
            cluster=None if cluster is None else text_column("cluster", cluster, n),
            stratum=None if stratum is None else text_column("stratum", stratum, n),
            spacing=None if spacing is None else check_spacing(spacing, values.ndim - 2, n),
            spacing_unit=spacing_unit if spacing is not None else "pixels",
            labels=(1,) if labels is None else check_labels(labels),
            exchangeable=exchangeable,
            notes=tuple(notes),
        )

    @property
    def n_items(self) -> int:
        """Number of items."""
        return int(self.values.shape[1])

    def of(self, name: str) -> Bytes:
        """Return the masks of one rater, uint8 of shape (n_items, H, W)."""
        check_column("rater", name, self.names)
        return np.asarray(self.values[self.names.index(name)])

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where a rater looked at an item, bool of shape (n_items, n_raters)."""
        return self.drawn.T

    def take(self, rows: NDArray[Any]) -> MaskRounds:
        """Return the items that a mask or an index array selects."""
        return replace(
            self,
            values=self.values[:, rows],
            drawn=self.drawn[:, rows],
            spacing=rows_of(self.spacing, rows),
            **self._about(rows),
        )

    def choose(self, names: Sequence[str]) -> MaskRounds:
        """Return the masks of some raters; items that none of them drew are dropped."""
        rows = positions_of("rater", names, self.names)
        chosen = replace(
            self,
            values=self.values[rows],
            names=tuple(self.names[i] for i in rows),
            drawn=self.drawn[rows],
        )
        return chosen.take(np.asarray(chosen.drawn.any(axis=0)))

    def select(self, names: Sequence[str]) -> MaskRounds:
        """Return `choose`, under its old name."""
        warnings.warn("MaskRounds.select is now choose", DeprecationWarning, stacklevel=2)
        return self.choose(names)

    def __repr__(self) -> str:
        size = " × ".join(map(str, self.values.shape[2:]))
        kind = "" if self.labels == (1,) else f", labels {shown(self.labels)}"
        return (
            f"<MaskRounds: {counted(self.n_items, 'item')} of {size} × "
            f"{counted(self.n_raters, 'rater')} ({shown(self.names)}){kind}>"
        )

    def digest(self) -> str:
        """Return a short hash of masks, raters and items."""
        what = repr((self.names, self.values.shape, self.labels))
        return digest(what, self.values, self.drawn)


def as_mask_rounds(rounds: Any) -> MaskRounds:
    """Return masks of raters as `MaskRounds`, whatever people have them in.

    Parameters
    ----------
    rounds : MaskRounds, mapping of rater to array (N, H, W), list of such arrays, or (R, N, H, W)
        Binary masks; raters without a name are rater_1, rater_2, ...

    Raises
    ------
    AnnostatError
        If it is something else, or one array, of which nobody can say whose axes are whose.
    """
    if isinstance(rounds, MaskRounds):
        return rounds
    if isinstance(rounds, Mapping):
        return MaskRounds.from_arrays(rounds)
    whole = isinstance(rounds, np.ndarray) and rounds.ndim >= 4
    listed = isinstance(rounds, (list, tuple)) and not any(isinstance(r, str) for r in rounds)
    if whole or listed:
        return MaskRounds.from_arrays({f"rater_{r + 1}": mask for r, mask in enumerate(rounds)})
    got = (
        f"an array of shape {rounds.shape}"
        if isinstance(rounds, np.ndarray)
        else (f"a {type(rounds).__name__}")
    )
    raise AnnostatError(
        "rounds must be MaskRounds, or an array (N × H × W) for each rater, such as "
        f"{{'anna': a, 'ben': b}}, got {got}; files are read by annostat.datasets.read_masks"
    )


def text_column(name: str, values: Sequence[object], n: int) -> NDArray[Any]:
    """Return labels as text, one per item."""
    column = np.asarray([str(v) for v in values], dtype=object)
    if column.shape != (n,):
        raise AnnostatError(f"{name} has {len(column)} entries for {n} items")
    return column


def _named(items: Sequence[object] | None, n: int) -> NDArray[Any]:
    if items is None:
        return _numbered(n)
    names = text_column("items", items, n)
    refuse_repeated(names)
    return names


def _numbered(n: int) -> NDArray[Any]:
    return np.asarray([str(i) for i in range(n)], dtype=object)
