"""What scores look like: a model beside its floors, as text, tables and plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.agreement import BlandAltman
from annostat.arrays import FloatArray
from annostat.labels.rounds import Rounds
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_p, plain
from annostat.truth.comparison import Comparison
from annostat.truth.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd

FLOORS = ("rmse_floor", "mae_floor", "correlation_ceiling", "r2_ceiling")


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
    excess : Estimate
        E(f − Y)², the mean square error above the floor; signed, in squared units.
    true_rmse : Estimate
        Its root.
    true_correlation : Estimate
        Correlation with the truth, extended triple collocation.
    verdict : Verdict
    leakage : Leakage or None
        None where rounds have no identity.
    agreement : BlandAltman or None
        Model − label of every label, those of one item (or cluster) belonging together; None for
        fewer than three items.
    """

    name: str
    n_items: int
    rmse: Estimate
    mae: Estimate
    bias: Estimate
    correlation: Estimate
    r2: Estimate
    excess: Estimate
    true_rmse: Estimate
    true_correlation: Estimate
    verdict: Verdict
    leakage: Leakage | None
    agreement: BlandAltman | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        limits = None if self.agreement is None else {
            k: e.to_dict() for k in ("bias", "lower", "upper") if (e := getattr(self.agreement, k))
        }  # fmt: skip
        quantities = ("rmse", "mae", "bias", "correlation", "r2", "excess", "true_rmse",
                      "true_correlation")  # fmt: skip
        return {
            "name": self.name,
            "n_items": self.n_items,
            **{key: getattr(self, key).to_dict() for key in quantities},
            "verdict": self.verdict.name,
            "evidence": self.verdict.to_dict(),
            "leakage": None if self.leakage is None else self.leakage.to_dict(),
            "bland_altman": limits,
        }


@dataclass(frozen=True)
class Scores(Result):
    """Models beside their floors.

    Attributes
    ----------
    models : tuple of ModelScore
    floors : mapping of str to Estimate
        "rmse_floor", "mae_floor", "correlation_ceiling" and "r2_ceiling" against one label.
    comparisons : tuple of Comparison
    checks : tuple of Check
    provenance : Provenance
    rounds : Rounds
        The labels that were used.
    predictions : mapping of str to float64 array of shape (n_items,)
        In the order of `rounds`; NaN where a model gives none.
    """

    models: tuple[ModelScore, ...]
    floors: Mapping[str, Estimate]
    comparisons: tuple[Comparison, ...]
    checks: tuple[Check, ...]
    provenance: Provenance
    rounds: Rounds
    predictions: Mapping[str, FloatArray]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.provenance.n_items,
            "unit": self.rounds.unit,
            "notes": list(self.rounds.notes),
            "models": [m.to_dict() for m in self.models],
            "floors": {name: e.to_dict() for name, e in self.floors.items()},
            "comparisons": [c.to_dict() for c in self.comparisons],
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model and quantity."""
        import pandas as pd

        rows = [
            {"model": m.name, "quantity": key, **value}
            for m in self.models
            for key, value in m.to_dict().items()
            if isinstance(value, dict) and "standard_uncertainty" in value
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
        noise = self.floors["rmse_floor"].value / np.sqrt(k)
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

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        unit = self.rounds.unit
        lines = [*self.rounds.notes,
                 *(f"{m.name} is {m.verdict.sentence(unit)}." for m in self.models)]  # fmt: skip
        of = f" ({unit})" if unit else ""
        keys = ("rmse", "mae", "correlation", "r2")
        rows = [[m.name, *(_cell(getattr(m, key)) for key in keys)] for m in self.models]
        rows.append(["a perfect model", *(_cell(self.floors[key]) for key in FLOORS)])
        against = Section(
            "Against one label", ("model", f"RMSE{of}", f"MAE{of}", "correlation", "R²"), rows,
            [f"{name}: {e.note}" for name, e in self.floors.items() if e.note]
            + [f"{m.name}, {key}: {getattr(m, key).note}"
               for m in self.models for key in keys if getattr(m, key).note],
        )  # fmt: skip
        truth = Section(
            "Against the truth",
            ("model", f"RMSE{of}", "mean square above the floor", "correlation", "p: t",
             "ranks", "signs"),
            [
                [m.name, _cell(m.true_rmse), _cell(m.excess), _cell(m.true_correlation),
                 *(format_p(p) for p in (m.verdict.p_above, m.verdict.p_signed_rank,
                                         m.verdict.p_sign))]
                for m in self.models
            ],
            ["The truth is what labels of these annotators average to; errors that all of them "
             "share cannot be seen.",
             *(f"{m.name}, {key.replace('_', ' ')}: {getattr(m, key).note}"
               for m in self.models for key in ("true_rmse", "true_correlation")
               if getattr(m, key).note)],
        )  # fmt: skip
        sections = [Section(lines=lines), against, truth]
        if self.comparisons:
            rows = [
                [f"{c.first} − {c.second}", _cell(c.difference), format_p(c.p_value),
                 format_p(c.p_adjusted), c.nearer or "not shown"]
                for c in self.comparisons
            ]  # fmt: skip
            sections.append(
                Section(
                    "Which is nearer to the truth",
                    ("models", "difference of mean squares", "p", "p adjusted", "nearer"),
                    rows,
                )
            )
        told = [m for m in self.models if m.leakage is not None and m.leakage.trained]
        if told:
            rows = [[m.name, lk.round, _cell(lk.share), format_p(lk.p_value)]
                    for m in told if (lk := m.leakage)]  # fmt: skip
            note = "Scores against the truth are corrected for it; those against labels are not."
            sections.append(
                Section("Noise that was learned", ("model", "of round", "share", "p"), rows, [note])
            )
        return [*sections, check_section(self.checks)]


def _cell(estimate: Estimate) -> str:
    if estimate.interval is None:
        return estimate.short()
    return f"{estimate.short()} ({estimate.range()})"
