"""Files that are written whole or not at all, and never in place of what a run reads.

What a person may name as an output, and what happens:

- a new file, an earlier result: it is there whole, or as it was; an earlier one keeps its mode;
- a link: its target is written, the link stays;
- a FIFO, a device, standard output: the whole output is sent there, nothing is replaced;
- an input of the same run, another output of it, a folder, a write-protected file: an error.

The command line opens a run (`one_run`), readers say what they read (`reading`); from Python
nothing is noted unless a run is open.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from annostat.errors import AnnostatError

__all__ = [
    "Run",
    "claim",
    "one_run",
    "plain_cell",
    "reading",
    "safe_cell",
    "write_text",
    "write_whole",
]

PATIENCE = 10.0  # seconds that a FIFO without a reader is waited for
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what a cell begins with that is calculated
STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}

AnyPath = str | os.PathLike[str]


@dataclass
class Run:
    """What one run has read and written so far, as the paths were named."""

    inputs: dict[str, None] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)  # by the path without links


_RUNS: list[Run] = []


@contextmanager
def one_run() -> Iterator[None]:
    """Open a run: until it ends, no output may replace an input of it or another output."""
    _RUNS.append(Run())
    try:
        yield
    finally:
        _RUNS.pop()


def reading(*paths: AnyPath) -> None:
    """Note the files that are read; outputs of the same run will not replace them."""
    if _RUNS:
        _RUNS[-1].inputs.update((str(path), None) for path in paths)


def claim(path: AnyPath) -> Path:
    """Return where an output goes, links followed, after refusing what must not be replaced.

    Parameters
    ----------
    path : path
        As a person named it.

    Raises
    ------
    AnnostatError
        If it is a folder, is write-protected, was read in this run, or was written in it.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise AnnostatError(f"{str(path)!r} cannot be written: it is a folder; name a file")
    facts = _facts(target)
    if facts is not None and not os.access(target, os.W_OK):
        raise AnnostatError(f"{str(path)!r} cannot be written: it is write-protected")
    if not _RUNS or (facts is not None and not stat.S_ISREG(facts.st_mode)):
        return target
    run = _RUNS[-1]
    if facts is not None:
        for name in run.inputs:
            if _same(_facts(name), facts):
                raise AnnostatError(
                    f"{str(path)!r} is an input of this run and is not replaced; name another file"
                )
    for place, name in run.outputs.items():
        if place == str(target) or (facts is not None and _same(_facts(place), facts)):
            raise AnnostatError(
                f"two outputs of this run are one file: {name!r} and {str(path)!r}; name another"
            )
    run.outputs[str(target)] = os.fspath(path)
    return target


def check_outputs(outputs: Mapping[str, AnyPath], inputs: Iterable[AnyPath]) -> None:
    """Refuse outputs, by the names of their options, that are one file, an input, or impossible.

    Writing sees the same; this is for the time before the work.
    """
    seen: dict[str, str] = {}
    given = [_facts(path) for path in inputs]
    for name, path in outputs.items():
        if _is_stream(path):
            continue
        facts, place = _facts(path), os.path.realpath(path)
        if facts is not None and stat.S_ISDIR(facts.st_mode):
            raise AnnostatError(f"{str(path)!r} cannot be written: it is a folder; name a file")
        above = os.path.dirname(place)
        if not os.path.isdir(above):
            raise AnnostatError(f"{str(path)!r} cannot be written: there is no folder {above!r}")
        if not os.access(above, os.W_OK):
            why = os.strerror(errno.EACCES)
            raise AnnostatError(f"{str(path)!r} cannot be written: {why}")
        if facts is not None and any(_same(other, facts) for other in given):
            raise AnnostatError(
                f"{name} {str(path)!r} is an input of this run and is not replaced; name another "
                "file"
            )
        if place in seen:
            raise AnnostatError(
                f"{name} and {seen[place]} are one file, {str(path)!r}; name another"
            )
        seen[place] = name


