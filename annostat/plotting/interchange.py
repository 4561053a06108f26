"""Plots of models in an annotator's place: the change against the margin, and plans of studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from annostat.interchange.words import POINTS, counted, short_verdict, shown, unit_of, whom
from annostat.plotting.figures import axes_of, legend_above, spelt_out, told_apart
from annostat.results.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from annostat.interchange import Interchange, InterchangePlan

__all__ = ["plot_interchange", "plot_interchange_plan"]

PLAIN = [m * 10.0**e for e in range(-6, 7) for m in (1, 1.5, 2, 3, 5, 7)]  # ticks, in digits
BLUE, VERMILLION, GREEN, BAND = "#0072B2", "#D55E00", "#009E73", "#D9D9D9"


def plot_interchange(result: Interchange, *, ax: Axes | None = None) -> Axes:
    """Draw the change of each model against the margin, with the place of each reader.

    Parameters
    ----------
    result : Interchange
    ax : Axes, optional
        New ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        A row for each model: a square with its interval, a triangle for each reader whose place it
        takes, the verdict in words; a line at 0 for a reader, a dashed one at the margin, a band
        where a perfect model lies.
    """
    ax = axes_of(ax)
    scale = 100.0 if counted(result) else 1.0
    if result.perfect is not None:
        low, high = (v * scale for v in result.perfect)
        if high - low > 0:
            ax.axvspan(low, high, color=BAND, lw=0, zorder=0, label="a perfect model")
        else:
            ax.axvline(low, color="0.6", lw=1.2, ls=":", zorder=0, label="a perfect model")
    ax.axvline(0, color="black", lw=1.0, zorder=1, label=whom(result))
    margin = result.models[0].standing.margin
    if margin is not None:
        ax.axvline(margin * scale, color=VERMILLION, lw=1.2, ls="--", zorder=1, label="the margin")
    for row, m in enumerate(result.models):
        e = shown(result, m.change)
        if e.interval is not None:
            ax.plot([e.interval.low, e.interval.high], [row, row], color=BLUE, lw=2, zorder=3)
        label = f"the model, {percent(result.level)} interval" if not row else None
        ax.plot([e.value], [row], "s", color=BLUE, ms=6, ls="", zorder=4, label=label)
        if m.places:
            x = [p.change.value * scale for p in m.places]
            label = "in one reader's place" if not row else None
            ax.plot(x, np.full(len(x), row + 0.22), "^", color=GREEN, ms=4, ls="", label=label)
    ax.set_yticks(range(len(result.models)), told_apart([m.name for m in result.models]))
    ax.set_ylim(len(result.models) - 0.2, -0.7)
    left, right = ax.get_xlim()
    # Room for "better" and "worse" on both sides of a reader.
    left, right = min(left, -0.15 * right), max(right, -0.15 * left)
    ax.set_xlim(left, right)
    for row, m in enumerate(result.models):
        # Beside a model near the frame, from the frame inwards, or the words would reach over it.
        at = (shown(result, m.change).value - left) / (right - left)
        where = (0.01, "left") if at < 1 / 3 else (0.99, "right") if at > 2 / 3 else (at, "center")
        ax.annotate(
            short_verdict(result, m.standing.name, m.standing.least_margin, m),
            (where[0], row - 0.12),
            xycoords=ax.get_yaxis_transform(),
            ha=where[1],
            va="bottom",
            fontsize=8,
        )
    unit = unit_of(result)
    unit = "percentage points" if unit == POINTS else unit
    ax.set_xlabel(f"change of {result.distance.label}{f' ({unit})' if unit else ''}")
    for words, shift, side in (("← better", -4, "right"), ("worse →", 4, "left")):
        ax.annotate(
            words,
            (0, 0.02),
            (shift, 0),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            ha=side,
            fontsize=8,
        )
    legend_above(ax)
    return spelt_out(ax)


def plot_interchange_plan(result: InterchangePlan, *, ax: Axes | None = None) -> Axes:
    """Draw the half-width of γ against the number of items, a line for each number of readers.

    Parameters
    ----------
    result : InterchangePlan
    ax : Axes, optional
        New ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Both axes are logarithmic; a dashed line is what the claim leaves room for: the margin less
        the change that is presumed.
    """
    ax = axes_of(ax)
    counts = list(dict.fromkeys(p.n_readers for p in result.table))
    for i, k in enumerate(counts):
        rows = [p for p in result.table if p.n_readers == k]
        shade = str(0.65 * (1 - i / max(len(counts) - 1, 1)))
        x, y = [p.n_items for p in rows], [p.half_width for p in rows]
        ax.plot(x, y, "o-", color=shade, ms=4, lw=1.2)
        ax.annotate(
            f"{k} readers",
            (x[-1], y[-1]),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    room = result.margin - result.change
    ax.axhline(room, color=VERMILLION, lw=1.2, ls="--", label="margin − γ")
    ax.set_xscale("log")
    ax.set_yscale("log")
    sizes = sorted({p.n_items for p in result.table})
    ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
    low, high = ax.get_ylim()
    ticks = [t for t in PLAIN if low <= t <= high]
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set_ylim(low, high)
    ax.set_xlim(min(sizes) / 1.4, max(sizes) * 3)
    unit = f" ({result.pilot.unit})" if result.pilot.unit else ""
    ax.set_xlabel("items")
    ax.set_ylabel(f"half-width of γ{unit}")
    ax.legend(frameon=False, fontsize=8)
    return spelt_out(ax)
