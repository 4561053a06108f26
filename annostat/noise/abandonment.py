"""How annotators give up on a pick: each way declared once, as data.

A way is two shares of the abandonment rate ε: with probability `together`·ε all raters of an item
give up on it, otherwise each of them does so alone with probability `alone`·ε. Laws, likelihood,
gradient, sampling, the choices of the command line and the contract tests follow from that.
"""

from __future__ import annotations

from dataclasses import dataclass

from annostat.errors import check_choice


@dataclass(frozen=True)
class Abandonment:
    """A way of giving up.

    Attributes
    ----------
    name : str
        Identifier: in JSON, on the command line.
    meaning : str
        The way in words.
    alone, together : float
        Shares of ε, in [0, 1]; both 0 without abandonment.
    """

    name: str
    meaning: str
    alone: float = 0.0
    together: float = 0.0

    @property
    def rated(self) -> bool:
        """Whether there is a rate to be fitted."""
        return self.alone + self.together > 0

    def total(self, rate: float) -> float:
        """Return the share of picks that are abandoned, at ε = `rate`."""
        one = self.together * rate
        return one + (1 - one) * self.alone * rate


ABANDONMENTS = {
    way.name: way
    for way in (
        Abandonment("none", "never"),
        Abandonment("independent", "each rater by itself", alone=1.0),
        Abandonment("shared", "all raters of an item together", together=1.0),
    )
}
ABANDONMENT = tuple(ABANDONMENTS)


def get_abandonment(way: str | Abandonment) -> Abandonment:
    """Return a way of giving up by its name; one that is given comes back as it is."""
    if isinstance(way, Abandonment):
        return way
    return ABANDONMENTS[check_choice("abandonment", way, ABANDONMENT)]
