"""Plots of plans: the power of a verdict, or the width of an interval, against items."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from annostat.ceilings.category_plan import CategoryPlan
from annostat.ceilings.mask_plan import MaskPlan
from annostat.errors import AnnostatError
from annostat.noise.planning import PlanResult
from annostat.planning import FloorPlan
from annostat.plotting.figures import axes_of, spelt_out
from annostat.results.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from annostat.truth import CategoryVerdictPlan, VerdictPlan

__all__ = ["plot_verdict_plan", "plot_width_plan"]

WidthPlan = FloorPlan | MaskPlan | CategoryPlan | PlanResult
REACH = 4.0  # times the items that are needed, up and down

VERMILLION = "#D55E00"
MARKERS = "osD^v"


def plot_verdict_plan(result: VerdictPlan | CategoryVerdictPlan, *, ax: Axes | None = None) -> Axes:
    """Draw the power of a verdict against the number of items, a line for each number of labels.

    Parameters
    ----------
    result : VerdictPlan or CategoryVerdictPlan
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
        x, y = [p.n_items for p in rows], [100 * p.power for p in rows]
        ax.plot(
            x,
            y,
            f"{MARKERS[i % 5]}-",
            color=_shade(i, len(counts)),
            ms=4,
            lw=1.2,
            label=f"{k} labels each",
        )
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


class _Line(NamedTuple):
    """The half-width with n items, and the items that the wanted one takes."""

    label: str
    width: Callable[[float], float]
    needed: int | None


def plot_width_plan(result: WidthPlan, *, ax: Axes | None = None) -> Axes:
    """Draw the half-width of an interval against the number of items.

    Parameters
    ----------
    result : FloorPlan, MaskPlan, CategoryPlan or PlanResult
        A line for each number of labels of an item.
    ax : Axes, optional
        New ones by default.

    Returns
    -------
    matplotlib.axes.Axes
        Items are logarithmic; a dashed line is the wanted half-width, dots are the items that it
        takes.

    Raises
    ------
    AnnostatError
        If no number of items is enough: there is nothing to draw.
    """
    lines = _lines(result)
    needed = [line.needed for line in lines if line.needed is not None]
    if not needed:
        raise AnnostatError("no number of items is enough: there is no width to draw")
    ax = axes_of(ax)
    relative = isinstance(result, (FloorPlan, PlanResult))
    scale = 100 if relative else 1
    n = np.geomspace(max(min(needed) / REACH, 2), max(needed) * REACH, 100)
    for i, line in enumerate(lines):
        shade = _shade(i, len(lines))
        ax.plot(n, [scale * line.width(float(x)) for x in n], color=shade, lw=1.2)
        at = [] if line.needed is None else [line.needed]
        told = "none is enough" if line.needed is None else f"{line.needed:,}"
        ax.plot(
            at,
            [scale * result.half_width] * len(at),
            f"{MARKERS[i % 5]}-",
            color=shade,
            ms=5,
            lw=1.2,
            label=f"{line.label}: {told}",
        )
    ax.axhline(scale * result.half_width, color=VERMILLION, lw=1.2, ls="--", zorder=0)
    ax.set_xscale("log")
    nice = [m * 10**e for e in range(10) for m in (1, 2, 5)]
    ticks = [v for v in nice if n[0] <= v <= n[-1]]
    ax.set_xticks(ticks, [f"{v:,}" for v in ticks])
    ax.minorticks_off()
    ax.set_ylim(0)
    ax.set_xlabel("items")
    what = f"half of the {percent(result.level)} interval"
    ax.set_ylabel(f"{what} (% of the value)" if relative else what)
    ax.legend(frameon=False, fontsize=8, loc="upper right")
    return spelt_out(ax)


def _lines(result: WidthPlan) -> list[_Line]:
    """Return one line for each number of labels."""
    if isinstance(result, PlanResult):
        n = math.ceil(result.n_pairs.value)
        return [_Line("2 labels each", _root_of(result.half_width, n), n)]
    found = []
    if isinstance(result, MaskPlan):
        for k, raters in result.raters.items():
            width = functools.partial(raters.half_width, level=result.level)
            found.append(_Line(f"{k} raters", width, result.needed[k]))
        return found
    for k, needed in result.needed.items():
        left = result.bracket[k] if isinstance(result, CategoryPlan) else 0.0
        if needed is not None:
            found.append(
                _Line(f"{k} labels each", _root_of(result.half_width, needed, left), needed)
            )
    return found


def _root_of(wanted: float, n: int, left: float = 0.0) -> Callable[[float], float]:
    """Return a half-width that falls with the root of the items, but for what is left open."""
    return lambda items: left + (wanted - left) * math.sqrt(n / items)


def _shade(i: int, n: int) -> str:
    return str(0.65 * (1 - i / max(n - 1, 1)))
