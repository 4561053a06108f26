"""The loss, and the overlap that is watched during training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def distillation_loss(logits: Tensor, targets: Tensor, *, hard: bool, dice: float) -> Tensor:
    """Return the binary cross-entropy with uint8 targets, plus `dice` times 1 − soft Dice.

    Both have shape (B, T, K, H, W). Soft targets are divided by 255; hard ones are 1 from 128 on.
    """
    wanted = (targets >= 128).to(logits.dtype) if hard else targets.to(logits.dtype) / 255
    logits, wanted = (a.float() if a.dtype.itemsize < 4 else a for a in (logits, wanted))
    loss = F.binary_cross_entropy_with_logits(logits, wanted)
    if dice:
        p = logits.sigmoid()
        axes = (1, 3, 4)  # over the frames of a clip, so that the mean over clips is a mean
        both, total = (p * wanted).sum(axes), (p + wanted).sum(axes)
        loss = loss + dice * (1 - (2 * both + 1) / (total + 1)).mean()
    return loss


def overlap_counts(logits: Tensor, targets: Tensor) -> Tensor:
    """Return, for each structure, twice the intersection and the sum of areas, shape (K, 2)."""
    ours, theirs = logits > 0, targets >= 128
    axes = (0, 1, 3, 4)
    both = (ours & theirs).sum(axes).double()
    return torch.stack([2 * both, (ours.sum(axes) + theirs.sum(axes)).double()], 1)
