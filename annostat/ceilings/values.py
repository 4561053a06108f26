"""The bounds of a perfect model, from the noise of one annotation and its reliability."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat._version import __version__
from annostat.agreement import (
    BlandAltman,
    bland_altman,
    icc,
    repeatability,
    spearman_brown,
)
from annostat.agreement.conventions import CONVENTIONS
from annostat.agreement.icc_forms import NAMES, IccForm, notes_of
from annostat.agreement.noise_sd import ALL_EQUAL, NOTHING
from annostat.agreement.variances import NONE_COVERS, Variances, share_interval
from annostat.errors import AnnostatError, check_count, check_level, check_number
from annostat.labels.pairs import pair_mae
from annostat.labels.rounds import Rounds
from annostat.noise.brackets import FACTORS
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.intervals import NORMAL_95
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number, plain

if TYPE_CHECKING:
    import pandas as pd

    from annostat.ceilings.published import Published

ANTICORRELATED = "the rounds do not correlate, so that they show no truth to predict"


@dataclass(frozen=True)
class Bounds(Result):
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
    icc : tuple of IccForm
        All forms of the intraclass correlation, empty if only summaries are known.
    limits : BlandAltman or None
        Bias and limits of agreement of two rounds that have an identity.
    readings : mapping of str to Bounds
        One result for each convention if the convention is open; then no number is given above.
    published : Published or None
        A reported score, judged under each reading.
    checks : tuple of Check
    provenance : Provenance
    """

    noise_sd: Estimate
    reliability: Estimate
    pair_mae: Estimate
    m: int
    n_items: int | None
    icc: tuple[IccForm, ...]
    limits: BlandAltman | None
    readings: dict[str, Bounds]
    published: Published | None
    checks: tuple[Check, ...]
    provenance: Provenance

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
        """σ/√m: least root-mean-square error."""
        return self.noise_sd.scaled(1 / math.sqrt(self.m))

    @property
    def mae_floor(self) -> Estimate:
        """E|X̄_m|: least mean absolute error.

        E|D|/2 for m = 2, whatever the law, as long as it is symmetric (X₁ + X₂ and X₁ − X₂ then
        have one law). For other m the Gaussian reading E|D|/√(2m), or σ·√(2/(πm)) where E|D| is
        not known; `mae_bracket` holds without a law.
        """
        if math.isnan(self.pair_mae.value):
            found = self.noise_sd.scaled(math.sqrt(2 / (math.pi * self.m)))
            return found.named("Gaussian reading of σ")
        found = self.pair_mae.scaled(1 / math.sqrt(2 * self.m))
        return found.named("any symmetric noise" if self.m == 2 else "Gaussian reading of E|D|")

    @property
    def mae_bracket(self) -> dict[str, tuple[float, float]]:
        """Limits of E|X̄_m| that hold for every symmetric law, and narrower ones for m = 1.

        With S_m the sum of m errors, E|S_m| does not fall and E|S_m|/m does not rise with m (they
        are a submartingale and a reverse martingale), and E|S₂| = E|D|: hence [1/m, ½]·E|D| for
        m ≥ 2. For m = 1 see `annostat.noise.bracket`.
        """
        d = self.pair_mae.value
        if math.isnan(d):
            return {}
        factors = FACTORS if self.m == 1 else {"symmetric": (1 / self.m, 0.5)}
        return {name: (low * d, high * d) for name, (low, high) in factors.items()}

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
        return self.rmse_floor.scaled(NORMAL_95)

    def against(self, m: int) -> Bounds:
        """Return the bounds against the mean of m annotations."""
        count = check_count("m", m, low=1)
        readings = {name: part.against(count) for name, part in self.readings.items()}
        return replace(self, m=count, readings=readings)

    def at(self, *, sd_of_labels: float) -> Bounds:
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
        total = check_number("sd_of_labels", sd_of_labels, low=0.0, open_ends=True)
        if self.readings:
            # A reading in which the noise alone exceeds the labels is no reading there.
            parts = {k: b.at(sd_of_labels=total) for k, b in self.readings.items()
                     if b.noise_sd.value < total}  # fmt: skip
            return replace(self, readings=parts)
        sigma = self.noise_sd
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
        return replace(self, reliability=there,
                       provenance=replace(self.provenance, options=options))  # fmt: skip

    def estimates(self) -> dict[str, Estimate]:
        """Return the promised estimates by name."""
        names = ("noise_sd", "sd_difference", "reliability", "rmse_floor", "mae_floor",
                 "correlation_ceiling", "r2_ceiling")  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        found: dict[str, Any] = {
            "n_items": self.n_items,
            "m": self.m,
            **{name: e.to_dict() for name, e in self.estimates().items()},
            "pair_mae": self.pair_mae.to_dict(),
            "mae_bracket": {
                name: {"low": low, "high": high} for name, (low, high) in self.mae_bracket.items()
            },
            "references": {
                "ccc": self.ccc_reference.to_dict(),
                "limits_of_agreement": self.loa_reference.to_dict(),
            },
            "sd_of_labels": plain(self.sd_of_labels.value),
            "icc": [form.to_dict() for form in self.icc],
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }
        if self.limits is not None:
            found["bland_altman"] = {
                k: v for k, v in self.limits.to_dict().items() if k not in ("checks", "provenance")
            }
        if self.readings:
            found["readings"] = [
                {
                    "convention": name,
                    "meaning": CONVENTIONS[name],
                    **{key: e.to_dict() for key, e in part.estimates().items()},
                    "sd_of_labels": plain(part.sd_of_labels.value),
                }
                for name, part in self.readings.items()
            ]
        if self.published is not None:
            found["published"] = self.published.to_dict()
        return found

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate; with an open convention, one per reading and estimate."""
        import pandas as pd

        parts = self.readings or {"": self}
        rows = [
            {"convention": convention, "quantity": name, **e.to_dict()}
            for convention, part in parts.items()
            for name, e in part.estimates().items()
        ]
        frame = pd.DataFrame(rows)
        return frame if self.readings else frame.drop(columns="convention")

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        if self.readings:
            found = [self._readings_section()]
        else:
            found = [Section(lines=self._answer()), self._table()]
        if self.icc:
            found.append(_icc_section(self.icc))
        if self.limits is not None:
            found.append(self.limits.sections()[0])
        if self.published is not None:
            found += self.published.sections()
        if self.checks:
            found.append(check_section(self.checks))
        return found

    def _answer(self) -> list[str]:
        label = "one annotation" if self.m == 1 else f"the mean of {self.m} annotations"
        lines = []
        if not math.isnan(self.noise_sd.value):
            lines.append(
                f"One annotation scatters about the truth with an SD of {_brief(self.noise_sd)}."
            )
            lines.append(f"Against {label}, a perfect model has an RMSE of "
                         f"{_brief(self.rmse_floor)}.")  # fmt: skip
        if not math.isnan(self.reliability.value):
            lines.append(f"Its correlation with {label} is {_brief(self.correlation_ceiling)}.")
        lines.append("On average over test sets, no model can look better than that.")
        return lines

    def _table(self) -> Section:
        label = "one annotation" if self.m == 1 else f"the mean of {self.m} annotations"
        rows = [
            _row("noise of one annotation, σ", self.noise_sd),
            _row("difference of two annotations, √2·σ", self.sd_difference),
            _row("reliability of one annotation, ρ", self.reliability),
            _row("floor of the RMSE", self.rmse_floor),
            _row("floor of the MAE", self.mae_floor),
            _row("ceiling of the correlation", self.correlation_ceiling),
            _row("ceiling of R²", self.r2_ceiling),
            _row("reference, no bound: concordance (CCC)", self.ccc_reference),
            _row("reference, no bound: limits of agreement, ±", self.loa_reference),
        ]
        lines = []
        elsewhere = self.provenance.options.get("sd_of_labels")
        if elsewhere is not None:
            lines.append(f"Reliability and ceilings are for labels with an SD of {elsewhere:g}.")
        words = {"symmetric": "symmetric", "unimodal": "symmetric and unimodal",
                 "log_concave": "log-concave"}  # fmt: skip
        if self.mae_bracket and self.m != 2:
            brackets = ", ".join(
                f"{format_number(low, self.pair_mae.standard_uncertainty)} to "
                f"{format_number(high, self.pair_mae.standard_uncertainty)} if {words[name]}"
                for name, (low, high) in self.mae_bracket.items()
            )
            lines.append(f"Floor of the MAE whatever the law of the noise: {brackets}.")
        title = f"Floors and ceilings of a perfect model against {label}"
        return Section(title, ("what", "estimate", "interval", "method"), rows, lines)

    def _readings_section(self) -> Section:
        rows = [
            [name, part.noise_sd.short(), part.rmse_floor.short(), part.rmse_floor.range(),
             part.mae_floor.short(), part.reliability.short(), part.correlation_ceiling.short(),
             part.r2_ceiling.short(), part.sd_of_labels.short()]
            for name, part in self.readings.items()
        ]  # fmt: skip
        lines = [f"{name}: {CONVENTIONS[name]}" for name in self.readings]
        lines.append("Name the convention once you know it; nothing here tells which was meant.")
        columns = ("if the number is", "σ", "RMSE floor", "interval", "MAE floor", "reliability",
                   "r ceiling", "R² ceiling", "implied SD of labels")  # fmt: skip
        title = "The convention is open: every reading of the published numbers"
        return Section(title, columns, rows, lines)


def bounds(
    rounds: Rounds,
    *,
    m: int = 1,
    interval: str = "bootstrap-t",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> Bounds:
    r"""Return the floors and ceilings that rounds of annotation imply.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN for missing; items with fewer than two labels are
        left out. A bias between rounds is removed unless they are exchangeable.
    m : int
        Number of annotations that a label of the test set is the mean of.
    interval : {"bootstrap-t", "bonett", "chi-square", "t", "percentile", "bca"}
        Interval of σ, as in `annostat.agreement.repeatability`. With "chi-square", which presumes
        Gaussian noise, those of the ICC and of the limits of agreement are the classical ones too
        (F, noncentral t); else they are bootstrap-t. That of E|D| is log-t.
    level : float
        Confidence level.
    n_resamples, rng, n_jobs
        For the bootstraps; whole clusters are drawn.

    Returns
    -------
    Bounds
        RMSE ≥ σ/√m, MAE ≥ E|X̄_m|, r ≤ √ρ_m and R² ≤ ρ_m for every model that has not seen the
        noise of these labels. ρ comes from the analysis of variance: ICC(C,1), or ICC(1) if the
        rounds are exchangeable. Its interval is bootstrap-t on the scale of −log(1 − ρ). Where a
        few differences carry most of the variance there is no interval for σ and ρ, since none
        covers; the MAE has one.

    Raises
    ------
    AnnostatError
        If no item has two labels, or too few are there.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> found = bounds(simulate_values(400, noise_sd=4.0, truth_sd=8.0, rng=1))
    >>> 4.0 in found.rmse_floor.interval
    True

    The true ceiling of R² is 0.8; this is one of the samples in twenty whose interval misses it:

    >>> print(found.r2_ceiling)
    0.751, 95% interval 0.704 to 0.794
    >>> 4.0 / 2**0.5 in found.against(2).rmse_floor.interval
    True
    """
    count = check_count("m", m, low=1)
    level = check_level(level)
    used = rounds.usable()
    noise = repeatability(used, interval=interval, level=level, n_resamples=n_resamples, rng=rng,
                          n_jobs=n_jobs)  # fmt: skip
    v = Variances.of(used)
    collapsed = used.weights is not None and used.items is None
    resampled: dict[str, Any] = {
        "level": level, "n_resamples": n_resamples, "rng": rng, "n_jobs": n_jobs,
    }  # fmt: skip
    gaussian = interval == "chi-square"
    table: tuple[IccForm, ...] = ()
    if not collapsed and len(used.values) >= 2:
        table = icc(used, interval="f" if gaussian else "bootstrap-t", **resampled).forms
    limits = None
    if used.n_rounds == 2 and not used.exchangeable and len(used.differences()) >= 3:
        limits = bland_altman(
            used, interval="noncentral-t" if gaussian else "bootstrap-t", **resampled
        )
    if collapsed:
        reliability = Estimate(math.nan, note="the values were collapsed into differences")
    else:
        reliability = reliability_estimate(v, level, n_resamples, rng, n_jobs)
    return Bounds(
        noise.noise_sd,
        reliability,
        unbiased_pair_mae(used, v, level),
        count,
        used.n_items,
        table,
        limits,
        {},
        None,
        (*noise.checks, *(() if limits is None else limits.checks), *_whole_numbers(used)),
        Provenance(
            __version__, used.digest(), used.n_items, seed_of(rng),
            {"m": count, "interval": interval, "level": level, "n_resamples": n_resamples},
        ),
    )  # fmt: skip


def reliability_estimate(
    v: Variances, level: float, n_resamples: int, rng: Rng, n_jobs: int | None = 1
) -> Estimate:
    """Return ρ with its interval, or with the reason why there is none."""
    totals = v.sums.totals
    within, between = float(v.within(totals)), float(v.between(totals))
    if within <= NOTHING and between <= NOTHING:
        return Estimate(math.nan, note="all labels are equal: there is nothing to tell apart")
    if within <= NOTHING:
        return Estimate(1.0, note=ALL_EQUAL)
    value, error = v.sums.value(v.reliability), v.sums.standard_error(v.reliability)
    if not error > 1e-9:  # two items, or a round that is constant
        value = value if abs(value) > 1e-12 else 0.0
        why = "no interval: two items only, or a round that is constant or mirrors another"
        return Estimate(value, note=f"{ANTICORRELATED}; {why}" if value < 0 else why)
    note = ANTICORRELATED if value <= 0 else ""
    if v.dominated:
        return Estimate(value, note=f"{note}; {NONE_COVERS}" if note else NONE_COVERS)

    found = share_interval(
        v.sums, v.reliability, level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs
    )  # fmt: skip
    return Estimate(value, error, found, "", note)


def unbiased_pair_mae(rounds: Rounds, v: Variances, level: float) -> Estimate:
    """Return E|D| after removing the bias between rounds, and paying for its estimate.

    Differences about an estimated bias are too small by √(1 − e/(N − n)), for N labels of n items
    and e effects of rounds (exactly so for Gaussian noise and complete tables).
    """
    if float(v.within(v.sums.totals)) <= NOTHING:
        return Estimate(0.0, unit=rounds.unit, note=ALL_EQUAL)
    if not v.n_effects:
        return pair_mae(rounds, level=level)
    centred = replace(rounds, values=rounds.values - v.effects * v.scale)
    shrink = math.sqrt(v.degrees / (v.n_labels - v.n_items))
    return pair_mae(centred, level=level).scaled(1 / shrink)


def _whole_numbers(rounds: Rounds) -> tuple[Check, ...]:
    """Return a word on labels that may be picks, whose law can be fitted."""
    seen = rounds.values[np.isfinite(rounds.values)]
    if (seen != np.round(seen)).any():
        return ()
    message = (
        "All labels are whole numbers: if they are picks of a frame or slice, fit the law of the "
        "noise (annostat fit-afd), which gives a sharper floor of the MAE."
    )
    return (Check("whole_numbers", None, message),)


def _brief(e: Estimate) -> str:
    return str(e if e.interval is None else replace(e, note="")).removesuffix(f" ({e.note})")


def _row(what: str, e: Estimate) -> list[str]:
    method = e.note if e.interval is None else e.interval.method
    if e.interval is not None and e.note:
        method += f" ({e.note})"
    unit = f" {e.unit}" if e.unit and not math.isnan(e.value) else ""
    return [what, e.short() + unit, e.range(), method]


def _icc_section(forms: tuple[IccForm, ...]) -> Section:
    rows = [[*NAMES[f.name], f.estimate.short(), f.estimate.range()] for f in forms]
    columns = ("McGraw–Wong", "Shrout–Fleiss", "in words", "value", "interval")
    return Section("Intraclass correlation", columns, rows, notes_of(forms))
