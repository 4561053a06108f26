"""The chapter on findings: how good any detector can look."""

from __future__ import annotations

from annostat.ceilings.finding_result import FindingBounds
from annostat.report.parts import Part, Picture, part_of
from annostat.truth.findings import DetectorScores


@part_of.register
def _findings(result: FindingBounds) -> Part:
    from annostat.plotting import plot_findings, plot_froc

    pictures = [
        Picture.of(
            plot_findings,
            result,
            alt="; ".join(
                f"{x + 1} of {k}: {v}" for k, n in result.counts.items() for x, v in enumerate(n)
            )
            + ".",
            caption="How many readers marked each finding.",
        )
    ]
    if result.froc:
        pictures.append(
            Picture.of(
                plot_froc,
                result,
                alt="; ".join(
                    f"at {s.false_positives:g} false positives {s.low:.2f} to {s.high:.2f}"
                    for s in result.froc
                )
                + ".",
                caption="The best sensitivity of any detector, with its limits.",
            )
        )
    tables = [s for s in result.sections() if s.columns]
    return Part(
        "How good any detector can look against these marks",
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
def _scores(result: DetectorScores) -> Part:
    from annostat.plotting import plot_froc

    picture = Picture.of(
        plot_froc,
        result,
        alt=result.answer(),
        caption="Sensitivity of detectors and of readers beside the best that is possible.",
    )
    return Part.of(result, title="Detectors against these marks", pictures=(picture,))
