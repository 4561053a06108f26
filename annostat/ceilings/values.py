"""The bounds of a perfect model, from the noise of one annotation and its reliability."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from annostat._version import __version__
from annostat.agreement import (
    bland_altman,
    icc,
    repeatability,
)
from annostat.agreement.by_label import RatersByHierarchy, floors_by_label
from annostat.agreement.icc_forms import NO_ERROR, IccForm, why_flat
from annostat.agreement.label_kinds import ONE_OF_THEM, UnequalRaters
from annostat.agreement.mean_limits import limits_with_mean
from annostat.agreement.noise_sd import ALL_EQUAL, NOTHING, check_degrees, noise_estimate
from annostat.agreement.profile_result import PrecisionProfile
from annostat.agreement.rater_bias import MORE, READ, bias_of_raters
from annostat.agreement.small import (
    check_few,
    check_reliability,
    chosen,
    f_interval,
    for_tails,
    reliability_interval,
)
from annostat.agreement.variances import NONE_COVERS, Variances, share_interval
from annostat.arrays import all_whole
from annostat.ceilings.by_value import (
    check_tails,
    one_for_all,
    profile_where_needed,
    reliability_by_profile,
    without_interval,
)
from annostat.ceilings.floors import ANTICORRELATED, Bounds, not_above
from annostat.ceilings.mae_hull import mae_floor
from annostat.ceilings.mae_result import MaeFloor
from annostat.ceilings.measured import MeasuredBounds
from annostat.errors import check_count, check_level
from annostat.labels.kinds import GRADES, MOST_GRADES
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.once import one_answer
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.parallel import Progress
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance


@takes_rounds
@one_answer()
def bounds(
    rounds: Rounds,
    *,
    m: int = 1,
    interval: str = "auto",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> MeasuredBounds:
    r"""Return the floors and ceilings that rounds of annotation imply.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN for missing; items with fewer than two labels are
        left out. A bias between rounds is removed unless they are exchangeable.
    m : int
        Number of annotations that a label of the test set is the mean of.
    interval : {"auto", "log-t", "bootstrap-t", "bonett", "chi-square", "t", "percentile", "bca"}
        Interval of σ, as in `annostat.agreement.repeatability`. With "chi-square", which presumes
        Gaussian noise, those of ρ, of the ICC and of the limits of agreement are the classical
        ones too (F, noncentral t). Else ρ and the ICC are as `annostat.agreement.icc` has them by
        default, or bootstrap-t if that is asked for. That of E|D| is log-t.
    level : float
        Confidence level.
    n_resamples, rng, n_jobs
        For the bootstraps; whole clusters are drawn.
    progress : callable, optional
        Called as ``progress(done, total)`` after each of the bootstraps.

    Returns
    -------
    MeasuredBounds
        RMSE ≥ σ/√m, MAE ≥ E|X̄_m|, r ≤ √ρ_m and R² ≤ ρ_m for every model that has not seen the
        noise of these labels. The MAE is that of `mae_floor`, the bias between rounds removed. ρ
        comes from the analysis of variance: ICC(C,1), or ICC(1) if the rounds are exchangeable. Its
        interval is bootstrap-t on the scale of −log(1 − ρ), and F with degrees of freedom for the
        kurtosis below 30 independent items. Where a
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
    tell: Progress = progress or (lambda done, total: None)
    noise = repeatability(
        used, interval=interval, level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs
    )
    tell(1, 4)
    v = Variances.of(used)
    method = chosen(interval, v, "log-t")
    collapsed = used.weights is not None and used.items is None
    resampled: dict[str, Any] = {
        "level": level,
        "n_resamples": n_resamples,
        "rng": rng,
        "n_jobs": n_jobs,
    }
    gaussian = interval == "chi-square"
    share = "f" if gaussian else "bootstrap-t" if interval == "bootstrap-t" else "auto"
    table: tuple[IccForm, ...] = ()
    if not collapsed and len(used.values) >= 2:
        table = icc(used, interval=share, **resampled).forms
    tell(2, 4)
    limits = deviations = None
    if used.n_rounds == 2 and not used.exchangeable and len(used.differences()) >= 3:
        limits = bland_altman(
            used,
            interval="noncentral-t" if gaussian else "bootstrap-t",
            sd=noise.sd_difference if interval == "auto" else None,
            **resampled,
        )
    elif not collapsed:
        deviations = limits_with_mean(used, interval=interval, **resampled)
    tell(3, 4)
    if collapsed:
        reliability = Estimate(math.nan, note="the values were collapsed into differences")
    else:
        reliability = reliability_estimate(v, interval=share, **resampled)
    tell(4, 4)
    profile = None
    if interval == "auto":
        profile = profile_where_needed(used, v, noise.checks, level=level)
    by_label = None
    if not collapsed and (profile is not None or not v.dominated):
        by_label = floors_by_label(used, level=level)
    read = READ if count == 1 else f"for single labels (m = 1) {READ}"
    many = bias_of_many(used, MORE if by_label is None else read, level=level)
    checks = seen_as_one(noise.checks, many)
    sigma = noise.noise_sd
    if profile is not None:
        reliability = reliability_by_profile(v, profile, reliability, level=level)
        sigma = one_for_all(sigma, profile)
        table = tuple(replace(f, estimate=without_interval(f.estimate)) for f in table)
    mae = mae_floor(used, raters=by_label, level=level)
    return MeasuredBounds(
        noise_sd=sigma,
        reliability=reliability,
        pair_mae=mae.bracket.pair_mae,
        m=count,
        n_items=used.n_items,
        mae=mae,
        profile=profile,
        icc=table,
        limits=limits,
        deviations=deviations,
        by_label=None if by_label is None else with_mae(by_label, mae),
        checks=one_of_noise(
            [
                *checks,
                *(() if limits is None else limits.checks),
                *many,
                *_of_labels(by_label),
                *_of_noise(v, profile, by_label, mae),
                *_of_few(v, method == "log-t" and noise.noise_sd.interval is not None, reliability),
                *_whole_numbers(used),
            ]
        ),
        provenance=Provenance(
            __version__,
            used.digest(),
            used.n_items,
            seed_of(rng),
            {
                "m": count,
                "interval": method,
                "level": level,
                "n_resamples": n_resamples,
                "n_rounds": used.n_rounds,
            },
        ),
    )


