"""Chapters of the report: what each kind of result shows. A chapter computes nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

from annostat.errors import AnnostatError
from annostat.estimates import Check, Provenance, Section
from annostat.noise import NoiseComparison

ORDER = {False: 0, None: 1, True: 2}


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as a data address, with the words for those who cannot see it."""

    source: str
    alt: str
    caption: str
    width: int
    height: int

    @classmethod
    def of(
        cls,
        draw: Callable[..., Any],
        result: Any,
        *,
        alt: str,
        caption: str,
        size: tuple[float, float] = (5.2, 3.9),
        **options: Any,
    ) -> Picture:
        """Return what ``draw(result, ax=...)`` draws, as SVG within the page."""
        from annostat.plotting.figures import new_figure, svg_of

        figure, ax = new_figure(size)
        draw(result, ax=ax, **options)
        data = base64.b64encode(svg_of(figure)).decode("ascii")
        width, height = (round(96 * v) for v in size)
        return cls(f"data:image/svg+xml;base64,{data}", alt, caption, width, height)


@dataclass(frozen=True)
class Part:
    """One chapter.

    Attributes
    ----------
    title : str
    answer : sequence of str
        The sentences that go to the top of the page.
    intro : sequence of str
        Sentences at the head of the chapter.
    sections : sequence of Section
        Tables and lines.
    more : sequence of Section
        Tables that are folded away until a reader opens them.
    checks : sequence of Check
    pictures : sequence of Picture
    provenance : Provenance or None
    """

    title: str
    answer: Sequence[str] = ()
    intro: Sequence[str] = ()
    sections: Sequence[Section] = ()
    more: Sequence[Section] = ()
    checks: Sequence[Check] = ()
    pictures: Sequence[Picture] = ()
    provenance: Provenance | None = None

    @classmethod
    def of(cls, result: Any, **known: Any) -> Part:
        """Return a chapter with the result's own sections, its checks and its provenance.

        The first section's lines become the introduction, and the section of checks is left to
        the page.
        """
        checks = sorted(getattr(result, "checks", ()), key=lambda c: ORDER[c.passed])
        sections = [s for s in result.sections() if s.title != "Checks"]
        if sections and not sections[0].columns and "intro" not in known:
            known["intro"] = sections.pop(0).lines
        known.setdefault("sections", sections)
        return cls(checks=checks, provenance=getattr(result, "provenance", None), **known)


@singledispatch
def part_of(result: Any) -> Part:
    """Return the chapter of a result."""
    raise AnnostatError(f"results: a {type(result).__name__} has no chapter in the report")


@part_of.register
def _noise(result: NoiseComparison) -> Part:
    from annostat.plotting import plot_differences, plot_noise_law, plot_windows

    unit, best = result.mae.unit, result.best
    answer = (
        f"One annotation is off by {result.mae.short()} {unit} on average ({result.mae.range()}; "
        f"{best.label}): on average, no model can look better than that against one annotation."
    )
    pictures = (
        Picture.of(
            plot_differences,
            result,
            alt="Counts of the differences between two annotations on a logarithmic scale, with "
            f"the laws fitted to them: {best.label} fits best.",
            caption="What two annotators differ by, with the laws fitted to it.",
        ),
        Picture.of(
            plot_noise_law,
            result,
            alt=f"Law of one annotation's error; its mean absolute value is {result.mae}.",
            caption="The law of one annotation's error.",
        ),
        Picture.of(
            plot_windows,
            result,
            alt="Mean absolute error of one annotation against the window of abandonment.",
            caption="How the mean error moves with the width of what counts as giving up.",
        ),
    )
    part = Part.of(result, title="The noise of one annotation", answer=(answer,),
                   pictures=pictures)  # fmt: skip
    table = part.sections[0]
    near = sum(fit.aic < best.aic + 10 for fit in result.fits)
    short = replace(table, rows=table.rows[: max(near, 3)])
    full = replace(table, title=f"All {len(table.rows)} models", lines=())
    return replace(part, sections=(short, *part.sections[1:]), more=(full,))
