"""The words of an interchangeability study: sentences and tables."""

from __future__ import annotations

import math
from dataclasses import replace

from annostat.interchange.distances import Distance
from annostat.interchange.habits import Habits
from annostat.interchange.places import Difference, ModelPlace, Place
from annostat.interchange.spread import MANY_UNITS
from annostat.interchange.taken import Taken
from annostat.interchange.verdicts import BETTER, OPEN, WITHIN, WORSE
from annostat.results.cite import TOOL, Cited, ci
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Result, told_failed
from annostat.results.sections import Section
from annostat.results.text import format_number, format_p, hang, p_text, percent

POINTS = "percentage points"


class Said(Result):
    """What an interchangeability study says in words; its numbers are those of the subclass."""

    models: tuple[ModelPlace, ...]
    among: Estimate
    perfect: tuple[float, float] | None
    comparisons: tuple[Difference, ...]
    checks: tuple[Check, ...]
    distance: Distance
    readers: str
    unit: str
    taken: Taken
    level: float
    n_clusters: int | None
    habits: Habits | None

    def answer(self) -> str:
        """Return the verdicts as a sentence."""
        return answer(self)

    def quote(self) -> str:
        """Return the numbers to quote, with interval and unit."""
        return quote(self)

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        return cited(self)

    def sections(self) -> list[Section]:
        """Return what a person should read, in the order of a screen."""
        return sections(self)


def unit_of(result: Said) -> str:
    """Return the unit that people read: percentage points for shares."""
    return POINTS if counted(result) else result.unit


def counted(result: Said) -> bool:
    """Whether the distance is 0 or 1, so that its mean is a share of pairs."""
    return result.distance.name in ("differ", "further")


def shown(result: Said, estimate: Estimate) -> Estimate:
    """Return an estimate in the unit that people read."""
    scale = 100.0 if counted(result) else 1.0
    return estimate.scaled(scale, unit=unit_of(result))


def rounded_up(result: Said, margin: float, *, units: bool = True) -> str:
    """Return a margin with two digits and its unit, never less than it is."""
    scaled = margin * (100.0 if counted(result) else 1.0)
    unit = f" {unit_of(result)}" if units and unit_of(result) else ""
    if scaled <= 0 or not math.isfinite(scaled):
        return f"{format_number(scaled)}{unit}"
    step = 10.0 ** (math.floor(math.log10(scaled)) - 1)
    return f"{format_number(math.ceil(scaled / step - 1e-9) * step)}{unit}"


def margin_words(result: Said, model: ModelPlace) -> str:
    """Return the stated margin with its unit."""
    if model.standing.margin_percent is not None:
        return f"{percent(model.standing.margin_percent)} of what two readers differ by"
    margin = model.standing.margin or 0.0
    value = format_number(margin * (100.0 if counted(result) else 1.0))
    return f"{value} {unit_of(result)}".strip()


def whom(result: Said) -> str:
    """Return whom the numbers speak of."""
    return "a reader like these" if result.readers == "sample" else "a reader"


def answer(result: Said) -> str:
    """Return the verdicts, one clause for each model."""
    clauses = []
    for m in result.models:
        name = m.standing.name
        if name == WITHIN:
            clauses.append(
                f"{m.name} is interchangeable with {whom(result)} within {margin_words(result, m)}"
            )
        elif name in (BETTER, WORSE):
            p = m.standing.p_value
            by = ", by the ratio" if by_ratio(m) else ""
            told = "" if p is None else f" ({p_text(p)}, one-sided{by})"
            clauses.append(f"{m.name} is {name.removesuffix('a reader')}{whom(result)}{told}")
        else:
            least = m.standing.least_margin
            tail = (
                f"the least margin that could be claimed is {rounded_up(result, least)}"
                if math.isfinite(least)
                else "too few items tell"
            )
            whether = "whether" if clauses else "Whether"
            clauses.append(
                f"{whether} {m.name} is as good as {whom(result)} is not resolved: {tail}"
            )
    return "; ".join(clauses) + "." + doubted(result)


def doubted(result: Said) -> str:
    """Return why a good verdict may be none: a model that has seen the labels looks too good."""
    if not any(m.standing.name in (BETTER, WITHIN) for m in result.models):
        return ""
    seen = [c.message for c in result.checks if c.name == "contains_rounds" and c.passed is False]
    reasons = "; ".join(text.partition(":")[0].rstrip(".") for text in seen)
    return f" Doubted: {reasons}." if reasons else ""


