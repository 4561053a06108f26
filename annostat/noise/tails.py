r"""How heavy the tails of the noise are, and what that leaves of the interval of its SD.

The moments of Student's t with 4 degrees of freedom or fewer hardly show in a few hundred items:
most samples have too small an SD, and an interval of any moment method is too short (for 3 degrees
of freedom 76 to 90% with 20 to 300 items). The likelihood of the differences tells what moments do
not: the SDs of all such laws, at all scales, whose log-likelihood is near the best law's, and an
interval of the SD is widened to them. Near is χ²₂(1 − 0.1·(1 − level))/2, 99.5% for a level of
95%: samples in which the tails hide are those whose SD is seen too small, and with χ²₂(level)/2
limits held 75 to 90% in them, with 98% 89 to 99%, with this 94 to 100%. Where no such law is left
within χ²₂(level)/2, as with a few hundred Gaussian errors, the interval stays.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.noise import difference_laws as laws
from annostat.noise.hull import Likelihood
from annostat.noise.pair_sizes import likelihood_of_pairs
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check

FEWEST, TAILS = 20, 2.0
LEAST = 3.0  # degrees of freedom of the heaviest law: with fewer the SD is soon infinite
HIDDEN = 0.1  # of 1 − level, left to samples in which the tails hide
HELD = "held for heavy tails"
# A third of what a Gaussian difference says, on average, against the likeliest such law (0.016).
AGAINST = 0.005


@dataclass(frozen=True)
class Tails:
    """Whether tails are heavy, and where the SD may lie if they are.

    Attributes
    ----------
    check : Check
        "heavy_tails".
    low, high : float
        Least and largest SD of heavy-tailed laws that the differences do not refute, as multiples
        of the SD from moments; low ≤ 1 ≤ high, both 1 where no such law is left that would matter.
    apparent : bool
        Whether the differences do not speak against such a law by a third of what Gaussian ones do
        on average: those of 30 to 400 Gaussian items do in all but a few per cent of samples.
    """

    check: Check
    low: float = 1.0
    high: float = 1.0
    apparent: bool = False

    def widened(self, sigma: Estimate) -> Estimate:
        """Return an SD with limits that hold heavy tails too; without limits it is left as it is.

        Both limits are moved by the factors on the log scale of the estimate, none inwards.
        """
        i = sigma.interval
        if i is None or self.low == self.high == 1:
            return sigma
        low, high = min(i.low, sigma.value * self.low), max(i.high, sigma.value * self.high)
        if (low, high) == (i.low, i.high):
            return sigma
        return replace(sigma, interval=Interval(low, high, i.level, f"{i.method}, {HELD}"))

    def added(self, sigma: Estimate) -> Estimate:
        """Return an SD that is read off a fitted curve, with these factors and its limits joined.

        What tails hide from the size of the curve adds to what is not known of its shape: the two
        reaches are added in squares, on the log scale.
        """
        i = sigma.interval
        if i is None or self.low == self.high == 1:
            return sigma
        down = math.hypot(math.log(sigma.value / i.low), math.log(self.low))
        up = math.hypot(math.log(i.high / sigma.value), math.log(self.high))
        limits = Interval(
            sigma.value * math.exp(-down),
            sigma.value * math.exp(up),
            i.level,
            f"{i.method}, {HELD}",
        )
        return replace(sigma, interval=limits)

    def of_few(self, raters: float) -> Tails:
        """Return the same of an SD which rests on one in so many of the raters behind these tails.

        What a sample's SD lacks of its law's is less alike in each rater than in all together.
        """
        power = math.sqrt(raters)
        return replace(self, low=self.low**power, high=self.high**power)

    def of_part(self, share: float) -> Tails:
        """Return the same of an SD of which this `share` of the square has these tails."""
        low, high = (math.sqrt(1 + share * (f**2 - 1)) for f in (self.low, self.high))
        return replace(self, low=low, high=high)

    def share_added(self, share: Estimate) -> Estimate:
        """Return τ²/(τ² + SD²) with its limits and what tails hide of the SD joined.

        In squares on the scale of the log-odds, as τ is not known either.
        """
        i, value = share.interval, share.value
        if i is None or not 0 < value < 1 or self.low == self.high == 1:
            return share
        odds = value / (1 - value)
        ends = []
        for limit, sd in ((i.low, self.high), (i.high, self.low)):
            if not 0 < limit < 1:
                ends.append(limit)
                continue
            away = math.hypot(math.log(limit / (1 - limit) / odds), 2 * math.log(sd))
            moved = odds * math.exp(math.copysign(away, limit - value))
            ends.append(moved / (1 + moved))
        return replace(share, interval=Interval(ends[0], ends[1], i.level, f"{i.method}, {HELD}"))

    def share_widened(self, share: Estimate) -> Estimate:
        """Return τ²/(τ² + SD²) with the limits that `widened` gives it, τ as it is."""
        i, value = share.interval, share.value
        if i is None or not 0 < value < 1 or self.low == self.high == 1:
            return share
        low = min(i.low, value / (value + (1 - value) * self.high**2))
        high = max(i.high, value / (value + (1 - value) * self.low**2))
        if (low, high) == (i.low, i.high):
            return share
        return replace(share, interval=Interval(low, high, i.level, f"{i.method}, {HELD}"))


def tails(
    sizes: FloatArray, *, design_effect: float = 1.0, level: float = 0.95, hidden: float = HIDDEN
) -> Tails:
    """Return how heavy the tails of differences are, and which SDs heavy-tailed laws leave.

    Parameters
    ----------
    sizes : float64 array of shape (n,)
        |d|, centred and in units of the noise where that differs.
    design_effect : float
        At least 1: what the log-likelihood is divided by where differences are not independent.
    level : float
        Confidence level.
    hidden : float
        Share of 1 − level that is left to samples in which the tails hide.

    Returns
    -------
    Tails
        The check is undecided below 20 differences, and where such a law is left whose SD an
        interval for Gaussian errors would not hold; the SDs need three, not all of one size.
    """
    return _of(Likelihood.of(sizes), design_effect, level, hidden)


def _of(seen: Likelihood, design_effect: float, level: float, hidden: float) -> Tails:
    if seen.n < 3 or not seen.mean > 0:
        return Tails(_check(seen.n, 0.0, True))
    t = laws.table()
    loglik = seen.values / design_effect
    best = loglik.max(axis=1)
    gain = float(best[t.heavy].max() - best[t.light].max())
    sd, rows = _heavy_laws()
    # Give-ups that nobody has seen could be as far away as one likes: they are no yardstick.
    bar = float(best[t.heavy | t.light].max()) + math.log(1 - level)
    moment = math.sqrt(seen.square / 2) / seen.mean
    reached = [
        (sd[:, None] * seen.scales)[loglik[rows] >= at] / moment
        for at in (bar, bar + math.log(hidden))
    ]
    ends = [(min(r.min(initial=1.0), 1.0), max(r.max(initial=1.0), 1.0)) for r in reached]
    # What an interval for Gaussian errors holds need not be ruled out.
    reach = t_reach(math.inf, level) * math.sqrt(design_effect / (2 * seen.n))
    matters = max(ends[0][1], 1 / ends[0][0]) > math.exp(reach)
    check = _check(seen.n, gain, matters)
    if not matters:
        return Tails(check)
    apparent = gain > -AGAINST * seen.n / design_effect
    return Tails(check, float(ends[1][0]), float(ends[1][1]), apparent)


def heavy_tails(sizes: FloatArray, *, design_effect: float = 1.0) -> Check:
    """Return whether the tails are too heavy for the moments of a standard deviation.

    The log-likelihood of Student's t with at most 4 degrees of freedom, whose squares have no
    variance, less that of the best law with tails no heavier than Laplace's or than t's with 6.
    More than 2 fails: in 0 to 5% for Gaussian, Laplace and (n ≤ 200) t₅ errors, in 15, 55 and 99%
    for t₃ with 50, 200 and 1,000 items. Undecided where such a law is not refuted (`tails`).
    """
    return tails(sizes, design_effect=design_effect).check


def _check(n: int, gain: float, possible: bool) -> Check:
    name = "heavy_tails"
    if n < FEWEST:
        return Check(name, None, "Too few differences to tell how heavy their tails are.")
    if gain > TAILS:
        text = (
            "The tails are so heavy that squares hardly have a variance: intervals that say so "
            "(held for heavy tails) are widened to hold such tails, and that of the MAE holds; any "
            "other of a standard deviation or correlation may be too short (60 to 90% instead of "
            "95%)."
        )
        return Check(name, False, text, gain)
    if possible:
        text = (
            "Heavy tails (Student t with 3 to 4 degrees of freedom) are not ruled out. Limits by "
            'label, limits of the MAE and intervals "held for heavy tails" hold with them too. '
            'An interval "not for heavy tails" holds up to exponential ones, and with heavy ones '
            "40 to 80% instead of 95%."
        )
        return Check(name, None, text, gain)
    return Check(name, True, "The tails are light enough for a standard deviation.", gain)


def tails_of_labels(
    values: FloatArray,
    variances: FloatArray,
    units: NDArray[np.int64],
    *,
    spread: FloatArray | None = None,
    level: float = 0.95,
    hidden: float = HIDDEN,
) -> Tails:
    """Return `tails` of all pairs of labels, in units of their raters' noise.

    Parameters
    ----------
    values : float64 array of shape (n, k)
        Labels less the biases of their raters, NaN where missing.
    variances : float64 array of shape (k,)
        Noise variance of each rater; where two of them are 0 their differences are left out.
    units : int64 array of shape (n,)
    spread : float64 array of shape (n,), optional
        What the differences of an item are divided by too.
    level : float
    hidden : float
        As in `tails`.
    """
    columns = np.ascontiguousarray(values.T)
    seen, effect = likelihood_of_pairs(columns, variances, units, spread)
    return _of(seen, effect, level, hidden)


@functools.lru_cache(maxsize=1)
def _heavy_laws() -> tuple[FloatArray, NDArray[np.int64]]:
    """Return the SDs, in units of E|X|, and the rows of t laws with 3 to 4 degrees of freedom."""
    t = laws.table()
    first = int(np.flatnonzero(t.heavy)[0])
    kept = [
        (first + i, freedom)
        for i, freedom in enumerate(laws.FREEDOMS)
        if LEAST - 1e-3 < freedom and t.heavy[first + i]
    ]
    sd = [t.laws[row].sd for row, _ in kept]
    return np.array(sd), np.array([row for row, _ in kept])
