"""What the scripts share: figures and numbers written side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from annostat.files import write_text
from annostat.plotting import COLOURS, save_figure
from annostat.results import plain

__all__ = ["COLOURS", "draw", "new_figure", "save"]


def new_figure(
    width: float = 8, height: float = 4, columns: int = 1, *, rows: int = 1
) -> tuple[Figure, Any]:
    """Return a figure and its axes (an array if there are several of them)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns)


def draw(out: Path, name: str, figure: Figure) -> None:
    """Write NAME.svg and NAME.png."""
    out.mkdir(parents=True, exist_ok=True)
    for suffix in ("svg", "png"):
        save_figure(figure, out / f"{name}.{suffix}")


def save(out: Path, name: str, numbers: dict[str, Any], figure: Figure | None = None) -> None:
    """Write NAME.json and, if there is a figure, NAME.svg and NAME.png."""
    out.mkdir(parents=True, exist_ok=True)
    if figure is not None:
        draw(out, name, figure)
    text = json.dumps(plain(numbers), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(out / f"{name}.json", text + "\n")
