"""Agreement of repeated annotations: repeatability, ICC, Bland–Altman, gauge R&R, CCC."""

from __future__ import annotations

from annostat.agreement.ccc import concordance
from annostat.agreement.conventions import CONVENTIONS, convert_sd, noise_sd_from, sd_readings
from annostat.agreement.gauge import GaugeRR, gauge_rr
from annostat.agreement.icc_forms import Icc, icc, spearman_brown
from annostat.agreement.limits import BlandAltman, bland_altman, stacked_rounds
from annostat.agreement.noise_sd import Repeatability, repeatability

__all__ = [
    "CONVENTIONS",
    "BlandAltman",
    "GaugeRR",
    "Icc",
    "Repeatability",
    "bland_altman",
    "concordance",
    "convert_sd",
    "gauge_rr",
    "icc",
    "noise_sd_from",
    "repeatability",
    "sd_readings",
    "spearman_brown",
    "stacked_rounds",
]
