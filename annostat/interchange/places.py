"""One model in an annotator's place, each annotator whose place it takes, two models compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from annostat.interchange.alternative import AlternativeTest
from annostat.interchange.verdicts import Standing
from annostat.results.estimates import Estimate
from annostat.results.quantities import Quantity
from annostat.results.text import plain

QUANTITIES = (
    Quantity(
        "change",
        "change of the disagreement",
        unit="labels",
        meaning="The individual equivalence index: the model's mean distance from an annotator "
        "minus that of two annotators.",
        calibrated="interval: γ",
    ),
    Quantity(
        "ratio",
        "disagreement over that of two readers",
        meaning="The model's mean distance from an annotator over that of two annotators.",
        calibrated="interval: ratio",
    ),
    Quantity(
        "to_reader",
        "differs from one reader by",
        unit="labels",
        role="score",
        meaning="The model's mean distance from an annotator.",
        calibrated="interval: mae",
    ),
)


@dataclass(frozen=True, slots=True)
class Place:
    """The model in the place of one annotator.

    Attributes
    ----------
    reader : str
    change : Estimate
        Its disagreement with the others minus that of this annotator; its interval holds together
        with those of the other annotators (Bonferroni).
    p_better, p_worse, p_within : float or None
        One-sided, adjusted for the number of annotators (Holm 1979).
    verdict : str
    least_margin : float
    """

    reader: str
    change: Estimate
    p_better: float | None
    p_worse: float | None
    p_within: float | None
    verdict: str
    least_margin: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "reader": self.reader,
            "change": self.change.to_dict(),
            "verdict": self.verdict,
            **{
                k: plain(getattr(self, k))
                for k in ("p_better", "p_worse", "p_within", "least_margin")
            },
        }


@dataclass(frozen=True)
class ModelPlace:
    """One model in an annotator's place.

    Attributes
    ----------
    name : str
    n_items : int
        Items with a prediction and two labels or more.
    change, ratio, to_reader : Estimate
        As `QUANTITIES` say.
    share : tuple of two floats or None
        How far it is on the way from an annotator (0) to a perfect model (1): a range, as the
        distances leave open where a perfect model lies; None where nothing is known of that.
    standing : Standing
    places : tuple of Place
        By annotator; empty where they have no identity.
    alternative : AlternativeTest or None
        A published procedure for reference; None without identity.
    unit : str
    """

    name: str
    n_items: int
    change: Estimate
    ratio: Estimate
    to_reader: Estimate
    share: tuple[float, float] | None
    standing: Standing
    places: tuple[Place, ...]
    alternative: AlternativeTest | None
    unit: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "n_items": self.n_items,
            **{q.key: q.of(self).to_dict() for q in QUANTITIES},
            "share": None if self.share is None else list(self.share),
            "verdict": self.standing.name,
            "evidence": self.standing.to_dict(),
            "readers": [p.to_dict() for p in self.places],
            "alternative_annotator_test": self.alternative and self.alternative.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """Two models on the items that both have: negative if the first disagrees less with readers."""

    first: str
    second: str
    difference: Estimate
    p_value: float | None
    p_adjusted: float | None
    better: str
    n_items: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "first": self.first,
            "second": self.second,
            "n_items": self.n_items,
            "difference": self.difference.to_dict(),
            "p_value": plain(self.p_value),
            "p_adjusted": plain(self.p_adjusted),
            "better": self.better,
        }


def share_of(
    change: float, among: float, perfect: Sequence[float] | None
) -> tuple[float, float] | None:
    """Return how far a model is from an annotator (0) to a perfect model (1), least and most.

    Parameters
    ----------
    change, among : float
        γ and what two annotators differ by.
    perfect : sequence of two floats or None
        What a perfect model differs from a label by, over what two labels differ by.
    """
    if perfect is None or not among > 0 or math.isnan(change):
        return None
    return share_between(change, [-(1 - c) * among for c in perfect])


def share_between(change: float, perfect: Sequence[float]) -> tuple[float, float] | None:
    """Return the same from the changes that a perfect model may have; None unless these are < 0."""
    ends = [change / end for end in perfect if end < 0]
    if len(ends) < 2:
        return None
    return min(ends), max(ends)
