"""What is fuzzed. A target takes bytes and may raise AnnostatError, and nothing else."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

from annostat import AnnostatError, read_rounds

OPTIONS = (
    {},
    {"rounds": ["a", "b"]},
    {"item": "id", "rounds": ["a", "b"], "cluster": "p", "fps": "fps", "length": "n"},
    {"item": "id", "rater": "who", "value": "v", "by": "phase"},
)


def rounds(data: bytes) -> None:
    """Read a table of rounds; the first byte chooses the options and the suffix."""
    how = data[0] if data else 0
    suffix = (".csv", ".tsv", ".csv.gz", ".parquet")[how >> 4 & 3]
    with on_disk(data[1:], suffix) as path, tolerated():
        found = read_rounds(path, **OPTIONS[how & 3])
        found.digest(), found.usable(), found.picks()


TARGETS: dict[str, Callable[[bytes], None]] = {"rounds": rounds}


@contextlib.contextmanager
def on_disk(data: bytes, suffix: str):
    """Yield the path of a file that holds the data."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"input{suffix}"
        path.write_bytes(data)
        yield path


@contextlib.contextmanager
def tolerated():
    """Let pass what a user may see: one clear error, or a warning of annostat's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(AnnostatError):
            yield
