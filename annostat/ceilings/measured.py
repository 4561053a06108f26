"""Floors and ceilings from rounds, with everything that the rounds say of agreement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annostat.agreement.icc_forms import NAMES, IccForm, notes_of
from annostat.agreement.label_kinds import ONE_OF_THEM, LabelKind, UnequalRaters
from annostat.agreement.limits import BlandAltman
from annostat.agreement.mean_limits import MeanLimits
from annostat.ceilings.floors import Bounds
from annostat.noise.tails import HELD
from annostat.results.result import Check, check_section
from annostat.results.sections import Section

BIASED = ("bias", "rater_bias")


@dataclass(frozen=True)
class MeasuredBounds(Bounds):
    """Floors and ceilings that rounds of annotation imply; see `Bounds` for the numbers.

    Attributes
    ----------
    icc : tuple of IccForm
        All forms of the intraclass correlation, empty where values were collapsed into counts.
    limits : BlandAltman or None
        Bias and limits of agreement of two rounds that have an identity.
    deviations : MeanLimits or None
        Limits of agreement with the mean, of other rounds.
    by_label : UnequalRaters or None
        Each rater's bias and noise, and the floors against a label of each, of one of them at
        random and of a new one, of three rounds or more by `annostat.agreement.hierarchy`; None
        where rounds have no identity, a few items carry the variance, two rounds have few items in
        common, or more of them are not linked.
    checks : tuple of Check
    """

    icc: tuple[IccForm, ...] = ()
    limits: BlandAltman | None = None
    deviations: MeanLimits | None = None
    by_label: UnequalRaters | None = None
    checks: tuple[Check, ...] = ()

    @property
    def doubt(self) -> str:
        """What heavy tails leave of intervals of squares; empty where they are light."""
        if not any(c.name == "heavy_tails" and c.passed is False for c in self.checks):
            return ""
        if self.rmse_floor.interval is None:
            return "a few differences carry most of it, so that no interval holds"
        if HELD in self.rmse_floor.interval.method:
            return "tails are so heavy that squares hardly have a variance"
        return "tails are so heavy that its interval may be too short"

    @property
    def undecided(self) -> bool:
        """Whether heavy tails, which intervals of squares may not hold, are not ruled out."""
        i = self.rmse_floor.interval
        if i is not None and HELD in i.method:
            return False
        return any(c.name == "heavy_tails" and c.passed is None for c in self.checks)

    @property
    def _labels(self) -> UnequalRaters | None:
        """What `by_label` says where it applies: single labels, of the population at hand."""
        elsewhere = self.m != 1 or "sd_of_labels" in self.provenance.options
        return None if elsewhere else self.by_label

    @property
    def headline(self) -> LabelKind | None:
        """One of these raters at random, where they are biased: that floor counts the bias."""
        biased = any(c.name in BIASED and c.passed is False for c in self.checks)
        return self._labels.kind(ONE_OF_THEM) if biased and self._labels is not None else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        found = super().to_dict()
        found["icc"] = [form.to_dict() for form in self.icc]
        found["checks"] = [c.to_dict() for c in self.checks]
        if self.limits is not None:
            found["bland_altman"] = {
                k: v for k, v in self.limits.to_dict().items() if k not in ("checks", "provenance")
            }
        if self.deviations is not None:
            found["limits_with_mean"] = {
                k: v for k, v in self.deviations.to_dict().items() if k != "provenance"
            }
        if self._labels is not None:
            found["by_label"] = self._labels.to_dict()
        return found

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        found = super().sections()
        if self.profile is not None:
            found.append(self.profile.sections()[0])
        if self._labels is not None:
            found += self._labels.sections()[:-1]
        if self.icc:
            rows = [[*NAMES[f.name], f.estimate.short(), f.estimate.range()] for f in self.icc]
            columns = ("McGraw–Wong", "Shrout–Fleiss", "in words", "value", "interval")
            found.append(Section("Intraclass correlation", columns, rows, notes_of(self.icc)))
        if self.limits is not None:
            found.append(self.limits.sections()[0])
        if self.deviations is not None:
            found += self.deviations.sections()
        return [*found, check_section(self.checks, when="all")]
