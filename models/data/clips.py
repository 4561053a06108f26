"""Clips and targets of the splits "train", "valid" and "test": phantom, EchoNet folders, CAMUS.

The phantom's splits are other clips of the same seed, and its test targets are always the truth,
whatever the teachers say. Of folders the splits for validation and test also hold what people drew;
the test split needs no teacher.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from annostat import AnnostatError
from models.data.camus import camus_recipe
from models.data.echonet import echonet_recipe
from models.data.reference import with_outlined_ef
from models.data.settings import Data
from models.data.store import Example, Recipe, Store, make_store
from models.data.targets import Targets, targets_of
from models.data.teachers import Source
from models.world.phantom import CORRUPTIONS, Clip, corrupt, draw_clip, render

SPLITS = ("train", "valid", "test")
APART = 1_000_000  # numbers of phantom clips between two splits
BATCH = 8  # phantom clips drawn together


def open_store(
    data: Data,
    split: str,
    cache: Path,
    *,
    device: Any = "cpu",
    progress: Callable[[int], None] | None = None,
) -> Store:
    """Return the clips of a split, made once and kept under `cache`.

    Raises
    ------
    AnnostatError
        If the folder, a teacher or a label cannot be used, or no clip can be read.
    """
    data = data.for_split(split)
    targets = targets_of(data, split, device)

    def make() -> Recipe:
        if data.kind == "phantom":
            return phantom_recipe(data, split, targets, device)
        read = {"echonet": echonet_recipe, "camus": camus_recipe}[data.kind]
        return read(data, split, targets)

    key: dict[str, Any] = {"split": split, **dataclasses.asdict(data)}
    for name in ("n_train", "n_valid", "n_test"):
        count = key.pop(name)
        if name == f"n_{split}":
            key["n"] = count
    for name in ("valid", "tests", *(() if split == "train" else ("n_corrupted",))):
        key.pop(name)
    key["teachers"] = targets.identity
    store = make_store(cache, key, make, progress=progress)
    store = dataclasses.replace(store, notes=[*targets.told, *store.notes])
    if data.kind == "phantom" or split == "train":
        return store
    return with_outlined_ef(store, data.structures[0])


def phantom_clips(data: Data, split: str, group: int, *, device: Any = "cpu") -> Iterator[Clip]:
    """Yield a group of the phantom's clips of a split, `BATCH` of them that are drawn together."""
    n = data.wanted(split)
    first = SPLITS.index(split) * APART
    gpu = None if str(device) == "cpu" else device
    start = group * BATCH
    numbers = range(first + start, first + min(start + BATCH, n))
    draws = [draw_clip(data.seed, k, size=data.size, frames=data.frames) for k in numbers]
    for k, clip in zip(numbers, render(draws, device=gpu), strict=True):
        broken = split == "train" and k - first < data.n_corrupted
        yield corrupt(clip, CORRUPTIONS[k % len(CORRUPTIONS)], data.seed, k) if broken else clip


def phantom_recipe(data: Data, split: str, targets: Targets, device: Any) -> Recipe:
    """Return the phantom's clips of a split with their targets."""
    if not data.wanted(split):
        raise AnnostatError(f"data.n_{split} must be at least 1 for the phantom")

    def group(k: int) -> list[Example]:
        out = []
        for clip in phantom_clips(data, split, k, device=device):
            source = Source(clip.name, clip.frames, clip.mask)
            made = targets.of(data, source)
            out.append(Example(clip.name, clip.frames, made, facts_of(clip)))
        return out

    return Recipe(-(-data.wanted(split) // BATCH), group, targets.kind)


def facts_of(clip: Clip) -> dict[str, Any]:
    """Return what is known of a phantom clip beside its frames and masks."""
    return {
        "name": clip.name,
        "ed": clip.ed,
        "es": clip.es,
        "beat": list(clip.beat),
        "ef": clip.ef,
        "fps": clip.fps,
        "mm_per_pixel": clip.mm_per_pixel,
        "quality": clip.quality,
        "corruption": clip.corruption,
    }
