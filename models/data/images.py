"""Frames and masks at another size, one geometry for training, inference and masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def squared(frames: Bytes, size: int) -> Bytes:
    """Return frames (T, H, W) as (T, size, size), uint8.

    A frame that is not square is first put in the middle of a black square, so that a round heart
    stays round; then it is resized, linear with anti-aliasing.
    """
    height, width = frames.shape[1:]
    side = max(height, width)
    if height != width:
        top, left = (side - height) // 2, (side - width) // 2
        around = ((0, 0), (top, side - height - top), (left, side - width - left))
        frames = np.pad(frames, around)
    return resized(frames, size, size)


def unsquared(masks: Bytes, shape: tuple[int, int]) -> Bytes:
    """Return masks (T, size, size) of `squared` frames in the geometry of the clip, (T, H, W).

    Parameters
    ----------
    masks : uint8 array of shape (T, size, size)
    shape : tuple of int
        Height and width of the clip's own frames.
    """
    height, width = shape
    side = max(height, width)
    large = resized(masks, side, side)
    top, left = (side - height) // 2, (side - width) // 2
    return np.ascontiguousarray(large[:, top : top + height, left : left + width])


def resized(frames: Bytes, height: int, width: int) -> Bytes:
    """Return frames (T, H, W) at another height and width, linear with anti-aliasing."""
    import torch
    from torch.nn import functional as F

    if frames.shape[1:] == (height, width):
        return frames
    x = torch.from_numpy(np.ascontiguousarray(frames)).float().unsqueeze(1)
    y: Any = F.interpolate(x, size=(height, width), mode="bilinear", antialias=True)
    out: Bytes = y.squeeze(1).round().clamp(0, 255).to(torch.uint8).numpy()
    return out
