"""Plots of published numbers: what each reading of them allows, and the reported score."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.axes import Axes

from annostat.ceilings.floors import Bounds
from annostat.ceilings.published import Judged
from annostat.ceilings.readings import Readings
from annostat.errors import AnnostatError
from annostat.plotting.figures import axes_of, spelt_out
from annostat.plotting.values import draw_bound
from annostat.results.estimates import Estimate
from annostat.results.text import format_number, p_text, percent

__all__ = ["plot_published"]

CLEAR = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # behind words on a line
SHOWN = {"rmse": ("rmse_floor", "RMSE"), "correlation": ("correlation_ceiling", "correlation")}


def plot_published(
    result: Judged | Readings, *, score: str = "rmse", ax: Axes | None = None
) -> Axes:
    """Draw the floor (or the ceiling) that each reading of published numbers gives.

    Parameters
    ----------
    result : Judged or Readings
        With a reported score, or without.
    score : {"rmse", "correlation"}
        What is drawn; the other one where there is none.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
        Grey is where no model is, on average; bars are intervals; a dashed line is the reported
        score, with its one-sided p-value at each reading.

    Raises
    ------
    AnnostatError
        If no reading has a bound.
    """
    both = result.bounds if isinstance(result, Judged) else result
    readings = _readings(both, result)
    bounds = {s: _bounds(readings, s) for s in (score, *(s for s in SHOWN if s != score))}
    score, known = next(((s, b) for s, b in bounds.items() if b), (score, {}))
    if not known:
        raise AnnostatError("no reading of these numbers has a bound to draw")
    ax = axes_of(ax)
    judged = {}
    if isinstance(result, Judged):
        judged = {r.convention: r for r in result.published.readings if r.quantity == score}
    reported = next((r.score for r in judged.values()), None)
    ends = [e.high or e.value for e in known.values()] + ([] if reported is None else [reported])
    right = 1.15 * max(ends) if score == "rmse" else 1.0
    for row, (name, e) in enumerate(known.items()):
        grey = (0.0, e.value) if score == "rmse" else (e.value, 1.0)
        told = e.short()
        if name in judged and not math.isnan(judged[name].p_value):
            verdict = "refuted" if judged[name].refuted else "possible"
            told += f"; {verdict}, {p_text(judged[name].p_value)}"
        draw_bound(ax, row, e, grey, told, bbox=CLEAR)
    if reported is not None:
        ax.axvline(reported, color="black", lw=1.2, ls="--")
        ax.annotate(
            f"reported {format_number(reported)}",
            (reported, 1.0),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    ax.set_yticks(range(len(known)), list(known))
    ax.set_ylim(len(known) - 0.5, -0.8)
    left = 0.0 if score == "rmse" else min(0.5, *(e.low or e.value for e in known.values()))
    ax.set_xlim(left, right)
    unit = f" ({both.unit})" if both.unit and score == "rmse" else ""
    level = next((percent(e.interval.level) for e in known.values() if e.interval), "")
    bars = f"; bars: {level} intervals" if level else ""
    what = f"{SHOWN[score][1]} against one annotation{unit}"
    ax.set_xlabel(f"{what}\ngrey: no model, on average{bars}")
    return spelt_out(ax)


def _readings(both: Bounds | Readings, result: Judged | Readings) -> Mapping[str, Bounds]:
    if isinstance(both, Readings):
        return both.readings
    names = [r.convention for r in result.published.readings] if isinstance(result, Judged) else []
    return {next(iter(names), "as published"): both}


def _bounds(readings: Mapping[str, Bounds], score: str) -> dict[str, Estimate]:
    """Return the bounds of the readings that have one."""
    found = {name: getattr(part, SHOWN[score][0]) for name, part in readings.items()}
    return {name: e for name, e in found.items() if not math.isnan(e.value)}
