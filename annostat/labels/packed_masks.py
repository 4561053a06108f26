"""Masks cut to what is marked and packed: a tenth to a thousandth of their pixels, none lost.

`PackedMasks` stands where an array of masks would stand that is larger than memory. It is indexed
by rater and item; what it gives is packed too, until NumPy asks for it. An item travels to a
worker packed, and is laid out there.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, shown
from annostat.labels.mask_arrays import box_of, check_labels

MAX_PIXELS = 1 << 32  # that are laid out at once
FAST = 1  # of zlib's levels: masks are nearly as small, in a third of the time
Box: TypeAlias = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Patch:
    """One mask: where its box begins, how large it is, and the compressed pixels; b"" if empty."""

    start: tuple[int, ...]
    size: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, mask: NDArray[Any]) -> Patch:
        """Return a mask of unsigned integers, packed."""
        box = box_of(mask)
        if box is None:
            return EMPTY
        cut = np.ascontiguousarray(mask[box])
        return cls(tuple(b.start for b in box), cut.shape, zlib.compress(cut.tobytes(), FAST))

    @property
    def box(self) -> Box:
        """Return where in the image the marked pixels are; of an empty mask ()."""
        return tuple(slice(a, a + n) for a, n in zip(self.start, self.size, strict=True))

    def cut(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the pixels of the box."""
        if not self.data:
            return np.zeros(0, dtype=dtype)
        return np.frombuffer(zlib.decompress(self.data), dtype=dtype).reshape(self.size)


EMPTY = Patch((), (), b"")


