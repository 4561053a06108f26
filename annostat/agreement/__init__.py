"""Agreement of repeated annotations: repeatability, ICC, Bland–Altman, gauge R&R, CCC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.agreement.by_label import RatersByHierarchy, floors_by_label
    from annostat.agreement.categories import CategoryAgreement, category_agreement
    from annostat.agreement.ccc import concordance
    from annostat.agreement.confusion import CategoryConfusion, category_confusion
    from annostat.agreement.conventions import CONVENTIONS, convert_sd, noise_sd_from, sd_readings
    from annostat.agreement.gauge import GaugeRR, gauge_rr
    from annostat.agreement.hierarchical import hierarchy
    from annostat.agreement.hierarchy_result import Hierarchy
    from annostat.agreement.icc_forms import Icc, icc, spearman_brown
    from annostat.agreement.label_kinds import NEW, ONE_OF_THEM, UnequalRaters
    from annostat.agreement.limits import BlandAltman, bland_altman, stacked_rounds
    from annostat.agreement.mean_limits import MeanLimits, limits_with_mean
    from annostat.agreement.noise_sd import Repeatability, noise_estimate, repeatability
    from annostat.agreement.profile import floor_for, precision_profile
    from annostat.agreement.profile_result import PrecisionProfile
    from annostat.agreement.rater_bias import bias_of_raters
    from annostat.agreement.small import noise_interval, reliability_interval
    from annostat.agreement.unequal import unequal_raters
    from annostat.agreement.variances import Variances

__all__ = [
    "CONVENTIONS",
    "NEW",
    "ONE_OF_THEM",
    "BlandAltman",
    "CategoryAgreement",
    "CategoryConfusion",
    "GaugeRR",
    "Hierarchy",
    "Icc",
    "MeanLimits",
    "PrecisionProfile",
    "RatersByHierarchy",
    "Repeatability",
    "UnequalRaters",
    "Variances",
    "bias_of_raters",
    "bland_altman",
    "category_agreement",
    "category_confusion",
    "concordance",
    "convert_sd",
    "floor_for",
    "floors_by_label",
    "gauge_rr",
    "hierarchy",
    "icc",
    "limits_with_mean",
    "noise_estimate",
    "noise_interval",
    "noise_sd_from",
    "precision_profile",
    "reliability_interval",
    "repeatability",
    "sd_readings",
    "spearman_brown",
    "stacked_rounds",
    "unequal_raters",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "CONVENTIONS": "annostat.agreement.conventions",
        "NEW": "annostat.agreement.label_kinds",
        "ONE_OF_THEM": "annostat.agreement.label_kinds",
        "BlandAltman": "annostat.agreement.limits",
        "CategoryAgreement": "annostat.agreement.categories",
        "GaugeRR": "annostat.agreement.gauge",
        "Hierarchy": "annostat.agreement.hierarchy_result",
        "Icc": "annostat.agreement.icc_forms",
        "MeanLimits": "annostat.agreement.mean_limits",
        "PrecisionProfile": "annostat.agreement.profile_result",
        "RatersByHierarchy": "annostat.agreement.by_label",
        "Repeatability": "annostat.agreement.noise_sd",
        "UnequalRaters": "annostat.agreement.label_kinds",
        "Variances": "annostat.agreement.variances",
        "bias_of_raters": "annostat.agreement.rater_bias",
        "bland_altman": "annostat.agreement.limits",
        "category_agreement": "annostat.agreement.categories",
        "category_confusion": "annostat.agreement.confusion",
        "CategoryConfusion": "annostat.agreement.confusion",
        "concordance": "annostat.agreement.ccc",
        "convert_sd": "annostat.agreement.conventions",
        "floor_for": "annostat.agreement.profile",
        "floors_by_label": "annostat.agreement.by_label",
        "gauge_rr": "annostat.agreement.gauge",
        "hierarchy": "annostat.agreement.hierarchical",
        "icc": "annostat.agreement.icc_forms",
        "limits_with_mean": "annostat.agreement.mean_limits",
        "noise_estimate": "annostat.agreement.noise_sd",
        "noise_interval": "annostat.agreement.small",
        "noise_sd_from": "annostat.agreement.conventions",
        "precision_profile": "annostat.agreement.profile",
        "reliability_interval": "annostat.agreement.small",
        "repeatability": "annostat.agreement.noise_sd",
        "sd_readings": "annostat.agreement.conventions",
        "spearman_brown": "annostat.agreement.icc_forms",
        "stacked_rounds": "annostat.agreement.limits",
        "unequal_raters": "annostat.agreement.unequal",
    },
)
