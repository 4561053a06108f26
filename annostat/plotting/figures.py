"""What every plot needs: colours, axes, and a figure written whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from annostat.errors import AnnostatError, printable
from annostat.plotting.fonts import with_signs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from annostat.results.estimates import Estimate

T = TypeVar("T")
MOST_IN_ROW = 3  # panels beside one another
# Behind words that stand on data.
CLEAR = {"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.7}
LONGEST = 20  # characters of a name
MOST_LINES = 6  # models of a figure in which each has a line or a mark of its own
MOST_MARKS = 3000  # of a scatter or line that are drawn one by one in SVG and PDF
NARROW = 4.5  # inches: less is one column of a journal
CHARACTER, SYMBOL = 0.53, 5  # width of a legend's character in its height; a symbol's, in them
DASHES = ("-", "--", "-.", ":")  # what tells lines apart in grey
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe & Ito, safe for colour blindness


def save_figure(figure: Figure | SubFigure, path: str | Path) -> None:
    """Write a figure whole or not at all; the suffix decides the format."""
    from annostat.files import write_whole

    suffix = format_of(path)
    root: Any = figure.figure
    options: dict[str, Any] = {"metadata": {"Date": None}} if suffix in ("svg", "pdf") else {}
    if suffix == "pdf":
        options = {"metadata": {"CreationDate": None}}

    for ax in root.axes:
        spelt_out(ax)
    many_as_image(root)

    def write(stream: Any) -> None:
        with with_signs(root):
            root.savefig(stream, format=suffix, dpi=150, **options)

    write_whole(path, write)


def format_of(path: str | Path) -> str:
    """Return the format that the suffix of a figure's file means."""
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    suffix, name = Path(path).suffix.lstrip(".").lower(), Path(path).name
    if not suffix:
        raise AnnostatError(f"{name}: say by its ending what figure is to be written: {name}.png")
    if suffix not in known:
        raise AnnostatError(f"{name}: figures are written as {', '.join(sorted(known))}")
    return suffix


def spelt_out(ax: Axes) -> Axes:
    """Return axes whose texts show what they say: `$` is a dollar, control characters are escaped.

    Names come from files, and two of them with a `$` would be taken for a formula. What matplotlib
    itself writes at ticks stays as it is.
    """
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    own: set[int] = set()
    for axis in (ax.xaxis, ax.yaxis):
        own.add(id(axis.get_offset_text()))
        # Names at ticks are held by one of these; 10² on a logarithmic axis is no name.
        if not isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter):
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            own |= {id(label) for tick in ticks for label in (tick.label1, tick.label2)}
        else:
            axis.get_major_ticks()  # makes those that are not there yet
    found: Any = ax.findobj(Text)
    for text in found:
        if id(text) not in own:
            text.set_parse_math(False)
            text.set_text(printable(text.get_text(), keep="\n"))
    return ax