@dataclass(frozen=True, eq=False, slots=True)
class PackedMasks:
    """Masks of shape (..., H, W), or (..., D, H, W), that are laid out when NumPy asks for them.

    Attributes
    ----------
    patches : object array of shape (n,) or (n_raters, n)
        A `Patch` for each mask.
    image : tuple of int
        Shape of one mask.
    dtype : numpy.dtype
        Unsigned integers.
    """

    patches: NDArray[Any]
    image: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, masks: NDArray[Any]) -> PackedMasks:
        """Return masks of shape (n, H, W), packed.

        Examples
        --------
        >>> masks = np.zeros((2, 64, 64), np.uint8)
        >>> masks[1, 3:5, 6] = 1
        >>> packed = PackedMasks.of(masks)
        >>> packed[1:].shape, bool((np.asarray(packed) == masks).all())
        ((1, 64, 64), True)
        """
        return cls(_column([Patch.of(mask) for mask in masks]), masks.shape[1:], masks.dtype)

    @classmethod
    def empty(cls, n: int, image: tuple[int, ...], dtype: np.dtype[Any]) -> PackedMasks:
        """Return n masks of which nothing is marked."""
        return cls(np.full(n, EMPTY, dtype=object), image, dtype)

    @classmethod
    def stacked(cls, several: list[PackedMasks]) -> PackedMasks:
        """Return the masks of several raters, of the same items and one size."""
        first = several[0]
        return cls(np.stack([p.patches for p in several]), first.image, first.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that this stands for."""
        return (*self.patches.shape, *self.image)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def nbytes(self) -> int:
        """Bytes of the packed pixels."""
        return sum(len(p.data) for p in self._each())

    def __repr__(self) -> str:
        return f"<PackedMasks of shape {self.shape}: {self.nbytes:,} bytes>"

    def __sizeof__(self) -> int:
        return self.nbytes + 200 * self.patches.size

    def __len__(self) -> int:
        return len(self.patches)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        """Return some raters or items, packed; of a single mask its pixels."""
        found = self.patches[key]
        if isinstance(found, Patch):
            return self._laid_out(found)
        return PackedMasks(found, self.image, self.dtype)

    def _each(self) -> list[Patch]:
        return list(self.patches.flat)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        refuse_many(self)
        out = np.zeros((self.patches.size, *self.image), dtype=self.dtype)
        for mask, patch in zip(out, self._each(), strict=True):
            if patch.data:
                mask[patch.box] = patch.cut(self.dtype)
        return np.asarray(out.reshape(self.shape), dtype=dtype)

    def __eq__(self, other: object) -> Any:
        return np.asarray(self) == other

    __hash__ = None  # type: ignore[assignment]

    def tobytes(self) -> bytes:
        """Return what tells these masks from others, for a digest: a hash of each box."""
        found = []
        for p in self._each():
            place = hashlib.sha256(repr((p.start, p.size)).encode())
            place.update(zlib.decompress(p.data) if p.data else b"")
            found.append(place.digest())
        return b"".join(found)

    def any(self) -> bool:
        """Return whether anything is marked."""
        return any(p.data for p in self._each())

    def equals(self, other: PackedMasks) -> bool:
        """Return whether two hold the same masks; nothing is laid out."""
        return self.image == other.image and bool((self.patches == other.patches).all())

    def numbers(self) -> NDArray[np.bool_]:
        """Return which numbers from 0 to 65,535 occur in boxes, bool of shape (65536,)."""
        found = np.zeros(1 << 16, dtype=bool)
        for patch in self._each():
            if patch.data:
                found[np.flatnonzero(np.bincount(patch.cut(self.dtype).ravel()))] = True
        return found

    def recoded(self, codes: NDArray[Any]) -> PackedMasks:
        """Return masks whose numbers are replaced by `codes`, of shape (65536,); 0 stays 0."""

        def one(patch: Patch) -> Patch:
            if not patch.data:
                return patch
            inner = Patch.of(codes[patch.cut(self.dtype)])
            start = tuple(a + b for a, b in zip(patch.start, inner.start, strict=False))
            return Patch(start if inner.data else (), inner.size, inner.data)

        patches = _column([one(p) for p in self._each()]).reshape(self.patches.shape)
        return PackedMasks(patches, self.image, codes.dtype)

    def placed(self, image: tuple[int, ...], dtype: np.dtype[Any]) -> PackedMasks:
        """Return masks in an image that is as large or larger, in numbers as wide or wider."""
        if dtype == self.dtype:
            return PackedMasks(self.patches, image, dtype)
        wide = [
            Patch(p.start, p.size, zlib.compress(p.cut(self.dtype).astype(dtype).tobytes(), FAST))
            if p.data
            else p
            for p in self._each()
        ]
        return PackedMasks(_column(wide).reshape(self.patches.shape), image, dtype)

    def _laid_out(self, patch: Patch) -> NDArray[Any]:
        out = np.zeros(self.image, dtype=self.dtype)
        if patch.data:
            out[patch.box] = patch.cut(self.dtype)
        return out


def as_codes(name: str, masks: PackedMasks, labels: Sequence[int] | None) -> PackedMasks:
    """Return packed masks as bytes, as `as_masks` has them: i for the i-th label."""
    there = np.flatnonzero(masks.numbers())
    there = there[there > 0]
    known = check_labels(labels) if labels is not None else (255,) if 255 in there else (1,)
    others = there[~np.isin(there, known)]
    if others.size and labels is None:
        raise AnnostatError(
            f"{name} must be a mask of 0 and 1 (or 0 and 255), got also {shown(others)}"
        )
    if others.size:
        raise AnnostatError(
            f"{name} holds labels that are not in labels={list(known)}: {shown(others)}"
        )
    codes = np.zeros(1 << 16, dtype=np.uint8)
    codes[list(known)] = np.arange(1, len(known) + 1)
    same = masks.dtype == np.uint8 and (codes[there] == there).all()
    return masks if same else masks.recoded(codes)


def refuse_many(masks: Any) -> None:
    """Refuse what takes all pixels at once if these are too many; of masks, packed or rounds."""
    pixels = getattr(masks, "values", masks).size
    if pixels > MAX_PIXELS:
        raise AnnostatError(
            f"{pixels:,} pixels of masks are more than can be laid out at once ({MAX_PIXELS:,}); "
            "take some of the items (MaskRounds.take)"
        )


def _column(patches: list[Patch]) -> NDArray[Any]:
    out = np.empty(len(patches), dtype=object)
    out[:] = patches
    return out
