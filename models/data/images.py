"""Frames at another size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def resized(frames: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return frames (T, H, W) at size × size, linear with anti-aliasing."""
    import torch
    from torch.nn import functional as F

    if frames.shape[1:] == (size, size):
        return frames
    x = torch.from_numpy(np.ascontiguousarray(frames)).float().unsqueeze(1)
    y = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
    out: NDArray[np.uint8] = y.squeeze(1).round().clamp(0, 255).to(torch.uint8).numpy()
    return out
