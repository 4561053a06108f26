"""Loss and overlap of the windows that no training sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from models.data.batches import Batches
from models.network.losses import distillation_loss, overlap_counts
from models.network.precision import autocast, half_precision
from models.network.settings import Train
from models.network.student import Student
from models.processes import World
from models.whole import against_readings


@torch.no_grad()
def validate(
    net: Student, batches: Batches, train: Train, structures: Sequence[str], world: World
) -> dict[str, Any]:
    """Return loss and Dice of the fixed validation windows, over all processes.

    Where people drew on frames, or their labels are the targets, `human_dice_...` and
    `human_iou_...` are the overlap with what they drew, all their pixels together; where they read
    frames and ejection fractions, see `models.whole`.

    The network is left in evaluation mode, with the first process's statistics.
    """
    if world.size > 1:
        # Without shared statistics the processes have seen different batches.
        for buffer in net.buffers():
            torch.distributed.broadcast(buffer, 0)
    net.eval()
    sums = torch.zeros(2 + 2 * len(structures), dtype=torch.float64, device=world.device)
    half = half_precision(world.device, train)
    for frames, targets in batches.epoch(0):
        with autocast(world.device, half):
            logits = net(frames)
        loss = distillation_loss(logits, targets, hard=train.targets == "hard", dice=train.dice)
        sums[0] += loss * len(frames)
        sums[1] += len(frames)
        sums[2:] += overlap_counts(logits, targets).flatten()
    drawn = _against_people(net, batches, structures, half)
    world.sum(sums)
    loss_sum, count, *overlap = sums.tolist()
    dice = [a / b if b else 1.0 for a, b in zip(overlap[::2], overlap[1::2], strict=True)]
    row = {"valid_loss": loss_sum / count, "valid_dice": sum(dice) / len(dice)}
    row |= {f"dice_{s}": d for s, d in zip(structures, dice, strict=True)}
    if drawn is not None:
        world.sum(drawn)
    elif batches.store.kind == "labels":
        drawn = sums[2:].reshape(-1, 2)
    if drawn is not None:
        for s, (both, total) in zip(structures, drawn.tolist(), strict=True):
            if total:  # both is twice the intersection, total the sum of the areas
                row |= {
                    f"human_dice_{s}": both / total,
                    f"human_iou_{s}": both / (2 * total - both),
                }
    return row | against_readings(net, batches.store, train.whole_clips, world)


def _against_people(
    net: Student, batches: Batches, structures: Sequence[str], half: torch.dtype | None
) -> torch.Tensor | None:
    """Return twice the intersection and the sum of areas of each structure, (K, 2).

    Of the frames that people drew on, each in a window that leads up to it; None if there are none
    in the whole store, which is the same for all processes.
    """
    if not batches.store.has_outlines:
        return None
    sums = torch.zeros(len(structures), 2, dtype=torch.float64, device=batches.device)
    for part in batches.traced():
        with autocast(batches.device, half):
            logits = net(part.frames)
        for k, (at, structure) in enumerate(zip(part.at, part.structures, strict=True)):
            s = structures.index(structure)
            one = slice(k, k + 1), slice(at, at + 1), slice(s, s + 1)
            sums[s] += overlap_counts(logits[one], part.masks[k][None, None, None])[0]
    return sums
