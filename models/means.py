"""Means over clips with their intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import Estimate, Interval
from annostat.resampling import Sums

FloatArray = NDArray[np.float64]


def mean_estimate(
    values: FloatArray,
    codes: NDArray[np.int64] | None = None,
    *,
    unit: str = "",
    share: bool = False,
    root: bool = False,
    signed: bool = False,
    seed: int = 0,
) -> Estimate:
    """Return a mean over clips with its bootstrap-t interval, NaN left out.

    Parameters
    ----------
    values : float64 array of shape (n,)
    codes : int64 array of shape (n,), optional
        Clip of each value; clips are resampled whole. Without them each value is a clip.
    unit : str
    share : bool
        The values are between 0 and 1: the interval is made on the logit of the mean and stays
        within 0 and 1.
    root : bool
        Give the root of the mean (of squares, say).
    signed : bool
        The values may be negative: the interval is made on the mean itself. Without `share` and
        `signed` it is made on the logarithm.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Estimate
        NaN with a note if nothing is left. Without an interval where the values do not vary, or
        the mean has no logarithm or logit.
    """
    there = np.isfinite(values)
    kept = values[there]
    if not kept.size:
        return Estimate(math.nan, None, None, unit, "no clip has a value")
    codes = None if codes is None else np.unique(codes[there], return_inverse=True)[1]
    sums = Sums.of(np.column_stack([kept, np.ones(kept.size)]), codes)
    mean = float(kept.mean())
    value = mean**0.5 if root else mean
    missing = int((~there).sum())
    note = f"{missing} of {values.size} have none and are left out" if missing else ""
    error = sums.standard_error(_ratio) if sums.n_units > 1 else None
    with np.errstate(divide="ignore", invalid="ignore"):
        if signed:
            limits = sums.interval(_ratio, rng=seed)
        elif share:
            limits = sums.interval(_logit, rng=seed, scale="the logit") if 0 < mean < 1 else None
            limits = _back(limits, lambda x: 0.5 + 0.5 * math.tanh(x / 2))
        else:
            limits = sums.interval(_log, rng=seed, scale="the logarithm") if mean > 0 else None
            limits = _back(limits, lambda x: math.exp(min(x, 700.0)) ** (0.5 if root else 1.0))
    if error is not None and root:
        error = error / (2 * value) if value else None
    return Estimate(value, error, limits, unit, note)


def _ratio(t: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(t[..., 0] / t[..., 1])


def _log(t: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.log(t[..., 0] / t[..., 1]))


def _logit(t: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.log(t[..., 0] / (t[..., 1] - t[..., 0])))


def _back(limits: Interval | None, function: Any) -> Interval | None:
    """Return limits on the scale of the mean; the function increases."""
    if limits is None:
        return None
    return Interval(function(limits.low), function(limits.high), limits.level, limits.method)
