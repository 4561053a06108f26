"""Tables that know the width of the screen: cells wrap, then columns are dropped."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from annostat.results.text import HELD, MARKS, holding

GAP = 3  # blanks between columns
LEAST = 14  # columns of words are wrapped to no less, where their longest word allows it
RANGES = ("interval", "its range")
VERDICTS = ("verdict", "refuted")  # without these the numbers beside them mislead
KEPT = 2  # the first columns, which are never dropped


def fit_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> tuple[list[str], list[list[str]], list[str]]:
    r"""Return the heads and rows of a table that fits a width, and the heads of dropped columns.

    In this order: cells wrap between words, the widest column first, an interval below its value;
    if that is not enough, columns are dropped from the right, but for the first two, and verdicts
    after all others. A number, an interval and a unit are never broken.

    Examples
    --------
    >>> rows = [["the floor of the mean error", "3.90 (3.60 to 4.26)", "profile"]]
    >>> fit_table(["what", "value", "method"], rows, 32)
    (['what', 'value'], [['the floor of\nthe mean error', '3.90\n(3.60 to 4.26)']], ['method'])
    """
    able = list(range(len(columns) - 1, KEPT - 1, -1))
    able.sort(key=lambda i: columns[i] in VERDICTS)  # the others first, each from the right
    for n in range(len(able) + 1):
        gone = set(able[:n])
        if any(columns[i] in RANGES and i > KEPT and i - 1 not in gone for i in gone):
            continue  # a value goes with its interval
        left = [i for i in range(len(columns)) if i not in gone]
        kept = [[cells[i] for i in left] for cells in (columns, *rows)]
        widths = widths_of(kept, width)
        if widths is not None:
            break
    if widths is None:
        widths = [longest(cells) for cells in zip(*kept, strict=True)]
    head, *body = ([*folded(row, widths)] for row in kept)
    return head, body, [c for i, c in enumerate(columns) if i in gone and c]


def widths_of(rows: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """Return the widths of columns that fit, None if there are none."""
    columns = list(zip(*rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    least = [max(longest(c), min(w, LEAST)) for c, w in zip(columns, widths, strict=True)]
    room = width - GAP * (len(columns) - 1)
    while sum(widths) > room:
        able = [j for j, w in enumerate(widths) if w > least[j]]
        if not able:
            return None
        widths[max(able, key=lambda j: (widths[j], j))] -= 1
    return widths


def longest(cells: Sequence[str]) -> int:
    """Return the length of the longest piece that is never broken."""
    return max(len(piece) for cell in cells for piece in [*holding(cell).split(" "), ""])


def folded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the cells of a row, each with the line ends that its width asks for."""
    return ["\n".join(_wrap(c, w)) if len(c) > w else c for c, w in zip(cells, widths, strict=True)]


def wrapped(line: str, width: int) -> list[str]:
    """Return a line as lines, later ones indented as the first, behind the mark of a check."""
    if len(line) <= width:
        return [line]
    indent = len(line) - len(line.lstrip())
    hanging = 4 if line[:2] in MARKS else indent
    return _wrap(line.strip(), width, " " * indent, " " * hanging)


def _wrap(text: str, width: int, first: str = "", later: str = "") -> list[str]:
    lines = textwrap.wrap(
        holding(text),
        width,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(HELD, " ") for line in lines] or [""]
