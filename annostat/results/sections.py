"""One piece of a rendered result, and how pieces become text."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from annostat.errors import printable
from annostat.results.layout import fit_table, wrapped
from annostat.results.text import NARROWEST, spoken


@dataclass(frozen=True, slots=True)
class Section:
    """One piece of a rendered result: a title, an optional table, and lines of text.

    Attributes
    ----------
    title : str
    columns : sequence of str
    rows : sequence of sequences of str
    lines : sequence of str
        Sentences below the table, or alone.
    said : sequence of (str, str)
        Paragraphs of a screen, each with the word of the gutter that it hangs beside ("Answer",
        "Quote", "Checks", "!!", "??"); before the table.
    when : {"", "brief", "all"}
        Shown always; only where not everything is asked for; only where everything is.
    """

    title: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    lines: Sequence[str] = ()
    said: Sequence[tuple[str, str]] = ()
    when: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"section {self.title!r}: a row of {len(row)} cells for the "
                    f"{len(self.columns)} columns {', '.join(self.columns)}"
                )


def chosen(sections: Iterable[Section], *, everything: bool = False) -> list[Section]:
    """Return the sections that are shown: all but the folded ones, or all but their short forms."""
    left_out = "brief" if everything else "all"
    return [section for section in sections if section.when != left_out]


def fitted(section: Section, width: int) -> Section:
    """Return a section whose table and lines fit a width; a line names columns that are dropped."""
    lines = [part for line in section.lines for part in line.split("\n")]
    columns = [printable(column) for column in section.columns]
    rows: list[list[str]] = [[printable(cell) for cell in row] for row in section.rows]
    if columns:
        columns, rows, dropped = fit_table(columns, rows, width)
        if dropped:
            lines.append(f"No room for: {', '.join(dropped)}.")
    return replace(
        section,
        title="\n".join(wrapped(printable(section.title), width)),
        columns=columns,
        rows=rows,
        lines=[part for line in lines for part in wrapped(printable(line), width)],
    )


def render_text(
    sections: Iterable[Section], *, width: int | None = None, everything: bool = False
) -> str:
    """Return sections as text without colour.

    Paragraphs, tables and lines fit the width; without one paragraphs have 80 columns, and tables
    and lines what they need.
    """
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
    shown, keep = chosen(sections, everything=everything), ""
    if width is not None:
        shown, keep = [fitted(section, max(width, NARROWEST)) for section in shown], "\n"
    for number, section in enumerate(shown):
        if number:
            console.print()
        if section.title:
            console.print(Text(printable(section.title, keep=keep)))
        for word, text in section.said:
            for line in spoken(word, printable(text), width or 80):
                console.print(Text(line))
        if section.columns:
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
            for column in section.columns:
                table.add_column(Text(printable(column, keep=keep)), no_wrap=True)
            for row in section.rows:
                table.add_row(*(Text(printable(cell, keep=keep)) for cell in row))
            console.print(table)
        for line in section.lines:
            console.print(Text(printable(line, keep="\n")))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
