"""Sections as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from annostat.errors import printable
from annostat.results.sections import Section, chosen
from annostat.results.text import MARKS

# Of a mark: its colour, safe for colour-blind readers and on dark pages, and what it means.
COLOURS = {
    "ok": ("#0072B2", "holds"),
    "!!": ("#D55E00", "fails"),
    "??": ("#808080", "cannot be made"),
}


def render_html(sections: Sequence[Section]) -> str:
    """Return sections as an HTML fragment; every text from the data is escaped.

    Columns of numbers are aligned to the right, marks have words and colours, and what a screen
    folds away opens by a click.
    """
    parts = ['<div class="annostat">']
    for section in chosen(sections):
        parts.append(_section(section))
    parts += [
        f"<details><summary>{escape(section.title)}</summary>{_section(section, titled=False)}"
        "</details>"
        for section in sections
        if section.when == "all"
    ]
    parts.append("</div>")
    return printable("".join(parts), keep="\n")


def _section(section: Section, *, titled: bool = True) -> str:
    parts = []
    if section.title and titled:
        parts.append(f"<p><strong>{escape(section.title)}</strong></p>")
    for word, text in section.said:
        parts.append(f"<p>{_marked(word)}{escape(text)}</p>")
    if section.columns:
        sides = [_side(column) for column in zip(*section.rows, strict=True)]
        sides = sides or ["left"] * len(section.columns)
        head = _row("th", section.columns, sides)
        body = "".join(_row("td", row, sides) for row in section.rows)
        parts.append(f"<table><thead>{head}</thead><tbody>{body}</tbody></table>")
    for line in section.lines:
        mark, gap, rest = line[:2], line[2:4], line[4:]
        found = mark in MARKS and gap == "  "
        parts.append(f"<p>{_marked(mark)}{escape(rest)}</p>" if found else f"<p>{escape(line)}</p>")
    return "".join(parts)


def _marked(word: str) -> str:
    if not word:
        return ""
    if word not in COLOURS:
        return f"<strong>{escape(word)}</strong> "
    colour, meaning = COLOURS[word]
    return f'<strong style="color:{colour}" title="{meaning}">{escape(word)}</strong> '


def _side(cells: Iterable[str]) -> str:
    """Return "right" for a column of numbers, whose first character is one in every cell."""
    there = [c.lstrip("-−<+") for c in cells if c not in ("", "–")]
    return "right" if there and all(c[:1].isdigit() for c in there) else "left"


def _row(tag: str, cells: Iterable[str], sides: Iterable[str]) -> str:
    # A number and its interval are never parted by a line end.
    styles = {"left": "text-align:left", "right": "text-align:right;white-space:nowrap"}
    told = (
        f'<{tag} style="{styles[side]}">{escape(cell)}</{tag}>'
        for cell, side in zip(cells, sides, strict=True)
    )
    return f"<tr>{''.join(told)}</tr>"
