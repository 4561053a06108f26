"""Whole validation clips against what people read of them: frames of ED and ES, ejection fraction.

The loss and Dice of validation are of windows. A picked frame or an ejection fraction needs a whole
clip, so that not all clips are looked at after each epoch, but some (`train.whole_clips`), always
the same ones.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from models.data.reference import is_number
from models.data.store import Store
from models.network.student import Student
from models.predictions import expected_area, labelled, masks_of, read_masks
from models.processes import World

COLUMNS = ("human_afd_ES", "human_afd_ED", "human_rmse_EF")  # frames, frames, points


def read_by_people(store: Store, n: int) -> list[int]:
    """Return numbers of up to n clips, spread evenly over those that people have read."""
    if store.kind == "truth":
        return []  # the phantom's facts are true, and nobody's
    there = [
        k for k, facts in enumerate(store.facts) if labelled(facts) or is_number(facts.get("ef"))
    ]
    if len(there) <= n:
        return there
    return [there[int(k)] for k in np.arange(n) * len(there) // n]


def against_readings(net: Student, store: Store, n: int, world: World) -> dict[str, float]:
    """Return average frame distances and the RMSE of EF over some whole clips, of all processes.

    Picks are those within the labelled beat (`models.picks`), the first structure's. A clip without
    a pick, or without a reading, is left out of the score; a score without clips is left out.

    Parameters
    ----------
    net : Student
        In evaluation mode.
    store : Store
    n : int
        Clips at most; each process takes its share of them.
    world : World

    Returns
    -------
    dict of str to float
        Some of `COLUMNS`.
    """
    numbers = read_by_people(store, n)
    if not numbers:
        return {}
    mine = numbers[world.rank :: world.size]
    sums = np.zeros((len(COLUMNS), 2))
    for k, soft in zip(mine, masks_of(net, store, mine), strict=True):
        facts = store.facts[k]
        ed, es, ef = read_masks(soft[:, 0], expected_area(soft[:, 0]), facts)
        frames = labelled(facts) or (math.nan, math.nan)
        listed = facts.get("ef")
        square = (ef - listed) ** 2 if is_number(listed) else math.nan
        for row, value in zip(
            sums, (abs(es - frames[1]), abs(ed - frames[0]), square), strict=True
        ):
            row += (value, 1) if math.isfinite(value) else (0, 0)
    total = world.sum(torch.from_numpy(sums).to(world.device)).tolist()
    means = {name: s / count for name, (s, count) in zip(COLUMNS, total, strict=True) if count}
    return {name: v**0.5 if name == "human_rmse_EF" else v for name, v in means.items()}
