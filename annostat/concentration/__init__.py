"""Where a model's error sits, and how much of that pure annotation noise would do as well."""

from annostat.concentration.categories import category_concentration
from annostat.concentration.compare import ConcentrationComparison, compare_concentration
from annostat.concentration.curve import Curve
from annostat.concentration.laws import Gaussians, law_gini, law_half, law_share
from annostat.concentration.lists import Overlap, overlap
from annostat.concentration.measure import concentration
from annostat.concentration.result import Concentration, Excess, Null
from annostat.concentration.swaps import SwapTest, excess_by_swaps

__all__ = [
    "Concentration",
    "ConcentrationComparison",
    "Curve",
    "Excess",
    "Gaussians",
    "Null",
    "Overlap",
    "SwapTest",
    "category_concentration",
    "compare_concentration",
    "concentration",
    "excess_by_swaps",
    "law_gini",
    "law_half",
    "law_share",
    "overlap",
]
