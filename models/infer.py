"""Masks of whole clips: python -m models.infer WEIGHTS CLIPS --out FOLDER.

Frames go through the network in pieces, the cells' states being carried on, so that memory does
not grow with the length of a clip. Masks are written as teachers write theirs, in the clip's own
geometry: one `CLIP.npz` for each clip, uint8 (T, H, W), 255 for certain; with several structures
one folder for each. A clip that comes from NIfTI has a `CLIP.nii.gz` beside. `masks.json` says
whose masks they are, `clips.csv` what became of each clip.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.errors import shown
from annostat.files import write_text
from models.checkpoints import load_student
from models.command import counter, padding_options, pick_device, run_command, say
from models.data.clip_files import Whole
from models.data.folders import clips_in, stored_shape, write_masks, write_nifti
from models.data.manifest import claim, digest_of
from models.data.store import clips as counted
from models.history import as_csv
from models.network.predict import predict_many, together
from models.network.student import Student
from models.network.weights import find_weights


def masks_of(
    student: Student, clips: Sequence[Whole], size: int, *, stride: int = 1, **options: Any
) -> list[NDArray[np.uint8]]:
    """Return the masks of clips in their own geometry, each uint8 (T, structures, H, W).

    Parameters
    ----------
    student : Student
    clips : sequence of Whole
        They go through the network together.
    size : int
        Pixels of the square that the student was trained on.
    stride : int
        The student expects every n-th frame: a clip goes through n times, so that each frame has
        its mask.
    **options
        As in `models.network.predict.predict_many`.
    """
    frames = [clip.squared(size) for clip in clips]
    # A clip that has fewer frames than that goes through fewer times.
    parts = [(k, first) for k, f in enumerate(frames) for first in range(min(stride, len(f)))]
    found = predict_many(student, [frames[k][first::stride] for k, first in parts], **options)
    out = []
    for k, clip in enumerate(clips):
        mine = {first: m for (j, first), m in zip(parts, found, strict=True) if j == k}
        small = np.empty((len(frames[k]), *mine[0].shape[1:]), dtype=np.uint8)
        for first, masks in mine.items():
            small[first::stride] = masks
        each = [clip.unsquared(np.ascontiguousarray(small[:, s])) for s in range(small.shape[1])]
        out.append(np.stack(each, axis=1))
    return out


@dataclass
class Job:
    """One clip: where it is read from, where its masks go, and what became of it."""

    name: str
    read: Callable[[], Whole]
    targets: list[Path]
    clip: Whole | None = None
    error: str = ""

    def row(self) -> dict[str, Any]:
        """Return the clip's row of `clips.csv`."""
        shape: tuple[Any, ...] = ("", "", "")
        if not self.error:
            try:
                shape = stored_shape(self.targets[0])
            except AnnostatError as error:
                self.error = _words(error)
        frames, height, width = shape
        facts = {"clip": self.name, "frames": frames, "height": height, "width": width}
        return {**facts, "error": self.error}


def _words(error: AnnostatError) -> str:
    return " ".join(str(error).split())


def write_group(student: Student, jobs: Sequence[Job], size: int, **options: Any) -> None:
    """Read clips and write their masks; what cannot be read keeps its error."""
    for job in jobs:
        try:
            job.clip = job.read()
        except AnnostatError as error:
            job.error = _words(error)
    readable = [job for job in jobs if job.clip is not None]
    if not readable:
        return
    places = [job.clip.nifti for job in readable if job.clip]
    try:
        found = masks_of(student, [job.clip for job in readable if job.clip], size, **options)
    except AnnostatError as error:
        if len(readable) > 1:  # one of them does not fit: each by itself tells which
            for job in readable:
                write_group(student, [job], size, **options)
            return
        for job in readable:
            job.error = _words(error)
        return
    finally:
        for job in jobs:
            job.clip = None  # not all clips of a folder fit into memory
    for job, masks, nifti in zip(readable, found, places, strict=True):
        for k, target in enumerate(job.targets):
            if nifti is not None:
                write_nifti(target.with_name(f"{job.name}.nii.gz"), masks[:, k], nifti)
            write_masks(target, masks[:, k])


@click.command(context_settings={"show_default": True})
@click.argument("weights", type=click.Path(path_type=Path))
@click.argument("clips", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of masks.")
@padding_options
@click.option("--largest", is_flag=True, help="Keep the largest component of each mask.")
@click.option(
    "--stride",
    type=click.IntRange(1),
    default=1,
    help="Let the student see every n-th frame, n times over: each frame gets its mask.",
)
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--quiet", is_flag=True)
def main(
    weights: Path,
    clips: Path,
    out: Path,
    pad: int,
    how: str,
    largest: bool,
    stride: int,
    device: str,
    quiet: bool,
) -> None:
    """Write the masks of every clip; a clip whose masks are there already is left alone."""
    weights = find_weights(weights)
    student, config = load_student(weights, pick_device(device))
    if stride != config.train.stride:
        say(
            f"Warning: the student was trained on every {config.train.stride}. frame and is used "
            f"on every {stride}.; its states expect that speed (--stride {config.train.stride})"
        )
    found = clips_in(clips)
    refuse_inputs(clips, out)
    structures = config.data.structures
    options = {"pad": pad, "how": how, "largest": largest}
    claim(
        out,
        {
            "weights": digest_of(weights),
            "structures": list(structures),
            "size": config.data.size,
            **options,
            "stride": stride,
        },
    )
    folders = [out] if len(structures) == 1 else [out / s for s in structures]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    jobs = [Job(k, read, [f / f"{k}.npz" for f in folders]) for k, read in found.items()]
    todo = [job for job in jobs if not all(target.exists() for target in job.targets)]
    n = together(student)
    with counter("Clips", len(todo), quiet=quiet) as done:
        for start in range(0, len(todo), n):
            group = todo[start : start + n]
            write_group(student, group, config.data.size, stride=stride, **options)
            done(start + len(group))
    rows = [job.row() for job in jobs]
    write_text(out / "clips.csv", as_csv(rows))
    failed = {row["clip"]: row["error"] for row in rows if row["error"]}
    told = shown(f"{name} ({why})" for name, why in failed.items())
    if len(failed) == len(rows):
        raise AnnostatError(f"no clip can be read: {told}")
    say(f"{counted(len(rows) - len(failed))} in {os.fspath(out)}", quiet=quiet)
    if failed:
        say(f"Without masks, see clips.csv: {counted(len(failed))}: {told}")


def refuse_inputs(clips: Path, out: Path) -> None:
    """Refuse to write masks among the clips: one of NIfTI would be replaced by its mask.

    Raises
    ------
    AnnostatError
        If the folder of masks is that of the clips, lies around it, or is a file.
    """
    if out.exists() and not out.is_dir():
        raise AnnostatError(f"--out must be a folder, got the file {os.fspath(out)!r}")
    place, target = clips.resolve(), out.resolve()
    if target == place or (target == place.parent and place.is_file()):
        raise AnnostatError(
            f"--out {os.fspath(out)!r} holds the clips, which are not replaced: name another folder"
        )


if __name__ == "__main__":
    run_command(main)
