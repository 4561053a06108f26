"""The chapters on plans, and on merged labels: their picture beside their tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from annostat.ceilings.category_plan import CategoryPlan
from annostat.ceilings.mask_plan import MaskPlan
from annostat.consensus.category_result import MergedCategories
from annostat.errors import AnnostatError
from annostat.interchange import InterchangePlan
from annostat.noise.planning import PlanResult
from annostat.planning import FloorPlan
from annostat.report.parts import Part, Picture, part_of
from annostat.truth import VerdictPlan


@part_of.register(CategoryPlan)
@part_of.register(FloorPlan)
@part_of.register(InterchangePlan)
@part_of.register(MaskPlan)
@part_of.register(PlanResult)
@part_of.register(VerdictPlan)
def _plan(result: Any) -> Part:
    from annostat.plotting import plot_interchange_plan, plot_verdict_plan, plot_width_plan

    draw: Callable[..., Any] = plot_width_plan
    caption = "Half of the interval against the items; dashed: as wanted."
    if isinstance(result, VerdictPlan):
        draw, caption = plot_verdict_plan, "The chance of the verdict against the items."
    if isinstance(result, InterchangePlan):
        draw, caption = plot_interchange_plan, "Half of the interval of γ against the items."
    try:
        pictures = [Picture.of(draw, result, alt=caption, caption=caption)]
    except AnnostatError:  # where no number of items is enough there is nothing to draw
        pictures = []
    return Part.of(result, title="How many annotations", pictures=pictures)


@part_of.register
def _merged(result: MergedCategories) -> Part:
    from annostat.plotting import plot_quality

    pictures = []
    if result.quality:
        caption = "How often each annotator says the true class, by the model."
        pictures.append(Picture.of(plot_quality, result, alt=caption, caption=caption))
    return Part.of(result, title="One label for each item", pictures=pictures)
