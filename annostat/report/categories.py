"""The chapters on categories: how good a model can look, and how good models look."""

from __future__ import annotations

from annostat.ceilings.category_result import CategoryBounds
from annostat.report.parts import Part, Picture, part_of
from annostat.truth.category_result import CategoryScores


@part_of.register
def _bounds(result: CategoryBounds) -> Part:
    from annostat.plotting import plot_category_bounds

    picture = Picture.of(
        plot_category_bounds,
        result,
        alt="; ".join(f"{c.label} {c.best()}" for c in result.ceilings if not c.floor) + ".",
        caption="The best score that any model can have, with its limits, and that of two "
        "annotators.",
    )
    tables = [s for s in result.sections() if s.columns]
    return Part(
        "How good a model can look against these categories",
        answer=(result.answer(),),
        intro=(result.quote(),),
        sections=tables[:1],
        more=tables[1:],
        checks=result.checks,
        pictures=(picture,),
        provenance=result.provenance,
        cited=result.cited(),
    )


@part_of.register
def _scores(result: CategoryScores) -> Part:
    return Part(
        "How good the models look",
        answer=(result.answer(),),
        intro=(result.quote(),),
        sections=[s for s in result.sections() if s.columns],
        checks=[c for c in result.checks if c not in result.bounds.checks],
        provenance=result.provenance,
    )
