"""Masks of whole clips: frames in pieces, the cells' states carried on from piece to piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from annostat import AnnostatError
from annostat.cardiac import pre_pad
from annostat.errors import check_count
from models.network.student import Student

CHUNK = 32  # frames at once
CLIPS = 8  # at once, on a GPU
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
    return predict_many(student, [frames], pad=pad, how=how, largest=largest, chunk=chunk)[0]


def predict_many(
    student: Student,
    clips: Sequence[NDArray[np.uint8]],
    *,
    pad: int = 0,
    how: str = "mirror",
    largest: bool = False,
    chunk: int = CHUNK,
) -> list[NDArray[np.uint8]]:
    """Return the masks of several clips of one size that go through the network together.

    It takes as many launches as the longest of them alone, which is what a GPU waits for. Shorter
    clips stand still at their last frame until the others end. Parameters as in `predict`.
    """
    pad = check_count("pad", pad)
    whole = [pre_pad(c, pad, how=how) if pad else np.asarray(c) for c in clips]
    n = max(len(c) for c in whole)
    if len(whole) == 1:
        frames = whole[0][None]
    else:
        frames = np.stack([np.pad(c, ((0, n - len(c)), (0, 0), (0, 0)), "edge") for c in whole])
    pieces = np.array_split(frames, range(chunk, n, chunk), axis=1)
    masks = np.concatenate(list(_run(student, pieces)), axis=1)
    parts = [masks[k, pad : len(c)] for k, c in enumerate(whole)]
    return [keep_largest(m) if largest else m for m in parts]


def together(student: Student) -> int:
    """Return how many clips are worth taking together: on a CPU one, on a GPU several."""
    return CLIPS if student.head.weight.is_cuda else 1


def stream(student: Student, pieces: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Yield the masks (t, structures, H, W) of consecutive pieces (t, H, W) of one clip."""
    for masks in _run(student, (piece[None] for piece in pieces)):
        yield masks[0]


@torch.no_grad()  # not inference mode, whose tensors would make compiled gates anew
def _run(student: Student, pieces: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Yield the masks (n, t, structures, H, W) of consecutive pieces (n, t, H, W) of n clips."""
    if student.training:
        raise AnnostatError("the student must be in evaluation mode: call eval()")
    device = student.head.weight.device
    states: list[tuple[torch.Tensor, torch.Tensor]] = []
    for piece in pieces:
        x = torch.from_numpy(np.require(piece, requirements=["C", "W"])).to(device)
        y = student(x, states).float().sigmoid()
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
