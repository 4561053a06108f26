"""Plots of results: ``plot_x(result, ax=None) -> Axes``. The only matplotlib of annostat."""

from __future__ import annotations

from annostat.plotting.agreement import plot_bland_altman, plot_deviations
from annostat.plotting.audit import plot_contact_sheet, plot_frame_rates
from annostat.plotting.cardiac import plot_afd, plot_beat, plot_first_frames
from annostat.plotting.categories import (
    plot_category_bounds,
    plot_category_law,
    plot_category_scores,
    plot_reliability,
)
from annostat.plotting.concentration import plot_concentration
from annostat.plotting.confusion import plot_confusion, plot_quality
from annostat.plotting.figures import COLOURS, save_figure
from annostat.plotting.findings import plot_findings, plot_froc
from annostat.plotting.interchange import plot_interchange, plot_interchange_plan
from annostat.plotting.masks import plot_disputed, plot_ladder, plot_masks
from annostat.plotting.noise import plot_differences, plot_noise, plot_noise_law, plot_windows
from annostat.plotting.plans import plot_verdict_plan, plot_width_plan
from annostat.plotting.points import plot_ellipses, plot_success
from annostat.plotting.profile import plot_profile
from annostat.plotting.published import plot_published
from annostat.plotting.ranks import plot_ranks
from annostat.plotting.scaling import plot_scaling
from annostat.plotting.truth import plot_rmse_floor, plot_scores
from annostat.plotting.values import plot_bounds, plot_floors

__all__ = [
    "COLOURS",
    "plot_afd",
    "plot_beat",
    "plot_bland_altman",
    "plot_bounds",
    "plot_category_bounds",
    "plot_category_law",
    "plot_category_scores",
    "plot_concentration",
    "plot_confusion",
    "plot_contact_sheet",
    "plot_deviations",
    "plot_differences",
    "plot_disputed",
    "plot_ellipses",
    "plot_findings",
    "plot_first_frames",
    "plot_floors",
    "plot_frame_rates",
    "plot_froc",
    "plot_interchange",
    "plot_interchange_plan",
    "plot_ladder",
    "plot_masks",
    "plot_noise",
    "plot_noise_law",
    "plot_profile",
    "plot_published",
    "plot_quality",
    "plot_ranks",
    "plot_reliability",
    "plot_rmse_floor",
    "plot_scaling",
    "plot_scores",
    "plot_success",
    "plot_verdict_plan",
    "plot_width_plan",
    "plot_windows",
    "save_figure",
]
