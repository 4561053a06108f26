"""Clips of EchoNet folders, with the outlines that people traced on single frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from annostat import AnnostatError
from annostat.datasets import EchoNet, Trace, read_echonet
from models.data.images import squared
from models.data.settings import Data
from models.data.store import Example, Outline, Recipe, Unreadable
from models.data.targets import Targets, unreadable
from models.data.teachers import Source

SPLITS = {"train": "TRAIN", "valid": "VAL", "test": "TEST"}
TRACED = "LV"  # the one structure that these folders hold outlines of


def echonet_recipe(data: Data, split: str, targets: Targets) -> Recipe:
    """Return the clips of a split; what can be known to fail is told before any is decoded."""
    folder = read_echonet(data.path)
    table = folder.clips.drop_duplicates("clip")
    rows = table[table["split"] == SPLITS[split]]
    rows = rows[rows["clip"].isin(list(folder.videos.files))]
    rows = rows.head(data.wanted(split)) if data.wanted(split) else rows
    if rows.empty:
        raise AnnostatError(
            f"{data.path!r} lists no clip of the split {SPLITS[split]} that has a video"
        )
    targets.check(list(rows["clip"]), needed=split != "test")
    known = set(rows["clip"])
    traced = TRACED in data.structures and any(t.clip in known for t in folder.traces)
    if targets.kind == "none" and not traced:
        raise AnnostatError(
            f"{data.path!r} holds no outlines of people for the split {SPLITS[split]}, and there "
            "are no teachers' masks: nothing is there to score against (data.teachers)"
        )
    listed = rows.to_dict("records")
    phases = folder.phases().set_index("clip").to_dict("index")

    def group(k: int) -> list[Example | Unreadable]:
        return [_example(data, split, targets, folder, listed[k], phases)]

    return Recipe(len(listed), group, targets.kind, targets.notes, targets.workers)


def _example(
    data: Data,
    split: str,
    targets: Targets,
    folder: EchoNet,
    row: dict[Any, Any],
    phases: dict[Any, dict[Any, Any]],
) -> Example | Unreadable:
    name = str(row["clip"])
    try:
        frames = folder.clip(name)
    except AnnostatError as error:
        return unreadable(name, error)
    facts: dict[str, Any] = {"name": name, "ef": row["ef"], "fps": row["fps"]}
    if name in phases:
        ed, es = (int(phases[name][f"{p}_frame"]) for p in ("ed", "es"))
        if max(ed, es) < len(frames):
            facts |= {"ed": ed, "es": es}
    outlines: list[Outline] = []
    if split != "train" and TRACED in data.structures:
        outlines = outlines_of(folder.traces_of(name), frames.shape, data.size)
    made = targets.of(data, Source(name, frames))
    return Example(name, squared(frames, data.size), made, facts, outlines)


def outlines_of(traces: Sequence[Trace], shape: tuple[int, ...], size: int) -> list[Outline]:
    """Return traced outlines as masks of size × size, every annotator's.

    Traces on frames that the clip does not have are left out.
    """
    n_frames, height, width = shape
    out = []
    for trace in traces:
        if 0 <= trace.frame < n_frames:
            mask = 255 * trace.mask(height, width).astype(np.uint8)
            small = squared(mask[None], size)[0]
            out.append(Outline(trace.frame, TRACED, trace.annotator, small))
    return out
