"""What several people read of the same clips: picked frames, ejection fractions, their noise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from annostat import AnnostatError, Estimate, Interval, Rounds, read_rounds
from annostat.errors import check_number, shown
from models.data.clip_files import VIDEOS
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


def read_readings(path: str | Path, names: Sequence[str], *, unit: str) -> Rounds:
    """Return the rounds of a table for some clips, in their order; NaN where it has none.

    Parameters
    ----------
    path : path
        A table with a column "clip" and one column for each round, the first of which is the
        reference; names may end in a video's suffix.
    names : sequence of str
        The clips.
    unit : str

    Raises
    ------
    AnnostatError
        If the table cannot be read, or holds fewer than two of these clips.
    """
    table = read_rounds(path, item="clip", unit=unit)
    items = [] if table.items is None else [_name(str(item)) for item in table.items]
    rows = dict(zip(items, table.values, strict=True))
    missing = [name for name in names if name not in rows]
    if len(names) - len(missing) < 2:
        raise AnnostatError(
            f"{str(path)!r} has readings of {len(names) - len(missing)} of {len(names)} clips, "
            f"not of {shown(missing)}: its column clip must hold the clips' names"
        )
    nothing = np.full(len(table.names), np.nan)
    values = np.stack([rows.get(name, nothing) for name in names])
    return Rounds.from_array(values, names=list(table.names), items=list(names), unit=unit)


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
