"""What every plot needs: colours, axes, and a figure written whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe & Ito, safe for colour blindness


def save_figure(figure: Figure | SubFigure, path: str | Path) -> None:
    """Write a figure whole or not at all; the suffix decides the format."""
    from annostat.files import write_whole

    target = Path(path)
    suffix = target.suffix.lstrip(".").lower() or "png"
    root: Any = figure.figure
    known = root.canvas.get_supported_filetypes()
    if suffix not in known:
        raise AnnostatError(f"{target.name}: figures are written as {', '.join(sorted(known))}")
    options: dict[str, Any] = {"metadata": {"Date": None}} if suffix in ("svg", "pdf") else {}
    if suffix == "pdf":
        options = {"metadata": {"CreationDate": None}}

    def write(stream: Any) -> None:
        root.savefig(stream, format=suffix, dpi=150, **options)

    write_whole(target, write)


def axes_of(ax: Axes | None) -> Axes:
    """Return the given axes, or new ones."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def new_figure(size: tuple[float, float]) -> tuple[Figure, Axes]:
    """Return a figure of its own with one pair of axes, known to no window and no registry."""
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def svg_of(figure: Figure) -> bytes:
    """Return a figure as SVG, the same bytes each time; its text stays text."""
    import io

    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "annostat"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()
