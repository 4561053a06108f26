"""What every reader of a folder needs: files that stay inside it, and tables with known columns."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError, printable
from annostat.files import reading

if TYPE_CHECKING:
    import pandas as pd

TABLE_BYTES = 1 << 30


@dataclass(frozen=True)
class Listing:
    """The files of a folder by their name without suffix.

    Names are text that can be shown: control characters and bytes that are no UTF-8 are escaped.

    Attributes
    ----------
    files : dict of str to Path
        Sorted by name. Every path lies inside the folder that was asked for.
    outside : tuple of str
        Names of symbolic links that lead out of the folder; they were not followed.
    """

    files: dict[str, Path] = field(default_factory=dict)
    outside: tuple[str, ...] = ()


def open_folder(path: str | os.PathLike[str]) -> Path:
    """Return the folder without symbolic links in its own path."""
    folder = Path(path)
    if not folder.is_dir():
        raise AnnostatError(f"folder: there is no folder {str(path)!r}")
    return folder.resolve()


def is_inside(root: Path, path: Path) -> bool:
    """Return whether a path, its links followed, lies inside `root` (a resolved folder)."""
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, RuntimeError, ValueError):  # a link to itself, a name that none can have
        return False


def plain_name(name: str) -> str:
    """Return a name without what people do not see: case, spaces, the form of its Unicode."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", name)).casefold()


def list_files(root: Path, folder: Path, suffixes: Sequence[str]) -> Listing:
    """List the files of one folder whose names end in one of `suffixes` (lower case)."""
    if not folder.is_dir():
        return Listing()
    if not is_inside(root, folder):
        return Listing({}, (printable(folder.name),))
    found: dict[str, Path] = {}
    outside: list[str] = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            suffix = next((s for s in suffixes if entry.name.lower().endswith(s)), None)
            if suffix is None or entry.name.startswith("."):
                continue
            stem = printable(entry.name[: -len(suffix)])
            path = Path(entry.path)
            # From Python 3.13 a link that leads to itself resolves, but is no file.
            if path.is_symlink() and not (os.path.exists(path) and is_inside(root, path)):
                outside.append(stem)
            elif path.is_file():
                found.setdefault(stem, path)
    reading(*found.values())
    return Listing(found, tuple(outside))


def read_columns(
    root: Path, path: Path, columns: Sequence[str], text: Sequence[str]
) -> pd.DataFrame:
    """Read a text table that must have `columns`; those in `text` stay text, others as they are."""
    from annostat.tables.reading import read_table

    if not is_inside(root, path):
        raise AnnostatError(f"{path.name} is a link that leaves the folder; copy the file into it")
    reading(path)
    if path.stat().st_size > TABLE_BYTES:
        raise AnnostatError(f"{path.name} is larger than 1 GiB, which no list of clips is")
    frame = read_table(path, keep_text=text)
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise AnnostatError(
            f"{path.name} has no column {missing[0]!r} "
            f"(columns: {', '.join(map(str, frame.columns))})"
        )
    return frame


def numbers(frame: pd.DataFrame, column: str) -> pd.Series[float]:
    """Return a column as float64; NaN where it is absent, empty or no number."""
    import numpy as np
    import pandas as pd

    if column not in frame.columns:
        return pd.Series(np.nan, index=frame.index)
    return pd.to_numeric(frame[column], errors="coerce").astype(float)


def unreadable(frame: pd.DataFrame, column: str) -> pd.Series[str]:
    """Return the cells of a column that hold something, and no finite number, as text."""
    import numpy as np

    if column not in frame.columns:
        return frame.index.to_series().astype(str)[:0]
    cells = frame[column].astype(object)
    words = cells.where(cells.notna(), "").astype(str).str.strip()
    found = words[(words != "") & ~np.isfinite(numbers(frame, column))]
    return found.map(printable)


def each_row(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows of a table, columns as attributes."""
    return frame.itertuples(index=False)