def axes_of(ax: Axes | None) -> Axes:
    """Return the given axes, or new ones."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def new_figure(size: tuple[float, float]) -> tuple[Figure, Axes]:
    """Return a figure of its own with one pair of axes, known to no window and no registry."""
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def side_by_side(draw: Sequence[tuple[Callable[..., Any], Any]]) -> Figure:
    """Return a figure with a panel for each function and the result that it draws."""
    from matplotlib.figure import Figure as NewFigure

    columns = min(len(draw), MOST_IN_ROW)
    rows = -(-len(draw) // columns)
    figure = NewFigure(figsize=(1.6 + 4.8 * columns, 4.0 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in panels[len(draw) :]:
        ax.remove()
    for ax, (plot, result) in zip(panels, draw, strict=False):
        plot(result, ax=ax)
    return figure


class Panel(NamedTuple):
    """One of several pictures of a result: what draws it on axes, and its height by its width."""

    draw: Callable[..., Any]
    ratio: float = 0.75


def stacked(panels: Sequence[Panel], width: float) -> Figure:
    """Return a figure of a width: panels below one another, in pairs where it is wide."""
    from matplotlib.figure import Figure as NewFigure

    pairs = width > NARROW and len(panels) > 1
    across = [2 if pairs and (i or len(panels) % 2 == 0) else 1 for i in range(len(panels))]
    rows: list[list[Panel]] = []
    for panel, n in zip(panels, across, strict=True):
        if n == 1 or not rows or len(rows[-1]) == 2 or across[panels.index(rows[-1][0])] == 1:
            rows.append([])
        rows[-1].append(panel)
    # A panel as wide as a pair is as high as they are.
    heights = [max(p.ratio * width / (2 if pairs else 1) for p in row) for row in rows]
    figure = NewFigure(figsize=(width, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(rows), 2 if pairs else 1, height_ratios=heights)
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            place = grid[i, :] if len(row) == 1 else grid[i, j]
            panel.draw(ax=figure.add_subplot(place))
    return figure


def size_of(ax: Axes) -> tuple[float, float]:
    """Return about how wide and high axes are, in inches; the layout is made later."""
    figure: Any = ax.figure.figure  # of a part of a figure: the whole
    place = ax.get_position()
    return float(place.width * figure.get_figwidth()), float(place.height * figure.get_figheight())


def reach_of(estimates: Sequence[Estimate]) -> float:
    """Return how far an axis from 0 reaches: to all intervals, but not beyond 10 times a value.

    An interval of two items may end at 100,000 times its value; such a bar runs off the axis.
    """
    known = [e for e in estimates if math.isfinite(e.value)]
    values = max((e.value for e in known), default=0.0)
    highest = max((e.value if e.high is None else e.high for e in known), default=1.0)
    return min(highest, 10 * values) if values > 0 else highest


def shortened(name: str) -> str:
    """Return a name of at most 20 characters that shows what it holds; without its middle."""
    name, half = printable(name), LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[: half - 1]}…{name[-half:]}"


def told_apart(names: Sequence[str]) -> list[str]:
    """Return short names; those that differ only in their middle keep it, and not their ends."""
    found = [shortened(name) for name in names]
    if len(set(found)) == len(set(names)):
        return found
    start = _alike(names)
    end = _alike([name[start:][::-1] for name in names])
    cores = [name[start : len(name) - end] for name in names]
    # What is alike before the difference says what it is a number of.
    before = max(0, start - max(LONGEST - 2 - max(map(len, cores)), 0))
    return [shortened(f"…{names[0][before:start]}{core}…") for core in cores]


def _alike(names: Sequence[str]) -> int:
    """Return how many characters all names begin with."""
    alike = (len(set(letters)) == 1 for letters in zip(*names, strict=False))
    return sum(1 for _ in takewhile(bool, alike))


def the_first(models: Sequence[T]) -> tuple[Sequence[T], str]:
    """Return the models that a figure draws, and the words for those that it does not."""
    kept = models[:MOST_LINES]
    words = f"the first {len(kept)} of {len(models)} models"
    return kept, words if len(kept) < len(models) else ""


def legend_above(ax: Axes, *, ncols: int = 2, title: str = "") -> None:
    """Put the legend above the axes, in no more columns than fit."""
    import matplotlib as mpl

    labels = ax.get_legend_handles_labels()[1]
    points = CHARACTER * min(8.0, mpl.rcParams["font.size"])
    room = 1.1 * size_of(ax)[0] * 72 / points  # a little beyond the axes on both sides
    fitting = 1
    for n in range(2, ncols + 1):
        each = -(-len(labels) // n)  # columns are filled one after the other
        widths = [max(map(len, labels[i : i + each])) for i in range(0, len(labels), each)]
        if sum(widths) + SYMBOL * len(widths) <= room:
            fitting = n
    ax.legend(
        frameon=False,
        fontsize=8,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=fitting,
        columnspacing=1.0,
        handletextpad=0.4,
        title=title or None,
        title_fontsize=8,
    )


def shown(figure: Figure) -> Figure:
    """Return a figure that a notebook shows, also where no pyplot made it."""
    from types import MethodType

    figure._repr_png_ = MethodType(png_of, figure)  # type: ignore[attr-defined]
    return figure


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    import io

    stream = io.BytesIO()
    for ax in figure.axes:
        spelt_out(ax)
    with with_signs(figure):
        figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()


def many_as_image(figure: Figure) -> None:
    """Let marks that are too many to be drawn one by one be an image within SVG and PDF.

    A scatter of 100,000 items made a page of 15 MB.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.lines import Line2D

    for mark in figure.findobj(PathCollection):
        if np.size(mark.get_offsets()) > 2 * MOST_MARKS:
            mark.set_rasterized(True)
    for line in figure.findobj(Line2D):
        marked = line.get_marker() not in ("None", "", " ", None)
        if marked and np.size(line.get_xdata()) > MOST_MARKS:
            line.set_rasterized(True)


def svg_of(figure: Figure) -> bytes:
    """Return a figure as SVG, the same bytes each time; its text stays text."""
    import io

    import matplotlib as mpl

    stream = io.BytesIO()
    for ax in figure.axes:
        spelt_out(ax)
    many_as_image(figure)
    with (
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "annostat"}),
        with_signs(figure, as_text=True),
    ):
        figure.savefig(stream, format="svg", dpi=150, metadata={"Date": None, "Creator": None})
    return stream.getvalue()
