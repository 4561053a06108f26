"""Plots of scores: a model against labels (Bland–Altman), and models beside the floor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from annostat.plotting.agreement import plot_bland_altman
from annostat.plotting.figures import (
    COLOURS,
    Panel,
    axes_of,
    legend_above,
    reach_of,
    shortened,
    spelt_out,
    told_apart,
)
from annostat.plotting.ranks import plot_ranks
from annostat.results.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from annostat.truth import ModelScore, Scores

__all__ = ["plot_rmse_floor", "plot_scores"]

PANELS = 3  # Bland–Altman panels of one figure


def plot_scores(result: Scores, *, height: float = 4.2) -> Figure:
    """Draw each of up to three models against the labels, and all of them beside the floor.

    More models are drawn beside the floor and by their ranks only.

    Parameters
    ----------
    result : Scores
    height : float
        In inches; every panel is about as wide.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure as NewFigure

    panels = panels_of_scores(result)
    count = len(panels)
    many = len(result.models) > PANELS and bool(result.ranking.models)
    tall = max(height, 0.28 * len(result.models) + 1.2) if many else height
    wide = 2.6 * height if many else 1.15 * height * count + 0.6
    figure = NewFigure(figsize=(wide, tall), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, count))
    for panel, ax in zip(panels, axes, strict=True):
        panel.draw(ax=ax)
    for ax in axes[1 : count - 1]:
        ax.sharey(axes[0])
    return figure


def panels_of_scores(result: Scores) -> list[Panel]:
    """Return what `plot_scores` draws, panel by panel."""
    n = len(result.models)
    floor = partial(plot_rmse_floor, result)
    if n > PANELS and result.ranking.models:
        ratio = max(0.75, 0.045 * n)  # a row of a model has a height of its own
        return [Panel(floor, ratio), Panel(partial(plot_ranks, result), ratio)]
    drawn = [m for m in result.models if m.agreement is not None][:PANELS]
    return [*(Panel(partial(_against_labels, m)) for m in drawn), Panel(floor)]


def _against_labels(model: ModelScore, *, ax: Axes) -> Axes:
    """Draw the Bland-Altman plot of one model."""
    if model.agreement is not None:
        plot_bland_altman(model.agreement, ax=ax)
    ax.set_title(shortened(model.name))
    return spelt_out(ax)


def plot_rmse_floor(result: Scores, *, ax: Axes | None = None) -> Axes:
    """Draw each model's RMSE against one label, its error against the truth, and the floor.

    The model nearest to the truth is on top.
    """
    ax = axes_of(ax)
    floor = result.floors["rmse_floor"]
    level = result.models[0].verdict.level
    if floor.interval is not None:
        low, high = floor.interval.low, floor.interval.high
        ax.axvspan(low, high, color=COLOURS[1], alpha=0.15, lw=0, zorder=0)
    ax.axvline(floor.value, color=COLOURS[1], lw=1.2, zorder=1, label=f"floor {floor.short()}")
    order = {m.name: i for i, m in enumerate(result.ranking.models)}
    models = sorted(result.models, key=lambda m: order.get(m.name, len(order)))
    rows = np.arange(len(models))
    series = (
        ("against one label", [m.rmse for m in models], -0.12, "o", "#4D4D4D"),
        ("against the truth", [m.true_rmse for m in models], 0.12, "s", COLOURS[0]),
    )
    for label, estimates, shift, marker, colour in series:
        for row, e in zip(rows, estimates, strict=True):
            if e.interval is not None:
                ax.plot([e.interval.low, e.interval.high], [row + shift] * 2, color=colour, lw=2)
        values = [e.value for e in estimates]
        ax.plot(values, rows + shift, marker, color=colour, ms=6, ls="", label=label, zorder=3)
    for row, m in zip(rows, models, strict=True):
        if np.isnan(m.true_rmse.value):
            ax.annotate(
                m.verdict.name,
                (0, row + 0.12),
                (4, 0),
                xycoords=ax.get_yaxis_transform(),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=COLOURS[0],
            )
    ax.set_yticks(rows, told_apart([m.name for m in models]))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    every = [floor, *(e for _, estimates, *_ in series for e in estimates)]
    ax.set_xlim(0, min(ax.get_xlim()[1], 1.35 * reach_of(every)))
    unit = f" ({result.rounds.unit})" if result.rounds.unit else ""
    ax.set_xlabel(f"RMSE{unit}, {percent(level)} intervals")
    legend_above(ax, ncols=3)
    return spelt_out(ax)