def by_ratio(model: ModelPlace) -> bool:
    """Whether a model is better by the ratio, which then is quoted: γ itself may hold 0."""
    return model.standing.name == BETTER and model.standing.by_ratio


def quote(result: Said) -> str:
    """Return the numbers to quote."""
    unit = f" {unit_of(result)}" if unit_of(result) else ""
    parts = []
    for i, m in enumerate(result.models):
        e = shown(result, m.change)
        found = "" if len(result.models) == 1 else f"{m.name} "
        level = f"{percent(result.level)} " if not i else ""
        held = f" ({level}{e.range()})" if e.interval is not None else " (no interval)"
        ratio = ""
        if by_ratio(m):
            ratio = f", to {m.ratio.short()} ({m.ratio.range()}) of what two readers differ by"
        parts.append(f"{found}{e.short()}{unit if not i else ''}{held}{ratio}")
    among = shown(result, result.among)
    rest = f"Two readers differ by {among.short()}{unit}"
    if counted(result):
        rest = f"Two readers disagree in {among.short()}% of the pairs"
        if result.distance.threshold is not None:
            limit = f"{result.distance.threshold:g} {result.taken.unit}".strip()
            rest = f"Two readers are further apart than {limit} in {among.short()}% of the pairs"
    if among.interval is not None:
        rest += f" ({among.range()})"
    label = result.distance.label
    return (
        f"Put in the place of {whom(result)}, the model changes {label} by "
        f"{', '.join(parts)}. {rest}."
    )


def cited(result: Said) -> Cited:
    """Return the sentences for a paper."""
    n = len(result.taken.columns.seen)
    whole = "" if result.n_clusters is None else f" ({result.n_clusters:,} clusters)"
    stated = result.models[0].standing
    margin = ""
    if stated.margin is not None or stated.margin_percent is not None:
        margin = f"; a change below {margin_words(result, result.models[0])} counted as none"
    changes = [
        f"{ci(shown(result, m.change), unit_of(result))} for `{m.name}`" for m in result.models
    ]
    verdicts = "; ".join(
        f"`{m.name}`: {short_verdict(result, m.standing.name, m.standing.least_margin, m)}"
        for m in result.models
    )
    return Cited(
        "Interchangeability with a reader was assessed by the individual equivalence index "
        f"(Obuchowski 2001): the change of {result.distance.label} when the model takes a reader's "
        f"place, on {n:,} items{whole} with {len(result.taken.names)} readers, with {TOOL}"
        f"{margin}.",
        f"The change was {' and '.join(changes)} ({verdicts}). Two readers differed by "
        f"{ci(shown(result, result.among), unit_of(result))}." + told_failed(result.checks),
    )


def short_verdict(result: Said, name: str, least: float, model: ModelPlace) -> str:
    """Return a verdict as a cell of a table."""
    if name == WITHIN:
        return f"as good, within {margin_words(result, model)}"
    if name == OPEN and math.isfinite(least):
        return f"not resolved, needs a margin of {rounded_up(result, least, units=False)}"
    return name


def share_words(share: tuple[float, float] | None) -> str:
    """Return the share of the way to a perfect model as a cell."""
    if share is None:
        return "not known"
    low, high = (round(100 * v) + 0 for v in share)
    return f"{low}%" if low == high else f"{low} to {high}%"


def sections(result: Said) -> list[Section]:
    """Return what a person should read, in the order of a screen."""
    opening = result.opening(*result.taken.notes)
    if result.taken.notes and result.taken.read is None:  # nobody else says what was read
        (_, told), *rest = opening.said
        opening = replace(opening, said=[("Read", told), *rest])
    found = [opening, _models(result)]
    if any(m.places for m in result.models):
        found.append(_places(result))
    if result.habits is not None:
        found.append(_habits(result, result.habits))
    if result.comparisons:
        found.append(_comparisons(result))
    reference = [m for m in result.models if m.alternative is not None]
    if reference:
        rows = [
            [m.name, _number(a.omega), _number(a.rho), "passes" if a.passed else "does not pass"]
            for m in reference
            if (a := m.alternative)
        ]
        first = reference[0].alternative
        found.append(
            Section(
                "For reference: the alternative-annotator test",
                ("model", "winning rate ω", "advantage ρ", "by its own rule"),
                rows,
                hang("", first.warning) if first else (),
            )
        )
    return found


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _heading(result: Said) -> str:
    unit = unit_of(result)
    return f"change of {result.distance.label}" + (f", {unit}" if unit else "")


