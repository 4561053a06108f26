"""Numbers of a result that are declared once, and the results that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import squared

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Measured", "Quantity"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a result, declared once: tables, JSON, frames, pages and docs follow from it.

    Attributes
    ----------
    key : str
        Name in JSON, in frames and of the attribute.
    label : str
        Name in a table for people.
    unit : {"labels", "square", "none"}
        Whether it is in the unit of the labels, in its square, or a pure number.
    role : {"estimate", "floor", "ceiling", "reference", "score", "truth"}
        What it is to a model: a floor or ceiling is a bound of `score`, a reference is none; a
        score is against labels or against the truth.
    score : str
        Key of the score that a floor or ceiling is for.
    head : str
        Head of its column where several results stand side by side; empty if it has none.
    said : str
        How the page's first sentence introduces it ("an RMSE of"); empty if it does not.
    ranged : bool
        Whether its interval has a column there.
    meaning : str
        One sentence for the docs.
    calibrated : str
        The outcome of the calibration study that its interval rests on.
    few : str
        The one below 30 items, where another interval is taken by default.
    value : callable, optional
        How it follows from the result; default: the attribute `key`.
    """

    key: str
    label: str
    unit: str = "none"
    role: str = "estimate"
    score: str = ""
    head: str = ""
    said: str = ""
    ranged: bool = False
    meaning: str = ""
    calibrated: str = ""
    few: str = ""
    value: Callable[[Any], Estimate] | None = None

    def of(self, result: Any) -> Estimate:
        """Return the estimate that a result has of it."""
        found: Estimate = getattr(result, self.key) if self.value is None else self.value(result)
        units = {"labels": result.unit, "square": squared(result.unit), "none": ""}
        unit = units[self.unit]
        return found if found.unit == unit else replace(found, unit=unit)


class Measured(Result):
    """A result that is its quantities: text, JSON, frame and page follow from `quantities`.

    A subclass is a frozen dataclass. It declares `title` and `quantities`, and a field or
    property `unit`; `checks` and `provenance` are shown if it has them.
    """

    __slots__ = ()

    title: ClassVar[str] = ""
    quantities: ClassVar[tuple[Quantity, ...]] = ()

    @property
    def unit(self) -> str:
        """Unit of the labels, empty for pure numbers."""
        return ""

    def estimates(self, *, references: bool = False) -> dict[str, Estimate]:
        """Return the estimates by name, those that are no bounds with `references` only."""
        kept = (q for q in self.quantities if references or q.role != "reference")
        return {q.key: q.of(self) for q in kept}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        checks: tuple[Check, ...] = getattr(self, "checks", ())
        provenance: Provenance | None = getattr(self, "provenance", None)
        return {
            "unit": self.unit,
            **{name: e.to_dict() for name, e in self.estimates(references=True).items()},
            "checks": [c.to_dict() for c in checks],
            "provenance": None if provenance is None else provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate."""
        import pandas as pd

        return pd.DataFrame([{"quantity": k, **e.to_dict()} for k, e in self.estimates().items()])

    def table(self, title: str = "", lines: tuple[str, ...] = ()) -> Section:
        """Return the table of all quantities."""
        rows = [q.of(self).row(q.label) for q in self.quantities]
        columns = ("what", "estimate", "interval", "method")
        return Section(title or self.title, columns, rows, lines)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        checks: tuple[Check, ...] = getattr(self, "checks", ())
        return [self.table(), *([check_section(checks)] if checks else [])]
