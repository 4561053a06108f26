"""Numbers with their uncertainty, and the one formatter of every result.

A result is a frozen dataclass derived from `Result`. It describes itself once, as sections
(`Result.sections`) and as plain data (`Result.to_dict`); text, HTML and tables follow.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from annostat.errors import printable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Check", "Estimate", "Interval", "Provenance", "Result", "Section"]


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
        """Return the six promised keys, ready for JSON; what is not a number becomes None."""
        interval = self.interval
        return {
            "value": plain(self.value),
            "standard_uncertainty": plain(self.standard_uncertainty),
            "low": plain(self.low),
            "high": plain(self.high),
            "level": None if interval is None else interval.level,
            "method": (self.note or "none") if interval is None else interval.method,
        }

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        text = f"{self.short()}{unit}"
        if self.interval is not None:
            text += f", {percent(self.interval.level)} interval {self.range()}"
        return f"{text} ({self.note})" if self.note else text

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

    def _spread(self) -> float | None:
        width = math.inf if self.interval is None else self.interval.high - self.interval.low
        if self.standard_uncertainty is not None and math.isfinite(self.standard_uncertainty):
            # At the edge of a domain the uncertainty may vanish while the interval does not.
            return max(self.standard_uncertainty, width / 50 if math.isfinite(width) else 0.0)
        return width / 4 if math.isfinite(width) else None


@dataclass(frozen=True, slots=True)
class Check:
    """An assumption that was looked at, and what was seen.

    Attributes
    ----------
    name : str
        Short identifier, stable across versions.
    passed : bool or None
        None if the data cannot tell.
    message : str
        One sentence in plain words; for a failed check it ends with the remedy.
    statistic, p_value : float or None
        The evidence, where it is a test.
    """

    name: str
    passed: bool | None
    message: str
    statistic: float | None = None
    p_value: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain data."""
        return {
            "name": self.name,
            "passed": self.passed,
            "message": self.message,
            "statistic": plain(self.statistic),
            "p_value": plain(self.p_value),
        }


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is needed to make a result again; never a clock.

    Attributes
    ----------
    version : str
        Version of annostat.
    data_hash : str
        Digest of the input values (`Rounds.digest`).
    n_items : int
        Number of labelled items that were used.
    seed : int or None
        Seed of every random step; None if the caller passed a generator or nothing.
    options : mapping
        The settings that shaped the result.
    """

    version: str
    data_hash: str
    n_items: int
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the provenance as plain data."""
        return {
            "annostat_version": self.version,
            "data_hash": self.data_hash,
            "n_items": self.n_items,
            "seed": self.seed,
            "options": plain(dict(self.options)),
        }


@dataclass(frozen=True, slots=True)
class Section:
    """One piece of a rendered result: a title, an optional table, and lines of text."""

    title: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    lines: Sequence[str] = ()


class Result:
    """Base of all results: implement `sections` and `to_dict`; text and HTML follow."""

    __slots__ = ()

    def sections(self) -> list[Section]:
        """Return what a person should read, in order."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """Return the main table, one row per estimate."""
        raise NotImplementedError

    def __str__(self) -> str:
        return render_text(self.sections())

    def _repr_html_(self) -> str:
        return render_html(self.sections())


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


def percent(fraction: float) -> str:
    """Return a fraction as a percentage without trailing zeros."""
    return f"{100 * fraction:.6g}%"


def format_p(p: float | None) -> str:
    """Return a p-value as it is printed in a table."""
    if p is None or math.isnan(p):
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def p_text(p: float) -> str:
    """Return a p-value for a sentence: "p = 0.012" or "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def check_section(checks: Iterable[Check]) -> Section:
    """Return the checks as a section: one line each, failed ones first."""
    mark = {True: "ok  ", False: "!!  ", None: "??  "}
    order = {False: 0, None: 1, True: 2}
    ranked = sorted(checks, key=lambda c: order[c.passed])
    return Section("Checks", lines=[mark[c.passed] + c.message for c in ranked])


def render_text(sections: Iterable[Section]) -> str:
    """Return sections as text, wide tables included, without colour."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = io.StringIO()
    # Without force_jupyter=False rich would display the text in a notebook and return nothing.
    console = Console(
        file=stream, width=100_000, color_system=None, highlight=False, soft_wrap=True,
        force_jupyter=False, legacy_windows=False,
    )  # fmt: skip
    for number, section in enumerate(sections):
        if number:
            console.print()
        if section.title:
            console.print(Text(printable(section.title)))
        if section.columns:
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
            for column in section.columns:
                table.add_column(Text(printable(column)), no_wrap=True)
            for row in section.rows:
                table.add_row(*(Text(printable(cell)) for cell in row))
            console.print(table)
        for line in section.lines:
            console.print(Text(printable(line, keep="\n")))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def render_html(sections: Iterable[Section]) -> str:
    """Return sections as an HTML fragment; every text from the data is escaped."""
    from html import escape

    parts: list[str] = ['<div class="annostat">']
    for section in sections:
        if section.title:
            parts.append(f"<p><strong>{escape(section.title)}</strong></p>")
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
