"""The precision profile as a result: forms, floor, and the noise SD at values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from annostat.results.estimates import Estimate
from annostat.results.result import Check, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number, plain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ProfilePoint:
    """The noise SD at one value."""

    value: float
    noise_sd: Estimate


@dataclass(frozen=True)
class PrecisionProfile(Result):
    """The noise SD as a function of the value.

    Attributes
    ----------
    forms : tuple of str
        Forms that are kept, the best first; every interval is the hull of theirs.
    criteria : mapping of str to float
        Quasi-AIC of each form, less that of the best.
    floor : Estimate
        Floor of the RMSE for the labels at hand, items of equal weight.
    constant : Check
        "constant_noise".
    tails : Check
        "heavy_tails" of the differences on the profile's scale: where it fails, the intervals may
        be too short; where it is undecided, limits are widened to heavy tails.
    points : tuple of ProfilePoint
        At quantiles of the values; empty where `note` says why. Limits hold errors skewed to
        either side; a value at which those would move σ² by half has none, and a note.
    exponent : Estimate
        p of the power form, σ ∝ y^p; 1 is noise in proportion to the value.
    relative : Estimate or None
        Noise as a share of the value, where the exponent's interval holds 1.
    effective_items : float
        (Σw)²/Σw² of the standardised squares: how many items carry the profile.
    unit : str
    note : str
    fits : object
        The fitted forms, for `floor_for`.
    """

    forms: tuple[str, ...]
    criteria: Mapping[str, float]
    floor: Estimate
    constant: Check
    tails: Check
    points: tuple[ProfilePoint, ...]
    exponent: Estimate
    relative: Estimate | None
    effective_items: float
    unit: str
    note: str = ""
    fits: Any = field(default=None, repr=False, compare=False)

    def in_words(self) -> str:
        """Return how the noise goes with the value, in a sentence."""
        if self.relative is not None:
            share, low, high = (
                format_number(100 * (x or 0.0), digits=3)
                for x in (self.relative.value, self.relative.low, self.relative.high)
            )
            if "proportional" in self.forms:
                return f"The noise goes with the value: {share}% of it ({low} to {high}%)."
            about = format_number(100 * self.relative.value, digits=2)
            return f"The noise goes with the value: about {about}% of it."
        if not self.points:
            return "The noise goes with the value: one SD stands for none."
        unit = f" {self.unit}" if self.unit else ""
        ends = [
            f"{p.noise_sd.short()}{unit} at {format_number(p.value, digits=3)}{unit}"
            for p in self._ends()
        ]
        return f"The noise goes with the value: an SD of {' and of '.join(ends)}."

    def _ends(self) -> tuple[ProfilePoint, ProfilePoint]:
        """Return the first and the last point with an interval, of all if none has one."""
        told = [p for p in self.points if p.noise_sd.interval is not None] or list(self.points)
        return told[0], told[-1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "forms": list(self.forms),
            "criteria": plain(dict(self.criteria)),
            "rmse_floor": self.floor.to_dict(),
            "checks": [self.constant.to_dict(), self.tails.to_dict()],
            "profile": [{"at": p.value, **p.noise_sd.to_dict()} for p in self.points],
            "exponent": self.exponent.to_dict(),
            "relative_noise": None if self.relative is None else self.relative.to_dict(),
            "effective_items": self.effective_items,
            "note": self.note,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per value of the profile."""
        import pandas as pd

        return pd.DataFrame([{"at": p.value, **p.noise_sd.to_dict()} for p in self.points])

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        lines = [f"Laws of the noise that are kept, the best first: {', '.join(self.forms)}."]
        lines.append(self.in_words())
        lines.append(f"Floor of the RMSE for these labels: {self.floor}.")
        if self.note:
            lines.append(f"No profile is drawn: {self.note}." if not self.points else self.note)
        if self.points:
            bare = [format_number(p.value) for p in self.points if p.noise_sd.interval is None]
            if bare:
                note = next(p.noise_sd.note for p in self.points if p.noise_sd.interval is None)
                lines.append(f"At {', '.join(bare)}: {note}.")
        rows = [
            [format_number(p.value), p.noise_sd.short(), p.noise_sd.range()] for p in self.points
        ]
        unit = f" ({self.unit})" if self.unit else ""
        columns = (f"value{unit}", f"noise σ{unit}", "interval") if rows else ()
        return [
            Section("Noise by value", columns, rows, lines),
            check_section([self.constant, self.tails]),
        ]