@one_answer()
def bare_bounds(
    rounds: Rounds,
    checks: Iterable[Check],
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> tuple[Bounds, UnequalRaters | None, tuple[Check, ...]]:
    """Return the floors of `bounds` against one label, those by label, and what speaks against all.

    For those who have the checks of the rounds (`annostat.labels.check_rounds`) already, and need
    no tables of agreement; parameters as for `bounds`.
    """
    used = rounds.usable()
    v = Variances.of(used)
    check_degrees(v)
    options: dict[str, Any] = {
        "level": level,
        "n_resamples": n_resamples,
        "rng": rng,
        "n_jobs": n_jobs,
    }
    profile = profile_where_needed(used, v, checks, level=level)
    by_label = None
    if profile is not None or not v.dominated:
        by_label = floors_by_label(used, level=level)
    mae = mae_floor(used, raters=by_label, level=level)
    reliability = reliability_estimate(v, **options)
    sigma = noise_estimate(v, unit=used.unit, **options)
    if profile is not None:
        reliability = reliability_by_profile(v, profile, reliability, level=level)
        sigma = one_for_all(sigma, profile)
    found = Bounds(
        sigma,
        reliability,
        mae.bracket.pair_mae,
        1,
        used.n_items,
        Provenance(
            __version__,
            used.digest(),
            used.n_items,
            seed_of(rng),
            {"level": level, "n_resamples": n_resamples},
        ),
        mae,
        profile,
    )
    told = None if by_label is None else with_mae(by_label, mae)
    return found, told, tuple(_of_noise(v, profile, by_label, mae))


def with_mae(raters: UnequalRaters, mae: MaeFloor) -> UnequalRaters:
    """Return the floors by label with those of the MAE, none of them above that of the RMSE."""
    known = {ONE_OF_THEM: mae.one_of_them, **mae.named}
    kinds = [
        replace(k, mae_floor=not_above(known[k.name], k.rmse_floor)) if k.name in known else k
        for k in raters.kinds
    ]
    return replace(raters, kinds=tuple(kinds))


def reliability_estimate(
    v: Variances,
    *,
    interval: str = "auto",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> Estimate:
    """Return ρ with its interval, as `icc` has it, or with the reason why there is none."""
    totals = v.sums.totals
    within, between = float(v.within(totals)), float(v.between(totals))
    if within <= NOTHING and between <= NOTHING:
        return Estimate(math.nan, note="all labels are equal: there is nothing to tell apart")
    if within <= NOTHING:
        return Estimate(1.0, note=ALL_EQUAL)
    value, error = v.sums.value(v.reliability), v.sums.standard_error(v.reliability)
    method = chosen(interval, v, "f-kurtosis")
    if method != "f" and not error > NO_ERROR:  # two items, or a round that is constant
        value = value if abs(value) > 1e-12 else 0.0
        flat = why_flat(v)
        return Estimate(value, note=f"{ANTICORRELATED}; {flat}" if value < 0 else flat)
    note = ANTICORRELATED if value <= 0 else ""
    if v.dominated and method != "f":
        return Estimate(value, note=f"{note}; {NONE_COVERS}" if note else NONE_COVERS)
    if method == "f":
        found = f_interval(v, v.n_items - 1, v.degrees, level, "F")
    elif method == "f-kurtosis":
        found = reliability_interval(v, level=level)
    else:
        found = share_interval(
            v.sums, v.reliability, level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs
        )
    e = Estimate(value, error, found, "", note)
    return for_tails(e, v, level=level, share=True) if interval == "auto" else e


def _of_labels(by_label: UnequalRaters | None) -> list[Check]:
    """Return what speaks against raters that are alike, where something does."""
    if by_label is None:
        return []
    seen = [by_label.equal]
    if isinstance(by_label, RatersByHierarchy) and by_label.hierarchy is not None:
        seen.append(by_label.hierarchy.difficulty)
    return [check for check in seen if check.passed is False]


def _of_noise(
    v: Variances, profile: PrecisionProfile | None, by_label: UnequalRaters | None, mae: MaeFloor
) -> list[Check]:
    """Return what speaks against one law of the noise, one SD, and intervals of squares."""
    found = [] if profile is None or profile.constant.passed else [profile.constant]
    tails = mae.checks if by_label is None else (by_label.tails,)
    found += check_tails(v, profile, tails)
    return found + [c for c in mae.checks if c.name == "noise_law" and c.passed is False]


def bias_of_many(rounds: Rounds, remedy: str, *, level: float) -> list[Check]:
    """Return whether three or more raters are biased, over all items: no pair needs to share many.

    `remedy` is what a failed check ends with. The test of two rounds is among `check_rounds`.
    """
    if rounds.n_rounds < 3 or rounds.exchangeable or rounds.cluster is not None:
        return []
    found = bias_of_raters(rounds, level=level)
    return [replace(found, message=found.message.replace(READ, remedy))]


def seen_as_one(checks: Iterable[Check], many: Iterable[Check]) -> list[Check]:
    """Return checks without that of pairs of rounds, if all items together show a bias.

    The test of pairs then says the same of fewer items, or that it sees none.
    """
    biased = any(check.passed is False and check.name == "rater_bias" for check in many)
    return [c for c in checks if not (biased and c.name == "bias")]


def one_of_noise(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return checks without that of ranks, if raters fail to be equally noisy by their variances.

    Both would say one thing.
    """
    found = tuple(checks)
    seen = any(c.name == "equal_noise" and c.passed is False for c in found)
    return tuple(c for c in found if not (seen and c.name == "equal_raters"))


def _of_few(v: Variances, shrunken: bool, reliability: Estimate) -> list[Check]:
    """Return what few items, or rounds that do not correlate, leave in doubt.

    `shrunken`: whether the interval of σ rests on a shrunken kurtosis.
    """
    found = [check_few(v)] if shrunken else []
    if not math.isnan(reliability.value):
        found.append(check_reliability(reliability))
    return [check for check in found if not check.passed]


def _whole_numbers(rounds: Rounds) -> tuple[Check, ...]:
    """Return a word on labels that may be picks, whose law can be fitted."""
    if not all_whole(rounds.values):
        return ()
    seen = rounds.values[np.isfinite(rounds.values)]
    message = (
        "All labels are whole numbers: if they are picks of a frame or slice, fit the law of the "
        "noise (annostat fit-afd), which gives a sharper floor of the MAE"
    )
    message += f"; {GRADES}." if np.unique(seen).size <= MOST_GRADES else "."
    return (Check("whole_numbers", None, message),)
