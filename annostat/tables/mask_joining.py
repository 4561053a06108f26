"""The masks of many files as one array for each rater and model: the same items, one size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, option
from annostat.tables.mask_arrays import Drawn

MAX_PIXELS = 1 << 32  # of all raters together
Arrays = dict[str, NDArray[Any]]


def joined(
    raters: Sequence[str], models: Sequence[str], parts: Iterable[tuple[str, dict[str, Drawn]]]
) -> tuple[Arrays, dict[str, Any]]:
    """Return the masks of all clips by name, filled up to one size, with their items."""
    names = [*raters, *models]
    items: list[str] = []
    cluster: list[str] = []
    spacing: list[tuple[float, ...] | None] = []
    blocks: list[dict[str, Drawn]] = []
    total = 0
    for clip, found in parts:
        block = {name: drawn.as_items(clip) for name, drawn in found.items()}
        first = _agree(clip, block)
        # Items that files name themselves are those that a rater has, in the order of the first.
        own = [i for n in raters if n in block for i in block[n].items or ()]
        block = {n: d.in_order(list(dict.fromkeys(own))) for n, d in block.items()}
        blocks.append(block)
        total += len(names) * first.values.size
        if total > MAX_PIXELS:
            raise _too_many()
        one = next(iter(block.values()))
        count = len(one.values)
        items += one.items or map(str, range(len(items), len(items) + count))
        cluster += [clip] * count if clip else _clusters(block, count)
        spacing += [first.spacing] * count
    sizes = {d.values.shape[1:] for b in blocks for d in b.values()}
    if len({len(s) for s in sizes}) > 1:
        raise AnnostatError("some masks are volumes and some are single images; give one kind")
    shape = tuple(max(s) for s in zip(*sizes, strict=True))
    if len(names) * len(items) * int(np.prod(shape, dtype=object)) > MAX_PIXELS:
        raise _too_many()
    moved = any(d.turned for b in blocks for d in b.values())
    dtype = np.result_type(*(d.values.dtype for b in blocks for d in b.values()))
    masks = {name: np.zeros((len(items), *shape), dtype=dtype) for name in names}
    present = {name: np.zeros(len(items), dtype=bool) for name in names}
    start = 0
    for block in blocks:
        stop = start + len(next(iter(block.values())).values)
        for name, drawn in block.items():
            inner = tuple(slice(n) for n in drawn.values.shape[1:])
            masks[name][(slice(start, stop), *inner)] = drawn.values
            present[name][start:stop] = True if drawn.present is None else drawn.present
        block.clear()
        start = stop
    about: dict[str, Any] = {"items": items, "present": present, "notes": [], "turned": moved}
    if cluster:
        about["cluster"] = cluster
    if len(sizes) > 1:
        size = " × ".join(map(str, shape))
        about["notes"].append(f"images of {len(sizes)} sizes are filled with background to {size}")
    if all(s is not None for s in spacing):
        about["spacing"] = np.array(spacing)
    return masks, about


def _too_many() -> AnnostatError:
    return AnnostatError(
        f"more than {MAX_PIXELS:,} pixels of masks; give fewer frames, such as ED and ES, or cut "
        "images to what is drawn"
    )


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
