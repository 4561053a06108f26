"""The scores of a student as one page to read, without anything from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from annostat.plotting.figures import svg_of
from annostat.report import Part, Picture, part_of, write_report
from models.data.store import Store
from models.evaluation import Evaluation
from models.figures import plot_evaluation
from models.predictions import Predictions

ALT = (
    "Overlaps beside what a perfect model reaches; what a cold start costs; concentration of the "
    "error; picked frames; ejection fractions."
)


def picture_of(figure: Any, alt: str, caption: str) -> Picture:
    """Return a whole figure as a picture of a page."""
    width, height = (round(96 * v) for v in figure.get_size_inches())
    data = base64.b64encode(svg_of(figure)).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{data}", alt, caption, width, height)


def chapters(result: Evaluation, found: Predictions, facts: Sequence[dict[str, Any]]) -> list[Part]:
    """Return the scores, the student in people's places, and the concentration of the error."""
    figure = picture_of(
        plot_evaluation(result, found, facts), ALT, "The scores beside their bounds."
    )
    answer = [f"{name}: {place.answer()}" for name, place in result.places.items()]
    theirs = [] if result.concentration is None else result.concentration.sections()
    titles = {s.title for s in theirs}
    own = [s for s in result.sections() if s.title not in titles]
    parts = [Part.of(result, title="The student", answer=answer, sections=own, pictures=[figure])]
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
    write_report(
        path, parts, title="A student beside its bounds", command="python -m models.evaluate"
    )
