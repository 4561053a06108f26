"""Clips and targets of the splits "train", "valid" and "test": phantom, EchoNet folders, CAMUS.

The phantom's splits are other clips of the same seed, and its test targets are always the truth,
whatever the teachers say.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.datasets import read_camus, read_echonet
from annostat.errors import shown
from models.data.images import resized
from models.data.settings import Data
from models.data.store import Example, Store, make_store
from models.data.teachers import Source, Teacher, check_clips, merged, parse_teacher
from models.world.phantom import CORRUPTIONS, Clip, corrupt, draw_clip, render

SPLITS = ("train", "valid", "test")
ECHONET_SPLITS = {"train": "TRAIN", "valid": "VAL", "test": "TEST"}
CAMUS_SPLITS = {"train": "training", "valid": "validation", "test": "testing"}
CAMUS_LABELS = {"LV": 1, "MYO": 2, "LA": 3}
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
    """Return the clips of a split, made once and kept under `cache`."""
    teachers = _teachers(data, split, device)
    key: dict[str, Any] = {"split": split, **dataclasses.asdict(data)}
    for name in ("n_train", "n_valid", "n_test"):
        count = key.pop(name)
        if name == f"n_{split}":
            key["n"] = count
    if split != "train":
        key.pop("n_corrupted")
    key["teachers"] = [(t.text, t.identity) for t in teachers]
    make = {"phantom": _phantom, "echonet": _echonet, "camus": _camus}[data.kind]
    return make_store(cache, key, lambda: make(data, split, teachers, device), progress=progress)


def phantom_clips(data: Data, split: str, *, device: Any = "cpu") -> Iterator[Clip]:
    """Yield the phantom's clips of a split."""
    n = data.wanted(split)
    first = SPLITS.index(split) * APART
    gpu = None if str(device) == "cpu" else device
    for start in range(0, n, BATCH):
        numbers = range(first + start, first + min(start + BATCH, n))
        draws = [draw_clip(data.seed, k, size=data.size, frames=data.frames) for k in numbers]
        for k, clip in zip(numbers, render(draws, device=gpu), strict=True):
            broken = split == "train" and k - first < data.n_corrupted
            yield corrupt(clip, CORRUPTIONS[k % len(CORRUPTIONS)], data.seed, k) if broken else clip


def _teachers(data: Data, split: str, device: Any) -> list[Teacher]:
    if split == "test" and data.kind == "phantom":
        return [parse_teacher(f"{s}=oracle") for s in data.structures]
    if data.kind == "camus" and not data.teachers:
        return []
    texts = data.teachers
    if not texts and data.kind == "phantom":
        texts = tuple(f"{s}=oracle" for s in data.structures)
    teachers = [parse_teacher(text, device=device) for text in texts]
    lacking = [s for s in data.structures if s not in {t.structure for t in teachers}]
    if lacking:
        raise AnnostatError(
            f"data.teachers has none for {shown(lacking)}; add for example "
            f"'{lacking[0]}=folder:PATH'"
        )
    return teachers


def _targets(data: Data, teachers: list[Teacher], source: Source) -> NDArray[np.uint8]:
    """Return targets (T, K, size, size)."""
    parts = []
    for structure in data.structures:
        own = [t for t in teachers if t.structure == structure]
        parts.append(resized(merged(own, source, data.merge), data.size))
    return np.stack(parts, axis=1)


def _phantom(data: Data, split: str, teachers: list[Teacher], device: Any) -> Iterator[Example]:
    if not data.wanted(split):
        raise AnnostatError(f"data.n_{split} must be at least 1 for the phantom")
    for clip in phantom_clips(data, split, device=device):
        source = Source(clip.name, clip.frames, clip.mask)
        yield Example(clip.name, clip.frames, _targets(data, teachers, source), facts_of(clip))


def facts_of(clip: Clip) -> dict[str, Any]:
    """Return what is known of a phantom clip beside its frames and masks."""
    return {
        "name": clip.name, "ed": clip.ed, "es": clip.es, "beat": list(clip.beat), "ef": clip.ef,
        "fps": clip.fps, "mm_per_pixel": clip.mm_per_pixel, "quality": clip.quality,
        "corruption": clip.corruption,
    }  # fmt: skip


def _echonet(data: Data, split: str, teachers: list[Teacher], device: Any) -> Iterator[Example]:
    folder = read_echonet(data.path)
    table = folder.clips.drop_duplicates("clip")
    rows = table[table["split"] == ECHONET_SPLITS[split]]
    rows = rows[rows["clip"].isin(list(folder.videos.files))]
    wanted = data.wanted(split)
    rows = rows.head(wanted) if wanted else rows
    if rows.empty:
        raise AnnostatError(
            f"{data.path!r} lists no clip of the split {ECHONET_SPLITS[split]} that has a video"
        )
    check_clips(teachers, list(rows["clip"]))
    phases = folder.phases().set_index("clip")
    for row in rows.itertuples():
        frames = folder.clip(str(row.clip))
        facts: dict[str, Any] = {"name": row.clip, "ef": row.ef, "fps": row.fps}
        if row.clip in phases.index:
            facts["ed"] = int(phases.loc[row.clip, "ed_frame"])
            facts["es"] = int(phases.loc[row.clip, "es_frame"])
        targets = _targets(data, teachers, Source(str(row.clip), frames))
        yield Example(str(row.clip), resized(frames, data.size), targets, facts)


def _camus(data: Data, split: str, teachers: list[Teacher], device: Any) -> Iterator[Example]:
    unknown = [s for s in data.structures if s not in CAMUS_LABELS]
    if unknown:
        raise AnnostatError(f"CAMUS has no {shown(unknown)}, only {', '.join(CAMUS_LABELS)}")
    folder = read_camus(data.path)
    rows = folder.table[folder.table["view"] == data.view]
    if not folder.splits:
        raise AnnostatError(
            f"{data.path!r} has no database_split/subgroup_*.txt beside it: which patients are "
            "for training?"
        )
    rows = rows[rows["split"] == CAMUS_SPLITS[split]]
    wanted = data.wanted(split)
    rows = rows.head(wanted) if wanted else rows
    if rows.empty:
        raise AnnostatError(
            f"{data.path!r} has no {data.view} view of a patient in subgroup_{CAMUS_SPLITS[split]}"
        )
    check_clips(teachers, list(rows["item"]))
    for row in rows.itertuples():
        image = folder.image(str(row.item), "sequence")
        frames = image.squared(data.size).astype(np.uint8)
        facts = {
            "name": row.item, "ed": row.ed_frame, "es": row.es_frame, "ef": row.ef, "fps": row.fps,
            "quality": row.quality,
        }  # fmt: skip
        if teachers:
            targets = _targets(data, teachers, Source(str(row.item), frames))
        else:
            labels = folder.image(str(row.item), "sequence", labels=True)
            if labels.values.shape != image.values.shape:
                raise AnnostatError(
                    f"masks of {row.item!r} have shape {labels.values.shape}, its frames "
                    f"{image.values.shape}"
                )
            square = labels.squared(data.size, mask=True)
            targets = np.stack(
                [255 * (square == CAMUS_LABELS[s]).astype(np.uint8) for s in data.structures], 1
            )
        yield Example(str(row.item), frames, targets, facts)
