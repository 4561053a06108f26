"""Figure 7: the first frames, before a recurrent student has converged.

The paper shows two examples and proposes to keep the largest component or to put frames in front.
Here the error of each frame index is averaged over clips, the frame from which it is flat is
estimated with an interval, and so is what frames in front gain. Clips are simulated; the student is
the one of ``--student FOLDER`` if given, else a small one trained here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from analysis.common import COLOURS, new_figure, save
from analysis.small_student import small_student, unseen_clips
from annostat.cardiac import first_frames
from annostat.masks import dice
from annostat.plotting import plot_first_frames

PAD = 12
SHOWN = (0, 1, 2, 4, 8)  # frames of the examples


def main(
    out: Path, *, seed: int = 0, quick: bool = False, student: Path | None = None
) -> dict[str, Any]:
    """Measure the first frames with and without frames in front."""
    net, config = small_student(out, seed=seed, quick=quick, student=student)
    from models.network.predict import predict

    clips = unseen_clips(config, 8 if quick else 24, frames=40, seed=seed)
    truth = [clip.mask("LV") for clip in clips]
    masks = [predict(net, clip.frames)[:, 0] >= 128 for clip in clips]
    errors = np.array([1 - dice(a, b) for a, b in zip(masks, truth, strict=True)])
    padded = np.array(
        [
            1 - dice(predict(net, clip.frames, pad=PAD)[:, 0] >= 128, t)
            for clip, t in zip(clips, truth, strict=True)
        ]
    )
    result = first_frames(errors, padded=padded, rng=seed)
    worst = np.argsort(errors[:, :3].mean(axis=1))[-2:][::-1]
    figure, axes = new_figure(13, 5.4, 1 + len(SHOWN), rows=2)
    grid = axes[0][0].get_gridspec()
    for ax in axes[:, 0]:
        ax.remove()
    plot_first_frames(result, ax=figure.add_subplot(grid[:, 0]))
    grid.set_width_ratios([2.4] + [1] * len(SHOWN))
    for row, index in zip(axes[:, 1:], worst, strict=True):
        for ax, t in zip(row, SHOWN, strict=True):
            ax.imshow(clips[index].frames[t], cmap="gray", vmin=0, vmax=255)
            outline(ax, truth[index][t], COLOURS[2], "--")
            outline(ax, masks[index][t], COLOURS[1], "-")
            ax.set_title(f"frame {t}, Dice {1 - errors[index, t]:.2f}", fontsize=8)
            ax.set_axis_off()
    figure.suptitle("Simulated clips; the student's outline, and the truth (dashed)", fontsize=10)
    numbers = {
        "kind": "simulated clips, " + ("small student" if student is None else "given student"),
        "pad": PAD,
        **result.to_dict(),
    }
    save(out, "first_frames", numbers, figure)
    return numbers


def outline(ax: Any, mask: np.ndarray, colour: str, style: str) -> None:
    """Draw the outline of a mask that is not empty."""
    if mask.any():
        ax.contour(mask, [0.5], colors=[colour], linestyles=[style], linewidths=1.2)
