"""The masks of many files as one array for each rater and model: the same items, one size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from annostat.errors import AnnostatError, option
from annostat.labels import packed_masks
from annostat.labels.packed_masks import PackedMasks
from annostat.tables.mask_arrays import Drawn, Reading, read_drawn

HELD = 1 << 30  # pixels that are held as they are while files are read; more are packed
Arrays = dict[str, Any]  # of NumPy, or packed


@dataclass(frozen=True, slots=True)
class ClipTask:
    """The files of one clip, which one worker reads.

    Attributes
    ----------
    clip : str
        Its name; "" where one file holds all items of a rater.
    files : dict of str to Path
        By rater or model.
    raters : tuple of str
    how : Reading
    room : int
        Pixels of all its masks up to which they are not packed.
    """

    clip: str
    files: dict[str, Path]
    raters: tuple[str, ...]
    how: Reading
    room: int


@dataclass(frozen=True, slots=True)
class Block:
    """The masks of one clip by rater and model: the same items in the same order."""

    clip: str
    drawn: dict[str, Drawn]
    spacing: tuple[float, ...] | None


def read_block(task: ClipTask) -> Block:
    """Read the masks of one clip; those that are many are cut to what is marked and packed."""
    clip = task.clip
    block = {n: read_drawn(path, task.how).as_items(clip) for n, path in task.files.items()}
    first = _agree(clip, block)
    # Items that files name themselves are those that a rater has, in the order of the first.
    own = [i for n in task.raters if n in block for i in block[n].items or ()]
    block = {n: d.in_order(list(dict.fromkeys(own))) for n, d in block.items()}
    if sum(d.values.size for d in block.values()) > task.room:
        packed: dict[str, Any] = {n: PackedMasks.of(d.values) for n, d in block.items()}
        block = {n: replace(d, values=packed[n]) for n, d in block.items()}
    return Block(clip, block, first.spacing)


def joined(
    raters: Sequence[str], models: Sequence[str], blocks: Iterable[Block]
) -> tuple[Arrays, dict[str, Any]]:
    """Return the masks of all clips by name, filled up to one size, with their items.

    They are arrays, or where these would be larger than is laid out at once, `PackedMasks`.
    """
    names = [*raters, *models]
    items: list[str] = []
    cluster: list[str] = []
    spacing: list[tuple[float, ...] | None] = []
    kept = list(blocks)
    for block in kept:
        one = next(iter(block.drawn.values()))
        count = len(one.values)
        items += one.items or map(str, range(len(items), len(items) + count))
        cluster += [block.clip] * count if block.clip else _clusters(block.drawn, count)
        spacing += [block.spacing] * count
    everything = [d for b in kept for d in b.drawn.values()]
    sizes = {d.values.shape[1:] for d in everything}
    if len({len(s) for s in sizes}) > 1:
        raise AnnostatError("some masks are volumes and some are single images; give one kind")
    shape = tuple(max(s) for s in zip(*sizes, strict=True))
    moved = any(d.turned for d in everything)
    dtype = np.result_type(*(d.values.dtype for d in everything))
    present = {name: np.zeros(len(items), dtype=bool) for name in names}
    start = 0
    for block in kept:
        stop = start + len(next(iter(block.drawn.values())).values)
        for name, drawn in block.drawn.items():
            present[name][start:stop] = True if drawn.present is None else drawn.present
        start = stop
    n_pixels = len(names) * len(items) * int(np.prod(shape, dtype=object))
    lay = _packed if n_pixels > packed_masks.MAX_PIXELS else _laid_out
    about: dict[str, Any] = {"items": items, "present": present, "notes": [], "turned": moved}
    if cluster:
        about["cluster"] = cluster
    if len(sizes) > 1:
        size = " × ".join(map(str, shape))
        about["notes"].append(f"images of {len(sizes)} sizes are filled with background to {size}")
    if all(s is not None for s in spacing):
        about["spacing"] = np.array(spacing)
    return lay(names, kept, (len(items), *shape), dtype), about


def _laid_out(
    names: Sequence[str], blocks: Sequence[Block], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Arrays:
    masks: Arrays = {name: np.zeros(shape, dtype=dtype) for name in names}
    start = 0
    for block in blocks:
        stop = start + len(next(iter(block.drawn.values())).values)
        for name, drawn in block.drawn.items():
            inner = tuple(slice(n) for n in drawn.values.shape[1:])
            masks[name][(slice(start, stop), *inner)] = drawn.values
        block.drawn.clear()
        start = stop
    return masks


def _packed(
    names: Sequence[str], blocks: Sequence[Block], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Arrays:
    masks: Arrays = {name: PackedMasks.empty(shape[0], shape[1:], dtype) for name in names}
    start = 0
    for block in blocks:
        stop = start + len(next(iter(block.drawn.values())).values)
        for name, drawn in block.drawn.items():
            values: Any = drawn.values
            packed = values if isinstance(values, PackedMasks) else PackedMasks.of(values)
            masks[name].patches[start:stop] = packed.placed(shape[1:], dtype).patches
        block.drawn.clear()
        start = stop
    return masks


def _clusters(block: Mapping[str, Drawn], count: int) -> list[str]:
    """Return the patients that files of one rater each name for their items, if they do."""
    stated = [d.cluster for d in block.values() if d.cluster is not None]
    found = [next((c[i] for c in stated if c[i]), "") for i in range(count)] if stated else []
    for other in stated:
        for i, name in enumerate(other):
            if name and name != found[i]:
                raise AnnostatError(
                    f"two files name different patients for one item: {found[i]} and {name}"
                )
    return found


def _agree(clip: str, block: Mapping[str, Drawn]) -> Drawn:
    """Refuse masks of one clip that differ in size or place; return one of them."""
    (name, first), *others = block.items()
    of = f"masks of {clip!r}" if clip else "masks"
    shapes = {n: d.values.shape for n, d in block.items()}
    same_items = all(d.items is not None for d in block.values())
    if len({s[1:] if same_items and not clip else s for s in shapes.values()}) > 1:
        told = ", ".join(f"{n}: {' × '.join(map(str, s))}" for n, s in shapes.items())
        kinds = {tuple(sorted(n for n in s if n > 1)) for s in shapes.values()}
        hint = "; their axes may stand in another order" if len(kinds) == 1 else ""
        if len({len(s) for s in shapes.values()}) > 1:
            hint = f"; some are volumes and some frames: say which, with {option('items')}"
        raise AnnostatError(
            f"{of} have another size ({told}): all raters need the same items and image size{hint}"
        )
    for other, drawn in others:
        if (drawn.items is None) != (first.items is None):
            raise AnnostatError(
                f"{of} by {name} and {other}: one file names its items and the other does not; "
                "store `items` in both"
            )
        sure, unsure = (name, other) if drawn.affine is None else (other, name)
        if (drawn.affine is None) != (first.affine is None) and (drawn.turned or first.turned):
            raise AnnostatError(
                f"{of}: the file of {sure} says that it lies mirrored or turned, that of {unsure} "
                "does not say how it lies; if both were stored alike, set "
                f"{option('orientation', 'stored')}"
            )
        if drawn.spacing is None or first.spacing is None:
            continue
        if not np.allclose(drawn.spacing, first.spacing, rtol=0.01):
            raise AnnostatError(
                f"{of} have pixels of {in_mm(first.spacing)} mm by {name} and of "
                f"{in_mm(drawn.spacing)} mm by {other}; resample one, or set "
                f"{option('orientation', 'stored')} and state the spacing"
            )
        far = drawn.distance_to(first)
        if far is not None and far > max(first.spacing) / 2:
            raise AnnostatError(
                f"{of} by {name} and {other} lie {far:.3g} mm apart, as their headers say; save "
                f"both in one place, or set {option('orientation', 'stored')}"
            )
    return first


def in_mm(spacing: Sequence[float]) -> str:
    """Return the size of a pixel as text."""
    return " × ".join(f"{s:.4g}" for s in spacing)
