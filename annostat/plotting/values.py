"""Plot of bounds: what the rounds differ by, and the noise by the value where it goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from annostat.plotting.agreement import plot_bland_altman, plot_deviations
from annostat.plotting.profile import plot_profile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from annostat.ceilings import MeasuredBounds

__all__ = ["plot_bounds"]


def plot_bounds(result: MeasuredBounds, *, height: float = 4.8) -> Figure:
    """Draw the differences of two rounds, or deviations from the mean, and the precision profile.

    The profile where `result.profile` has points; beside the other.

    Parameters
    ----------
    result : MeasuredBounds
    height : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure as NewFigure

    profile = result.profile if result.profile is not None and result.profile.points else None
    count = 1 if profile is None else 2
    figure = NewFigure(figsize=(height * 4 / 3 * count, height), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, count))
    if result.limits is not None:
        plot_bland_altman(result.limits, ax=axes[0])
    elif result.deviations is not None:
        plot_deviations(result.deviations, ax=axes[0])
    if profile is not None:
        plot_profile(profile, ax=axes[1])
    return figure
