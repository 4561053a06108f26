"""Loss and overlap of the windows that no training sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from models.data.batches import Batches
from models.network.losses import distillation_loss, overlap_counts
from models.network.settings import Train
from models.network.student import Student
from models.processes import World


@torch.no_grad()
def validate(
    net: Student, batches: Batches, train: Train, structures: Sequence[str], world: World
) -> dict[str, Any]:
    """Return loss and Dice of the fixed validation windows, over all processes.

    The network is left in evaluation mode, with the first process's statistics.
    """
    if world.size > 1:
        # Without shared statistics the processes have seen different batches.
        for buffer in net.buffers():
            torch.distributed.broadcast(buffer, 0)
    net.eval()
    sums = torch.zeros(2 + 2 * len(structures), dtype=torch.float64, device=world.device)
    half = world.device.type == "cuda" and train.bf16
    for frames, targets in batches.epoch(0):
        with torch.autocast(world.device.type, torch.bfloat16, enabled=half):
            logits = net(frames)
        loss = distillation_loss(logits, targets, hard=train.targets == "hard", dice=train.dice)
        sums[0] += loss * len(frames)
        sums[1] += len(frames)
        sums[2:] += overlap_counts(logits, targets).flatten()
    world.sum(sums)
    loss_sum, count, *overlap = sums.tolist()
    dice = [a / b if b else 1.0 for a, b in zip(overlap[::2], overlap[1::2], strict=True)]
    row = {"valid_loss": loss_sum / count, "valid_dice": sum(dice) / len(dice)}
    return row | {f"dice_{s}": d for s, d in zip(structures, dice, strict=True)}
