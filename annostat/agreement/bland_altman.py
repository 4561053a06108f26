"""Bland–Altman: bias and limits of agreement of two rounds, with intervals for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat._version import __version__
from annostat.agreement.limits import Differences
from annostat.agreement.variances import FEW_ITEMS, NONE_COVERS
from annostat.errors import AnnostatError, check_choice, check_level, check_number, check_squares
from annostat.estimates import (
    Check,
    Estimate,
    Interval,
    Provenance,
    Result,
    Section,
    check_section,
    format_number,
    format_p,
    plain,
)
from annostat.resampling import Rng, cluster_codes, seed_of
from annostat.rounds import Rounds
from annostat.sums import mapped

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
INTERVALS = ("bootstrap-t", "noncentral-t", "exact-variance", "sqrt3")
ABSOLUTE = math.sqrt(math.pi / 2)  # SD of a Gaussian over its mean absolute value


@dataclass(frozen=True)
class Line:
    """A fitted line: intercept, slope, and the test that the slope vanishes."""

    intercept: float
    slope: float
    slope_error: float
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return the slope and its test as plain data."""
        return {
            "value": plain(self.slope),
            "standard_uncertainty": plain(self.slope_error),
            "p_value": plain(self.p_value),
        }

    def at(self, x: ArrayLike) -> FloatArray:
        """Return the line's height."""
        return np.asarray(self.intercept + self.slope * np.asarray(x, dtype=np.float64))


