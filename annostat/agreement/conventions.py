"""What a published standard deviation of repeated annotation is the standard deviation of."""

from __future__ import annotations

import math

from annostat.errors import check_choice, check_count, check_number

CONVENTIONS: dict[str, str] = {
    "between-sessions": "SD of the difference of two sessions, √2·σ",
    "session-vs-mean": "SD of one session about the mean of the k sessions, σ·√((k−1)/k)",
    "noise-sd": "SD of one annotation's noise, σ itself",
    "mean-item-sd": "mean over items of the SD within an item, c₄(k)·σ for Gaussian noise",
}
# Of an SD; "auto" is log-t below 30 independent items, and bootstrap-t from there on.
INTERVALS = ("auto", "log-t", "bootstrap-t", "bonett", "chi-square", "t", "percentile", "bca")


def factor(convention: str, n_rounds: int) -> float:
    """Return what a convention prints, as a multiple of σ."""
    check_choice("convention", convention, tuple(CONVENTIONS))
    k = check_count("n_rounds", n_rounds, low=2)
    if convention == "between-sessions":
        return math.sqrt(2.0)
    if convention == "session-vs-mean":
        return math.sqrt((k - 1) / k)
    if convention == "mean-item-sd":
        return math.sqrt(2 / (k - 1)) * math.exp(math.lgamma(k / 2) - math.lgamma((k - 1) / 2))
    return 1.0


def noise_sd_from(sd: float, convention: str, *, n_rounds: int = 2) -> float:
    """Return the SD σ of one annotation's noise from a published SD and its convention.

    Parameters
    ----------
    sd : float
        The published number, positive.
    convention : str
        One of `CONVENTIONS`: what that number is the SD of.
    n_rounds : int
        Number k of sessions behind it, where the convention depends on it.

    Returns
    -------
    float
        In the unit of `sd`.

    Raises
    ------
    AnnostatError
        If the convention is unknown or a number out of its domain.

    Examples
    --------
    >>> round(noise_sd_from(5.7, "between-sessions"), 2)
    4.03
    """
    value = check_number("sd", sd, low=0.0, open_ends=True)
    return value / factor(convention, n_rounds)


def convert_sd(sd: float, source: str, target: str, *, n_rounds: int = 2) -> float:
    """Return a standard deviation of one convention as another one prints it.

    Examples
    --------
    >>> round(convert_sd(4.03, "noise-sd", "between-sessions"), 2)
    5.7
    """
    return noise_sd_from(sd, source, n_rounds=n_rounds) * factor(target, n_rounds)


def sd_readings(sd: float, *, n_rounds: int = 2) -> dict[str, float]:
    """Return σ under every convention: what a bare number may mean.

    Examples
    --------
    >>> {k: round(v, 2) for k, v in sd_readings(5.7).items()}  # doctest: +NORMALIZE_WHITESPACE
    {'between-sessions': 4.03, 'session-vs-mean': 8.06, 'noise-sd': 5.7, 'mean-item-sd': 7.14}
    """
    return {name: noise_sd_from(sd, name, n_rounds=n_rounds) for name in CONVENTIONS}
