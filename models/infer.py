"""Masks of whole clips: python -m models.infer WEIGHTS CLIPS --out FOLDER.

Frames go through the network in pieces, the cells' states being carried on, so that memory does
not grow with the length of a clip. Masks are written as teachers write theirs: one `CLIP.npz` for
each clip, uint8 (T, H, W), 255 for certain; with several structures one folder for each.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from annostat import AnnostatError
from annostat.cardiac import pre_pad
from annostat.errors import check_count, shown
from annostat.files import write_whole
from models.command import counter, pick_device, run_command, say
from models.student import Student

CHUNK = 32  # frames at once
PADDINGS = ("mirror", "loop", "repeat")


def predict(
    student: Student,
    frames: NDArray[np.uint8],
    *,
    pad: int = 0,
    how: str = "mirror",
    largest: bool = False,
    chunk: int = CHUNK,
) -> NDArray[np.uint8]:
    """Return the masks of one clip.

    Parameters
    ----------
    student : Student
        In evaluation mode; the work is done on its device.
    frames : uint8 array of shape (T, H, W)
    pad : int
        Frames put in front, for the states to settle; they are left out of the result.
    how : {"mirror", "loop", "repeat"}
        As in `annostat.cardiac.pre_pad`.
    largest : bool
        Keep the largest component of each mask.
    chunk : int
        Frames at once; it changes the memory needed, not the result.

    Returns
    -------
    uint8 array of shape (T, structures, H, W)
        255 times the probability.
    """
    pad = check_count("pad", pad)
    whole = pre_pad(frames, pad, how=how) if pad else np.asarray(frames)
    parts = list(stream(student, np.array_split(whole, range(chunk, len(whole), chunk))))
    masks = np.concatenate(parts)[pad:]
    return keep_largest(masks) if largest else masks


@torch.inference_mode()
def stream(student: Student, pieces: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Yield the masks (t, structures, H, W) of consecutive pieces (t, H, W) of one clip."""
    if student.training:
        raise AnnostatError("the student must be in evaluation mode: call eval()")
    device = student.head.weight.device
    states: list[tuple[torch.Tensor, torch.Tensor]] = []
    for piece in pieces:
        x = torch.from_numpy(np.require(piece, requirements="CW")).to(device).unsqueeze(0)
        y = student(x, states)[0].float().sigmoid()
        yield (255 * y).round().to(torch.uint8).cpu().numpy()


def keep_largest(masks: NDArray[np.uint8], *, threshold: int = 128) -> NDArray[np.uint8]:
    """Return masks (..., H, W) with every component from `threshold` on but the largest set to 0.

    Neighbours share an edge. Values below the threshold stay as they are.
    """
    out = masks.copy()
    for mask in out.reshape(-1, *masks.shape[-2:]):
        labels, n = ndimage.label(mask >= threshold)
        if n > 1:
            sizes = np.bincount(labels.ravel())[1:]
            mask[(labels > 0) & (labels != 1 + int(sizes.argmax()))] = 0
    return out


def write_masks(path: Path, masks: NDArray[np.uint8]) -> None:
    """Write the masks (T, H, W) of one clip in the format of `annostat.datasets.MaskFolder`."""
    write_whole(path, lambda stream: np.savez_compressed(stream, masks))


def clips_in(path: Path) -> dict[str, Path]:
    """Return the clips of a folder (videos, or .npy/.npz of uint8 frames), or one file, by name."""
    from annostat.datasets.video import SUFFIXES

    if path.is_file():
        return {path.stem: path}
    folder = path / "Videos" if (path / "Videos").is_dir() else path
    if not folder.is_dir():
        raise AnnostatError(f"there are no clips {str(path)!r}")
    suffixes = (*SUFFIXES, ".npy")
    found = {f.stem: f for f in sorted(folder.iterdir()) if f.suffix.lower() in suffixes}
    if not found:
        raise AnnostatError(f"{str(folder)!r} holds no clip ({', '.join(suffixes)})")
    return found


def read_frames(path: Path) -> NDArray[np.uint8]:
    """Return the grey frames (T, H, W) of a video or of a .npy file."""
    from annostat.datasets import read_clip

    if path.suffix != ".npy":
        return read_clip(path)
    try:
        frames = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise AnnostatError(f"{path.name} cannot be read: {error}") from None
    if frames.dtype != np.uint8 or frames.ndim != 3 or 0 in frames.shape:
        raise AnnostatError(
            f"{path.name} must hold uint8 frames (T, H, W), got {frames.dtype} {frames.shape}"
        )
    return np.asarray(frames)


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
    from models.checkpoints import load_student
    from models.clips import resized

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
