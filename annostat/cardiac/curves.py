"""One number per frame: areas of masks, scores of prompts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_number, shown

# What the EchoDFKD evaluation cuts soft masks at: one threshold for areas in the aFD, another for
# Dice and the ejection fraction.
AFD_THRESHOLD = 25 / 255
DICE_THRESHOLD = 80 / 255


def mask_areas(masks: ArrayLike, *, threshold: float = AFD_THRESHOLD) -> FloatArray:
    """Return the area of each frame's mask, in pixels.

    Parameters
    ----------
    masks : array-like of shape (n_frames, height, width)
        Booleans; probabilities in [0, 1]; whole numbers 0..255, read as 255 times a probability,
        or only 0 and 1, read as a mask.
    threshold : float
        A pixel belongs to the mask if its probability is above it. 25/255 for the aFD,
        `DICE_THRESHOLD` = 80/255 for Dice and EF. Booleans need none.

    Returns
    -------
    float64 array of shape (n_frames,)
        0 where a mask is empty.

    Raises
    ------
    AnnostatError
        If the masks have not three axes, or values out of their range, or NaN.

    Examples
    --------
    >>> import numpy as np
    >>> soft = np.zeros((2, 4, 4)); soft[0, :2] = 0.2; soft[1, 0, 0] = 0.9
    >>> mask_areas(soft).tolist(), mask_areas(soft, threshold=80 / 255).tolist()
    ([8.0, 1.0], [0.0, 1.0])
    """
    return np.asarray(binary(masks, threshold).sum(axis=(1, 2)), dtype=np.float64)


def binary(masks: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Return masks as booleans of shape (n_frames, height, width)."""
    cut = check_number("threshold", threshold, low=0.0, high=1.0)
    values = np.asarray(masks)
    if values.ndim != 3:
        raise AnnostatError(
            f"masks must have three axes (frames × height × width), got shape {values.shape}"
        )
    if values.dtype.kind == "b":
        return values
    if values.dtype.kind not in "iuf":
        raise AnnostatError(f"masks must be booleans or numbers, got {values.dtype}")
    if values.size == 0:
        return np.zeros(values.shape, dtype=bool)
    low, high = float(values.min()), float(values.max())
    top = 1.0 if values.dtype.kind == "f" else 255.0
    if not (low >= 0 and high <= top):
        raise AnnostatError(f"masks must be in [0, {top:g}], got {low:g} to {high:g}")
    if values.dtype.kind != "f" and high <= 1:
        return values > 0
    return np.asarray(values > cut * top)


def prompt_curve(closed: ArrayLike, opened: ArrayLike) -> FloatArray:
    """Return a curve whose minimum is end-systole, from two prompts' scores per frame.

    A vision-language model scores each frame against "the valve is closed" and "the valve is
    open". The mitral valve is closed in systole, so the running sum of closed − open rises
    through systole; it is negated, so that end-systole is the minimum, as for an area.

    Parameters
    ----------
    closed, opened : array-like of shape (n_frames,)
        Scores (cosines, say) of the two prompts.

    Returns
    -------
    float64 array of shape (n_frames,)
        −Σ_{s ≤ t} (closed_s − opened_s).

    Examples
    --------
    >>> prompt_curve([1, 1, 0, 0], [0, 0, 1, 1]).tolist()
    [-1.0, -2.0, -1.0, 0.0]
    """
    first, second = as_curve(closed, "closed", least=1), as_curve(opened, "opened", least=1)
    if first.shape != second.shape:
        raise AnnostatError(
            f"closed and opened must score the same frames, got {first.size} and {second.size}"
        )
    return np.cumsum(second - first)


def beat_length(curve: ArrayLike) -> float:
    """Return the length of one beat in frames, from the curve's autocorrelation.

    It is the lag of the highest peak of the autocorrelation after its first zero, refined by a
    parabola; NaN if there is none above 0.2: the clip then holds no second beat.

    Examples
    --------
    >>> import numpy as np
    >>> round(beat_length(np.cos(2 * np.pi * np.arange(150) / 32)), 1)
    32.0
    """
    z = z_score(as_curve(curve))
    n = z.size
    lags = np.arange(n // 2 + 1)
    spectrum = np.abs(np.fft.rfft(z, 2 * n)) ** 2
    total = np.fft.irfft(spectrum)[: lags.size]
    correlation = total / (n - lags)
    below = np.flatnonzero(correlation < 0)
    if not below.size:
        return float("nan")
    start = int(below[0])
    inner = correlation[start:]
    if inner.size < 3:
        return float("nan")
    peak = np.flatnonzero((inner[1:-1] >= inner[:-2]) & (inner[1:-1] > inner[2:])) + 1
    peak = peak[inner[peak] > 0.2]
    if not peak.size:
        return float("nan")
    # Two beats correlate nearly as well as one: the first peak close to the highest.
    high = inner[peak]
    k = start + int(peak[np.flatnonzero(high > 0.8 * high.max())[0]])
    left, here, right = correlation[k - 1 : k + 2]
    bend = left - 2 * here + right
    return float(k + (0.5 * (left - right) / bend if bend < 0 else 0.0))


def z_score(curve: FloatArray) -> FloatArray:
    """Return the curve with mean 0 and standard deviation 1; a constant curve becomes zeros."""
    centred = curve - curve.mean()
    spread = float(np.sqrt(np.mean(centred**2)))
    # The rounding of a constant is no variation.
    small = 1e-12 * float(np.abs(curve).max(initial=0.0))
    return centred / spread if spread > small else np.zeros_like(curve)


def as_curve(values: ArrayLike, name: str = "curve", *, least: int = 3) -> FloatArray:
    """Return a finite float64 array of shape (n_frames,)."""
    try:
        curve = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise AnnostatError(f"{name} must be one number per frame, got {values!r:.60}") from None
    if curve.ndim != 1 or curve.size < least:
        raise AnnostatError(
            f"{name} must be one number per frame, at least {least}, got shape {curve.shape}"
        )
    if not np.isfinite(curve).all():
        bad = np.flatnonzero(~np.isfinite(curve))
        raise AnnostatError(f"{name} must be finite, got {curve[bad[0]]} at frames {shown(bad)}")
    return curve


def as_vector(name: str, values: Any, n: int | None = None, *, missing: bool = False) -> FloatArray:
    """Return float64 of shape (n,): one number per clip; NaN only where `missing` allows it."""
    try:
        vector = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise AnnostatError(f"{name} must be one number per clip, got {values!r:.60}") from None
    if vector.ndim == 0 and n is not None:
        vector = np.full(n, float(vector))
    if vector.ndim != 1 or (n is not None and vector.size != n):
        wanted = "" if n is None else f" ({n} clips)"
        raise AnnostatError(f"{name} must be one number per clip{wanted}, got shape {vector.shape}")
    bad = np.isinf(vector) if missing else ~np.isfinite(vector)
    if bad.any():
        where = np.flatnonzero(bad)
        raise AnnostatError(
            f"{name} must be finite, got {vector[where[0]]} at clips {shown(where)}"
        )
    return vector
