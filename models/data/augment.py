"""Random changes of training clips, the same for all frames of a clip.

What changes is a function of seed, epoch and clip, so that neither a restart nor the number of
processes changes the data. Frames and targets are moved alike, on their device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

HALF_ANGLE = 45.0  # degrees to either side, of the sectors of these data sets


@dataclass(frozen=True)
class Augmentation:
    """How much may change.

    Attributes
    ----------
    gain : float
        Grey levels are multiplied by exp(u), u uniform between −gain and gain.
    shift : float
        Clips are moved by up to this share of their side, both ways.
    zoom : float
        Clips are enlarged by exp(u), u uniform between −zoom and zoom.
    sector : float
        Each side of a sector, which reaches 45° to both sides of the middle of the top edge, is
        moved inwards by up to this share of its angle; what lies outside is black. Targets stay.
    """

    gain: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    sector: float = 0.0

    def __bool__(self) -> bool:
        return max(self.gain, self.shift, self.zoom, self.sector) > 0

    def draw(self, seed: int, epoch: int, names: Sequence[str]) -> NDArray[np.float32]:
        """Return what is changed of clips, float32 of shape (n, 6).

        Gain, shifts down and to the right in shares of the side, enlargement, and the angles in
        degrees by which the left and the right edge of the sector are moved inwards.
        """
        u = np.stack([uniform(f"{seed}/{epoch}/{name}/augment") for name in names])
        v = np.stack([uniform(f"{seed}/{epoch}/{name}/sector") for name in names])
        gain, zoom = np.exp(self.gain * u[:, 0]), np.exp(self.zoom * u[:, 3])
        cuts = HALF_ANGLE * self.sector * (v[:, :2] + 1) / 2
        return np.column_stack(
            [gain, self.shift * u[:, 1], self.shift * u[:, 2], zoom, cuts]
        ).astype(np.float32)


def uniform(text: str) -> NDArray[np.float64]:
    """Return four numbers uniform on −1 to 1, by a hash."""
    digest = hashlib.blake2b(text.encode(), digest_size=32).digest()
    return np.frombuffer(digest, dtype="<u8") / 2.0**63 - 1.0


def augment(
    frames: Tensor, targets: Tensor, drawn: Tensor, *, sector: bool = True
) -> tuple[Tensor, Tensor]:
    """Return changed clips and their targets, both uint8.

    Parameters
    ----------
    frames : uint8 tensor of shape (b, T, H, W)
    targets : uint8 tensor of shape (b, T, K, H, W)
    drawn : float32 tensor of shape (b, 6)
        From `Augmentation.draw`. What comes in at the edges is black, and outside of every target.
    sector : bool
        False if no edge of a sector is moved, which spares the work.
    """
    gain, down, right, zoom, *cuts = drawn.unbind(1)
    # A point of the new image is looked up in the old one, in units of half its side.
    move = torch.zeros(len(drawn), 2, 3, device=drawn.device)
    move[:, 0, 0] = move[:, 1, 1] = 1 / zoom
    move[:, 0, 2], move[:, 1, 2] = -2 * right / zoom, -2 * down / zoom
    size = [len(drawn), 1, *frames.shape[-2:]]
    grid = F.affine_grid(move, size, align_corners=False)

    def sample(images: Tensor) -> Tensor:
        x = images.float().flatten(1, -3) if images.ndim == 5 else images.float()
        y = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return y.view(images.shape)

    bright = sample(frames) * gain.view(-1, 1, 1, 1)
    if sector:
        bright = bright * within(cuts[0], cuts[1], frames.shape[-2:])[:, None]
    moved = sample(targets)
    new, wanted = (a.round().clamp(0, 255).to(torch.uint8) for a in (bright, moved))
    return new, wanted


def within(left: Tensor, right: Tensor, shape: Sequence[int]) -> Tensor:
    """Return which pixels lie in a sector whose edges are moved inwards, bool (b, H, W).

    Parameters
    ----------
    left, right : float32 tensors of shape (b,)
        Degrees off the 45° to either side of the middle of the top edge. An edge that is not moved
        cuts nothing.
    shape : height and width
    """
    height, width = shape
    y = torch.arange(height, device=left.device).view(-1, 1) + 0.5
    x = torch.arange(width, device=left.device).view(1, -1) + 0.5 - width / 2
    angle = torch.rad2deg(torch.atan2(x, y))

    def cut(by: Tensor, side: Tensor) -> Tensor:
        by = by.view(-1, 1, 1)
        return (side > HALF_ANGLE - by) & (by > 0)

    return ~(cut(left, -angle) | cut(right, angle))
