"""Batch norm over all frames of all clips of a batch."""

from __future__ import annotations

from torch import Tensor, nn


class SequenceNorm(nn.BatchNorm2d):
    """Batch norm of sequences (B, T, C, H, W): statistics over B·T frames and all pixels."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised sequence, same shape."""
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def synchronise(module: nn.Module) -> nn.Module:
    """Return the module with statistics shared by all processes (`torchrun`, GPU only)."""
    for name, child in module.named_children():
        if isinstance(child, SequenceNorm):
            shared = SharedSequenceNorm(child.num_features, child.eps, child.momentum)
            shared.load_state_dict(child.state_dict())
            setattr(module, name, shared.to(child.weight.device))
        else:
            synchronise(child)
    return module


class SharedSequenceNorm(nn.SyncBatchNorm):
    """`SequenceNorm` with statistics over the clips of all processes."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised sequence, same shape."""
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])
