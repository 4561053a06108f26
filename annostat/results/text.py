"""Numbers in words: the one formatter of values, percentages and p-values."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping
from typing import Any

TELLING = 5  # items: of fewer, read twice, an SD has limits of which one is over 6 times the other


def plain(value: Any) -> Any:
    """Return `value` as JSON knows it: numbers that are not finite become None."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else str(value)


def format_number(value: float | None, spread: float | None = None, digits: int = 4) -> str:
    """Return a number with two digits of its uncertainty, else `digits` significant ones."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0 and not spread:
        return "0"
    if spread and math.isfinite(spread) and spread > 0:
        decimals = 1 - math.floor(math.log10(spread))
        # An uncertainty far below the value must not produce a wall of digits.
        if value:
            decimals = min(decimals, 7 - math.floor(math.log10(abs(value))))
        if decimals <= 0:
            return f"{round(value):,d}" if abs(value) < 1e15 else f"{value:.{digits}g}"
        if decimals > 12:  # very small numbers: significant digits, not a row of zeros
            return f"{value:.{digits}g}"
        text = f"{value:.{decimals}f}"
        return text.removeprefix("-") if float(text) == 0 else text
    if 10**digits <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def too_few_to_tell(n_items: int | None) -> str:
    """Return "3 items are too few" where they tell nothing, whatever intervals say, else ""."""
    if n_items is None or n_items >= TELLING:
        return ""
    return f"{counted(n_items, 'item')} {'is' if n_items == 1 else 'are'} too few"


def percent(fraction: float) -> str:
    """Return a fraction as a percentage without trailing zeros."""
    return f"{100 * fraction:.6g}%"


def format_p(p: float | None) -> str:
    """Return a p-value as it is printed in a table."""
    if p is None or math.isnan(p):
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def p_text(p: float | None) -> str:
    """Return a p-value for a sentence: "p = 0.012", "p < 0.001", or "p unknown"."""
    if p is None or math.isnan(p):
        return "p unknown"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def counted(n: int, noun: str, several: str = "") -> str:
    """Return "1 item", "2,000 items"; `several` is what is no noun with an s, "rows hold"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {several or noun + 's'}"


HELD = "\u00a0"  # a space at which no line ends
TOGETHER = re.compile(
    r"(?<=\d) to (?=[-−\d])"  # an interval
    r"|(?<=\d%) to (?=[-−\d])"
    r"|(?<=\bp) [<=] (?=\d)"  # a p-value
    r"|(?<=\d%) (?=[-−\d])"  # a level and its interval
    r"|(?<=\d%) (?=CI\b)|(?<=\d% CI) (?=[-−\d])"
    r"|(?<=\d) (?=[A-Za-z%µ])"  # a number and its unit
)
NARROWEST = 60  # columns of a screen
GUTTER = 8  # columns before the text of a screen, where one word says what stands there


def holding(text: str) -> str:
    """Return a text in which no line ends within a number, its interval or before its unit."""
    return TOGETHER.sub(lambda found: found[0].replace(" ", HELD), text)


def hang(word: str, text: str, width: int = 80, gutter: int = GUTTER) -> list[str]:
    """Return a paragraph of a screen as lines: one word in the gutter, the text beside it.

    A number, its unit and its interval are never parted by the end of a line.
    """
    lines = textwrap.wrap(
        holding(text),
        max(width, NARROWEST - GUTTER),
        initial_indent=word.ljust(gutter),
        subsequent_indent=" " * gutter,
        break_on_hyphens=False,
    )
    return [line.replace(HELD, " ") for line in lines]


MARKS = ("ok", "!!", "??")


def spoken(word: str, text: str, width: int = 80) -> list[str]:
    r"""Return a paragraph of a screen as lines; those of marked checks hang beside their mark.

    Examples
    --------
    >>> print("\n".join(spoken("Answer", "Yes.") + spoken("!!", "But look at item 3.")))
    Answer  Yes.
            !!  But look at item 3.
    """
    if word not in MARKS:
        return hang(word, text, width)
    return [" " * GUTTER + line for line in hang(word, text, max(width, NARROWEST) - GUTTER, 4)]


def squared(unit: str) -> str:
    """Return the unit of a square, empty for a pure number."""
    return f"({unit})²" if " " in unit else f"{unit}²" if unit else ""
