"""The one exception type of annostat, and the checks made at the public edge.

Every message names the argument, the rule, what was received and, where there is one, the
remedy. The command line prints the message as a single line and exits with status 2.
"""

from __future__ import annotations

import difflib
import math
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "AnnostatError",
    "AnnostatWarning",
    "check_choice",
    "check_column",
    "check_count",
    "check_level",
    "check_number",
    "check_numbers",
    "check_squares",
    "is_interrupt",
    "option",
    "positions_of",
    "printable",
    "shown",
]

LARGEST = 1e60
LEAST_LEVEL = 1e-9  # nearer to 0 or 1, limits of intervals are no numbers
# What a terminal obeys and what turns the direction of text around; line and paragraph separators;
# bytes of a file's name that are no UTF-8, which Python holds as surrogates.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# Arguments that take several values, by the name of the option: how Python calls them.
_LISTS = {
    "item": "item",
    "labels": "labels",
    "missing": "missing",
    "model": "models",
    "raters": "raters",
    "rounds": "rounds",
}
_TYPED: ContextVar[bool] = ContextVar("typed", default=False)


class AnnostatError(ValueError):
    """Input that annostat cannot use; the message says what to change."""

    def __str__(self) -> str:
        """Return the message, one line whatever names stand in it."""
        return printable(super().__str__())


class AnnostatWarning(UserWarning):
    """An answer exists, but something about it deserves attention."""


@contextmanager
def spoken_to_a_shell() -> Iterator[None]:
    """Let `option` speak of options of the command line until this ends."""
    token = _TYPED.set(True)
    try:
        yield
    finally:
        _TYPED.reset(token)


def option(name: str, *values: object) -> str:
    """Return how the reader of a message sets an argument, at the command line or in Python.

    Parameters
    ----------
    name : str
        The option without its dashes.
    *values : object
        What it is set to; without one only the argument is named.

    Examples
    --------
    >>> print(option("rounds", "first", "second"), "or", option("cluster", "patient"))
    rounds=['first', 'second'] or cluster='patient'
    >>> with spoken_to_a_shell():
    ...     print(option("rounds", "first", "end of beat"))
    --rounds first 'end of beat'
    """
    if _TYPED.get():
        told = [shlex.quote(str(v)) for v in values if v is not True]
        if name == "labels":  # numbers, which stand in one list
            told = [",".join(told)] * bool(told)
        return " ".join([f"--{name}", *told])
    python = _LISTS.get(name, name.replace("-", "_"))
    if not values:
        return python
    given = list(values) if name in _LISTS else values[0]
    return f"{python}={given!r}"


def is_interrupt(error: BaseException | None) -> bool:
    """Return whether this is what became of an interrupt in the midst of compiled code.

    numba has its result by then, and Python makes a `SystemError` of the two, or several.
    """
    while isinstance(error, SystemError):
        error = error.__cause__ or error.__context__
    return isinstance(error, KeyboardInterrupt)


def printable(text: str, *, keep: str = "") -> str:
    r"""Return text without what a terminal obeys: such characters are escaped, as \x1b.

    Parameters
    ----------
    text : str
        A name from a file or a folder, a message that holds one.
    keep : str
        Characters that stay as they are, such as a line's end.

    Examples
    --------
    >>> print(printable("red \x1b[31m, no text \udcff"))
    red \x1b[31m, no text \xff
    """

    def escaped(found: re.Match[str]) -> str:
        code = ord(found[0])
        if found[0] in keep:
            return found[0]
        if 0xDC80 <= code <= 0xDCFF:  # the byte that it stands for
            code -= 0xDC00
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"

    return UNPRINTABLE.sub(escaped, text)


def cut(name: object) -> str:
    """Return a name as text, so short that a message stays one."""
    text = str(name)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text):,} characters)"


def shown(values: Iterable[Any], limit: int = 5) -> str:
    """Return the first few values as text, for the end of an error message."""
    listed = list(values)
    text = ", ".join(cut(v) for v in listed[:limit])
    return text if len(listed) <= limit else f"{text}, ... ({len(listed)} in all)"


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return `value` if it is one of `choices`; otherwise name the nearest one."""
    if isinstance(value, str) and value in choices:
        return value
    near = difflib.get_close_matches(str(value), choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise AnnostatError(f"{name} must be one of {', '.join(choices)}, got {value!r}{hint}")


def check_column(name: str, column: object, columns: Collection[str]) -> str:
    """Return `column` if the table has it; otherwise name the nearest one it has."""
    if column in columns:
        return str(column)
    near = difflib.get_close_matches(str(column), [str(c) for c in columns], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise AnnostatError(
        f"{name}: there is no column {column!r}{hint} (columns: {shown(columns, 12)})"
    )


def positions_of(name: str, wanted: Iterable[object], columns: Sequence[str]) -> list[int]:
    """Return where the wanted columns are, each of which is checked as by `check_column`."""
    # From the end, so that a name that stands twice is where it stands first.
    places = {columns[i]: i for i in range(len(columns) - 1, -1, -1)}
    return [
        places[check_column(name, c, places if isinstance(c, str) else columns)] for c in wanted
    ]


def check_level(level: float) -> float:
    """Return a confidence level strictly between 0 and 1."""
    number = check_number("level", level, low=0.0, high=1.0, open_ends=True)
    if min(number, 1 - number) < LEAST_LEVEL:
        raise AnnostatError(f"level must be {LEAST_LEVEL:g} away from 0 and 1, got {level!r}")
    return number


def check_number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_ends: bool = False,
    text: bool = False,
) -> float:
    """Return a finite number within [low, high], or within (low, high) with `open_ends`.

    Text is refused ("2" may be meant for a name), but where `text` says that it is what is read.
    """
    try:
        if isinstance(value, (str, bytes)) and not text:
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise AnnostatError(f"{name} must be a number, got {value!r}") from None
    inside = low < number < high if open_ends else low <= number <= high
    if not (math.isfinite(number) and inside):
        left, right = ("(", ")") if open_ends else ("[", "]")
        rule = (
            "finite" if math.isinf(low) and math.isinf(high) else f"in {left}{low}, {high}{right}"
        )
        raise AnnostatError(f"{name} must be {rule}, got {value!r}")
    return number


def check_numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return an array-like as float64, of whatever shape it has."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise AnnostatError(f"{name} must be numbers: {error}") from None


def check_squares(largest: float) -> None:
    """Refuse values whose squares, and the squares of these, leave the range of float64."""
    if largest > LARGEST:
        raise AnnostatError(f"values beyond {LARGEST:g} cannot be squared; rescale them")
    if 0 < largest < 1 / LARGEST:
        raise AnnostatError(f"values below {1 / LARGEST:g} cannot be squared; rescale them")


def check_count(name: str, value: object, *, low: int = 0) -> int:
    """Return a whole number that is at least `low`."""
    number = check_number(name, value)
    if number != int(number) or number < low:
        raise AnnostatError(f"{name} must be a whole number of at least {low}, got {value!r}")
    return int(number)
