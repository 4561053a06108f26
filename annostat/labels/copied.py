"""Rounds that are equal to the last digit: copies, and no second look."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from annostat.arrays import FloatArray
from annostat.labels.kinds import MOST_GRADES
from annostat.labels.rounds import Rounds
from annostat.results.result import Check
from annostat.results.text import counted

FEWEST_ITEMS, FEWEST_VALUES = 5, 3
# Raters who see the same agree exactly in four items of five at most, and on a fine scale, of more
# steps than their noise has, in fewer. Below NEVER such an agreement is no chance.
EASY, STEPS, NEVER = 0.8, 100, 1e-4


def check_copied(rounds: Rounds, pairs: Iterable[tuple[int, int]]) -> list[Check]:
    """Return a failed check where two rounds are equal so often that one must be a copy.

    Grades and picks of few values agree honestly. Those of a scale of L steps are taken to agree
    in an item with a chance of min(0.8, 100/L), and in all with less than 1 in 10,000 if not
    copied; whole numbers, often picks of things that are easy to see, with 0.8 whatever L is.

    Parameters
    ----------
    rounds : Rounds
    pairs : iterable of (int, int)
        Positions of rounds that may be equal.
    """
    if rounds.weights is not None:  # patterns of differences, without the values
        return []
    found = []
    for a, b in pairs:
        first, second = rounds.values[:, a], rounds.values[:, b]
        both = np.isfinite(first) & np.isfinite(second)
        if np.array_equal(first[both], second[both]) and _is_no_chance(first[both]):
            found.append((-int(both.sum()), a, b))
    if not found:
        return []
    n, a, b = min(found)
    names = f"{rounds.names[a]} and {rounds.names[b]}"
    more = f" (and {counted(len(found) - 1, 'other pair')} likewise)" if len(found) > 1 else ""
    remedy = "leave one of them out" if rounds.n_rounds > 2 else "label the items a second time"
    text = (
        f"{names} are equal in all {-n:,} items that both have{more}: was one copied from the "
        f"other, or made with the other in sight? If so, they say nothing of the noise, {remedy}."
    )
    return [Check("copied", False, text, float(-n))]


def _is_no_chance(values: FloatArray) -> bool:
    different = _told_apart(values)
    if values.size < FEWEST_ITEMS or different.size < FEWEST_VALUES:
        return False
    chance = EASY
    if (values == np.round(values)).all():
        if different.size <= MOST_GRADES:
            return False
    else:
        steps = _steps(different)
        if steps <= STEPS and different.size <= MOST_GRADES:
            return False
        chance = min(EASY, STEPS / steps)
    return bool(chance**values.size < NEVER)


def _told_apart(values: FloatArray) -> FloatArray:
    """Return the different values in their order, those that rounding alone parts as one."""
    different = np.unique(values)
    gaps = np.diff(different, prepend=-np.inf)
    return np.asarray(different[gaps > 1e-9 * np.ptp(different)]) if different.size else different


def _steps(values: FloatArray) -> float:
    """Return how many steps of their scale sorted values span: of half grades from 1 to 4 six.

    The step is what all their gaps are multiples of, but for rounding (Euclid's algorithm).
    """
    span = float(values[-1] - values[0])
    step = 0.0
    for gap in np.unique(np.diff(values)).tolist():
        while gap > 1e-6 * span:  # what is less is rounding
            step, gap = gap, step % gap
        if 0 < step <= 1e-5 * span:  # finer than any scale that this asks about
            break
    return span / step
