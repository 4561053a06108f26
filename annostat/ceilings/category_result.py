"""Floors and ceilings of categories: what is answered, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from annostat.agreement.categories import CategoryAgreement
from annostat.agreement.confusion import CategoryConfusion
from annostat.results.cite import TOOL, Cited
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section, told_failed
from annostat.results.sections import Section
from annostat.results.text import counted, format_number, percent, plain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The best possible model's score, between two limits.

    Attributes
    ----------
    metric : str
        "accuracy", "f1", "macro_f1", "kappa", "quadratic_kappa", "balanced_accuracy", "mcc", "auc";
        "brier" and "log_score" are floors: losses of which less is better.
    label : str
    of_class : str
        The class that counts as positive; empty for all.
    two_raters : Estimate or None
        The same score between two annotators.
    low, high : float
        Bracket of the best model's score; equal where it is identified.
    interval : Interval or None
        Holds the best score at its level.
    floor : bool
        Whether less is better.
    note : str
    """

    metric: str
    label: str
    of_class: str
    two_raters: Estimate | None
    low: float
    high: float
    interval: Interval | None
    floor: bool = False
    note: str = ""

    @property
    def width(self) -> float:
        """Width that digits follow: of the interval, else of the bracket."""
        if self.interval is not None:
            return (self.interval.high - self.interval.low) / 4
        return max((self.high - self.low) / 4, 1e-3)

    def best(self) -> str:
        """Return the bracket as text."""
        low, high = (format_number(x, self.width) for x in (self.low, self.high))
        return low if low == high else f"{low} to {high}"

    def limits(self) -> str:
        """Return the interval as text."""
        if self.interval is None:
            return "–"
        ends = (self.interval.low, self.interval.high)
        return " to ".join(format_number(x, self.width) for x in ends)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "metric": self.metric,
            "label": self.label,
            "class": self.of_class or None,
            "two_raters": None if self.two_raters is None else self.two_raters.to_dict(),
            "bracket": {"low": plain(self.low), "high": plain(self.high)},
            "low": None if self.interval is None else plain(self.interval.low),
            "high": None if self.interval is None else plain(self.interval.high),
            "level": None if self.interval is None else self.interval.level,
            "method": None if self.interval is None else self.interval.method,
            "floor": self.floor,
            "note": self.note,
        }


