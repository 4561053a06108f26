"""One piece of a rendered result, and how pieces become text."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from annostat.errors import printable


@dataclass(frozen=True, slots=True)
class Section:
    """One piece of a rendered result: a title, an optional table, and lines of text."""

    title: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    lines: Sequence[str] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"section {self.title!r}: a row of {len(row)} cells for the "
                    f"{len(self.columns)} columns {', '.join(self.columns)}"
                )


def render_text(sections: Iterable[Section]) -> str:
    """Return sections as text, wide tables included, without colour."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = io.StringIO()
    # Without force_jupyter=False rich would display the text in a notebook and return nothing.
    console = Console(
        file=stream,
        width=100_000,
        color_system=None,
        highlight=False,
        soft_wrap=True,
        force_jupyter=False,
        legacy_windows=False,
    )
    for number, section in enumerate(sections):
        if number:
            console.print()
        if section.title:
            console.print(Text(printable(section.title)))
        if section.columns:
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
            for column in section.columns:
                table.add_column(Text(printable(column)), no_wrap=True)
            for row in section.rows:
                table.add_row(*(Text(printable(cell)) for cell in row))
            console.print(table)
        for line in section.lines:
            console.print(Text(printable(line, keep="\n")))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
