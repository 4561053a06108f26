"""Floors and ceilings: how good a perfect model can look against noisy labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.ceilings.by_value import reliability_by_profile
    from annostat.ceilings.categories import category_bounds, published_categories
    from annostat.ceilings.category_plan import CategoryPlan, plan_categories
    from annostat.ceilings.category_result import CategoryBounds
    from annostat.ceilings.differences import unbiased_pair_mae
    from annostat.ceilings.finding_result import FindingBounds
    from annostat.ceilings.findings import finding_bounds
    from annostat.ceilings.floors import Bounds
    from annostat.ceilings.law_of_p import CategoryLaw, category_law
    from annostat.ceilings.mae_hull import mae_floor
    from annostat.ceilings.mae_result import MaeFloor
    from annostat.ceilings.mask_plan import MaskPlan, RatersPlan, plan_masks
    from annostat.ceilings.masks import DiceCeiling, dice_ceiling
    from annostat.ceilings.measured import MeasuredBounds
    from annostat.ceilings.point_result import PointBounds
    from annostat.ceilings.points import point_bounds, published_points
    from annostat.ceilings.published import Judged, Published, PublishedReading, compare_published
    from annostat.ceilings.readings import Readings
    from annostat.ceilings.summary import bounds_from_summary
    from annostat.ceilings.values import bounds, reliability_estimate

__all__ = [
    "Bounds",
    "CategoryBounds",
    "CategoryLaw",
    "CategoryPlan",
    "DiceCeiling",
    "FindingBounds",
    "Judged",
    "MaeFloor",
    "MaskPlan",
    "MeasuredBounds",
    "PointBounds",
    "Published",
    "PublishedReading",
    "RatersPlan",
    "Readings",
    "bounds",
    "bounds_from_summary",
    "category_bounds",
    "category_law",
    "compare_published",
    "dice_ceiling",
    "finding_bounds",
    "mae_floor",
    "plan_categories",
    "plan_masks",
    "point_bounds",
    "published_categories",
    "published_points",
    "reliability_by_profile",
    "reliability_estimate",
    "unbiased_pair_mae",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Bounds": "annostat.ceilings.floors",
        "CategoryBounds": "annostat.ceilings.category_result",
        "CategoryLaw": "annostat.ceilings.law_of_p",
        "CategoryPlan": "annostat.ceilings.category_plan",
        "DiceCeiling": "annostat.ceilings.masks",
        "FindingBounds": "annostat.ceilings.finding_result",
        "Judged": "annostat.ceilings.published",
        "MaeFloor": "annostat.ceilings.mae_result",
        "MaskPlan": "annostat.ceilings.mask_plan",
        "MeasuredBounds": "annostat.ceilings.measured",
        "PointBounds": "annostat.ceilings.point_result",
        "Published": "annostat.ceilings.published",
        "PublishedReading": "annostat.ceilings.published",
        "RatersPlan": "annostat.ceilings.mask_plan",
        "Readings": "annostat.ceilings.readings",
        "bounds": "annostat.ceilings.values",
        "bounds_from_summary": "annostat.ceilings.summary",
        "category_bounds": "annostat.ceilings.categories",
        "category_law": "annostat.ceilings.law_of_p",
        "compare_published": "annostat.ceilings.published",
        "dice_ceiling": "annostat.ceilings.masks",
        "finding_bounds": "annostat.ceilings.findings",
        "mae_floor": "annostat.ceilings.mae_hull",
        "plan_categories": "annostat.ceilings.category_plan",
        "plan_masks": "annostat.ceilings.mask_plan",
        "point_bounds": "annostat.ceilings.points",
        "published_categories": "annostat.ceilings.categories",
        "published_points": "annostat.ceilings.points",
        "reliability_by_profile": "annostat.ceilings.by_value",
        "reliability_estimate": "annostat.ceilings.values",
        "unbiased_pair_mae": "annostat.ceilings.differences",
    },
)
