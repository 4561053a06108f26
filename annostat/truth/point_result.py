"""Models that put points: what is answered, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from annostat.ceilings.point_result import ALL, PointBounds, PointLimit
from annostat.results.cite import TOOL, Cited, ci, methods_of
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section, told_failed
from annostat.results.sections import Section
from annostat.results.text import counted, percent
from annostat.truth.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class PointScore:
    """One model: its error against a reader, against the truth, and what that says.

    Attributes
    ----------
    name : str
    mean : Estimate
        Mean radial error against one reader.
    rms : Estimate
        RMS radial error against one reader.
    error : Estimate
        RMS radial error against the truth, √E|f − Y|².
    squared_error : Estimate
        E|f − Y|², not clipped at 0.
    verdict : Verdict
    n_items : int
    success : tuple of tuple of float and Estimate
        Threshold, and the share of points within it of one reader's.
    oks : Estimate or None
        Mean object keypoint similarity with one reader's points; None if it was not asked for.
    """

    name: str
    mean: Estimate
    rms: Estimate
    error: Estimate
    squared_error: Estimate
    verdict: Verdict
    n_items: int
    success: tuple[tuple[float, Estimate], ...] = ()
    oks: Estimate | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "n_items": self.n_items,
            "mean": self.mean.to_dict(),
            "rms": self.rms.to_dict(),
            "error": self.error.to_dict(),
            "squared_error": self.squared_error.to_dict(),
            "success": [{"threshold": t, **share.to_dict()} for t, share in self.success],
            "oks": None if self.oks is None else self.oks.to_dict(),
            "verdict": self.verdict.name,
            "evidence": self.verdict.to_dict(),
        }


@dataclass(frozen=True)
class PointScores(Result):
    """Models against the points of readers, and against the truth.

    Attributes
    ----------
    scores : tuple of PointScore
    bounds : PointBounds
    unit : str
    provenance : Provenance
    """

    scores: tuple[PointScore, ...]
    bounds: PointBounds
    unit: str
    provenance: Provenance

    @property
    def checks(self) -> tuple[Check, ...]:
        """What was checked of the readers."""
        return self.bounds.checks

    def __getitem__(self, name: str) -> PointScore:
        """Return the score of a model."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "unit": self.unit,
            "quote": self.quote(),
            "models": [s.to_dict() for s in self.scores],
            "bounds": self.bounds.to_dict(),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each model."""
        import pandas as pd

        rows = []
        for s in self.scores:
            row: dict[str, Any] = {"model": s.name, "n_items": s.n_items, "verdict": s.verdict.name}
            for key in ("mean", "rms", "error"):
                e: Estimate = getattr(s, key)
                row |= {key: e.value, f"{key}_low": e.low, f"{key}_high": e.high}
            row |= {f"within_{t:g}": share.value for t, share in s.success}
            if s.oks is not None:
                row["oks"] = s.oks.value
            rows.append(row)
        return pd.DataFrame(rows)

    def answer(self) -> str:
        """Return one sentence for each model."""
        return " ".join(f"{s.name} is {s.verdict.sentence(self.unit)}." for s in self.scores)

    def quote(self) -> str:
        """Return each model's error against the truth, and the floor of the RMS."""
        told = [f"{s.name} {s.error.cell()}" for s in self.scores]
        unit = f", {self.unit}" if self.unit else ""
        rms = self.bounds["rms"]
        return (
            f"RMS radial error against the truth{unit}: {', '.join(told)}. "
            f"Floor against one reader {rms.best()} ({rms.limits()})."
        )

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        rms = self.bounds["rms"]
        ways = methods_of([s.error for s in self.scores[:1]])
        told = [f"{ci(s.error, self.unit)} for `{s.name}`" for s in self.scores]
        unit = f" {self.unit}" if self.unit else ""
        level = "" if rms.interval is None else f"{percent(rms.interval.level)} CI "
        return Cited(
            "Each model's radial error against the unobserved truth was estimated from the inner "
            "products of its distances from two readers' points of "
            f"{counted(self.provenance.n_items, 'item')} with {TOOL}"
            f"{f'; intervals: {ways}' if ways else ''}.",
            f"Against the truth, the RMS radial error was {' and '.join(told)}; its floor against "
            f"one reader was {rms.best()}{unit} ({level}{rms.limits()})."
            + told_failed(self.checks),
        )

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [[s.name, s.mean.cell(), s.rms.cell(), s.error.cell()] for s in self.scores]
        mean, rms = self.bounds["mean"], self.bounds["rms"]
        rows.append(["a perfect model", mean.best(), rms.best(), "0"])
        columns = ("model", "mean radial error", "RMS radial error", "against the truth, RMS")
        unit = f", {self.unit}" if self.unit else ""
        parts = [
            self.opening(),
            Section(f"Against one reader, and against the truth{unit}", columns, rows),
        ]
        limits = [x for x in self.bounds.limits if not x.floor and x.landmark == ALL]
        if limits:
            parts.append(self._shares(limits))
        parts.append(replace(self.bounds.by_landmark(), when="all"))
        if self.bounds.lengths:
            parts.append(self.bounds.length_table())
        return [*parts, check_section(self.checks, when="all")]

    def _shares(self, limits: list[PointLimit]) -> Section:
        """Return success rates and OKS of the models beside those of a perfect one."""
        rows = []
        for limit in limits:
            best = f"{limit.best()} ({limit.limits()})"
            rows.append([limit.label, *(_cell(s, limit) for s in self.scores), best])
        columns = ("measure", *(s.name for s in self.scores), "a perfect model")
        return Section("Share of points within a distance of one reader's", columns, rows)


def _cell(score: PointScore, limit: PointLimit) -> str:
    """Return the model's share at the threshold of a limit, or its OKS."""
    if limit.measure == "oks":
        return "–" if score.oks is None else score.oks.cell()
    return dict(score.success)[limit.threshold or 0.0].cell()
