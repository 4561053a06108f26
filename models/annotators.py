"""Annotators of phantom clips whose noise is known: outlines, picked frames, ejection fractions.

Simulated, all of it. An outline is the true one moved along its normal by a smooth random function
of the angle; picks and values come from `annostat.simulate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from annostat import AnnostatError, NoiseModel, Rounds, simulate_rounds
from annostat.errors import check_number
from models.phantom import Clip

HARMONICS = 12  # of the displacement as a function of the angle
ANGLES = 256


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance to the outline in pixels, negative inside; +inf if the mask is empty."""
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
    return noise_px * rng.standard_normal((n, len(size))) @ (size[:, None] * waves)


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


def draw_picks(
    clips: Sequence[Clip | dict[str, Any]], model: NoiseModel, *, phase: str = "es",
    n_rounds: int = 2, rng: np.random.Generator | int,
) -> Rounds:  # fmt: skip
    """Return rounds of picked frames of clips (or of their facts) by annotators of a known law."""
    if not clips:
        raise AnnostatError("there are no clips to annotate")
    get = [c if isinstance(c, dict) else vars(c) for c in clips]
    truth = [int(c[phase]) for c in get]
    rounds = simulate_rounds(model, len(clips), n_rounds, truth=truth, rng=rng)
    return Rounds.from_array(rounds.values, items=[str(c["name"]) for c in get], unit="frames")
