"""Beats: from curves and masks of a heart to picked frames, ejection fractions and their errors."""

from __future__ import annotations

from annostat.cardiac.afd import AfdScore, score_afd
from annostat.cardiac.convergence import FirstFrames, first_frames, pre_pad
from annostat.cardiac.curves import (
    AFD_THRESHOLD,
    DICE_THRESHOLD,
    beat_length,
    mask_areas,
    prompt_curve,
)
from annostat.cardiac.ef import (
    EfScore,
    disc_volumes,
    ejection_fraction,
    score_ef,
)
from annostat.cardiac.picks import (
    BlindPick,
    pick_blind,
    pick_frames,
    pick_nearest,
    pick_prominent,
)

__all__ = [
    "AFD_THRESHOLD",
    "DICE_THRESHOLD",
    "AfdScore",
    "BlindPick",
    "EfScore",
    "FirstFrames",
    "beat_length",
    "disc_volumes",
    "ejection_fraction",
    "first_frames",
    "mask_areas",
    "pick_blind",
    "pick_frames",
    "pick_nearest",
    "pick_prominent",
    "pre_pad",
    "prompt_curve",
    "score_afd",
    "score_ef",
]