def _models(result: Said) -> Section:
    columns = ["model", _heading(result), "ratio", "share", "verdict"]
    rows = [
        [
            m.name,
            shown(result, m.change).cell(),
            m.ratio.cell(),
            share_words(m.share),
            short_verdict(result, m.standing.name, m.standing.least_margin, m),
        ]
        for m in result.models
    ]
    lines = [
        "Share: of the way from a reader (0%) to a perfect model (100%). Ratio: the model's "
        "distance from a reader over that of two readers."
    ]
    if result.perfect is not None:
        low, high = (Estimate(v, result.among.standard_uncertainty) for v in result.perfect)
        ends = [shown(result, e).short() for e in (low, high)]
        words = ends[0] if ends[0] == ends[1] else f"range {ends[0]} to {ends[1]}"
        rows.append(["perfect", words, "", "100%", ""])
    else:
        columns.pop(3)
        rows = [[*r[:3], *r[4:]] for r in rows]
        lines = [lines[0].partition(" Ratio")[1].strip() + lines[0].partition(" Ratio")[2]]
    if any(m.standing.by_ratio for m in result.models):
        lines.append(
            "Better is judged on the ratio, one-sided: with readers as a sample its interval is "
            "the shorter one that holds. Worse takes the change as well."
        )
    elif result.readers == "sample" and result.distance.ratio:
        lines.append(
            "Better and worse are judged on the limits of the change, one-sided; from "
            f"{MANY_UNITS} items or clusters on better is judged on the ratio."
        )
    if any(m.standing.margin is not None or m.standing.margin_percent for m in result.models):
        lines.append(f"A change below {margin_words(result, result.models[0])} counts as none.")
    lines += [f"{m.name}: {e.note}" for m in result.models for e in (m.change, m.ratio) if e.note]
    return Section("", columns, rows, [line for text in lines for line in hang("", text)])


def _places(result: Said) -> Section:
    several = len(result.models) > 1
    columns = ["in the place of", _heading(result), "verdict (Holm)"]
    rows = []
    for m in result.models:
        shape = None if result.habits is None else result.habits.in_shape[m.name].places
        for at, p in enumerate(m.places):
            rows.append(
                [
                    f"{m.name}, {p.reader}" if several else p.reader,
                    shown(result, p.change).cell(),
                    _of_place(result, p, m),
                    *([] if shape is None else [shape[at].change.cell()]),
                ]
            )
    columns += [] if result.habits is None else ["in shape"]
    line = "Intervals hold together and are two-sided; verdicts are one-sided tests (Holm)."
    return Section("In the place of each reader", columns, rows, (line,))


def _habits(result: Said, habits: Habits) -> Section:
    """Return how much larger each draws, and changes without habits."""
    rows = [[n, s.cell(), "", ""] for n, s in zip(habits.names, habits.size, strict=True)]
    for m in result.models:
        size, shape = habits.models[m.name], habits.in_shape[m.name]
        verdict = short_verdict(result, shape.standing.name, shape.standing.least_margin, shape)
        rows.append([m.name, size.cell(), shape.change.cell(), verdict])
    mean = habits.mean_reader
    text = (
        f"In shape: each outline is shifted by the mean habit of who drew it ({habits.n_items:,} "
        f"items that all readers drew); two readers then differ by {habits.aligned:.3g}. As drawn "
        f"a reader of mean size has a change of about {mean.short()}."
    )
    return Section(
        "Habits: what is size, and what is shape",
        ("", "draws larger by, px", "change in shape", "verdict in shape"),
        rows,
        hang("", text),
    )


def _of_place(result: Said, place: Place, model: ModelPlace) -> str:
    verdict = short_verdict(result, place.verdict, place.least_margin, model)
    return verdict.replace("a reader", place.reader)


def _comparisons(result: Said) -> Section:
    rows = [
        [
            f"{c.first} − {c.second}",
            shown(result, c.difference).cell(),
            format_p(c.p_value),
            format_p(c.p_adjusted),
            c.better or "not shown",
        ]
        for c in result.comparisons
    ]
    unit = unit_of(result)
    head = f"difference, {unit}" if unit else "difference"
    return Section(
        "Which disagrees less with the readers",
        ("models", head, "p", "p adjusted", "less"),
        rows,
    )
