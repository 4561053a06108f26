"""Masks: outlines, overlap, consensus, STAPLE, clean-up and the ceiling of Dice."""

from __future__ import annotations

from annostat.masks.bayes import BayesMask, bayes_mask
from annostat.masks.ceiling import DiceCeiling, dice_ceiling
from annostat.masks.cleanup import Cleanup, clean_masks, compare_cleanup
from annostat.masks.compare import MaskComparison, MaskScore, compare_masks
from annostat.masks.consensus import Consensus, consensus, signed_distance
from annostat.masks.outlines import (
    chords_to_outline,
    outlines_mask,
    polygon_area,
    polygon_coverage,
    polygon_mask,
)
from annostat.masks.overlap import Overlap, dice, iou, overlap, surface_distances
from annostat.masks.rounds import MaskRounds
from annostat.masks.staple import Staple, staple

__all__ = [
    "BayesMask",
    "Cleanup",
    "Consensus",
    "DiceCeiling",
    "MaskComparison",
    "MaskRounds",
    "MaskScore",
    "Overlap",
    "Staple",
    "bayes_mask",
    "chords_to_outline",
    "clean_masks",
    "compare_cleanup",
    "compare_masks",
    "consensus",
    "dice",
    "dice_ceiling",
    "iou",
    "outlines_mask",
    "overlap",
    "polygon_area",
    "polygon_coverage",
    "polygon_mask",
    "signed_distance",
    "staple",
    "surface_distances",
]
