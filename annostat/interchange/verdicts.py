"""What may be said of a model in an annotator's place: tests, and the least margin."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from annostat.interchange.spread import Spread
from annostat.results.text import p_text, plain

BETTER = "better than a reader"
WITHIN = "interchangeable with a reader"
WORSE = "worse than a reader"
OPEN = "not resolved"
UNSAID = ("name", "by_ratio")  # no evidence


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a model is as good as an annotator, with the evidence.

    Attributes
    ----------
    name : str
        "better than a reader": it disagrees less with others than they do with each other, by a
        one-sided test. "interchangeable with a reader": it disagrees more by less than the margin.
        "worse than a reader": it disagrees more. Else "not resolved".
    p_better, p_worse, p_within : float or None
        One-sided p-values; None where nothing is left to chance, or there is no margin.
    least_margin : float
        The least margin, in the unit of the distance, that could be claimed: the one-sided upper
        limit, 0 where that is negative.
    least_percent : float or None
        The same as a share of what two annotators differ by, where a ratio makes sense.
    margin, margin_percent : float or None
        What was asked for.
    by_ratio : bool
        Whether "better" was judged on the ratio of distances, as it is printed, in place of γ.
    """

    name: str
    p_better: float | None
    p_worse: float | None
    p_within: float | None
    least_margin: float
    least_percent: float | None
    margin: float | None
    margin_percent: float | None
    by_ratio: bool = False

    @property
    def p_value(self) -> float | None:
        """That of the verdict; None where it is not resolved, or nothing is left to chance."""
        tests = {BETTER: self.p_better, WITHIN: self.p_within, WORSE: self.p_worse}
        return tests.get(self.name)

    def words(self) -> str:
        """Return the verdict with its p-value, for a cell of a table."""
        p = self.p_value
        return self.name if p is None else f"{self.name} ({p_text(p)})"

    def to_dict(self) -> dict[str, Any]:
        """Return the evidence as plain data."""
        return {key: plain(getattr(self, key)) for key in self.__slots__ if key not in UNSAID}


@dataclass(frozen=True, slots=True)
class Margin:
    """What counts as no difference: a distance, or a share of what two annotators differ by."""

    distance: float | None = None
    percent: float | None = None

    @property
    def stated(self) -> bool:
        """Whether there is one."""
        return self.distance is not None or self.percent is not None


def untold(found: Standing) -> Standing:
    """Return the verdict where too few items tell for any claim, whatever the tests say."""
    return replace(found, name=OPEN, least_margin=math.nan, least_percent=None)


def not_worse(found: Standing, p: float | None, level: float) -> Standing:
    """Return the verdict with a p-value of "worse" that may be larger, and hold it open then."""
    if p is None or found.p_worse is None or p <= found.p_worse:
        return found
    name = OPEN if found.name == WORSE and p >= 1 - level else found.name
    return replace(found, name=name, p_worse=p)


def not_better(found: Standing, p: float | None, level: float) -> Standing:
    """Return the verdict with a p-value of "better" that may be larger; "within" may still hold."""
    if p is None or found.p_better is None or p <= found.p_better:
        return found
    name = found.name
    if name == BETTER and p >= 1 - level:
        name = WITHIN if found.p_within is not None and found.p_within < 1 - level else OPEN
    return replace(found, name=name, p_better=p)


def stand(change: Spread, ratio: Spread | None, margin: Margin, level: float) -> Standing:
    """Return the verdict on γ, and on the log ratio of distances if that is more to the point.

    Parameters
    ----------
    change : Spread
        Of γ.
    ratio : Spread or None
        Of log(E d(f, Z)/E d(Z, Z′)), if better and worse are judged on it; it has the sign of γ.
    margin : Margin
    level : float
        Every test is made at 1 − level, one-sided.
    """
    judged = change if ratio is None else ratio
    better, worse = judged.p_below(0.0), judged.p_above(0.0)
    within = None
    if margin.percent is not None and ratio is not None:
        within = ratio.p_below(math.log1p(margin.percent))
    elif margin.distance is not None:
        within = change.p_below(margin.distance)
    alpha = 1 - level
    upper = change.upper(level)
    if judged.variance >= 0 and not judged.known:  # all items say the same
        name = BETTER if judged.value < 0 else WORSE if judged.value > 0 else OPEN
    elif better is not None and better < alpha:
        name = BETTER
    elif within is not None and within < alpha:
        name = WITHIN
    elif worse is not None and worse < alpha:
        name = WORSE
    else:
        name = OPEN
    percent = None if ratio is None else max(math.expm1(min(ratio.upper(level), 700.0)), 0.0)
    least = upper if math.isnan(upper) else max(upper, 0.0)
    asked = margin.distance, margin.percent
    return Standing(name, better, worse, within, least, percent, *asked, ratio is not None)
