"""Figures at the width of a journal's columns: letters of its size, labels that fit."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

# Widths of a journal's columns, in inches (85 and 175 mm), and its print, in points.
WIDTHS = {"one": 3.35, "two": 6.89}
PRINT: Any = {
    "font.size": 7,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.linewidth": 0.6,
    "savefig.dpi": 300,
    "legend.handlelength": 1.2,
    "legend.columnspacing": 0.8,
    "legend.handletextpad": 0.4,
    "legend.borderpad": 0.2,
}
LOWEST = 2.5  # inches of a figure
AXES = 1.7  # inches of the axes themselves
SHORTEST = 10  # characters of a line


def printed(draw: Callable[[], Figure]) -> Figure:
    """Return a figure in a journal's letters, whose labels and titles stay inside of it."""
    with mpl.rc_context(PRINT):
        figure = draw()
        for text in figure.findobj(Text):
            text.set_fontsize(min(text.get_fontsize(), PRINT["axes.labelsize"]))
        for legend in figure.findobj(Legend):
            for text in legend.get_texts():
                text.set_fontsize(PRINT["font.size"] - 0.5)
        for _ in range(2):  # lines that are broken move what stands beside them
            fit(figure)
        return figure


def fit(figure: Figure) -> None:
    """Break labels that are longer than their room, and make room for what stands above axes."""
    figure.draw_without_rendering()
    low = 0.0
    for ax in figure.axes:
        for text, upright in (
            (ax.xaxis.label, False),
            (ax.title, False),
            (ax.yaxis.label, True),
        ):
            broken(text, ax, upright=upright)
        if ax.axison:
            height = ax.get_window_extent().height / figure.dpi
            low = max(low, AXES - height)
    if low > 0.05:
        places = [ax.get_subplotspec() for ax in figure.axes]
        rows = max(place.rowspan.stop for place in places if place is not None)
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + low * rows)


def broken(text: Text, ax: Axes, *, upright: bool) -> None:
    """Break a label into lines no longer than its axes and what is free on both of their sides."""
    words = text.get_text()
    if not words.strip():
        return
    figure: Any = ax.figure
    box, whole, room = text.get_window_extent(), figure.bbox, ax.get_window_extent()
    ends = (room.y0, room.y1, whole.height) if upright else (room.x0, room.x1, whole.width)
    neighbours = [a for a in figure.axes if a is not ax]
    centre = (ends[0] + ends[1]) / 2
    free = 2 * min(centre, ends[2] - centre)
    if neighbours:  # beside other panels: half of what parts them is another's
        free = min(free, 1.15 * (ends[1] - ends[0]) + 8)
    length = box.height if upright else box.width
    if length <= free:
        return
    longest = max(len(line) for line in words.split("\n"))
    most = max(int(longest * free / length) - 1, SHORTEST)
    lines = [part for line in words.split("\n") for part in textwrap.wrap(line, most)]
    text.set_text("\n".join(lines))
