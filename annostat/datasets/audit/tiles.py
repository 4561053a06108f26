"""Pictures for the contact sheet: the frame that a finding is about, with what was traced on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.datasets import video
from annostat.datasets.audit.findings import Finding
from annostat.datasets.audit.sources import Source
from annostat.datasets.camus import read_image
from annostat.datasets.echonet import EchoNet

OF_TRACES = frozenset(
    "several_annotators rows frame_range outside self_intersecting disjoint ed_below_es ef_traced "
    "phases_close phases_apart untraced".split()
)


@dataclass(frozen=True, eq=False, slots=True)
class Tile:
    """One item of a contact sheet.

    Attributes
    ----------
    item : str
    caption : str
        Its reasons.
    frames : tuple of (int, uint8 array of shape (height, width))
        One or two frames with their numbers; none if nothing can be decoded.
    outlines : tuple of tuple of float64 arrays of shape (n, 2)
        For each frame what was traced on it, in pixels.
    """

    item: str
    caption: str
    frames: tuple[tuple[int, NDArray[np.uint8]], ...]
    outlines: tuple[tuple[NDArray[np.float64], ...], ...]


def tile_of(source: Source, item: str, findings: Sequence[Finding]) -> Tile | None:
    """Return the picture of an item, or None if it has no file."""
    path = next((t.path for t in source.tasks if t.item == item), None)
    if path is None:
        return None
    caption = ", ".join(dict.fromkeys(f.reason for f in findings))
    worst = next((f for f in findings if f.frame is not None), findings[0])
    at = max(worst.frame or 0, 1)
    wanted = [at - 1, at]
    echo = source.data
    traced: dict[int, tuple[NDArray[np.float64], ...]] = {}
    if isinstance(echo, EchoNet):
        for trace in echo.traces_of(item):
            traced[trace.frame] = (*traced.get(trace.frame, ()), trace.outline)
        if worst.reason in OF_TRACES and traced:
            wanted = sorted(traced)[:2]
    frames = _decode(path, wanted)
    return Tile(item, caption, frames, tuple(traced.get(number, ()) for number, _ in frames))


def _decode(path: Path, wanted: Sequence[int]) -> tuple[tuple[int, NDArray[Any]], ...]:
    """Return the wanted frames that can be had."""
    found: list[tuple[int, NDArray[Any]]] = []
    try:
        if path.suffix.lower() in video.SUFFIXES:
            for number, frame in enumerate(islice(video.iter_frames(path), max(wanted) + 1)):
                if number in wanted:
                    found.append((number, frame.copy()))
        else:
            values = read_image(path).values
            sequence = values.reshape(-1, *values.shape[-2:])
            found += [(n, sequence[n]) for n in wanted if n < len(sequence)]
    except Exception:  # the audit has told; a picture is made of what there is
        pass
    return tuple(found)
