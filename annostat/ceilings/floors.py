"""Floors and ceilings of a perfect model: each number declared once, in `QUANTITIES`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Self

from annostat.agreement.icc_forms import spearman_brown
from annostat.agreement.label_kinds import LabelKind
from annostat.agreement.profile_result import PrecisionProfile
from annostat.ceilings import words
from annostat.ceilings.mae_result import MaeFloor
from annostat.errors import LARGEST, AnnostatError, check_count, check_number
from annostat.noise.brackets import FACTORS, limits_line
from annostat.resampling.intervals import NORMAL_95
from annostat.results.cite import Cited
from annostat.results.estimates import Estimate, Interval
from annostat.results.quantities import Measured, Quantity
from annostat.results.result import Provenance
from annostat.results.sections import Section
from annostat.results.text import plain

ANTICORRELATED = "the rounds do not correlate, so that they show no truth to predict"
SIGMA, RHO = "interval: noise_sd, bootstrap-t", "interval: reliability"
FEW_SIGMA, FEW_RHO = "interval: noise_sd, log-t", "interval: reliability, F"
QUANTITIES = (
    Quantity(
        "noise_sd",
        "noise of one annotation, σ",
        unit="labels",
        head="σ",
        meaning="SD of the random error of one annotation.",
        calibrated=SIGMA,
        few=FEW_SIGMA,
    ),
    Quantity(
        "sd_difference",
        "difference of two annotations, √2·σ",
        unit="labels",
        meaning="SD of the difference of two annotations of one item.",
        calibrated=SIGMA,
        few=FEW_SIGMA,
    ),
    Quantity(
        "reliability",
        "reliability of one annotation, ρ",
        head="reliability",
        meaning="Share of the truth in the variance of one annotation's labels.",
        calibrated=RHO,
        few=FEW_RHO,
    ),
    Quantity(
        "rmse_floor",
        "floor of the RMSE",
        unit="labels",
        role="floor",
        score="rmse",
        head="RMSE floor",
        said="an RMSE of",
        ranged=True,
        meaning="Root-mean-square error of a perfect model, σ/√m.",
        calibrated=SIGMA,
        few=FEW_SIGMA,
    ),
    Quantity(
        "mae_floor",
        "floor of the MAE",
        unit="labels",
        role="floor",
        score="mae",
        head="MAE floor",
        said="an MAE of",
        meaning="Mean absolute error of a perfect model.",
        calibrated="interval: mae_floor, hull",
    ),
    Quantity(
        "correlation_ceiling",
        "ceiling of the correlation",
        role="ceiling",
        score="correlation",
        head="r ceiling",
        said="a correlation of",
        meaning="Correlation of a perfect model with the labels, √ρ_m.",
        calibrated=RHO,
        few=FEW_RHO,
    ),
    Quantity(
        "r2_ceiling",
        "ceiling of R²",
        role="ceiling",
        score="r2",
        head="R² ceiling",
        meaning="R² of a perfect model, ρ_m.",
        calibrated=RHO,
        few=FEW_RHO,
    ),
    Quantity(
        "ccc",
        "reference, no bound: concordance (CCC)",
        role="reference",
        meaning="Concordance of a perfect model, 2ρ_m/(1 + ρ_m); an inflated one may exceed it.",
        calibrated=RHO,
        few=FEW_RHO,
        value=lambda b: b.ccc_reference,
    ),
    Quantity(
        "limits_of_agreement",
        "reference, no bound: limits of agreement, ±",
        unit="labels",
        role="reference",
        meaning="Half-width of the limits of agreement of a perfect model with Gaussian noise.",
        calibrated=SIGMA,
        few=FEW_SIGMA,
        value=lambda b: b.loa_reference,
    ),
)
BOUNDS = tuple(q for q in QUANTITIES if q.role in ("floor", "ceiling"))


@dataclass(frozen=True)
class Bounds(Measured):
    """Floors and ceilings of a perfect model, f = Y, against the mean of m annotations.

    Attributes
    ----------
    noise_sd : Estimate
        σ: SD of one annotation's noise.
    reliability : Estimate
        ρ = τ²/(τ² + σ²): share of the truth in the variance of one label. Signed.
    pair_mae : Estimate
        E|D|: mean absolute difference of two annotations, a bias between rounds removed; NaN if
        only summaries are known.
    m : int
        Number of annotations that a label is the mean of.
    n_items : int or None
    provenance : Provenance
    mae : MaeFloor or None
        Floors of the MAE against single labels; None if only summaries are known.
    profile : PrecisionProfile or None
        The noise by the value, where one SD for all will not do; floors of the RMSE are then its.
    """

    noise_sd: Estimate
    reliability: Estimate
    pair_mae: Estimate
    m: int
    n_items: int | None
    provenance: Provenance
    mae: MaeFloor | None = None
    profile: PrecisionProfile | None = None

    quantities = QUANTITIES

    @property
    def unit(self) -> str:
        """Unit of the labels."""
        return self.noise_sd.unit

    @property
    def sd_difference(self) -> Estimate:
        """√2·σ: SD of the difference of two annotations."""
        return self.noise_sd.scaled(math.sqrt(2.0))

    @property
    def sd_of_labels(self) -> Estimate:
        """σ/√(1 − ρ): SD of one annotation's labels, as the noise and the reliability imply."""
        share = 1 - self.reliability.value
        if not share > 0:
            return Estimate(math.nan, unit=self.noise_sd.unit, note="not known from these numbers")
        return Estimate(self.noise_sd.value / math.sqrt(share), unit=self.noise_sd.unit)

    @property
    def reliability_of_labels(self) -> Estimate:
        """ρ_m = mρ/(1 + (m−1)ρ): reliability of the mean of m annotations."""
        e, m = self.reliability, self.m
        if m == 1:
            return e
        slope = m / (1 + (m - 1) * e.value) ** 2
        return e.through(lambda x: spearman_brown(x, m), slope)

    @property
    def rmse_floor(self) -> Estimate:
        """σ/√m: least root-mean-square error; where σ goes with the value, its profile's floor.

        That is the root of the mean of σ² over the labels at hand.
        """
        return self.one_sd.scaled(1 / math.sqrt(self.m))

    @property
    def one_sd(self) -> Estimate:
        """The SD that floors are made of: σ, or the root of its mean square over the labels."""
        if self.profile is None:
            return self.noise_sd
        return self.profile.floor.named("averaged over the labels at hand")

    @property
    def mae_floor(self) -> Estimate:
        """E|X̄_m|: least mean absolute error; never above `rmse_floor`.

        For m = 1 `MaeFloor.unbiased`, the hull over laws of the noise. E|D|/2 for m = 2, whatever
        the law, as long as it is symmetric (X₁ + X₂ and X₁ − X₂ then have one law). For other m
        the Gaussian reading E|D|/√(2m), or σ·√(2/(πm)) where E|D| is not known; its interval goes
        on to that of σ·√(2/(πm)), which means of m approach, and begins at √(3/π) of the first,
        as for uniform errors. `mae_bracket` holds without a law.
        """
        if self.m == 1 and self.mae is not None:
            return not_above(self.mae.unbiased, self.rmse_floor)
        if math.isnan(self.pair_mae.value):
            found = self.noise_sd.scaled(math.sqrt(2 / (math.pi * self.m)))
            return found.named("Gaussian reading of σ")
        found = self.pair_mae.scaled(1 / math.sqrt(2 * self.m))
        if self.m == 2:
            return not_above(found.named("any symmetric noise"), self.rmse_floor)
        return not_above(self._mean_of_many(found), self.rmse_floor)

    def _mean_of_many(self, reading: Estimate) -> Estimate:
        """Return the Gaussian reading of E|D| with limits that hold for other laws too."""
        limits, sigma = reading.interval, self.one_sd.interval
        if limits is None:
            return reading.named("Gaussian reading of E|D|")
        refuted = self.mae is not None and any(
            c.name == "noise_law" and c.passed is False for c in self.mae.checks
        )
        top = 0.5 * (self.pair_mae.high or 0.0)  # of any symmetric law
        if sigma is not None and not refuted:
            top = min(top, max(limits.high, sigma.high * math.sqrt(2 / (math.pi * self.m))))
        low = limits.low * math.sqrt(3 / math.pi)
        words = "between the Gaussian readings of E|D| and of σ"
        if sigma is None or refuted:
            words = "from the Gaussian reading to any symmetric law"
        return replace(reading, interval=Interval(low, top, limits.level, words))

    @property
    def mae_bracket(self) -> dict[str, dict[str, float | None]]:
        """Limits of E|X̄_m| that hold for every symmetric law, and narrower ones for m = 1.

        With S_m the sum of m errors, E|S_m| does not fall and E|S_m|/m does not rise with m (they
        are a submartingale and a reverse martingale), and E|S₂| = E|D|: hence [1/m, ½]·E|D| for
        m ≥ 2. For m = 1 see `annostat.noise.bracket`; on whole numbers the log-concave end is that
        of laws on whole numbers. "low" and "high" are at the estimate of E|D|, "low_limit" and
        "high_limit" hold its sampling error; they are None where it has no interval.
        """
        d = self.pair_mae
        if math.isnan(d.value):
            return {}
        if self.m == 1 and self.mae is not None:
            return {name: dict(getattr(self.mae.bracket, name)) for name in FACTORS}
        factors = FACTORS if self.m == 1 else {"symmetric": (1 / self.m, 0.5)}
        return {
            name: {
                "low": low * d.value,
                "high": high * d.value,
                "low_limit": None if d.low is None else low * d.low,
                "high_limit": None if d.high is None else high * d.high,
            }
            for name, (low, high) in factors.items()
        }

    @property
    def correlation_ceiling(self) -> Estimate:
        """√ρ_m: highest correlation with the labels; 0 where ρ is negative."""
        e = self.reliability_of_labels
        root = math.sqrt(max(e.value, 0.0)) if not math.isnan(e.value) else math.nan
        slope = 0.5 / root if root > 0 else math.nan
        return e.through(lambda x: math.sqrt(max(x, 0.0)), slope)

    @property
    def r2_ceiling(self) -> Estimate:
        """ρ_m: highest R²; 0 where ρ is negative."""
        return self.reliability_of_labels.through(lambda x: max(x, 0.0), 1.0)

    @property
    def ccc_reference(self) -> Estimate:
        """2ρ_m/(1 + ρ_m): concordance of a perfect model. A reference, *not* a bound.

        A prediction that is inflated about the mean reaches √ρ_m.
        """
        e = self.reliability_of_labels
        slope = 2 / (1 + e.value) ** 2 if e.value > 0 else math.nan
        return e.through(lambda x: 2 * max(x, 0.0) / (1 + max(x, 0.0)), slope)

    @property
    def loa_reference(self) -> Estimate:
        """1.96·σ/√m: half-width of the limits of agreement of a perfect model with Gaussian noise.

        A reference, *not* a bound: for other laws these limits hold another share than 95%.
        """
        return self.noise_sd.scaled(NORMAL_95 / math.sqrt(self.m))

    def against(self, m: int) -> Self:
        """Return the bounds against the mean of m annotations."""
        return replace(self, m=check_count("m", m, low=1))

    def at(self, *, sd_of_labels: float) -> Self:
        """Return the bounds in a population whose labels have another SD.

        What carries over is σ, not ρ: the reliability there is 1 − σ²/SD².

        Parameters
        ----------
        sd_of_labels : float
            SD of *one* annotation's labels there, in the unit of `noise_sd`; taken as known.

        Returns
        -------
        Bounds
            With the reliability, and all ceilings, of that population; floors stay.

        Raises
        ------
        AnnostatError
            If σ is not known, or not below that SD.

        Examples
        --------
        >>> from annostat.ceilings import bounds_from_summary
        >>> narrow = bounds_from_summary(sd=5.7, convention="between-sessions", correlation=0.801)
        >>> round(narrow.at(sd_of_labels=12.0).correlation_ceiling.value, 3)
        0.942
        """
        total = check_number("sd_of_labels", sd_of_labels, low=0.0, high=LARGEST, open_ends=True)
        sigma = self.one_sd
        if math.isnan(sigma.value):
            raise AnnostatError("sd_of_labels needs the SD of the noise: give sd or rounds")
        if sigma.value >= total:
            raise AnnostatError(
                f"sd_of_labels must be above the SD of the noise, {sigma.short()}: labels vary by "
                f"the noise and the truth, got {total:g}"
            )
        interval = None
        if sigma.interval is not None:
            low, high = (1 - (s / total) ** 2 for s in (sigma.interval.high, sigma.interval.low))
            method = f"{sigma.interval.method}, SD of the labels taken as known"
            interval = Interval(low, high, sigma.interval.level, method)
        error = sigma.standard_uncertainty
        there = Estimate(
            1 - (sigma.value / total) ** 2,
            None if error is None else 2 * sigma.value * error / total**2,
            interval,
            "",
            sigma.note,
        )
        options = {**self.provenance.options, "sd_of_labels": total}
        return replace(
            self, reliability=there, provenance=replace(self.provenance, options=options)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.n_items,
            "m": self.m,
            "unit": self.unit,
            **{name: e.to_dict() for name, e in self.estimates().items()},
            "pair_mae": self.pair_mae.to_dict(),
            "mae_bracket": self.mae_bracket,
            **({} if self.mae is None else {"mae": self.mae.to_dict()}),
            **({} if self.profile is None else {"profile": self.profile.to_dict()}),
            "references": {
                q.key: q.of(self).to_dict() for q in self.quantities if q.role == "reference"
            },
            "sd_of_labels": plain(self.sd_of_labels.value),
            "icc": [],
            "checks": [],
            "provenance": self.provenance.to_dict(),
        }

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        return [self.opening(), self._floors()]

    @property
    def undecided(self) -> bool:
        """Whether heavy tails, which intervals of squares may not hold, are not ruled out."""
        return False

    @property
    def doubt(self) -> str:
        """Why floors and ceilings that rest on squares are no headline; empty if they may be."""
        return ""

    @property
    def headline(self) -> LabelKind | None:
        """The kind of label that the answer is of, where raters are biased; see `by_label`."""
        return None

    def answer(self) -> str:
        """Return what a perfect model has, in a sentence or two."""
        return words.answer(self)

    def quote(self) -> str:
        """Return the floor to quote, with its interval."""
        return words.quote(self)

    def cited(self) -> Cited | None:
        """Return the sentences for a paper."""
        return words.cited(self)

    @property
    def label(self) -> str:
        """What a model is held against, in words."""
        return "one annotation" if self.m == 1 else f"the mean of {self.m} annotations"

    def _floors(self) -> Section:
        lines = [] if self.profile is None else [self.profile.in_words()]
        elsewhere = self.provenance.options.get("sd_of_labels")
        if elsewhere is not None:
            lines.append(f"Reliability and ceilings are for labels with an SD of {elsewhere:g}.")
        if self.headline is not None:
            lines.append(
                "Here biases of raters are taken away; the answer counts them, as do the rows by "
                "label."
            )
        if self.mae is not None and self.mae.note and self.m == 1:
            lines.append(self.mae.note)
        if self.mae_bracket and not (
            self.m == 1 and self.mae is not None and self.mae.law_of_picks
        ):
            lines.append(limits_line(self.mae_bracket))
        title = f"Floors and ceilings of a perfect model against {self.label}"
        return self.table(title, tuple(lines))


def not_above(mae: Estimate, rmse: Estimate) -> Estimate:
    """Return a floor of the MAE that is not above that of the RMSE of the same labels.

    The two are estimated apart. Where tails are light, so that the RMSE has an interval that
    holds, its upper limit is one for the MAE too; where they are heavy it is far above.
    """
    value, limits = min(mae.value, rmse.value), mae.interval
    if limits is not None and rmse.interval is not None:
        high = max(min(limits.high, rmse.interval.high), value)
        limits = replace(limits, low=min(limits.low, value), high=high)
    return replace(mae, value=value, interval=limits)
