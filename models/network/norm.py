"""Batch norm over all frames of all clips of a batch, also over several processes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class SequenceNorm(nn.BatchNorm2d):
    """Batch norm of sequences (B, T, C, H, W): statistics over B·T frames and all pixels.

    With `shared`, statistics are those of the batches of all processes together (each of the same
    size). `torch.nn.SyncBatchNorm` does that on GPUs only; this runs on any device.
    """

    shared = False

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised sequence, same shape."""
        frames = x.flatten(0, 1)
        y = self._shared(frames) if self.shared and self.training else super().forward(frames)
        return y.view(*x.shape[:2], *y.shape[1:])

    def _shared(self, x: Tensor) -> Tensor:
        wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        mean = mean_of_all(wide.mean((0, 2, 3)))
        centred = wide - mean.view(-1, 1, 1)
        variance = mean_of_all((centred * centred).mean((0, 2, 3)))
        count = x.numel() // x.shape[1] * torch.distributed.get_world_size()
        with torch.no_grad():
            self._remember(mean, variance * count / max(count - 1, 1))
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale.view(-1, 1, 1) + self.bias.view(-1, 1, 1)).to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as batch norm does in training."""
        tracked, centre, spread = self.num_batches_tracked, self.running_mean, self.running_var
        if tracked is None or centre is None or spread is None or self.momentum is None:
            return  # not so as `Student` makes it
        tracked.add_(1)
        centre.lerp_(mean.to(centre.dtype), self.momentum)
        spread.lerp_(variance.to(spread.dtype), self.momentum)


class _Sum(torch.autograd.Function):
    """The sum over processes; each one's gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total


def mean_of_all(x: Tensor) -> Tensor:
    """Return the mean over processes; gradients flow back to each of them."""
    total: Tensor = _Sum.apply(x)
    return total / torch.distributed.get_world_size()


def share_statistics(module: nn.Module) -> None:
    """Let every `SequenceNorm` of a module use the statistics of all processes."""
    for child in module.modules():
        if isinstance(child, SequenceNorm):
            child.shared = True
