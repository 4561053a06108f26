"""Bounds from published summaries: an SD, its convention, a correlation, the number of items."""

from __future__ import annotations

import math

from scipy import special

from annostat._version import __version__
from annostat.agreement.conventions import CONVENTIONS, noise_sd_from
from annostat.ceilings.floors import ANTICORRELATED, Bounds
from annostat.ceilings.readings import Readings
from annostat.errors import AnnostatError, check_choice, check_count, check_level, check_number
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Provenance

MERGED = "session-vs-mean"


def bounds_from_summary(
    *,
    sd: float | None = None,
    convention: str | None = None,
    correlation: float | None = None,
    n: int | None = None,
    n_rounds: int = 2,
    kurtosis: float | None = None,
    m: int = 1,
    level: float = 0.95,
    unit: str = "",
) -> Bounds | Readings:
    """Return the floors and ceilings that published numbers imply.

    Parameters
    ----------
    sd : float, optional
        Published SD of repeated annotation, positive.
    convention : str, optional
        What both numbers are of (`annostat.agreement.CONVENTIONS`). Without it every reading
        comes back (`Readings.readings`), and nothing is chosen.
    correlation : float, optional
        Published correlation of repeated annotation. Under "session-vs-mean" it is that of a
        session with the mean of all k, r = √((1 + (k−1)ρ)/k), otherwise that of two sessions.
    n : int, optional
        Number of items behind them, for the intervals.
    n_rounds : int
        Number k of sessions behind them.
    kurtosis : float, optional
        Kurtosis of the differences, if published; else the interval presumes Gaussian noise.
    m : int
        Number of annotations that a label of the test set is the mean of.
    level : float
        Confidence level.
    unit : str
        Unit of `sd`.

    Returns
    -------
    Bounds or Readings
        The latter if the convention is open. With intervals if `n` is given: of σ by chi-square on
        n − 1 degrees of freedom, or with `kurtosis` κ by SE(ln σ) = √((κ−1)/4(n−1)); of ρ by
        Fisher's z of the correlation. They presume independent items, and Fisher's z Gaussian
        labels.

    Raises
    ------
    AnnostatError
        If neither sd nor correlation is given, or a number is out of its domain.

    Examples
    --------
    >>> found = bounds_from_summary(sd=5.7, convention="between-sessions", correlation=0.801)
    >>> print(f"{found.rmse_floor.value:.2f} {found.correlation_ceiling.value:.3f}")
    4.03 0.895
    >>> list(bounds_from_summary(sd=5.7).readings)
    ['between-sessions', 'session-vs-mean', 'noise-sd', 'mean-item-sd']
    """
    if sd is None and correlation is None:
        raise AnnostatError("give an SD of repeated annotation (sd), a correlation, or both")
    if sd is not None:
        sd = check_number("sd", sd, low=0.0, open_ends=True)
    if correlation is not None:
        correlation = check_number("correlation", correlation, low=-1.0, high=1.0, open_ends=True)
    if n is not None:
        n = check_count("n", n, low=4)
    if kurtosis is not None:
        kurtosis = check_number("kurtosis", kurtosis, low=1.0)
    if convention is not None:
        check_choice("convention", convention, tuple(CONVENTIONS))
    k = check_count("n_rounds", n_rounds, low=2)
    count = check_count("m", m, low=1)
    level = check_level(level)
    known = {
        "sd": sd,
        "convention": convention,
        "correlation": correlation,
        "n": n,
        "n_rounds": k,
        "kurtosis": kurtosis,
        "m": count,
        "level": level,
    }

    provenance = Provenance(__version__, "", n or 0, None, known)

    def reading(name: str) -> Bounds:
        nothing = Estimate(math.nan, unit=unit, note="the SD is not given")
        sigma = nothing if sd is None else _noise_sd(sd, name, k, n, kurtosis, level, unit)
        rho = Estimate(math.nan, note="the correlation is not given")
        if correlation is not None:
            rho = _reliability(correlation, name, k, n, level)
        return Bounds(sigma, rho, Estimate(math.nan, unit=unit), count, n, provenance)

    if convention is not None:
        return reading(convention)
    # A correlation has two readings only.
    names = list(CONVENTIONS) if sd is not None else ["between-sessions", MERGED]
    parts = {name: reading(name) for name in names}
    return Readings(parts, count, n, unit, provenance)


def _noise_sd(
    sd: float,
    convention: str,
    k: int,
    n: int | None,
    kurtosis: float | None,
    level: float,
    unit: str,
) -> Estimate:
    sigma = noise_sd_from(sd, convention, n_rounds=k)
    if n is None:
        note = "no interval: the number of items (n) is not given"
        return Estimate(sigma, None, None, unit, note)
    freedom = n - 1
    error = math.sqrt(((kurtosis or 3.0) - 1) / (4 * freedom))
    if kurtosis is None:
        tails = special.chdtri(freedom, [(1 - level) / 2, (1 + level) / 2])
        low, high = (sigma * math.sqrt(freedom / float(x)) for x in tails)
        method = "chi-square, presuming Gaussian noise"
    else:
        reach = t_reach(math.inf, level) * error
        low, high = sigma * math.exp(-reach), sigma * math.exp(reach)
        method = f"normal for ln σ with kurtosis {kurtosis:g}"
    return Estimate(sigma, sigma * error, Interval(low, high, level, method), unit)


def reliability_from(correlation: float, convention: str, k: int) -> float:
    """Return ρ from a published correlation of repeated annotation."""
    if convention != MERGED:
        return correlation
    # r = √((1 + (k−1)ρ)/k) is positive by itself.
    return (k * correlation * abs(correlation) - 1) / (k - 1)


def _reliability(
    correlation: float, convention: str, k: int, n: int | None, level: float
) -> Estimate:
    value = reliability_from(correlation, convention, k)
    note = ANTICORRELATED if value <= 0 else ""
    if n is None:
        why = "no interval: the number of items (n) is not given"
        return Estimate(value, note=f"{note}; {why}" if note else why)
    z, reach = math.atanh(correlation), t_reach(math.inf, level) / math.sqrt(n - 3)
    interval = Interval(
        math.tanh(z - reach), math.tanh(z + reach), level, "Fisher's z, presuming Gaussian labels"
    )
    slope = 1.0 if convention != MERGED else 2 * k * abs(correlation) / (k - 1)
    error = slope * (1 - correlation**2) / math.sqrt(n - 3)
    found = interval.through(lambda r: reliability_from(r, convention, k))
    return Estimate(value, error, found, "", note)
