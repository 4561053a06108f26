"""The chapter on values: floors, ceilings, agreement."""

from __future__ import annotations

from dataclasses import replace

from annostat.ceilings import Bounds
from annostat.report.parts import Part, Picture, part_of


@part_of.register
def _bounds(result: Bounds) -> Part:
    from annostat.plotting import plot_bland_altman

    label = "one annotation" if result.m == 1 else f"the mean of {result.m} annotations"
    answer: tuple[str, ...] = ()
    if not result.readings:
        answer = (
            f"Against {label}, a perfect model has an RMSE of {result.rmse_floor}, an MAE of "
            f"{result.mae_floor} and a correlation of {result.correlation_ceiling}: on average, no "
            "model can look better.",
        )
    pictures: tuple[Picture, ...] = ()
    if result.limits is not None:
        pictures = (
            Picture.of(
                plot_bland_altman,
                result.limits,
                alt=f"Differences against means of two rounds: bias {result.limits.bias.short()}, "
                f"limits of agreement {result.limits.lower.short()} and "
                f"{result.limits.upper.short()}.",
                caption="What the rounds differ by, with the limits of agreement.",
            ),
        )
    title = f"How good a model can look against {label}"
    part = Part.of(result, title=title, answer=answer, pictures=pictures)
    folded = [s for s in part.sections if s.title == "Intraclass correlation"]
    kept = [s for s in part.sections if s not in folded]
    return replace(part, sections=kept, more=folded)
