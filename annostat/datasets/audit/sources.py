"""What kind of folder it is, and its items as one table whatever the kind."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from annostat.datasets import video
from annostat.datasets.audit.camus_labels import camus_tasks
from annostat.datasets.audit.measuring import Record, Task
from annostat.datasets.camus import Camus, read_camus
from annostat.datasets.echonet import EchoNet, read_echonet
from annostat.errors import AnnostatError, printable, shown
from annostat.tables.folders import list_files, open_folder

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "item",
    "split",
    "patient",
    "fps",
    "n_frames",
    "height",
    "width",
    "ef",
    "edv_ml",
    "esv_ml",
)


@dataclass(frozen=True, eq=False)
class Source:
    """A folder to audit.

    Attributes
    ----------
    folder : Path
    kind : {"dynamic", "synthetic", "pediatric", "camus", "clips"}
    table : DataFrame
        One row for each listed item, columns `COLUMNS`; NaN or "" where nothing is listed.
    tasks : list of Task
        What is to be measured, listed or not.
    outside : tuple of str
        Links that lead out of the folder.
    data : EchoNet, Camus or None
    """

    folder: Path
    kind: str
    table: pd.DataFrame
    tasks: list[Task]
    outside: tuple[str, ...] = ()
    data: EchoNet | Camus | None = None


def open_source(folder: str | os.PathLike[str]) -> Source:
    """Return the folder as a source; nothing is decoded yet."""
    root = open_folder(folder)
    if (root / "FileList.csv").is_file():
        echo = read_echonet(root)
        files = echo.videos
        tasks = [Task(item, path) for item, path in files.files.items()]
        table = _columns(echo.clips.rename(columns={"clip": "item"}))
        return Source(root, echo.variant, table, tasks, files.outside, echo)
    clips = _plain_clips(root)
    if clips is not None:
        return clips
    try:
        camus = read_camus(root)
    except AnnostatError:
        inner = [printable(p.parent.name) for p in sorted(root.glob("*/FileList.csv"))]
        if inner:
            raise AnnostatError(
                f"folder: {str(folder)!r} holds several data sets, {shown(inner)}: "
                "audit one of them"
            ) from None
        masks = list_files(root, root, (".npz",)).files
        what = "masks and no clips" if masks else "no clips"
        raise AnnostatError(
            f"folder: {str(folder)!r} holds {what}: it takes FileList.csv with Videos/ "
            f"(EchoNet), patient0001/ and so on (CAMUS), or files {', '.join(video.SUFFIXES)}, "
            "in it or in folders that are its splits"
        ) from None
    return Source(camus.folder, "camus", _columns(camus.table), camus_tasks(camus), (), camus)


def _plain_clips(root: Path) -> Source | None:
    """Return a folder of clips; clips in a folder of it belong to the split of that name."""
    tasks, splits, outside = [], [], []
    places = [root, *sorted(p for p in root.iterdir() if p.is_dir() and p.name[0] != ".")]
    for place in places:
        listing = list_files(root, place, video.SUFFIXES)
        own = printable(place.name)
        prefix = "" if place == root else f"{own}/"
        outside += [prefix + name if name != own else name for name in listing.outside]
        for name, path in listing.files.items():
            tasks.append(Task(prefix + name, path))
            splits.append("" if place == root else own.upper())
    if not tasks:
        return None
    import pandas as pd

    table = pd.DataFrame({"item": [t.item for t in tasks], "split": splits})
    return Source(root, "clips", _columns(table), tasks, tuple(outside))


def _columns(table: pd.DataFrame) -> pd.DataFrame:
    table = table.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    table["split"] = table["split"].fillna("").astype(str)
    table["patient"] = table["patient"].astype(object).where(table["patient"].notna(), None)
    numeric = [c for c in COLUMNS if c not in ("item", "split", "patient")]
    table[numeric] = table[numeric].astype(float)
    return table


def with_measured(table: pd.DataFrame, records: dict[str, Record]) -> pd.DataFrame:
    """Return the table with what the files say where the list says nothing."""
    filled = table.copy()
    for name in ("fps", "n_frames", "height", "width"):
        found = []
        for item in filled["item"]:
            record = records.get(item, {})
            part = record.get("stated" if name == "fps" else "signs", {})
            value = part.get(name)
            found.append(np.nan if not value else float(value))
        listed = filled[name].to_numpy(float)
        filled[name] = np.where(np.isnan(listed), found, listed)
    return filled
