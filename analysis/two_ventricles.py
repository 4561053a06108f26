"""Figure 8: one student, two teachers: the left and the right ventricle.

The paper's second teacher is another network; here each structure's teacher is the phantom's exact
mask. Clips are simulated; the student is the one of ``--student FOLDER`` if given (it must know LV
and RV), else a small one trained here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from analysis.common import COLOURS, new_figure, save
from analysis.first_frames import outline
from analysis.small_student import small_student, unseen_clips
from annostat.errors import AnnostatError
from annostat.masks import overlap

STRUCTURES = ("LV", "RV")
PAD = 12


def main(
    out: Path, *, seed: int = 0, quick: bool = False, student: Path | None = None
) -> dict[str, Any]:
    """Draw both ventricles at ED and ES, and give their Dice over unseen clips."""
    net, config = small_student(out, seed=seed, quick=quick, student=student)
    from models.network.predict import predict

    lacking = [s for s in STRUCTURES if s not in config.data.structures]
    if lacking:
        raise AnnostatError(f"student: it was not trained on {', '.join(lacking)}")
    channel = [config.data.structures.index(s) for s in STRUCTURES]
    clips = unseen_clips(config, 6 if quick else 24, frames=40, seed=seed)
    masks = [predict(net, clip.frames, pad=PAD)[:, channel] >= 128 for clip in clips]
    numbers: dict[str, Any] = {
        "kind": "simulated clips, " + ("small student" if student is None else "given student")
    }
    names = [clip.name for clip in clips for _ in clip.frames]
    for k, structure in enumerate(STRUCTURES):
        found = overlap(
            np.concatenate([m[:, k] for m in masks]),
            np.concatenate([clip.mask(structure) for clip in clips]),
            clips=names,
            surface=False,
            rng=seed,
        )
        numbers[f"dice_{structure}"] = found.dice.to_dict()
    figure, axes = new_figure(10, 5.6, 4, rows=2)
    for column, (clip, mask) in zip(axes.T, zip(clips, masks, strict=True), strict=False):
        for ax, phase in zip(column, ("ed", "es"), strict=True):
            t = getattr(clip, phase)
            ax.imshow(clip.frames[t], cmap="gray", vmin=0, vmax=255)
            for k, structure in enumerate(STRUCTURES):
                outline(ax, clip.mask(structure)[t], "white", "--")
                outline(ax, mask[t, k], COLOURS[k], "-")
            ax.set_title(f"{phase.upper()}, frame {t}", fontsize=8)
            ax.set_axis_off()
    figure.suptitle("Simulated clips: LV (blue), RV (orange), truth dashed", fontsize=10)
    save(out, "two_ventricles", numbers, figure)
    return numbers
