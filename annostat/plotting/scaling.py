"""The plot of scaling laws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.plotting.figures import COLOURS, axes_of, legend_above, spelt_out
from annostat.resampling.intervals import NORMAL_95
from annostat.results.estimates import Estimate
from annostat.scaling import LAWS, ScalingComparison, ScalingFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_scaling"]

# A colour and a dash of its own for each law, whatever the others are.
STYLES = dict(
    zip(
        LAWS,
        [
            (COLOURS[3], ":"),
            (COLOURS[0], "-"),
            (COLOURS[2], (0, (6, 1.5))),
            (COLOURS[1], "-"),
            ("#56B4E9", "--"),
        ],
        strict=True,
    )
)


def plot_scaling(result: ScalingComparison, *, ax: Axes | None = None) -> Axes:
    """Draw loss against size on logarithmic axes, with the laws and what they say.

    The best law comes with its band; its floor is a line with its interval, the hinge or N½ a mark
    on it with the interval in size. The laws are drawn beyond the data only as far as sizes were
    asked for (`compare_scaling(at=...)`), dashed.

    Parameters
    ----------
    result : ScalingComparison
    ax : Axes, optional
        New ones by default.

    Returns
    -------
    Axes
    """
    from matplotlib.ticker import FuncFormatter, LogLocator

    ax = axes_of(ax)
    best = result.best
    first, last = float(result.sizes.min()), float(result.sizes.max())
    asked = [p.size for _, p in result.predictions]
    inside = np.geomspace(first, last, 200)
    beyond = [
        np.geomspace(a, b, 60)
        for a, b in ((first, min(asked, default=first)), (last, max(asked, default=last)))
        if (b - a) * (1 if a == last else -1) > 0
    ]
    _draw_band(ax, best, first, last)
    for x in beyond:
        _draw_band(ax, best, float(x[0]), float(x[-1]), alpha=0.08)
    for fit in reversed(result.fits):
        colour, dash = STYLES[fit.name]
        width, order = (2.0, 3) if fit is best else (1.1, 2)
        ax.plot(
            inside,
            fit.curve(inside),
            color=colour,
            ls=dash,
            lw=width,
            label=f"{fit.label} ({_standing(result, fit)})",
            zorder=order,
        )
        for x in beyond:
            ax.plot(x, fit.curve(x), color=colour, ls=(0, (2, 2)), lw=0.8, zorder=2)
    ax.plot(result.sizes, result.losses, "o", ms=5, color="black", mec="white", mew=0.6, zorder=4)
    _draw_floor(ax, result)
    ax.set_xscale("log")
    ax.set_yscale("log")
    low, high = float(result.losses.min()), float(result.losses.max())
    if best.floor is not None and best.floor.value > 0.5 * low:
        low = min(low, best.floor.value)
    if result.given_floor is not None:
        low = min(low, result.given_floor.value)
    for x in beyond:
        ends = [float(fit.curve(x[-1:])[0]) for fit in result.fits if not fit.weight <= 0.01]
        low, high = min([low, *ends]), max([high, *ends])
    ax.set_ylim(low / 1.25, high * 1.25)
    ax.set_xlim(min([first, *asked]) / 1.3, max([last, *asked]) * 1.3)
    _draw_place(ax, best)
    # One decade holds few powers of ten: label other digits too.
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7) if high / low < 30 else (1,)))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.set_xlabel(result.size_name)
    ax.set_ylabel(result.loss_name)
    together = result.together.exponent
    legend_above(
        ax,
        title=f"Naive slope {result.log_slope.short()}; exponent of the laws\nnot refuted "
        f"{together.short()} ({together.range()})",
    )
    return spelt_out(ax)


def _standing(result: ScalingComparison, fit: ScalingFit) -> str:
    """Return how a law stands: its weight, or whether it is refuted where nothing is weighed."""
    if result.weighed:
        return f"weight {fit.weight:.0%}"
    return "not refuted" if fit.name in result.together.laws else "refuted"


def _draw_band(ax: Axes, fit: ScalingFit, first: float, last: float, alpha: float = 0.18) -> None:
    """Draw the profile interval of the curve; between 13 sizes it is smooth enough."""
    at = np.geomspace(first, last, 13)
    low, high = np.exp(fit.band(np.log(at) - fit.centre))
    ax.fill_between(at, low, high, color=STYLES[fit.name][0], alpha=alpha, lw=0, zorder=1)


def _draw_floor(ax: Axes, result: ScalingComparison) -> None:
    """Draw the best law's floor with its interval, and a floor that was given."""
    fit, given = result.best, result.given_floor
    if fit.floor is not None and fit.floor.value > 0 and fit.name != "power_given_floor":
        colour = STYLES[fit.name][0]
        label = f"floor {fit.floor.short()} ({fit.floor.range()})"
        ax.axhline(fit.floor.value, color=colour, lw=0.8, ls="-.", zorder=1, label=label)
    if given is not None:
        label = f"given floor {given.value:.3g}"
        ax.axhline(given.value, color="0.35", lw=1, ls="-.", zorder=1, label=label)
        spread = NORMAL_95 * (given.standard_uncertainty or 0.0)
        if spread:
            ax.axhspan(given.value - spread, given.value + spread, color="0.5", alpha=0.15, lw=0)


def round_to(size: float) -> str:
    """Return a size with three digits."""
    return f"{float(f'{size:.3g}'):,g}" if size < 1e6 else f"{size:.3g}"


def ends_of(place: Estimate) -> tuple[float, float]:
    """Return the limits of an estimate."""
    found = place.interval
    return (place.value, place.value) if found is None else (found.low, found.high)


def _draw_place(ax: Axes, fit: ScalingFit) -> None:
    """Mark the hinge or N½ on the law, with its interval above the axis of sizes."""
    place, what = (fit.hinge, "hinge") if fit.hinge is not None else (fit.n_half, "N½")
    if place is None or place.interval is None or not np.isfinite(place.value):
        return
    colour = STYLES[fit.name][0]
    height = float(fit.curve([place.value])[0])
    low, high = ax.get_xlim()
    ends = np.clip([place.interval.low, place.interval.high], low, high)
    foot = ax.get_xaxis_transform()
    ax.vlines(place.value, 0, height, color=colour, lw=0.8, ls=":", zorder=1)
    ax.plot(ends, [0.04, 0.04], color=colour, lw=2.5, alpha=0.6, transform=foot, zorder=5)
    ax.plot([place.value], [0.04], "|", ms=9, mew=2, color=colour, transform=foot, zorder=6)
    label = f"{what} {round_to(place.value)} ({' to '.join(map(round_to, ends_of(place)))})"
    style: Any = {"ms": 7, "color": "white", "mec": colour, "mew": 1.6}
    ax.plot([place.value], [height], "D", zorder=6, label=label, **style)
