"""Scores of a sweep against the size of its students, with the laws and the ceiling of people.

However large a student is, against one person's outlines it cannot score beyond what a perfect
model does. That ceiling comes from outlines of two people on the same frames, and stands in the
figures with its band.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from annostat import AnnostatError, Estimate
from annostat.plotting import plot_scaling
from annostat.scaling import ScalingComparison, compare_scaling
from models.config import Config

SIZES = {"parameters": "parameters", "gflop": "GFLOP a frame"}
OUTLINED = "Dice {}, outlined frames"  # the row of an evaluation that has the ceiling


def gflop_of(config: Config) -> float:
    """Return billions of floating-point operations that a student takes for a frame.

    A multiplication and an addition are two; only convolutions are counted.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from models.network.weights import make_student

    student = make_student(config.student, len(config.data.structures), engine="plain")
    size = config.data.size
    frames = torch.zeros(1, 1, size, size, dtype=torch.uint8, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        student.eval().to("meta")(frames)
    return int(counter.get_total_flops()) / 1e9


def mean_ceiling(each: Mapping[str, Any], structures: Sequence[str]) -> Estimate | None:
    """Return the ceiling of the mean Dice over structures; None unless each has one.

    Standard uncertainties are averaged: the same clips and people are in all of them.
    """
    found = [each.get(s) for s in structures]
    if not found or any(one is None or one.get("value") is None for one in found):
        return None
    values = [float(one["value"]) for one in found if one]
    spread = [float(one["standard_uncertainty"] or 0) for one in found if one]
    return Estimate(sum(values) / len(values), sum(spread) / len(spread))


def read_ceiling(path: Path, structures: Sequence[str]) -> Estimate:
    """Return the ceiling that `models.evaluate` found for the frames that people outlined.

    Raises
    ------
    AnnostatError
        If the file is something else, or holds no ceiling of some structure.
    """
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))["scores"]
        each = {s: scores[OUTLINED.format(s)]["bound"] for s in structures}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnnostatError(
            f"{str(path)!r} is no evaluation.json with outlined frames of "
            f"{', '.join(structures)} ({type(error).__name__}: {error})"
        ) from None
    found = mean_ceiling(each, structures)
    if found is None:
        raise AnnostatError(
            f"{str(path)!r} holds no ceiling: it needs frames that two people outlined "
            "(python -m models.evaluate --outlines)"
        )
    return found


def laws_of(
    rows: Sequence[Mapping[str, Any]], size: str, ceiling: Estimate | None
) -> ScalingComparison | str:
    """Return the laws of mean Dice against a size, or in words why there are none.

    Parameters
    ----------
    rows : sequence of mappings
        Of one set of test clips, as in `sweep.csv`.
    size : {"parameters", "gflop"}
    ceiling : Estimate, optional
        Mean Dice of a perfect model.
    """
    floor = None
    if ceiling is not None:
        floor = Estimate(1 - ceiling.value, ceiling.standard_uncertainty)
    try:
        return compare_scaling(
            [row[size] for row in rows],
            [row["mean_dice"] for row in rows],
            higher_is_better=True,
            floor=floor,
            size_name=SIZES[size],
            score_name="Dice",
        )
    except AnnostatError as error:
        return f"no law of Dice against {SIZES[size]}: {error}"


def by_set(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rows of each set of test clips, in their order."""
    sets: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        sets.setdefault(str(row["tested_on"]), []).append(row)
    return sets


def plot_laws(found: Mapping[str, Mapping[str, ScalingComparison]]) -> Figure:
    """Return a row of panels for each set of test clips: against parameters and operations."""
    n = len(found)
    figure = Figure(figsize=(12, 4.6 * n), layout="constrained")
    grid = figure.subplots(n, len(SIZES), squeeze=False)
    for panels, (text, laws) in zip(grid, found.items(), strict=True):
        for ax, size in zip(panels, SIZES, strict=True):
            if size not in laws:
                ax.set_visible(False)
                continue
            plot_scaling(laws[size], ax=ax)
            if text:
                ax.set_title(f"{text}\n{ax.get_title()}", fontsize=9)
    return figure


def fit_laws(
    rows: Sequence[Mapping[str, Any]], ceilings: Mapping[str, Estimate | None]
) -> tuple[dict[str, dict[str, ScalingComparison]], list[str]]:
    """Return the laws by set of test clips and size, and what is to be said of them."""
    found: dict[str, dict[str, ScalingComparison]] = {}
    lines = []
    for text, part in by_set(rows).items():
        for size in SIZES:
            law = laws_of(part, size, ceilings.get(text))
            told = law if isinstance(law, str) else f"Dice against {SIZES[size]}: {law.quote()}"
            lines.append(f"{text}: {told}" if text else told)
            if not isinstance(law, str):
                found.setdefault(text, {})[size] = law
    return found, lines
