"""The law of p: how many items are clear, and how many are disputed, whatever their difficulty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat._version import __version__
from annostat.agreement.category_raters import rater_tests
from annostat.arrays import FloatArray
from annostat.ceilings.mixing import Gain, Mixture, mixture_of, two_classes
from annostat.errors import AnnostatError, check_level, check_number
from annostat.labels.categories import Categories
from annostat.resampling.generators import Rng, seed_of
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number, percent, plain

if TYPE_CHECKING:
    import pandas as pd

THRESHOLDS = tuple(i / 10 for i in range(1, 10))
DISPUTED = 0.1  # an item is disputed if each class has a probability above this
SMALL = 1e-6  # beside a threshold, so that both sides of the step are seen


@dataclass(frozen=True, slots=True)
class Part:
    """A share of the items, between the least and the largest that the labels allow.

    Attributes
    ----------
    low, high : float
        Over all laws of p that give the counts.
    limit_low, limit_high : float
        Hold the share at the level of the result.
    """

    low: float
    high: float
    limit_low: float
    limit_high: float

    def cell(self) -> str:
        """Return the range, and its limits in brackets."""
        width = (self.limit_high - self.limit_low) / 4
        ends = [format_number(x, width) for x in (self.low, self.high)]
        best = ends[0] if ends[0] == ends[1] else " to ".join(ends)
        return f"{best} ({' to '.join(format_number(x, width) for x in self.limits())})"

    def limits(self) -> tuple[float, float]:
        """Return the two limits."""
        return self.limit_low, self.limit_high

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "bracket": {"low": plain(self.low), "high": plain(self.high)},
            "low": plain(self.limit_low),
            "high": plain(self.limit_high),
        }


@dataclass(frozen=True)
class CategoryLaw(Result):
    """Bounds of the law of p, the probability that a random annotator says the positive class.

    Attributes
    ----------
    positive : str
    thresholds : tuple of float
    below : tuple of Part
        Share of items whose p is at most each threshold.
    disputed : Part
        Share of items of which each class has a probability above `margin`.
    margin : float
    level : float
        Of the limits, each for itself.
    checks : tuple of Check
    provenance : Provenance
    """

    positive: str
    thresholds: tuple[float, ...]
    below: tuple[Part, ...]
    disputed: Part
    margin: float
    level: float
    checks: tuple[Check, ...]
    provenance: Provenance

    def answer(self) -> str:
        """Return how many items are disputed."""
        d = self.disputed
        low, high = (percent(round(x, 3)) for x in (d.low, d.high))
        part = low if low == high else f"{low} to {high}"
        return (
            f"{part} of the items are disputed: a random annotator gives them either label with "
            f"more than {percent(self.margin)}."
        )

    def quote(self) -> str:
        """Return the share of disputed items with its limits."""
        low, high = (percent(round(x, 3)) for x in self.disputed.limits())
        return f"Disputed items {low} to {high} ({percent(self.level)}, whatever the law of p)."

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "positive": self.positive,
            "level": self.level,
            "margin": self.margin,
            "disputed": self.disputed.to_dict(),
            "below": [
                {"threshold": t, **part.to_dict()}
                for t, part in zip(self.thresholds, self.below, strict=True)
            ],
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each threshold."""
        import pandas as pd

        rows = [
            (t, p.low, p.high, *p.limits())
            for t, p in zip(self.thresholds, self.below, strict=True)
        ]
        columns = ["threshold", "bracket_low", "bracket_high", "low", "high"]
        return pd.DataFrame(rows, columns=columns)

    def table(self) -> Section:
        """Return the shares as a table."""
        rows = [
            [f"{t:g}", part.cell()] for t, part in zip(self.thresholds, self.below, strict=True)
        ]
        columns = (f"p of {self.positive}, at most", "share of the items, with its limits")
        return Section("How clear the items are", columns, rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        return [self.opening(), self.table(), check_section(self.checks, when="all")]


def category_law(
    labels: Categories,
    *,
    positive: Sequence[object] | object | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    margin: float = DISPUTED,
    level: float = 0.95,
    rng: Rng = 0,
) -> CategoryLaw:
    """Return bounds of the law of p: how many items are clear, how many disputed.

    Parameters
    ----------
    labels : Categories
        Two labels per item or more; clusters are the independent units.
    positive : str or sequence of str, optional
        As in `category_bounds`; of two classes the second one by default.
    thresholds : sequence of float
        Where the distribution function of p is bounded, between 0 and 1.
    margin : float
        An item is disputed if either class has a probability above this.
    level : float
        Of the limits, each for itself.
    rng : None, int or Generator
        As in `category_bounds`.

    Returns
    -------
    CategoryLaw
        Labels fix moments of p and no more: each share has a least and a largest value over all
        laws that give the counts (a linear programme), and limits that invert a test.

    Raises
    ------
    AnnostatError
        If there are more than two classes and none is named positive, all labels are of one class,
        or a threshold is not between 0 and 1.

    Examples
    --------
    >>> labels = Categories.from_array([["a"] * 3] * 40 + [["b"] * 3] * 35 + [["a", "b", "a"]] * 15)
    >>> found = category_law(labels, thresholds=[0.5])
    >>> 0.4 < found.below[0].low <= found.below[0].high < 0.7
    True
    """
    level = check_level(level)
    edge = check_number("margin", margin, low=0.0, high=0.5, open_ends=True)
    points = [check_number("thresholds", t, low=0, high=1, open_ends=True) for t in thresholds]
    used = two_classes(labels, positive, "the law of p")
    if (used.counts.sum(axis=0) > 0).sum() < 2:
        raise AnnostatError("all labels are of one class: there is nothing to tell apart")
    mixture = mixture_of(used, rng)
    below = [_part(mixture, _up_to(t), level) for t in points]
    disputed = _part(mixture, _between(edge, 1 - edge), level)
    about = {"level": level, "margin": edge, "thresholds": points}
    return CategoryLaw(
        used.classes[1],
        tuple(points),
        tuple(below),
        disputed,
        edge,
        level,
        _alike(used),
        Provenance(__version__, used.digest(), len(used.codes), seed_of(rng), about),
    )


def _alike(labels: Categories) -> tuple[Check, ...]:
    """Return the checks of raters; where they differ, p is that of one of them at random."""
    found = []
    for check in rater_tests(labels).checks:
        if check.passed is False:
            told = check.message.split(": the ceiling is")[0]
            text = f"{told}: counts of different raters make p look less spread than it is."
            check = Check(check.name, False, text, check.statistic, check.p_value)
        found.append(check)
    return tuple(found)


def _up_to(t: float) -> Gain:
    """Return the share of items whose p is at most t, as a metric."""

    def at(theta: float, p: FloatArray, pi: float) -> FloatArray:
        return np.asarray((p <= t + SMALL) - theta, dtype=np.float64)

    return Gain("below", at, 0.0, 1.0, cut=lambda theta, pi: min(t + 2 * SMALL, 1.0))


def _between(a: float, b: float) -> Gain:
    """Return the share of items whose p lies between a and b, ends left out."""

    def at(theta: float, p: FloatArray, pi: float) -> FloatArray:
        return np.asarray((p > a + SMALL) & (p < b - SMALL), dtype=np.float64) - theta

    return Gain("between", at, 0.0, 1.0, cut=lambda theta, pi: a + 2 * SMALL)


def _part(mixture: Mixture, gain: Gain, level: float) -> Part:
    low, high = mixture.bracket(gain)
    bottom, top = mixture.limits(gain, level, bracket=(low, high))
    return Part(max(low, 0.0), min(high, 1.0), max(min(bottom, low), 0.0), min(max(top, high), 1.0))
