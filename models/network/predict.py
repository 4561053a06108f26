"""Masks of whole clips: frames in pieces, the cells' states carried on from piece to piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from annostat import AnnostatError
from annostat.cardiac import pre_pad
from annostat.errors import check_count
from models.network.student import Student

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


@torch.no_grad()  # not inference mode, whose tensors would make compiled gates anew
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
