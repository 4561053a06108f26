"""How near any model can come to the points of one reader.

Two readers put z₁ = y + x₁ and z₂ = y + x₂, so that D = z₁ − z₂ = x₁ − x₂. Against one reader a
model that knows y has

    RMS radial error    √(E|D|²/2), exactly
    mean radial error   between ½E|D| and E|D|; E|D|/√2 for Gaussian noise of any covariance
    within t            between P(|D| ≤ t) and √P(|D| ≤ 2t); P(|D| ≤ √2·t) for Gaussian noise

½E|D| is the triangle inequality and holds for any model; E|D| is Jensen's, for noise of mean zero;
√P(|D| ≤ 2t) is that two readers within t of any one point are within 2t of each other, and
Cauchy–Schwarz; P(|D| ≤ t) needs noise that is symmetric with one peak (Anderson 1955). Differences
have the mean vector of each pair of readers taken out, unless their order means nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.ceilings.keypoints import constants_of, mean_within, means_by, ratio, similarity_limit
from annostat.ceilings.lengths import lengths_of
from annostat.ceilings.point_checks import (
    bias_check,
    biases_of,
    far_point_check,
    frame_check,
    precision_check,
    swap_check,
    swaps_of,
    tails_check,
)
from annostat.ceilings.point_result import ALL, Ellipse, PointBounds, PointLimit, Swap
from annostat.errors import AnnostatError, check_count, check_level, check_number, option
from annostat.labels.points import Points
from annostat.resampling.clusters import cluster_codes, renumbered
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.intervals import exp, t_interval
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance
from annostat.results.text import plain

NICE = (1.0, 2.0, 5.0, 10.0)
LONE = 1 / 3  # share of the squares that one unit may hold, or FEW of them in all, for an interval
FEW = 5.0
WIDEST = 10.0  # times the estimate that an upper limit of an RMS may be
STEPS = (0.5, 1.0, 2.0)  # of a nice number near the median distance: thresholds


def point_bounds(
    points: Points,
    *,
    thresholds: Sequence[float] | None = None,
    oks: float | str | Mapping[str, float] | None = None,
    lengths: Sequence[tuple[str, str]] = (),
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
) -> PointBounds:
    """Return how near any model can come to the points of one reader.

    Parameters
    ----------
    points : Points
        Two or more readers; missing points are allowed. Clusters are the independent units.
    thresholds : sequence of float, optional
        Distances, in the unit of the points, within which a point counts as found; three near the
        median distance of two readers by default.
    oks : float, "coco", or mapping of str to float, optional
        Constants κ of object keypoint similarity, one for all landmarks or by landmark, for its
        ceiling; the points need a `scale`.
    lengths : sequence of pairs of str
        Pairs of landmarks whose distance is measured: its noise follows.
    level : float
        Level of the intervals.
    n_resamples : int
        Resamples of the intervals of RMS radial errors.
    rng : None, int or Generator

    Returns
    -------
    PointBounds
        Floors of mean and RMS radial error and ceilings of success rates, pooled over landmarks
        and for each; noise ellipses; biases between readers; landmarks that seem swapped; lengths.

    Raises
    ------
    AnnostatError
        If no landmark of any item was put by two readers, or a threshold is not above 0.

    Notes
    -----
    Items count alike, whatever the number of their readers. See the module for the formulas and
    what each presumes.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.uniform(0, 100, (2000, 1, 2))
    >>> points = Points.from_array(truth + rng.normal(0, 1, (2000, 2, 2)), unit="mm")
    >>> round(point_bounds(points)["rms"].low, 1)  # √2
    1.4
    """
    level = check_level(level)
    readers = points.without_models()
    if len(readers.names) < 2:
        raise AnnostatError(f"at least two readers are needed, got {len(readers.names)}")
    each = readers.differences()
    if not np.isfinite(each[..., 0]).any():
        raise AnnostatError("no landmark of any item was put by two readers")
    swaps = swaps_of(readers)
    d, inflation = _centred(each, exchangeable=readers.exchangeable)
    distance = np.sqrt((d**2).sum(axis=3))
    marks = _thresholds(thresholds, distance)
    codes = cluster_codes(readers.cluster)
    similar = None if oks is None else similar_of(readers, oks)

    def of(x: FloatArray, m: Any, r: FloatArray) -> FloatArray:
        return np.broadcast_to(x, distance.shape)[:, :, m].reshape(r.shape)

    limits: list[PointLimit] = []
    for name in (ALL, *readers.landmarks):
        m = slice(None) if name == ALL else readers.landmarks.index(name)
        r = distance[:, :, m].reshape(len(distance), -1)
        if not np.isfinite(r).any():
            continue
        limits += _limits(
            r,
            of(inflation, m, r),
            codes,
            name=name,
            marks=marks,
            unit=readers.unit,
            similar=None if similar is None else of(similar, m, r),
            level=level,
            n_resamples=n_resamples,
            rng=rng,
        )
    ellipses = tuple(_ellipses(readers, d, inflation))
    biases = () if readers.exchangeable else biases_of(readers, codes)
    return PointBounds(
        tuple(limits),
        ellipses,
        biases,
        swaps,
        readers.unit,
        int(np.isfinite(distance).any(axis=(1, 2)).sum()),
        (
            bias_check(readers, biases, 1 - level),
            precision_check(readers, codes, 1 - level),
            *_of_frames(readers, swaps),
            *tails_check(distance, codes),
        ),
        Provenance(
            __version__,
            readers.digest(),
            len(readers.values),
            seed_of(rng),
            {"level": level, "thresholds": list(marks), "n_resamples": n_resamples}
            | ({} if oks is None else {"oks": plain(oks)}),
        ),
        lengths_of(readers, lengths, ellipses, level=level, n_resamples=n_resamples, rng=rng),
    )


def _of_frames(points: Points, swaps: Sequence[Swap]) -> list[Check]:
    """Return what seems wrong with coordinates: one thing, as each of them looks like the next."""
    frame = frame_check(points)
    if frame and (frame[0].name == "same_axes" or not swaps):
        return frame
    return swap_check(swaps) if swaps else far_point_check(points)


def similar_of(points: Points, oks: Any) -> FloatArray:
    """Return 2s²κ² of object keypoint similarity, of shape (n_items, 1, n_landmarks)."""
    if points.scale is None:
        raise AnnostatError(
            "oks needs the size of the object, the root of its area: name its column "
            f"({option('scale', 'C')})"
        )
    constants = constants_of(oks, points.landmarks)
    return np.asarray(2 * (points.scale[:, None, None] * constants) ** 2)


def _centred(each: FloatArray, *, exchangeable: bool) -> tuple[FloatArray, FloatArray]:
    """Return differences without the mean of their pair, and what squares are multiplied by."""
    shape = (1, *each.shape[1:3])
    if exchangeable:
        return each, np.ones(shape)
    count = np.isfinite(each[..., 0]).sum(axis=0)
    mean = np.where(
        count[..., None] > 1, np.nansum(each, axis=0) / np.maximum(count, 1)[..., None], 0
    )
    return each - mean, np.where(count > 1, count / np.maximum(count - 1, 1), 1.0)[None]


def _thresholds(given: Sequence[float] | None, distance: FloatArray) -> tuple[float, ...]:
    if given is not None:
        found = sorted({check_number("thresholds", t, low=0, open_ends=True) for t in given})
        if not found:
            raise AnnostatError("thresholds must name a distance")
        return tuple(found)
    middle = float(np.nanmedian(distance))
    if not middle > 0:
        return (1.0,)
    base = 10.0 ** math.floor(math.log10(middle))
    near = min((n * base for n in NICE), key=lambda v: abs(math.log(v / middle)))
    return tuple(float(f"{s * near:.3g}") for s in STEPS)


def _limits(
    r: FloatArray,
    inflation: FloatArray,
    codes: NDArray[np.int64] | None,
    *,
    name: str,
    marks: Sequence[float],
    unit: str,
    similar: FloatArray | None,
    level: float,
    n_resamples: int,
    rng: Rng,
) -> list[PointLimit]:
    """Return the floors and ceilings of distances r of shape (n_items, n_pairs).

    `similar`: 2s²κ² of OKS, of the same shape, if that is asked for.
    """
    there = np.isfinite(r).any(axis=1)
    r, inflation = r[there], inflation[there]
    sums = means_by(None if codes is None else renumbered(codes[there]))
    # A pair's mean is taken out: distances lose √((n−1)/n), squares (n−1)/n.
    mean = _mean(sums(r * np.sqrt(inflation)), level, unit)
    square = sums(r**2 * inflation)
    rms = _root_mean(square, level, unit, n_resamples, rng)
    found = [
        PointLimit(
            "mean",
            name,
            mean,
            mean.value / 2,
            mean.value,
            mean.value / math.sqrt(2),
            _scaled(mean.interval, 0.5, 1.0),
            unit=unit,
        ),
        PointLimit(
            "rms",
            name,
            rms,
            rms.value / math.sqrt(2),
            rms.value / math.sqrt(2),
            rms.value / math.sqrt(2),
            _scaled(rms.interval, 1 / math.sqrt(2), 1 / math.sqrt(2)),
            unit=unit,
        ),
    ]
    for t in marks:
        one, two, gauss = (
            mean_within(sums, np.where(np.isfinite(r), (r <= t * f).astype(float), np.nan), level)
            for f in (1.0, 2.0, math.sqrt(2))
        )
        interval = None
        if one.interval is not None and two.interval is not None:
            high = min(1.0, math.sqrt(two.interval.high))
            interval = Interval(one.interval.low, high, level, one.interval.method)
        high = max(math.sqrt(two.value), one.value)
        found.append(
            PointLimit(
                "success", name, one, one.value, high, gauss.value, interval, threshold=t, unit=unit
            )
        )
    if similar is not None:
        found.append(similarity_limit(sums, r**2 / similar[there], name=name, level=level))
    return found


def _mean(sums: Sums, level: float, unit: str) -> Estimate:
    value = sums.value(ratio)
    if sums.n_units < 2:
        return Estimate(value, None, None, unit, f"no interval: it takes two {sums.units}")
    interval = sums.interval(ratio, method="t", level=level)
    if interval is not None:
        low = max(interval.low, 0.0)
        interval = Interval(low, interval.high, level, interval.method)
    note = "" if interval is not None else "no interval: all items say the same"
    return Estimate(value, sums.standard_error(ratio), interval, unit, note)


def _root_mean(sums: Sums, level: float, unit: str, n_resamples: int, rng: Rng) -> Estimate:
    """Return the root of a mean square, with a bootstrap-t interval of its logarithm."""
    square = sums.value(ratio)
    value = math.sqrt(square)
    if sums.n_units < 2 or not square > 0:
        why = "all distances are 0" if sums.n_units > 1 else f"it takes two {sums.units}"
        return Estimate(value, None, None, unit, f"no interval: {why}")
    largest = float(sums.columns[:, 1].max() / sums.columns[:, 1].sum())
    if largest > max(LONE, FEW / sums.n_units):
        why = f"one of {sums.n_units} {sums.units} holds {largest:.0%} of the squares"
        return Estimate(value, None, None, unit, f"no interval: {why}")
    found = sums.interval(
        lambda t: np.asarray(0.5 * np.log(ratio(t))),
        level=level,
        n_resamples=n_resamples,
        rng=rng,
        scale="the logarithm",
    )
    if found is None:
        return Estimate(value, 0.0, None, unit, "no interval: all items say the same")
    if found.through(exp).high > WIDEST * value:
        return Estimate(value, None, None, unit, "no interval: few items hold the squares")
    error = sums.standard_error(ratio) / (2 * value)
    return Estimate(value, error, found.through(exp), unit)


def _scaled(interval: Interval | None, low: float, high: float) -> Interval | None:
    if interval is None:
        return None
    return Interval(interval.low * low, interval.high * high, interval.level, interval.method)


def _ellipses(points: Points, d: FloatArray, inflation: FloatArray) -> list[Ellipse]:
    """Return the covariance of one reader's noise at each landmark: half the mean of D Dᵀ."""
    found = []
    for m, name in enumerate(points.landmarks):
        x = d[:, :, m] * np.sqrt(np.broadcast_to(inflation, d.shape[:3])[:, :, m, None])
        here = np.isfinite(x[..., 0])
        if not here.any():
            continue
        weight = here / np.maximum(here.sum(axis=1, keepdims=True), 1)
        y = np.where(here[..., None], x, 0.0)
        total = np.einsum("np,npi,npj->ij", weight, y, y) / here.any(axis=1).sum()
        found.append(Ellipse(name, total / 2))
    return found


