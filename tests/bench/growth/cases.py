"""All cases: every public function with what it may cost, the one table of declared exponents."""

from __future__ import annotations

from tests.bench.growth import of_categories, of_images, of_values
from tests.bench.growth.case import CASES, Case

__all__ = ["CASES", "OF_NO_SIZE", "Case", "of_categories", "of_images", "of_values"]

CASES.sort(key=lambda case: case.name)

# What takes a few numbers, or parts of another function's answer, and does not grow.
OF_NO_SIZE = {
    "agreement.convert_sd",
    "agreement.noise_estimate",
    "agreement.noise_interval",
    "agreement.noise_sd_from",
    "agreement.reliability_interval",
    "agreement.sd_readings",
    "agreement.spearman_brown",
    "cardiac.pre_pad",
    "cardiac.prompt_curve",
    "ceilings.bounds_from_summary",
    "ceilings.compare_published",
    "ceilings.published_categories",
    "ceilings.published_points",
    "ceilings.reliability_by_profile",
    "ceilings.reliability_estimate",
    "ceilings.unbiased_pair_mae",
    "concentration.law_gini",
    "concentration.law_half",
    "concentration.law_share",
    "masks.chords_to_outline",
    "masks.count_pairs",
    "masks.scores_of",
    "noise.bracket",
    "noise.get_family",
    "noise.lattice_floor",
    "scaling.dimension_from_slope",
    "tables.read_table",
    "truth.correct_for_attenuation",
    "truth.fieller",
    "truth.judge",
    "truth.mean_estimate",
    "truth.fewest_to_accuse",
    "truth.fewest_units",
    "truth.upper_limit",
    "truth.triple_collocation",
    "truth.unit_sums",
}
