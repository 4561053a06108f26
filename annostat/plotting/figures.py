"""What every plot needs: colours, axes, and a figure written whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MOST_IN_ROW = 3  # panels beside one another
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

    def write(stream: Any) -> None:
        root.savefig(stream, format=suffix, dpi=150, **options)

    write_whole(path, write)


def format_of(path: str | Path) -> str:
    """Return the format that the suffix of a figure's file means; png without one."""
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    suffix = Path(path).suffix.lstrip(".").lower() or "png"
    if suffix not in known:
        raise AnnostatError(f"{Path(path).name}: figures are written as {', '.join(sorted(known))}")
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


def shown(figure: Figure) -> Figure:
    """Return a figure that a notebook shows, also where no pyplot made it."""
    from types import MethodType

    figure._repr_png_ = MethodType(png_of, figure)  # type: ignore[attr-defined]
    return figure


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    import io

    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()


def svg_of(figure: Figure) -> bytes:
    """Return a figure as SVG, the same bytes each time; its text stays text."""
    import io

    import matplotlib as mpl

    stream = io.BytesIO()
    for ax in figure.axes:
        spelt_out(ax)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "annostat"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()
