"""Plots of an audit: its contact sheet, its frame rates."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from annostat.datasets.audit import Audit
from annostat.errors import AnnostatError
from annostat.plotting.figures import COLOURS, axes_of, spelt_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from annostat.datasets.audit.tiles import Tile

__all__ = ["plot_contact_sheet", "plot_frame_rates"]

COLUMNS = 3  # tiles in a row; each shows two frames
GAP = 0.06  # between frames, in sides of a frame
CAPTION = 0.32  # height of a caption, in sides of a frame


def plot_contact_sheet(result: Audit, *, n: int = 12, ax: Axes | None = None) -> Axes:
    """Draw the `n` worst items: the frame of the worst finding, the one before, the outlines.

    Items without a file have no picture and are left out.
    """
    tiles = result.tiles(n)
    columns = min(COLUMNS, max(len(tiles), 1))
    rows = max(1, -(-len(tiles) // columns))
    if ax is None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.2 * columns, 2.65 * rows), layout="constrained")
        ax = figure.subplots()
    for k, tile in enumerate(tiles):
        x, y = (k % columns) * (2 + 4 * GAP), (k // columns) * (1 + CAPTION)
        _draw_tile(ax, tile, x, y)
    ax.set_xlim(-GAP, columns * (2 + 4 * GAP) - 2 * GAP)
    ax.set_ylim(rows * (1 + CAPTION) - CAPTION + 2 * GAP, -CAPTION)
    ax.set_aspect("equal")
    ax.set_axis_off()
    if not tiles:
        ax.text(0.5, 0.5, "nothing to show", ha="center", va="center", transform=ax.transAxes)
    return spelt_out(ax)


def _draw_tile(ax: Axes, tile: Tile, x: float, y: float) -> None:
    """Draw one item in a box of 2 × 1 whose upper left corner is (x, y)."""
    from matplotlib.patches import Rectangle

    reasons = "\n".join(textwrap.wrap(tile.caption, 46, max_lines=2, placeholder=" ..."))
    ax.text(x, y - 0.04, f"{shortened(tile.item)}\n{reasons}", fontsize=9, va="bottom")
    for k in range(2):
        left = x + k * (1 + GAP)
        if k >= len(tile.frames):
            if not tile.frames and not k:
                ax.text(
                    x + 1,
                    y + 0.5,
                    "no frame can be decoded",
                    fontsize=8,
                    color="0.4",
                    ha="center",
                    va="center",
                )
            continue
        number, frame = tile.frames[k]
        height, width = frame.shape
        side = max(height, width)
        top = float(frame.max()) if frame.dtype != np.uint8 else 255.0
        extent = (left, left + width / side, y + height / side, y)
        ax.imshow(frame, cmap="gray", vmin=0, vmax=top, extent=extent, interpolation="nearest")
        picture = Rectangle((left, y), width / side, height / side, transform=ax.transData)
        for outline, colour in zip(tile.outlines[k], COLOURS * 3, strict=False):
            closed = (np.concatenate([outline, outline[:1]]) + 0.5) / side + [left, y]
            [line] = ax.plot(closed[:, 0], closed[:, 1], color=colour, lw=1)
            line.set_clip_path(picture)
        ax.text(left + 0.02, y + 0.03, str(number), color="white", fontsize=7, va="top")


def shortened(name: str, limit: int = 36) -> str:
    """Return a name that fits above its picture."""
    return name if len(name) <= limit else f"{name[: limit - 12]}...{name[-9:]}"


def plot_frame_rates(result: Audit, *, ax: Axes | None = None) -> Axes:
    """Draw how many clips have which frame rate."""
    rates = result.frame_rates()
    if rates.empty:
        raise AnnostatError("no frame rate is known, neither from a list nor from a file")
    ax = axes_of(ax)
    values, counts = rates["fps"].to_numpy(), rates["n_items"].to_numpy()
    if len(values) <= 12:
        ax.bar(values, counts, width=max(0.8, 0.02 * np.ptp(values)), color=COLOURS[0])
    else:
        bins = min(60, int(np.ptp(values)) + 1)
        counts = np.asarray(ax.hist(values, bins=bins, weights=counts, color=COLOURS[0])[0])
    top, low = counts.max(), counts[counts > 0].min()
    if top > 50 * low:
        ax.set_yscale("log")
    if np.ptp(values) < 10:
        ax.set_xlim(values.min() - 5, values.max() + 5)
    ax.set_xlabel("frame rate (frames per second)")
    ax.set_ylabel("clips")
    return spelt_out(ax)
