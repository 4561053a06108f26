"""Which picture a result has: `draw` is what ``result.plot()`` calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from annostat.agreement.confusion import CategoryConfusion
from annostat.agreement.limits import BlandAltman
from annostat.agreement.mean_limits import MeanLimits
from annostat.agreement.profile_result import PrecisionProfile
from annostat.cardiac import AfdScore, FirstFrames
from annostat.ceilings import MeasuredBounds
from annostat.ceilings.category_plan import CategoryPlan
from annostat.ceilings.category_result import CategoryBounds
from annostat.ceilings.finding_result import FindingBounds
from annostat.ceilings.floors import Bounds
from annostat.ceilings.law_of_p import CategoryLaw
from annostat.ceilings.mask_plan import MaskPlan
from annostat.ceilings.point_result import PointBounds
from annostat.ceilings.published import Judged
from annostat.ceilings.readings import Readings
from annostat.concentration import Concentration, ConcentrationComparison
from annostat.consensus.category_result import MergedCategories
from annostat.datasets.audit import Audit
from annostat.errors import AnnostatError, check_choice
from annostat.interchange import Interchange, InterchangePlan
from annostat.noise import NoiseComparison
from annostat.noise.planning import PlanResult
from annostat.planning import FloorPlan
from annostat.plotting.agreement import plot_bland_altman, plot_deviations
from annostat.plotting.audit import plot_contact_sheet
from annostat.plotting.cardiac import plot_afd, plot_first_frames
from annostat.plotting.categories import (
    plot_category_bounds,
    plot_category_law,
    plot_category_scores,
    plot_reliability,
)
from annostat.plotting.concentration import plot_concentration
from annostat.plotting.confusion import plot_confusion, plot_quality
from annostat.plotting.figures import Panel, new_figure, shown, stacked
from annostat.plotting.findings import plot_findings, plot_froc
from annostat.plotting.interchange import plot_interchange, plot_interchange_plan
from annostat.plotting.masks import panels_of_masks, plot_masks
from annostat.plotting.noise import panels_of_noise, plot_noise
from annostat.plotting.plans import plot_verdict_plan, plot_width_plan
from annostat.plotting.points import plot_success
from annostat.plotting.printed import LOWEST, WIDTHS, printed
from annostat.plotting.profile import plot_profile
from annostat.plotting.published import plot_published
from annostat.plotting.ranks import plot_ranks
from annostat.plotting.scaling import plot_scaling
from annostat.plotting.truth import panels_of_scores, plot_scores
from annostat.plotting.values import panels_of_bounds, plot_bounds, plot_floors
from annostat.scaling import ScalingComparison
from annostat.truth import MaskComparison, Ranking, Scores, VerdictPlan
from annostat.truth.category_calibration import CategoryCalibration
from annostat.truth.category_planning import CategoryVerdictPlan
from annostat.truth.category_result import CategoryScores
from annostat.truth.findings import DetectorScores
from annostat.truth.point_result import PointScores

# One panel: drawn on axes, in a figure of this size (inches) where none are given.
PANEL: dict[type, tuple[Callable[..., Any], tuple[float, float]]] = {
    AfdScore: (plot_afd, (5.2, 3.9)),
    Audit: (plot_contact_sheet, (9.0, 7.6)),
    Bounds: (plot_floors, (5.2, 3.3)),
    BlandAltman: (plot_bland_altman, (5.2, 3.9)),
    CategoryCalibration: (plot_reliability, (4.4, 4.0)),
    CategoryConfusion: (plot_confusion, (4.6, 4.0)),
    CategoryBounds: (plot_category_bounds, (6.4, 4.0)),
    CategoryLaw: (plot_category_law, (4.8, 3.9)),
    CategoryScores: (plot_category_scores, (6.4, 4.0)),
    Concentration: (plot_concentration, (6.4, 4.8)),
    ConcentrationComparison: (plot_concentration, (6.4, 4.8)),
    DetectorScores: (plot_froc, (6.4, 4.0)),
    FirstFrames: (plot_first_frames, (5.2, 3.9)),
    Interchange: (plot_interchange, (6.4, 3.1)),
    InterchangePlan: (plot_interchange_plan, (6.4, 4.0)),
    MergedCategories: (plot_quality, (6.4, 4.0)),
    MeanLimits: (plot_deviations, (5.2, 3.9)),
    PointBounds: (plot_success, (6.4, 4.0)),
    FindingBounds: (plot_findings, (6.4, 4.0)),
    PointScores: (plot_success, (6.4, 4.0)),
    Judged: (plot_published, (6.0, 3.2)),
    Readings: (plot_published, (6.0, 3.2)),
    Ranking: (plot_ranks, (4.8, 2.6)),
    PrecisionProfile: (plot_profile, (5.2, 3.9)),
    ScalingComparison: (plot_scaling, (7.5, 5.0)),
    FloorPlan: (plot_width_plan, (5.2, 3.9)),
    MaskPlan: (plot_width_plan, (5.2, 3.9)),
    CategoryPlan: (plot_width_plan, (5.2, 3.9)),
    PlanResult: (plot_width_plan, (5.2, 3.9)),
    CategoryVerdictPlan: (plot_verdict_plan, (5.2, 3.9)),
    VerdictPlan: (plot_verdict_plan, (5.2, 3.9)),
}
# Several panels: a figure of its own, and its panels, which are stacked in a narrow column.
FIGURE: dict[type, tuple[Callable[..., Any], Callable[..., list[Panel]]]] = {
    MaskComparison: (plot_masks, panels_of_masks),
    MeasuredBounds: (plot_bounds, panels_of_bounds),
    NoiseComparison: (plot_noise, panels_of_noise),
    Scores: (plot_scores, panels_of_scores),
}


# What has a row for each model: inches of a row.
ROWS: dict[type, float] = {Interchange: 0.55, Ranking: 0.24}
LEAST_ROWS = 2


def size_for(result: Any, size: tuple[float, float]) -> tuple[float, float]:
    """Return the size of a figure, higher where many models have a row each."""
    many = len(result.models) - LEAST_ROWS if type(result) in ROWS else 0
    return size[0], size[1] + max(many, 0) * ROWS.get(type(result), 0.0)


def draw(result: Any, *, ax: Any = None, size: str = "", **options: Any) -> Any:
    """Draw a result; see `annostat.results.Result.plot`."""
    if not size:
        return _drawn(result, ax, None, **options)
    check_choice("size", size, tuple(WIDTHS))
    if ax is not None:
        raise AnnostatError("size: it is that of a figure, and cannot go with ax")
    return printed(lambda: _drawn(result, None, WIDTHS[size], **options))


def _drawn(result: Any, ax: Any, width: float | None, **options: Any) -> Any:
    """Draw on axes, or in a figure of its own size or of a width."""
    kind = type(result)
    if kind in FIGURE:
        function, panels = FIGURE[kind]
        if ax is not None:
            raise AnnostatError(
                f"ax: {function.__name__} draws several panels in a figure of its own"
            )
        if width is None:
            return shown(function(result, **options))
        return shown(stacked(panels(result, **options), width))
    if kind not in PANEL:
        drawn = ", ".join(sorted(k.__name__ for k in (*PANEL, *FIGURE)))
        raise AnnostatError(f"plot: no picture of a {kind.__name__} is known; there are of {drawn}")
    function, size = PANEL[kind]
    size = size_for(result, size)
    if ax is not None:
        return function(result, ax=ax, **options)
    if width is not None:
        many = 0.7 * (size[1] - PANEL[kind][1][1])  # of rows, with smaller letters
        size = (width, max((size[1] - many) * width / size[0], LOWEST) + many)
    figure, ax = new_figure(size)
    function(result, ax=ax, **options)
    return shown(figure)
