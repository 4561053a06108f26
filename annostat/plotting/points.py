"""Plots of points: one reader's noise as an ellipse, success rates under their bracket."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from annostat.ceilings.point_result import ALL, PointBounds
from annostat.errors import AnnostatError
from annostat.plotting.figures import COLOURS, DASHES, axes_of, shortened, the_first
from annostat.results.text import percent
from annostat.truth.point_result import PointScore, PointScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ELLIPSES = 8
MARKS = "sD^vP*"


def plot_success(
    result: PointBounds | PointScores, *, landmark: str = ALL, ax: Axes | None = None
) -> Axes:
    """Draw the ceiling of success rates by threshold: bracket, limits, two readers, models.

    Parameters
    ----------
    result : PointBounds or PointScores
        Models are drawn over all landmarks.
    landmark : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    AnnostatError
        If there are no success rates, as from published numbers.
    """
    scores: tuple[PointScore, ...] = ()
    if isinstance(result, PointScores):
        scores = result.scores if landmark == ALL else ()
        result = result.bounds
    rows = result.success(landmark)
    if not rows:
        raise AnnostatError("there are no success rates to draw: published numbers have none")
    ax = axes_of(ax)
    t = np.array([x.threshold for x in rows], dtype=np.float64)
    known = [x for x in rows if x.interval is not None]
    if known:
        at = np.array([x.threshold for x in known], dtype=np.float64)
        low = [x.interval.low for x in known if x.interval is not None]
        high = [x.interval.high for x in known if x.interval is not None]
        level = known[0].interval.level if known[0].interval is not None else 0.95
        ax.fill_between(
            at, low, high, color=COLOURS[0], alpha=0.15, lw=0, label=f"{percent(level)} limits"
        )
    ax.fill_between(
        t,
        [x.low for x in rows],
        [x.high for x in rows],
        color=COLOURS[0],
        alpha=0.35,
        lw=0,
        label="perfect model",
    )
    ax.plot(t, [x.gaussian for x in rows], color=COLOURS[0], lw=1.2, label="Gaussian noise")
    ax.plot(t, [x.two_readers.value for x in rows], "o", color="black", ms=4, label="two readers")
    drawn, of_all = the_first(scores)
    for i, s in enumerate(drawn):
        y = [share.value for _, share in s.success]
        reach = [
            [share.value - (share.low or 0.0) for _, share in s.success],
            [(share.high or 1.0) - share.value for _, share in s.success],
        ]
        marks = [threshold for threshold, _ in s.success]
        ax.errorbar(
            marks,
            y,
            reach,
            fmt=f"{MARKS[i]}-",
            color=COLOURS[1 + i % 3],
            ms=4,
            lw=1,
            label=shortened(s.name),
        )
    ax.set_ylim(0, 1.02)
    unit = f", {result.unit}" if result.unit else ""
    ax.set_xlabel(f"within this distance of one reader{unit}")
    ax.set_ylabel("share of points")
    title = of_all or None
    ax.legend(frameon=False, fontsize=8, loc="lower right", title=title, title_fontsize=8)
    return ax


def plot_ellipses(result: PointBounds, *, ax: Axes | None = None) -> Axes:
    """Draw one reader's noise at each landmark as an ellipse of one SD, in two dimensions.

    Parameters
    ----------
    result : PointBounds
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    AnnostatError
        If the points have not two coordinates.
    """
    found = [e for e in result.ellipses if len(e.covariance) == 2]
    if not found:
        raise AnnostatError("ellipses are drawn of points with two coordinates")
    ax = axes_of(ax)
    turn = np.linspace(0, 2 * math.pi, 181)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    for i, ellipse in enumerate(found[:MOST_ELLIPSES]):
        values, axes = np.linalg.eigh(ellipse.covariance)
        x, y = axes @ (np.sqrt(np.maximum(values, 0.0))[:, None] * circle)
        style = DASHES[(i + i // len(COLOURS)) % 4]
        ax.plot(
            x, y, style, color=COLOURS[i % len(COLOURS)], lw=1.2, label=shortened(ellipse.landmark)
        )
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.axvline(0, color="0.8", lw=0.6, zorder=0)
    ax.set_aspect("equal", adjustable="datalim")
    unit = f", {result.unit}" if result.unit else ""
    ax.set_xlabel(f"x{unit}")
    ax.set_ylabel(f"y{unit}")
    ax.legend(frameon=False, fontsize=8)
    return ax
