"""Clips and their targets on disk as two arrays of uint8, mapped into memory.

All frames of all clips stand one after the other. The index is written last, so that a store cut
short by a crash is made again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.estimates import plain
from annostat.files import write_text


@dataclass(frozen=True)
class Example:
    """One clip with its targets: frames (T, H, W), targets (T, K, H, W), both uint8."""

    name: str
    frames: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Store:
    """Clips one after the other.

    Attributes
    ----------
    names : list of str
    lengths, offsets : int64 arrays of shape (n,)
        Number of frames of each clip, and where it begins.
    frames : uint8 array of shape (ΣT, H, W)
    targets : uint8 array of shape (ΣT, K, H, W)
        Soft masks, 255 for certain.
    facts : list of dict
        What is known about each clip (for the phantom: the truth).
    """

    names: list[str]
    lengths: NDArray[np.int64]
    frames: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    facts: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each clip begins."""
        return np.cumsum(self.lengths) - self.lengths

    def clip(self, k: int) -> Example:
        """Return clip number k."""
        rows = slice(int(self.offsets[k]), int(self.offsets[k] + self.lengths[k]))
        return Example(self.names[k], self.frames[rows], self.targets[rows], self.facts[k])


def make_store(
    folder: Path,
    key: dict[str, Any],
    examples: Callable[[], Iterable[Example]],
    *,
    progress: Callable[[int], None] | None = None,
) -> Store:
    """Return the store of `key` under `folder`, made from the examples if it is not there yet."""
    text = json.dumps(plain(key), sort_keys=True)
    target = folder / f"clips-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
    if not (target / "index.json").exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        _write(target, examples(), progress)
    return read_store(target)


def _write(target: Path, examples: Iterable[Example], progress: Any) -> None:
    rows: list[dict[str, Any]] = []
    shape: tuple[int, ...] | None = None
    with open(target / "frames.u8", "wb") as frames, open(target / "targets.u8", "wb") as targets:
        for example in examples:
            now = example.targets.shape[1:]
            shape = shape or now
            t = example.frames.shape[0]
            if now != shape or example.frames.shape[1:] != shape[1:] or len(example.targets) != t:
                raise AnnostatError(
                    f"clip {example.name!r} has frames {example.frames.shape} and targets "
                    f"{example.targets.shape}; they must agree, and with the clips before: {shape}"
                )
            frames.write(np.ascontiguousarray(example.frames, np.uint8).tobytes())
            targets.write(np.ascontiguousarray(example.targets, np.uint8).tobytes())
            rows.append({"name": example.name, "length": t, "facts": plain(example.facts)})
            if progress is not None:
                progress(len(rows))
    if shape is None:
        raise AnnostatError("there are no clips: the folder or the split is empty")
    write_text(target / "index.json", json.dumps({"shape": list(shape), "clips": rows}))


def read_store(folder: Path) -> Store:
    """Return a store as it stands on disk."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        k, height, width = index["shape"]
        lengths = np.array([row["length"] for row in index["clips"]], dtype=np.int64)
        total = int(lengths.sum())
        frames = np.memmap(folder / "frames.u8", np.uint8, "r", shape=(total, height, width))
        targets = np.memmap(folder / "targets.u8", np.uint8, "r", shape=(total, k, height, width))
    except (OSError, ValueError, KeyError) as error:
        raise AnnostatError(
            f"the clips in {str(folder)!r} cannot be read ({error}); delete the folder"
        ) from None
    clips = index["clips"]
    return Store(
        [row["name"] for row in clips], lengths, frames, targets, [row["facts"] for row in clips]
    )
