"""Annotators of phantom clips whose noise is known: outlines, picked frames, ejection fractions.

Simulated, all of it. An outline is the true one moved along its normal by a smooth random function
of the angle; picks and values come from `annostat.simulate`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from annostat import NoiseModel, Rounds, simulate_rounds, simulate_values
from annostat.errors import check_number

HARMONICS = 12  # of the displacement as a function of the angle
ANGLES = 256


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance to the outline in pixels, negative inside; +inf if the mask is empty.

    Distances are between centres of pixels, half a pixel being taken off: beyond a pixel or two
    from the outline they are too short by 0.1 to 0.2 pixels, since the nearest corner counts.
    """
    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    padded = np.pad(mask, 1)
    inside = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    outside = ndimage.distance_transform_edt(~mask)
    return np.where(mask, 0.5 - inside, outside - 0.5).astype(np.float32)


def displacement(
    n: int, *, noise_px: float, correlation: float = 0.6, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw n displacements of an outline, float64 of shape (n, 256), at 256 angles from 0 to 2π.

    A Gaussian process on the circle: standard deviation `noise_px` at each angle, correlation
    close to exp(−φ²/2ℓ²) between directions φ apart, where ℓ is `correlation` in radians.
    """
    k = np.arange(HARMONICS + 1)
    power = np.where(k == 0, 1.0, 2.0) * np.exp(-0.5 * (k * correlation) ** 2)
    power /= power.sum()
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    waves = np.concatenate([np.cos(np.outer(k, angle)), np.sin(np.outer(k[1:], angle))])
    size = np.sqrt(np.concatenate([power, power[1:]]))
    return np.asarray(noise_px * rng.standard_normal((n, len(size))) @ (size[:, None] * waves))


def margin(
    masks: NDArray[np.bool_],
    *,
    noise_px: float = 0.0,
    bias_px: float = 0.0,
    correlation: float = 0.6,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return how far inside a noisy outline each pixel lies, in pixels, shape (T, H, W).

    Parameters
    ----------
    masks : bool array of shape (T, H, W)
        The truth.
    noise_px : float
        Standard deviation of the outline's displacement along its normal.
    bias_px : float
        Displacement outwards that all outlines share.
    correlation : float
        How far the displacement is alike along the outline, in radians seen from the centroid.
    rng : Generator
        Each frame is drawn by itself.
    """
    check_number("noise_px", noise_px, low=0.0)
    t, height, width = masks.shape
    moved = displacement(t, noise_px=noise_px, correlation=correlation, rng=rng)
    y, x = np.mgrid[:height, :width]
    out = np.empty(masks.shape, dtype=np.float32)
    for i, mask in enumerate(masks):
        out[i] = bias_px - signed_distance(mask)
        if noise_px and mask.any():
            rows, columns = np.nonzero(mask)
            angle = np.arctan2(y - rows.mean(), x - columns.mean())
            out[i] += moved[i][np.rint(angle / (2 * np.pi) * ANGLES).astype(int) % ANGLES]
    return out


def draw_outlines(
    masks: NDArray[np.bool_], *, noise_px: float, bias_px: float = 0.0, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return the masks as one annotator draws them, bool of shape (T, H, W)."""
    return margin(masks, noise_px=noise_px, bias_px=bias_px, rng=rng) > 0


@dataclass(frozen=True)
class Noise:
    """How noisy an annotator is, the laws being known.

    Attributes
    ----------
    outline_px : float
        Standard deviation of an outline's displacement along its normal.
    picks : NoiseModel
        Law of a picked frame's error.
    ef_points : float
        Standard deviation of a read ejection fraction.
    """

    outline_px: float = 1.5
    picks: NoiseModel = field(default_factory=lambda: NoiseModel.with_mae("laplace", 2.0))
    ef_points: float = 6.0


@dataclass(frozen=True)
class Annotations:
    """What simulated annotators say of the same clips.

    Attributes
    ----------
    noise : Noise
    outlines : bool array of shape (n_rounds, n_clips, 2, H, W)
        The first structure at the true ED and ES.
    es : Rounds
        Picked frames of end-systole.
    ef : Rounds
        Ejection fractions in percent.
    ed : Rounds
        Picked frames of end-diastole.
    """

    noise: Noise
    outlines: NDArray[np.bool_]
    es: Rounds
    ef: Rounds
    ed: Rounds


@dataclass(frozen=True)
class Truth:
    """What is true of clips, for annotators to be off by.

    Attributes
    ----------
    names : list of str
    outlines : bool array of shape (n_clips, 2, H, W)
        One structure at ED and ES.
    ed, es : list of int
        Frames of end-diastole and of end-systole.
    ef : list of float
        Ejection fractions in percent.
    """

    names: list[str]
    outlines: NDArray[np.bool_]
    ed: list[int]
    es: list[int]
    ef: list[float]


def annotate(truth: Truth, noise: Noise, *, n_rounds: int = 2, seed: int = 0) -> Annotations:
    """Let annotators label clips.

    Outlines, picks and ejection fractions have random numbers of their own.
    """
    n, pair = truth.outlines.shape[0], truth.outlines.shape[1:]
    outlines = np.empty((n_rounds, n, *pair), dtype=bool)
    for r in range(n_rounds):
        rng = np.random.default_rng([seed, 0, r])
        flat = draw_outlines(
            truth.outlines.reshape(-1, *pair[1:]), noise_px=noise.outline_px, rng=rng
        )
        outlines[r] = flat.reshape(n, *pair)
    es, ed = (
        simulate_rounds(
            noise.picks, n, n_rounds, truth=frames, rng=np.random.default_rng([seed, stream])
        )
        for frames, stream in ((truth.es, 1), (truth.ed, 3))
    )
    ef = simulate_values(
        n,
        n_rounds,
        noise_sd=noise.ef_points,
        truth=truth.ef,
        rng=np.random.default_rng([seed, 2]),
    )
    return Annotations(
        noise,
        outlines,
        Rounds.from_array(es.values, items=truth.names, unit="frames"),
        Rounds.from_array(ef.values, items=truth.names, unit="points"),
        Rounds.from_array(ed.values, items=truth.names, unit="frames"),
    )
