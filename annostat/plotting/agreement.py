"""Plots of agreement between rounds of values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from annostat.agreement import BlandAltman, bland_altman
from annostat.plotting.figures import CLEAR, COLOURS, axes_of, reach_of, shortened, spelt_out
from annostat.results.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from annostat.agreement import MeanLimits
    from annostat.labels import Rounds

__all__ = ["plot_bland_altman", "plot_deviations"]


def plot_bland_altman(result: BlandAltman | Rounds, ax: Axes | None = None) -> Axes:
    """Draw differences against means, with bias, limits of agreement and their intervals.

    Where a check says that the limits change with the mean, the regression limits are drawn too.
    On the log scale the axes are ratios and geometric means.

    Parameters
    ----------
    result : BlandAltman or Rounds
        Rounds are compared first: `annostat.agreement.bland_altman`.
    ax : Axes, optional
        Drawn on new axes if not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if not isinstance(result, BlandAltman):
        result = bland_altman(result)
    ax = axes_of(ax)
    back = np.exp if result.log else np.asarray
    x, d = back(result.means), back(result.differences)
    size = 18 if len(x) < 300 else 7
    ax.scatter(x, d, s=size, color="0.25", alpha=0.6, linewidths=0, zorder=2)
    left, right = float(x.min()), float(x.max())
    margin = 0.03 * (right - left) or 1.0
    ax.set_xlim(left - margin, right + 6 * margin)
    for e, colour, name in (
        (result.bias, COLOURS[0], "bias"),
        (result.upper, COLOURS[1], "upper limit"),
        (result.lower, COLOURS[1], "lower limit"),
    ):
        ax.axhline(e.value, color=colour, lw=1.4, ls="-" if name == "bias" else "--", zorder=3)
        if e.interval is not None:
            ax.axhspan(e.interval.low, e.interval.high, color=colour, alpha=0.15, lw=0, zorder=1)
        ax.annotate(
            f"{name} {e.short()}".replace("-", "−"),
            (1, e.value),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            color=colour,
            fontsize=8,
            bbox=CLEAR,
            zorder=4,
        )
    if any(c.passed is False for c in result.checks):
        grid = np.linspace(result.means.min(), result.means.max(), 200)
        for line in result.limits_at(grid):
            ax.plot(back(grid), back(line), color=COLOURS[2], lw=1.4, ls=":", zorder=3)
        ax.plot([], [], color=COLOURS[2], lw=1.4, ls=":", label="regression limits")
        ax.legend(frameon=False, fontsize=8, loc="upper left")
    unit = f" ({result.unit})" if result.unit else ""
    first, second = map(shortened, result.names)
    if result.log:
        ax.set_xscale("log")
        ax.set_xlabel(f"geometric mean of {first} and {second}")
        ax.set_ylabel(f"{second} / {first}")
    else:
        ax.set_xlabel(f"mean of {first} and {second}{unit}")
        ax.set_ylabel(f"{second} − {first}{unit}")
    level = (
        result.bias.interval.level if result.bias.interval else result.provenance.options["level"]
    )
    ax.set_title(f"Limits of agreement, {len(x):,} pairs\n(bands: {percent(level)} intervals)")
    return spelt_out(ax)


def plot_deviations(result: MeanLimits, *, ax: Axes | None = None) -> Axes:
    r"""Draw the deviation of each reading from the mean of its item, with limits.

    The Bland-Altman plot of any number of rounds, identity or none. Where items differ in their
    number of readings, the limits of the fewest and of the most readings are drawn, with a band
    about the latter.

    Parameters
    ----------
    result : MeanLimits
        From `annostat.agreement.limits_with_mean`, or `MeasuredBounds.deviations`.
    ax : Axes, optional
        Drawn on new axes if not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    deviations = result.deviations
    seen = np.isfinite(deviations)
    x = np.broadcast_to(result.means[:, None], deviations.shape)[seen]
    size = 18 if x.size < 300 else 7
    ax.scatter(x, deviations[seen], s=size, color="0.25", alpha=0.4, linewidths=0, zorder=2)
    ax.axhline(0, color=COLOURS[0], lw=1.4, zorder=3)
    most = max(result.limits)
    for readings, limit in result.limits.items():
        style = "--" if readings == most else ":"
        for sign in (1, -1):
            ax.axhline(sign * limit.value, color=COLOURS[1], lw=1.4, ls=style, zorder=3)
            if limit.interval is not None and readings == most:
                ends = sign * limit.interval.low, sign * limit.interval.high
                ax.axhspan(*ends, color=COLOURS[1], alpha=0.15, lw=0, zorder=1)
        label = f"{readings} readings: ±{limit.short()}"
        ax.plot([], [], color=COLOURS[1], ls=style, lw=1.4, label=label)
    bottom, top = ax.get_ylim()
    far = reach_of(list(result.limits.values()))
    if top > 2 * far:  # a band of two items may be 100,000 times as wide as their limits
        bottom, top = -far, far
    ax.set_ylim(bottom, top + 0.2 * (top - bottom))  # room for the legend
    title = "limits of an item with"
    ax.legend(frameon=False, fontsize=8, loc="upper left", title=title, title_fontsize=8)
    unit = f" ({result.sd.unit})" if result.sd.unit else ""
    ax.set_xlabel(f"mean of the item's readings{unit}")
    ax.set_ylabel(f"reading − mean of its item{unit}")
    covered = result.sd.interval
    bands = "" if covered is None else f"; band: {percent(covered.level)} interval"
    ax.set_title(
        f"Limits of agreement with the mean, {len(result.means):,} items\n"
        f"({result.inside:.1%} of {x.size:,} readings within{bands})"
    )
    return spelt_out(ax)
