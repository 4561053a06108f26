"""Frames per second of clips, from a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from annostat import AnnostatError
from annostat.errors import check_number, shown
from models.data.clip_files import VIDEOS


def read_rates(path: str | Path, names: Sequence[str]) -> list[float]:
    """Return the frames per second of clips from a table such as EchoNet's FileList.csv.

    Parameters
    ----------
    path : path
        CSV with a column "FileName" or "clip", and "FPS" (or "fps").
    names : sequence of str
        The clips, without the suffix of a video.

    Raises
    ------
    AnnostatError
        If the table cannot be read, lacks a column or a clip, or a rate is no number.
    """
    where = Path(path).name
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnnostatError(f"{where!r} cannot be read: {error}") from None
    columns = list(rows[0]) if rows else []
    item = next((c for c in ("FileName", "clip") if c in columns), None)
    rate = next((c for c in ("FPS", "fps") if c in columns), None)
    if item is None or rate is None:
        raise AnnostatError(
            f"{where!r} needs the columns FileName (or clip) and FPS, got {shown(columns, 8)}"
        )
    found = {_name(row[item]): row[rate] for row in rows}
    lacking = [name for name in names if name not in found]
    if lacking:
        raise AnnostatError(f"{where!r} has no FPS of {len(lacking)} clips: {shown(lacking)}")
    return [check_number(f"FPS of {name!r}", found[name], low=0.0, text=True) for name in names]


def _name(item: str) -> str:
    path = Path(item)
    return path.stem if path.suffix.lower() in VIDEOS else item
