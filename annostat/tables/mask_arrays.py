"""The masks of one file as whole numbers, and which structures all files together hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_choice, check_number, option, printable, shown
from annostat.labels.packed_masks import PackedMasks
from annostat.tables.image_files import LPS, read_picture, turned
from annostat.tables.mask_folders import (
    KINDS,
    NAMES,
    frames_of,
    member_names,
    read_members,
    refuse_other_kind,
)

ABOUT = ("items", "cluster", "present", "spacing")  # arrays of a file that are no masks
MADE_OF = "consensus_of"  # written beside a consensus, so that nobody scores it against itself
BESIDE = (*ABOUT, "share", "method", MADE_OF)
ITEMS = ("frames", "volumes")
ORIENTATIONS = ("affine", "stored")
MOST_LABELS = 32  # more different numbers are hardly structures
LARGEST = 65535


@dataclass(frozen=True)
class Reading:
    """How files of masks are read; see `read_masks`."""

    kind: str | None
    threshold: float
    items: str | None
    orientation: str

    @classmethod
    def checked(
        cls, kind: str | None, threshold: float | None, items: str | None, orientation: str
    ) -> Reading:
        """Return the options after looking at each."""
        if kind is not None:
            check_choice("kind", kind, list(KINDS))
        if items is not None:
            check_choice("items", items, ITEMS)
        check_choice("orientation", orientation, ORIENTATIONS)
        if threshold is not None and kind in (None, "binary"):
            raise AnnostatError(
                f"threshold is of soft masks: state their kind ({option('kind')}: uint8, logits or "
                "probability)"
            )
        cut = KINDS[kind or "binary"] if threshold is None else check_number("threshold", threshold)
        return cls(kind, cut, items, orientation)

    @property
    def soft(self) -> bool:
        """Whether the numbers say how sure a pixel is."""
        return self.kind not in (None, "binary")

    def cut(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """Return masks or label maps as unsigned integers."""
        if self.soft and self.kind is not None:
            refuse_other_kind(name, values, self.kind)
            return np.asarray(values >= self.threshold).view(np.uint8)
        return _whole(name, values)


@dataclass(frozen=True, eq=False)
class Drawn:
    """The masks of one file.

    Attributes
    ----------
    values : array of unsigned integers
        (y, x), (t, y, x) or (z, y, x); after `as_items` with an axis of items before.
    axis : str
        What a first axis of three is, "t" or "z"; "items" after `as_items`.
    items : list of str or None
        Names of the items, if there are any.
    spacing : tuple of float or None
    affine : float64 array of shape (4, 4) or None
    cluster : list of str or None
    present : bool array or None
        Which items there are; None for all.
    volume : bool
        Whether a stack is one item.
    turned : bool
        Whether it lay otherwise in its file.
    """

    values: NDArray[Any]
    axis: str
    items: list[str] | None = None
    spacing: tuple[float, ...] | None = None
    affine: NDArray[np.float64] | None = None
    cluster: list[str] | None = None
    present: NDArray[np.bool_] | None = None
    volume: bool = False
    turned: bool = False

    def as_items(self, clip: str) -> Drawn:
        """Return the masks with a first axis of items, which are named after the clip."""
        one = self.axis == "" or self.volume
        values = self.values[None] if one else self.values
        items = self.items
        if clip:
            items = [clip] if one else [f"{clip}:{k}" for k in range(len(values))]
        elif one:
            items = None
        spacing = None if self.spacing is None else self.spacing[-(values.ndim - 1) :]
        return replace(self, values=values, axis="items", items=items, spacing=spacing)

    def in_order(self, items: Sequence[str] | None) -> Drawn:
        """Return the masks of some items in their order; those that are not there are 0."""
        if items is None or self.items is None or list(items) == self.items:
            return self
        place = {item: i for i, item in enumerate(self.items)}
        rows = np.array([place.get(item, -1) for item in items])
        values = self.values[np.maximum(rows, 0)]
        values[rows < 0] = 0
        cluster = None
        if self.cluster is not None:
            cluster = [self.cluster[r] if r >= 0 else "" for r in rows]
        return replace(self, values=values, items=list(items), present=rows >= 0, cluster=cluster)

    def distance_to(self, other: Drawn) -> float | None:
        """Return how far two images of one size lie apart, in mm; None if one does not say."""
        if self.affine is None or other.affine is None:
            return None
        last = np.array([*self.values.shape[:0:-1], 1, 1, 1])[:3] - 1.0
        corners = np.array([[0, 0, 0, 1], [*last, 1]]).T
        apart = (self.affine - other.affine) @ corners
        return float(np.linalg.norm(apart[:3], axis=0).max())


def read_drawn(path: Path, how: Reading) -> Drawn:
    """Read the masks of one rater from one file.

    Raises
    ------
    AnnostatError
        If it cannot be read, holds other numbers than stated, or is a consensus.
    """
    if path.suffix.lower() == ".npz":
        return _read_npz(path, how)
    stored = picture = read_picture(path)
    if how.orientation == "affine":
        picture = turned(stored, LPS)
    moved = picture is not stored
    flat = picture.shape.index(1) if picture.axis == "z" and 1 in picture.shape else None
    if flat is not None:  # one slice, whichever way it was cut
        spacing = picture.spacing
        if spacing is not None:
            spacing = (*spacing[:flat], *spacing[flat + 1 :])
        picture = replace(picture, values=picture.values.squeeze(flat), spacing=spacing, axis="")
    volume = how.items == "volumes" or (how.items is None and picture.axis == "z")
    return Drawn(
        how.cut(path.name, picture.values),
        picture.axis,
        spacing=picture.spacing,
        affine=picture.affine if how.orientation == "affine" else None,
        volume=volume and picture.axis != "",
        turned=moved,
    )


def _read_npz(path: Path, how: Reading) -> Drawn:
    stored = member_names(path)
    if MADE_OF in stored:
        made_of = read_members(path, [MADE_OF], "U")[MADE_OF]
        raise AnnostatError(
            f"{path.name} is a consensus of {shown(made_of.tolist())}: scored against the raters "
            "it is made of it would look too good; score it on other raters"
        )
    alone = [n for n in stored if n not in BESIDE]
    name = next((n for n in NAMES if n in stored), alone[0] if len(alone) == 1 else None)
    if name is None:
        raise AnnostatError(
            f"{path.name} holds {shown(stored) or 'nothing'}; one array (N × H × W) is needed for "
            "one rater"
        )
    values = frames_of(path.name, read_members(path, [name])[name])
    about = {n: read_members(path, [n], "biufU")[n] for n in ("items", "cluster") if n in stored}
    for key, column in about.items():
        if column.shape != (len(values),):
            raise AnnostatError(
                f"{path.name}: {key} has {column.size} entries for {len(values)} masks"
            )
    items = [printable(str(v)) for v in about["items"].tolist()] if "items" in about else None
    if items is not None and len(set(items)) < len(items):
        raise AnnostatError(f"{path.name} names an item twice in `items`")
    return Drawn(
        how.cut(path.name, values),
        "t",
        items,
        cluster=[str(v) for v in about["cluster"].tolist()] if "cluster" in about else None,
        volume=how.items == "volumes",
    )


def drawn_in_npz(
    path: Path, names: Sequence[str], how: Reading
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return some arrays of a file as masks, and what it says about its items."""
    arrays = {
        name: how.cut(f"{name} in {path.name}", values)
        for name, values in read_members(path, list(names)).items()
    }
    about: dict[str, Any] = {}
    stored = member_names(path)
    for name in ABOUT:
        if name in stored:
            value = read_members(path, [name], "biufU")[name]
            about[name] = value if name == "spacing" else value.tolist()
    return arrays, about


