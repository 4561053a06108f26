"""What annotators gave: rounds of values and picks, masks; their pairs and their checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._lazy import attach

if TYPE_CHECKING:
    from annostat.labels.checks import check_rounds
    from annostat.labels.masks import MaskRounds
    from annostat.labels.pairs import pair_mae
    from annostat.labels.rounds import Rounds

__all__ = [
    "MaskRounds",
    "Rounds",
    "check_rounds",
    "pair_mae",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "MaskRounds": "annostat.labels.masks",
        "Rounds": "annostat.labels.rounds",
        "check_rounds": "annostat.labels.checks",
        "pair_mae": "annostat.labels.pairs",
    },
)
