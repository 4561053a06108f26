"""What stands whichever model is right, and what is said where none fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from annostat.noise.result import NoiseFit
from annostat.noise.skew import SkewFit
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.text import p_text

HALF_POWER = math.sqrt(0.5)  # E|X|/E|D| of Gaussian noise, whatever sizes items give it


@dataclass(frozen=True)
class Unseen:
    """Something that raters share and that no law of their differences shows.

    Attributes
    ----------
    words : str
        What it is, for the text of an interval's method.
    high : callable
        ``high(pair, kept)``: the upper end of E|X| with it, from E|D| and the models that explain
        the differences as well as the best.
    """

    words: str
    high: Callable[[Estimate, Sequence[NoiseFit]], float]


def _of_difficulty(pair: Estimate, _: Sequence[NoiseFit]) -> float:
    """Return the upper end of E|D|/√2.

    Gaussian noise of which items get different sizes, the same for all raters, has that E|X|
    whatever law D seems to follow: given the size of an item, E|X| = E|D|/√2.
    """
    return 0.0 if pair.high is None else HALF_POWER * pair.high


def _of_two_events(_: Estimate, kept: Sequence[NoiseFit]) -> float:
    """Return the upper end if what is far off is the wrong one of two events.

    Where each rater picks the wrong one in half of the cases, E|D| and E|X| of that are equal. Of
    raters who give up by themselves E|D| is twice E|X|, of those who do so together 4/3 of it (two
    uniform picks): E|X| has twice, or 4/3 times, as much of it as these models say.
    """
    return max(upper(fit) + more_of_two_events(fit) for fit in kept)


UNSEEN = (
    Unseen("items that differ in difficulty", _of_difficulty),
    Unseen("items with two events", _of_two_events),
)


def upper(fit: NoiseFit) -> float:
    """Return the upper limit of E|X| of a fit, or its value without one."""
    return fit.mae.value if fit.mae.high is None else fit.mae.high


def near_best(ranked: Sequence[NoiseFit]) -> tuple[list[NoiseFit], list[NoiseFit]]:
    """Return the models within 2 AIC of the best, and the others of its core with abandonment.

    The latter where the best one has abandonment: its ways are alike in what they explain.
    """
    best = ranked[0]
    near = [f for f in ranked if f.converged and f.aic <= best.aic + 2]
    kin = [
        f
        for f in ranked
        if f.converged
        and f not in near
        and f.model.family.name == best.model.family.name
        and f.problem.rated
        and best.problem.rated
    ]
    return near, kin


def make_envelope(ranked: Sequence[NoiseFit], pair: Estimate | None = None) -> Estimate:
    """Return the range of E|X| over the models that explain the data as well as the best.

    With `pair`, E|D|, its upper end reaches what is `UNSEEN`: no comparison of laws of D tells
    these from the models.
    """
    best = ranked[0]
    near, kin = near_best(ranked)
    kept = [*near, *kin] or [best]
    low = min(f.mae.low if f.mae.low is not None else f.mae.value for f in kept)
    high = max(upper(f) for f in kept)
    level = best.mae.interval.level if best.mae.interval else 0.95
    words = "1 model" if len(kept) == 1 else f"{len(kept)} models"
    method = f"envelope of the intervals of {words}"
    if pair is not None:
        for unseen in UNSEEN:
            if (reached := unseen.high(pair, kept)) > high * (1 + 1e-9):
                high = reached
                method += f" and of {unseen.words}"
    limits = Interval(low, high, level, method)
    return Estimate(best.mae.value, best.mae.standard_uncertainty, limits, best.mae.unit)


def more_of_two_events(fit: NoiseFit) -> float:
    """Return how much larger E|X| is with the wrong one of two events; see `_of_two_events`."""
    p, way = fit.problem, fit.problem.abandonment
    if not p.rated:
        return 0.0
    core = fit.solution.copy()
    core[p.n_core] = 0.0
    calm = p.mae(core, fit.model.window or 0)[0]
    far = max(fit.mae.value - (1 - way.total(fit.model.rate)) * calm, 0.0)
    return far * (way.alone + way.together / 3) / (way.alone + way.together)


def reaching(mae: Estimate, pair: Estimate) -> Estimate:
    """Return E|X| with its upper limit raised to that of E|D|/√2; see `UNSEEN`."""
    if mae.interval is None or pair.high is None or HALF_POWER * pair.high <= mae.interval.high:
        return mae
    method = f"{mae.interval.method} and of items that differ in difficulty"
    return replace(mae, interval=replace(mae.interval, high=HALF_POWER * pair.high, method=method))


def headline_of(checks: Sequence[Check], best: NoiseFit, skew: SkewFit | None) -> str:
    """Return what the headline is of: "model", "skewed" or "bracket".

    Where errors are skewed the skewed law is the headline, unless a symmetric one explains the
    picks better all the same (give-ups far off): then no law here does.
    """
    if skew is not None:
        return "skewed" if skew.aic <= best.aic + 2 else "bracket"
    return "bracket" if refuted(checks) else "model"


def of_bracket(pair: Estimate, unit: str) -> Estimate:
    """Return E|X| of any noise: E|D|/√2, from half of to all of the limits of E|D|.

    With c the median, E|X₁ − X₂| is at least E|X − c| (Jensen) and at most twice that, also where
    X is not symmetric.
    """
    limits = None
    if pair.interval is not None:
        method = "half of to all of the limits of the mean difference: any noise"
        limits = Interval(pair.interval.low / 2, pair.interval.high, pair.interval.level, method)
    return Estimate(HALF_POWER * pair.value, None, limits, unit)


def of_any_two(pair: Estimate, unit: str) -> Estimate:
    """Return E|X| of either of two raters who may differ in noise: between 0 and E|D|.

    E|X₁ − X₂| is at least E|X₁ − median X₂| (Jensen), of either.
    """
    limits = None
    if pair.interval is not None:
        method = "0 to the upper limit of the mean difference: either of two unequal raters"
        limits = Interval(0.0, pair.interval.high, pair.interval.level, method)
    return Estimate(HALF_POWER * pair.value, None, limits, unit)


def with_remedy(check: Check, by_rater: bool) -> Check:
    """Return a failed check of raters with the option that is its remedy."""
    if by_rater or check.passed is not False or check.name not in ("bias", "equal_raters"):
        return check
    return replace(check, message=f"{check.message} The option: --by-rater (by_rater=True).")


def refuted(checks: Sequence[Check]) -> bool:
    """Return whether the best model does not fit, so that no model is left to be quoted."""
    return any(c.name == "goodness_of_fit" and c.passed is False for c in checks)


def agreed(checks: Sequence[Check], best: NoiseFit) -> list[Check]:
    """Return the checks, that of giving up in words that do not contradict the choice of model.

    The test has the best model without abandonment as its null, and AIC chooses among all: each
    can say that annotators give up while the other does not, and then it is not settled.
    """
    done = []
    for check in checks:
        if check.name == "abandonment" and check.p_value is not None:
            seen, chosen = check.p_value < 0.05, best.model.rate > 0
            facts = check.message[check.message.index("(") :]
            if refuted(checks):
                words = (
                    "Not settled whether annotators give up: "
                    f"{best.label}, the best model, does not fit {facts}"
                )
                check = replace(check, passed=None, message=words)
            elif seen != chosen:
                words = (
                    f"Not settled whether annotators give up: the best model, {best.label}, "
                    f"{'has them do so' if chosen else 'does without'}, and the test "
                    f"{'sees it' if seen else 'does not see it'} {facts}"
                )
                check = replace(check, passed=None, message=words)
        done.append(check)
    return done


def refutation(checks: Sequence[Check], best: NoiseFit) -> str:
    """Return the sentence that stands for the best model's where that one is refuted."""
    if not refuted(checks):
        return f"No law explains skewed errors better than {best.label}, which is symmetric"
    p_value = next(c.p_value for c in checks if c.name == "goodness_of_fit")
    found = p_text(1.0 if p_value is None else p_value)
    return f"No model fits these differences ({best.label}, the best one: {found})"
