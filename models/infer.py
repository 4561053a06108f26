"""Masks of whole clips: python -m models.infer WEIGHTS CLIPS --out FOLDER.

Frames go through the network in pieces, the cells' states being carried on, so that memory does
not grow with the length of a clip. Masks are written as teachers write theirs: one `CLIP.npz` for
each clip, uint8 (T, H, W), 255 for certain; with several structures one folder for each.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from annostat import AnnostatError
from annostat.errors import shown
from models.checkpoints import load_student
from models.command import counter, pick_device, run_command, say
from models.data.folders import clips_in, read_frames, write_masks
from models.data.images import resized
from models.network.predict import PADDINGS, predict


@click.command(context_settings={"show_default": True})
@click.argument("weights", type=click.Path(path_type=Path))
@click.argument("clips", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of masks.")
@click.option("--pad", type=click.IntRange(0), default=0, help="Frames put in front.")
@click.option("--how", type=click.Choice(PADDINGS), default="mirror", help="What is put in front.")
@click.option("--largest", is_flag=True, help="Keep the largest component of each mask.")
@click.option("--stride", type=click.IntRange(1), default=1, help="Take every n-th frame.")
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--quiet", is_flag=True)
def main(
    weights: Path, clips: Path, out: Path, pad: int, how: str, largest: bool, stride: int,
    device: str, quiet: bool,
) -> None:  # fmt: skip
    """Write the masks of every clip; a clip whose masks are there already is left alone."""
    student, config = load_student(weights, pick_device(device))
    if stride != config.train.stride:
        say(
            f"Warning: the student was trained on every {config.train.stride}. frame and is used "
            f"on every {stride}.; its states expect that speed (--stride {config.train.stride})"
        )
    structures = config.data.structures
    found = clips_in(clips)
    folders = [out] if len(structures) == 1 else [out / s for s in structures]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    failed: dict[str, str] = {}
    with counter("Clips", len(found), quiet=quiet) as done:
        for number, (name, path) in enumerate(found.items(), start=1):
            targets = [folder / f"{name}.npz" for folder in folders]
            if not all(target.exists() for target in targets):
                try:
                    frames = resized(read_frames(path)[::stride], config.data.size)
                    masks = predict(student, frames, pad=pad, how=how, largest=largest)
                    for k, target in enumerate(targets):
                        write_masks(target, masks[:, k])
                except AnnostatError as error:
                    failed[name] = str(error)
            done(number)
    say(f"{len(found) - len(failed)} clips in {os.fspath(out)}", quiet=quiet)
    if failed:
        raise AnnostatError(
            f"{len(failed)} clips have no masks: {shown(f'{k} ({v})' for k, v in failed.items())}"
        )


if __name__ == "__main__":
    run_command(main)
