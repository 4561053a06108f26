"""Plots of masks: the ladder to the ceiling, and a contact sheet of the most disputed items."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from annostat.ceilings import DiceCeiling
from annostat.labels.mask_arrays import box_of
from annostat.plotting.figures import (
    COLOURS,
    DASHES,
    NARROW,
    Panel,
    axes_of,
    legend_above,
    shortened,
    size_of,
    spelt_out,
)
from annostat.results.estimates import Estimate
from annostat.truth import MaskComparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_disputed", "plot_ladder", "plot_masks"]

TILE, GAP = 1.0, 0.28  # of the contact sheet
COLUMNS = 4
MOST_MODELS = 6  # beside a ladder
MOST_LADDERS = 3  # in one figure
MARKS = "s^vP<>"
CLOSE = 0.07  # of the axis, between two ticks


def plot_ladder(
    result: DiceCeiling | MaskComparison, *, label: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the Dice of k raters' mean outline against l others', and where it leads.

    The axis of Dice is linear in (1 − D)², so that Gaussian noise of the outline gives a line
    through the upper left corner. Of a comparison, models are drawn beside the ceiling: the best
    six, and how many are not drawn is said.

    Parameters
    ----------
    result : DiceCeiling or MaskComparison
    label : int, optional
        Structure of a comparison; the first one by default.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    models = []
    title = ""
    if isinstance(result, MaskComparison):
        kept = result.rounds.labels[0] if label is None else label
        models = [m for m in result.models if m.label == kept]
        if len(result.rounds.labels) > 1:
            title = f"label {kept}"
        if len(models) > MOST_MODELS:
            title += f"{', ' if title else ''}the best {MOST_MODELS} of {len(models)} models"
            models = sorted(models, key=lambda m: -m.dice.value)[:MOST_MODELS]
        result = result.ceilings[kept]

    def place(dice: float | None) -> float:
        return (1 - (dice if dice is not None else np.nan)) ** 2

    def bar(x: float, estimate: Estimate, colour: str, marker: str, label: str) -> None:
        y = place(estimate.value)
        if estimate.interval is not None:
            ax.plot([x, x], [place(estimate.low), place(estimate.high)], color=colour, lw=1.4)
        ax.plot(x, y, marker, color=colour, ms=7, mec="white", mew=0.6, label=label, zorder=3)

    pair = result.pair
    top = place(pair.low if pair.interval is not None else pair.value) * 1.08
    if result.ladder:
        for rung in result.ladder:
            first = rung.k == rung.l == 1
            bar(rung.x, rung.dice, "0.45", "o", "k raters against l others" if first else "")
            # Labels of neighbours away from one another.
            side = 1 if rung.l == 1 and rung.k < 3 else -1
            ax.annotate(
                f"{rung.k}:{rung.l}",
                (rung.x, place(rung.dice.value)),
                xytext=(7 * side, 4 if side > 0 else -9),  # the line falls to the right
                textcoords="offset points",
                fontsize=8,
                color="0.35",
                ha="left" if side > 0 else "right",
            )
        x = np.array([r.x for r in result.ladder])
        slope = float(x @ [place(r.dice.value) for r in result.ladder] / (x @ x))
        ax.plot(
            [0, 2.1],
            [0, 2.1 * slope],
            color="0.7",
            lw=0.9,
            zorder=1,
            label="Gaussian noise of the outline",
        )
    else:
        bar(2.0, pair, "0.45", "o", "rater against rater")
    name = "a perfect model against one rater"
    bar(1.0 - 0.03 * bool(result.ladder), result.dice, COLOURS[0], "D", name)
    if result.ladder and result.bracket.interval is not None:
        low, high = result.bracket.interval.low, result.bracket.interval.high
        ax.plot(
            [0.9, 0.9],
            [place(low), place(high)],
            color=COLOURS[2],
            lw=5,
            alpha=0.35,
            solid_capstyle="butt",
            label="bracket from pairs alone",
        )
    for i, model in enumerate(models):
        colours = [c for j, c in enumerate(COLOURS) if j not in (0, 2)]
        name = f"{shortened(model.name)}, beside"
        bar(0.7 - 0.11 * i, model.dice, colours[i % len(colours)], MARKS[i], name)
        top = max(top, place(model.dice.low if model.dice.interval else model.dice.value) * 1.05)
    ax.set_xlim(0, 2.2)
    ax.set_ylim(top, 0)
    steps = [s for s in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if top**0.5 / s < 9]
    step = steps[0] if steps else 0.25
    ticks = [1.0]
    for t in 1 - step * np.arange(1, int(top**0.5 / step) + 1):
        if place(t) - place(ticks[-1]) > CLOSE * top:  # near 1 they would stand on one another
            ticks.append(float(t))
    ax.set_yticks([place(t) for t in ticks], [f"{t:g}" for t in np.round(ticks, 4)])
    ax.set_xlabel("1/k + 1/l  (a perfect model against one rater: 1)")
    ax.set_ylabel("mean Dice (axis linear in (1 − D)²)")
    legend_above(ax, title=title)
    return spelt_out(ax)


def plot_disputed(result: MaskComparison, *, n: int = 12, ax: Axes | None = None) -> Axes:
    """Draw the outlines of the items on which raters overlap least, over their share of votes."""
    ax = axes_of(ax)
    rounds = result.rounds
    flat = rounds.values.ndim == 4
    worst = result.disputed(n)
    rows = {str(item): i for i, item in enumerate(rounds.items)}
    used: set[int] = set()
    columns, room = _tiling(ax, len(worst))
    for tile, record in enumerate(worst.to_dict("records")):
        i = rows[str(record["item"])]
        masks = np.asarray(rounds.values[:, i])
        if not flat:  # of a volume, the slice with most marked pixels
            masks = masks[:, int(np.argmax((masks > 0).sum(axis=(0, 2, 3))))]
        box = box_of(np.asarray((masks > 0).any(axis=0)), 3) or (slice(0, 8), slice(0, 8))
        # A square around the box, so that tiles are alike; beyond the image it is empty.
        side = max(b.stop - b.start for b in box)
        cut = np.zeros((len(masks), side, side), dtype=masks.dtype)
        height, width = (b.stop - b.start for b in box)
        top, left = (side - height) // 2, (side - width) // 2
        cut[:, top : top + height, left : left + width] = masks[(slice(None), *box)]
        row, column = divmod(tile, columns)
        x0, y0 = column * (TILE + GAP), -row * (TILE + GAP)
        there = rounds.drawn[:, i]
        share = (cut[there] > 0).mean(axis=0)
        ax.imshow(
            share,
            cmap="Greys",
            vmin=0,
            vmax=2.2,
            extent=(x0, x0 + TILE, y0 - TILE, y0),
            interpolation="nearest",
        )
        steps = (np.arange(side + 2) - 0.5) / side * TILE
        for r in np.flatnonzero(there).tolist():
            if not cut[r].any():
                continue
            used.add(r)
            edge = np.pad((cut[r] > 0).astype(float), 1)
            ax.contour(
                x0 + steps,
                y0 - steps,
                edge,
                levels=[0.5],
                linewidths=1.2,
                colors=[COLOURS[r % 4]],
                linestyles=[DASHES[(r + r // 4) % 4]],
            )
        name = str(record["item"])
        short = name if len(name) <= room else f"…{name[1 - room :]}"
        ax.text(x0, y0 + 0.03, f"{short}  {record['dice']:.2f}", fontsize=7.5, va="bottom")
    for r in sorted(used)[:8]:
        ax.plot(
            [],
            [],
            color=COLOURS[r % 4],
            ls=DASHES[(r + r // 4) % 4],
            label=shortened(rounds.names[r]),
        )
    n_rows = -(-max(len(worst), 1) // columns)
    ax.set_xlim(-0.05, columns * (TILE + GAP) - GAP + 0.05)
    ax.set_ylim(-n_rows * (TILE + GAP) + GAP - 0.05, 0.2)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title("Most disputed items, mean Dice of two raters", fontsize=10, loc="left")
    ncols = 4 if size_of(ax)[0] > NARROW else 2
    ax.legend(frameon=False, fontsize=8, ncols=ncols, loc="upper left", bbox_to_anchor=(0, 0.0))
    return spelt_out(ax)


def _tiling(ax: Axes, n: int) -> tuple[int, int]:
    """Return how many tiles stand beside one another, and the characters above each of them."""
    width, height = size_of(ax)
    pitch = {}
    for columns in (COLUMNS, 3, 5) if width < NARROW else (COLUMNS,):
        rows = -(-max(n, 1) // columns)
        pitch[columns] = min(width / columns, height / (rows + 0.6))
    columns = max(pitch, key=lambda c: pitch[c])
    # Letters of 7.5 points, beside two digits of Dice.
    return columns, min(18, max(4, int(pitch[columns] * 72 / 4.4) - 7))


def plot_masks(result: MaskComparison) -> Figure:
    """Return a figure with the ladder of each structure and the contact sheet side by side.

    Of more than three structures the first three are drawn, which a title says.
    """
    from matplotlib.figure import Figure as NewFigure

    labels = result.rounds.labels
    shown = labels[:MOST_LADDERS]
    figure = NewFigure(figsize=(12.5, 5.2 * (1 + 0.75 * (len(shown) - 1))), layout="constrained")
    grid = figure.add_gridspec(len(shown), 2, width_ratios=(1, 1.35))
    for row, label in enumerate(shown):
        plot_ladder(result, label=label, ax=figure.add_subplot(grid[row, 0]))
    if len(labels) > len(shown):
        figure.suptitle(f"{len(shown)} of {len(labels)} structures", fontsize=10)
    plot_disputed(result, ax=figure.add_subplot(grid[:, 1]))
    return figure


def panels_of_masks(result: MaskComparison) -> list[Panel]:
    """Return what `plot_masks` draws, panel by panel."""
    labels = result.rounds.labels[:MOST_LADDERS]
    ladders = [Panel(partial(plot_ladder, result, label=label), 0.95) for label in labels]
    return [*ladders, Panel(partial(plot_disputed, result), 1.1)]
