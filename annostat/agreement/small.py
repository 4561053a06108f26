r"""Few items: intervals of a variance and of a reliability that do not wait for the law to show.

With two labels an item, s² = ½·Var D has Var log s² = 2/(n − 1) + γ/n, γ being the excess kurtosis
of D. Fewer than 30 items say little about γ: a sample of eight has a kurtosis of at most 8,
whatever the law. So γ̂, freed of its bias in Gaussian samples, is shrunken to 3, that of
exponential errors, with a weight of 20 items. For k labels the excess is that of s_i²/σ⁴ over
2/(k − 1), which such errors make 6/k.

    σ: exp(± t_{n−1}·√v/2), v = Var log s²
    ρ: F interval of (MSB/MSW − 1)/(MSB/MSW + k − 1) with 2/v degrees of freedom below

Tails that are heavier still, which no few items rule out, make s² too small in most samples: both
intervals reach to the SDs of such laws (`annostat.noise.tails`), log-widths being 4 to 29% larger.
Without that, σ of 29 items with t₃ errors was held in 83 to 86%, with it in 97%.

A bootstrap-t is no help: its upper limit is 10 to 45 times the estimate at n = 8.

From 30 items on a bootstrap-t holds tails up to exponential ones. It reaches to the SDs of heavier
laws where their check fails, or where the differences do not speak against them as Gaussian ones
would (`Tails.apparent`); where they are not ruled out, yet not apparent, the interval itself says
that it is not for them (`for_tails`): reaching to all laws that are left would cost Gaussian noise
half to all of its width at 30 to 100 items.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.agreement.covariances import TAILS, shrunken
from annostat.agreement.variances import Variances
from annostat.noise.tails import HELD, Tails, tails_of_labels
from annostat.noise.tails import HIDDEN as SEEN
from annostat.once import once
from annostat.resampling.intervals import exp, t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.text import format_number

FEW = 30  # independent items below which these intervals are taken
UNHELD = "not for heavy tails"
HIDDEN = 0.4  # of 1 − level, left to samples in which tails hide: few items reach far as it is
NOTHING = 1e-30


def chosen(interval: str, v: Variances, few: str) -> str:
    """Return the method that "auto" stands for: `few` below 30 units; any other is kept."""
    if interval != "auto":
        return interval
    return few if v.sums.n_units < FEW else "bootstrap-t"


def log_variance_error(v: Variances) -> float:
    r"""Return Var log s², the squared relative error of the variance within items.

    Parameters
    ----------
    v : Variances
        Of rounds; units are clusters where there are any.

    Returns
    -------
    float
        2/ν + γ*/n with ν degrees of freedom, n units and γ* the shrunken excess; NaN for one unit
        or none left to tell, infinite where all labels of an item are equal.

    Examples
    --------
    >>> from annostat.labels import Rounds
    >>> v = Variances.of(Rounds.from_array([[1.0, 2], [5, 5], [7, 4], [0, 1], [3, 3]]))
    >>> round(log_variance_error(v), 3)
    1.013
    """
    n = v.sums.n_units
    if n < 2 or v.degrees < 1:
        return math.nan
    if float(v.within(v.sums.totals)) <= NOTHING:
        return math.inf

    def log_within(t: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.asarray(np.log(v.within(t)))

    seen = n * float(np.sum(v.sums.pull(log_within) ** 2))
    # Squares of a unit on 2a degrees of freedom: in Gaussian samples `seen` is 1/a less its bias.
    a = (v.n_labels - v.n_items) / (2 * n)
    bias = (1 + a) / (a * (v.degrees / 2 + 1))
    prior = TAILS * n / v.n_labels
    found = 2 / v.degrees + shrunken(seen - 1 / a + bias, prior, n) / n
    # What the items of a cluster have in common is no tail, and is not shrunken away.
    if v.sums.clustered:
        found = max(found, seen / (n - 1) + shrunken(0.0, prior, n) / n)
    return found


def noise_interval(v: Variances, *, level: float = 0.95, heavy: bool = True) -> Interval | None:
    r"""Return the interval of σ, the SD of one annotation's noise.

    Parameters
    ----------
    v : Variances
        Of rounds with two units or more.
    level : float
        Confidence level.
    heavy : bool
        Whether to widen it to heavy tails that the labels do not rule out.

    Returns
    -------
    Interval or None
        σ·exp(± t·√v/2) in the unit of the values, positive and finite at any n ≥ 3; None where all
        labels of an item are equal, or for one unit.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> v = Variances.of(simulate_values(8, noise_sd=4.0, truth_sd=11.0, rng=3))
    >>> found = noise_interval(v)
    >>> 4.0 in found, found.method
    (True, 'log-t over items, shrunken kurtosis, held for heavy tails')
    """
    error, n = log_variance_error(v), v.sums.n_units
    if not math.isfinite(error):
        return None
    sigma = v.scale * math.sqrt(float(v.within(v.sums.totals)))
    reach = t_reach(n - 1, level) * math.sqrt(error) / 2
    method = f"log-t over {v.sums.units}, shrunken kurtosis"
    found = Interval(sigma * exp(-reach), sigma * exp(reach), level, method)
    return _tails(v, level).widened(Estimate(sigma, None, found)).interval if heavy else found


def for_tails(e: Estimate, v: Variances, *, level: float = 0.95, share: bool = False) -> Estimate:
    """Return an estimate of 30 units or more with what heavy tails leave of its interval.

    Parameters
    ----------
    e : Estimate
        σ, or with `share` the share of the truth in a variance, with a bootstrap-t.
    v : Variances
        Of the same labels.
    level : float
    share : bool

    Returns
    -------
    Estimate
        Widened to heavy-tailed laws where such tails are seen or apparent, with a method that ends
        in "not for heavy tails" where they are only not ruled out; as it was where they are, and
        below 30 units, whose intervals are widened without asking.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> v = Variances.of(simulate_values(60, noise_sd=4.0, truth_sd=11.0, rng=3))
    >>> e = Estimate(4.0, None, Interval(3.4, 4.9, 0.95, "bootstrap-t"))
    >>> for_tails(e, v).interval.method
    'bootstrap-t, not for heavy tails'
    """
    i = e.interval
    if i is None or v.sums.n_units < FEW:
        return e
    tails = _tails(v, level, hidden=SEEN)
    if tails.check.passed:
        return e
    word = UNHELD
    if tails.check.passed is False or tails.apparent:
        found = tails.share_widened(e) if share else tails.widened(e)
        if found is not e:
            return found
        word = HELD  # it reaches as far as it is
    return replace(e, interval=Interval(i.low, i.high, i.level, f"{i.method}, {word}"))


def _tails(v: Variances, level: float, *, hidden: float = HIDDEN) -> Tails:
    """Return where the SD may lie if tails are heavy: one answer asks it for σ, ρ and each ICC."""

    def make() -> Tails:
        ones = np.ones(v.centred.shape[1])
        return tails_of_labels(v.centred, ones, v.units, level=level, hidden=hidden)

    return once(f"tails {level} {hidden}", (v.centred, v.units), make)


def reliability_interval(v: Variances, *, level: float = 0.95) -> Interval | None:
    r"""Return the interval of ρ, the share of the truth in the variance of one label: ICC(C,1).

    Rounds without identity make it that of ICC(1). It is one interval for both names, so that no
    number has two.

    Parameters
    ----------
    v : Variances
        Of rounds with two units or more.
    level : float
        Confidence level.

    Returns
    -------
    Interval or None
        F interval with n − 1 and 2/v degrees of freedom, signed, not clipped, widened to heavy
        tails that the labels do not rule out; None where labels of an item are all equal, all items
        have one mean, or there is one unit.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> found = reliability_interval(Variances.of(simulate_values(10, noise_sd=4.0, rng=1)))
    >>> found.low < found.high < 1
    True
    """
    error, n = log_variance_error(v), v.sums.n_units
    if not math.isfinite(error):
        return None
    found = f_interval(v, n - 1, 2 / error, level, "F, degrees of freedom for kurtosis")
    share = Estimate(float(v.sums.value(v.reliability)), None, found)
    return _tails(v, level).share_widened(share).interval


def f_interval(v: Variances, df1: float, df2: float, level: float, method: str) -> Interval | None:
    """Return the F interval of ρ with these degrees of freedom between and within items."""
    t = v.sums.totals
    within, between, k = (float(g(t)) for g in (v.within, v.between, v.size))
    if within <= NOTHING or between <= NOTHING or k <= 1:
        return None
    f, tail = between / within, (1 + level) / 2
    low, high = f / float(special.fdtri(df1, df2, tail)), f * float(special.fdtri(df2, df1, tail))
    return Interval((low - 1) / (low + k - 1), (high - 1) / (high + k - 1), level, method)


def check_few(v: Variances) -> Check:
    """Return whether there are enough units to see the kurtosis that intervals of σ hang on.

    Parameters
    ----------
    v : Variances

    Returns
    -------
    Check
        "few_items": undecided below 30 units. The intervals then hold whatever the tails, 93 to
        100% (Student's t with 3 degrees of freedom: σ 95 to 99%, ρ 92 to 97%), and are wide for it.
    """
    n, name = v.sums.n_units, "few_items"
    if n >= FEW:
        return Check(name, True, f"{n:,} {v.sums.units} show how heavy the tails are.", float(n))
    text = (
        f"{n} {v.sums.units} are too few to show how heavy the tails of the noise are: intervals "
        "of its SD and of the reliability are wide, to hold heavy ones."
    )
    return Check(name, None, text, float(n))


def check_reliability(reliability: Estimate) -> Check:
    """Return whether the rounds agree on any truth; a reliability of 0 or less does not.

    Parameters
    ----------
    reliability : Estimate
        ρ, signed.

    Returns
    -------
    Check
        "reliability": failed for a value of 0 or less, undecided where it is NaN or its interval
        holds 0, else passed.
    """
    name, value = "reliability", reliability.value
    if math.isnan(value):
        return Check(name, None, f"Reliability is not known: {reliability.note}.")
    if value <= 0:
        text = (
            f"The rounds do not correlate (reliability {format_number(value)}): they show no truth "
            "to predict; look for a column in another order, or of another item."
        )
        return Check(name, False, text, value)
    if reliability.low is not None and reliability.low <= 0:
        text = (
            f"Reliability may be 0 (interval {reliability.range()}): these items do not show that "
            "the rounds agree on anything; more items, or items that differ more, would."
        )
        return Check(name, None, text, value)
    return Check(
        name, True, f"The rounds agree on a truth (reliability {reliability.short()}).", value
    )
