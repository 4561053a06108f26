"""Every clip is measured once, in any number of processes, and written to a journal at once.

The journal has one line of JSON for each clip, appended in one piece by whoever measured it: a run
that is killed has lost at most the clips that were being decoded, and the next run begins there.
A line counts as long as the files that it is about have the same size and time of change, and it is
as it was written: it ends in a check sum, and what somebody changed is measured again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from annostat.datasets import video
from annostat.datasets.audit.signs import SIGNS_VERSION, Meter
from annostat.errors import AnnostatError, is_interrupt, printable
from annostat.files import claim
from annostat.resampling.parallel import Progress, map_parallel

FEW = 64  # fewer clips are measured here: processes take longer to start
MAX_BYTES = video.MAX_CLIP_BYTES


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be measured of one item: its frames, and its masks at ED and ES if it has any."""

    item: str
    path: Path | None
    masks: tuple[Path | None, ...] = ()

    @property
    def state(self) -> list[list[int]]:
        """Size and time of change of each file: another state is another clip."""
        states = []
        for path in (self.path, *self.masks):
            try:
                facts = None if path is None else path.stat()
            except OSError:
                facts = None
            states.append([] if facts is None else [facts.st_size, facts.st_mtime_ns])
        return states


Record = dict[str, Any]


def measure_all(
    tasks: Sequence[Task],
    *,
    journal: Path | None = None,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> dict[str, Record]:
    """Return a record for each item, from the journal where it has one."""
    known = read_journal(journal, tasks)
    todo = [task for task in tasks if task.item not in known]
    if journal is not None:
        place = claim(journal)
        if todo:
            _begin(place)

    def told(done: int, _: int) -> None:
        if progress is not None:
            progress(len(known) + done, len(tasks))

    fresh = map_parallel(
        partial(measure, journal=None if journal is None else str(journal)),
        todo,
        n_jobs=1 if n_jobs and len(todo) < FEW else n_jobs,
        progress=told,
        processes=True,
    )
    found = known | {record["item"]: record for record in fresh}
    return {task.item: found[task.item] for task in tasks}


def measure(task: Task, journal: str | None = None) -> Record:
    """Measure one item; whatever its files do, a record comes back."""
    record: Record = {"v": SIGNS_VERSION, "item": task.item, "state": task.state}
    record["error"] = None
    meter = Meter()
    if task.path is not None:
        try:
            with _frames(task.path) as (stated, frames):
                record["stated"] = stated
                room = MAX_BYTES // (stated["height"] * stated["width"])
                for number, frame in enumerate(frames):
                    if number >= room:
                        raise AnnostatError(f"it takes more than {MAX_BYTES:,} bytes when decoded")
                    meter.add(frame)
        except Exception as error:  # decoders raise many kinds for broken files
            if is_interrupt(error):
                raise KeyboardInterrupt from error
            record["error"] = _one_line(error)
        # What came before the error is still worth knowing.
        record["signs"] = meter.signs()
    if task.masks:
        from annostat.datasets.audit.camus_masks import measure_masks

        record["masks"] = measure_masks(task.masks)
    if journal is not None:
        _append(journal, signed(record))
    return record


@contextmanager
def _frames(path: Path) -> Iterator[tuple[dict[str, Any], Iterator[NDArray[Any]]]]:
    if path.suffix.lower() in video.SUFFIXES:
        with video.decoding(path) as (info, frames):
            stated = {name: getattr(info, name) for name in info.__slots__}
            stated["fps"] = info.fps if info.fps == info.fps else None
            yield stated, frames
        return
    from annostat.datasets.camus import read_image

    values = read_image(path).values
    height, width = values.shape[-2:]
    sequence = values.reshape(-1, height, width)
    if sequence.dtype.itemsize > 1:  # signs are for bytes: the range that is there, to 0 ... 255
        top = max(float(sequence.max()), 1.0)
        sequence = (sequence.clip(0) * (255.0 / top)).astype("uint8")
    stated = {
        "height": height,
        "width": width,
        "n_frames": len(sequence),
        "fps": None,
        "complete": True,
        "intra": True,
    }
    yield stated, iter(sequence)


def _one_line(error: Exception) -> str:
    text = str(error) if isinstance(error, AnnostatError) else f"{type(error).__name__}: {error}"
    if not isinstance(error, AnnostatError) and type(error).__module__.startswith("av."):
        text = str(getattr(error, "strerror", "") or error)
    return printable(" ".join(text.split()))[:200]


# The journal


def signed(record: Record) -> str:
    """Return a record as a line of JSON whose last entry is the check sum of all others."""
    text = json.dumps(record, separators=(",", ":"), allow_nan=False)
    return f'{text[:-1]},"sum":"{hashlib.sha256(text.encode()).hexdigest()[:32]}"}}'


def _as_written(line: bytes) -> Record:
    """Return the record of a line; a `ValueError` if it is not as it was written."""
    record = json.loads(line)
    record.pop("sum")
    if signed(record) != line.decode("ascii").rstrip("\n"):
        raise ValueError("changed since it was written")
    return dict(record)


def read_journal(journal: Path | None, tasks: Sequence[Task]) -> dict[str, Record]:
    """Return the records that still hold; lines that a killed run left unfinished are ignored."""
    if journal is None or not journal.exists():
        return {}
    if not journal.is_file():
        raise AnnostatError(f"journal: {str(journal)!r} is no file")
    found: dict[str, Record] = {}
    theirs = lines = 0
    with journal.open("rb") as stream:
        for line in stream:
            lines += 1
            try:
                found_there = json.loads(line)
                theirs += "v" in found_there and "item" in found_there
                if found_there["v"] == SIGNS_VERSION:
                    record = _as_written(line)
                    found[record["item"]] = record
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue
    if lines > 1 and not theirs:
        raise AnnostatError(f"journal: {str(journal)!r} is no journal of an audit; name another")
    return {
        task.item: found[task.item]
        for task in tasks
        if task.item in found and found[task.item].get("state") == task.state
    }


def _begin(journal: Path) -> None:
    """Make sure that the journal can be written, and that its last line is ended."""
    try:
        with journal.open("ab+") as stream:
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    stream.write(b"\n")
    except OSError as error:
        raise AnnostatError(
            f"journal: {str(journal)!r} cannot be written: {error.strerror}"
        ) from None


def _append(journal: str, line: str) -> None:
    handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(handle, line.encode("utf-8") + b"\n")
    finally:
        os.close(handle)
