"""Slopes without a law: the naive log-log slope, and the dimension that a slope implies."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from annostat.errors import AnnostatError, check_choice, check_level, check_number, check_numbers
from annostat.resampling.intervals import t_interval
from annostat.results.estimates import Estimate, Interval

__all__ = ["LOSS_KINDS", "dimension_from_slope", "log_slope"]

# How a loss grows with the error of the function behind it, and the numerator of d = k/α.
LOSS_KINDS = {"quadratic": 4.0, "first-order": 2.0}


def log_slope(sizes: ArrayLike, losses: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return the naive slope: minus the least-squares slope of log loss on log size.

    It is the exponent if losses fall to zero along a power law, and too small whenever there is a
    floor E: the local slope is α(1 − E/L).

    Parameters
    ----------
    sizes, losses : array-like of shape (n,)
        Positive numbers; at least three, of two sizes or more.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        With the HC3 standard error (MacKinnon & White 1985), which allows for errors of unequal
        size, and Student's t with n − 2 degrees of freedom. The interval is one of the slope,
        not of the exponent: a floor is not an error that it knows of.

    Raises
    ------
    AnnostatError
        If the numbers are not positive, too few, or all of one size.

    Examples
    --------
    >>> from annostat.scaling import log_slope
    >>> print(log_slope([1e4, 1e5, 1e6, 1e7], [0.40, 0.25, 0.17, 0.10]).short())
    0.197
    """
    u, y = (np.log(positive(name, x)) for name, x in (("sizes", sizes), ("losses", losses)))
    check_level(level)
    if u.shape != y.shape:
        raise AnnostatError(f"sizes and losses must be of one length, got {u.size} and {y.size}")
    if u.size < 3 or np.unique(u).size < 2:
        raise AnnostatError("a slope needs three points or more, of at least two sizes")
    x = u - u.mean()
    spread = float(x @ x)
    slope = -float(x @ y) / spread
    residual = y - y.mean() + slope * x
    # A size of its own at the end of a line may have all its leverage: its residual is then 0.
    left = np.maximum(1 - 1 / u.size - x**2 / spread, 1e-12)
    se = math.sqrt(float((x * residual / left) ** 2 @ np.ones(u.size))) / spread
    return Estimate(slope, se, t_interval(slope, se, u.size - 2, level, "HC3, Student's t"))


def dimension_from_slope(
    slope: float,
    se: float,
    *,
    loss_kind: str = "quadratic",
    level: float = 0.95,
    dof: float = math.inf,
) -> Estimate:
    """Return the dimension that a published slope implies, from the slope and its standard error.

    Sharma & Kaplan (2022): a model that resolves a d-dimensional manifold has a quadratic loss
    that falls as N^(−4/d), or faster. So d = 4/α, or more. The loss that is linear in the error of
    the function (1 − Dice, a mean absolute error such as aFD) falls as N^(−2/d).

    Parameters
    ----------
    slope : float
        Exponent α > 0: minus the slope of log loss on log size.
    se : float
        Its standard error, 0 or more.
    loss_kind : {"quadratic", "first-order"}
        Which of the two losses it is.
    level : float
        Confidence level.
    dof : float
        Degrees of freedom of `se`; infinite for a Gaussian interval.

    Returns
    -------
    Estimate
        k/α with the limits k/(α ± t·se): the interval of the exponent turned over, which is not
        symmetric; its upper limit is infinite where the exponent's reaches zero.

    Raises
    ------
    AnnostatError
        If the slope is not positive or the standard error negative.

    Examples
    --------
    >>> from annostat.scaling import dimension_from_slope
    >>> print(dimension_from_slope(0.15, 0.02))
    26.7, 95% interval 21.1 to 36.1
    >>> print(dimension_from_slope(0.16, 0.02, loss_kind="first-order").short())
    12.5
    """
    slope = check_number("slope", slope)
    if slope <= 0:
        raise AnnostatError(f"slope must be positive (minus d log loss / d log size), got {slope}")
    se = check_number("se", se, low=0.0)
    check_level(level)
    if not dof > 0:
        raise AnnostatError(f"dof must be positive, got {dof!r}")
    exponent = Estimate(slope, se, t_interval(slope, se, dof, level, "published slope"))
    return dimension(exponent, loss_kind)


def dimension(exponent: Estimate, loss_kind: str) -> Estimate:
    """Return k/α with the interval of the exponent turned over."""
    k = LOSS_KINDS[check_choice("loss_kind", loss_kind, list(LOSS_KINDS))]
    if not exponent.value > 0:
        return Estimate(math.nan, note="no dimension: the loss does not fall with size")
    value = k / exponent.value
    inner = exponent.interval
    if inner is None:
        return Estimate(value, note=exponent.note)
    low = k / inner.high if inner.high > 0 else math.inf
    high = k / inner.low if inner.low > 0 else math.inf
    method = f"{k:g}/α, the interval of α turned over ({inner.method})"
    se = exponent.standard_uncertainty
    return Estimate(
        value,
        None if se is None else value * se / exponent.value,
        Interval(low, high, inner.level, method),
    )


def numbers(name: str, values: ArrayLike) -> np.ndarray:
    """Return an array-like as float64 of shape (n,)."""
    array = check_numbers(name, values)
    if array.ndim != 1:
        raise AnnostatError(f"{name} must have shape (n,), got {array.shape}")
    return array


def positive(name: str, values: ArrayLike) -> np.ndarray:
    """Return finite positive numbers, float64 of shape (n,); show the first that is none."""
    array = numbers(name, values)
    bad = np.flatnonzero(~(np.isfinite(array) & (array > 0)))
    if bad.size:
        places = ", ".join(f"{array[i]:g} (point {i + 1})" for i in bad[:3])
        raise AnnostatError(
            f"{name} must be positive numbers, got {places}"
            + (f" and {bad.size - 3} more" if bad.size > 3 else "")
        )
    return array
