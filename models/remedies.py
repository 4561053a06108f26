"""The first frames of clips one by one, and what helps there: padding, the largest component.

A recurrent student knows nothing at the first frame. The paper proposes to put frames in front, and
to keep the largest component of each mask; here both stand beside each other, frame by frame, and
together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import Estimate
from annostat.cardiac import pre_pad
from annostat.results import Section
from models.data.store import Store
from models.means import mean_estimate
from models.network.predict import keep_largest, predict
from models.network.student import Student
from models.picks import cell
from models.predictions import dice_errors

FloatArray = NDArray[np.float64]
N_FRAMES = 10
PAD = 12  # frames, where no other number is asked for
AS_IT_IS = "as it is"
LARGEST, PADDED, BOTH = "largest component", "padded", "padded, largest component"


@dataclass(frozen=True, eq=False)
class Remedies:
    """1 − Dice of the first frames, the first structure, by what is done about them.

    Attributes
    ----------
    errors : dict of str to float64 array of shape (n_clips, n_frames)
        "as it is", "largest component", "padded", and both.
    pad : int
        Frames put in front.
    how : str
        What is put there.
    seed : int
        Of the bootstraps.
    """

    errors: dict[str, FloatArray]
    pad: int
    how: str
    seed: int = 0

    @property
    def n_frames(self) -> int:
        """How many frames are looked at."""
        return int(self.errors[AS_IT_IS].shape[1])

    def mean(self, name: str, frame: int) -> Estimate:
        """Return the mean error of a frame."""
        return mean_estimate(self.errors[name][:, frame], share=True, seed=self.seed)

    def change(self, name: str, frame: int) -> Estimate:
        """Return how much of the error a remedy takes away from a frame (negative) or adds."""
        gap = self.errors[name][:, frame] - self.errors[AS_IT_IS][:, frame]
        return mean_estimate(gap, signed=True, seed=self.seed)

    def section(self) -> Section:
        """Return what a person should read: a row for each frame."""
        names = list(self.errors)
        rows = [
            [str(t), *(cell(self.mean(name, t)) for name in names)] for t in range(self.n_frames)
        ]
        lines = [f"1 − Dice of {len(self.errors[AS_IT_IS])} clips; padded: {self.pad}, {self.how}"]
        for name in names[1:]:
            worse = [t for t in range(self.n_frames) if _low(self.change(name, t)) > 0]
            told = f"at frame 0, {name} changes it by {cell(self.change(name, 0))}"
            if worse:
                told += f"; it is worse (95%) at frame{'s' * (len(worse) > 1)} "
                told += ", ".join(map(str, worse))
            lines.append(told)
        return Section("The first frames", ["frame", *names], rows, lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        frames = range(self.n_frames)
        return {
            "n_clips": len(self.errors[AS_IT_IS]),
            "pad": self.pad,
            "how": self.how,
            "means": {n: [self.mean(n, t).to_dict() for t in frames] for n in self.errors},
            "changes": {
                n: [self.change(n, t).to_dict() for t in frames]
                for n in self.errors
                if n != AS_IT_IS
            },
        }


def _low(change: Estimate) -> float:
    return -np.inf if change.interval is None else change.interval.low


def try_remedies(
    student: Student,
    store: Store,
    *,
    pad: int = 0,
    how: str = "mirror",
    n_frames: int = N_FRAMES,
    seed: int = 0,
) -> Remedies | None:
    """Return the errors of the first frames of clips, by what is done about them.

    Parameters
    ----------
    student : Student
    store : Store
        With targets; clips that are too short for it, or to be padded, are left out.
    pad, how
        As in `models.network.predict.predict`; 0 stands for twelve frames.
    n_frames : int
    seed : int
        Of the bootstraps.

    Returns
    -------
    Remedies or None
        None if fewer than two clips are long enough.
    """
    pad = pad or PAD
    errors: dict[str, list[FloatArray]] = {n: [] for n in (AS_IT_IS, LARGEST, PADDED, BOTH)}
    for k in range(len(store)):
        clip = store.clip(k)
        frames = np.asarray(clip.frames)
        if clip.targets is None or len(frames) < max(n_frames, pad + 1):
            continue
        target = np.asarray(clip.targets[:n_frames, 0])
        front = pre_pad(frames, pad, how=how)[: pad + n_frames]
        bare = predict(student, frames[:n_frames])[:, 0]
        padded = predict(student, front)[pad:, 0]
        masks = (bare, keep_largest(bare), padded, keep_largest(padded))
        for name, mask in zip(errors, masks, strict=True):
            errors[name].append(dice_errors(mask, target))
    if len(errors[AS_IT_IS]) < 2:
        return None
    return Remedies({n: np.stack(found) for n, found in errors.items()}, pad, how, seed)
