"""A model against the truth that nobody has: its error, its verdict, its comparison with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.truth.categories import excess_brier, score_categories
    from annostat.truth.category_calibration import CategoryCalibration, calibrated
    from annostat.truth.category_planning import CategoryVerdictPlan, plan_category_verdict
    from annostat.truth.category_result import CategoryScores
    from annostat.truth.comparison import Comparison, compare_models
    from annostat.truth.findings import DetectorScores, score_findings
    from annostat.truth.instruments import (
        TripleCollocation,
        correct_for_attenuation,
        correlation_with_truth,
        grubbs,
        three_cornered_hat,
        triple_collocation,
    )
    from annostat.truth.masks import MaskComparison, MaskScore, compare_masks
    from annostat.truth.means import fieller, mean_estimate, unit_sums
    from annostat.truth.planning import PlannedVerdict, VerdictPlan, plan_verdict
    from annostat.truth.point_result import PointScores
    from annostat.truth.points import score_points
    from annostat.truth.products import Labels, cross_products, half_products
    from annostat.truth.ranking import Ranked, Ranking, rank_models
    from annostat.truth.result import Leakage, ModelScore, Scores
    from annostat.truth.score import score_models
    from annostat.truth.skewed import upper_limit
    from annostat.truth.trained import TrainedOnOne, trained_on_one
    from annostat.truth.verdicts import (
        ABOVE,
        AT,
        BELOW,
        FEW,
        OPEN,
        TWO,
        Verdict,
        fewest_to_accuse,
        fewest_units,
        judge,
    )

__all__ = [
    "ABOVE",
    "AT",
    "BELOW",
    "FEW",
    "OPEN",
    "TWO",
    "CategoryCalibration",
    "CategoryScores",
    "CategoryVerdictPlan",
    "Comparison",
    "DetectorScores",
    "Labels",
    "Leakage",
    "MaskComparison",
    "MaskScore",
    "ModelScore",
    "PlannedVerdict",
    "PointScores",
    "Ranked",
    "Ranking",
    "Scores",
    "TrainedOnOne",
    "TripleCollocation",
    "Verdict",
    "VerdictPlan",
    "calibrated",
    "compare_masks",
    "compare_models",
    "correct_for_attenuation",
    "correlation_with_truth",
    "cross_products",
    "excess_brier",
    "fewest_to_accuse",
    "fewest_units",
    "fieller",
    "grubbs",
    "half_products",
    "judge",
    "mean_estimate",
    "plan_category_verdict",
    "plan_verdict",
    "rank_models",
    "score_categories",
    "score_findings",
    "score_models",
    "score_points",
    "three_cornered_hat",
    "trained_on_one",
    "triple_collocation",
    "unit_sums",
    "upper_limit",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "ABOVE": "annostat.truth.verdicts",
        "AT": "annostat.truth.verdicts",
        "BELOW": "annostat.truth.verdicts",
        "CategoryCalibration": "annostat.truth.category_calibration",
        "CategoryScores": "annostat.truth.category_result",
        "CategoryVerdictPlan": "annostat.truth.category_planning",
        "Comparison": "annostat.truth.comparison",
        "DetectorScores": "annostat.truth.findings",
        "FEW": "annostat.truth.verdicts",
        "Labels": "annostat.truth.products",
        "Leakage": "annostat.truth.result",
        "MaskComparison": "annostat.truth.masks",
        "MaskScore": "annostat.truth.masks",
        "ModelScore": "annostat.truth.result",
        "OPEN": "annostat.truth.verdicts",
        "PlannedVerdict": "annostat.truth.planning",
        "PointScores": "annostat.truth.point_result",
        "Ranked": "annostat.truth.ranking",
        "Ranking": "annostat.truth.ranking",
        "Scores": "annostat.truth.result",
        "TWO": "annostat.truth.verdicts",
        "TrainedOnOne": "annostat.truth.trained",
        "TripleCollocation": "annostat.truth.instruments",
        "Verdict": "annostat.truth.verdicts",
        "VerdictPlan": "annostat.truth.planning",
        "calibrated": "annostat.truth.category_calibration",
        "compare_masks": "annostat.truth.masks",
        "compare_models": "annostat.truth.comparison",
        "correct_for_attenuation": "annostat.truth.instruments",
        "correlation_with_truth": "annostat.truth.instruments",
        "cross_products": "annostat.truth.products",
        "excess_brier": "annostat.truth.categories",
        "fewest_to_accuse": "annostat.truth.verdicts",
        "fewest_units": "annostat.truth.verdicts",
        "fieller": "annostat.truth.means",
        "grubbs": "annostat.truth.instruments",
        "half_products": "annostat.truth.products",
        "judge": "annostat.truth.verdicts",
        "mean_estimate": "annostat.truth.means",
        "plan_category_verdict": "annostat.truth.category_planning",
        "plan_verdict": "annostat.truth.planning",
        "rank_models": "annostat.truth.ranking",
        "score_categories": "annostat.truth.categories",
        "score_findings": "annostat.truth.findings",
        "score_models": "annostat.truth.score",
        "score_points": "annostat.truth.points",
        "three_cornered_hat": "annostat.truth.instruments",
        "trained_on_one": "annostat.truth.trained",
        "triple_collocation": "annostat.truth.instruments",
        "unit_sums": "annostat.truth.means",
        "upper_limit": "annostat.truth.skewed",
    },
)