@dataclass(frozen=True)
class BlandAltman(Result):
    """Bias and limits of agreement.

    Attributes
    ----------
    bias, sd, lower, upper : Estimate
        Mean of second − first, SD of one difference, and bias ∓ multiplier·sd. On the log scale
        `bias`, `lower` and `upper` are ratios and `sd` that of the logarithms.
    bias_line, spread_line : Line
        Regression of the difference on the mean, and of its size on the mean: the SD there is
        √(π/2) times the second line. The limits of `limits_at`.
    means, differences : float64 arrays of shape (n,)
        What the plot shows; on the log scale, logarithms.
    multiplier : float
    log : bool
    names : tuple of str
        Names of the first and the second round.
    checks : tuple of Check
    provenance : Provenance
    """

    bias: Estimate
    sd: Estimate
    lower: Estimate
    upper: Estimate
    bias_line: Line
    spread_line: Line
    means: FloatArray
    differences: FloatArray
    multiplier: float
    log: bool
    names: tuple[str, str]
    unit: str
    checks: tuple[Check, ...]
    provenance: Provenance

    def limits_at(self, means: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return lower limit, bias and upper limit at these means, from the regressions.

        Bland & Altman (1999), section 3.2. NaN where the line of the spread is not positive.
        """
        centre = self.bias_line.at(means)
        spread = ABSOLUTE * self.spread_line.at(means)
        reach = self.multiplier * np.where(spread > 0, spread, np.nan)
        return centre - reach, centre, centre + reach

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "names": list(self.names),
            "log": self.log,
            "multiplier": self.multiplier,
            "bias": self.bias.to_dict(),
            "sd": self.sd.to_dict(),
            "lower": self.lower.to_dict(),
            "upper": self.upper.to_dict(),
            "bias_slope": self.bias_line.to_dict(),
            "spread_slope": self.spread_line.to_dict(),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row each for the lower limit, the bias and the upper limit."""
        import pandas as pd

        parts = {"lower": self.lower, "bias": self.bias, "upper": self.upper, "sd": self.sd}
        return pd.DataFrame([{"quantity": k, **v.to_dict()} for k, v in parts.items()])

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        kind = "ratio" if self.log else "difference"
        rows = [
            [label, e.short() + (f" {e.unit}" if e.unit else ""), e.range()]
            for label, e in (
                (f"mean {kind} (bias)", self.bias),
                ("lower limit of agreement", self.lower),
                ("upper limit of agreement", self.upper),
                ("SD of a difference" + (" of logarithms" if self.log else ""), self.sd),
            )
        ]
        title = f"Bland–Altman: {self.names[1]} − {self.names[0]}"
        method = self.provenance.options["interval"]
        notes = [] if method == "bootstrap-t" else [
            "The intervals of the limits and of the SD presume Gaussian differences."
        ]  # fmt: skip
        notes += [e.note for e in (self.upper,) if e.note and e.interval is None]
        head = Section(title, ("what", "estimate", "interval"), rows, notes)
        return [head, check_section(self.checks)]


def bland_altman(
    rounds: Rounds,
    first: str | int = 0,
    second: str | int = 1,
    *,
    replicates: bool = False,
    log: bool = False,
    multiplier: float = 1.959963984540054,
    interval: str = "bootstrap-t",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> BlandAltman:
    r"""Return bias and limits of agreement between two rounds.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds); items where either is missing are left out. A
        `cluster` marks repeated pairs of one subject, whose truth may change from pair to pair.
    first, second : str or int
        Names or positions of the two rounds; the difference is second − first.
    replicates : bool
        If True, all pairs of one cluster measure the same constant truth without being paired:
        the SD of a difference then is that of the clusters' means, with the within-cluster
        variances of both rounds added back (Bland & Altman 1999, section 5.2, unequal numbers of
        replicates included). If False, clusters' pairs are differences in their own right, and
        between- and within-cluster variances add up (Bland & Altman 2007).
    log : bool
        Take logarithms first; bias and limits come back as ratios. Needs positive values.
    multiplier : float
        Limits are bias ∓ multiplier·sd; 1.96 by default, 2 in Bland & Altman (1986).
    interval : {"bootstrap-t", "noncentral-t", "exact-variance", "sqrt3"}
        Of the limits and of the SD. "bootstrap-t" takes differences of any law whose kurtosis the
        sample shows, and clusters of pairs: a bootstrap-t of log SD, combined with the t interval
        of the bias (MOVER). The others presume independent Gaussian differences, with χ² for the
        SD: "noncentral-t" is exact (Carkeet 2015), "exact-variance" uses
        SE² = sd²·(1/n + multiplier²/(2(n−1))), "sqrt3" the rounder SE² = 3·sd²/n of Bland & Altman
        (1986), both with a t quantile. Fewer than 15 pairs (clusters) cannot show their law: there
        "noncentral-t" stands in for the bootstrap.
    level : float
        Confidence level.
    n_resamples, rng, n_jobs
        For the bootstrap; whole clusters are drawn.

    Returns
    -------
    BlandAltman
        With the checks "proportional_bias" and "growing_spread": t tests (HC3) of the slopes of
        the difference, and of its distance from that line, on the mean of both. Where a few
        differences carry most of the variance (as in `repeatability`) the bootstrap gives no
        interval of the limits, since none covers.

    Raises
    ------
    AnnostatError
        If fewer than three pairs are there, or a value is not positive with `log`.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> result = bland_altman(simulate_values(200, noise_sd=2.0, truth_sd=9.0, rng=1))
    >>> 0.0 in result.bias.interval, len(result.to_frame())
    (True, 4)
    """
    check_choice("interval", interval, INTERVALS)
    level = check_level(level)
    multiplier = check_number("multiplier", multiplier, low=0.0, open_ends=True)
    a, b = (_column(rounds, c) for c in (first, second))
    if a == b:
        raise AnnostatError(f"first and second are the same round: {rounds.names[a]}")
    x, y, codes = _stacked(rounds, a, b)
    seen = np.concatenate([v[np.isfinite(v)] for v in (x, y)])
    check_squares(float(np.max(np.abs(seen), initial=0.0)))
    if log:
        if (seen <= 0).any():
            raise AnnostatError(
                "log=True needs values above 0: the logarithm of others is not there"
            )
        x, y = np.log(x), np.log(y)
    pair = np.isfinite(x) & np.isfinite(y)
    if pair.sum() < 3:
        raise AnnostatError(f"a Bland-Altman analysis takes 3 or more pairs, got {int(pair.sum())}")
    means, d = (x[pair] + y[pair]) / 2, (y - x)[pair]
    centre, sd, units, error, freedom = _moments(x, y, pair, codes, replicates)
    unit = "" if log else rounds.unit
    bias = _estimate(centre, error, units - 1, level, unit)
    used = "noncentral-t" if interval == "bootstrap-t" and units < FEW_ITEMS else interval
    if used == "bootstrap-t" and sd > 0:
        # Centred and scaled before they are squared, so that no unit loses digits.
        scale = float(np.max(np.abs(d - centre)))
        z, inside = (y - x - centre) / scale, None if codes is None else codes[pair]
        if replicates and codes is not None:
            found = Differences.of_replicates(x / scale, (y - centre) / scale, codes)
        else:
            found = Differences.of(z[pair], inside)
        spread, lower, upper = _resampled(
            found, centre, sd, scale, multiplier, unit,
            level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs,
        )  # fmt: skip
    else:
        limits = _limits(centre, sd, units, error, freedom, multiplier, used, level)
        lower, upper = (Estimate(v, e, i, unit) for v, e, i in limits)
        spread = _chi_square(sd, freedom, level, unit)
    bias_line, spread_line = _lines(means, d, None if codes is None else codes[pair])
    if log:
        bias, lower, upper = (_exponential(e) for e in (bias, lower, upper))
    return BlandAltman(
        bias, spread, lower, upper, bias_line, spread_line, means, d, multiplier, log,
        (rounds.names[a], rounds.names[b]), unit,
        _checks(bias_line, spread_line, 1 - level),
        Provenance(
            __version__, rounds.digest(), int(pair.sum()),
            seed_of(rng) if used == "bootstrap-t" else None,
            {"interval": used, "level": level, "log": log, "multiplier": multiplier,
             "replicates": replicates, "n_resamples": n_resamples},
        ),
    )  # fmt: skip


def _column(rounds: Rounds, which: str | int) -> int:
    if isinstance(which, str):
        return rounds.names.index(check_choice("round", which, rounds.names))
    if not 0 <= which < rounds.n_rounds:
        raise AnnostatError(f"there is no round number {which}: there are {rounds.n_rounds}")
    return int(which)


def _stacked(
    rounds: Rounds, a: int, b: int
) -> tuple[FloatArray, FloatArray, NDArray[np.int64] | None]:
    x, y = rounds.values[:, a], rounds.values[:, b]
    codes = cluster_codes(rounds.cluster)
    if rounds.weights is not None:
        x, y = (np.repeat(v, rounds.weights) for v in (x, y))
        codes = None if codes is None else np.repeat(codes, rounds.weights)
    return x, y, codes


def _moments(
    x: FloatArray,
    y: FloatArray,
    pair: NDArray[np.bool_],
    codes: NDArray[np.int64] | None,
    replicates: bool,
) -> tuple[float, float, int, float, float]:
    """Return bias, SD of one difference, units, standard error of the bias, df of the SD."""
    d = (y - x)[pair]
    if codes is None:
        if replicates:
            raise AnnostatError("replicates=True needs clusters: which pairs are of one subject")
        n = len(d)
        sd = float(np.std(d, ddof=1))
        return float(d.mean()), sd, n, sd / math.sqrt(n), n - 1
    if not replicates:
        groups, counts, sums, within, df_within = _one_way(d, codes[pair])
        n, total = groups, counts.sum()
        if n < 3:
            raise AnnostatError(f"limits of agreement take 3 or more clusters, got {n}")
        bias = float(sums.sum() / total)
        between = float(np.sum(counts * (sums / counts - bias) ** 2)) / (n - 1)
        size = (total - float(np.sum(counts**2)) / total) / (n - 1)
        extra = max((between - within) / size, 0.0)
        # Cluster-robust error of the mean; Satterthwaite's degrees of freedom of the variance.
        pull = sums - counts * bias
        error = math.sqrt(n / (n - 1) * float(np.sum(pull**2))) / total
        variance = extra + within
        top, rest = between / size, (1 - 1 / size) * within
        spread = top**2 / (n - 1) + (rest**2 / df_within if df_within else 0.0)
        freedom = variance**2 / spread if spread > 0 else n - 1
        return bias, math.sqrt(variance), n, error, freedom
    parts = [_one_way(v[np.isfinite(v)], codes[np.isfinite(v)]) for v in (x, y)]
    means = []
    for v in (x, y):
        seen = np.isfinite(v)
        count = np.bincount(codes[seen], minlength=codes.max() + 1)
        total = np.bincount(codes[seen], weights=v[seen], minlength=codes.max() + 1)
        means.append((np.where(count > 0, total / np.maximum(count, 1), np.nan), count))
    (mean_x, count_x), (mean_y, count_y) = means
    both = np.isfinite(mean_x) & np.isfinite(mean_y)
    n = int(both.sum())
    if n < 3:
        raise AnnostatError(f"limits of agreement take 3 or more subjects with both, got {n}")
    delta = (mean_y - mean_x)[both]
    variance = float(np.var(delta, ddof=1))
    pieces = [(variance, n - 1)]
    for (_, _, _, within, df), count in zip(parts, (count_x, count_y), strict=True):
        share = 1 - float(np.mean(1 / count[both]))
        if df:
            pieces.append((share * within, df))
    whole = sum(p for p, _ in pieces)
    freedom = whole**2 / sum(p**2 / df for p, df in pieces) if whole > 0 else n - 1
    bias = float(delta.mean())
    return bias, math.sqrt(whole), n, math.sqrt(variance / n), freedom


def _one_way(
    v: FloatArray, codes: NDArray[np.int64]
) -> tuple[int, FloatArray, FloatArray, float, int]:
    """Return groups, their counts and sums, the mean square within, its degrees of freedom."""
    _, codes = np.unique(codes, return_inverse=True)
    counts = np.bincount(codes).astype(np.float64)
    sums = np.asarray(np.bincount(codes, weights=v), dtype=np.float64)
    df = len(v) - len(counts)
    inside = float(np.sum((v - (sums / counts)[codes]) ** 2))
    return len(counts), counts, sums, inside / df if df else 0.0, df


def _limits(
    bias: float,
    sd: float,
    n: int,
    error: float,
    freedom: float,
    z: float,
    method: str,
    level: float,
) -> list[tuple[float, float | None, Interval | None]]:
    if sd == 0:
        return [(bias, None, None), (bias, None, None)]
    size = (sd / error) ** 2  # of independent differences with this error of the mean
    if method == "sqrt3":
        se = sd * math.sqrt(3 / size)
        name = "t, SE² = 3·sd²/n (Bland & Altman 1986)"
    else:
        se = sd * math.sqrt(1 / size + z**2 / (2 * freedom))
        name = "t, SE² = sd²·(1/n + z²/(2·df))"
    found: list[tuple[float, float | None, Interval | None]] = []
    reach = float(special.stdtrit(freedom, (1 + level) / 2)) * se
    for side in (-1, 1):
        limit = bias + side * z * sd
        if method == "noncentral-t":
            tails = [noncentral_t(q, freedom, z * math.sqrt(size)) * error
                     for q in ((1 - level) / 2, (1 + level) / 2)]  # fmt: skip
            ends = sorted(bias + side * t for t in tails)
            interval = Interval(ends[0], ends[1], level, "noncentral t (Carkeet 2015)")
        else:
            interval = Interval(limit - reach, limit + reach, level, name)
        found.append((limit, se, interval))
    return found


def _resampled(
    found: Differences, centre: float, sd: float, scale: float, multiplier: float, unit: str, *,
    level: float, n_resamples: int, rng: Rng, n_jobs: int | None,
) -> tuple[Estimate, Estimate, Estimate]:  # fmt: skip
    """Return the SD and both limits with the intervals that presume no law.

    `found` is of (difference − centre)/scale.
    """
    values = sd, centre - multiplier * sd, centre + multiplier * sd
    intervals, note = None, NONE_COVERS
    if not found.dominated:
        note = "no interval: all differences have the same size"
        intervals = found.intervals(
            multiplier, level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs
        )
    if intervals is None:
        spread, lower, upper = (Estimate(v, None, None, unit, note) for v in values)
        return spread, lower, upper
    errors = found.errors(multiplier)

    def estimate(i: int, centre: float) -> Estimate:
        limits = mapped(intervals[i], lambda x: centre + scale * x)
        return Estimate(values[i], scale * errors[i], limits, unit)

    return estimate(0, 0.0), estimate(1, centre), estimate(2, centre)


def noncentral_t(q: float, freedom: float, shift: float) -> float:
    """Return the quantile of the noncentral t distribution, by bisection."""
    guess = shift + float(special.ndtri(q)) * math.sqrt(1 + shift**2 / (2 * freedom))
    width = 1.0 + abs(guess) / 4
    low, high = guess - width, guess + width
    for _ in range(60):
        if special.nctdtr(freedom, shift, low) <= q <= special.nctdtr(freedom, shift, high):
            break
        low, high = low - width, high + width
    while high - low > 1e-12 * (1 + abs(guess)):
        middle = (low + high) / 2
        if special.nctdtr(freedom, shift, middle) < q:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _lines(means: FloatArray, d: FloatArray, codes: NDArray[np.int64] | None) -> tuple[Line, Line]:
    line = fit_line(means, d, codes)
    return line, fit_line(means, np.abs(d - line.at(means)), codes)


def fit_line(x: FloatArray, y: FloatArray, codes: NDArray[np.int64] | None = None) -> Line:
    """Return the least-squares line with an HC3 (or cluster-robust) test of its slope."""
    centre = float(x.mean())
    u = x - centre
    sxx = float(u @ u)
    if sxx <= 1e-24 * (1 + float(np.max(np.abs(x)))) ** 2:
        return Line(float(y.mean()), 0.0, math.nan, math.nan)
    slope = float(u @ y) / sxx
    level = float(y.mean())
    residual = y - level - slope * u
    leverage = 1 / len(x) + u**2 / sxx
    pull = u * residual / np.maximum(1 - leverage, 1e-12)
    units = len(x)
    if codes is not None:
        _, codes = np.unique(codes, return_inverse=True)
        pull = np.asarray(np.bincount(codes, weights=pull), dtype=np.float64)
        units = len(pull)
    error = math.sqrt(float(pull @ pull)) / sxx
    p = math.nan
    if error > 0 and units > 2:
        p = 2 * float(special.stdtr(units - 2, -abs(slope) / error))
    return Line(level - slope * centre, slope, error, p)


def _estimate(value: float, error: float, df: float, level: float, unit: str) -> Estimate:
    if error == 0:
        return Estimate(value, None, None, unit, "no interval: all differences are equal")
    reach = float(special.stdtrit(df, (1 + level) / 2)) * error
    return Estimate(value, error, Interval(value - reach, value + reach, level, "t"), unit)


def _chi_square(sd: float, freedom: float, level: float, unit: str) -> Estimate:
    if sd == 0:
        return Estimate(0.0, None, None, unit, "no interval: all differences are equal")
    low, high = (
        sd * math.sqrt(freedom / float(special.chdtri(freedom, p)))
        for p in ((1 - level) / 2, (1 + level) / 2)
    )
    error = sd / math.sqrt(2 * freedom)
    return Estimate(sd, error, Interval(low, high, level, "chi-square"), unit)


def _exponential(e: Estimate) -> Estimate:
    interval = e.interval
    if interval is not None:
        interval = Interval(math.exp(interval.low), math.exp(interval.high), interval.level,
                            interval.method)  # fmt: skip
    value = math.exp(e.value)
    error = None if e.standard_uncertainty is None else value * e.standard_uncertainty
    return Estimate(value, error, interval, "", e.note)


def _checks(bias: Line, spread: Line, alpha: float) -> tuple[Check, ...]:
    return (
        _slope_check(
            "proportional_bias", bias, alpha,
            "the difference changes with the mean",
            "use the regression limits (limits_at) or log=True; a difference in noise between "
            "the rounds looks the same",
        ),
        _slope_check(
            "growing_spread", spread, alpha,
            "the scatter of the differences changes with the mean",
            "use the regression limits (limits_at) or log=True",
        ),
    )  # fmt: skip


def _slope_check(name: str, line: Line, alpha: float, what: str, remedy: str) -> Check:
    if math.isnan(line.p_value):
        return Check(name, None, f"whether {what} cannot be told: the means or residuals are equal")
    evidence = f"slope {format_number(line.slope, line.slope_error)}, p = {format_p(line.p_value)}"
    if line.p_value >= alpha:
        return Check(name, True, f"no sign that {what} ({evidence})", line.slope, line.p_value)
    return Check(name, False, f"{what} ({evidence}): {remedy}", line.slope, line.p_value)


def stacked_rounds(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], **options: Any
) -> Rounds:
    """Return unequal numbers of replicates of each subject as rounds with clusters.

    Parameters
    ----------
    first, second : sequence over subjects of sequences of values
        Replicates of each subject under each method; their numbers may differ.
    **options
        Passed on to `Rounds.from_array`.

    Returns
    -------
    Rounds
        With rounds "first" and "second", one row per replicate, for
        ``bland_altman(rounds, replicates=True)``.

    Examples
    --------
    >>> stacked_rounds([[1.0, 1.2], [2.0]], [[1.1], [2.2, 2.1]])
    <Rounds: 4 items × 2 rounds (first, second), 2 missing, with cluster>
    """
    if len(first) != len(second):
        raise AnnostatError(f"{len(first)} subjects of first, but {len(second)} of second")
    rows, cluster = [], []
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        size = max(len(a), len(b))
        padded = [[*v, *[math.nan] * (size - len(v))] for v in (a, b)]
        rows += list(zip(*padded, strict=True))
        cluster += [f"subject {i + 1}"] * size
    return Rounds.from_array(rows, names=("first", "second"), cluster=cluster, **options)
