"""Raters as a hierarchy, as one result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annostat.agreement.label_kinds import NEW, ONE_OF_THEM, RaterNoise
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Hierarchy(Result):
    """Bias and noise of each rater, and what they say of raters like these.

    Attributes
    ----------
    raters : tuple of RaterNoise
    one_of_them, new_rater : Estimate
        Floor of the RMSE against a label of one of these raters at random, and of a new one of the
        same kind.
    bias_sd : Estimate
        SD of the biases of raters like these.
    law : str
        "gauss" or "difficulty": which likelihood was taken.
    difficulty_sd : float
        SD of the log of the items' difficulty, 0 for "gauss".
    difficulty, tails : Check
        "shared_difficulty" and "heavy_tails"; where the second fails, or heavy tails are not
        refuted, intervals of noise SDs are widened to them.
    n_items : int
    equal : Check
        "equal_noise": whether the raters' noises are equal. Never assumed above.
    """

    raters: tuple[RaterNoise, ...]
    one_of_them: Estimate
    new_rater: Estimate
    bias_sd: Estimate
    law: str
    difficulty_sd: float
    difficulty: Check
    tails: Check
    n_items: int
    equal: Check

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.n_items,
            "law": self.law,
            "difficulty_sd": self.difficulty_sd,
            "raters": [
                {"name": r.name, "bias": r.bias.to_dict(), "noise_sd": r.noise_sd.to_dict()}
                for r in self.raters
            ],
            "one_of_them": self.one_of_them.to_dict(),
            "new_rater": self.new_rater.to_dict(),
            "bias_sd": self.bias_sd.to_dict(),
            "checks": [c.to_dict() for c in (self.equal, self.difficulty, self.tails)],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per rater and quantity."""
        import pandas as pd

        rows = [
            {"rater": r.name, "quantity": name, **getattr(r, name).to_dict()}
            for r in self.raters
            for name in ("bias", "noise_sd")
        ]
        return pd.DataFrame(rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [
            [
                r.name,
                r.bias.short(),
                r.bias.range(),
                r.noise_sd.short(),
                r.noise_sd.range(),
                r.noise_sd.note,
            ]
            for r in self.raters
        ]
        floors = [
            [name, e.short(), e.range(), e.note]
            for name, e in ((ONE_OF_THEM, self.one_of_them), (NEW, self.new_rater))
        ]
        heads = ("rater", "bias about the mean", "interval", "noise σ", "interval", "note")
        lines = [f"SD of the biases of raters like these: {self.bias_sd}."]
        if self.law == "difficulty":
            lines.append(
                f"Items differ in difficulty: SD of its log {format_number(self.difficulty_sd)}."
            )
        return [
            Section("Raters", heads, rows, lines),
            Section("Floor of the RMSE", ("label of", "floor", "interval", "note"), floors),
            check_section([self.equal, self.difficulty, self.tails]),
        ]
