"""A model against the truth that nobody has: its error, its verdict, its comparison with others."""

from __future__ import annotations

from annostat.truth.comparison import Comparison, compare_models
from annostat.truth.instruments import (
    TripleCollocation,
    correct_for_attenuation,
    grubbs,
    three_cornered_hat,
    triple_collocation,
)
from annostat.truth.products import cross_products
from annostat.truth.result import Leakage, ModelScore, Scores
from annostat.truth.score import score_models
from annostat.truth.verdicts import Verdict

__all__ = [
    "Comparison",
    "Leakage",
    "ModelScore",
    "Scores",
    "TripleCollocation",
    "Verdict",
    "compare_models",
    "correct_for_attenuation",
    "cross_products",
    "grubbs",
    "score_models",
    "three_cornered_hat",
    "triple_collocation",
]