def _whole(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers as unsigned integers, or say that they are none."""
    if values.dtype == bool:
        return values.view(np.uint8)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise AnnostatError(f"{name} holds numbers that are not finite")
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    whole = values.dtype.kind in "iu" or bool((values == np.rint(values)).all())
    if not whole or low < 0 or high > LARGEST:
        raise AnnostatError(
            f"{name} is not binary and no label map: it holds {values.dtype} from {low:g} to "
            f"{high:g}; state its kind ({option('kind')}: uint8, logits or probability)"
        )
    return values.astype(np.uint8 if high < 256 else np.uint16)


def labels_in(values: Any) -> list[int]:
    """Return the numbers but 0 that masks of unsigned integers hold."""
    if isinstance(values, PackedMasks):
        return [int(v) for v in np.flatnonzero(values.numbers()) if v]
    found = np.zeros(1 << 16, dtype=bool)
    for block in values:  # one item at a time: counting takes eight bytes a pixel
        found[np.flatnonzero(np.bincount(block.ravel()))] = True
    return [int(v) for v in np.flatnonzero(found) if v]


def structures(
    masks: dict[str, Any],
    models: dict[str, Any],
    how: Reading,
    labels: Sequence[int] | None,
    notes: list[str],
) -> list[int] | None:
    """Return the labels to compare, or None for binary masks; other numbers become background.

    Parameters
    ----------
    masks, models : dict of str to array of unsigned integers, or PackedMasks
        By rater and by model; changed in place.
    how : Reading
    labels : sequence of int, optional
        Those that are wanted; by default all that two raters draw.
    notes : list of str
        What was taken and what was left out is added.

    Raises
    ------
    AnnostatError
        If the numbers are no labels, no two raters share one, or a wanted one is nowhere.
    """
    from annostat.labels.mask_arrays import check_labels

    of = {name: labels_in(values) for name, values in masks.items()}
    theirs = {name: labels_in(values) for name, values in models.items()}
    for arrays, held in ((masks, of), (models, theirs)):
        for name, found in held.items():
            # As image files of 8 and of 16 bits have it.
            if found in ([255], [65535]) and not (labels and found[0] in labels):
                arrays[name] = _recoded(arrays[name], (np.arange(1 << 16) > 0).view(np.uint8))
                held[name] = [1]
    union = sorted(set().union(*of.values()))
    if labels is None:
        if set(union) <= {1}:
            chosen = [1]
        else:
            _look_like_labels(of, union, how)
            shared = [v for v in union if sum(v in found for found in of.values()) > 1]
            if not shared:
                told = "; ".join(f"{name}: {shown(found)}" for name, found in of.items())
                raise AnnostatError(
                    f"no two raters draw one label ({told}); store one structure as one number"
                )
            notes.append(f"label maps, with the labels {shown(shared, MOST_LABELS)}")
            if len(shared) < len(union):
                alone = [v for v in union if v not in shared]
                notes.append(f"left out, being drawn by one rater alone: labels {shown(alone)}")
            chosen = shared
    else:
        chosen = list(check_labels(labels))
        absent = [v for v in chosen if v not in union]
        if absent:
            raise AnnostatError(
                f"label {shown(absent)} (labels) stands in no mask; found: {shown(union) or 'none'}"
            )
        others = [v for v in union if v not in chosen]
        if others:
            notes.append(f"left out, being not named: labels {shown(others)}")
    for name, found in theirs.items():
        if found and not set(found) & set(chosen):
            raise AnnostatError(
                f"model {name!r} has none of the labels {shown(chosen)}: it has {shown(found)}"
            )
        others = [v for v in found if v not in chosen]
        if others:
            notes.append(f"model {name}: labels {shown(others)} are not the raters' and left out")
    keep = np.zeros(1 << 16, dtype=np.uint16)
    keep[chosen] = chosen
    for arrays, held in ((masks, of), (models, theirs)):
        for name, found in held.items():
            if set(found) - set(chosen):
                arrays[name] = _recoded(arrays[name], keep.astype(arrays[name].dtype))
    return None if labels is None and chosen == [1] and union in ([], [1]) else chosen


def _recoded(values: Any, codes: NDArray[Any]) -> Any:
    """Return masks whose numbers are replaced by codes of shape (65536,)."""
    return values.recoded(codes) if isinstance(values, PackedMasks) else codes[values]


def _look_like_labels(of: dict[str, list[int]], union: list[int], how: Reading) -> None:
    """Refuse numbers that may be something else than labels, or that were said to be."""
    name = max(of, key=lambda n: len(of[n]))
    many = len(union)
    if how.kind == "binary":
        raise AnnostatError(
            f"the masks of {name} hold the numbers 0, {shown(of[name], 8)}: a label map, not one "
            f"outline, so it is not binary; leave out kind to compare each label, or choose some: "
            f"{option('labels', *of[name][:2])}"
        )
    if many > MOST_LABELS or (255 in union and many > 1):
        raise AnnostatError(
            f"the masks of {name} are not binary: they hold {len(of[name])} different numbers up "
            f"to {of[name][-1]}; if these are probabilities, state their kind "
            f"({option('kind', 'uint8')}); if labels, name those to compare "
            f"({option('labels', 1, 2)})"
        )
