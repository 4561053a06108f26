"""Ceilings of findings: what is answered, and how it is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annostat.ceilings.category_result import Ceiling
from annostat.results.cite import TOOL, Cited, ci
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section, told_failed
from annostat.results.sections import Section
from annostat.results.text import counted, format_number, percent, plain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The best detector's sensitivity at a number of false positives per image (FROC).

    Attributes
    ----------
    false_positives : float
        Per image; false is what the one reader did not mark.
    low, high : float
        Bracket of the best sensitivity.
    interval : Interval or None
    """

    false_positives: float
    low: float
    high: float
    interval: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        i = self.interval
        return {
            "false_positives_per_image": self.false_positives,
            "bracket": {"low": plain(self.low), "high": plain(self.high)},
            "low": None if i is None else plain(i.low),
            "high": None if i is None else plain(i.high),
            "level": None if i is None else i.level,
            "method": None if i is None else i.method,
        }


@dataclass(frozen=True, slots=True)
class ReaderPoint:
    """One reader as the detector: against each of the others, on average.

    Attributes
    ----------
    name : str
    marks : float
        Marks per image that he saw.
    sensitivity : float
        Share of another reader's marks that he marked too.
    false_positives : float
        Marks per image that the other did not make.
    """

    name: str
    marks: float
    sensitivity: float
    false_positives: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "marks_per_image": plain(self.marks),
            "sensitivity": plain(self.sensitivity),
            "false_positives_per_image": plain(self.false_positives),
        }


