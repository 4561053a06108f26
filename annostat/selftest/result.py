"""The self-test: one row for each number, and what to say about all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from annostat.results.cite import TOOL, Cited
from annostat.results.result import Check, Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import counted, plain

if TYPE_CHECKING:
    import pandas as pd

MOST_DIGITS = 15.0  # of a number in double precision


@dataclass(frozen=True, slots=True)
class Row:
    """One number: what it should be and what this installation gives.

    Attributes
    ----------
    group, what, source : str
        Where it stands in the table, its name, and where the expected number was published.
    low, high : float
        The range in which it must lie, limits included.
    found : float
    expected : float
        The certified, published or nominal number.
    digits : float
        Log relative error: leading digits that agree, 15 at most; NaN for numbers that are
        printed with few digits or counted.
    """

    group: str
    what: str
    source: str
    expected: float
    found: float
    low: float
    high: float
    digits: float = math.nan

    @property
    def ok(self) -> bool:
        """Whether the number lies in its range; NaN does not."""
        return self.low <= self.found <= self.high

    @classmethod
    def certified(
        cls, group: str, what: str, source: str, *, expected: str, found: float, digits: float
    ) -> Row:
        """Return a row that must agree to a number of leading digits."""
        value = float(expected)
        reach = abs(value) * 10.0**-digits
        agree = log_relative_error(found, value)
        return cls(group, what, source, value, found, value - reach, value + reach, agree)

    @classmethod
    def printed(cls, group: str, what: str, source: str, *, expected: str, found: float) -> Row:
        """Return a row that must agree to half a unit of the last printed digit."""
        value = float(expected)
        reach = 0.5 * 10.0 ** -len(expected.partition(".")[2]) * (1 + 1e-9)
        return cls(group, what, source, value, found, value - reach, value + reach)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        found: dict[str, Any] = plain({**asdict(self), "ok": self.ok})
        return found


def log_relative_error(found: float, expected: float) -> float:
    """Return −log10 of the relative error: digits that agree, from 0 to 15 (McCullough 1998)."""
    if not math.isfinite(found):
        return 0.0
    if found == expected:
        return MOST_DIGITS
    error = abs(found - expected) / abs(expected) if expected else abs(found)
    return min(max(-math.log10(error), 0.0), MOST_DIGITS)


@dataclass(frozen=True)
class SelfTest(Result):
    """What this installation gives for numbers that are known.

    Attributes
    ----------
    rows : tuple of Row
    machine : mapping of str to str
        Versions of Python and the libraries, and the platform.
    checks : tuple of Check
        One for each row.
    provenance : Provenance
    """

    rows: tuple[Row, ...]
    machine: Mapping[str, str]
    checks: tuple[Check, ...]
    provenance: Provenance
    title = "Self-test of this installation"

    @property
    def ok(self) -> bool:
        """Whether every number lies in its range."""
        return all(row.ok for row in self.rows)

    def answer(self) -> str:
        """Return whether all numbers are right."""
        if self.ok:
            return "This installation gives the certified and published numbers."
        wrong = sum(not row.ok for row in self.rows)
        return f"{counted(wrong, 'number')} of this installation outside the tolerance: see below."

    def quote(self) -> str:
        """Return how many are right, and the least digits."""
        right = sum(row.ok for row in self.rows)
        digits = [row.digits for row in self.rows if not math.isnan(row.digits)]
        least = f"; least agreement {min(digits):.1f} digits" if digits else ""
        return f"{right} of {len(self.rows)} numbers within their tolerance{least}."

    def cited(self) -> Cited:
        """Return the sentences for a paper or a file of installations."""
        versions = ", ".join(f"{name} {version}" for name, version in self.machine.items())
        groups = "; ".join(dict.fromkeys(row.group for row in self.rows))
        methods = f"The installation was checked against known numbers ({groups}; {versions})."
        methods += f" All were computed by {TOOL}."
        return Cited(methods, self.quote())

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        machine = ", ".join(f"{name} {version}" for name, version in self.machine.items())
        opening = self.opening()
        rows = []
        for group in dict.fromkeys(row.group for row in self.rows):
            own = [row for row in self.rows if row.group == group]
            digits = [row.digits for row in own if not math.isnan(row.digits)]
            least = f"{min(digits):.1f}" if digits else "in range"
            rows.append([group, str(len(own)), str(sum(r.ok for r in own)), least])
        single = [
            [
                r.what,
                r.source,
                f"{r.expected:.15g}",
                f"{r.found:.{15 if math.isfinite(r.digits) else 6}g}",
                _range(r),
                _mark(r),
            ]
            for r in self.rows
        ]
        columns = ("what", "source", "expected", "found", "digits or range", "ok")
        return [
            Section(said=[("Read", f"{machine}."), *opening.said]),
            Section("", ("what", "numbers", "right", "least digits"), rows),
            Section("Every number", columns, single, when="all"),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "ok": self.ok,
            "machine": dict(self.machine),
            "rows": [row.to_dict() for row in self.rows],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per number."""
        import pandas as pd

        return pd.DataFrame([{**asdict(row), "ok": row.ok} for row in self.rows])


def _range(row: Row) -> str:
    return f"{row.low:g} to {row.high:g}" if math.isnan(row.digits) else f"{row.digits:.1f}"


def _mark(row: Row) -> str:
    return "ok" if row.ok else "!!"


def check_of(row: Row) -> Check:
    """Return a row as a check, with the numbers where it fails."""
    if row.ok:
        return Check(row.what, True, f"{row.what}: {row.found:g}.")
    text = (
        f"{row.what} is {row.found:.10g}, expected {row.expected:.10g} ({row.source}; "
        f"{row.low:.10g} to {row.high:.10g} allowed): please report this page."
    )
    return Check(row.what, False, text)
