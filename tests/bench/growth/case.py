"""A public function, what grows, and what it may cost.

A case has an axis (what grows), sizes, and the largest exponent of CPU time that is allowed between
the last two of them: 1 is linear. Where an axis is raters, models or rounds, pairs of them are
compared, which is an exponent of 2; the side of a mask is squared too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PAIRS = 2.0  # the exponent of the number of pairs
SMALL, ITEMS, MANY = (100, 1_000, 10_000), (1_000, 10_000, 100_000), (10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Case:
    """A public function, what grows, how far, and the largest exponent that is allowed."""

    function: str
    axis: str
    sizes: Sequence[int]
    limit: float
    make: Callable[[int], Callable[[], Any]]

    @property
    def name(self) -> str:
        """The function and the axis, in words."""
        return f"{self.function}, {self.axis}"


CASES: list[Case] = []


def case(function, axis, sizes, make, limit=1.0):
    """Declare what a function may cost."""
    CASES.append(Case(function, axis, sizes, limit, make))


def of(make_data, function, **options):
    """Return what makes a call of a function of data of a size."""

    def make(n):
        made = make_data(n)
        return lambda: function(made, **options)

    return make


def of_all(make_data, function, **options):
    """Return what makes a call of a function of several data of a size."""

    def make(n):
        made = make_data(n)
        return lambda: function(*made, **options)

    return make
