"""From which frame on a model's error is flat, judged by equivalence.

A hinge fitted to the mean curve says where two lines meet; it may lie before frames whose error is
still clearly higher. Someone who pads by it pads too little. Here a frame counts as settled only if
the data show that its error differs by less than a margin from the later ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat import AnnostatError
from annostat.errors import check_count, check_level, check_number
from annostat.results import Section

FloatArray = NDArray[np.float64]
MARGIN = 0.01  # of 1 − Dice


@dataclass(frozen=True, eq=False)
class Settling:
    """Errors of the first frames minus the later ones of the same clips.

    Attributes
    ----------
    frame : int or None
        The first frame from which on every one is equivalent to the later ones; None if that
        cannot be shown.
    margin, level : float
        Two one-sided tests at 1 − `level` each: the interval of level 2·`level` − 1 lies within
        ± `margin`.
    gaps, low, high : float64 arrays of shape (n,)
        Mean error of a frame minus the later ones, and that interval; NaN with less than two clips.
    n_clips : int
    """

    frame: int | None
    margin: float
    level: float
    gaps: FloatArray
    low: FloatArray
    high: FloatArray
    n_clips: int

    def words(self) -> str:
        """Return the verdict in a sentence."""
        within = f"within {self.margin:g} of the later frames"
        if self.frame is None:
            return f"no frame is shown to be {within}: more clips, or a wider margin"
        return f"{within} from frame {self.frame} on"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "frame": self.frame,
            "margin": self.margin,
            "level": self.level,
            "n_clips": self.n_clips,
            "gaps": self.gaps.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
        }


def settle(
    errors: Sequence[FloatArray],
    *,
    n_frames: int = 30,
    margin: float = MARGIN,
    level: float = 0.95,
) -> Settling:
    """Say from which frame on the error is flat.

    The error of each frame is compared with the mean of the same clip's frames from
    `n_frames` // 2 to `n_frames`, by two one-sided t tests over clips. Frames are tested from the
    last one to the first until one is not equivalent, so that no correction is needed for their
    number.

    Parameters
    ----------
    errors : sequence of float64 arrays
        Error of each frame of each clip; NaN where there is none.
    n_frames : int
        How many of the first frames are looked at, at least 4; clips that are shorter give what
        they have, those without any later frame are left out.
    margin : float
        A difference that does not matter, in units of the error.
    level : float
        Confidence of each one-sided test.

    Raises
    ------
    AnnostatError
        If fewer than two clips have a later frame.
    """
    n_frames = check_count("n_frames", n_frames, low=4)
    margin, level = check_number("margin", margin, low=0.0, open_ends=True), check_level(level)
    half = n_frames // 2
    table = np.full((len(errors), n_frames), np.nan)
    for row, values in zip(table, errors, strict=True):
        row[: min(len(values), n_frames)] = values[:n_frames]
    table = table[np.isfinite(table[:, half:]).any(axis=1)]
    if len(table) < 2:
        raise AnnostatError(
            f"errors: two clips of more than {half} frames are needed to see what is flat"
        )
    gaps = table[:, :half] - np.nanmean(table[:, half:], axis=1, keepdims=True)
    n = np.isfinite(gaps).sum(axis=0)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # frames that no clip has
        mean = np.nanmean(gaps, axis=0)
        error = np.nanstd(gaps, axis=0, ddof=1) / np.sqrt(n)
        reach = special.stdtrit(np.maximum(n - 1, 1), level) * error
    low, high = mean - reach, mean + reach
    # A frame without an interval is not shown to be anything.
    settled = (low > -margin) & (high < margin)
    failing = np.flatnonzero(~settled)
    first = int(failing[-1]) + 1 if failing.size else 0
    return Settling(first if first < half else None, margin, level, mean, low, high, len(table))


def settling_section(bare: Settling, padded: Settling | None) -> Section:
    """Return what a person who pads should read."""
    lines = [f"1 − Dice is {bare.words()}"]
    if padded is not None:
        lines = [f"without padding, 1 − Dice is {bare.words()}"]
        lines.append(f"with padding, 1 − Dice is {padded.words()}")
    lines.append(f"equivalence of {bare.n_clips} clips, two one-sided tests at {1 - bare.level:g}")
    return Section("Frames until the error is flat", [], [], lines)
