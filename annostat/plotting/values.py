"""Plots of bounds: floors and ceilings, what rounds differ by, the noise by the value."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.ceilings.floors import BOUNDS
from annostat.plotting.agreement import plot_bland_altman, plot_deviations
from annostat.plotting.figures import COLOURS, Panel, axes_of, reach_of, spelt_out
from annostat.plotting.profile import plot_profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from annostat.ceilings import MeasuredBounds
    from annostat.ceilings.floors import Bounds
    from annostat.results.estimates import Estimate

__all__ = ["plot_bounds", "plot_floors"]

SCORES = {"rmse": "RMSE", "mae": "MAE", "correlation": "r", "r2": "R²"}
BEYOND = "0.9"  # the grey where no model is, on average


def plot_floors(result: Bounds, *, ax: Axes | None = None) -> Axes:
    """Draw the floors of RMSE and MAE (lower axis) and the ceilings of r and R² (upper axis).

    Parameters
    ----------
    result : Bounds
        Of rounds, or of published numbers.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        That of the floors. Grey is where no model is, on average over test sets; bars are the
        intervals. A number that is unknown has no row.
    """
    ax = axes_of(ax)
    known = [q for q in BOUNDS if not np.isnan(q.of(result).value)]
    floors = [q for q in known if q.role == "floor"]
    ceilings = [q for q in known if q.role != "floor"]
    top = ax.twiny() if ceilings else None
    for row, q in enumerate((*floors, *ceilings)):
        on = ax if q.role == "floor" or top is None else top
        e = q.of(result)
        ends = (0.0, e.value) if q.role == "floor" else (e.value, 1.0)
        draw_bound(on, row, e, ends, e.short())
    names = {q.key: SCORES[q.score] for q in known}
    ax.set_yticks(range(len(known)), [names[q.key] for q in (*floors, *ceilings)])
    ax.set_ylim(len(known) - 0.4, -0.8)
    unit = f" ({result.unit})" if result.unit else ""
    ax.set_xlabel(f"error against one annotation{unit}; grey: no model, on average")
    ax.set_xlim(0, None if floors else 1)
    if floors:
        ax.set_xlim(0, 1.35 * reach_of([q.of(result) for q in floors]))
    if top is not None:
        least = min(q.of(result).low or q.of(result).value for q in ceilings)
        top.set_xlim(min(0.5, 0.1 * np.floor(10 * least)), 1)
        top.set_xlabel("score against one annotation")
        spelt_out(top)
    return spelt_out(ax)


def draw_bound(
    ax: Axes, row: int, e: Estimate, beyond: tuple[float, float], told: str, **text: Any
) -> None:
    """Draw a floor or ceiling in a row: grey where no model is, the interval, and words above."""
    ax.plot(beyond, [row, row], color=BEYOND, lw=16, solid_capstyle="butt", zorder=0)
    if e.interval is not None:
        ax.plot([e.interval.low, e.interval.high], [row, row], color=COLOURS[1], lw=2)
    ax.plot(e.value, row, "|", color=COLOURS[1], ms=16, mew=2.5)
    ax.annotate(
        told,
        (e.value, row),
        (0, 11),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        color=COLOURS[1],
        **text,
    )


def plot_bounds(result: MeasuredBounds, *, height: float = 4.8) -> Figure:
    """Draw the floors and ceilings, and beside them what the rounds differ by.

    Differences of two rounds, or deviations from the mean, and the precision profile where
    `result.profile` has points.

    Parameters
    ----------
    result : MeasuredBounds
    height : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure as NewFigure

    panels = panels_of_bounds(result)
    count = len(panels)
    figure = NewFigure(figsize=(height * 4 / 3 * count, height), layout="constrained")
    for panel, ax in zip(panels, np.atleast_1d(figure.subplots(1, count)), strict=True):
        panel.draw(ax=ax)
    return figure


def panels_of_bounds(result: MeasuredBounds) -> list[Panel]:
    """Return what `plot_bounds` draws, panel by panel."""
    panels = [Panel(partial(plot_floors, result))]
    if result.limits is not None:
        panels.append(Panel(partial(plot_bland_altman, result.limits)))
    elif result.deviations is not None:
        panels.append(Panel(partial(plot_deviations, result.deviations)))
    if result.profile is not None and result.profile.points:
        panels.append(Panel(partial(plot_profile, result.profile)))
    return panels
