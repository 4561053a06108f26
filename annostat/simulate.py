"""Annotators with known noise: for tests, for planning and for teaching."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat.errors import AnnostatError, check_choice, check_count, check_number, check_numbers
from annostat.labels.rounds import Rounds
from annostat.resampling.generators import Rng, as_generator

if TYPE_CHECKING:
    from annostat.labels.masks import MaskRounds
    from annostat.noise.model import NoiseModel

__all__ = ["simulate_masks", "simulate_rounds", "simulate_values"]

DEFAULT_CLIP = 200  # frames, where neither truth nor clip_length is given
CONTAMINATION, REACH = 1 / 300, 25.0  # of "contaminated": share of blunders, their reach in b
LAWS = ("gaussian", "laplace", "t3", "uniform", "contaminated")
OUTLINE_LAWS = ("gaussian", "laplace", "skew")
ANGLES = 180  # points of a simulated outline


def simulate_rounds(
    model: NoiseModel,
    n_items: int,
    n_rounds: int = 2,
    *,
    truth: ArrayLike | None = None,
    clip_length: ArrayLike | None = None,
    period: ArrayLike | None = None,
    missing: float = 0.0,
    n_clusters: int | None = None,
    rng: Rng = None,
) -> Rounds:
    """Draw rounds of picks: pick = truth + error, all whole numbers.

    Parameters
    ----------
    model : NoiseModel
        The law of the error. Abandonment that is "shared" is drawn once per item.
    n_items, n_rounds : int
        At least 1 item and 2 rounds.
    truth : array-like of whole numbers, shape (n_items,), optional
        True frame of each item. By default uniform on 0..L − 1 of a clip of L frames.
    clip_length : int or array-like of shape (n_items,), optional
        L, also kept as `Rounds.length`; 200, and not kept, if neither it nor `truth` is given.
        Errors follow the model whatever the clip, so that a pick may fall outside of it.
    period : float or array-like of shape (n_items,), optional
        Duration of one frame in the unit of the model's scale; each clip's errors are then drawn
        from the model discretised by its own period. By default the model's own.
    missing : float
        Probability, in [0, 1), that an annotation is missing (NaN), independently of everything.
    n_clusters : int, optional
        Label items with this many clusters in turn. Items stay independent within a cluster.
    rng : Generator, int or None
        Source of randomness.

    Returns
    -------
    Rounds
        Values float64 of shape (n_items, n_rounds), rounds "round_1", ..., items "sim-00001",
        ..., unit "frames".

    Raises
    ------
    AnnostatError
        If a number is out of its domain or an array has not one entry per item.

    Examples
    --------
    >>> from annostat.noise.model import NoiseModel
    >>> model = NoiseModel("laplace", {"scale": 2.0})
    >>> rounds = simulate_rounds(model, 1000, clip_length=100, rng=1)
    >>> rounds
    <Rounds: 1,000 items × 2 rounds (round_1, round_2), with length>
    >>> bool(abs(abs(rounds.differences()).mean() / model.pair_mae - 1) < 0.1)
    True
    """
    n = check_count("n_items", n_items, low=1)
    k = check_count("n_rounds", n_rounds, low=2)
    missing = check_number("missing", missing, low=0.0, high=1.0)
    if missing == 1.0:
        raise AnnostatError("missing must be below 1, got 1: no annotation would be left")
    generator = as_generator(rng)
    length = None if clip_length is None else _whole("clip_length", clip_length, n)
    if length is not None and (length < 1).any():
        raise AnnostatError(f"clip_length must be at least 1, got {length.min()}")
    if truth is None:
        true = generator.integers(0, DEFAULT_CLIP if length is None else length, size=n)
    else:
        true = _whole("truth", truth, n)
    if period is None:
        errors = model.sample_errors((n, k), rng=generator)
        periods = None if _own_period(model) == 1.0 else np.full(n, _own_period(model))
    else:
        periods = _per_item("period", period, n)
        if not (np.isfinite(periods) & (periods > 0)).all():
            raise AnnostatError("period must be a positive number for every item")
        errors = np.zeros((n, k), dtype=np.int64)
        for value in np.unique(periods):
            rows = np.flatnonzero(periods == value)
            clip = replace(model, period=float(value))
            errors[rows] = clip.sample_errors((rows.size, k), rng=generator)
    values = (true[:, None] + errors).astype(np.float64)
    return _finish(
        values, missing, n_clusters, generator, length=length, period=periods, unit="frames"
    )


def simulate_values(
    n_items: int,
    n_rounds: int = 2,
    *,
    noise_sd: float,
    truth_sd: float = 1.0,
    truth: ArrayLike | None = None,
    law: str = "gaussian",
    rng: Rng = None,
) -> Rounds:
    """Draw rounds of real-valued labels: value = truth + error, truth normal around 0 or given.

    Parameters
    ----------
    n_items, n_rounds : int
        At least 1 item and 2 rounds.
    noise_sd : float
        Standard deviation of one annotation's error, whatever the law, at least 0.
    truth_sd : float
        Standard deviation of the truth, at least 0; not used if `truth` is given.
    truth : float or array-like of shape (n_items,), optional
        True value of each item.
    law : {"gaussian", "laplace", "t3", "uniform", "contaminated"}
        Law of the error. "contaminated" is Laplace with scale b, and with probability 1/300
        (independently for each annotation) uniform on ±25b instead. Its variance is
        (299/300)·2b² + (1/300)·625b²/3 = 2.6878·b², so that b = 0.60996·noise_sd.
    rng : Generator, int or None
        Source of randomness.

    Returns
    -------
    Rounds
        Values float64 of shape (n_items, n_rounds), named as in `simulate_rounds`, no unit.

    Raises
    ------
    AnnostatError
        If a number is out of its domain or the law is unknown.

    Examples
    --------
    >>> rounds = simulate_values(5000, noise_sd=2.0, truth_sd=10.0, law="laplace", rng=1)
    >>> bool(abs(rounds.differences().std() / 2**0.5 - 2.0) < 0.1)
    True
    """
    n = check_count("n_items", n_items, low=1)
    k = check_count("n_rounds", n_rounds, low=2)
    sd = check_number("noise_sd", noise_sd, low=0.0)
    spread = check_number("truth_sd", truth_sd, low=0.0)
    check_choice("law", law, LAWS)
    g = as_generator(rng)
    true = g.normal(0.0, spread, size=n) if truth is None else _per_item("truth", truth, n)
    if not np.isfinite(true).all():
        raise AnnostatError(f"truth must be finite, got {true[~np.isfinite(true)][0]}")
    return _finish(true[:, None] + sd * _standard_errors(law, (n, k), g), 0.0, None, g)


def simulate_masks(
    n_items: int,
    n_raters: int = 3,
    *,
    noise_px: float,
    law: str = "gaussian",
    radius_px: tuple[float, float] = (18.0, 36.0),
    correlation_rad: float = 0.5,
    difficulty_sd: float = 0.0,
    shape: tuple[int, int] = (112, 112),
    n_clusters: int | None = None,
    rng: Rng = None,
) -> tuple[MaskRounds, NDArray[np.bool_]]:
    """Draw outlines of the same truth by raters whose hand wavers, as masks.

    Parameters
    ----------
    n_items, n_raters : int
        At least 1 item and 2 raters.
    noise_px : float
        Standard deviation of an outline about the truth, along the radius, in pixels.
    law : {"gaussian", "laplace", "skew"}
        Law of the deviation at one angle: a smooth Gaussian process along the outline, put
        through the quantiles of a Laplace law, or of a gamma law with four degrees of freedom
        (skewness 1), of mean 0.
    radius_px : (float, float)
        Half axes of the truth, an ellipse in any direction, are uniform in this range.
    correlation_rad : float
        Angle over which deviations are alike (standard deviation of the Gaussian correlation).
    difficulty_sd : float
        Items differ: their noise is multiplied by a lognormal factor of mean square 1, with this
        standard deviation of its logarithm.
    shape : (height, width)
        An outline beyond the image is cut off.
    n_clusters : int, optional
        Number of patients; items are dealt to them in turn.
    rng : Generator, int or None

    Returns
    -------
    MaskRounds
    bool array of shape (n_items, H, W)
        The masks of the truth.

    Raises
    ------
    AnnostatError
        If a number is out of its domain or the law is unknown.

    Examples
    --------
    >>> rounds, truth = simulate_masks(5, 3, noise_px=2.0, rng=1)
    >>> rounds.values.shape, truth.shape
    ((3, 5, 112, 112), (5, 112, 112))
    """
    from scipy import stats

    from annostat.labels.masks import MaskRounds

    n = check_count("n_items", n_items, low=1)
    k = check_count("n_raters", n_raters, low=2)
    sd = check_number("noise_px", noise_px, low=0.0)
    spread = check_number("difficulty_sd", difficulty_sd, low=0.0)
    reach = check_number("correlation_rad", correlation_rad, low=0.0, open_ends=True)
    check_choice("law", law, OUTLINE_LAWS)
    low, high = (check_number("radius_px", v, low=1.0) for v in radius_px)
    height, width = (check_count("shape", v, low=4) for v in shape)
    g = as_generator(rng)
    y, x = np.indices((height, width))
    turn = np.minimum(np.arange(ANGLES), ANGLES - np.arange(ANGLES)) * 2 * np.pi / ANGLES
    # Circulant: the square root of its spectrum makes the process.
    spectrum = np.fft.fft(np.exp(-(turn**2) / (2 * reach**2))).real
    root = np.sqrt(np.maximum(spectrum, 0.0))
    values = np.zeros((k, n, height, width), dtype=np.uint8)
    truth = np.zeros((n, height, width), dtype=bool)
    for i in range(n):
        white = g.standard_normal((k, ANGLES))
        wave = np.fft.ifft(np.fft.fft(white, axis=1) * root, axis=1).real
        if law == "laplace":
            wave = stats.laplace.ppf(stats.norm.cdf(wave), scale=0.5**0.5)
        elif law == "skew":
            wave = (stats.gamma.ppf(stats.norm.cdf(wave), 4) - 4) / 2
        wave *= sd * np.exp(g.normal(0.0, spread) - spread**2)
        centre = np.array([height, width]) / 2 - 0.5 + g.uniform(-0.5, 0.5, 2)
        a, b = g.uniform(low, high, 2)
        tilt = g.uniform(0, np.pi)
        dy, dx = y - centre[0], x - centre[1]
        angle = np.arctan2(dy, dx) % (2 * np.pi)
        ellipse = a * b / np.hypot(b * np.cos(angle - tilt), a * np.sin(angle - tilt))
        radius = np.hypot(dy, dx)
        truth[i] = radius < ellipse
        knots = np.arange(ANGLES + 1) * 2 * np.pi / ANGLES
        for r in range(k):
            shift = np.interp(angle, knots, np.append(wave[r], wave[r, 0]))
            values[r, i] = radius < ellipse + shift
    cluster = None
    if n_clusters is not None:
        count = check_count("n_clusters", n_clusters, low=1)
        cluster = [f"cluster-{i % count + 1:04d}" for i in range(n)]
    rounds = MaskRounds.from_arrays(
        {f"rater_{r + 1}": values[r] for r in range(k)},
        items=[f"sim-{i + 1:05d}" for i in range(n)],
        cluster=cluster,
    )
    return rounds, truth


def _standard_errors(
    law: str, shape: tuple[int, int], g: np.random.Generator
) -> NDArray[np.float64]:
    """Draw errors of standard deviation 1."""
    if law == "gaussian":
        return g.standard_normal(shape)
    if law == "laplace":
        return g.laplace(0.0, 0.5**0.5, shape)
    if law == "t3":
        return np.asarray(g.standard_t(3, shape) / 3**0.5)
    if law == "uniform":
        return g.uniform(-(3**0.5), 3**0.5, shape)
    b = ((1 - CONTAMINATION) * 2 + CONTAMINATION * REACH**2 / 3) ** -0.5
    blunder = g.random(shape) < CONTAMINATION
    return np.where(blunder, g.uniform(-REACH * b, REACH * b, shape), g.laplace(0.0, b, shape))


def _finish(
    values: NDArray[np.float64],
    missing: float,
    n_clusters: int | None,
    g: np.random.Generator,
    **columns: Any,
) -> Rounds:
    n = len(values)
    if missing:
        values = np.where(g.random(values.shape) < missing, np.nan, values)
    if n_clusters is not None:
        count = check_count("n_clusters", n_clusters, low=1)
        columns["cluster"] = [f"cluster-{i % count + 1:04d}" for i in range(n)]
    items = [f"sim-{i + 1:05d}" for i in range(n)]
    return Rounds.from_array(values, items=items, **columns)


def _own_period(model: Any) -> float:
    return float(getattr(model, "period", 1.0))


def _per_item(name: str, given: ArrayLike, n: int) -> NDArray[np.float64]:
    array = check_numbers(name, given)
    if array.shape not in ((), (n,)):
        raise AnnostatError(
            f"{name} must be one number or one per item, shape ({n},), got shape {array.shape}"
        )
    return np.array(np.broadcast_to(array, (n,)))


def _whole(name: str, given: ArrayLike, n: int) -> NDArray[np.int64]:
    array = _per_item(name, given, n)
    bad = ~np.isfinite(array) | (array != np.round(array)) | (np.abs(array) > 2**53)
    if bad.any():
        raise AnnostatError(f"{name} must be whole numbers, got {array[bad][0]}")
    return array.astype(np.int64)