@dataclass(frozen=True, slots=True)
class NamedCeiling:
    """The best possible F1 against one reader by name.

    Attributes
    ----------
    name : str
    reached : Estimate
        F1 of the others' best vote against this reader, which a detector can reach.
    least : int
        How many of the others made that vote.
    low, high : float
        Bracket of the best detector's, if readers differ by their odds of marking alone; else from
        what was reached to 1.
    interval : Interval or None
    note : str
    """

    name: str
    reached: Estimate
    least: int
    low: float
    high: float
    interval: Interval | None
    note: str = ""

    @property
    def ceiling(self) -> Ceiling:
        """The same as a ceiling."""
        two = self.reached
        return Ceiling("f1", "F1", "", two, self.low, self.high, self.interval, note=self.note)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        i = self.interval
        return {
            "name": self.name,
            "reached": self.reached.to_dict(),
            "least": self.least,
            "bracket": {"low": plain(self.low), "high": plain(self.high)},
            "low": None if i is None else plain(i.low),
            "high": None if i is None else plain(i.high),
            "level": None if i is None else i.level,
            "method": None if i is None else i.method,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What follows from another rule of matching.

    Attributes
    ----------
    rule : str
    n_findings : int
    f1 : float
        F1 of two readers.
    low, high : float
        Bracket of the best detector's F1.
    ambiguous : float
        Share of findings where the limit alone would have joined two marks of one reader.
    """

    rule: str
    n_findings: int
    f1: float
    low: float
    high: float
    ambiguous: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "rule": self.rule,
            "n_findings": self.n_findings,
            "f1": plain(self.f1),
            "bracket": {"low": plain(self.low), "high": plain(self.high)},
            "ambiguous": plain(self.ambiguous),
        }


@dataclass(frozen=True)
class FindingBounds(Result):
    """How good any detector can look against the marks of one reader.

    Attributes
    ----------
    f1 : Ceiling
        F1: of two readers, and of the best possible detector.
    froc : tuple of Sensitivity
    thresholds : tuple of AtThreshold
        A stricter rule of matching, the one that was taken, and a looser one.
    votes : mapping of str to float
        F1 of what readers marked together, against one reader: `others` (two or more of the others,
        without the one they are held against), and `own`, which contains that reader.
    counts : mapping of int to tuple of int
        By number of readers k: findings that 1, ..., k of them marked.
    readers : tuple of ReaderPoint
        Each reader as the detector, against the others.
    rule : str
    kind : str
    n_images, n_findings : int
    checks : tuple of Check
    provenance : Provenance
    named : tuple of NamedCeiling
        Against each reader by name; empty where readers are anonymous.
    """

    f1: Ceiling
    froc: tuple[Sensitivity, ...]
    thresholds: tuple[AtThreshold, ...]
    votes: Mapping[str, float]
    counts: Mapping[int, tuple[int, ...]]
    readers: tuple[ReaderPoint, ...]
    rule: str
    kind: str
    n_images: int
    n_findings: int
    checks: tuple[Check, ...]
    provenance: Provenance
    named: tuple[NamedCeiling, ...] = ()

    def __getitem__(self, name: str) -> NamedCeiling:
        """Return the ceiling against a reader."""
        for one in self.named:
            if one.name == name:
                return one
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_images": self.n_images,
            "n_findings": self.n_findings,
            "kind": self.kind,
            "rule": self.rule,
            "f1": self.f1.to_dict(),
            "froc": [s.to_dict() for s in self.froc],
            "thresholds": [t.to_dict() for t in self.thresholds],
            "votes": plain(dict(self.votes)),
            "counts": {str(k): list(n) for k, n in self.counts.items()},
            "readers": [r.to_dict() for r in self.readers],
            "named": [r.to_dict() for r in self.named],
            "quote": self.quote(),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a row for F1, one for F1 against each reader, one for each point of the FROC."""
        import pandas as pd

        one = self.f1.to_dict()
        two = one["two_readers"] = one.pop("two_raters")
        rows = [
            {
                "measure": "F1",
                "reader": "",
                "false_positives_per_image": None,
                "two_readers": None if two is None else two["value"],
                "bracket_low": one["bracket"]["low"],
                "bracket_high": one["bracket"]["high"],
                "low": one["low"],
                "high": one["high"],
            }
        ]
        for r in self.named:
            i = r.interval
            rows.append(
                {
                    "measure": "F1",
                    "reader": r.name,
                    "false_positives_per_image": None,
                    "two_readers": r.reached.value,
                    "bracket_low": r.low,
                    "bracket_high": r.high,
                    "low": None if i is None else i.low,
                    "high": None if i is None else i.high,
                }
            )
        for s in self.froc:
            row = s.to_dict()
            bracket = row.pop("bracket")
            rows.append(
                {
                    "measure": "sensitivity",
                    "reader": "",
                    "false_positives_per_image": s.false_positives,
                    "two_readers": None,
                    "bracket_low": bracket["low"],
                    "bracket_high": bracket["high"],
                    "low": row["low"],
                    "high": row["high"],
                }
            )
        return pd.DataFrame(rows)

    @property
    def reader(self) -> str:
        """Who a detector is held against, in words."""
        alike = next((c for c in self.checks if c.name == "appetite"), None)
        return "one of these readers" if alike is not None and not alike.passed else "one reader"

    def answer(self) -> str:
        """Return the answer in one or two sentences."""
        return (
            f"Against {self.reader}, even the best possible detector has an F1 of "
            f"{self.f1.best()}. This is the ceiling: no detector can show more, on average."
        )

    def quote(self) -> str:
        """Return what to quote."""
        two = self.f1.two_raters
        level = "" if self.f1.interval is None else f" ({percent(self.f1.interval.level)})"
        if not level:
            return f"Nothing: {self.f1.note or 'no interval'}."
        reach = "" if two is None else f" Two readers reach {two.cell()}."
        return f"Ceiling of F1 {self.f1.limits()}{level}.{reach}"

    def cited(self) -> Cited | None:
        """Return the sentences for a paper."""
        f1 = self.f1
        if f1.interval is None:
            return None
        two = "" if f1.two_raters is None else f"; two readers reached {ci(f1.two_raters)}"
        return Cited(
            f"Marks of {counted(len(self.readers), 'reader')} on {counted(self.n_images, 'image')} "
            f"were matched ({self.rule}), and the highest F1 that any detector can reach against "
            f"{self.reader} was derived from how many readers marked each finding with {TOOL}; "
            "where the marks leave a range, both ends are given.",
            f"Against {self.reader}, no detector can, on average, exceed an F1 of {f1.best()} "
            f"({percent(f1.interval.level)} CI {f1.limits()}){two}." + told_failed(self.checks),
        )

    def table(self) -> Section:
        """Return F1 of two readers, of the best detector, and of votes."""
        w = self.f1.width
        two: Estimate | None = self.f1.two_raters
        rows = [
            [
                "two readers",
                "–" if two is None else two.short(),
                "–" if two is None else two.range(),
            ]
        ]
        if "others" in self.votes:
            rows.append(
                [
                    "2 or more others, against the one left",
                    format_number(self.votes["others"], w),
                    "–",
                ]
            )
        rows.append(["best possible, any detector", self.f1.best(), self.f1.limits()])
        if "own" in self.votes:
            own = format_number(self.votes["own"], w)
            beyond = ", not possible" if self.votes["own"] > self.f1.high else ""
            rows.append(["2 or more, against their own members", f"{own}{beyond}", "–"])
        line = "A vote that contains the reader it is scored against is no ceiling."
        return Section(
            f"F1 against {self.reader}",
            ("marks that count", "F1", "with its limits"),
            rows,
            (line,) if "own" in self.votes else (),
        )

    def froc_table(self) -> Section:
        """Return the best sensitivity at false positives per image."""
        rows = []
        for s in self.froc:
            best = f"{s.low:.2f} to {s.high:.2f}" if s.high - s.low >= 0.005 else f"{s.low:.2f}"
            limits = "–" if s.interval is None else f"{s.interval.low:.2f} to {s.interval.high:.2f}"
            rows.append([format_number(s.false_positives), best, limits])
        return Section(
            "Sensitivity of the best detector; false is what the reader did not mark",
            ("false positives per image", "best sensitivity", "with its limits"),
            rows,
            () if self.reader == "one reader" else ("These presume readers who mark alike.",),
        )

    def named_table(self) -> Section:
        """Return the best F1 against each reader by name."""
        rows = []
        for r in self.named:
            others = "the other" if len(self.named) == 2 else f"{r.least} or more others"
            reach = f"{r.reached.cell()}, by {others}"
            rows.append([r.name, reach, r.ceiling.best(), r.ceiling.limits(), r.note])
        line = "Upper ends presume that readers differ by their odds of marking alone."
        return Section(
            "F1 against each reader by name",
            ("reader", "others reach", "best possible", "with its limits", ""),
            rows,
            (line,),
        )

    def matching_table(self) -> Section:
        """Return the same at a stricter and a looser rule."""
        rows = []
        for t in self.thresholds:
            best = f"{t.low:.3f} to {t.high:.3f}" if t.high - t.low >= 0.0005 else f"{t.low:.3f}"
            taken = " (taken)" if t.rule == self.rule else ""
            rows.append(
                [
                    f"{t.rule}{taken}",
                    f"{t.n_findings:,}",
                    f"{t.f1:.3f}",
                    best,
                    f"{t.ambiguous:.1%}",
                ]
            )
        columns = ("marks match if", "findings", "two readers, F1", "best possible", "ambiguous")
        return Section("Matching", columns, rows)

    def counts_table(self) -> Section:
        """Return how many readers marked what, and marks per image."""
        rows = []
        for k, n in self.counts.items():
            rows += [[f"{x + 1} of {k}", f"{v:,}"] for x, v in enumerate(n)]
        return Section(
            f"{counted(self.n_findings, 'finding')} on {counted(self.n_images, 'image')}",
            ("readers who marked it", "findings"),
            rows,
        )

    def readers_table(self) -> Section:
        """Return each reader as the detector."""
        rows = [
            [
                r.name,
                format_number(r.marks, digits=3),
                f"{r.sensitivity:.2f}",
                format_number(r.false_positives, digits=3),
            ]
            for r in self.readers
        ]
        columns = ("reader", "marks per image", "sensitivity", "false positives per image")
        return Section("Readers against each other", columns, rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        parts = [self.opening(), self.table()]
        if self.froc:
            parts.append(self.froc_table())
        if self.named:
            parts.append(self.named_table())
        parts += [self.readers_table(), self.matching_table(), self.counts_table()]
        if self.checks:
            parts.append(check_section(self.checks, when="all"))
        return parts
