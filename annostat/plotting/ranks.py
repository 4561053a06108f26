"""Plots of many models: where each may stand, and what it is ranked by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from annostat.errors import AnnostatError
from annostat.plotting.figures import COLOURS, axes_of, spelt_out, told_apart
from annostat.results.text import percent
from annostat.truth import MaskComparison, Ranking, Scores
from annostat.truth.category_result import CategoryScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_ranks"]

BESIDE = 1.02  # of the width of the axes: where letters stand


def plot_ranks(
    result: Ranking | Scores | CategoryScores | MaskComparison,
    *,
    label: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the ranks that each model may have, the best on top, and the letters of its groups.

    Parameters
    ----------
    result : Ranking, Scores, CategoryScores or MaskComparison
    label : int, optional
        Of masks: the structure; the mean over structures by default.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        A bar runs over the ranks that are possible with simultaneous confidence, the square is the
        rank by the values alone.

    Raises
    ------
    AnnostatError
        If no model has a rank, or `label` is given for what has no structures.
    """
    if isinstance(result, MaskComparison):
        found = result.ranking(label)
    elif label is not None:
        raise AnnostatError(f"label: a {type(result).__name__} has no structures")
    else:
        found = result if isinstance(result, Ranking) else result.ranking
    if not found.models:
        raise AnnostatError("no model has a rank: there is nothing to draw")
    ax = axes_of(ax)
    rows = np.arange(len(found.models))
    size = 8.0 if len(rows) <= 20 else 8.0 * 20 / len(rows)
    for row, m in zip(rows, found.models, strict=True):
        # Half a rank on both sides, so that one certain rank is a short bar.
        ax.plot(
            [m.low - 0.3, m.high + 0.3],
            [row, row],
            color=COLOURS[0],
            lw=0.6 * size,
            alpha=0.3,
            solid_capstyle="butt",
        )
        ax.plot(m.rank, row, "s", color=COLOURS[0], ms=0.55 * size)
        ax.annotate(
            m.group,
            (BESIDE, row),
            xycoords=ax.get_yaxis_transform(),
            va="center",
            fontsize=size,
            annotation_clip=False,
        )
    ax.set_yticks(rows, told_apart([m.name for m in found.models]))
    ax.tick_params(axis="y", labelsize=size)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(0.4, len(rows) + 0.6)
    step = max(1, -(-len(rows) // 12))
    ax.set_xticks(range(1, len(rows) + 1, step))
    ax.set_xlabel(
        f"rank by {found.what},\n{percent(found.level)} for all pairs together", fontsize=8
    )
    ax.spines[["top", "right"]].set_visible(False)
    return spelt_out(ax)
