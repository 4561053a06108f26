"""Plots of beats: a curve with its picks, distances, ejection fractions, the first frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from annostat.cardiac import AfdScore, FirstFrames, pick_blind, pick_nearest
from annostat.cardiac.curves import as_curve
from annostat.plotting.figures import COLOURS, axes_of, spelt_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_afd", "plot_beat", "plot_first_frames"]


def plot_beat(
    curve: ArrayLike, *, reference: float | None = None, phase: str = "ES", ax: Axes | None = None
) -> Axes:
    """Draw a curve with its blind pick and, given the reference frame, the protocol's pick."""
    ax = axes_of(ax)
    values = as_curve(curve)
    ax.plot(values, color="0.4", lw=1.2)
    median = float(np.median(values))
    ax.axhline(median, color="0.6", lw=0.8, ls=":", label="median")
    blind = pick_blind(values, phase=phase)
    if blind is not None:
        spread = blind.standard_error if np.isfinite(blind.standard_error) else 0.0
        ax.errorbar(
            blind.frame,
            values[blind.frame],
            xerr=2 * spread,
            fmt="o",
            ms=6,
            color=COLOURS[0],
            capsize=2,
            label=f"{phase}, blind (±2 standard errors)",
        )
    if reference is not None:
        ax.axvline(reference, color=COLOURS[1], lw=1, ls="--", label="reference")
        found = pick_nearest(values, reference, phase=phase)
        if found is not None:
            ax.plot(
                found,
                values[found],
                "x",
                ms=8,
                mew=2,
                color=COLOURS[1],
                label=f"{phase}, nearest run",
            )
    ax.set_xlabel("frame")
    ax.set_ylabel("area (pixels)")
    ax.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return spelt_out(ax)


def plot_afd(result: AfdScore, *, ax: Axes | None = None) -> Axes:
    """Draw how many clips are within k frames of the reference, with the aFD and its floor."""
    ax = axes_of(ax)
    distance = np.abs(result.differences)
    k = np.arange(int(distance.max(initial=1)) + 2)
    share = (distance[:, None] <= k).mean(axis=0)
    ax.step(k, 100 * share, where="post", color=COLOURS[0], lw=1.5)
    ax.axvline(
        result.afd.value, color=COLOURS[0], ls="--", lw=1, label=f"aFD {result.afd.short()} frames"
    )
    if result.afd.interval is not None:
        ax.axvspan(result.afd.interval.low, result.afd.interval.high, color=COLOURS[0], alpha=0.15)
    if result.floor is not None and result.floor.unit == "frames":
        ax.axvline(
            result.floor.value,
            color=COLOURS[1],
            ls="--",
            lw=1,
            label=f"floor {result.floor.short()} frames",
        )
        if result.floor.interval is not None:
            low, high = result.floor.interval.low, result.floor.interval.high
            ax.axvspan(low, high, color=COLOURS[1], alpha=0.15)
    ax.set_ylim(0, 102)
    ax.set_xlim(0, None)
    ax.set_xlabel(f"|pick − reference|, {result.phase} (frames)")
    ax.set_ylabel("clips within (%)")
    ax.legend(frameon=False, loc="lower right")
    return spelt_out(ax)


def plot_first_frames(result: FirstFrames, *, ax: Axes | None = None) -> Axes:
    """Draw the mean error of the first frames with its band, the fit and the hinge."""
    ax = axes_of(ax)
    runs = [(result, COLOURS[0], "" if result.padded is None else "as it is, ")]
    if result.padded is not None:
        runs.append((result.padded, COLOURS[2], "padded in front, "))
    for part, colour, name in runs:
        t = np.arange(part.mean.size)
        ax.fill_between(t, part.low, part.high, color=colour, alpha=0.2, lw=0)
        ax.plot(t, part.mean, ".", ms=4, color=colour)
        # Where the start is no worse than the rest there is no hinge to be shown.
        start, flat = part.start.interval, part.flat.interval
        slow = start is None or flat is None or start.low > flat.high
        label = f"flat from frame {part.hinge.short()}" if slow else "no worse at the start"
        ax.plot(t, part.fitted(), color=colour, lw=1.2, label=f"{name}{label}")
        if slow and part.hinge.interval is not None:
            ax.axvspan(
                part.hinge.interval.low, part.hinge.interval.high, color=colour, alpha=0.1, lw=0
            )
    ax.set_xlabel("frame")
    unit = result.start.unit
    ax.set_ylabel("mean error" + (f" ({unit})" if unit else ""))
    ax.legend(frameon=False)
    return spelt_out(ax)
