"""Plot of a precision profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from annostat.agreement.profile_result import PrecisionProfile
from annostat.errors import AnnostatError
from annostat.plotting.figures import COLOURS, axes_of, spelt_out
from annostat.results.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_profile"]


def plot_profile(result: PrecisionProfile, *, ax: Axes | None = None) -> Axes:
    """Draw the noise SD as a function of the value, with the hull of its intervals.

    Parameters
    ----------
    result : PrecisionProfile
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    AnnostatError
        If the profile could not be drawn; its note says why.
    """
    if not result.points:
        raise AnnostatError(f"the profile has no points to draw: {result.note}")
    ax = axes_of(ax)
    y = np.array([p.value for p in result.points])
    sd = [p.noise_sd for p in result.points]
    low, high = (np.array([getattr(e, end) for e in sd], dtype=float) for end in ("low", "high"))
    levels = [e.interval.level for e in sd if e.interval is not None]
    if levels:
        label = f"{percent(levels[0])} interval"
        ax.fill_between(y, low, high, color=COLOURS[0], alpha=0.25, lw=0, label=label)
    ax.plot(y, [e.value for e in sd], color=COLOURS[0], lw=1.6, label=f"{result.forms[0]} law")
    if result.floor.interval is not None:
        floor = f"floor of the RMSE, {result.floor.short()}"
        ax.axhline(result.floor.value, color=COLOURS[1], lw=1.4, ls="--", label=floor)
    unit = f" ({result.unit})" if result.unit else ""
    ax.set_xlabel(f"value{unit}")
    ax.set_ylabel(f"noise SD of one annotation{unit}")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    ax.set_title("Noise by the value\n(10 to 90% of the values)")
    return spelt_out(ax)
