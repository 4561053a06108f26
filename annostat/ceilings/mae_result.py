"""Floors of the mean absolute error of values, as one result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from annostat.agreement.label_kinds import ONE_OF_THEM
from annostat.noise.brackets import Bracket, limits_line
from annostat.noise.hull import FamilyFit
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number

if TYPE_CHECKING:
    import pandas as pd

OF_PICKS = "The floor of the MAE is that of the law of picks, which has its brackets too."


@dataclass(frozen=True)
class MaeFloor(Result):
    """Floors of the mean absolute error of values.

    Attributes
    ----------
    unbiased : Estimate
        Mean over these raters of E|X_j|, bias between rounds removed: the floor beside σ.
    equal_raters : Estimate
        E|X| of one annotation, bias between rounds removed: the floor against any of these raters'
        labels if they are equally noisy. Without an interval where that is refuted.
    one_of_them : Estimate
        Floor against a label of one of these raters at random, their bias in it.
    named : dict of str to Estimate
        Floor against a label of each rater; empty where rounds have no identity.
    bracket : Bracket
        E|D| and what it says without a law, with its sampling error.
    fits : tuple of FamilyFit
        Families in the order of their AIC; empty where none was fitted.
    checks : tuple of Check
        "noise_law" (whether any law fits), "equal_noise".
    note : str
    law_of_picks : bool
        Whether the floor beside σ and the bracket are those of `annostat.noise`, which says them.
    """

    unbiased: Estimate
    equal_raters: Estimate
    one_of_them: Estimate
    named: dict[str, Estimate]
    bracket: Bracket
    fits: tuple[FamilyFit, ...]
    checks: tuple[Check, ...]
    note: str = ""
    law_of_picks: bool = False

    def of_picks(self, envelope: Estimate, bracket: Bracket) -> MaeFloor:
        """Return the floors with that of the law of picks, so that a page says one number."""
        return replace(self, unbiased=envelope, bracket=bracket, note=OF_PICKS, law_of_picks=True)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "unbiased": self.unbiased.to_dict(),
            "equal_raters": self.equal_raters.to_dict(),
            "one_of_them": self.one_of_them.to_dict(),
            "named": {name: e.to_dict() for name, e in self.named.items()},
            "pair_mae": self.bracket.pair_mae.to_dict(),
            "bracket": self.bracket.to_dict(),
            "families": [
                {
                    "family": f.family,
                    "shape": f.shape,
                    "mae": f.mean,
                    "low": f.low,
                    "high": f.high,
                    "aic": f.aic,
                }
                for f in self.fits
            ],
            "checks": [c.to_dict() for c in self.checks],
            "note": self.note,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per kind of label."""
        import pandas as pd

        rows = {
            ONE_OF_THEM: self.one_of_them,
            "bias removed": self.unbiased,
            "equal raters": self.equal_raters,
            **self.named,
        }
        return pd.DataFrame([{"label": name, **e.to_dict()} for name, e in rows.items()])

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [
            ["one of these raters, at random", self.one_of_them],
            ["one of them, bias removed", self.unbiased],
            ["any of them, if equally noisy", self.equal_raters],
            *([f"{name}", e] for name, e in self.named.items()),
        ]
        cells = [
            [
                str(name),
                e.short(),
                e.range(),
                e.note or ("" if e.interval is None else e.interval.method),
            ]
            for name, e in rows
            if isinstance(e, Estimate)
        ]
        lines = [*([self.note] if self.note else []), limits_line(self.bracket.to_dict())]
        columns = ("label of", "floor of the MAE", "interval", "how")
        fits = [
            [
                f.family,
                f.shape,
                format_number(f.mean),
                f"{format_number(f.low)} to {format_number(f.high)}",
                f"{f.aic:.1f}",
            ]
            for f in self.fits
        ]
        found = [Section("Floor of the mean absolute error", columns, cells, lines)]
        if fits:
            heads = ("family", "best shape", "E|X|", "interval", "ΔAIC")
            found.append(Section("Laws of the noise", heads, fits))
        return [*found, check_section(self.checks)]
