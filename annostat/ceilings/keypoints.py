"""Object keypoint similarity (OKS) of a perfect model against one reader.

OKS of a point at a distance d is exp(−d²/(2s²κ²)), s the size of the object (the root of its area)
and κ the landmark's constant: that of the COCO benchmark is 2σ. With D the vector between two
readers, whatever the law of their noise, the best model that knows the truth has

    at least   E exp(−|D|²/(2s²κ²))      a second reader as the model
    at most    √E exp(−|D|²/(4s²κ²))     Cauchy–Schwarz, |x₁|² + |x₂|² ≥ |x₁ − x₂|²/2
    Gaussian   E exp(−|D|²/(4s²κ²))      exactly, of any covariance
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, IntArray
from annostat.ceilings.point_result import PointLimit
from annostat.errors import AnnostatError, check_number, option, shown
from annostat.resampling.inverted import ratio_limits
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate, Interval

SIDES = ("left", "right")
# σ of the COCO keypoints (pycocotools, cocoeval.py); κ is 2σ.
COCO = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
}
Summed = Callable[[FloatArray], Sums]


def constants_of(oks: Any, landmarks: Sequence[str]) -> FloatArray:
    """Return κ of each landmark.

    Parameters
    ----------
    oks : float, "coco", or mapping of str to float
        One κ for all landmarks, those of the COCO keypoints by their names, or κ by landmark.
    landmarks : sequence of str

    Raises
    ------
    AnnostatError
        If a landmark has none, or one that is not above 0.
    """
    if isinstance(oks, str):
        if oks.casefold() != "coco":
            raise AnnostatError(f"oks must be a number, 'coco', or κ by landmark, got {oks!r}")
        oks = {name: 2 * COCO[p] for name in landmarks if (p := _part(name)) in COCO}
    if not isinstance(oks, Mapping):
        return np.full(len(landmarks), check_number("oks", oks, low=0, open_ends=True))
    lacking = [name for name in landmarks if name not in oks]
    if lacking:
        raise AnnostatError(
            f"oks has no constant for {shown(lacking, 6)}: give one for each landmark "
            f"({option('oks', f'{lacking[0]}=0.1,...')})"
        )
    return np.array(
        [check_number(f"oks of {name}", oks[name], low=0, open_ends=True) for name in landmarks]
    )


def _part(name: str) -> str:
    """Return a COCO part of the body without its side: "Left Eye" is "eye"."""
    words = name.casefold().replace("-", "_").replace(" ", "_").split("_")
    return "_".join(w for w in words if w not in SIDES)


def similarity_limit(sums: Summed, squares: FloatArray, *, name: str, level: float) -> PointLimit:
    """Return the ceiling of OKS.

    Parameters
    ----------
    sums : callable
        Makes sums over units of values of shape (n_items, n_pairs).
    squares : float64 array of shape (n_items, n_pairs)
        |D|²/(2s²κ²), NaN where a reader is missing.
    name : str
        The landmark, or all of them.
    level : float
    """
    two = mean_within(sums, np.exp(-squares), level)
    gauss = mean_within(sums, np.exp(-squares / 2), level)
    interval = None
    if two.interval is not None and gauss.interval is not None:
        high = min(1.0, math.sqrt(gauss.interval.high))
        interval = Interval(two.interval.low, high, level, two.interval.method)
    high = max(math.sqrt(gauss.value), two.value)
    return PointLimit("oks", name, two, two.value, high, gauss.value, interval)


def means_by(unit_of: IntArray | None) -> Summed:
    """Return what makes sums over units of the items' means of values of shape (n_items, n)."""

    def sums(x: FloatArray) -> Sums:
        return Sums.of(np.column_stack([np.ones(len(x)), np.nanmean(x, axis=1)]), unit_of)

    return sums


def mean_within(sums: Summed, x: FloatArray, level: float) -> Estimate:
    """Return the mean of values between 0 and 1, with an interval by inverted tests."""
    of = sums(x)
    value = of.value(ratio)
    if of.n_units < 2:
        return Estimate(value, None, None, "", f"no interval: it takes two {of.units}")
    size = float(of.columns[:, 0].mean())
    low, high = ratio_limits(
        of.columns[:, 1],
        of.columns[:, 0],
        level=level,
        pseudo=((0.0, size), (size, size)),
        top=1.0,
    )
    low, high = min(low, value), max(high, value)
    return Estimate(value, None, Interval(low, high, level, f"inverted test over {of.units}"))


def ratio(t: NDArray[Any]) -> NDArray[Any]:
    """Return the second sum over the first: a mean."""
    return np.asarray(t[..., 1] / t[..., 0])
