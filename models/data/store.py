"""Clips, their targets and people's outlines on disk as arrays of uint8, mapped into memory.

All frames of all clips stand one after the other. A store is made clip by clip with a journal, so
that one cut short by a crash is gone on with; the index is written last.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.errors import shown
from annostat.files import write_text
from annostat.results import plain

Bytes = NDArray[np.uint8]
VERSION = 2  # of the files; part of the key, so that older ones are made again


@dataclass(frozen=True)
class Outline:
    """What one person drew on one frame.

    Attributes
    ----------
    frame : int
        From 0.
    structure : str
    annotator : int
        0, 1, ...; which person it is need not be known.
    mask : uint8 array of shape (H, W)
        255 inside.
    """

    frame: int
    structure: str
    annotator: int
    mask: Bytes


@dataclass(frozen=True)
class Example:
    """One clip: frames (T, H, W), targets (T, K, H, W) or None, people's outlines; all uint8."""

    name: str
    frames: Bytes
    targets: Bytes | None
    facts: dict[str, Any] = field(default_factory=dict)
    outlines: Sequence[Outline] = ()


@dataclass(frozen=True)
class Unreadable:
    """A clip that cannot be used, and why."""

    name: str
    why: str


Made = Sequence[Example | Unreadable]


@dataclass(frozen=True)
class Recipe:
    """How a store is made: group by group, in order.

    Attributes
    ----------
    n : int
        Number of groups.
    group : callable
        Number of a group in, its clips out; always the same ones.
    kind : str
        What the targets are, as in `Store`.
    notes : sequence of str
    workers : int
        Threads that make groups at the same time.
    """

    n: int
    group: Callable[[int], Made]
    kind: str = "truth"
    notes: Sequence[str] = ()
    workers: int = 1


@dataclass(frozen=True)
class Store:
    """Clips one after the other.

    Attributes
    ----------
    names : list of str
    lengths, offsets : int64 arrays of shape (n,)
        Number of frames of each clip, and where it begins.
    frames : uint8 array of shape (ΣT, H, W)
    targets : uint8 array of shape (ΣT, K, H, W), or None
        Soft masks, 255 for certain; None if the clips have people's outlines only.
    facts : list of dict
        What is known about each clip (for the phantom: the truth).
    kind : str
        What the targets are: "truth", "labels" (people's, of all frames), "teachers" or "none".
    outlines : list of list of Outline
        What people drew on single frames, for each clip.
    skipped : list of Unreadable
        Clips that are listed and could not be read.
    notes : list of str
        What a reader of scores must know about these clips.
    people : list of str
        Who the annotators of the outlines are, by number; empty where nobody knows.
    """

    names: list[str]
    lengths: NDArray[np.int64]
    frames: Bytes
    targets: Bytes | None
    facts: list[dict[str, Any]]
    kind: str = "truth"
    outlines: list[list[Outline]] = field(default_factory=list)
    skipped: list[Unreadable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    offsets: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "offsets", np.cumsum(self.lengths) - self.lengths)

    def __len__(self) -> int:
        return len(self.names)

    def clip(self, k: int) -> Example:
        """Return clip number k."""
        rows = slice(int(self.offsets[k]), int(self.offsets[k] + self.lengths[k]))
        targets = None if self.targets is None else self.targets[rows]
        outlines = self.outlines[k] if self.outlines else ()
        return Example(self.names[k], self.frames[rows], targets, self.facts[k], outlines)

    @property
    def has_outlines(self) -> bool:
        """Whether people have drawn on some frame."""
        return any(self.outlines)

    def messages(self) -> list[str]:
        """Return what a person should be told of these clips."""
        out = list(self.notes)
        if self.skipped:
            names = shown(f"{s.name} ({s.why})" for s in self.skipped)
            out.append(f"{clips(len(self.skipped))} cannot be read and left out: {names}")
        return out


def clips(n: int) -> str:
    """Return a number of clips in words."""
    return "1 clip" if n == 1 else f"{n} clips"


def make_store(
    folder: Path,
    key: dict[str, Any],
    make: Callable[[], Recipe],
    *,
    progress: Callable[[int], None] | None = None,
) -> Store:
    """Return the store of `key` under `folder`, made if it is not there yet."""
    text = json.dumps(plain({"version": VERSION, **key}), sort_keys=True)
    target = folder / f"clips-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
    if not (target / "index.json").exists():
        recipe = make()  # may find that something is missing
        target.mkdir(parents=True, exist_ok=True)
        _write(target, recipe, progress)
    return read_store(target)


FILES = ("frames.u8", "targets.u8", "outlines.u8")
JOURNAL = "made.jsonl"  # a line for each group, with the files' sizes after it


