"""From a curve to the frames of end-systole and end-diastole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat.arrays import FloatArray
from annostat.cardiac.curves import as_curve, as_vector, beat_length, z_score
from annostat.errors import AnnostatError, check_choice, check_count

PHASES = ("ES", "ED")
METHODS = ("nearest", "blind")


@dataclass(frozen=True)
class BlindPick:
    """A frame picked without looking at any reference.

    Attributes
    ----------
    frame : int
        The pick: the deepest minimum.
    standard_error : float
        Of the pick, in frames: noise of the curve, and the rounding to whole frames, √(1/12).
        Infinite if the curve is not bent there. It knows nothing of another beat that is nearly
        as deep, nor of the bias at a beat that turns abruptly.
    candidates : tuple of int
        The minima of all runs, in the order of time.
    beat : float
        Length of a beat in frames; NaN if the clip holds no second one.
    """

    frame: int
    standard_error: float
    candidates: tuple[int, ...]
    beat: float


def pick_nearest(curve: ArrayLike, reference: float, *, phase: str = "ES") -> int | None:
    """Return the pick of the EchoDFKD protocol, which looks at the reference.

    The curve is z-scored; frames below its median form runs; of the run nearest the reference
    (0 if it holds it, else the distance to its nearer end; the earlier run on a tie) the frame
    of the minimum is picked, the first one on a tie. ED is picked on the negated curve. The
    choice of the run uses the reference, so that the aFD cannot show a wrong beat: report
    `pick_blind` beside it.

    Parameters
    ----------
    curve : array-like of shape (n_frames,)
        Area per frame, or any curve that is smallest at end-systole.
    reference : float
        The annotated frame, from 0, within the clip.
    phase : {"ES", "ED"}

    Returns
    -------
    int or None
        None if no frame is below the median: the curve is constant, or smallest in half of its
        frames.

    Examples
    --------
    >>> curve = [9, 5, 2, 5, 9, 9, 4, 1, 4, 9]
    >>> pick_nearest(curve, 3), pick_nearest(curve, 6)
    (2, 7)
    """
    z = oriented(curve, phase)
    if not 0 <= float(reference) <= z.size - 1:
        raise AnnostatError(
            f"reference must be a frame of the clip (0 to {z.size - 1}), got {reference!r}"
        )
    runs = runs_below_median(z)
    if not runs:
        return None
    distance = [max(start - reference, reference - (stop - 1), 0.0) for start, stop in runs]
    start, stop = runs[int(np.argmin(distance))]
    return start + int(np.argmin(z[start:stop]))


def pick_blind(
    curve: ArrayLike, *, phase: str = "ES", window: int | None = None
) -> BlindPick | None:
    """Return the deepest minimum of the curve, without looking at a reference.

    The z-scored curve is smoothed by local cubics (Savitzky & Golay 1964); each run below the
    median gives a candidate, its minimum; minima at the first or last frame count only if there
    are no others, since the clip may cut the beat there. The deepest candidate is the pick. With
    residual SD σ, the variance v·σ² of a local cubic's slope, and c its quadratic coefficient,
    averaged over the candidates since beats are alike, a minimum has standard error σ√v / (2c).

    Parameters
    ----------
    curve : array-like of shape (n_frames,), at least 5 frames
    phase : {"ES", "ED"}
    window : int, optional
        Frames of a local cubic, odd, at least 5. By default two fifths of a beat (`beat_length`;
        of the clip if it holds no second beat). A wide window averages noise, but pulls the pick
        toward the flatter side of a beat that turns abruptly.

    Returns
    -------
    BlindPick or None
        None for a constant curve, or one that is smallest in half of its frames.

    Examples
    --------
    >>> import numpy as np
    >>> area = 100 + 30 * np.cos(2 * np.pi * (np.arange(90) - 4) / 36)
    >>> pick = pick_blind(area)
    >>> pick.frame in (22, 58), pick.candidates  # the clip ends while the area still falls
    (True, (22, 58, 89))
    """
    z = oriented(curve, phase, least=5)
    n = z.size
    beat = beat_length(z)
    if window is None:
        span = beat if math.isfinite(beat) else float(n)
        window = min(max(7, 2 * round(span / 5) + 1), n - 1 + n % 2)
    width = check_count("window", window, low=5)
    if width % 2 == 0 or width > n:
        raise AnnostatError(
            f"window must be an odd number of frames within the clip ({n}), got {width}"
        )
    if not z.any():
        return None
    from scipy.signal import savgol_coeffs, savgol_filter

    smooth = np.asarray(savgol_filter(z, width, 3), dtype=np.float64)
    runs = runs_below_median(smooth)
    if not runs:
        return None
    minima = [start + int(np.argmin(smooth[start:stop])) for start, stop in runs]
    inner = [t for t in minima if 0 < t < n - 1] or minima
    frame = min(inner, key=lambda t: float(smooth[t]))
    half = width // 2
    kept = 1.0 - float(savgol_coeffs(width, 3)[half])  # variance of a residual, in units of σ²
    # At the ends of the clip a residual has another variance.
    middle = slice(half, n - half) if n > 2 * width else slice(None)
    sigma = math.sqrt(float(np.mean((z - smooth)[middle] ** 2)) / kept)
    bends = np.asarray(savgol_filter(z, width, 3, deriv=2), dtype=np.float64) / 2
    whole = [t for t in inner if half <= t < n - half] or [frame]
    bend = float(np.mean(bends[whole]))
    t = np.arange(-half, half + 1, dtype=np.float64)
    s2, s4, s6 = (float(np.sum(t**k)) for k in (2, 4, 6))
    slope_error = sigma * math.sqrt(s6 / (s2 * s6 - s4**2))
    error = math.hypot(slope_error / (2 * bend), math.sqrt(1 / 12)) if bend > 0 else math.inf
    return BlindPick(frame, error, tuple(minima), beat)


def pick_prominent(
    curve: ArrayLike, *, phase: str = "ES", distance: int = 10, prominence: float = 1.5
) -> int:
    """Return the deepest prominent minimum: the reference pick of a prompt curve.

    The curve is z-scored; `scipy.signal.find_peaks` on its negative finds the minima; of those
    the deepest is picked, and the deepest frame of all if there is none.

    Parameters
    ----------
    curve : array-like of shape (n_frames,)
        For example `prompt_curve`.
    phase : {"ES", "ED"}
    distance : int
        Least number of frames between two minima.
    prominence : float
        Least prominence, in standard deviations of the curve.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(80)
    >>> pick_prominent(np.cos(2 * np.pi * t / 40) - 0.01 * t)
    60
    """
    from scipy.signal import find_peaks

    z = oriented(curve, phase)
    peaks, _ = find_peaks(-z, distance=distance, prominence=prominence)
    return int(peaks[np.argmin(z[peaks])]) if peaks.size else int(np.argmin(z))


def pick_frames(
    curves: Sequence[ArrayLike] | NDArray[np.generic],
    *,
    reference: ArrayLike | None = None,
    phase: str = "ES",
    method: str = "nearest",
    window: int | None = None,
) -> FloatArray:
    """Return one pick per clip.

    Parameters
    ----------
    curves : sequence of array-likes, each of shape (n_frames of that clip,)
    reference : array-like of shape (n_clips,)
        Annotated frames; for the method "nearest" only, and refused by "blind".
    phase : {"ES", "ED"}
    method : {"nearest", "blind"}
        `pick_nearest` or `pick_blind`.
    window : int, optional
        For "blind".

    Returns
    -------
    float64 array of shape (n_clips,)
        Frames from 0; NaN where a curve gives no pick (it is constant, say), which `score_afd`
        counts.

    Examples
    --------
    >>> curves = [[9, 5, 2, 5, 9, 9, 4, 1, 4, 9], [7, 7, 7, 7]]
    >>> pick_frames(curves, reference=[3, 0]).tolist()
    [2.0, nan]
    """
    check_choice("method", method, METHODS)
    clips = list(curves)
    if not clips:
        raise AnnostatError("curves is empty: give one curve per clip")
    if method == "blind" and reference is not None:
        raise AnnostatError("method 'blind' takes no reference: that is what makes it blind")
    if method == "nearest" and reference is None:
        raise AnnostatError("method 'nearest' needs the reference frames; method 'blind' does not")
    frames = None if reference is None else as_vector("reference", reference, len(clips))
    picks = np.full(len(clips), math.nan)
    for i, curve in enumerate(clips):
        try:
            if frames is not None:
                found = pick_nearest(curve, float(frames[i]), phase=phase)
            else:
                blind = pick_blind(curve, phase=phase, window=window)
                found = None if blind is None else blind.frame
        except AnnostatError as error:
            raise AnnostatError(f"clip {i}: {error}") from None
        if found is not None:
            picks[i] = found
    return picks


def oriented(curve: ArrayLike, phase: str, *, least: int = 3) -> FloatArray:
    """Return the z-scored curve whose minimum is the phase: negated for ED."""
    check_choice("phase", phase, PHASES)
    z = z_score(as_curve(curve, least=least))
    return -z if phase == "ED" else z


def runs_below_median(z: FloatArray) -> list[tuple[int, int]]:
    """Return (start, stop) of each run of frames strictly below the median."""
    below = np.concatenate([[False], z < np.median(z), [False]])
    edges = np.flatnonzero(below[1:] != below[:-1]).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
