"""Chapters on masks and beats."""

from __future__ import annotations

from annostat.cardiac import AfdScore, EfScore, FirstFrames
from annostat.report.parts import Part, Picture, part_of
from annostat.truth import MaskComparison


@part_of.register
def _masks(result: MaskComparison) -> Part:
    from annostat.plotting import plot_disputed, plot_ladder, plot_ranks

    first = next(iter(result.ceilings.values()))
    ranked = []
    if len(result.ranking().models) > 1:
        picture = Picture.of(
            plot_ranks,
            result,
            alt=result.ranking().answer(),
            caption="The ranks that each model may have; models that share a letter cannot be told "
            "apart.",
        )
        ranked.append(picture)
    pictures = (
        *ranked,
        Picture.of(
            plot_ladder,
            result,
            alt="Mean Dice of the mean outlines of k and of l raters, followed to that of a "
            f"perfect model: {first.dice}.",
            caption="How the ceiling follows from smaller groups of raters.",
        ),
        Picture.of(
            plot_disputed,
            result,
            alt="Outlines of the items on which the raters overlap least.",
            caption="Look at these first: outlines of the most disputed items.",
            size=(6.4, 5.2),
        ),
    )
    return Part.of(result, title="Masks", pictures=pictures)


@part_of.register
def _afd(result: AfdScore) -> Part:
    from annostat.plotting import plot_afd

    answer = f"{result.phase}: the picked frame is off by {result.afd.short()} frames on average"
    if result.floor is not None:
        answer += f"; a perfect model would be by {result.floor.short()} {result.floor.unit}"
    picture = Picture.of(
        plot_afd,
        result,
        alt=f"Share of clips within k frames of the reference; mean distance {result.afd}.",
        caption="How many clips are within so many frames of the reference.",
    )
    return Part.of(
        result,
        title=f"Average frame distance, {result.phase}",
        answer=(f"{answer}.",),
        pictures=(picture,),
    )


@part_of.register
def _ef(result: EfScore) -> Part:
    answer = f"The ejection fraction correlates with the reference at {result.correlation.short()}"
    if result.ceiling is not None:
        answer += f"; no model can at more than {result.ceiling.short()}"
    return Part.of(result, title="Ejection fraction", answer=(f"{answer}.",))


@part_of.register
def _first(result: FirstFrames) -> Part:
    from annostat.plotting import plot_first_frames

    answer = f"The error is flat from frame {result.hinge.short()} ({result.hinge.range()})."
    unclear = next((c.message for c in result.checks if c.name == "falls" and not c.passed), None)
    answer = unclear or answer
    picture = Picture.of(
        plot_first_frames,
        result,
        alt=f"Mean error against the frame; {answer}",
        caption="Mean error of the first frames, with the fit.",
    )
    return Part.of(result, title="The first frames", answer=(answer,), pictures=(picture,))
