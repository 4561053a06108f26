"""Models against categories: their scores, and whether a better model can be shown to exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from annostat.ceilings.category_result import CategoryBounds
from annostat.errors import shown
from annostat.results.cite import TOOL, Cited, ci, methods_of
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section, told_failed
from annostat.results.sections import Section
from annostat.results.text import counted, format_p, p_text, plain
from annostat.truth.category_calibration import CategoryCalibration
from annostat.truth.ranking import Ranking, rank_models

if TYPE_CHECKING:
    import pandas as pd

FEW = 3  # models that have a sentence each; more are ranked
BELOW = "below the ceiling"
WITHIN = "within the range"
BEYOND = "beyond the ceiling"
OPEN = "not resolved"
MEANING = {
    BELOW: "a better model exists",
    WITHIN: "no label here shows that a better model exists",
    BEYOND: "no model reaches that by being right: it has seen these labels, or copies them",
    OPEN: "its score lies outside the range, and chance may have put it there",
}


@dataclass(frozen=True)
class CategoryScore:
    """One model against labels that are categories.

    Attributes
    ----------
    name : str
    scores : dict of str to Estimate
        By metric, as in the ceilings; against one annotator at random.
    verdict : str
        "below the ceiling", "within the range", "beyond the ceiling" or "not resolved", by the
        headline metric.
    p_below, p_beyond : float or None
        One-sided p-values: that the best model is better; that the model is better than any can be.
    excess_brier : Estimate or None
        E‖f − p‖² of a model that gives probabilities: its distance from the true ones.
    calibration : tuple of CategoryCalibration
        Of probabilities, of the second of two classes, else of each class: the reliability diagram.
    """

    name: str
    scores: dict[str, Estimate]
    verdict: str
    p_below: float | None = None
    p_beyond: float | None = None
    excess_brier: Estimate | None = None
    calibration: tuple[CategoryCalibration, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        excess = self.excess_brier
        return {
            "name": self.name,
            "scores": {key: e.to_dict() for key, e in self.scores.items()},
            "verdict": self.verdict,
            "p_below": plain(self.p_below),
            "p_beyond": plain(self.p_beyond),
            "excess_brier": None if excess is None else excess.to_dict(),
            "calibration": [c.to_dict() for c in self.calibration],
        }


@dataclass(frozen=True, slots=True)
class ScoreDifference:
    """The difference of two models' scores on the same items.

    Attributes
    ----------
    first, second : str
    difference : Estimate
        First − second.
    p_value, p_adjusted : float or None
        Two-sided; for all pairs together (step-down of the largest |t|; Holm below eight units).
    """

    first: str
    second: str
    difference: Estimate
    p_value: float | None
    p_adjusted: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "first": self.first,
            "second": self.second,
            "difference": self.difference.to_dict(),
            "p_value": plain(self.p_value),
            "p_adjusted": plain(self.p_adjusted),
        }


def better_of(comparisons: Iterable[ScoreDifference], level: float) -> Iterator[tuple[str, str]]:
    """Yield the pairs of which the first is shown to score higher."""
    for c in comparisons:
        if c.p_adjusted is not None and c.p_adjusted < 1 - level:
            yield (c.first, c.second) if c.difference.value > 0 else (c.second, c.first)


@dataclass(frozen=True)
class CategoryScores(Result):
    """Models against labels that are categories, beside the best that any can reach.

    Attributes
    ----------
    models : tuple of CategoryScore
    metric : str
        The metric of the verdicts.
    bounds : CategoryBounds
    comparisons : tuple of ScoreDifference
    checks : tuple of Check
    provenance : Provenance
    """

    models: tuple[CategoryScore, ...]
    metric: str
    bounds: CategoryBounds
    comparisons: tuple[ScoreDifference, ...]
    checks: tuple[Check, ...]
    provenance: Provenance

    def __getitem__(self, name: str) -> CategoryScore:
        """Return a model's scores by its name."""
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "metric": self.metric,
            "models": [m.to_dict() for m in self.models],
            "ceilings": [c.to_dict() for c in self.bounds.ceilings],
            "comparisons": [c.to_dict() for c in self.comparisons],
            "ranking": self.ranking.to_dict(),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    @property
    def ranking(self) -> Ranking:
        """The models by the headline metric; those beyond the ceiling have no rank."""
        level = float(self.provenance.options["level"])
        return rank_models(
            {m.name: m.scores[self.metric] for m in self.models},
            better_of(self.comparisons, level),
            what=self._label,
            level=level,
            higher_is_better=True,
            left_out=[m.name for m in self.models if m.verdict == BEYOND],
        )

    @property
    def _label(self) -> str:
        [ceiling] = [c for c in self.bounds.ceilings if c.metric == self.metric]
        return ceiling.label

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model and metric."""
        import pandas as pd

        rows = [
            {"model": m.name, "metric": key, **e.to_dict(), "verdict": m.verdict}
            for m in self.models
            for key, e in m.scores.items()
        ]
        return pd.DataFrame(rows)

    def answer(self) -> str:
        """Return a sentence for each of few models, else how many have which verdict."""
        lines = []
        if len(self.models) > FEW:
            groups: dict[str, list[str]] = {}
            for m in self.models:
                groups.setdefault(m.verdict, []).append(m.name)
            told = [
                f"{len(names)} {verdict} ({shown(names, 4)})" for verdict, names in groups.items()
            ]
            return f"Of {len(self.models)} models: {'; '.join(told)}. {self.ranking.answer()}"
        for m in self.models:
            p = {BELOW: m.p_below, BEYOND: m.p_beyond}.get(m.verdict)
            tail = f" ({p_text(p)}, one-sided)" if p is not None else ""
            lines.append(f"{m.name} is {m.verdict}{tail}: {MEANING[m.verdict]}.")
        return " ".join(lines)

    def quote(self) -> str:
        """Return the models' scores in the headline metric, and the ceiling."""
        [ceiling] = [c for c in self.bounds.ceilings if c.metric == self.metric]
        models = self.models
        if len(models) > FEW:
            models = tuple(sorted(models, key=lambda m: -m.scores[self.metric].value)[:FEW])
        scores = [f"{m.name} {m.scores[self.metric].cell()}" for m in models]
        which = "" if len(models) == len(self.models) else ", the best"
        return (
            f"{ceiling.label} against one annotator{which}: {', '.join(scores)}. "
            f"Ceiling {ceiling.best()} ({ceiling.limits()})."
        )

    def cited(self) -> Cited:
        """Return the sentences for a paper; of many models those of the best."""
        [ceiling] = [c for c in self.bounds.ceilings if c.metric == self.metric]
        models = sorted(self.models, key=lambda m: -m.scores[self.metric].value)[:FEW]
        which = "" if len(models) == len(self.models) else f" of the best of {len(self.models)}"
        ways = methods_of([m.scores[self.metric] for m in models[:1]])
        told = [f"{ci(m.scores[self.metric])} for `{m.name}`" for m in models]
        n = counted(self.provenance.n_items, "item")
        return Cited(
            f"Each model's {ceiling.label} against one annotator on {n} was held against its "
            f"ceiling, derived from the annotators' labels with {TOOL}"
            f"{f'; intervals: {ways}' if ways else ''}.",
            f"Against one annotator, the {ceiling.label}{which} was {' and '.join(told)}; the "
            f"ceiling was {ceiling.best()} ({ceiling.limits()})." + told_failed(self.checks),
        )

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        best = {c.metric: c for c in self.bounds.ceilings}
        keys = [k for k in ("f1", "accuracy", "kappa") if any(k in m.scores for m in self.models)]
        rows = [
            [m.name, *(m.scores[k].cell() if k in m.scores else "–" for k in keys), m.verdict]
            for m in self.models
        ]
        rows.append(
            [
                "best possible",
                *(f"{best[k].best()} ({best[k].limits()})" if k in best else "–" for k in keys),
                "",
            ]
        )
        heads = [best[k].label if k in best else k for k in keys]
        many = len(self.models) > FEW
        scored = Section("Scores against one annotator", ("model", *heads, "verdict"), rows)
        parts = [self.opening(), replace(scored, when="all") if many else scored]
        if many:
            best_of = best[self.metric]
            cells = {m.name: [m.scores[self.metric].cell(), m.verdict] for m in self.models}
            title = f"Ranks by {best_of.label}; best possible {best_of.best()} ({best_of.limits()})"
            parts[1:1] = self.ranking.tables(title, (best_of.label, "verdict"), cells)
        excess = [m for m in self.models if m.excess_brier is not None]
        if excess:
            table = [
                [m.name, *m.excess_brier.row("")[1:3]] for m in excess if m.excess_brier is not None
            ]
            columns = ("model", "mean squared distance from the true probabilities", "interval")
            parts.append(Section("Probabilities", columns, table))
            of_bins = [c.row() for m in excess for c in m.calibration]
            told = ("model", "class", "squared distance", "recalibrating mends", "p, one-sided")
            parts.append(Section("Calibration against the annotators", told, of_bins))
            for c in (c for m in excess for c in m.calibration):
                table_of = c.table()
                title = f"Reliability of {c.model}, {c.of_class}"
                parts.append(replace(table_of, title=title, when="all"))
        if self.comparisons:
            table = [
                [f"{c.first} − {c.second}", c.difference.cell(), format_p(c.p_adjusted)]
                for c in self.comparisons
            ]
            columns = ("models", f"difference of {best[self.metric].label}", "p, all pairs")
            title = "Comparisons on the same items"
            parts.append(Section(title, columns, table, when="all" if many else ""))
        return [*parts, check_section(self.checks, when="all")]
