"""What several people read of the same clips: picked frames, ejection fractions, their noise."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from annostat import AnnostatError, Estimate, Interval, Rounds
from annostat.errors import check_number, shown
from annostat.labels.columns import as_numbers, as_text
from annostat.tables import read_table
from models.data.clip_files import VIDEOS
from models.data.reference import is_number
from models.data.store import Store


@dataclass(frozen=True)
class Readings:
    """Rounds of annotation of real clips, one row for each clip of a store.

    Attributes
    ----------
    es : Rounds or None
        Picked frames of end-systole, from 0.
    ef : Rounds or None
        Ejection fractions in percent.
    noise : Estimate or None
        Mean error of one picked frame of end-systole, as fitted elsewhere.
    ed : Rounds or None
        Picked frames of end-diastole.
    """

    es: Rounds | None = None
    ef: Rounds | None = None
    noise: Estimate | None = None
    ed: Rounds | None = None

    def frames(self, phase: str) -> Rounds | None:
        """Return the picked frames of "ES" or "ED"."""
        return self.es if phase == "ES" else self.ed


def with_labels(store: Store, readings: Readings) -> Store:
    """Return a store whose clips without labelled frames have those of the first round.

    Which beat people speak of is then known, as it is where a folder holds tracings.
    """
    if readings.es is None or readings.ed is None:
        return store
    facts = []
    for known, ed, es in zip(
        store.facts, readings.ed.values[:, 0], readings.es.values[:, 0], strict=True
    ):
        named = all(isinstance(known.get(n), (int, float)) for n in ("ed", "es"))
        new = {} if named or not np.isfinite([ed, es]).all() else {"ed": int(ed), "es": int(es)}
        facts.append({**known, **new})
    return replace(store, facts=facts)


CLIP = ("clip", "filename")  # columns that name the clips, in any case
UNITS = {"es": "frames", "ed": "frames", "ef": "points"}
EXPECTED = (
    "name the clips in clip (or FileName) and what was read in columns es…, ed… (picked frames, "
    "from 0) or ef… (percent), such as clip,es_first,es_second,ef_first,ef_second"
)


def read_readings(path: str | Path, store: Store) -> tuple[Readings, str]:
    """Return what people read of a store's clips, from one table, and in words what was taken.

    Parameters
    ----------
    path : path
        A table with a column "clip" or "FileName", whose names may end in a video's suffix, and
        columns whose names begin with the words "es", "ed" (frames, from 0) or "ef" (percent), in
        any case. Of several columns of a kind each is a round, the first one the reference; a
        single one is the second round, after the folder's own labels. Other columns are not used.
    store : Store
        Rounds have a row for each of its clips, NaN where the table has none.

    Raises
    ------
    AnnostatError
        If the table cannot be read, has no such columns, a clip twice, or fewer than two of the
        clips; or if there is a single column and the folder lists nothing to go with it.
    """
    table = read_table(path, keep_text=[])
    columns = [str(c) for c in table.columns]
    clip = next((c for c in columns if c.lower() in CLIP), None)
    kinds = {kind: [c for c in columns if kind_of(c) == kind] for kind in UNITS}
    if clip is None or not any(kinds.values()):
        raise AnnostatError(f"{str(path)!r} has columns {shown(columns)}: {EXPECTED}")
    items = np.array([_name(text) for text in as_text(table[clip])])
    again = [name for name, n in Counter(items.tolist()).items() if n > 1]
    if again:
        raise AnnostatError(f"{str(path)!r} has more than one row of {shown(again)}: keep one")
    number = {name: k for k, name in enumerate(items.tolist())}
    rows = np.array([number.get(name, -1) for name in store.names])
    missing = [name for name, k in zip(store.names, rows, strict=True) if k < 0]
    n = len(rows) - len(missing)
    if n < 2:
        raise AnnostatError(
            f"{str(path)!r} has readings of {n} of {len(rows)} clips, not of "
            f"{shown(missing)}: its column {clip} must hold the clips' names"
        )
    found, words = {}, []
    for kind, names in kinds.items():
        if not names:
            continue
        read = [as_numbers(table[c], c, items)[rows] for c in names]
        values = np.where(rows[:, None] >= 0, np.column_stack(read), np.nan)
        if len(names) == 1:
            own = np.array([_own(facts, kind) for facts in store.facts])
            if np.isfinite(own).sum() < 2:
                raise AnnostatError(
                    f"{str(path)!r} has one column of {kind.upper()}, {names[0]}, and the clips' "
                    f"folder lists none: a second round is needed, {kind}_second say"
                )
            names, values = ["the folder's", *names], np.column_stack([own, values])
        found[kind] = Rounds.from_array(values, names=names, items=store.names, unit=UNITS[kind])
        words.append(f"{kind.upper()}: {', '.join(names)}")
    rest = [c for c in columns if c != clip and not kind_of(c)]
    words += [f"not used: {shown(rest)}"] if rest else []
    return Readings(
        found.get("es"), found.get("ef"), None, found.get("ed")
    ), f"{Path(path).name}: {'; '.join(words)}"


def kind_of(column: str) -> str:
    """Return "es", "ed" or "ef" if a column's name begins with that word, else nothing."""
    word = re.match(r"(es|ed|ef)(?![a-z])", column.lower())
    return word[1] if word else ""


def _own(facts: dict[str, Any], kind: str) -> float:
    value = facts.get(kind)
    return float(value) if is_number(value) else math.nan


def _name(item: str) -> str:
    """Return a clip's name without the suffix of a video."""
    stem, dot, suffix = item.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in VIDEOS else item


def read_noise(path: str | Path) -> Estimate:
    """Return the noise of one picked frame from what ``annostat fit-afd --json`` wrote.

    Raises
    ------
    AnnostatError
        If the file is something else, or its unit is neither frames nor ms.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        mae, unit = found["headline"]["mae"], found["unit"] or "frames"
        low, high, level = (mae[k] for k in ("low", "high", "level"))
        value = check_number("mae", mae["value"], low=0.0)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnnostatError(
            f"{str(path)!r} is no result of annostat fit-afd --json ({type(error).__name__}: "
            f"{error})"
        ) from None
    if unit not in ("frames", "ms"):
        raise AnnostatError(f"{str(path)!r} is in {unit!r}: picked frames are in frames or ms")
    interval = None
    if low is not None and high is not None:
        interval = Interval(float(low), float(high), float(level), str(mae["method"]))
    return Estimate(value, mae["standard_uncertainty"], interval, unit)
