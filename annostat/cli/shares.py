"""Options that are shares: 5%, 0.05; and those that are percentages: 5, 5%."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    Type = click.ParamType[float]
else:  # older releases of click have no type of their own to name
    Type = click.ParamType

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


class Share(Type):
    """A number that may be written as a percentage: 5% and "5 %" are 0.05.

    Parameters
    ----------
    bounded : bool
        Whether it is a share of something, so that 95 is no share and 95% is meant; without, a
        number is taken as it is (a margin, a threshold, a score).
    inside : bool
        Whether 0 and 1 themselves are none.
    """

    name = "share"

    def __init__(self, *, bounded: bool = True, inside: bool = False) -> None:
        self.bounded, self.inside = bounded, inside

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or refuse the text with what would be right."""
        if isinstance(value, (int, float)):
            return float(value)
        text = str(value).strip()
        digits, percent = text.rstrip("%").rstrip(), text.endswith("%")
        try:
            number = float(digits)
        except ValueError:
            comma = digits.replace(",", ".")
            hint = f": write {comma}{'%' * percent}" if NUMBER.fullmatch(comma) else ""
            example = hint or ", such as 5% or 0.05"
            self.fail(f"{text!r} is no {self.words}{example}", param, ctx)
        if percent:
            number /= 100
            if not math.isfinite(number) or text.count("%") > 1:
                self.fail(f"{text!r} is no {self.words}, such as 5% or 0.05", param, ctx)
        within = 0 < number < 1 if self.inside else 0 <= number <= 1
        if self.bounded and not within:
            meant = "" if percent or not 1 < number <= 100 else f": write {digits}%"
            self.fail(f"{text!r} is not between 0 and 1 (0% and 100%){meant}", param, ctx)
        return number

    @property
    def words(self) -> str:
        """What is asked for."""
        return "share" if self.bounded else "number"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return what stands in the help page where nothing else is said."""
        return "SHARE" if self.bounded else "X"


class Percentage(Type):
    """A number of per cent, with or without its mark: 5 and 5% are 5."""

    name = "percentage"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or refuse the text with what would be right."""
        text = str(value).strip()
        try:
            return float(text.removesuffix("%"))
        except ValueError:
            self.fail(f"{text!r} is no number of per cent, such as 5 or 5%", param, ctx)


class Margin(Share):
    """A number for which a percentage could be of two things."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; a percentage is refused with the two ways to say it."""
        text = str(value).strip()
        number = super().convert(value, param, ctx)
        if text.endswith("%"):
            digits = text.rstrip("%").rstrip()
            self.fail(
                f"{text!r} may be a share, {number:g}, or a part of what two readers differ by, "
                f"--margin-percent {digits}: write one of them",
                param,
                ctx,
            )
        return number


SHARE = Share()
INSIDE = Share(inside=True)
NUMBER_OR_SHARE = Share(bounded=False)
PERCENTAGE = Percentage()
MARGIN = Margin(bounded=False)