@dataclass(frozen=True)
class CategoryBounds(Result):
    """How good any model can look against labels that are categories or grades.

    Attributes
    ----------
    ceilings : tuple of Ceiling
    agreement : CategoryAgreement or None
        None if only published numbers are known.
    majority_of : int
        Annotators whose majority is a test label.
    classes : tuple of str
    positive : str
        The class that F1 and AUC are of, where there are two.
    n_items : int or None
    checks : tuple of Check
    provenance : Provenance
    confusion : CategoryConfusion or None
        Which classes annotators confuse; of up to twelve classes.
    """

    ceilings: tuple[Ceiling, ...]
    agreement: CategoryAgreement | None
    majority_of: int
    classes: tuple[str, ...]
    positive: str
    n_items: int | None
    checks: tuple[Check, ...]
    provenance: Provenance
    confusion: CategoryConfusion | None = None

    def __getitem__(self, metric: str | tuple[str, str]) -> Ceiling:
        """Return a ceiling by its metric, or by (metric, class)."""
        name, of_class = metric if isinstance(metric, tuple) else (metric, None)
        for ceiling in self.ceilings:
            if ceiling.metric == name and of_class in (None, ceiling.of_class):
                return ceiling
        raise KeyError(metric)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.n_items,
            "majority_of": self.majority_of,
            "classes": list(self.classes),
            "positive": self.positive or None,
            "ceilings": [c.to_dict() for c in self.ceilings],
            "agreement": None if self.agreement is None else self.agreement.to_dict(),
            "confusion": None if self.confusion is None else self.confusion.to_dict(),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per ceiling."""
        import pandas as pd

        rows = []
        for ceiling in self.ceilings:
            row = ceiling.to_dict()
            two, bracket = row.pop("two_raters"), row.pop("bracket")
            row["two_raters"] = None if two is None else two["value"]
            rows.append({**row, "bracket_low": bracket["low"], "bracket_high": bracket["high"]})
        return pd.DataFrame(rows)

    def answer(self) -> str:
        """Return the answer in one sentence."""
        against = (
            "one annotator" if self.majority_of == 1 else f"the majority of {self.majority_of}"
        )
        told = " and ".join(f"{_said(c)} of {c.best()}" for c in self._first())
        return (
            f"Against {against}, the best possible model has {told}: no model can show more, on "
            "average."
        )

    def _first(self) -> tuple[Ceiling, ...]:
        """Return the ceilings that are said first: F1 and accuracy, each of all classes.

        Of three classes or more it is the macro F1; where a rare class leaves it no interval, the
        F1 of the most frequent class.
        """
        first, rest = self.ceilings[0], self.ceilings[1:]
        if len(self.classes) > 2:
            known = [c for c in rest if c.metric in ("macro_f1", "f1") and c.interval is not None]
            macro = [c for c in known if c.metric == "macro_f1"]
            shares = (
                {}
                if self.agreement is None
                else dict(zip(self.classes, map(float, self.agreement.shares), strict=True))
            )
            known.sort(key=lambda c: -shares.get(c.of_class, 0.0))
            return (first, *(macro or known)[:1])
        second = next((c for c in rest if c.metric in ("f1", "accuracy")), None)
        return (first,) if second is None or second.metric == first.metric else (first, second)

    def quote(self) -> str:
        """Return what to quote: intervals."""
        said = self._first()
        parts = [
            f"{c.label} {c.limits()}"
            for c in (*said, *(c for c in self.ceilings if c not in said))
            if c.interval is not None and c.metric in ("f1", "accuracy", "kappa", "macro_f1")
        ]
        level = next((c.interval.level for c in self.ceilings if c.interval is not None), None)
        if not parts or level is None:
            return "Nothing: these numbers have no interval."
        return f"Ceiling of {', '.join(parts)} ({percent(level)}, whatever the items' difficulty)."

    def cited(self) -> Cited | None:
        """Return the sentences for a paper."""
        found = [c for c in self._first() if c.interval is not None]
        if not found:
            return None
        against = (
            "one annotator" if self.majority_of == 1 else f"the majority of {self.majority_of}"
        )
        n = "" if self.n_items is None else f" of {counted(self.n_items, 'item')}"
        told = [
            f"{c.label} of {c.best()} ({percent(c.interval.level)} CI {c.limits()})"
            for c in found
            if c.interval is not None
        ]
        return Cited(
            f"The best attainable agreement with {against} was derived from labels{n} with {TOOL}, "
            "whatever the difficulty of the items; where the labels leave a range, both ends are "
            "given.",
            f"Against {against}, no model can, on average, exceed {' or '.join(told)}."
            + told_failed(self.checks),
        )

    def table(self) -> Section:
        """Return the ceilings as a table."""
        rows = []
        for c in self.ceilings:
            two = "–" if c.two_raters is None else c.two_raters.cell()
            rows.append([c.label, two, c.best(), c.limits(), c.note])
        columns = ("measure", "two annotators", "best possible", "with its limits", "")
        return Section("How good any model can look", columns, rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        parts = [self.opening(), self.table()]
        if self.agreement is not None:
            parts.append(self.agreement.table())
        if self.confusion is not None:
            parts.append(replace(self.confusion.table(), when="all"))
        return [*parts, check_section(self.checks, when="all")]


def _said(ceiling: Ceiling) -> str:
    article = "an" if ceiling.label[:1] in "aAF" else "a"
    return f"{article} {ceiling.label}"
