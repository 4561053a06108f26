"""How many frames a student needs to settle, judged by equivalence.

A recurrent student knows nothing at the first frame of a clip. To see what that costs it is started
anew in the midst of clips: the error of each frame then stands beside that of the same frame by the
run that saw all frames before. (Beside later frames it would tell of the heart's phase instead:
clips begin at diastole, and small ventricles have a lower Dice.) A frame counts as settled only if
the data show that the two differ by less than a margin. A hinge fitted to the mean curve may lie
before frames whose error is clearly higher; someone who pads by it pads too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat import AnnostatError
from annostat.errors import check_level, check_number
from annostat.results import Section
from models.data.store import Store
from models.network.predict import predict
from models.network.student import Student
from models.predictions import Predictions, dice_errors

FloatArray = NDArray[np.float64]
MARGIN = 0.01  # of 1 − Dice
N_FRAMES = 15


@dataclass(frozen=True, eq=False)
class Settling:
    """Errors after a cold start minus those of the same frames by a run that saw all before.

    Attributes
    ----------
    frame : int or None
        The first frame after a start from which on all are equivalent; None if that cannot be
        shown.
    margin, level : float
        Two one-sided tests at 1 − `level` each: the interval of level 2·`level` − 1 lies within
        ± `margin`.
    gaps, low, high : float64 arrays of shape (n,)
        Mean difference after so many frames, and that interval.
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
        """Return the verdict in a few words."""
        if self.frame is None:
            return f"not shown to come within {self.margin:g} in {len(self.gaps)} frames"
        return f"within {self.margin:g} from frame {self.frame} on"

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
    cold: Sequence[FloatArray],
    warm: Sequence[FloatArray],
    *,
    margin: float = MARGIN,
    level: float = 0.95,
) -> Settling:
    """Say how many frames after a cold start the error is that of a run that saw all before.

    Frames are compared by two one-sided t tests over clips, from the last one to the first until
    one is not equivalent, so that no correction is needed for their number.

    Parameters
    ----------
    cold, warm : sequences of float64 arrays of shape (n,)
        Errors of the same frames of the same clips, from the start on.
    margin : float
        A difference that does not matter, in units of the error.
    level : float
        Confidence of each one-sided test.

    Raises
    ------
    AnnostatError
        If there are fewer than two clips, or their lengths differ.
    """
    margin, level = check_number("margin", margin, low=0.0, open_ends=True), check_level(level)
    if len(cold) < 2 or len({len(e) for e in (*cold, *warm)}) != 1 or len(cold) != len(warm):
        raise AnnostatError(
            "cold and warm must hold the same frames of the same clips, of two clips at least"
        )
    gaps = np.stack(cold) - np.stack(warm)
    n, mean = len(gaps), gaps.mean(axis=0)
    reach = special.stdtrit(n - 1, level) * gaps.std(axis=0, ddof=1) / np.sqrt(n)
    low, high = mean - reach, mean + reach
    failing = np.flatnonzero(~((low > -margin) & (high < margin)))
    first = int(failing[-1]) + 1 if failing.size else 0
    return Settling(first if first < len(mean) else None, margin, level, mean, low, high, n)


def cold_starts(
    student: Student, store: Store, warm: Predictions, *, n_frames: int = N_FRAMES, **options: Any
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return errors (1 − Dice, first structure) after starting in the midst of clips.

    Parameters
    ----------
    student : Student
    store : Store
        With targets. A clip is started anew at the frame `n_frames`, and looked at for as many
        frames; shorter clips are left out.
    warm : Predictions
        Of the whole clips, without padding.
    n_frames : int
    **options
        As in `models.network.predict.predict`.

    Returns
    -------
    tuple of two lists of float64 arrays of shape (n_frames,)
        After the start, and by the run that saw all frames before.
    """
    cold, before = [], []
    whole = warm.frame_errors()
    for k in range(len(store)):
        clip = store.clip(k)
        if len(clip.frames) < 2 * n_frames or clip.targets is None:
            continue
        masks = predict(student, np.asarray(clip.frames[n_frames:]), **options)[:n_frames]
        cold.append(dice_errors(masks[:, 0], clip.targets[n_frames : 2 * n_frames, 0]))
        before.append(whole[k][n_frames : 2 * n_frames])
    return cold, before


def settling_section(bare: Settling, padded: Settling | None) -> Section:
    """Return what a person who pads should read."""
    lines = [f"without padding 1 − Dice is {bare.words()}"]
    if padded is not None:
        lines.append(f"with padding 1 − Dice is {padded.words()}")
    lines.append(
        f"{bare.n_clips} clips started anew in their midst, beside runs that saw all frames "
        f"before; equivalence by two one-sided tests at {1 - bare.level:.3g}"
    )
    return Section("Frames until the student has settled", [], [], lines)
