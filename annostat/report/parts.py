"""Chapters of the report: what each kind of result shows. A chapter computes nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np

from annostat.concentration import Concentration, ConcentrationComparison
from annostat.datasets.audit import Audit
from annostat.errors import AnnostatError, shown
from annostat.labels.rounds import Rounds
from annostat.noise import NoiseComparison
from annostat.results.cite import Cited
from annostat.results.result import Check, Provenance, Result
from annostat.results.sections import Section
from annostat.scaling import ScalingComparison

ORDER = {False: 0, None: 1, True: 2}
WORST = 10  # items of a list of the worst ones
LIKELY = 0.5
FINDINGS = 500  # in the table of an audit; all of them are in its CSV


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
    cited : Cited or None
        The sentences for a paper.
    """

    title: str
    answer: Sequence[str] = ()
    intro: Sequence[str] = ()
    sections: Sequence[Section] = ()
    more: Sequence[Section] = ()
    checks: Sequence[Check] = ()
    pictures: Sequence[Picture] = ()
    provenance: Provenance | None = None
    cited: Cited | None = None

    @classmethod
    def of(cls, result: Any, **known: Any) -> Part:
        """Return a chapter with the result's own sections, its checks and its provenance.

        The answer goes to the top of the page; what to quote, or else the first section's lines,
        become the introduction; what a screen folds away is folded here too. Checks are left to the
        page.
        """
        checks = sorted(getattr(result, "checks", ()), key=lambda c: ORDER[c.passed])
        sections = [s for s in result.sections() if s.title != "Checks"]
        if sections and any(word == "Answer" for word, _ in sections[0].said):
            known.setdefault("answer", (result.answer(),))
            notes = [text for word, text in sections.pop(0).said if word in ("", "Read")]
            known.setdefault("intro", [*notes, result.quote()])
        known.setdefault("more", [s for s in sections if s.when == "all"])
        sections = [s for s in sections if s.when != "all"]
        if sections and not sections[0].columns and "intro" not in known:
            known["intro"] = sections.pop(0).lines
        known.setdefault("sections", sections)
        known.setdefault("cited", result.cited())
        return cls(checks=checks, provenance=getattr(result, "provenance", None), **known)


@singledispatch
def part_of(result: Any) -> Part:
    """Return the chapter of a result; a result of no known kind shows its own tables and checks."""
    if not isinstance(result, Result):
        raise AnnostatError(f"results: a {type(result).__name__} has no chapter in the report")
    return Part.of(result, title=getattr(result, "title", "") or type(result).__name__)


@part_of.register
def _rounds(result: Rounds) -> Part:
    unit = f" {result.unit}" if result.unit else ""
    seen = result.values[np.isfinite(result.values)]
    missing = int(np.isnan(result.values).sum())
    rows = [
        ["items with two or more annotations", f"{result.n_items:,}"],
        ["rounds", shown(result.names, 8)],
        ["pairs of annotations", f"{result.n_pairs:,}"],
        ["missing annotations", f"{missing:,} of {result.values.size:,}"],
        ["values", f"{seen.min():g} to {seen.max():g}{unit}" if seen.size else "none"],
    ]
    if result.cluster is not None:
        rows.append(["clusters, taken as wholes", f"{len(set(result.cluster)):,}"])
    if result.period is not None:
        low, high = f"{result.period.min():.4g}", f"{result.period.max():.4g}"
        rows.append(["duration or spacing of one", f"{low} to {high} {result.period_unit}"])
    lines = [str(result.read)] if result.read is not None else []
    lines += result.notes
    if result.exchangeable:
        lines.append("The order of the rounds has no identity: a round is not one person.")
    return Part("What was measured", sections=[Section("", ("what", "how much"), rows, lines)])


@part_of.register
def _noise(result: NoiseComparison) -> Part:
    from annostat.plotting import plot_differences, plot_noise_law, plot_windows

    best = result.best
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
    part = Part.of(result, title="The noise of one annotation", pictures=pictures)
    floors, *rest = part.sections
    return replace(part, sections=(floors, *_given_up(result), *rest))


def _given_up(result: NoiseComparison) -> list[Section]:
    """Return the items that somebody most probably gave up on, if the best model allows that."""
    fit, items = result.best, result.rounds.items
    if items is None or fit.model.rate == 0:
        return []
    table = fit.abandonment_posterior()
    likely = table[table["posterior"] > LIKELY]
    lines = [f"{len(likely):,} of {len(table):,} items: given up more probably than not."]
    rows = []
    for row in likely.head(WORST).to_dict("records"):
        picks = [row[name] for name in result.rounds.names]
        told = ", ".join("–" if np.isnan(pick) else f"{pick:g}" for pick in picks)
        rows.append([str(row["item"]), f"{row['posterior']:.2f}", told])
    if not rows:
        return [Section("Items to look at", lines=lines)]
    return [Section("Items to look at", ("item", "probability", "annotations"), rows, lines)]


@part_of.register
def _scaling(result: ScalingComparison) -> Part:
    from annostat.plotting import plot_scaling

    names = ", ".join(result.fit_of(name).label for name in result.together.laws)
    picture = Picture.of(
        plot_scaling,
        result,
        alt=f"{result.loss_name} against {result.size_name} on logarithmic axes, with the fitted "
        f"laws: not refuted are {names}.",
        caption=f"{result.loss_name} against {result.size_name}, with the laws.",
        size=(7.5, 5.0),
    )
    return Part.of(result, title="How the score moves with size", pictures=(picture,))


@part_of.register
def _audit(result: Audit) -> Part:
    from annostat.plotting import plot_contact_sheet, plot_frame_rates

    n, found = len(result.table), len(result.items)
    answer = f"{found} of {n} items of the data set have findings that a person should look at."
    rates = result.frame_rates()
    pictures = []
    if found:
        reasons = ", ".join(result.reasons)
        pictures.append(
            Picture.of(
                plot_contact_sheet,
                result,
                alt=f"Frames of the worst items, with their reasons; the reasons are {reasons}.",
                caption="The worst items: the frame that a finding is about, or what was traced.",
                size=(9.0, 7.6),
            )
        )
    if not rates.empty:
        low, high = rates["fps"].min(), rates["fps"].max()
        pictures.append(
            Picture.of(
                plot_frame_rates,
                result,
                alt=f"Histogram of frame rates, from {low:g} to {high:g} per second.",
                caption="Sampling rates of the clips.",
            )
        )
    part = Part.of(
        result, title="The data set and its faults", answer=(answer,), pictures=tuple(pictures)
    )
    table = result.to_frame()
    rows = [[str(row[c]) for c in table.columns] for _, row in table.head(FINDINGS).iterrows()]
    if not rows:
        return part
    told = f"The first {FINDINGS} of {len(table)} findings" if len(table) > FINDINGS else "Findings"
    return replace(part, more=(Section(told, tuple(table.columns), rows),))


@part_of.register(Concentration)
@part_of.register(ConcentrationComparison)
def _concentration(result: Concentration | ConcentrationComparison) -> Part:
    from annostat.plotting import plot_concentration

    picture = Picture.of(
        plot_concentration,
        result,
        alt="Share of the error against the share of the items, the worst first. "
        + result.answer(),
        caption="Where the error sits, over the band of what noise alone gives, if it is known.",
    )
    return Part.of(result, title="Where the error sits", pictures=(picture,))
