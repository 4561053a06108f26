"""The chapters on categories: how good a model can look, and how good models look."""

from __future__ import annotations

from annostat.ceilings.category_result import CategoryBounds
from annostat.report.parts import Part, Picture, part_of
from annostat.truth.category_result import FEW, CategoryScores


@part_of.register
def _bounds(result: CategoryBounds) -> Part:
    from annostat.plotting import plot_category_bounds, plot_confusion

    picture = Picture.of(
        plot_category_bounds,
        result,
        alt="; ".join(f"{c.label} {c.best()}" for c in result.ceilings if not c.floor) + ".",
        caption="The best score that any model can have, with its limits, and that of two "
        "annotators.",
    )
    tables = [s for s in result.sections() if s.columns]
    pictures = [picture]
    if result.confusion is not None:
        confused = Picture.of(
            plot_confusion,
            result.confusion,
            alt=result.confusion.answer(),
            caption="What another annotator says (column) where one says something (row).",
            size=(4.4, 3.9),
        )
        pictures.append(confused)
    return Part(
        "How good a model can look against these categories",
        answer=(result.answer(),),
        intro=(result.quote(),),
        sections=tables[:1],
        more=tables[1:],
        checks=result.checks,
        pictures=pictures,
        provenance=result.provenance,
        cited=result.cited(),
    )


@part_of.register
def _scores(result: CategoryScores) -> Part:
    from annostat.plotting import plot_category_scores, plot_ranks, plot_reliability

    key = result.metric
    pictures = [
        Picture.of(
            plot_category_scores,
            result,
            alt="; ".join(f"{m.name} {m.scores[key].cell()}" for m in result.models) + ".",
            caption="Scores of the models against one annotator, and the best that is possible.",
        )
    ]
    if len(result.models) > FEW:
        ranks = Picture.of(
            plot_ranks,
            result,
            alt=result.ranking.answer(),
            caption="The ranks that each model may have; models that share a letter cannot be told "
            "apart.",
        )
        pictures.append(ranks)
    if any(m.calibration for m in result.models):
        pictures.append(
            Picture.of(
                plot_reliability,
                result,
                alt="Reliability diagram of the models' probabilities.",
                caption="How often annotators say the class where a model gives it a probability.",
            )
        )
    sections = [s for s in result.sections() if s.columns]
    return Part(
        "How good the models look",
        answer=(result.answer(),),
        intro=(result.quote(),),
        sections=[s for s in sections if s.when != "all"],
        more=[s for s in sections if s.when == "all"],
        pictures=pictures,
        checks=[c for c in result.checks if c not in result.bounds.checks],
        provenance=result.provenance,
    )
