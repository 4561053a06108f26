"""Agreement of repeated annotations: repeatability, ICC, Bland–Altman, gauge R&R, CCC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.agreement.ccc import concordance
    from annostat.agreement.conventions import CONVENTIONS, convert_sd, noise_sd_from, sd_readings
    from annostat.agreement.gauge import GaugeRR, gauge_rr
    from annostat.agreement.icc_forms import Icc, icc, spearman_brown
    from annostat.agreement.limits import BlandAltman, bland_altman, stacked_rounds
    from annostat.agreement.mean_limits import MeanLimits, limits_with_mean
    from annostat.agreement.noise_sd import Repeatability, noise_estimate, repeatability
    from annostat.agreement.variances import Variances

__all__ = [
    "CONVENTIONS",
    "BlandAltman",
    "GaugeRR",
    "Icc",
    "MeanLimits",
    "Repeatability",
    "Variances",
    "bland_altman",
    "concordance",
    "convert_sd",
    "gauge_rr",
    "icc",
    "limits_with_mean",
    "noise_estimate",
    "noise_sd_from",
    "repeatability",
    "sd_readings",
    "spearman_brown",
    "stacked_rounds",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "CONVENTIONS": "annostat.agreement.conventions",
        "BlandAltman": "annostat.agreement.limits",
        "GaugeRR": "annostat.agreement.gauge",
        "Icc": "annostat.agreement.icc_forms",
        "MeanLimits": "annostat.agreement.mean_limits",
        "Repeatability": "annostat.agreement.noise_sd",
        "Variances": "annostat.agreement.variances",
        "bland_altman": "annostat.agreement.limits",
        "concordance": "annostat.agreement.ccc",
        "convert_sd": "annostat.agreement.conventions",
        "gauge_rr": "annostat.agreement.gauge",
        "icc": "annostat.agreement.icc_forms",
        "limits_with_mean": "annostat.agreement.mean_limits",
        "noise_estimate": "annostat.agreement.noise_sd",
        "noise_sd_from": "annostat.agreement.conventions",
        "repeatability": "annostat.agreement.noise_sd",
        "sd_readings": "annostat.agreement.conventions",
        "spearman_brown": "annostat.agreement.icc_forms",
        "stacked_rounds": "annostat.agreement.limits",
    },
)
