"""Plots of which categories annotators confuse, and of each one's quality."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from annostat.agreement.confusion import CategoryConfusion
from annostat.consensus.category_result import MergedCategories
from annostat.errors import AnnostatError
from annostat.plotting.figures import COLOURS, axes_of, shortened, told_apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_confusion", "plot_quality"]

DARK = 0.55  # share above which text on a cell is white


def plot_confusion(result: CategoryConfusion, *, ax: Axes | None = None) -> Axes:
    """Draw what a second annotator says (column) where a first one says something (row).

    Parameters
    ----------
    result : CategoryConfusion
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    matrix = result.matrix()
    ax.imshow(matrix, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            if not math.isnan(value):
                colour = "white" if value > DARK else "black"
                ax.text(j, i, f"{100 * value:.0f}%", ha="center", va="center", color=colour)
    ax.set_xticks(range(len(result.classes)), told_apart(result.classes))
    ax.set_yticks(range(len(result.classes)), told_apart(result.classes))
    ax.set_xlabel(f"{shortened(result.second or 'another annotator')} says")
    ax.set_ylabel(f"{shortened(result.first or 'one annotator')} says")
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    return ax


def plot_quality(result: MergedCategories, *, ax: Axes | None = None) -> Axes:
    """Draw how often each rater says the true class, by Dawid and Skene's model.

    Parameters
    ----------
    result : MergedCategories
        Of the method "dawid-skene".
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    if not result.quality:
        raise AnnostatError("a majority knows nothing of its raters: merge by dawid-skene")
    ax = axes_of(ax)
    raters = result.raters
    marks = "os^Dv*"
    step = 0.6 / max(len(result.classes), 1)
    for q, name in enumerate(result.classes):
        colour = COLOURS[q % len(COLOURS)]
        for y, rater in enumerate(raters):
            e = result.quality[rater, name]
            if math.isnan(e.value):
                continue
            at = y - 0.3 + step * (q + 0.5)
            if e.interval is not None:
                ax.plot([e.interval.low, e.interval.high], [at, at], color=colour, lw=1.2)
            label = name if y == 0 else None
            ax.plot([e.value], [at], marks[q % len(marks)], color=colour, ms=5, label=label)
    ax.set_yticks(range(len(raters)), told_apart(raters))
    ax.invert_yaxis()
    ax.set_xlim(right=1.0)
    ax.set_xlabel("how often the true class is said,\nif all items are equally hard")
    ax.legend(frameon=False, fontsize=8, loc="best", title="true class")
    return ax
