"""What annotators gave: rounds of values and picks, masks; their pairs and their checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.labels.categories import Categories
    from annostat.labels.checks import check_rounds
    from annostat.labels.findings import Findings
    from annostat.labels.kinds import Kind, LabelKind, kind_of
    from annostat.labels.masks import MaskRounds
    from annostat.labels.matching import match_findings
    from annostat.labels.pairs import pair_mae
    from annostat.labels.points import Points
    from annostat.labels.read import Read
    from annostat.labels.rounds import Rounds
    from annostat.labels.vocabulary import LabelSet

__all__ = [
    "Categories",
    "Findings",
    "Kind",
    "LabelKind",
    "LabelSet",
    "MaskRounds",
    "Points",
    "Read",
    "Rounds",
    "check_rounds",
    "kind_of",
    "match_findings",
    "pair_mae",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Categories": "annostat.labels.categories",
        "Findings": "annostat.labels.findings",
        "Kind": "annostat.labels.kinds",
        "LabelKind": "annostat.labels.kinds",
        "LabelSet": "annostat.labels.vocabulary",
        "MaskRounds": "annostat.labels.masks",
        "Points": "annostat.labels.points",
        "Read": "annostat.labels.read",
        "Rounds": "annostat.labels.rounds",
        "check_rounds": "annostat.labels.checks",
        "kind_of": "annostat.labels.kinds",
        "match_findings": "annostat.labels.matching",
        "pair_mae": "annostat.labels.pairs",
    },
)
