"""Plots of categories: how good a model can look, how models look, how clear items are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat.ceilings.category_result import CategoryBounds, Ceiling
from annostat.ceilings.law_of_p import CategoryLaw
from annostat.errors import AnnostatError
from annostat.plotting.figures import COLOURS, axes_of, legend_above, shortened, the_first
from annostat.results.text import percent
from annostat.truth.category_calibration import CategoryCalibration
from annostat.truth.category_result import CategoryScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "plot_category_bounds",
    "plot_category_law",
    "plot_category_scores",
    "plot_reliability",
]

MARKS = "^Dvsp*X"
MOST_ROWS = 16


def _brackets(ax: Axes, rows: list[Ceiling]) -> None:
    """Draw each metric's bracket, its limits, and the score of two annotators."""
    shown = {"limits": False, "bracket": False, "two": False}

    def once(key: str, label: str) -> str | None:
        first, shown[key] = not shown[key], True
        return label if first else None

    for y, c in enumerate(rows):
        if c.interval is not None:
            label = once("limits", f"{percent(c.interval.level)} limits")
            ends = [c.interval.low, c.interval.high]
            ax.plot(ends, [y, y], color=COLOURS[0], lw=1.2, label=label)
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
    _brackets(ax, rows)
    ax.set_yticks(range(len(rows)), [c.label for c in rows])
    ax.invert_yaxis()
    ax.set_xlim(right=1.0)
    against = (
        "one annotator" if result.majority_of == 1 else f"the majority of {result.majority_of}"
    )
    ax.set_xlabel(f"score against {against}")
    legend_above(ax)
    return ax


def plot_category_scores(result: CategoryScores, *, ax: Axes | None = None) -> Axes:
    """Draw the scores of models, with intervals, under the bracket of the best possible model.

    Parameters
    ----------
    result : CategoryScores
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    known = {key for m in result.models for key in m.scores}
    rows = [c for c in result.bounds.ceilings if c.metric in known and not c.floor]
    rows = [c for i, c in enumerate(rows) if c.metric not in {r.metric for r in rows[:i]}]
    _brackets(ax, rows)
    models, of_all = the_first(result.models)
    step = 0.5 / max(len(models), 1)
    for j, model in enumerate(models):
        colour = COLOURS[1:][j % (len(COLOURS) - 1)]
        for y, c in enumerate(rows):
            e, at = model.scores[c.metric], y + 0.15 + step * (j + 0.5)
            if e.interval is not None:
                ax.plot([e.interval.low, e.interval.high], [at, at], color=colour, lw=1.0)
            mark = MARKS[j % len(MARKS)]
            label = f"{shortened(model.name)}: {model.verdict}" if y == 0 else None
            ax.plot([e.value], [at], mark, color=colour, ms=5, zorder=4, label=label)
    ax.set_yticks(range(len(rows)), [c.label for c in rows])
    ax.set_ylim(len(rows) - 0.2, -0.5)
    ax.set_xlim(right=1.0)
    ax.set_xlabel("score against one annotator")
    legend_above(ax, title=of_all)
    return ax


def plot_reliability(
    result: CategoryCalibration | CategoryScores,
    *,
    of_class: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how often annotators say a class against the probability that a model gives it.

    Parameters
    ----------
    result : CategoryCalibration or CategoryScores
        Of scores: each model with probabilities.
    of_class : str, optional
        The class; of scores the first one that is known by default.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Bars hold the mean of p in a bin; the thin lines reach one SD of p within it, which is what
        the model does not tell apart: labels' noise is in neither.
    """
    if isinstance(result, CategoryCalibration):
        known = [result]
    else:
        known = [c for m in result.models for c in m.calibration]
    named = of_class if of_class is not None or not known else known[0].of_class
    found = [c for c in known if c.of_class == named]
    if known and not found:
        classes = ", ".join(dict.fromkeys(c.of_class for c in known))
        raise AnnostatError(f"no class {named!r} is calibrated (of_class): take one of {classes}")
    if not found:
        raise AnnostatError("no model gives probabilities: there is no reliability to draw")
    ax = axes_of(ax)
    ax.plot([0, 1], [0, 1], color="grey", lw=0.8, ls="--")
    for j, c in enumerate(found):
        colour = COLOURS[j % len(COLOURS)]
        x, y = [b.forecast for b in c.bins], [b.share.value for b in c.bins]
        ax.plot(
            x, y, MARKS[j % len(MARKS)] + "-", color=colour, ms=4, lw=1.0, label=shortened(c.model)
        )
        for b in c.bins:
            ends = [b.share.value - b.spread, b.share.value + b.spread]
            ax.plot([b.forecast] * 2, ends, color=colour, lw=0.5, alpha=0.5)
            if b.share.interval is not None:
                ax.plot(
                    [b.forecast] * 2,
                    [b.share.interval.low, b.share.interval.high],
                    color=colour,
                    lw=2.0,
                )
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_xlabel(f"probability of {found[0].of_class} that the model gives")
    ax.set_ylabel("share of annotators who say it")
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    return ax


def plot_category_law(result: CategoryLaw, *, ax: Axes | None = None) -> Axes:
    """Draw the bounds of the law of p: how many items have a p of at most each value.

    Parameters
    ----------
    result : CategoryLaw
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    t = list(result.thresholds)
    for y, part in zip(t, result.below, strict=True):
        low, high = part.limits()
        ax.plot([y, y], [low, high], color=COLOURS[0], lw=1.2)
        ax.plot([y, y], [part.low, part.high], color=COLOURS[0], lw=6, solid_capstyle="butt")
        if part.high - part.low < 0.004:
            ax.plot([y], [part.low], "s", color=COLOURS[0], ms=5)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_xlabel(f"p: chance that an annotator says {result.positive}")
    ax.set_ylabel("share of the items with p or less")
    return ax
