"""A student as a program of its own: python -m models.export WEIGHTS --out student.pt2.

The program takes one frame and the cells' states and gives the masks of that frame and the new
states, so that clips of any length, or a live image, go through it frame by frame. It needs torch
and nothing of this project: ``torch.export.load("student.pt2").module()``.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from annostat import AnnostatError
from annostat.files import write_whole
from models.checkpoints import load_student
from models.command import run_command
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
    off = difference(program.module(), student, size)
    if off > CLOSE:
        raise AnnostatError(f"the exported program's masks are off by {off} of 255: not written")
    return program


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


@click.command()
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .pt2 file.")
def main(weights: Path, out: Path) -> None:
    """Write a student as an exported program, and compare the two."""
    if out.suffix != ".pt2":
        raise AnnostatError(f"--out must end in .pt2, got {str(out)!r}")
    student, config = load_student(weights)
    program = export_student(student, config.data.size)
    stream = io.BytesIO()
    torch.export.save(program, stream)
    write_whole(out, lambda file: file.write(stream.getvalue()))
    states = ", ".join(str(tuple(s.shape)) for s in begin(student, config.data.size))
    click.echo(
        f"{out}: frames (1, 1, {config.data.size}, {config.data.size}) of uint8 and the states "
        f"{states} in; probabilities of {', '.join(config.data.structures)} and the states out"
    )


if __name__ == "__main__":
    run_command(main)