def write_whole(path: AnyPath, write: Callable[[IO[bytes]], Any]) -> None:
    """Let `write` fill a file, then put it in place in one step.

    Parameters
    ----------
    path : path
        Links are followed; a file that is there keeps its mode. To a FIFO, a device or standard
        output (`/dev/stdout`, `/dev/fd/N`) the bytes are sent when `write` is done.
    write : callable
        Called with a binary stream that can be sought.

    Raises
    ------
    AnnostatError
        If the file cannot be written, is a folder or write-protected, or is an input or another
        output of the run that is open. The path is then as it was.
    """
    if _is_stream(path):
        held = io.BytesIO()
        write(held)
        _send(path, held.getvalue())
        return
    target = claim(path)
    try:
        # Not the whole name: with a prefix it could be longer than a file system takes.
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
    except OSError as error:
        raise AnnostatError(f"{str(path)!r} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
        _as_before(target, name)
        os.replace(name, target)
    except OSError as error:
        raise AnnostatError(f"{str(path)!r} cannot be written: {error.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)


def write_text(path: AnyPath, text: str) -> None:
    """Write UTF-8 text, whole or not at all; bytes of names that are no text are escaped."""
    write_whole(path, lambda stream: stream.write(text.encode("utf-8", "backslashreplace")))


def safe_cell(text: str) -> str:
    """Return a cell of a table that no spreadsheet takes for a formula: '=1+1 for =1+1.

    Numbers stay as they are. `plain_cell` is the way back.
    """
    if not text.lstrip("'").startswith(FORMULAS):
        return text
    with suppress(ValueError):
        float(text)
        return text
    return f"'{text}"


def plain_cell(text: str) -> str:
    """Return what `safe_cell` was given."""
    quoted = text.startswith("'") and text.lstrip("'").startswith(FORMULAS)
    return text[1:] if quoted else text


def _as_before(target: Path, name: str) -> None:
    """Give a new file the mode (and, where that is allowed, the owner) of the one it replaces."""
    facts = _facts(target)
    if facts is None:
        os.chmod(name, 0o666 & ~_umask())
        return
    if hasattr(os, "chown") and (facts.st_uid, facts.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(OSError):
            os.chown(name, facts.st_uid, facts.st_gid)
    os.chmod(name, stat.S_IMODE(facts.st_mode))


def _is_stream(path: AnyPath) -> bool:
    """Return whether bytes are sent to a path, and not put in its place."""
    if _descriptor(path) is not None:
        return True
    facts = _facts(path)
    return facts is not None and not (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode))


def _descriptor(path: AnyPath) -> int | None:
    """Return the number of an open file that a path such as /dev/fd/3 means."""
    text = os.path.abspath(path)
    if text in STREAMS:
        return STREAMS[text]
    found = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d{1,6})", text)
    return int(found[1]) if found else None


def _send(path: AnyPath, data: bytes) -> None:
    number = _descriptor(path)
    try:
        if number is not None:
            for stream in (sys.stdout, sys.stderr):  # what was printed before comes before
                stream.flush()
            handle = os.dup(number)
        else:
            handle = _open_stream(path)
        with os.fdopen(handle, "wb") as target:
            target.write(data)
    except BrokenPipeError:
        if number is not None:  # a reader of standard output that has seen enough is no error
            raise
        raise AnnostatError(f"{str(path)!r} cannot be written: its reader is gone") from None
    except OSError as error:
        raise AnnostatError(f"{str(path)!r} cannot be written: {error.strerror}") from None


def _open_stream(path: AnyPath) -> int:
    """Open a FIFO or a device; a FIFO that nobody reads is waited for, but not for ever."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > end:
                raise OSError(errno.ENXIO, "nobody reads from it") from None
            time.sleep(0.05)
        else:
            os.set_blocking(handle, True)
            return handle


def _facts(path: AnyPath) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):  # not there, or a name that no file can have
        return None


def _same(a: os.stat_result | None, b: os.stat_result) -> bool:
    return a is not None and os.path.samestat(a, b)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