def published_points(
    *,
    mre: float,
    sd: float | None = None,
    n: int | None = None,
    unit: str = "",
    level: float = 0.95,
) -> PointBounds:
    """Return the floor that a published mean distance between two readers gives.

    Parameters
    ----------
    mre : float
        Mean radial error between two readers, or two readings.
    sd : float, optional
        SD of that distance over items; with `n` it gives an interval.
    n : int, optional
        Number of items.
    unit : str
    level : float

    Returns
    -------
    PointBounds
        With the floor of the mean radial error alone.

    Raises
    ------
    AnnostatError
        If a number is out of its range.

    Examples
    --------
    >>> print(published_points(mre=1.38, unit="mm")["mean"].best())
    0.690 to 1.380
    """
    level = check_level(level)
    value = check_number("mre", mre, low=0)
    interval = None
    error = None
    if n is not None:
        n = check_count("n", n, low=2)
    if sd is not None and n is not None:
        error = check_number("sd", sd, low=0) / math.sqrt(n)
        interval = t_interval(value, error, n - 1, level, "t, published SD")
        interval = Interval(max(interval.low, 0.0), interval.high, level, interval.method)
    note = "" if interval is not None else "no interval: it takes the SD and the number of items"
    two = Estimate(value, error, interval, unit, note)
    mean = PointLimit(
        "mean",
        ALL,
        two,
        value / 2,
        value,
        value / math.sqrt(2),
        _scaled(interval, 0.5, 1.0),
        unit=unit,
    )
    text = (
        "Is the published number of two readers who worked alone, or of one who read twice? "
        "Against another reader the floor is that of two readers."
    )
    about = {"mre": value, "sd": sd, "n": n, "level": level}
    return PointBounds(
        (mean,),
        (),
        (),
        (),
        unit,
        n,
        (Check("published", None, text),),
        Provenance(__version__, "", 0 if n is None else n, None, about),
    )