def _write(target: Path, recipe: Recipe, progress: Callable[[int], None] | None) -> None:
    """Make what is not made yet, and the index at last."""
    lines = _made(target)
    shapes = {tuple(line["shape"]) for line in lines if line["shape"]}
    n = sum(len(line["clips"]) for line in lines)
    with ExitStack() as stack:
        files = [stack.enter_context(open(target / name, "ab")) for name in FILES]
        journal = stack.enter_context(open(target / JOURNAL, "a", encoding="utf-8"))
        for group in in_order(recipe.group, len(lines), recipe.n, recipe.workers):
            line: dict[str, Any] = {"clips": [], "skipped": [], "shape": None}
            for example in group:
                if isinstance(example, Unreadable):
                    line["skipped"].append({"name": example.name, "why": example.why})
                    continue
                shapes.add(now := _shape_of(example))
                if len(shapes) > 1:
                    raise AnnostatError(
                        f"clip {example.name!r} has targets and frames of shape {now}, those "
                        f"before it {next(iter(shapes - {now}))}: all clips of a store must agree"
                    )
                _append(files, example)
                line["clips"].append(_row(example))
                line["shape"] = list(now)
            for file in files:
                file.flush()
            line["sizes"] = [file.tell() for file in files]
            journal.write(json.dumps(line) + "\n")
            journal.flush()
            lines.append(line)
            n += len(line["clips"])
            if progress is not None:
                progress(n)
    rows, skipped = ([row for line in lines for row in line[k]] for k in ("clips", "skipped"))
    if not rows:
        why = f": {skipped[0]['name']} {skipped[0]['why']}" if skipped else ""
        what = "no clip can be read" if skipped else "there are no clips"
        shutil.rmtree(target)
        raise AnnostatError(f"{what}; the folder or the split is empty{why}")
    head = {"shape": list(shapes.pop()), "kind": recipe.kind, "notes": list(recipe.notes)}
    write_text(target / "index.json", json.dumps({**head, "clips": rows, "skipped": skipped}))
    (target / JOURNAL).unlink()


def _made(target: Path) -> list[dict[str, Any]]:
    """Return the journal of what an earlier process made whole; files are cut to that."""
    lines: list[dict[str, Any]] = []
    try:
        text = (target / JOURNAL).read_text(encoding="utf-8")
        sizes = [(target / name).stat().st_size for name in FILES]
        for line in text.splitlines():
            made = json.loads(line)
            if any(a < b for a, b in zip(sizes, made["sizes"], strict=True)):
                break
            lines.append(made)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # a line cut short is the last one; without a journal nothing is made
    for k, name in enumerate(FILES):
        with open(target / name, "ab") as file:
            file.truncate(lines[-1]["sizes"][k] if lines else 0)
    write_text(target / JOURNAL, "".join(json.dumps(line) + "\n" for line in lines))
    return lines


def _append(files: Sequence[BinaryIO], example: Example) -> None:
    frames, targets, outlines = files
    frames.write(np.ascontiguousarray(example.frames, np.uint8).tobytes())
    if example.targets is not None:
        targets.write(np.ascontiguousarray(example.targets, np.uint8).tobytes())
    for outline in example.outlines:
        outlines.write(np.ascontiguousarray(outline.mask, np.uint8).tobytes())


def _row(example: Example) -> dict[str, Any]:
    return {
        "name": example.name,
        "length": len(example.frames),
        "facts": plain(example.facts),
        "outlines": [[o.frame, o.structure, o.annotator] for o in example.outlines],
    }


def in_order(
    function: Callable[[int], Made], start: int, stop: int, workers: int
) -> Iterator[Made]:
    """Yield function(start), ..., function(stop − 1), made by some threads at the same time."""
    if workers < 2:
        yield from map(function, range(start, stop))
        return
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future[Made]] = deque()
        for k in range(start, stop):
            waiting.append(pool.submit(function, k))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _shape_of(example: Example) -> tuple[int, ...]:
    """Return (structures, H, W), with 0 structures for a clip without targets."""
    size, targets = example.frames.shape[1:], example.targets
    if targets is None:
        return (0, *size)
    if targets.shape[2:] != size or len(targets) != len(example.frames):
        raise AnnostatError(
            f"clip {example.name!r} has frames {example.frames.shape} and targets "
            f"{targets.shape}; they must agree"
        )
    return tuple(targets.shape[1:])


def read_store(folder: Path) -> Store:
    """Return a store as it stands on disk."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        k, height, width = index["shape"]
        rows = index["clips"]
        lengths = np.array([row["length"] for row in rows], dtype=np.int64)
        total, drawn = int(lengths.sum()), sum(len(row["outlines"]) for row in rows)
        frames = _mapped(folder / "frames.u8", (total, height, width))
        targets = _mapped(folder / "targets.u8", (total, k, height, width)) if k else None
        masks = _mapped(folder / "outlines.u8", (drawn, height, width)) if drawn else None
        skipped = [Unreadable(row["name"], row["why"]) for row in index["skipped"]]
        kind, notes = index["kind"], index["notes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnnostatError(
            f"the clips in {str(folder)!r} cannot be read ({error}); delete the folder"
        ) from None
    each = iter(()) if masks is None else iter(masks)
    outlines = [
        [Outline(int(f), str(s), int(a), next(each)) for f, s, a in row["outlines"]] for row in rows
    ]
    names, facts = [row["name"] for row in rows], [row["facts"] for row in rows]
    return Store(names, lengths, frames, targets, facts, kind, outlines, skipped, notes)


def _mapped(path: Path, shape: tuple[int, ...]) -> Bytes:
    return np.memmap(path, np.uint8, "r", shape=shape)
