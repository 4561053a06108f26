"""A model against the truth that nobody has: its error, its verdict, its comparison with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.truth.comparison import Comparison, compare_models
    from annostat.truth.instruments import (
        TripleCollocation,
        correct_for_attenuation,
        grubbs,
        three_cornered_hat,
        triple_collocation,
    )
    from annostat.truth.masks import MaskComparison, MaskScore, compare_masks
    from annostat.truth.products import cross_products
    from annostat.truth.result import Leakage, ModelScore, Scores
    from annostat.truth.score import score_models
    from annostat.truth.verdicts import Verdict

__all__ = [
    "Comparison",
    "Leakage",
    "MaskComparison",
    "MaskScore",
    "ModelScore",
    "Scores",
    "TripleCollocation",
    "Verdict",
    "compare_masks",
    "compare_models",
    "correct_for_attenuation",
    "cross_products",
    "grubbs",
    "score_models",
    "three_cornered_hat",
    "triple_collocation",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Comparison": "annostat.truth.comparison",
        "Leakage": "annostat.truth.result",
        "MaskComparison": "annostat.truth.masks",
        "MaskScore": "annostat.truth.masks",
        "ModelScore": "annostat.truth.result",
        "Scores": "annostat.truth.result",
        "TripleCollocation": "annostat.truth.instruments",
        "Verdict": "annostat.truth.verdicts",
        "compare_masks": "annostat.truth.masks",
        "compare_models": "annostat.truth.comparison",
        "correct_for_attenuation": "annostat.truth.instruments",
        "cross_products": "annostat.truth.products",
        "grubbs": "annostat.truth.instruments",
        "score_models": "annostat.truth.score",
        "three_cornered_hat": "annostat.truth.instruments",
        "triple_collocation": "annostat.truth.instruments",
    },
)
