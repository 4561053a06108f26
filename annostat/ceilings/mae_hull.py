r"""The floor of the mean absolute error of values: against which label, and within which limits.

E|D| of two labels bounds E|X| of one between half and all of it; where it lies is a matter of the
law. `hull` fits laws of many families; this module says what follows for the labels that a model
meets, with the bias between raters and their unequal noise, and what is left where no law fits:

    equal raters, bias removed   E|X|                      hull of the families that are not refuted
    raters as they are, the same mean_j E|X_j|             the same; if unequal [½, ¾]·E|D|
    one of two raters at random  E max(|X|, |D̄|/2)         the same, over the likelihood set
    a named rater                σ_j·[0.7071, 0.8660]      Laplace to uniform, for two rounds
                                 σ_j·(hull of E|X|/σ)      for three and more
    no law fits                  [½, 1]·E|D|               any symmetric law (light tails)
                                 [½, ¾]·E|D|               any unimodal law (heavy tails)
    raters not equally noisy     [½, ¾]·E|D|               unimodal laws, whatever their scales
    two who may not be so        lower end times (√(1+δ) + √(1−δ))/2, the most unequal they may be
    whole numbers close by       [lattice_floor, ¾]·E|D|   log-concave laws on whole numbers

Every limit takes in the sampling error of E|D|, a log-t interval over units. Below 30 units the
hull takes in [⅔, ¾]·E|D| too, since so few differences tell laws apart by chance. A law with two
humps is seen by the test of fit only (44% at n = 50, always from 200 on); before it is seen the
interval may be too low.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from annostat.agreement.by_label import MANY
from annostat.agreement.label_kinds import ONE_OF_THEM, UnequalRaters
from annostat.agreement.noise_sd import ALL_EQUAL, check_degrees
from annostat.agreement.rater_noise import FEWEST
from annostat.agreement.small import FEW
from annostat.agreement.unequal import unequal_raters
from annostat.agreement.variances import Variances
from annostat.arrays import FloatArray
from annostat.ceilings.differences import Differences, unbiased_pair_mae
from annostat.ceilings.mae_result import MaeFloor
from annostat.errors import check_level
from annostat.labels.pairs import pair_mae
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.noise.brackets import Bracket, bracket, lattice_floor
from annostat.noise.hull import REFUTED, FamilyFit, Hull, hull
from annostat.noise.tails import heavy_tails
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.text import p_text

LAPLACE, UNIFORM = math.sqrt(1 / 2), math.sqrt(3) / 2  # E|X|/σ
GAUSS = math.sqrt(2 / math.pi)
SKEWED = 1 - math.log(2)  # from the mean to the median of exponential errors, in their SDs
NARROW_STEPS = 4.0  # E|D| in steps of a lattice: below, laws on the real line do not hold
FINE_STEPS = 50.0  # below, a test of fit sees the lattice


@takes_rounds
def mae_floor(
    rounds: Rounds, *, raters: UnequalRaters | None = None, level: float = 0.95
) -> MaeFloor:
    r"""Return the floors of the mean absolute error that rounds of values imply.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN for missing; items with fewer than two labels are
        left out. Pairs of an item count alike; clusters are units.
    raters : UnequalRaters, optional
        Noise and bias of each rater, from `unequal_raters` with a model, say; by default they come
        from the rounds. Their test decides whether raters may be taken as equally noisy.
    level : float
        Confidence level.

    Returns
    -------
    MaeFloor
        Floors in `rounds.unit`. All labels of each item equal: floors of 0 without an interval.

    Raises
    ------
    AnnostatError
        If no item has two labels.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.random.default_rng(1)
    >>> labels = g.normal(50, 10, (400, 1)) + g.laplace(0, 2, (400, 2))
    >>> found = mae_floor(Rounds.from_array(labels))
    >>> 2.0 in found.equal_raters.interval, found.fits[0].family
    (True, 'exponential power')
    """
    level = check_level(level)
    used = rounds.usable()
    if used.weights is not None:
        used = replace(
            used.take(np.repeat(np.arange(len(used.values)), used.weights)), weights=None
        )
    used = used.by_value()
    v = Variances.of(used)
    check_degrees(v)
    pair = unbiased_pair_mae(used, v, level=level)
    step = step_of(used.values)
    narrow = 0 < step and pair.value < NARROW_STEPS * step
    if narrow and not used.exchangeable:
        # A fraction of a step taken off whole numbers would make differences of those that agree.
        steps = np.round((v.effects - v.effects.min()) * v.scale / step, 9)  # half steps stay such
        whole = np.round(steps) * step
        pair = pair_mae(replace(used, values=used.values - whole), level=level)
    around = _bracket(pair, step)
    if pair.value == 0:
        nothing = Estimate(0.0, unit=used.unit, note=ALL_EQUAL)
        return MaeFloor(nothing, nothing, nothing, {}, around, (), ())
    if raters is None and not used.exchangeable and used.n_rounds <= MANY:
        full = int(np.isfinite(used.values).all(axis=1).sum())
        raters = unequal_raters(used, level=level) if full >= FEWEST else None
    seen = Differences.of(used, v, raters)
    fitted: Hull | None = None
    if not narrow and pair.interval is not None:
        fitted = hull(
            seen.sizes,
            level=level,
            design_effect=seen.design_effect,
            clusters=None if used.cluster is None else seen.n_units,
        )
    if fitted is not None and 0 < step and pair.value < FINE_STEPS * step:
        fitted = replace(fitted, p_fit=None)
    return _floors(pair, around, seen, fitted, raters)


def _floors(
    pair: Estimate,
    around: Bracket,
    seen: Differences,
    fitted: Hull | None,
    raters: UnequalRaters | None,
) -> MaeFloor:
    limits, unit = pair.interval, pair.unit
    if limits is None:
        found = pair.scaled(math.sqrt(1 / 2))
        return MaeFloor(found, found, found, {}, around, (), ())
    unequal = raters is not None and raters.equal.passed is False
    refuted = fitted is not None and fitted.p_fit is not None and fitted.p_fit < REFUTED
    low, high, level = limits.low, limits.high, limits.level
    note, method, remark = "", "hull of likelihood intervals, shared difficulty", pair.note
    bracketed = fitted is None or refuted
    if fitted is None:
        method, note = "log-concave laws on whole numbers, from E|D|", NARROW_NOTE
        ends = (float(around.log_concave["low_limit"] or 0.0), 0.75 * high)
        value = min(max(pair.value * math.sqrt(1 / 2), ends[0]), ends[1])
    else:
        # The likelihood of standardised differences is in units of the raters' mean noise SD.
        value = float(fitted.fits[0].mean) * seen.unit_size
        ends = (
            fitted.low * seen.unit_size,
            max(fitted.high * seen.unit_size, high * math.sqrt(1 / 2)),
        )
        if refuted:
            # Two humps make tails light; scales that are mixed make them heavy, and one hump.
            top, kind = (high, "symmetric") if seen.platykurtic else (0.75 * high, "unimodal")
            method, remark = f"any {kind} law, from E|D|", NO_LAW
            value = pair.value * math.sqrt(1 / 2)
            ends = (min(ends[0], low / 2), max(ends[1], top))
        elif seen.n_units < FEW:
            ends = (min(ends[0], low * 2 / 3), max(ends[1], 0.75 * high))
    if seen.k == 2 and raters is not None and not unequal:
        # What a test does not see may be there: E|X| of unequal raters is a smaller part of E|D|.
        least = max(ends[0] * least_share(raters), low / 2)
        ends = (min(ends[0], least), ends[1])
    equal = Estimate(value, None, Interval(*ends, level, method), unit, remark)
    if seen.k == 2 and unequal:
        bracketed, method = True, "unimodal laws of raters who differ, from E|D|"
        ends = (low / 2, max(0.75 * high, high if refuted else 0.0))
    elif seen.k > 2 and unequal and seen.light_tails:
        ends = (min(ends[0], LAPLACE * seen.unit_size), max(ends[1], UNIFORM * seen.unit_size))
    one = unbiased = Estimate(value, None, Interval(*ends, level, method), unit, remark)
    if np.any(seen.bias):
        one = _with_bias(seen, None if bracketed else fitted, one, raters)
    if unequal:
        equal = Estimate(value, unit=unit, note="no interval: the raters are not equal")
    checks = [] if raters is None else [raters.equal]
    if fitted is not None:
        checks.append(heavy_tails(seen.sizes, design_effect=seen.design_effect))
    if fitted is not None and fitted.p_fit is not None:
        best = fitted.fits[0]
        text = f"The differences follow {best.family} noise ({p_text(fitted.p_fit)})."
        if refuted:
            text = (
                f"No family of laws fits the differences ({p_text(fitted.p_fit)}): the floor of "
                "the MAE is what a wide class of laws allows; look for two kinds of errors, or of "
                "items, or for noise that grows with the value."
            )
        checks.insert(0, Check("noise_law", not refuted, text, None, fitted.p_fit))
    return MaeFloor(
        unbiased,
        equal,
        one,
        _named(seen, fitted, raters, level),
        around,
        () if fitted is None else _in_units(fitted.fits, seen.unit_size),
        tuple(checks),
        note,
    )


def least_share(raters: UnequalRaters) -> float:
    r"""Return the mean of E|X_j| of two raters, as unequal as they may be, over that of equal ones.

    (√(1+δ) + √(1−δ))/2 for δ = (σ₁² − σ₂²)/(σ₁² + σ₂²), the largest |δ| within the limits of each
    σ_j, as both add up to the variance of the difference: 0.89 at a ratio of 3, 0.71 at the least.
    """
    total = sum(r.noise_sd.value**2 for r in raters.raters)
    limits = [r.light for r in raters.raters if r.light is not None]
    if not total > 0 or not limits:
        return 1.0
    ends = [2 * end**2 / total - 1 for i in limits for end in (i.low, i.high)]
    delta = min(max(abs(e) for e in ends), 1.0)
    return (math.sqrt(1 + delta) + math.sqrt(1 - delta)) / 2


NARROW_NOTE = (
    "The labels are whole numbers that lie close together: the floor of the MAE is that of "
    "log-concave laws on whole numbers."
)
NO_LAW = "no family of laws fits the differences"


def _with_bias(
    seen: Differences, fitted: Hull | None, alone: Estimate, raters: UnequalRaters | None
) -> Estimate:
    """Return the floor against one of the raters at random, mean_j E|X_j + β_j|.

    `alone` is E|X|; without a fitted law, E|X + β| is between max(E|X|, |β|) and both of
    E|X| + |β| and the root of E(X + β)². Of raters who are not equally noisy (their SDs are known
    for three and more), β is that of skewed errors to either side too.
    """
    limits = alone.interval
    if limits is None:
        return alone
    size, error = float(np.mean(np.abs(seen.bias))), seen.bias_error
    # Medians of skewed errors lie off their means, further for those who scatter more.
    skewed = SKEWED * (seen.sigmas - seen.sigmas.mean())
    if fitted is None:
        least = min(float(np.mean(np.abs(seen.bias + side * skewed))) for side in (-1, 1))
        low, high = max(limits.low, least - 2 * error), limits.high + size + 2 * error
        if raters is not None:
            high = min(high, raters.kind(ONE_OF_THEM).rmse_floor.high or math.inf)
        value = math.hypot(alone.value, size)
    else:
        moved = [
            seen.bias * (1 + shift / size) + side * skewed
            for shift in (-error, 0.0, error)
            for side in ((-1, 0, 1) if skewed.any() else (0,))
        ]
        low, high = fitted.shifted(np.array(moved), seen.sigmas)
        high = max(high, seen.shared_limit(limits.level))
        if seen.n_units < FEW or limits.low < fitted.low * seen.unit_size:
            # What was widened without the bias is widened as much with it.
            low = min(low, max(limits.low, size - error))
            high = max(high, math.hypot(limits.high, size))
        sizes = seen.sigmas * fitted.fits[0].mean
        value = float(np.mean(sizes * fitted.best.shifted(seen.bias / sizes)))
    within = Interval(low, high, limits.level, limits.method)
    return Estimate(min(max(value, low), high), None, within, alone.unit, alone.note)


def _named(
    seen: Differences, fitted: Hull | None, raters: UnequalRaters | None, level: float
) -> dict[str, Estimate]:
    """Return the floor against a label of each rater."""
    found = {}
    for rater in () if raters is None else raters.raters:
        # Errors of heavy tails are smaller beside their SD: the families have that in them.
        sigma = replace(rater.noise_sd, interval=rater.light)
        if sigma.interval is None:
            found[rater.name] = sigma.scaled(GAUSS)
            continue
        low, high = LAPLACE * sigma.interval.low, UNIFORM * sigma.interval.high
        value, method = GAUSS * sigma.value, "σ of the rater, Laplace to uniform"
        if seen.k > 2 and fitted is not None and sigma.value > 0 and sigma.interval.low > 0:
            # No family has more than the uniform law; scales of few labels may fit as more.
            share = min(fitted.fits[0].mean, max(UNIFORM, fitted.low))
            # Gaussian errors of a difficulty that is shared look like any law with heavier tails.
            top = max(fitted.high, seen.half_limit(level))
            value = sigma.value * share
            down = math.hypot(
                math.log(sigma.value / sigma.interval.low), math.log(share / fitted.low)
            )
            up = math.hypot(math.log(sigma.interval.high / sigma.value), math.log(top / share))
            low, high = value * math.exp(-down), value * math.exp(up)
            method = "σ of the rater times the hull of E|X|/σ"
        found[rater.name] = Estimate(
            value, None, Interval(low, high, level, method), sigma.unit, sigma.note
        )
    return found


def _in_units(fits: tuple[FamilyFit, ...], size: float) -> tuple[FamilyFit, ...]:
    return tuple(replace(f, mean=f.mean * size, low=f.low * size, high=f.high * size) for f in fits)


def _bracket(pair: Estimate, step: float) -> Bracket:
    """Return the bracket with its limits; the log-concave end on whole numbers is the lattice's."""
    found = bracket(pair, lattice=False)
    if step == 0:
        return found
    ends = dict(found.log_concave)
    for name, value in (("low", pair.value), ("low_limit", pair.low)):
        ends[name] = None if value is None else lattice_floor(value / step) * step
    return replace(found, log_concave=ends)


def step_of(values: FloatArray) -> float:
    """Return the step of the lattice on which all values lie, 0 if there is none."""
    seen = np.unique(values[np.isfinite(values)])
    if len(seen) < 2:
        return 0.0
    step = float(np.diff(seen).min())
    places = (seen - seen[0]) / step
    if places[-1] > 1e9 or np.abs(places - np.round(places)).max() > 1e-6:
        return 0.0
    return step
