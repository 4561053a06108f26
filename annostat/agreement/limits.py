"""Bland-Altman analysis: bias and limits of agreement of two rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat._version import __version__
from annostat.agreement.differences import Differences
from annostat.agreement.limit_intervals import (
    Moments,
    chi_square_interval,
    limits_of,
    limits_of_sd,
    moments_of_differences,
    resampled_limits,
    t_estimate,
)
from annostat.agreement.lines import Design, Line
from annostat.agreement.variances import FEW_ITEMS
from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_choice, check_level, check_number, check_squares
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.intervals import NORMAL_95
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number, p_text

if TYPE_CHECKING:
    import pandas as pd


INTERVALS = ("bootstrap-t", "noncentral-t", "exact-variance", "sqrt3")
ABSOLUTE = math.sqrt(math.pi / 2)  # SD of a Gaussian over its mean absolute value


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
        notes = []
        if method not in ("bootstrap-t", "of the SD"):
            own = self.sd.interval is not None and self.sd.interval.method.startswith("log-t")
            what = "the limits" if own else "the limits and of the SD"
            notes.append(f"The intervals of {what} presume Gaussian differences.")
        notes += [e.note for e in (self.upper,) if e.note and e.interval is None]
        head = Section(title, ("what", "estimate", "interval"), rows, notes)
        return [head, check_section(self.checks)]


@takes_rounds
def bland_altman(
    rounds: Rounds,
    first: str | int = 0,
    second: str | int = 1,
    *,
    replicates: bool = False,
    log: bool = False,
    multiplier: float = NORMAL_95,
    interval: str = "bootstrap-t",
    sd: Estimate | None = None,
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
    sd : Estimate, optional
        SD of one difference with its interval at this level, as `repeatability` gives it
        (`sd_difference`): the intervals of the limits then follow from it by MOVER, hold the tails
        that it holds, and are missing where it has none; `interval` counts for nothing. Not with
        `replicates` or `log`.
    level : float
        Confidence level.
    n_resamples, rng, n_jobs
        For the bootstrap; whole clusters are drawn.

    Returns
    -------
    BlandAltman
        With the checks "proportional_bias" and "growing_spread": t tests (HC2, Bell & McCaffrey's
        degrees of freedom) of the slopes of the difference, and of its distance from that line, on
        the mean of both. Where a few
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
    if sd is not None and (replicates or log):
        raise AnnostatError("sd is of paired differences: it does not go with replicates or log")
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
    centre, size, units, error, freedom = moments_of_differences(x, y, pair, codes, replicates)
    unit = "" if log else rounds.unit
    bias = t_estimate(centre, error, units - 1, level, unit)
    used = "noncentral-t" if interval == "bootstrap-t" and units < FEW_ITEMS else interval
    if sd is not None:
        used = "of the SD"
    if used in ("bootstrap-t", "of the SD") and size > 0:
        # Centred and scaled before they are squared, so that no unit loses digits.
        scale = float(np.max(np.abs(d - centre)))
        z, inside = (y - x - centre) / scale, None if codes is None else codes[pair]
        if replicates and codes is not None:
            found = Differences.of_replicates(x / scale, (y - centre) / scale, codes)
        else:
            found = Differences.of(z[pair], inside)
        whole = Moments(centre, size, scale, multiplier, unit)
        if sd is not None:
            spread, lower, upper = limits_of_sd(found, whole, sd)
        else:
            spread, lower, upper = resampled_limits(
                found, whole, level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs
            )
    else:
        limits = limits_of(centre, size, units, error, freedom, multiplier, used, level)
        lower, upper = (Estimate(v, e, i, unit) for v, e, i in limits)
        spread = chi_square_interval(size, freedom, level, unit)
    bias_line, spread_line = _lines(means, d, None if codes is None else codes[pair])
    if log:
        bias, lower, upper = (e.through(math.exp, math.exp(e.value)) for e in (bias, lower, upper))
    return BlandAltman(
        bias,
        spread,
        lower,
        upper,
        bias_line,
        spread_line,
        means,
        d,
        multiplier,
        log,
        (rounds.names[a], rounds.names[b]),
        unit,
        _checks(bias_line, spread_line, 1 - level),
        Provenance(
            __version__,
            rounds.digest(),
            int(pair.sum()),
            seed_of(rng) if used == "bootstrap-t" else None,
            {
                "interval": used,
                "level": level,
                "log": log,
                "multiplier": multiplier,
                "replicates": replicates,
                "n_resamples": n_resamples,
            },
        ),
    )


def _column(rounds: Rounds, which: str | int) -> int:
    if isinstance(which, str):
        return rounds.names.index(check_choice("round", which, rounds.names))
    if not 0 <= which < rounds.n_rounds:
        raise AnnostatError(f"there is no round number {which}: there are {rounds.n_rounds}")
    return int(which)


def _stacked(
    rounds: Rounds, a: int, b: int
) -> tuple[FloatArray, FloatArray, NDArray[np.int64] | None]:
    x, y = (np.ascontiguousarray(rounds.values[:, j]) for j in (a, b))
    codes = cluster_codes(rounds.cluster)
    if rounds.weights is not None:
        x, y = (np.repeat(v, rounds.weights) for v in (x, y))
        codes = None if codes is None else np.repeat(codes, rounds.weights)
    return x, y, codes


def _lines(means: FloatArray, d: FloatArray, codes: NDArray[np.int64] | None) -> tuple[Line, Line]:
    design = Design.of(means, codes)
    line = design.fit(d)
    if line.slope_error == 0:  # it goes through all points
        return line, design.fit(np.zeros_like(d))
    return line, design.fit(np.abs(d - line.at(means)))


def _checks(bias: Line, spread: Line, alpha: float) -> tuple[Check, ...]:
    return (
        _slope_check(
            "proportional_bias",
            bias,
            alpha,
            "the difference changes with the mean",
            "use the regression limits (limits_at) or log=True; a difference in noise between "
            "the rounds looks the same",
        ),
        _slope_check(
            "growing_spread",
            spread,
            alpha,
            "the scatter of the differences changes with the mean",
            "use the regression limits (limits_at) or log=True",
        ),
    )


def _slope_check(name: str, line: Line, alpha: float, what: str, remedy: str) -> Check:
    if math.isnan(line.p_value):
        return Check(name, None, f"whether {what} cannot be told: the means or residuals are equal")
    spread = max(line.slope_error, abs(line.slope) / 100)  # four digits at most
    evidence = f"slope {format_number(line.slope, spread)}, {p_text(line.p_value)}"
    if line.p_value >= alpha:
        return Check(name, True, f"no sign that {what} ({evidence})", line.slope, line.p_value)
    return Check(name, False, f"{what} ({evidence}): {remedy}", line.slope, line.p_value)


def stacked_rounds(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], *, unit: str = ""
) -> Rounds:
    """Return unequal numbers of replicates of each subject as rounds with clusters.

    Parameters
    ----------
    first, second : sequence over subjects of sequences of values
        Replicates of each subject under each method; their numbers may differ.
    unit : str
        Unit of the values.

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
    return Rounds.from_array(rows, names=("first", "second"), cluster=cluster, unit=unit)
