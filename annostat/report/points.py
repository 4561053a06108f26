"""The chapter on points: how near any model can come to those of one reader."""

from __future__ import annotations

from annostat.ceilings.point_result import PointBounds
from annostat.report.parts import Part, Picture, part_of
from annostat.truth.point_result import PointScores


@part_of.register
def _points(result: PointBounds) -> Part:
    from annostat.plotting import plot_ellipses, plot_success

    pictures = []
    if result.success():
        pictures.append(
            Picture.of(
                plot_success,
                result,
                alt="; ".join(f"{x.label}: {x.best()}" for x in result.success()) + ".",
                caption="The share of points that a perfect model puts within a distance of one "
                "reader's, with its limits, and that of two readers.",
            )
        )
    if any(len(e.covariance) == 2 for e in result.ellipses):
        pictures.append(
            Picture.of(
                plot_ellipses,
                result,
                alt="Ellipses of one SD of one reader's noise at each landmark.",
                caption="One reader's noise at each landmark: an ellipse of one SD.",
            )
        )
    tables = [s for s in result.sections() if s.columns]
    return Part(
        "How near a model can come to these points",
        answer=(result.answer(),),
        intro=(result.quote(),),
        sections=tables[:1],
        more=tables[1:],
        checks=result.checks,
        pictures=tuple(pictures),
        provenance=result.provenance,
        cited=result.cited(),
    )


@part_of.register
def _scores(result: PointScores) -> Part:
    from annostat.plotting import plot_success

    pictures = []
    if result.bounds.success():
        pictures.append(
            Picture.of(
                plot_success,
                result,
                alt=result.answer(),
                caption="The share of points that models, two readers and a perfect model put "
                "within a distance of one reader's.",
            )
        )
    return Part.of(result, title="Models against these points", pictures=pictures)
