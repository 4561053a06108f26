"""Plot of how good any model can look against categories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat.ceilings.category_result import CategoryBounds
from annostat.plotting.figures import COLOURS, axes_of
from annostat.results.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_category_bounds"]

MOST_ROWS = 16


def plot_category_bounds(result: CategoryBounds, *, ax: Axes | None = None) -> Axes:
    """Draw each metric's bracket, its limits, and the score of two annotators.

    Parameters
    ----------
    result : CategoryBounds
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    rows = [c for c in result.ceilings if not c.floor][:MOST_ROWS]
    shown = {"limits": False, "bracket": False, "two": False}

    def once(key: str, label: str) -> str | None:
        first, shown[key] = not shown[key], True
        return label if first else None

    for y, c in enumerate(rows):
        if c.interval is not None:
            label = once("limits", f"{percent(c.interval.level)} limits")
            ax.plot(
                [c.interval.low, c.interval.high], [y, y], color=COLOURS[0], lw=1.2, label=label
            )
        if c.high - c.low < 0.004:
            ax.plot([c.low], [y], "s", color=COLOURS[0], ms=6, zorder=3)
        else:
            label = once("bracket", "best possible model")
            ax.plot(
                [c.low, c.high],
                [y, y],
                color=COLOURS[0],
                lw=7,
                solid_capstyle="butt",
                alpha=0.75,
                label=label,
            )
        if c.two_raters is not None:
            label = once("two", "two annotators")
            ax.plot([c.two_raters.value], [y], "o", color="black", ms=4, zorder=4, label=label)
    ax.set_yticks(range(len(rows)), [c.label for c in rows])
    ax.invert_yaxis()
    ax.set_xlim(right=1.0)
    against = (
        "one annotator" if result.majority_of == 1 else f"the majority of {result.majority_of}"
    )
    ax.set_xlabel(f"score against {against}")
    ax.legend(frameon=False, fontsize=8, loc="best")
    return ax
