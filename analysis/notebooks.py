"""The executed notebooks of the documentation: docs/notebooks/*.md.

`python -m analysis.notebooks` runs the cells of each page and writes what they print, the value of
their last line, and their figures below them. The test suite runs them again and compares. Cells
see the tables of docs/data.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import textwrap
import warnings
from collections.abc import Iterator
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.gallery import DOCS, within
from annostat.files import write_text
from annostat.plotting import save_figure

FOLDER = DOCS / "notebooks"
NAMES = ("values", "picks", "masks", "categories")
PICTURES = DOCS / "images" / "notebooks"
CELL = re.compile(
    r"```python\n(?P<code>.*?)```\n(?P<out>\n```text\n.*?```\n|\n!\[[^\n]*\n)*", re.DOTALL
)
WIDE = 100  # columns of what is printed


def source(page: str) -> str:
    """Return a page without the outputs of its cells."""
    return CELL.sub(lambda found: f"```python\n{found['code']}```\n", page)


def run(code: str, names: dict[str, Any]) -> tuple[str, Figure | None]:
    """Run a cell; return its text and its figure."""
    import pandas as pd

    *before, last = ast.parse(code).body
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(before, []), "<cell>", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
        else:
            exec(compile(code, "<cell>", "exec"), names)
    figure = value if isinstance(value, Figure) else None
    if isinstance(value, Axes):
        figure = value.get_figure()  # type: ignore[assignment]
    elif value is not None and figure is None:
        with pd.option_context("display.width", WIDE, "display.max_columns", 12):
            print(repr(value), file=printed)
    lines = [part for line in printed.getvalue().rstrip().splitlines() for part in fitted(line)]
    return "\n".join(lines), figure


def fitted(line: str) -> list[str]:
    """Return a line as lines of at most 100 characters."""
    if len(line) <= WIDE:
        return [line]
    return textwrap.wrap(line, WIDE, break_long_words=False, break_on_hyphens=False)


def executed(name: str) -> Iterator[tuple[str, str, Figure | None]]:
    """Yield the code of each cell of a page, its text and its figure."""
    names: dict[str, Any] = {}
    page = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    with within(DOCS / "data"):
        for found in CELL.finditer(page):
            text, figure = run(found["code"], names)
            yield found["code"], text, figure


def outputs(page: str) -> list[str]:
    """Return the kept text below each cell, empty where there is none."""
    kept = []
    for found in CELL.finditer(page):
        text = re.search(r"```text\n(.*?)\n```", found[0], flags=re.DOTALL)
        kept.append(text[1] if text else "")
    return kept


def write(name: str) -> None:
    """Run a page and write it with what its cells give."""
    page = source((FOLDER / f"{name}.md").read_text(encoding="utf-8"))
    PICTURES.mkdir(parents=True, exist_ok=True)
    for number, (code, text, figure) in enumerate(executed(name), 1):
        cell = f"```python\n{code}```\n"
        below = f"\n```text\n{text}\n```\n" if text else ""
        if figure is not None:
            save_figure(figure, PICTURES / f"{name}-{number}.png")
            below += f"\n![What the cell draws](../images/notebooks/{name}-{number}.png)\n"
        page = page.replace(cell, cell + below, 1)
    write_text(FOLDER / f"{name}.md", page)


if __name__ == "__main__":
    for name in NAMES:
        write(name)
