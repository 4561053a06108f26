"""Screens of the documentation at 60, 80 and 120 columns: docs/images/screens/*.svg.

`python -m analysis.screens` runs the command at each width and draws what it prints, with the
gutter bold as a terminal has it. The pictures are SVG whose text is text; the test suite compares
it with what is printed now.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

from analysis.gallery import DOCS
from annostat.files import write_text

WIDTHS = (60, 80, 120)
COMMAND = ("bounds", "ef.csv", "--rounds", "first", "second", "--unit", "points", "--n-jobs", "1")
FOLDER = DOCS / "images" / "screens"
CELL, LINE, EDGE = 7.25, 17, 14  # pixels
GUTTER = re.compile(r"^(Read|Answer|Quote|Checks|More)(?=  )")


def printed(width: int) -> list[str]:
    """Return what the command prints at a width, to the end of its first table."""
    done = subprocess.run(
        [sys.executable, "-m", "annostat", *COMMAND],
        cwd=DOCS / "data",
        env={
            **os.environ,
            "COLUMNS": str(width),
            "PYTHONPATH": os.pathsep.join(map(str, sys.path)),
        },
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    typed = f"$ annostat {' '.join(COMMAND[:-2])}"
    opening, table, *_ = done.stdout.split("\n\n")
    return [typed, "", *opening.splitlines(), "", *table.splitlines(), "", "…"]


def drawn(lines: list[str], width: int) -> str:
    """Return lines as a terminal, dark on light and light on dark by the reader's scheme."""
    across, high = round(width * CELL + 2 * EDGE), LINE * len(lines) + 2 * EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {high}" '
        f'width="{across}" height="{high}" font-family="ui-monospace, DejaVu Sans Mono, '
        'Menlo, Consolas, monospace" font-size="12">',
        "<style>rect { fill: #f5f7f9 } text { fill: #1b1f24 } @media (prefers-color-scheme: dark) "
        "{ rect { fill: #1d2126 } text { fill: #e6e9ed } }</style>",
        f'<rect width="{across}" height="{high}" rx="6"/>',
    ]
    for row, line in enumerate(lines):
        y = EDGE + LINE * row + 12
        found = GUTTER.match(line)
        words = html.escape(line, quote=False)
        if found:
            words = f'<tspan font-weight="bold">{found[0]}</tspan>{words[found.end() :]}'
        if line:
            length = round(len(line) * CELL)
            parts.append(
                f'<text x="{EDGE}" y="{y}" textLength="{length}" lengthAdjust="spacingAndGlyphs" '
                f'xml:space="preserve">{words}</text>'
            )
    return "\n".join([*parts, "</svg>\n"])


def words_of(svg: str) -> list[str]:
    """Return the lines of a picture that are not empty."""
    texts = re.findall(r"<text [^>]*>(.*?)</text>", svg)
    return [html.unescape(re.sub(r"</?tspan[^>]*>", "", text)) for text in texts]


def path_of(width: int) -> Path:
    """Return the file of a width."""
    return FOLDER / f"bounds-{width}.svg"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for columns in WIDTHS:
        write_text(path_of(columns), drawn(printed(columns), columns))
    sys.stdout.write(f"{FOLDER.name}: {', '.join(map(str, WIDTHS))} columns\n")
