"""The scores of a student as one page to read, without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from annostat.plotting import plot_afd
from annostat.report import Part, Picture, part_of, write_report
from models.data.store import Store
from models.evaluation import Evaluation
from models.figures import plot_overlaps, plot_settling, plot_values
from models.predictions import Predictions


def pictures(
    result: Evaluation, found: Predictions, facts: Sequence[dict[str, Any]]
) -> list[Picture]:
    """Return overlaps, picked frames, ejection fractions and what a cold start costs."""
    rows = sum(row.name.startswith(("Dice", "IoU")) for row in result.rows)
    out = [
        Picture.of(
            plot_overlaps,
            result.rows,
            alt="Dice and IoU, each beside what a perfect model reaches.",
            caption="Overlaps, beside what a perfect model reaches.",
            size=(5.2, 1.8 + 0.25 * rows),
        )
    ]
    beat = None if result.afd is None else result.afd.scores.get("beat")
    if beat is not None:
        out.append(
            Picture.of(
                plot_afd,
                beat,
                alt="Share of clips whose picked frame of ES is within so many frames.",
                caption="Picked frames of ES within the labelled beat.",
            )
        )
    listed = [f.get("ef") for f in facts]
    if any(v is not None for v in listed):
        out.append(
            Picture.of(
                lambda ours, ax: plot_values(ours, listed, ax),
                found.ef,
                alt="The student's ejection fractions over the true or listed ones.",
                caption="Ejection fractions.",
            )
        )
    if result.settled:
        out.append(
            Picture.of(
                plot_settling,
                result.settled,
                alt="Excess of 1 − Dice after a cold start, frame by frame.",
                caption="What a cold start costs: 1 − Dice beyond that of a run that saw all.",
            )
        )
    return out


def chapters(result: Evaluation, found: Predictions, facts: Sequence[dict[str, Any]]) -> list[Part]:
    """Return the scores, the student in people's places, and the concentration of the error."""
    answer = [f"{name}: {place.answer()}" for name, place in result.places.items()]
    theirs = [] if result.concentration is None else result.concentration.sections()
    titles = {s.title for s in theirs}
    own = [s for s in result.sections() if s.title not in titles]
    drawn = pictures(result, found, facts)
    parts = [Part.of(result, title="The student", answer=answer, sections=own, pictures=drawn)]
    parts += [
        replace(part_of(place), title=f"In a person's place: {name}", answer=())
        for name, place in result.places.items()
    ]
    if result.concentration is not None:
        parts.append(part_of(result.concentration))
    return parts


def write_page(path: Path, result: Evaluation, found: Predictions, store: Store) -> None:
    """Write the page, whole or not at all."""
    parts = chapters(result, found, store.facts)
    command = "python -m models.evaluate"
    write_report(path, parts, title="A student beside its bounds", command=command)
