"""Whose label a model meets: the floors and ceilings against each kind, as one result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Result, check_section
from annostat.results.sections import Section

if TYPE_CHECKING:
    import pandas as pd

ONE_OF_THEM, NEW = "one of these raters, at random", "a new rater of the same kind"
NEW_BOUNDED = 5  # raters from which a new one is bounded from above
QUANTITIES = ("rmse_floor", "mae_floor", "r2_ceiling", "correlation_ceiling")
HEADS = ("RMSE floor", "MAE floor", "R² ceiling", "r ceiling")


@dataclass(frozen=True)
class RaterNoise:
    """Bias of a rater about the mean of these raters, and SD of the rater's noise.

    `light` is the interval of that SD for tails no heavier than exponential ones.
    """

    name: str
    bias: Estimate
    noise_sd: Estimate
    light: Interval | None = None


@dataclass(frozen=True)
class LabelKind:
    """Floors and ceilings of the best model against one kind of label.

    Attributes
    ----------
    name : str
        Whose label.
    rmse_floor : Estimate
        Root of the noise variance seen against such a label; the noise SD of a named rater.
    r2_ceiling, correlation_ceiling : Estimate
        In the population of these items; r is the root of R².
    mae_floor : Estimate or None
        Of `annostat.ceilings.mae_floor`, where it was asked.
    """

    name: str
    rmse_floor: Estimate
    r2_ceiling: Estimate
    correlation_ceiling: Estimate
    mae_floor: Estimate | None = None

    def estimates(self) -> dict[str, Estimate]:
        """Return the floors and ceilings that there are, by name."""
        found = {name: getattr(self, name) for name in QUANTITIES}
        return {name: e for name, e in found.items() if e is not None}


@dataclass(frozen=True)
class UnequalRaters(Result):
    """Raters who differ, and the floors and ceilings against each kind of label.

    Attributes
    ----------
    raters : tuple of RaterNoise
        Empty where rounds have no identity.
    kinds : tuple of LabelKind
        Named raters, one of them at random, and a new one from three raters on.
    equal : Check
        "equal_noise": whether the raters' noises are equal. Never assumed above.
    tails : Check
        "heavy_tails": where it fails, or heavy tails are not refuted, all these intervals are
        widened to them.
    n_items : int
        Items with all labels, from which all this comes.
    notes : tuple of str
    """

    raters: tuple[RaterNoise, ...]
    kinds: tuple[LabelKind, ...]
    equal: Check
    tails: Check
    n_items: int
    notes: tuple[str, ...] = ()

    def kind(self, name: str) -> LabelKind:
        """Return the floors against a label of a rater, `ONE_OF_THEM` or `NEW`."""
        for kind in self.kinds:
            if kind.name == name:
                return kind
        names = ", ".join(repr(k.name) for k in self.kinds)
        raise AnnostatError(f"kind must be one of {names}, got {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.n_items,
            "raters": [
                {"name": r.name, "bias": r.bias.to_dict(), "noise_sd": r.noise_sd.to_dict()}
                for r in self.raters
            ],
            "labels": [
                {"name": k.name, **{name: e.to_dict() for name, e in k.estimates().items()}}
                for k in self.kinds
            ],
            "checks": [self.equal.to_dict(), self.tails.to_dict()],
            "notes": list(self.notes),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per kind of label and quantity."""
        import pandas as pd

        rows = [
            {"label": k.name, "quantity": name, **e.to_dict()}
            for k in self.kinds
            for name, e in k.estimates().items()
        ]
        return pd.DataFrame(rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        raters = [
            [r.name, r.bias.short(), r.bias.range(), r.noise_sd.short(), r.noise_sd.range()]
            for r in self.raters
        ]
        shown = [
            (head, name)
            for head, name in zip(HEADS, QUANTITIES, strict=True)
            if any(name in k.estimates() for k in self.kinds)
        ]
        columns = ("label of", *(part for head, _ in shown for part in (head, "interval")))
        kinds = [
            [k.name, *(c for _, n in shown for c in _cells(k.estimates().get(n)))]
            for k in self.kinds
        ]
        notes = [f"{k.name}: {k.rmse_floor.note}" for k in self.kinds if k.rmse_floor.note]
        found = [Section("A perfect model, by the label it meets", columns, kinds, notes)]
        if raters:
            heads = ("rater", "bias about the mean", "interval", "noise σ", "interval")
            found.insert(0, Section("Raters", heads, raters, self.notes))
        return [*found, check_section([self.equal, self.tails])]


def _cells(e: Estimate | None) -> tuple[str, str]:
    return ("–", "–") if e is None else (e.short(), e.range())


def kind_of(name: str, rmse: Estimate, r2: Estimate) -> LabelKind:
    """Return a kind of label; r is the root of R²."""
    root = math.sqrt(max(r2.value, 0.0)) if r2.value == r2.value else math.nan
    limits = r2.interval
    if limits is not None:
        low, high = (math.sqrt(max(v, 0.0)) for v in (limits.low, limits.high))
        limits = Interval(low, high, limits.level, limits.method)
    error = r2.standard_uncertainty
    spread = error / (2 * root) if error is not None and root > 0 else None
    return LabelKind(name, rmse, r2, Estimate(root, spread, limits, note=r2.note))


def unlike(variances: FloatArray) -> float:
    """Return k·Σσ⁴/(Σσ²)²: the raters for each one that the mean of σ² rests on, 1 if all alike."""
    total = float(np.sum(variances))
    return len(variances) * float(np.sum(variances**2)) / total**2 if total > 0 else 1.0


def unbounded_note(k: int) -> str:
    """Return why k raters do not bound a new one from above; empty from five on."""
    if k >= NEW_BOUNDED:
        return ""
    return (
        f"{k} raters do not bound a new one from above; five would to within about 1.8 times the "
        "floor, ten to within 1.3"
    )
