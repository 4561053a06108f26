r"""Floors where the noise grows with the value, and what heavy tails leave of an interval.

One SD for all values stands for none of them then, and a few large items carry its square. The
precision profile has the floor for the labels at hand, √mean σ²(m_i). It is taken where the noise
is seen to go with the value, by ranks of |D|, or by the score test of variances where no few
differences carry these; whether a few carry the variance is then judged on its scale. Then

    ρ = 1 − floor²/V,   V the variance of a label
    log(1 − ρ): ± √(reach² of log floor² + reach² of log V)

whose two parts go up together where values do, so that their reaches added in squares are enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.agreement.noise_sd import NOTHING
from annostat.agreement.profile import FEWEST, constancy, precision_profile
from annostat.agreement.profile_result import PrecisionProfile
from annostat.agreement.small import FEW
from annostat.agreement.variances import Variances
from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check

NONE_HOLDS = (
    "A few differences carry most of the variance: no interval of a standard deviation or "
    "correlation holds (49 to 90% instead of 95%), and none is printed; that of the MAE holds."
)


def profile_where_needed(
    rounds: Rounds, v: Variances, checks: Iterable[Check], *, level: float
) -> PrecisionProfile | None:
    """Return the precision profile where one SD for all values will not do, else None.

    None too where it gives no interval either: its own scale has a few differences that carry the
    variance, or there are fewer than ten items.
    """
    if len(rounds.values) < FEWEST or (rounds.weights is not None and rounds.items is None):
        return None
    seen = any(c.name == "dependence_on_value" and c.passed is False for c in checks)
    if rounds.period is not None:  # that check may be of the period
        seen = False
    try:
        # A few blunders carry the score test too, and lie far out on the axis of values.
        grows = not v.dominated and constancy(rounds, level=level).passed is False
        if not (seen or grows):
            return None
        found = precision_profile(rounds, level=level)
    except AnnostatError:  # all labels of each item are equal, or nearly
        return None
    return found if found.floor.interval is not None else None


def reliability_by_profile(
    v: Variances, profile: PrecisionProfile, plain: Estimate, *, level: float = 0.95
) -> Estimate:
    """Return the share of the truth in the variance of one label, with the noise of a profile.

    Parameters
    ----------
    v : Variances
        Of the rounds that the profile is of.
    profile : PrecisionProfile
        With an interval of its floor.
    plain : Estimate
        The share of one noise for all values (`reliability_estimate`), which is returned where
        the labels vary no more than the noise, a round shows no truth, or the floor has no
        interval.
    level : float
        Confidence level, that of the profile.

    Returns
    -------
    Estimate
        ρ = 1 − floor²/V. It held 90 to 100% in simulation (log-normal values, 20 to 300 items,
        errors to Student's t with 3 degrees of freedom), where a bootstrap-t that takes one noise
        for all values held 88 to 92%.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat import Rounds
    >>> from annostat.agreement import Variances, precision_profile
    >>> from annostat.ceilings import reliability_estimate
    >>> g = np.random.default_rng(1)
    >>> size = g.lognormal(np.log(8), 0.6, (400, 1))
    >>> rounds = Rounds.from_array(size * (1 + g.normal(0, 0.12, (400, 2))))
    >>> v, profile = Variances.of(rounds), precision_profile(rounds)
    >>> found = reliability_by_profile(v, profile, reliability_estimate(v))
    >>> float(1 - np.mean((0.12 * size) ** 2) / np.var(size)) in found.interval
    True
    """
    limits, floor = profile.floor.interval, profile.floor.value
    if plain.value == 0 and plain.interval is None:  # one of two rounds is constant
        return plain
    if v.sums.n_units < 2:
        return plain

    def log_total(t: NDArray[Any]) -> NDArray[Any]:
        within = v.within(t)
        return np.asarray(np.log(within + (v.between(t) - within) / v.size(t)))

    total = v.sums.value(log_total)
    log_share = 2 * math.log(floor / v.scale) - total
    if limits is None or not math.isfinite(total) or log_share >= 0:
        return plain
    reach = t_reach(max(v.sums.n_units - 1, 1), level) * v.sums.standard_error(log_total)
    down = math.hypot(2 * math.log(floor / limits.low), reach)
    up = math.hypot(2 * math.log(limits.high / floor), reach)
    low, high = (0.0 - math.expm1(min(log_share + d, 0.0)) for d in (up, -down))
    method = "1 − floor²/variance of a label, from the profile"
    return Estimate(-math.expm1(log_share), None, Interval(low, high, level, method))


def one_for_all(sigma: Estimate, profile: PrecisionProfile) -> Estimate:
    """Return σ with the word that it is one SD for all values, which the noise does not have."""
    if profile.constant.passed:
        return sigma
    note = "one SD for all values, which stands for none"
    return replace(sigma, note=f"{sigma.note}; {note}" if sigma.note else note)


def without_interval(e: Estimate) -> Estimate:
    """Return an intraclass correlation without its interval: it takes one noise for all values."""
    if e.interval is None:
        return e
    return replace(
        e, interval=None, note="no interval: the noise goes with the value; read the reliability"
    )


def check_tails(
    v: Variances, profile: PrecisionProfile | None, others: Iterable[Check]
) -> list[Check]:
    """Return the check of heavy tails, unless it passes; `others` are those without a profile.

    On the scale of the profile where there is one. Few items have a check of their own, and where
    there is no noise it has no tails.
    """
    if v.within(v.sums.totals) <= NOTHING:
        return []
    if profile is None and v.dominated:
        return [Check("heavy_tails", False, NONE_HOLDS)]
    found = list(others) if profile is None else [profile.tails]
    few = v.sums.n_units < FEW
    return [
        c
        for c in found
        if c.name == "heavy_tails" and not c.passed and not (few and c.passed is None)
    ][:1]
