"""Plots of results: ``plot_x(result, ax=None) -> Axes``. The only matplotlib of annostat."""

from __future__ import annotations

from annostat.plotting.figures import save_figure
from annostat.plotting.noise import plot_differences, plot_noise, plot_noise_law, plot_windows

__all__ = ["plot_differences", "plot_noise", "plot_noise_law", "plot_windows", "save_figure"]
