"""What scores look like: a model beside its floors, as text, tables and plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.agreement import BlandAltman
from annostat.arrays import FloatArray
from annostat.ceilings.floors import BOUNDS
from annostat.labels.rounds import Rounds
from annostat.results.cite import Cited
from annostat.results.estimates import Estimate
from annostat.results.quantities import Quantity
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number, format_p, plain
from annostat.truth.against_labels import AgainstLabels
from annostat.truth.comparison import Comparison
from annostat.truth.floors import Floors
from annostat.truth.ranking import Ranking, rank_models
from annostat.truth.trained import TrainedOnOne
from annostat.truth.verdicts import AT, BELOW, Verdict
from annostat.truth.words import FEW, answer, cited, judged, quote

if TYPE_CHECKING:
    import pandas as pd

MEAN = "interval: E(f−Y)², 0.1σ²"  # the t interval of a mean over units
QUANTITIES = (
    Quantity(
        "rmse",
        "RMSE",
        unit="labels",
        role="score",
        meaning="Root-mean-square error against one label.",
        calibrated="interval: rmse",
    ),
    Quantity(
        "mae",
        "MAE",
        unit="labels",
        role="score",
        meaning="Mean absolute error against one label.",
        calibrated="interval: mae",
    ),
    Quantity(
        "bias",
        "bias",
        unit="labels",
        meaning="Mean of prediction − label.",
        calibrated=MEAN,
    ),
    Quantity(
        "correlation",
        "correlation",
        role="score",
        meaning="Correlation with one label.",
        calibrated="interval: correlation",
    ),
    Quantity("r2", "R²", role="score", meaning="R² against one label.", calibrated="interval: r2"),
    Quantity(
        "true_rmse",
        "RMSE",
        unit="labels",
        role="truth",
        meaning="Root-mean-square error against the truth, the root of the excess.",
        calibrated=MEAN,
    ),
    Quantity(
        "excess",
        "mean square above the floor",
        unit="square",
        role="truth",
        meaning="Mean square error against the truth, E(f − Y)²; signed.",
        calibrated=MEAN,
    ),
    Quantity(
        "true_correlation",
        "correlation",
        role="truth",
        meaning="Correlation with the truth.",
        calibrated="interval: correlation with truth, 0.1σ²",
    ),
)
KIND = (
    "A perfect model here meets a label of one of these raters, at random: RMSE, MAE and R² count "
    "the bias between them, correlations do not."
)
AGAINST_LABELS = tuple(q for q in QUANTITIES if q.role == "score")
AGAINST_TRUTH = tuple(q for q in QUANTITIES if q.role == "truth")


@dataclass(frozen=True, slots=True)
class Leakage:
    """How much of one round's noise is in a model.

    Attributes
    ----------
    round : str
    share : Estimate
        a in f = Y + u + a·X_round.
    p_value : float or None
        Two-sided, of a = 0; adjusted by Holm where the round was not named but found.
    trained : bool
        True if the caller said that the model was trained on the round: estimates are corrected.
    """

    round: str
    share: Estimate
    p_value: float | None
    trained: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "round": self.round,
            "share": self.share.to_dict(),
            "p_value": plain(self.p_value),
            "trained": self.trained,
        }


@dataclass(frozen=True)
class ModelScore:
    """One model against the labels and against the truth.

    Attributes
    ----------
    name : str
    n_items : int
        Items with a prediction and two or more labels.
    rmse, mae, bias, correlation, r2 : Estimate
        Against one label, all labels of an item counting alike.
    true_rmse : Estimate
        The root of `excess`.
    excess : Estimate
        E(f − Y)², the mean square error above the floor; signed, in squared units.
    true_correlation : Estimate
        Correlation with the truth, extended triple collocation.
    verdict : Verdict
    leakage : Leakage or None
        None where rounds have no identity.
    trained : TrainedOnOne or None
        What two rounds say of a model that was trained on one of them; its excess, share and
        verdict are those of the score.
    agreement : BlandAltman or None
        Model − label of every label, those of one item (or cluster) belonging together; None for
        fewer than three items. Worked out when it is first asked for.
    against : AgainstLabels
        What it is worked out from.
    """

    name: str
    n_items: int
    rmse: Estimate
    mae: Estimate
    bias: Estimate
    correlation: Estimate
    r2: Estimate
    true_rmse: Estimate
    excess: Estimate
    true_correlation: Estimate
    verdict: Verdict
    leakage: Leakage | None
    against: AgainstLabels = field(repr=False, compare=False)
    trained: TrainedOnOne | None = None

    def __repr__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        truth = judged(self, self.unit)
        return (
            f"ModelScore: {self.name} is {truth}; RMSE {self.rmse.cell()}{unit} against one label, "
            f"{self.true_rmse.cell()}{unit} against the truth"
        )

    @property
    def agreement(self) -> BlandAltman | None:
        """Bland and Altman's analysis of the model against every label."""
        return self.against.agreement

    @property
    def unit(self) -> str:
        """Unit of the labels."""
        return self.rmse.unit

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        limits = (
            None
            if self.agreement is None
            else {
                k: e.to_dict()
                for k in ("bias", "lower", "upper")
                if (e := getattr(self.agreement, k))
            }
        )
        return {
            "name": self.name,
            "n_items": self.n_items,
            **{q.key: q.of(self).to_dict() for q in QUANTITIES},
            "verdict": self.verdict.name,
            "evidence": self.verdict.to_dict(),
            "leakage": None if self.leakage is None else self.leakage.to_dict(),
            "bland_altman": limits,
            **({} if self.trained is None else {"trained_on_one": self.trained.to_dict()}),
        }


