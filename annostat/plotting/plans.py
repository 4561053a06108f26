"""Plots of plans: the power of a verdict against the number of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat.plotting.figures import axes_of, spelt_out
from annostat.results.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from annostat.truth import VerdictPlan

__all__ = ["plot_verdict_plan"]

VERMILLION = "#D55E00"


def plot_verdict_plan(result: VerdictPlan, *, ax: Axes | None = None) -> Axes:
    """Draw the power of a verdict against the number of items, a line for each number of labels.

    Parameters
    ----------
    result : VerdictPlan
    ax : Axes, optional
        New ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Items are logarithmic; a dashed line is the wanted power.
    """
    ax = axes_of(ax)
    counts = list(dict.fromkeys(p.n_labels for p in result.table))
    for i, k in enumerate(counts):
        rows = [p for p in result.table if p.n_labels == k]
        shade = str(0.65 * (1 - i / max(len(counts) - 1, 1)))
        x, y = [p.n_items for p in rows], [100 * p.power for p in rows]
        marker = "osD^v"[i % 5]
        ax.plot(x, y, f"{marker}-", color=shade, ms=4, lw=1.2, label=f"{k} labels each")
    ax.axhline(100 * result.wanted, color=VERMILLION, lw=1.2, ls="--")
    sizes = [p.n_items for p in result.table]
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
    ax.minorticks_off()
    ax.set_ylim(0, 102)
    ax.set_xlabel("items")
    ax.set_ylabel(f"power to say\n{result.words()} (%)")
    ax.annotate(
        f"wanted {percent(result.wanted)}",
        (max(sizes), 100 * result.wanted),
        (0, -9),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=VERMILLION,
    )
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    return spelt_out(ax)
