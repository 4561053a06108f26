"""Noise variance of each of several raters from their covariances, its limits, and its test."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from annostat.agreement.covariances import Moments, OfCovariance
from annostat.resampling.bootstraps import serial_product
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.text import p_text

FEWEST = 3  # items: two say nothing of a covariance
NO_NOISE = 1e-13  # of the variance of the truth: covariances differ by rounding
STEEPEST = 1.6  # of the half-width of a variance to the variance itself, on the log scale


def noise_variance_of(j: int, columns: int) -> OfCovariance:
    """Return σ_j² as a function of the covariances of the raters, and of a model behind them."""
    others = [c for c in range(columns) if c != j]
    weight = np.zeros((columns, columns))
    weight[j, j] = 1.0
    if len(others) == 1:
        weight[j, others] = -1.0
    else:
        weight[np.ix_(others, others)] = 1 / (len(others) * (len(others) - 1))
        weight[others, others] = 0.0
        weight[j, others] = -2 / len(others)
    return lambda _, s: np.asarray(np.sum(weight * s[..., :columns, :columns], axis=(-2, -1)))


def equal_noise(
    m: Moments, each: list[OfCovariance], names: tuple[str, ...], level: float
) -> Check:
    """Return Hotelling's test that all σ_j² are equal; for two raters it is a t test over units."""
    name, cannot = "equal_noise", "Whether the raters are equally noisy cannot be told"
    n, p = m.n_units, len(each) - 1
    last = each[-1]
    values = np.array([m.value(g) for g in each])
    contrasts: list[OfCovariance] = [
        lambda mean, s, g=g: g(mean, s) - last(mean, s)  # type: ignore[misc]
        for g in each[:-1]
    ]
    pull = np.column_stack([m.sums.pull(lambda t, g=g: g(*m.split(t))) for g in contrasts])  # type: ignore[misc]
    spread = n / (n - 1) * serial_product(pull.T, pull) if n > 1 else np.zeros((p, p))
    agree = float(values.mean()) <= NO_NOISE / 2
    if agree or n - p < FEWEST or np.linalg.cond(spread) > 1e10:
        return Check(name, None, f"{cannot}: too few items, or rounds that are equal.")
    off = values[:-1] - values[-1]
    square = float(off @ np.linalg.solve(spread, off))
    f = square * (n - p) / (p * (n - 1))
    chance = float(special.fdtrc(p, n - p, f))
    worst, best = names[int(np.argmax(values))], names[int(np.argmin(values))]
    if chance >= 1 - level:
        text = f"The raters may be equally noisy ({p_text(chance)}); it is not assumed."
        return Check(name, True, text, f, chance)
    text = (
        f"The raters are not equally noisy ({p_text(chance)}): {worst} scatters more than {best}; "
        "read the row of the rater whose labels are met."
    )
    return Check(name, False, text, f, chance)


def limits_of_variance(
    value: float, error: float, df: int, level: float, top: float = math.inf
) -> tuple[float, float]:
    """Return limits of a variance that may be near 0, between 0 and `top`.

    v − t·e and v + t·e·(1 + q/2), q = t·e/v up to 1.6: the second order of the log scale.
    """
    reach = t_reach(df, level) * error
    if not reach > 1e-150:
        return max(value, 0.0), max(value, 0.0)
    low, high = value - reach, value + reach * (1 + reach / (2 * max(value, reach / STEEPEST)))
    return min(max(low, 0.0), top), min(max(high, 0.0), top)


def log_limits(value: float, error: float, df: int, level: float) -> tuple[float, float]:
    """Return the limits of a positive number by t on the log scale."""
    reach = t_reach(df, level) * error / value
    return value * math.exp(-min(reach, 700.0)), value * math.exp(min(reach, 700.0))


def share_of_truth(
    rmse: Estimate, truth: float, log_error: float, df: int, level: float
) -> Estimate:
    """Return τ²/(τ² + RMSE²), the R² of the best model, the two parts' limits joined (MOVER).

    Parameters
    ----------
    rmse : Estimate
        Floor of the RMSE; its upper limit may be infinite.
    truth : float
        Variance τ² of the truth, in its square; not positive or NaN where rounds do not correlate.
    log_error : float
        Standard error of log τ².
    df : int
        Degrees of freedom of the t limits of log τ².
    level : float
    """
    noise = rmse.value**2
    if noise <= NO_NOISE * max(truth, 0.0):
        return Estimate(1.0, note="no interval: the rounds agree to rounding")
    if not truth > 0:
        return Estimate(0.0, note="no interval: the rounds do not correlate")
    share = truth / (truth + noise)
    if rmse.interval is None:
        return Estimate(share, note=rmse.note)
    reach = min(t_reach(df, level) * log_error, 700.0)
    low, high = rmse.interval.low**2, rmse.interval.high**2
    up = math.hypot(reach, math.log(noise / max(low, 1e-12 * noise)))
    down = math.inf if math.isinf(high) else math.hypot(reach, math.log(high / noise))
    odds = math.log(truth / noise)
    limits = Interval(
        float(special.expit(odds - down)),
        float(special.expit(odds + up)),
        level,
        "MOVER of the truth and the raters",
    )
    return Estimate(share, None, limits, note=rmse.note)
