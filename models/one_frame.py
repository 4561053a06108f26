"""A student as a program of its own, which takes a clip frame by frame.

The program takes one frame and the cells' states and gives the masks of that frame and the new
states, so that clips of any length, or a live image, go through it. `models.export` is the command.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from annostat import AnnostatError
from models.network.predict import predict
from models.network.student import Student

FRAMES = 6  # of the comparison with the student itself
CLOSE = 1  # of 255


class OneFrame(nn.Module):
    """A student that is given its states, frame by frame.

    Parameters
    ----------
    student : Student
        In evaluation mode.
    """

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, frame: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return probabilities (1, K, H, W) of a frame (1, 1, H, W), and the states after it.

        `states` are hidden and cell state of each layer in turn, as `begin` makes them.
        """
        carried = list(zip(states[::2], states[1::2], strict=True))
        logits = self.student(frame, carried)
        return logits[:, 0].sigmoid(), [s for pair in carried for s in pair]


def begin(student: Student, size: int) -> list[Tensor]:
    """Return the states before a clip's first frame: zeros, (1, F, H, W) of each layer."""
    states = []
    for block, cells in enumerate(student.cells):
        for cell in cells:  # type: ignore[attr-defined]
            shape = (1, cell.filters, size >> block, size >> block)
            states += [torch.zeros(shape), torch.zeros(shape)]
    return states


def export_student(student: Student, size: int) -> Any:
    """Return a student as an exported program for frames of size × size.

    Raises
    ------
    AnnostatError
        If the program's masks are not those of the student.
    """
    module = OneFrame(student).eval()
    frame = torch.zeros(1, 1, size, size, dtype=torch.uint8)
    with torch.no_grad():
        program = torch.export.export(module, (frame, begin(student, size)))
    check_masks(program.module(), student, size)
    return program


def check_masks(program: Any, student: Student, size: int) -> None:
    """Refuse a program whose masks, frame by frame, are not those of the student."""
    off = difference(program, student, size)
    if off > CLOSE:
        raise AnnostatError(f"the exported program's masks are off by {off} of 255: not written")


def difference(program: Any, student: Student, size: int) -> int:
    """Return the largest difference of masks, of 255, between a program and the student itself."""
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, size, size)).astype(np.uint8)
    wanted, states, worst = predict(student, frames), begin(student, size), 0
    with torch.no_grad():
        for image, mask in zip(frames, wanted, strict=True):
            y, states = program(torch.from_numpy(image)[None, None], states)
            mine = (255 * y[0]).round().numpy().astype(int)
            worst = max(worst, int(np.abs(mine - mask).max()))
    return worst
