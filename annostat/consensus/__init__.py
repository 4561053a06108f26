"""One label from those of several raters, and the quality of each rater."""

from __future__ import annotations

from annostat.consensus.bayes import BayesMask, bayes_mask
from annostat.consensus.categories import merge_categories
from annostat.consensus.category_result import MergedCategories
from annostat.consensus.merged import Consensus, consensus, signed_distance
from annostat.consensus.staple_masks import Staple, staple

__all__ = [
    "BayesMask",
    "Consensus",
    "MergedCategories",
    "Staple",
    "bayes_mask",
    "consensus",
    "merge_categories",
    "signed_distance",
    "staple",
]