@dataclass(frozen=True)
class Scores(Result):
    """Models beside their floors.

    Attributes
    ----------
    models : tuple of ModelScore
    perfect : Floors
        What a perfect model has against one label, and whose label that is.
    comparisons : tuple of Comparison
        Each two models; `ranking` says where each stands among all.
    checks : tuple of Check
    provenance : Provenance
    rounds : Rounds
        The labels that were used.
    predictions : mapping of str to float64 array of shape (n_items,)
        In the order of `rounds`; NaN where a model gives none.
    """

    models: tuple[ModelScore, ...]
    perfect: Floors
    comparisons: tuple[Comparison, ...]
    checks: tuple[Check, ...]
    provenance: Provenance
    rounds: Rounds
    predictions: Mapping[str, FloatArray]

    @property
    def floors(self) -> Mapping[str, Estimate]:
        """Its "rmse_floor", "mae_floor", "correlation_ceiling" and "r2_ceiling"."""
        return self.perfect.bounds

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.provenance.n_items,
            "unit": self.rounds.unit,
            "notes": list(self.rounds.notes),
            "models": [m.to_dict() for m in self.models],
            "floors": {name: e.to_dict() for name, e in self.floors.items()},
            "label_of": self.perfect.kind,
            "comparisons": [c.to_dict() for c in self.comparisons],
            "ranking": self.ranking.to_dict(),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    @property
    def ranking(self) -> Ranking:
        """The models by their error against the truth; those below the floor have no rank."""
        better = [
            (c.first, c.second) if c.nearer == c.first else (c.second, c.first)
            for c in self.comparisons
            if c.nearer
        ]
        return rank_models(
            {m.name: m.excess for m in self.models},
            better,
            what="mean square error against the truth",
            level=self.models[0].verdict.level,
            left_out=[m.name for m in self.models if m.verdict.name == BELOW],
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model and quantity."""
        import pandas as pd

        rows = [
            {"model": m.name, "quantity": q.key, **q.of(m).to_dict()}
            for m in self.models
            for q in QUANTITIES
        ]
        return pd.DataFrame(rows)

    def items(self) -> pd.DataFrame:
        """Return the items of every model, the largest error first.

        Returns
        -------
        DataFrame
            model, item, cluster (if there is one), prediction, label_mean, n_labels, error
            (prediction − label_mean) and in_noise_sds: the error over the noise SD of the mean
            of that many labels, which a perfect model would scatter by.
        """
        import pandas as pd

        z = self.rounds.values
        k = np.isfinite(z).sum(axis=1)
        mean = np.nansum(z, axis=1) / k
        noise = self.perfect.noise_sd.value / np.sqrt(k)
        names = self.rounds.items
        if names is None:
            names = np.array([f"row {i + 1}" for i in range(len(z))], dtype=object)
        parts = []
        for model, f in self.predictions.items():
            part = pd.DataFrame({"model": model, "item": names})
            if self.rounds.cluster is not None:
                part["cluster"] = self.rounds.cluster
            part["prediction"], part["label_mean"], part["n_labels"] = f, mean, k
            part["error"] = f - mean
            with np.errstate(divide="ignore", invalid="ignore"):
                part["in_noise_sds"] = np.where(noise > 0, (f - mean) / noise, np.nan)
            part = part[np.isfinite(f)]
            parts.append(part.sort_values("error", key=np.abs, ascending=False, kind="stable"))
        return pd.concat(parts, ignore_index=True)

    def floor_of(self, score: str) -> Estimate:
        """Return the floor or ceiling of a score: what a perfect model has."""
        [bound] = [q for q in BOUNDS if q.score == score]
        return self.floors[bound.key]

    def _notes(self, quantities: Sequence[Quantity]) -> list[str]:
        """Return what a reader must know of the models' numbers."""
        named: dict[tuple[str, str], list[str]] = {}
        for m in self.models:
            for q in quantities:
                if note := q.of(m).note:
                    named.setdefault((q.key.replace("_", " "), note), []).append(m.name)
        return [
            f"{what}: {note}"
            if len(names) == len(self.models) > 1
            else f"{', '.join(names)}, {what}: {note}"
            for (what, note), names in named.items()
        ]

    def answer(self) -> str:
        """Return the verdicts: a sentence for each of few models, else how many have which."""
        return answer(self)

    def quote(self) -> str:
        """Return the errors against the truth, and the floor."""
        return quote(self)

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        return cited(self)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        unit = self.rounds.unit
        against = Section(
            "Against one label",
            ("model", *(_head(q, unit) for q in AGAINST_LABELS)),
            [
                *([m.name, *(q.of(m).cell() for q in AGAINST_LABELS)] for m in self.models),
                ["a perfect model", *(self.floor_of(q.key).cell() for q in AGAINST_LABELS)],
            ],
            [
                *([KIND] if self.perfect.kind else []),
                *(f"{name}: {e.note}" for name, e in self.floors.items() if e.note),
                *self._notes(AGAINST_LABELS),
            ],
        )
        truth = Section(
            "Against the truth",
            ("model", *(_head(q, unit) for q in AGAINST_TRUTH), "p: t", "ranks", "signs"),
            [
                [
                    m.name,
                    *(q.of(m).cell() for q in AGAINST_TRUTH),
                    format_p(m.verdict.p_above),
                    format_p(m.verdict.p_signed_rank),
                    format_p(m.verdict.p_sign),
                ]
                for m in self.models
            ],
            [
                "The truth is what labels of these annotators average to; errors that all of them "
                "share cannot be seen.",
                *(f"{m.name} is {m.verdict.sentence(unit)}." for m in self.models),
                *self._notes([q for q in AGAINST_TRUTH if q.unit != "square"]),
            ],
        )
        opening = self.opening(*self.rounds.notes)
        sections = [opening, against, truth]
        many = len(self.models) > FEW
        if many:
            cells = {m.name: [m.rmse.short(), m.true_rmse.cell(), short(m)] for m in self.models}
            heads = ("RMSE, one label", "RMSE, truth", "verdict")
            ranks = self.ranking.tables(
                f"Ranks, nearest to the truth first{of(unit)}", heads, cells
            )
            folded = [replace(part, when="all") for part in (against, truth)]
            sections = [opening, *ranks, *folded]
        if self.comparisons:
            rows = [
                [
                    f"{c.first} − {c.second}",
                    c.difference.cell(),
                    format_p(c.p_value),
                    format_p(c.p_adjusted),
                    c.nearer or "not shown",
                ]
                for c in self.comparisons
            ]
            sections.append(
                Section(
                    "Which is nearer to the truth",
                    ("models", "difference of mean squares", "p", "p adjusted", "nearer"),
                    rows,
                    when="all" if many else "",
                )
            )
        told = [m for m in self.models if m.leakage is not None and m.leakage.trained]
        if told:
            rows = [
                [m.name, lk.round, lk.share.cell(), format_p(lk.p_value)]
                for m in told
                if (lk := m.leakage)
            ]
            note = "Scores against the truth are corrected for it; those against labels are not."
            notes = [note, *(f"{m.name}: {m.trained.sentence()}" for m in told if m.trained)]
            sections.append(
                Section("Noise that was learned", ("model", "of round", "share", "p"), rows, notes)
            )
        return [*sections, check_section(self.checks, when="all")]


def short(model: ModelScore) -> str:
    """Return a verdict in a cell."""
    within = model.verdict.margin
    return (
        f"at the floor within {format_number(within)}"
        if model.verdict.name == AT
        else (model.verdict.name)
    )


def of(unit: str) -> str:
    """Return the unit in brackets behind a blank."""
    return f" ({unit})" if unit else ""


def _head(q: Quantity, unit: str) -> str:
    """Return the head of a column, with its unit."""
    return f"{q.label} ({unit})" if unit and q.unit == "labels" else q.label
