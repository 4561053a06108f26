"""Sections as HTML."""

from __future__ import annotations

from collections.abc import Iterable

from annostat.errors import printable
from annostat.results.sections import Section, chosen


def render_html(sections: Iterable[Section]) -> str:
    """Return sections as an HTML fragment; every text from the data is escaped."""
    from html import escape

    parts: list[str] = ['<div class="annostat">']
    for section in chosen(sections):
        if section.title:
            parts.append(f"<p><strong>{escape(section.title)}</strong></p>")
        for word, text in section.said:
            parts.append(
                f"<p>{f'<strong>{escape(word)}</strong> ' if word else ''}{escape(text)}</p>"
            )
        if section.columns:
            head = "".join(f"<th>{escape(c)}</th>" for c in section.columns)
            body = "".join(
                "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
                for row in section.rows
            )
            parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        parts.extend(f"<p>{escape(line)}</p>" for line in section.lines)
    parts.append("</div>")
    return printable("".join(parts), keep="\n")
