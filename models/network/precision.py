"""Half precision on a GPU: bf16 where it exists, else fp16 with a scale of the loss.

The smallest gradients of fp16 are 6e-8: the loss is multiplied by a scale before they are made, and
gradients are divided by it afterwards. A step whose gradients overflow is left out and the scale is
halved; after many steps without one it is doubled. All of it stays on the device, so that a step
can be captured.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models.network.settings import Train

FIRST = 2.0**14
LONG = 1000  # steps without an overflow before the scale is doubled


def half_precision(device: torch.device, train: Train) -> torch.dtype | None:
    """Return what the network runs in, if it is wanted and the GPU is fast at it; else None.

    From Ampere on bf16, on Volta and Turing fp16; older GPUs train in single precision.
    """
    if device.type != "cuda" or not train.bf16:
        return None
    capability = torch.cuda.get_device_capability(device)
    if capability >= (8, 0):
        return torch.bfloat16
    return torch.float16 if capability >= (7, 0) else None


def autocast(device: torch.device, half: torch.dtype | None) -> Any:
    """Return the context in which the network runs."""
    return torch.autocast(device.type, half or torch.bfloat16, enabled=half is not None)


class LossScale:
    """The scale of a loss in fp16.

    Parameters
    ----------
    device : torch.device
    first : float

    Attributes
    ----------
    value : float32 tensor
    good : float32 tensor
        Steps since the last overflow, or since the scale was doubled.
    overflow : float32 tensor
        1 if the last gradients were not finite, else 0.
    """

    def __init__(self, device: torch.device, first: float = FIRST) -> None:
        self.value = torch.tensor(first, device=device)
        self.good = torch.zeros((), device=device)
        self.overflow = torch.zeros((), device=device)

    def unscale(self, gradients: Tensor) -> None:
        """Divide gradients, and see whether they are finite; those that are not become 0."""
        self.overflow.copy_((~torch.isfinite(gradients).all()).float())
        gradients.mul_(1 / self.value)
        torch.nan_to_num_(gradients, 0.0, 0.0, 0.0)

    def update(self) -> None:
        """Halve the scale after an overflow, double it after long without one."""
        over = self.overflow > 0
        grown = self.good + 1 >= LONG
        factor = torch.where(over, 0.5, torch.where(grown, 2.0, 1.0))
        self.good.copy_(torch.where(over | grown, 0.0, self.good + 1))
        self.value.mul_(factor).clamp_(1.0, 2.0**24)

    def state_dict(self) -> dict[str, float]:
        """Return the state as plain numbers."""
        return {"value": float(self.value), "good": float(self.good)}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take up a state."""
        self.value.fill_(state["value"])
        self.good.fill_(state["good"])
