"""Which categories annotators confuse: what another one says, where one says something."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_level
from annostat.labels.categories import Categories
from annostat.resampling.inverted import ratio_of
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import percent

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class CategoryConfusion(Result):
    """What a second annotator says where a first one says a class.

    Attributes
    ----------
    classes : tuple of str
    first, second : str
        The two raters; empty for any two of them, in either order.
    shares : dict of (class, class) to Estimate
        Probability of the second class from the second rater, where the first rater says the first.
    pairs : float64 array of shape (n_classes, n_classes)
        Pairs of labels; each label counts once, as the first one, where raters are not named.
    provenance : Provenance
    checks : tuple of Check
    """

    classes: tuple[str, ...]
    first: str
    second: str
    shares: dict[tuple[str, str], Estimate]
    pairs: FloatArray
    provenance: Provenance
    checks: tuple[Check, ...] = ()

    def matrix(self) -> FloatArray:
        """Return the shares, float64 of shape (n_classes, n_classes); NaN without labels."""
        return np.array([[self.shares[a, b].value for b in self.classes] for a in self.classes])

    def worst(self) -> tuple[str, str] | None:
        """Return the two classes whose confusion is most frequent among all pairs of labels."""
        apart = self.pairs + self.pairs.T
        np.fill_diagonal(apart, 0.0)
        if not apart.any():
            return None
        a, b = np.unravel_index(int(apart.argmax()), apart.shape)
        return self.classes[a], self.classes[b]

    def answer(self) -> str:
        """Return which classes are confused most."""
        worst = self.worst()
        who = f"{self.first} and {self.second}" if self.first else "two annotators"
        if worst is None:
            return f"{who[0].upper()}{who[1:]} never differ."
        a, b = (self.classes.index(c) for c in worst)
        off = float(self.pairs.sum() - np.trace(self.pairs))
        part = float(self.pairs[a, b] + self.pairs[b, a]) / off
        return (
            f"Where {who} differ, it is between {worst[0]} and {worst[1]} in "
            f"{percent(round(part, 2))} of the cases, more than between any other two."
        )

    def quote(self) -> str:
        """Return how often the most confused class is said by another."""
        worst = self.worst()
        if worst is None:
            return ""
        a, b = max((worst, worst[::-1]), key=lambda pair: _value(self.shares[pair]))
        who = ("one", "another") if not self.first else (self.first, self.second)
        return (
            f"Where {who[0]} says {a}, {who[1]} says {b} in a share of {self.shares[a, b].cell()}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "classes": list(self.classes),
            "first": self.first or None,
            "second": self.second or None,
            "shares": [
                {"first": a, "second": b, **e.to_dict()} for (a, b), e in self.shares.items()
            ],
            "pairs": self.pairs.tolist(),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each two classes."""
        import pandas as pd

        rows = [{"first": a, "second": b, **e.to_dict()} for (a, b), e in self.shares.items()]
        return pd.DataFrame(rows)

    def table(self) -> Section:
        """Return the shares as a table: a row for what is said, a column for what another says."""
        rows = [[a, *(self.shares[a, b].cell() for b in self.classes)] for a in self.classes]
        head = f"{self.first or 'one'} says"
        said = [f"{self.second or 'another'} says {c}" for c in self.classes]
        return Section("Confusion of annotators", (head, *said), rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        return [self.opening(), self.table()]


def _value(e: Estimate) -> float:
    return -math.inf if math.isnan(e.value) else e.value


def category_confusion(
    labels: Categories,
    first: str | None = None,
    second: str | None = None,
    *,
    level: float = 0.95,
) -> CategoryConfusion:
    """Return what a second annotator says where a first one says a class.

    Parameters
    ----------
    labels : Categories
        Two labels per item or more; missing ones are allowed. Clusters are the independent units.
    first, second : str, optional
        Two raters; without them any two labels of an item count, in either order.
    level : float
        Of the intervals.

    Returns
    -------
    CategoryConfusion

    Raises
    ------
    AnnostatError
        If one rater alone is named, or no item has labels of both.

    Notes
    -----
    Of an item with counts r of k labels the pair (a, b) counts r_a(r_b − [a = b])/(k − 1), so
    that each label counts once.
    Intervals invert a test of the ratio of sums, as those of specific agreement, which is the
    diagonal.

    Examples
    --------
    >>> labels = Categories.from_array([["a", "a"]] * 8 + [["a", "b"]] * 2 + [["b", "b"]] * 10)
    >>> found = category_confusion(labels)
    >>> found.matrix().round(3).tolist()
    [[0.889, 0.111], [0.091, 0.909]]
    """
    level = check_level(level)
    if (first is None) != (second is None):
        raise AnnostatError("name two raters, or none: first and second go together")
    named = first is not None and second is not None
    used = (labels.choose([first, second]) if named else labels).usable()  # type: ignore[list-item]
    k = used.n_classes
    if named:
        one = (used.codes[:, :, None] == np.arange(k)).astype(np.float64)
        pairs = one[:, 0, :, None] * one[:, 1, None, :]
    else:
        r = used.counts.astype(np.float64)
        n = used.readings.astype(np.float64)
        pairs = r[:, :, None] * (r[:, None, :] - np.eye(k)) / (n - 1)[:, None, None]
    units = "items" if used.cluster is None else "clusters"
    sums = np.zeros((used.n_units, k, k))
    np.add.at(sums, used.units, pairs)
    shares = {
        (used.classes[a], used.classes[b]): _share(
            sums[:, a, b], sums[:, a].sum(axis=1), level, units
        )
        for a in range(k)
        for b in range(k)
    }
    about = {"first": first, "second": second, "level": level}
    return CategoryConfusion(
        used.classes,
        first or "",
        second or "",
        shares,
        pairs.sum(axis=0),
        Provenance(__version__, used.digest(), len(used.codes), None, about),
    )


def _share(o: FloatArray, e: FloatArray, level: float, units: str) -> Estimate:
    """Return Σo/Σe with its interval."""
    if not e.sum() > 0:
        return Estimate(math.nan, note="nobody says this class")
    size = float(e[e > 0].mean())
    pseudo = (0.0, size), (size, size)
    return ratio_of(o, e, level=level, units=units, pseudo=pseudo, top=1.0)
