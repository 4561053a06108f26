"""A student as a program of its own: python -m models.export WEIGHTS --out student.pt2.

The program takes one frame and the cells' states and gives the masks of that frame and the new
states, so that clips of any length, or a live image, go through it frame by frame. It needs torch
and nothing of this project: ``torch.export.load("student.pt2").module()``. A name that ends in
``.onnx`` gives an ONNX model, which needs onnxruntime or its like. ``--time`` tells how long a
frame takes, each way beside the student.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from annostat import AnnostatError
from annostat.files import write_whole
from models.checkpoints import load_student
from models.command import run_command
from models.latency import latency_lines, measure_latency
from models.network.student import Student
from models.one_frame import OneFrame, begin, check_masks, export_student
from models.onnx_export import check_onnx, export_onnx, run_onnx

SUFFIXES = (".pt2", ".onnx")


def as_bytes(student: Student, size: int, structures: Sequence[str], suffix: str) -> bytes:
    """Return a student as the content of a file of that kind, compared with the student itself."""
    if suffix == ".onnx":
        model = export_onnx(student, size, structures)
        check_masks(run_onnx(model), student, size)
        return model
    stream = io.BytesIO()
    torch.export.save(export_student(student, size), stream)
    return stream.getvalue()


def programs_of(
    student: Student, size: int, structures: Sequence[str]
) -> tuple[dict[str, Callable[..., Any]], str]:
    """Return the ways to run a student frame by frame, and what is lacking for one of them."""
    found = {
        "student": OneFrame(student).eval(),
        "exported program": export_student(student, size).module(),
    }
    try:
        check_onnx()
    except AnnostatError as error:
        return found, f"onnxruntime is not timed: {error}"
    model = export_onnx(student, size, structures)
    found["onnxruntime"] = run_onnx(model, threads=torch.get_num_threads())
    return found, ""


@click.command(context_settings={"show_default": True})
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="A .pt2 or .onnx file.")
@click.option("--time", "timed", is_flag=True, help="Tell how long a frame takes, each way.")
@click.option("--threads", type=click.IntRange(1), default=1, help="Of --time.")
def main(weights: Path, out: Path | None, timed: bool, threads: int) -> None:
    """Write a student as a program of its own, and compare the two."""
    if out is None and not timed:
        raise AnnostatError("give --out FILE.pt2, --out FILE.onnx or --time")
    if out is not None and out.suffix not in SUFFIXES:
        raise AnnostatError(f"--out must end in {' or '.join(SUFFIXES)}, got {str(out)!r}")
    student, config = load_student(weights)
    size, structures = config.data.size, config.data.structures
    if out is not None:
        content = as_bytes(student, size, structures, out.suffix)
        write_whole(out, lambda file: file.write(content))
        states = ", ".join(str(tuple(s.shape)) for s in begin(student, size))
        click.echo(
            f"{out}: frames (1, 1, {size}, {size}) of uint8 and the states {states} in; "
            f"probabilities of {', '.join(structures)} and the states out"
        )
    if timed:
        torch.set_num_threads(threads)
        programs, lacking = programs_of(student, size, structures)
        for line in latency_lines(measure_latency(programs, student, size), student, size):
            click.echo(line)
        if lacking:
            click.echo(lacking)


if __name__ == "__main__":
    run_command(main)
