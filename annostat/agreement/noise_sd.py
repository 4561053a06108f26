"""Repeatability: how far annotations of the same item scatter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from annostat._version import __version__
from annostat.agreement.conventions import CONVENTIONS, INTERVALS, factor
from annostat.agreement.small import chosen, for_tails, noise_interval
from annostat.agreement.variances import NONE_COVERS, Variances
from annostat.errors import AnnostatError, check_choice, check_level
from annostat.labels.checks import check_rounds
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.intervals import NORMAL_95, exp, t_reach
from annostat.resampling.steps import log
from annostat.resampling.sums import Smooth
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number

if TYPE_CHECKING:
    import pandas as pd

NOTHING = 1e-30  # a variance below this share of the largest square is rounding
ALL_EQUAL = "no interval: all annotations of an item are equal"


@dataclass(frozen=True)
class Repeatability(Result):
    """How far annotations of the same item scatter.

    Attributes
    ----------
    noise_sd : Estimate
        σ: SD of one annotation's noise.
    sd_difference : Estimate
        √2·σ: SD of the difference of two annotations.
    limit : Estimate
        1.96·√2·σ: for Gaussian noise, 95% of differences are below (ISO 5725, BSI).
    kurtosis : float
        Kurtosis of the differences, 3 if they are Gaussian.
    effects : mapping of str to float
        Bias of each round about the mean of all, empty where rounds have no identity.
    checks : tuple of Check
    provenance : Provenance
    """

    noise_sd: Estimate
    sd_difference: Estimate
    limit: Estimate
    kurtosis: float
    effects: Mapping[str, float]
    n_items: int
    n_labels: int
    checks: tuple[Check, ...]
    provenance: Provenance

    def convention(self, name: str, *, n_rounds: int = 2) -> Estimate:
        """Return the SD as a convention prints it (`CONVENTIONS`)."""
        return self.noise_sd.scaled(factor(name, n_rounds))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.n_items,
            "n_labels": self.n_labels,
            "noise_sd": self.noise_sd.to_dict(),
            "sd_difference": self.sd_difference.to_dict(),
            "repeatability_limit": self.limit.to_dict(),
            "kurtosis": self.kurtosis if math.isfinite(self.kurtosis) else None,
            "effects": dict(self.effects),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per convention."""
        import pandas as pd

        rows = [
            {"convention": name, "meaning": meaning, **self.convention(name).to_dict()}
            for name, meaning in CONVENTIONS.items()
        ]
        return pd.DataFrame(rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [
            ["noise of one annotation σ", *_cells(self.noise_sd)],
            ["difference of two √2·σ", *_cells(self.sd_difference)],
            ["repeatability limit 1.96·√2·σ", *_cells(self.limit)],
        ]
        lines = [f"{name}: {format_number(v)} about the mean" for name, v in self.effects.items()]
        return [
            Section("Repeatability", ("what", "estimate", "interval"), rows),
            Section("Bias of the rounds", lines=lines) if lines else Section(),
            check_section(self.checks),
        ]


@takes_rounds
def repeatability(
    rounds: Rounds,
    *,
    interval: str = "auto",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> Repeatability:
    r"""Return the SD of one annotation's noise from two or more rounds.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN for missing; items with fewer than two labels
        are left out and noted. A bias between rounds is removed, unless their order means nothing
        (`Rounds.exchangeable`).
    interval : {"auto", "log-t", "bootstrap-t", "bonett", "chi-square", "t", "percentile", "bca"}
        Interval of log σ². Bootstrap-t and Bonett (2006) cover whatever the kurtosis, as long as
        the sample shows it; log-t with a shrunken kurtosis (`noise_interval`) does not wait for
        that; chi-square is exact for Gaussian noise and far off otherwise. "auto" is log-t below
        30 independent items (or clusters), where the upper limit of a bootstrap-t may be 10 to 45
        times the estimate, and bootstrap-t from there on, which reaches to heavy-tailed laws where
        the differences speak for them, and else says that it does not (`for_tails`).
    level : float
        Confidence level.
    n_resamples, rng, n_jobs
        For the bootstraps; whole clusters are drawn.

    Returns
    -------
    Repeatability
        With s² = Σ (z_ij − z̄_i − b_j)² / (N − n − (k − 1)), the ANOVA estimator with round
        effects b_j. All annotations equal: σ = 0 without an interval. Where a few differences
        carry most of the variance (kurtosis above 9, and the variance carried by fewer than an
        effective 100 items) no interval is given by the default or Bonett's, since none covers.

    Raises
    ------
    AnnostatError
        If no item has two labels, or nothing is left after removing the bias of the rounds.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> rounds = simulate_values(300, noise_sd=4.0, truth_sd=11.0, rng=1)
    >>> 4.0 in repeatability(rounds).noise_sd.interval
    True
    """
    check_choice("interval", interval, INTERVALS)
    level = check_level(level)
    used = rounds.usable()
    v = Variances.of(used)
    check_degrees(v)
    sd = noise_estimate(
        v,
        unit=used.unit,
        interval=interval,
        level=level,
        n_resamples=n_resamples,
        rng=rng,
        n_jobs=n_jobs,
    )
    interval = chosen(interval, v, "log-t")
    names = [] if used.exchangeable else used.names
    return Repeatability(
        sd,
        sd.scaled(math.sqrt(2.0)),
        sd.scaled(NORMAL_95 * math.sqrt(2.0)),
        v.kurtosis,
        dict(zip(names, (v.effects * v.scale).tolist(), strict=False)),
        v.n_items,
        v.n_labels,
        check_rounds(used, level=level, rng=0),
        Provenance(
            __version__,
            used.digest(),
            used.n_items,
            seed_of(rng),
            {"interval": interval, "level": level, "n_resamples": n_resamples},
        ),
    )


def check_degrees(v: Variances) -> None:
    """Refuse labels whose biases of rounds leave nothing to tell the noise from."""
    if v.degrees < 1:
        raise AnnostatError(
            "too few items: two rounds of one item cannot tell noise from a bias between rounds"
        )


def noise_estimate(
    v: Variances,
    *,
    unit: str = "",
    interval: str = "auto",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> Estimate:
    """Return σ with its interval, or with the reason why there is none."""
    variance = float(v.within(v.sums.totals))
    if variance <= NOTHING:
        return Estimate(0.0, None, None, unit, ALL_EQUAL)
    sigma = v.scale * math.sqrt(variance)

    within = Smooth(v.within, v.within_slopes)
    log_sd = within.through(lambda x: 0.5 * log(x), lambda x: 0.5 / x)
    error = v.sums.standard_error(log_sd)
    auto = interval == "auto"
    interval = chosen(interval, v, "log-t")
    if v.dominated and interval not in ("chi-square", "percentile", "bca", "t"):
        return Estimate(sigma, None, None, unit, f"{NONE_COVERS}; use the mae")
    if interval == "chi-square":
        tails = special.chdtri(v.degrees, [(1 - level) / 2, (1 + level) / 2])
        low, high = (float(x) for x in np.sqrt(v.degrees / np.asarray(tails)))
        found: Interval | None = Interval(sigma * low, sigma * high, level, "chi-square")
    elif interval == "log-t":
        found = noise_interval(v, level=level)
    elif interval == "bonett":
        found = bonett(v, sigma, level)
    else:
        found = v.sums.interval(
            log_sd,
            method=interval,
            level=level,
            n_resamples=n_resamples,
            rng=rng,
            n_jobs=n_jobs,
            scale="log σ",
        )
        found = found and found.through(lambda x: v.scale * exp(x))
    why = (
        "all differences have the same size" if v.sums.n_units > 1 else "there is one cluster only"
    )
    note = "" if found is not None else f"no interval: {why}"
    e = Estimate(sigma, sigma * error if math.isfinite(error) else None, found, unit, note)
    return for_tails(e, v, level=level) if auto else e


def bonett(v: Variances, sigma: float, level: float) -> Interval:
    """Return Bonett's interval (2006, Comput Stat Data Anal 50:775-782) for two full rounds."""
    full = v.centred.shape[1] == 2 and np.isfinite(v.centred).all() and not v.sums.clustered
    if not full or v.n_items < 5:
        raise AnnostatError(
            "interval='bonett' needs two rounds of five or more independent items without missing "
            "cells; 'bootstrap-t' takes any"
        )
    d = v.centred[:, 1] - v.centred[:, 0]
    n = d.size
    cut = 1 / (2 * math.sqrt(n - 4))
    trimmed = np.sort(d)[math.floor(n * cut) : n - math.floor(n * cut)]
    kurtosis = (
        n * float(np.sum((d - trimmed.mean()) ** 4)) / float(np.sum((d - d.mean()) ** 2)) ** 2
    )
    z = t_reach(math.inf, level)
    c = n / (n - z)
    error = c * math.sqrt((kurtosis - (n - 3) / n) / (n - 1))
    low, high = (sigma * math.sqrt(c * math.exp(side * z * error)) for side in (-1, 1))
    return Interval(low, high, level, "Bonett")


def _cells(estimate: Estimate) -> list[str]:
    unit = f" {estimate.unit}" if estimate.unit else ""
    return [estimate.short() + unit, estimate.range() if estimate.interval else estimate.note]
