r"""Raters who differ in bias and in noise, and whose label a perfect model meets.

Z_ij = Y_i + β_j + X_ij with Var X_ij = σ_j². The best model depends on whose label it meets, and
so do all floors and ceilings; those of one table are of one kind:

    a label of rater j              f = Y + β_j       RMSE² = σ_j²
    one of these raters, at random  f = Y + mean β    RMSE² = mean σ_j² + Var β (divisor k)
    a new rater of the same kind    f = Y + E β       RMSE² = E σ² + Var β, from k ≥ 3 raters

The R² and r² of that model are τ²/(τ² + RMSE²). With S the covariance matrix of the rounds, and of
a model as one more instrument if there is one,

    σ_j² = S_jj − 2·mean_l S_jl + mean_{l<m} S_lm        over two or more partners l, m ≠ j
    σ_1² = S_11 − S_12                                    for two rounds alone

(Grubbs 1948; Gray & Allan 1974). It takes one scale of all raters (a rater with gain g shifts the
second form by g(g − 1)τ²), errors that are independent given the item, and a model that has
learned from none of these labels. Standard errors are shrunken (`covariances`); an interval of
σ_j² is v − t·e to v + t·e·(1 + ½·q), q = t·e/v up to 1.6: the second order of the log scale where
that exists, cut at 0 and, for two rounds, at the upper limit of Var D. Plain t intervals are too
low only, and cover 69 to 96% at n = 8 to 20; these hold 92 to 100% (Laplace errors, SD ratios 1 and
3, biases to 2 SD) and 83 to 100% where errors are skewed or an item's difficulty is shared, the
least at n = 8 for the noisiest of three. Student's t with 3 degrees of freedom made that 70 to 98%:
limits are widened to the SDs of heavy-tailed laws that the differences do not refute
(`annostat.noise.tails`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat.agreement.covariances import Moments, OfCovariance
from annostat.agreement.label_kinds import (
    NEW,
    ONE_OF_THEM,
    RaterNoise,
    UnequalRaters,
    kind_of,
    unbounded_note,
    unlike,
)
from annostat.agreement.rater_noise import (
    FEWEST,
    equal_noise,
    limits_of_variance,
    log_limits,
    noise_variance_of,
    share_of_truth,
)
from annostat.agreement.small import noise_interval, reliability_interval
from annostat.agreement.variances import Variances
from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_level, check_numbers
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.noise.tails import tails_of_labels
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.text import counted

NO_NOISE = 1e-13  # of the squared spread of the values: covariances differ by rounding
ADDITIVE = "no interval: the rounds differ by a constant at most"
EQUAL = "all labels of this rater are equal"
# One of two raters: the covariance of the two, which is what shows the truth, is 0 whatever it is.
NO_TRUTH = Estimate(0.0, note="no interval: all labels of a rater are equal and show no truth")


@takes_rounds
def unequal_raters(
    rounds: Rounds, *, model: ArrayLike | None = None, level: float = 0.95
) -> UnequalRaters:
    r"""Return each rater's bias and noise, and the floors against each kind of label.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds). Items that lack a label, or the model, are left out
        and noted: with many gaps take `annostat.agreement.hierarchical`. Clusters are units.
    model : array-like of shape (n_items,), optional
        Predictions, in the unit of the labels, of a model that was trained on none of them: a
        third instrument for two rounds, one more partner for others. Its own errors, bias and
        shrinkage do not matter, as long as they are independent of the labels' noise.
    level : float
        Confidence level.

    Returns
    -------
    UnequalRaters
        Rounds without identity (`Rounds.exchangeable`) give one kind of label only.

    Raises
    ------
    AnnostatError
        If fewer than three items have all labels, or the model does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.random.default_rng(1)
    >>> truth = g.normal(50, 4, 400)
    >>> labels = truth[:, None] + g.normal([0.0, 3.0], [1.0, 2.0], (400, 2))
    >>> found = unequal_raters(Rounds.from_array(labels, names=["A", "B"]))
    >>> [round(k.rmse_floor.value, 1) for k in found.kinds]
    [1.1, 2.1, 2.2]
    >>> found.equal.passed
    False
    """
    level = check_level(level)
    rounds = _one_by_one(rounds)
    if rounds.exchangeable:
        return _without_identity(rounds.usable(), level)
    columns = rounds.values
    if model is not None:
        f = check_numbers("model", model)
        if f.shape != (len(columns),):
            raise AnnostatError(
                f"model must have shape ({len(columns)},), one per item, got {f.shape}"
            )
        if np.isinf(f).any():
            raise AnnostatError("model must be finite or NaN, got an infinite value")
        columns = np.column_stack([columns, f])
    full, codes = _with_all_labels(rounds, columns)
    m = Moments.of(full, codes)
    k = rounds.n_rounds
    each = [noise_variance_of(j, m.k) for j in range(k)]
    noise = np.zeros(m.k)
    noise[:k] = [max(m.value(g), 0.0) for g in each]
    seen = _Seen(m, k, noise, level, rounds.unit)
    labels = np.asfortranarray(full[:, :k])
    debiased = labels - labels.mean(axis=0)
    units = np.arange(len(debiased)) if codes is None else codes
    variances = noise[:k] if k > 2 and noise[:k].max() > 0 else np.ones(k)
    tails = tails_of_labels(debiased, variances, units, level=level)
    named = [seen.named(g, j) for j, g in enumerate(each)]
    own = tails.of_few(k)
    raters = tuple(
        RaterNoise(name, seen.bias(j), own.widened(sigma), sigma.interval)
        for j, (name, (sigma, _)) in enumerate(zip(rounds.names, named, strict=True))
    )
    kinds = [
        kind_of(name, own.widened(sigma), own.share_widened(share))
        for name, (sigma, share) in zip(rounds.names, named, strict=True)
    ]
    part = tails.of_few(1.0 if k == 2 else unlike(noise[:k])).of_part(seen.share_of_noise())
    sigma, share = seen.one_of_them()
    kinds.append(kind_of(ONE_OF_THEM, part.widened(sigma), part.share_added(share)))
    if k >= 3:
        new = part.widened(seen.new_rater(each))
        kinds.append(kind_of(NEW, new, seen.share_of_new(new)))
    lost = len(columns) - len(full)
    left = "item that lacks a label was left out", "items that lack a label were left out"
    notes = (counted(lost, *left),) if lost else ()
    return UnequalRaters(
        raters,
        tuple(kinds),
        equal_noise(m, each, rounds.names, level),
        tails.check,
        m.n_items,
        notes,
    )


def equally_noisy(rounds: Rounds, *, level: float = 0.95) -> Check:
    """Return the test of `unequal_raters` alone, of rounds with an identity."""
    rounds = _one_by_one(rounds)
    m = Moments.of(*_with_all_labels(rounds, rounds.values))
    return equal_noise(m, [noise_variance_of(j, m.k) for j in range(m.k)], rounds.names, level)


def _one_by_one(rounds: Rounds) -> Rounds:
    """Return the rounds with a row for each item."""
    if rounds.weights is None:
        return rounds
    weighted = np.repeat(np.arange(len(rounds.values)), rounds.weights)
    return replace(rounds.take(weighted), weights=None)


def _with_all_labels(
    rounds: Rounds, columns: FloatArray
) -> tuple[FloatArray, NDArray[np.int64] | None]:
    """Return the items without a gap and their clusters; refuse fewer than three."""
    full = np.asarray(np.isfinite(columns).all(axis=1))
    if full.sum() < FEWEST:
        raise AnnostatError(
            f"raters who differ take {FEWEST} items with all labels, got {int(full.sum())}; "
            "with gaps take annostat.agreement.hierarchical"
        )
    if full.all():
        return columns, cluster_codes(rounds.cluster)
    cluster = None if rounds.cluster is None else rounds.cluster[full]
    return columns[full], cluster_codes(cluster)


@dataclass(frozen=True)
class _Seen:
    """Moments of the raters, and what every row needs."""

    m: Moments
    k: int
    noise: FloatArray
    level: float
    unit: str

    @property
    def df(self) -> int:
        return self.m.n_units - 1

    def method(self, words: str) -> str:
        return f"{words} over {self.m.sums.units}, shrunken kurtosis"

    def bias(self, j: int) -> Estimate:
        k, scale = self.k, self.m.scale

        def g(mean: NDArray[Any], _: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(mean[..., j] - mean[..., :k].sum(axis=-1) / k)

        def over(t: NDArray[Any]) -> NDArray[Any]:
            return g(*self.m.split(t))

        value, error = self.m.value(g), self.m.sums.standard_error(over)
        found = self.m.sums.interval(over, method="t", level=self.level)
        note = "" if found is not None else "no interval: all items say the same"
        if found is not None:
            found = Interval(found.low * scale, found.high * scale, found.level, found.method)
        return Estimate(value * scale, error * scale, found, self.unit, note)

    def share_of_noise(self) -> float:
        """Return the share of the noise in the square of the floor against one of these raters."""
        noise = max(self.m.value(lambda _, s: _within(s, self.k)), 0.0)
        square = noise + float(np.var(self.m.mean[: self.k]))
        return noise / square if square > NO_NOISE else 1.0

    @cached_property
    def agree(self) -> bool:
        """Whether the rounds differ by constants at most."""
        return self.m.value(lambda _, s: _within(s, self.k)) <= NO_NOISE / 2

    @cached_property
    def difference(self) -> tuple[float, float]:
        """The variance of the difference of two columns, and its standard error."""

        def variance(_: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(s[..., 0, 0] + s[..., 1, 1] - 2 * s[..., 0, 1])

        return self.m.value(variance), self.m.error(variance, self.noise)

    def named(self, g: OfCovariance, j: int) -> tuple[Estimate, Estimate]:
        """Return σ_j and ρ_j."""
        m = self.m
        top = math.inf
        if self.agree:
            return self._no_noise()
        if m.constant[j]:
            return (
                Estimate(0.0, unit=self.unit, note=f"no interval: {EQUAL}"),
                Estimate(math.nan, note=EQUAL),
            )
        if m.k == 2:
            total, error = self.difference
            top = log_limits(total, error, self.df, self.level)[1]
        sigma = self._root(m.value(g), m.error(g, self.noise), top)

        def share(mean: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(g(mean, s) / s[..., j, j])

        if m.covariance[j, j] <= NO_NOISE:
            return sigma, Estimate(math.nan, note=EQUAL)
        if m.k == 2 and m.constant.any():
            return sigma, NO_TRUTH
        value, error = m.value(share), m.error(share, self.noise)
        low, high = limits_of_variance(value, error, self.df, self.level, 1.0)
        limits = Interval(1 - high, 1 - low, self.level, self.method("t of the share of noise"))
        note = "" if 0 <= value <= 1 else "the estimate is outside 0 to 1, and is cut"
        return sigma, Estimate(min(max(1 - value, 0.0), 1.0), error, limits, note=note)

    def _root(self, value: float, error: float, top: float = math.inf) -> Estimate:
        low, high = limits_of_variance(value, error, self.df, self.level, top)
        scale = self.m.scale
        limits = Interval(
            math.sqrt(low) * scale,
            math.sqrt(high) * scale,
            self.level,
            self.method("root of t of σ²"),
        )
        spread = error / (2 * math.sqrt(value)) * scale if value > error else None
        note = "the estimate of σ² is negative: too few items to tell" if value < 0 else ""
        return Estimate(math.sqrt(max(value, 0.0)) * scale, spread, limits, self.unit, note)

    def one_of_them(self) -> tuple[Estimate, Estimate]:
        m, k = self.m, self.k
        per_item = (k - 1) / k / m.n_items

        def floor(mean: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
            off = mean[..., :k] - mean[..., :k].sum(axis=-1, keepdims=True) / k
            return np.asarray(_within(s, k) * (1 - per_item) + (off**2).sum(axis=-1) / k)

        def odds(mean: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
            off = mean[..., :k] - mean[..., :k].sum(axis=-1, keepdims=True) / k
            spread = sum(s[..., j, j] for j in range(k)) / k
            total = spread + (off**2).sum(axis=-1) / k - per_item * _within(s, k)
            return np.asarray(np.log(total / floor(mean, s)))

        value = m.value(floor)
        if value <= NO_NOISE:
            return self._no_noise()
        error = m.error(floor, self.noise)
        low, high = (math.sqrt(v) * m.scale for v in log_limits(value, error, self.df, self.level))
        limits = Interval(low, high, self.level, self.method("log-t"))
        sigma = math.sqrt(value) * m.scale
        rmse = Estimate(sigma, sigma * error / (2 * value), limits, self.unit)
        if self.agree:
            rmse = Estimate(sigma, unit=self.unit, note=ADDITIVE)
        if k == 2 and m.constant[:k].any():
            return rmse, NO_TRUTH
        size, error = m.value(odds), m.error(odds, self.noise)
        reach = t_reach(self.df, self.level) * error
        low, high = (-math.expm1(-max(min(x, 700.0), 0.0)) for x in (size - reach, size + reach))
        limits = Interval(low, high, self.level, self.method("t of −log(1−ρ)"))
        share = -math.expm1(-max(size, -700.0))
        note = "the rounds do not correlate" if share <= 0 else ""
        return rmse, Estimate(
            max(share, 0.0), error * math.exp(min(-size, 700.0)), limits, note=note
        )

    def _no_noise(self) -> tuple[Estimate, Estimate]:
        """Return the floor and the R² of raters who agree."""
        note = "no interval: the rounds agree to rounding"
        if self.m.constant[: self.k].all():
            return Estimate(0.0, unit=self.unit, note=note), Estimate(math.nan, note=EQUAL)
        return Estimate(0.0, unit=self.unit, note=note), Estimate(1.0, note=note)

    def new_rater(self, each: list[OfCovariance]) -> Estimate:
        """Return √(E σ² + Var β), the two parts' limits joined as Graybill & Wang (1980)."""
        m, k = self.m, self.k

        def within(_: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
            return _within(s, k)

        a = m.value(within) * (1 - 1 / m.n_items)
        mean = m.mean[:k]
        b = float(np.var(mean, ddof=1))
        items = m.error(within, self.noise) ** 2
        between = max(float(np.var([m.value(g) for g in each], ddof=1)) / k - items, 0.0)
        total = items + between
        if a <= NO_NOISE or total <= 1e-12 * a**2 or self.df < 1:
            square = a + b if a + b > NO_NOISE else 0.0
            return Estimate(
                math.sqrt(square) * m.scale,
                unit=self.unit,
                note=ADDITIVE,
            )
        df = total**2 / (items**2 / self.df + between**2 / (k - 1))
        tail = (1 + self.level) / 2
        reach = t_reach(df, self.level) * math.sqrt(total) / m.value(within)
        a_low, a_high = a * math.exp(-reach), a * math.exp(min(reach, 700.0))
        chi = [float(special.chdtri(k - 1, p)) for p in (1 - tail, tail)]
        down = math.hypot(a - a_low, b * (1 - (k - 1) / chi[0]))
        up = math.hypot(a_high - a, b * ((k - 1) / chi[1] - 1))
        low, high = math.sqrt(max(a + b - down, 0.0)), math.sqrt(a + b + up)
        note = unbounded_note(k)
        high = math.inf if note else high
        limits = Interval(low * m.scale, high * m.scale, self.level, "Graybill–Wang over raters")
        return Estimate(math.sqrt(a + b) * m.scale, None, limits, self.unit, note)

    def share_of_new(self, rmse: Estimate) -> Estimate:
        """Return τ²/(τ² + RMSE²) against a new rater, the two parts' limits joined (MOVER)."""
        k = self.k

        def truth(_: NDArray[Any], s: NDArray[Any]) -> NDArray[Any]:
            cross: Any = sum(s[..., j, i] for j in range(k) for i in range(j))
            return np.asarray(cross * 2 / (k * (k - 1)))

        tau = self.m.value(truth)
        error = self.m.error(truth, self.noise) / tau if tau > 0 else 0.0
        return share_of_truth(rmse, tau * self.m.scale**2, error, self.df, self.level)


def _within(s: NDArray[Any], k: int) -> NDArray[Any]:
    """Return the mean of σ_j²: mean S_jj less mean S_jl."""
    total = sum(s[..., j, j] for j in range(k)) / k
    cross: Any = sum(s[..., j, i] for j in range(k) for i in range(j)) * 2 / (k * (k - 1))
    return np.asarray(total - cross)


def _without_identity(rounds: Rounds, level: float) -> UnequalRaters:
    if len(rounds.values) < FEWEST:
        raise AnnostatError(
            f"raters who differ take {FEWEST} items with two labels, got {len(rounds.values)}"
        )
    v = Variances.of(rounds)
    sigma = v.scale * math.sqrt(max(float(v.within(v.sums.totals)), 0.0))
    limits = noise_interval(v, level=level)
    codes = cluster_codes(rounds.cluster)
    units = np.arange(len(rounds.values)) if codes is None else codes
    tails = tails_of_labels(rounds.values, np.ones(rounds.n_rounds), units, level=level)
    note = "" if limits is not None else "no interval: one unit, or labels that are all equal"
    rho = v.sums.value(v.reliability) if sigma > 0 else 1.0
    inner = reliability_interval(v, level=level)
    if inner is not None:
        inner = Interval(max(inner.low, 0.0), max(inner.high, 0.0), level, inner.method)
    kind = kind_of(
        ONE_OF_THEM,
        tails.widened(Estimate(sigma, None, limits, rounds.unit, note)),
        tails.share_widened(
            Estimate(max(rho, 0.0), None, inner, note="" if inner is not None else note)
        ),
    )
    text = "Whether raters differ cannot be told: the order of the rounds has no identity."
    return UnequalRaters((), (kind,), Check("equal_noise", None, text), tails.check, v.n_items)
