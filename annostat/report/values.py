"""The chapter on values: floors, ceilings, agreement."""

from __future__ import annotations

from dataclasses import replace

from annostat.ceilings import Bounds, MeasuredBounds, Readings
from annostat.ceilings.published import Judged
from annostat.report.parts import Part, Picture, part_of


@part_of.register
def _measured(result: MeasuredBounds) -> Part:
    from annostat.plotting import plot_bland_altman, plot_deviations, plot_floors, plot_profile

    part = _bounds(result)
    pictures: tuple[Picture, ...] = (
        Picture.of(
            plot_floors,
            result,
            alt=f"Floor of the RMSE {result.rmse_floor.short()}, ceiling of the correlation "
            f"{result.correlation_ceiling.short()}.",
            caption="The best that any model can show, with intervals.",
            size=(5.2, 3.3),
        ),
    )
    if result.limits is not None:
        pictures += (
            Picture.of(
                plot_bland_altman,
                result.limits,
                alt=f"Differences against means of two rounds: bias {result.limits.bias.short()}, "
                f"limits of agreement {result.limits.lower.short()} and "
                f"{result.limits.upper.short()}.",
                caption="What the rounds differ by, with the limits of agreement.",
            ),
        )
    elif result.deviations is not None:
        limits = result.deviations.limits
        pictures += (
            Picture.of(
                plot_deviations,
                result.deviations,
                alt="Deviations of readings from the mean of their item: limits of agreement "
                f"±{limits[max(limits)].short()}.",
                caption="How far readings are from the mean of their item, with the limits.",
            ),
        )
    if result.profile is not None and result.profile.points:
        pictures += (
            Picture.of(
                plot_profile,
                result.profile,
                alt=f"Noise SD against the value. {result.profile.in_words()}",
                caption="The noise of one annotation by the value, with the floor of the RMSE.",
            ),
        )
    folded = [s for s in part.sections if s.title == "Intraclass correlation"]
    kept = [s for s in part.sections if s not in folded]
    return replace(part, sections=kept, more=[*folded, *part.more], pictures=pictures)


@part_of.register
def _bounds(result: Bounds) -> Part:
    title = f"How good a model can look against {result.label}"
    return Part.of(result, title=title)


@part_of.register
def _readings(result: Readings) -> Part:
    title = "How good a model can look, by the reading of published numbers"
    return Part.of(result, title=title, pictures=_published(result))


@part_of.register
def _judged(result: Judged) -> Part:
    return Part.of(result, title="Can the reported score be true?", pictures=_published(result))


def _published(result: Judged | Readings) -> tuple[Picture, ...]:
    from annostat.plotting import plot_published

    return (
        Picture.of(
            plot_published,
            result,
            alt=f"The bound of each reading of the published numbers. {result.answer()}",
            caption="What each reading of the published numbers allows; grey: no model.",
            size=(6.0, 3.2),
        ),
    )
