"""Numbers with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from annostat.results.text import format_number, percent, plain


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, with the name of the method that made it.

    Attributes
    ----------
    low, high : float
        Limits; NaN where the method gives none, infinite where it is unbounded.
    level : float
        Nominal coverage, for example 0.95.
    method : str
        How the interval was made, in words that can be looked up.
    """

    low: float
    high: float
    level: float
    method: str

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def holding(self, value: float) -> Interval:
        """Return the interval that reaches as far as the estimate, if that is just outside.

        The two may weigh items otherwise: those of unequal sizes, or with missing cells.
        """
        low, high = min(self.low, value), max(self.high, value)
        return Interval(low, high, self.level, self.method)

    def through(self, g: Callable[[float], float]) -> Interval:
        """Return the interval on another scale; `g` is monotone, either way."""
        low, high = g(self.low), g(self.high)
        low, high = (high, low) if high < low else (low, high)
        return Interval(low, high, self.level, self.method)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, its standard uncertainty and its interval.

    Attributes
    ----------
    value : float
        The estimate; NaN only together with a `note` that says why.
    standard_uncertainty : float or None
        Standard deviation attributed to the estimate (GUM 2.3.1).
    interval : Interval or None
        None where no method is known to cover; `note` then says so.
    unit : str
        Unit of all of them, empty for a pure number.
    note : str
        What a reader must know about this number, empty if nothing.

    Examples
    --------
    >>> from annostat import Estimate, Interval
    >>> interval = Interval(1.921, 2.147, 0.95, "profile likelihood")
    >>> print(Estimate(2.0314, 0.0571, interval, "frames"))
    2.031 frames, 95% interval 1.921 to 2.147
    """

    value: float
    standard_uncertainty: float | None = None
    interval: Interval | None = None
    unit: str = ""
    note: str = ""

    @property
    def low(self) -> float | None:
        """Lower limit of the interval, or None."""
        return None if self.interval is None else self.interval.low

    @property
    def high(self) -> float | None:
        """Upper limit of the interval, or None."""
        return None if self.interval is None else self.interval.high

    def to_dict(self) -> dict[str, Any]:
        """Return the eight promised keys, ready for JSON; what is not a number becomes None."""
        interval = self.interval
        return {
            "value": plain(self.value),
            "standard_uncertainty": plain(self.standard_uncertainty),
            "low": plain(self.low),
            "high": plain(self.high),
            "level": None if interval is None else interval.level,
            "method": None if interval is None else interval.method,
            "unit": self.unit,
            "note": self.note,
        }

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        text = f"{self.short()}{unit}"
        if self.interval is not None:
            text += f", {percent(self.interval.level)} interval {self.range()}"
        return f"{text} ({self.note})" if self.note else text

    def scaled(self, factor: float, *, unit: str | None = None) -> Estimate:
        """Return the estimate times a constant, in the same unit or in another.

        Examples
        --------
        >>> print(Estimate(2.0, 0.1, Interval(1.8, 2.2, 0.95, "t")).scaled(-10.0, unit="ms"))
        -20.0 ms, 95% interval -22.0 to -18.0
        """
        error = self.standard_uncertainty
        return Estimate(
            self.value * factor,
            None if error is None else error * abs(factor),
            self.interval and self.interval.through(lambda x: x * factor),
            self.unit if unit is None else unit,
            self.note,
        )

    def through(self, g: Callable[[float], float], slope: float) -> Estimate:
        """Return the estimate through a monotone function whose derivative there is `slope`.

        Its limits go through the function too; where the slope is not finite there is no standard
        uncertainty (delta method).
        """
        error = self.standard_uncertainty
        if error is not None:
            error = abs(slope) * error if math.isfinite(slope) else None
        value = self.value if math.isnan(self.value) else g(self.value)
        return Estimate(
            value, error, self.interval and self.interval.through(g), self.unit, self.note
        )

    def complement(self) -> Estimate:
        """Return 1 − estimate: a score where a loss was."""
        return self.through(lambda x: 1 - x, -1.0)

    def named(self, words: str) -> Estimate:
        """Return the estimate with a method that says what it presumes."""
        if self.interval is None:
            return replace(self, note=f"{words}; {self.note}" if self.note else words)
        method = f"{self.interval.method}, {words}"
        return replace(self, interval=replace(self.interval, method=method))

    def short(self) -> str:
        """Return the value alone, with the digits that its uncertainty deserves."""
        return format_number(self.value, self._spread())

    def range(self) -> str:
        """Return "low to high", or a dash without an interval."""
        if self.interval is None:
            return "–"
        spread = self._spread()
        low, high = (format_number(v, spread) for v in (self.interval.low, self.interval.high))
        return f"{low} to {high}"

    def cell(self) -> str:
        """Return the value and, in brackets, its limits: a cell of a table."""
        return self.short() if self.interval is None else f"{self.short()} ({self.range()})"

    def row(self, label: str) -> list[str]:
        """Return label, value with unit, limits and method: a row of a table."""
        method = self.note if self.interval is None else self.interval.method
        if self.interval is not None and self.note:
            method += f" ({self.note})"
        unit = f" {self.unit}" if self.unit and not math.isnan(self.value) else ""
        return [label, self.short() + unit, self.range(), method]

    def _spread(self) -> float | None:
        width = math.inf if self.interval is None else self.interval.high - self.interval.low
        if self.standard_uncertainty is not None and math.isfinite(self.standard_uncertainty):
            # At the edge of a domain the uncertainty may vanish while the interval does not.
            return max(self.standard_uncertainty, width / 50 if math.isfinite(width) else 0.0)
        return width / 4 if math.isfinite(width) else None
