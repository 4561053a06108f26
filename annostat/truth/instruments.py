"""Noise of each of several instruments that measured the same items, without the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat.arrays import FloatArray, beside, dot
from annostat.errors import AnnostatError, check_level, check_numbers
from annostat.labels.rounds import Rounds
from annostat.resampling.clusters import cluster_codes, renumbered
from annostat.resampling.intervals import t_reach
from annostat.resampling.steps import log
from annostat.resampling.sums import Function, Sums, error_of_left_out, error_of_pulls
from annostat.results.estimates import Estimate, Interval
from annostat.truth.means import mean_estimate, root
from annostat.truth.products import Labels, cross_products

WIDE = 10  # sums of a pair of rounds
UNCORRELATED = "undefined: the rounds do not correlate with each other"
FIRST, SECOND = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 2, 1, 2])  # in its products


@dataclass(frozen=True)
class TripleCollocation:
    """What the covariances of three instruments say about each of them, in their order.

    Attributes
    ----------
    beta : tuple of float
        Factor that brings an instrument to the gain of the first.
    error_sd : tuple of float
        Noise SD in the instrument's own unit.
    error_sd_scaled : tuple of float
        Noise SD in the unit of the first.
    correlation : tuple of float
        Correlation with the truth, extended triple collocation.
    snr_db : tuple of float
        Variance of the truth over that of the noise, in decibels; infinite without noise.
    notes : tuple of str
        Why an entry is NaN, empty where none is.
    """

    beta: tuple[float, ...]
    error_sd: tuple[float, ...]
    error_sd_scaled: tuple[float, ...]
    correlation: tuple[float, ...]
    snr_db: tuple[float, ...]
    notes: tuple[str, ...]


def triple_collocation(covariance: ArrayLike) -> TripleCollocation:
    r"""Return noise and correlation with the truth of three instruments with free gains.

    Z_j = a_j + b_j·Y + X_j with X_j independent of the truth and of each other. Then
    b_j²·Var Y = S_jk·S_jl/S_kl; what remains of S_jj is noise (Stoffelen 1998), and
    ρ_j² = S_jk·S_jl/(S_jj·S_kl) (McColl et al. 2014).

    A model that regresses to the mean breaks the independence of X_f and Y: its noise is then
    wrong, while its correlation with the truth stays right.

    Parameters
    ----------
    covariance : array-like of shape (3, 3)
        Symmetric, of any scale; ``numpy.cov(x, rowvar=False)``.

    Returns
    -------
    TripleCollocation
        NaN, with a note, where a variance comes out negative, or a covariance that stands in a
        denominator is not positive together with its two companions.

    Raises
    ------
    AnnostatError
        If it is not a symmetric 3 × 3 matrix of finite numbers.

    Examples
    --------
    >>> truth, noise = 4.0, (1.0, 0.25, 2.25)
    >>> found = triple_collocation(truth + np.diag(noise))
    >>> found.error_sd
    (1.0, 0.5, 1.5)
    """
    s = check_numbers("covariance", covariance)
    if s.shape != (3, 3) or not np.isfinite(s).all():
        raise AnnostatError(
            f"covariance must be three by three finite numbers, got shape {s.shape}"
        )
    if np.abs(s - s.T).max() > 1e-9 * np.abs(s).max():
        raise AnnostatError("covariance must be symmetric")
    beta, sd, scaled, correlation, snr, notes = [], [], [], [], [], []
    for j in range(3):
        k, m = (i for i in range(3) if i != j)
        signal = s[j, k] * s[j, m] / s[k, m] if s[k, m] != 0 else math.nan
        # Gain of the first over that of j, by way of the third instrument.
        third = ({0, 1, 2} - {0, j}).pop()
        gain = 1.0 if j == 0 else s[0, third] / s[j, third] if s[j, third] != 0 else math.nan
        noise = s[j, j] - signal
        note = ""
        if not signal > 0:
            note, signal, gain, noise = (
                "the covariances leave no variance to the truth",
                *[math.nan] * 3,
            )
        elif noise < -1e-12 * s[j, j]:
            note, noise = "the variance of the noise comes out negative", math.nan
        noise = max(noise, 0.0) if noise == noise else noise
        beta.append(float(gain))
        sd.append(math.sqrt(noise))
        scaled.append(math.sqrt(noise) * abs(float(gain)))
        share = signal / s[j, j]
        correlation.append(math.sqrt(share) if share <= 1 + 1e-12 else math.nan)
        snr.append(
            math.nan if noise != noise else 10 * math.log10(signal / noise) if noise else math.inf
        )
        notes.append(note)
    return TripleCollocation(
        tuple(beta), tuple(sd), tuple(scaled), tuple(correlation), tuple(snr), tuple(notes)
    )


def three_cornered_hat(rounds: Rounds, *, level: float = 0.95) -> dict[str, Estimate]:
    r"""Return the noise SD of each of three or more instruments of equal gain.

    σ_j² = E[(Z_j − Z_k)(Z_j − Z_l)], averaged over the pairs of others (Grubbs 1948; Gray & Allan
    1974). One of the instruments may be a model, shrunken or not: for it the result is the root
    of its mean square error about its mean error, for the others it is their noise.

    Parameters
    ----------
    rounds : Rounds
        Three or more rounds, NaN for missing; an item counts for an instrument if two others have
        it too. Biases are removed, unless the rounds are exchangeable.
    level : float

    Returns
    -------
    dict of str to Estimate
        By name of the round, in its unit. The interval is that of the variance, a t interval,
        clipped at 0 and rooted. 0 with a note where the variance comes out negative.

    Raises
    ------
    AnnostatError
        If there are fewer than three rounds.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> z = rng.normal(0, 9, (500, 1)) + rng.normal(0, [1, 2, 3], (500, 3))
    >>> hat = three_cornered_hat(Rounds.from_array(z))
    >>> [round(e.value) for e in hat.values()]
    [1, 2, 3]
    """
    if rounds.n_rounds < 3:
        raise AnnostatError(f"a three-cornered hat takes three rounds, got {rounds.n_rounds}")
    level = check_level(level)
    used = rounds.usable()
    labels = Labels.of(used)
    codes = cluster_codes(used.cluster)
    found = {}
    for j, name in enumerate(used.names):
        others = labels.without((j,)).values
        product = labels.inflation * cross_products(others, labels.values[:, j])
        found[name] = root(mean_estimate(product, codes, level=level), used.unit)
    return found


def grubbs(rounds: Rounds, *, level: float = 0.95) -> dict[str, Estimate]:
    r"""Return the noise SD of each of two rounds: σ₁² = S₁₁ − S₁₂ (Grubbs 1948).

    It needs no third instrument, and pays for that with the scatter of the truth: with few items
    or little noise the variance is often negative.

    Parameters
    ----------
    rounds : Rounds
        Two rounds; items that lack one are left out.
    level : float

    Returns
    -------
    dict of str to Estimate
        By name of the round. Interval: t of the variance, clipped at 0 and rooted; 0 with a note
        where the variance comes out negative.

    Raises
    ------
    AnnostatError
        If there are not exactly two rounds.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> hat = grubbs(simulate_values(2000, noise_sd=2.0, truth_sd=5.0, rng=1))
    >>> 2.0 in hat["round_1"].interval
    True
    """
    if rounds.n_rounds != 2:
        raise AnnostatError(f"Grubbs' estimator takes two rounds, got {rounds.n_rounds}")
    level = check_level(level)
    used = rounds.usable()
    codes = cluster_codes(used.cluster)
    z = used.values - used.values.mean(axis=0)
    n = len(z)
    found = {}
    for j, name in enumerate(used.names):
        product = z[:, j] * (z[:, j] - z[:, 1 - j]) * (n / max(n - 1, 1))
        found[name] = root(mean_estimate(product, codes, level=level), used.unit)
    return found


def correct_for_attenuation(correlation: float, *reliabilities: float) -> float:
    """Return a correlation freed of the noise of one or both sides (Spearman 1904).

    Parameters
    ----------
    correlation : float
        Correlation of what was measured.
    *reliabilities : float
        Reliability of each noisy side, ICC or test-retest correlation.

    Returns
    -------
    float
        r/√(ρ₁·ρ₂); NaN where a reliability is not positive. It may pass 1 in a sample.

    Examples
    --------
    >>> round(correct_for_attenuation(0.72, 0.81), 12)
    0.8
    """
    if min(reliabilities, default=1.0) <= 0:
        return math.nan
    return correlation / math.sqrt(math.prod(reliabilities))


def correlation_with_truth(
    labels: FloatArray,
    f: FloatArray,
    cluster: NDArray[np.int64] | None = None,
    *,
    level: float = 0.95,
    exchangeable: bool = False,
) -> Estimate:
    """Return ρ_f by extended triple collocation, the geometric mean over the pairs of rounds.

    Rounds without identity have one gain: the pairs are pooled, which is Spearman's correction.
    Its interval joins those of the correlation with a label and of two labels, on Fisher's scale.
    """
    blocks = []
    if exchangeable:
        k = np.maximum(np.isfinite(labels).sum(axis=1), 1)
        mean, power = np.nansum(labels, axis=1) / k, np.nansum(labels**2, axis=1) / k
        square = cross_products(labels, np.zeros(len(f)))
        blocks = [_block(f, mean, mean, square, power, power)]
    else:
        for j, m in combinations(range(labels.shape[1]), 2):
            a, b = labels[:, j], labels[:, m]
            both = np.isfinite(a) & np.isfinite(b) & np.isfinite(f)
            # Sums of a round that is constant there are 0 up to rounding, of either sign.
            if any(both.any() and np.ptp(x[both]) == 0 for x in (a, b)):
                return Estimate(math.nan, note=UNCORRELATED)
            blocks.append(_block(f, a, b, a * b, a * a, b * b))
    there = [b for b in blocks if b[:, 0].sum() >= 3]
    if not there:
        return Estimate(math.nan, note="undefined: it takes three items with two labels")
    columns = there[0] if len(there) == 1 else np.hstack(there)
    seen = np.asarray(columns[:, ::WIDE].any(axis=1))
    codes = None if cluster is None else renumbered(cluster[seen])
    sums = Sums.of(columns if seen.all() else columns[seen], codes)
    signs = []
    for block in range(len(there)):
        totals = sums.totals[WIDE * block : WIDE * (block + 1)]
        variance, first, second, common = _covariances(totals)[:4]
        if not variance > 1e-24:
            return Estimate(math.nan, note="undefined: the model gives the same value to all items")
        if not common > 0:
            return Estimate(math.nan, note=UNCORRELATED)
        if not first * second > 0:
            note = "undefined: the model correlates with one round up and with another one down"
            return Estimate(math.nan, note=note)
        signs.append(1 if first > 0 else -1)
    sign = signs[0]
    if len(set(signs)) > 1:
        note = "undefined: the model correlates with one round up and with another one down"
        return Estimate(math.nan, note=note)

    def logs(t: NDArray[Any]) -> NDArray[Any]:
        """Logarithms of the correlations: of the model with a label, and of two labels."""
        found = np.zeros((2, *t.shape[:-1]), dtype=t.dtype)
        for b in range(len(there)):
            block = t[..., WIDE * b : WIDE * (b + 1)]
            variance, first, second, common, aa, bb = _covariances(block)
            labels = log(aa * bb)
            found[0] += 0.5 * log(first * second / variance) - 0.25 * labels
            found[1] += log(common) - 0.5 * labels
        return found / len(there)

    own, among = logs(sums.totals).tolist()
    pulls = sums.pull(logs)
    value = sign * math.exp(own - 0.5 * among)
    error = math.nan
    if sums.n_units > 1:
        error = abs(value) * error_of_pulls(pulls[0] - 0.5 * pulls[1])
    interval = None
    if sums.n_units >= 3 and math.isfinite(error) and error > 0:
        low, high = _disattenuated(sums, logs, (own, among), pulls, level)
        ends = (low, high) if sign > 0 else (-high, -low)
        interval = Interval(*ends, level, f"t of two artanh r over {sums.units}, joined")
    note = "" if interval is not None else "no interval: too few items, or no scatter"
    if abs(value) > 1:
        note = f"the estimate is {value:.4g}, beyond 1: no noise of the model is seen"
        value = math.copysign(1.0, value)
    return Estimate(value, error if error > 0 else None, interval, note=note)


def _disattenuated(
    sums: Sums, logs: Function, values: tuple[float, float], pulls: FloatArray, level: float
) -> tuple[float, float]:
    """Return limits of r/√ρ, r > 0 the correlation with a label and ρ that of two labels.

    Both have t intervals of artanh; all θ are held at which r − θ·√ρ may be 0 by the method of
    variance estimates recovery (Zou & Donner 2008), with the correlation of both. Where the model
    looks perfect, t of the ratio itself takes its error for as small as it then is.
    """
    reach = t_reach(sums.n_units - 1, level)
    with np.errstate(all="ignore"):
        left_out = np.arctanh(np.exp(sums.jackknife(logs)))

    def part(which: int, power: float) -> tuple[float, float, float]:
        r = math.exp(values[which])
        off = math.inf
        if r < 1 - 1e-12:
            slope = r / (1 - r * r)  # of artanh r by log r
            error = slope * error_of_pulls(pulls[which])
            off = reach * max(error, _finite(error_of_left_out(left_out[which])))
        if not math.isfinite(off):
            return r**power, 0.0, 0.0
        low, high = (math.tanh(math.atanh(r) + side * off) for side in (-1, 1))
        if power == 1:
            return r, r - low, high - r
        return r**power, r**power - max(low, 0.0) ** power, high**power - r**power

    (x, x_down, x_up), (y, y_down, y_up) = part(0, 1.0), part(1, 0.5)
    size = math.sqrt(dot(pulls[0], pulls[0]) * dot(pulls[1], pulls[1]))
    both = dot(pulls[0], pulls[1]) / size if size > 0 else 0.0

    best = x / y

    def reaches(theta: float) -> tuple[float, float]:
        # From above zero down to it the model may be less right, or labels more alike.
        if theta > best:
            return x_up, y_down
        return x_down, y_up if theta >= 0 else y_down

    def held(theta: float) -> bool:
        a, b = reaches(theta)
        b *= theta
        return (x - theta * y) ** 2 <= a * a + b * b - 2 * both * a * b

    def end(far: float) -> float:
        if held(far):
            return far
        inside = best
        while inside > 0 > far:  # to a side of zero, where the reaches are others
            middle = (inside + far) / 2
            inside, far = (middle, far) if held(middle) else (inside, middle)
        a, b = reaches((inside + far) / 2)
        square, half, rest = y * y - b * b, both * a * b - x * y, x * x - a * a
        turn = math.copysign(math.sqrt(max(half * half - square * rest, 0.0)), half) + half
        roots = [-p / q for p, q in ((turn, square), (rest, turn)) if q]
        low, high = min(inside, far), max(inside, far)
        nearest = min(roots, key=lambda r: max(low - r, r - high), default=inside)
        return min(max(nearest, low), high)

    return min(end(-1.0), 1.0), 1.0 if best >= 1 else end(1.0)


def _finite(error: float) -> float:
    return error if math.isfinite(error) else 0.0


def _block(f: FloatArray, a: FloatArray, b: FloatArray, *products: FloatArray) -> FloatArray:
    """Return n, f, a, b, f², fa, fb and ab, a², b² of each item, zeros where one is missing."""
    columns = beside([np.ones_like(f), f, a, b, f * f, f * a, f * b, *products])
    there = np.isfinite(columns[:, 4:].sum(axis=1))  # of products, as of what they are made of
    return columns if there.all() else np.where(there[:, None], columns, 0.0)


def _covariances(t: NDArray[Any]) -> NDArray[Any]:
    """Return S_ff, S_fa, S_fb, S_ab, S_aa and S_bb from the sums of a block, on the first axis."""
    sums = t.T  # a row for each sum
    mean = sums[1:4] / sums[0]
    return np.asarray(sums[4:10] / sums[0] - mean[FIRST] * mean[SECOND])
