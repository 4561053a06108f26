"""Masks: overlap, consensus, STAPLE and the ceiling of Dice."""

from __future__ import annotations

from annostat.masks.overlap import Overlap, dice, iou, overlap, surface_distances
from annostat.masks.rounds import MaskRounds
from annostat.masks.staple import Staple, staple

__all__ = [
    "MaskRounds",
    "Overlap",
    "Staple",
    "dice",
    "iou",
    "overlap",
    "staple",
    "surface_distances",
]
