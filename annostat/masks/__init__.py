"""Masks: outlines, overlap, distances and clean-up."""

from __future__ import annotations

from annostat._names import attach
from annostat.masks.cleanup import Cleanup, clean_masks, compare_cleanup
from annostat.masks.counts import count_pairs, scores_of, surface_distances
from annostat.masks.outlines import (
    chords_to_outline,
    outlines_mask,
    polygon_area,
    polygon_coverage,
    polygon_mask,
)
from annostat.masks.scores import Overlap, dice, iou, overlap

__all__ = [
    "Cleanup",
    "Overlap",
    "chords_to_outline",
    "clean_masks",
    "compare_cleanup",
    "count_pairs",
    "dice",
    "iou",
    "outlines_mask",
    "overlap",
    "polygon_area",
    "polygon_coverage",
    "polygon_mask",
    "scores_of",
    "surface_distances",
]

__getattr__, _ = attach(
    __name__,
    {},
    old={
        "BayesMask": "annostat.consensus",
        "Consensus": "annostat.consensus",
        "DiceCeiling": "annostat.ceilings",
        "MaskComparison": "annostat.truth",
        "MaskRounds": "annostat.labels",
        "MaskScore": "annostat.truth",
        "Staple": "annostat.consensus",
        "bayes_mask": "annostat.consensus",
        "compare_masks": "annostat.truth",
        "consensus": "annostat.consensus",
        "dice_ceiling": "annostat.ceilings",
        "signed_distance": "annostat.consensus",
        "staple": "annostat.consensus",
    },
)
