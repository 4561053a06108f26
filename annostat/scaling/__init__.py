"""Scaling laws that know the noise floor: score against size."""

from __future__ import annotations

from annostat.scaling.compare import ScalingComparison, compare_scaling
from annostat.scaling.fit import LAWS, Prediction, ScalingFit
from annostat.scaling.slopes import LOSS_KINDS, dimension_from_slope, log_slope
from annostat.scaling.table import compare_scaling_table
from annostat.scaling.together import Together

__all__ = [
    "LAWS",
    "LOSS_KINDS",
    "Prediction",
    "ScalingComparison",
    "ScalingFit",
    "Together",
    "compare_scaling",
    "compare_scaling_table",
    "dimension_from_slope",
    "log_slope",
]
