"""Masks of whole clips: python -m models.infer WEIGHTS CLIPS --out FOLDER.

Frames go through the network in pieces, the cells' states being carried on, so that memory does
not grow with the length of a clip. Masks are written as teachers write theirs, in the clip's own
geometry: one `CLIP.npz` for each clip, uint8 (T, H, W), 255 for certain; with several structures
one folder for each. `masks.json` says whose masks they are, `clips.csv` what became of each clip.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.errors import shown
from annostat.files import write_text
from models.checkpoints import load_student
from models.command import counter, pick_device, run_command, say
from models.data.folders import Whole, clips_in, stored_shape, write_masks
from models.data.manifest import claim, digest_of
from models.history import as_csv
from models.network.predict import PADDINGS, predict
from models.network.student import Student


def masks_of(
    student: Student, clip: Whole, size: int, *, stride: int = 1, **options: Any
) -> NDArray[np.uint8]:
    """Return the masks of a clip in its own geometry, uint8 (T, structures, H, W).

    Parameters
    ----------
    student : Student
    clip : Whole
    size : int
        Pixels of the square that the student was trained on.
    stride : int
        The student expects every n-th frame: the clip goes through n times, so that each frame
        has its mask.
    **options
        As in `models.network.predict.predict`.
    """
    frames = clip.squared(size)
    small: Any = None
    for first in range(min(stride, len(frames))):
        part = predict(student, frames[first::stride], **options)
        if small is None:
            small = np.empty((len(frames), *part.shape[1:]), dtype=np.uint8)
        small[first::stride] = part
    parts = [clip.unsquared(np.ascontiguousarray(small[:, k])) for k in range(small.shape[1])]
    return np.stack(parts, axis=1)


@click.command(context_settings={"show_default": True})
@click.argument("weights", type=click.Path(path_type=Path))
@click.argument("clips", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of masks.")
@click.option("--pad", type=click.IntRange(0), default=0, help="Frames put in front.")
@click.option("--how", type=click.Choice(PADDINGS), default="mirror", help="What is put in front.")
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
    student, config = load_student(weights, pick_device(device))
    if stride != config.train.stride:
        say(
            f"Warning: the student was trained on every {config.train.stride}. frame and is used "
            f"on every {stride}.; its states expect that speed (--stride {config.train.stride})"
        )
    found = clips_in(clips)
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
    rows: list[dict[str, Any]] = []
    with counter("Clips", len(found), quiet=quiet) as done:
        for number, (name, read) in enumerate(found.items(), start=1):
            targets = [folder / f"{name}.npz" for folder in folders]
            row = {"clip": name, "frames": "", "height": "", "width": "", "error": ""}
            try:
                if not all(target.exists() for target in targets):
                    masks = masks_of(student, read(), config.data.size, stride=stride, **options)
                    for k, target in enumerate(targets):
                        write_masks(target, masks[:, k])
                shape = stored_shape(targets[0])
                row |= dict(zip(("frames", "height", "width"), shape, strict=True))
            except AnnostatError as error:
                row["error"] = " ".join(str(error).split())
            rows.append(row)
            done(number)
    write_text(out / "clips.csv", as_csv(rows))
    failed = {row["clip"]: row["error"] for row in rows if row["error"]}
    told = shown(f"{name} ({why})" for name, why in failed.items())
    if len(failed) == len(rows):
        raise AnnostatError(f"no clip can be read: {told}")
    say(f"{len(rows) - len(failed)} clips in {os.fspath(out)}", quiet=quiet)
    if failed:
        say(f"{len(failed)} clips have no masks, see clips.csv: {told}")


if __name__ == "__main__":
    run_command(main)
