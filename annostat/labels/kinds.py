"""Which kind of label a table of numbers holds: the one rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from annostat.arrays import all_whole
from annostat.errors import check_choice, option
from annostat.labels.rounds import Rounds
from annostat.results.result import Check

GRADES = "if they are grades, take annostat bounds --kind ordinal"
MOST_GRADES = 10  # different whole numbers at most that may be grades
WIDEST_PICKS = 1000  # whole numbers of an item that lie further apart are values, unless told so
COUNTED = ("", "frame", "frames", "slice", "slices", "image", "images")  # units of picks


@dataclass(frozen=True, slots=True)
class LabelKind:
    """A kind of label that a table of numbers may hold, declared once.

    Attributes
    ----------
    name, meaning : str
    fits : callable
        Whether the labels of some rounds can be of this kind.
    certain : callable
        Whether something else than the numbers says so.
    """

    name: str
    meaning: str
    fits: Callable[[Rounds], bool]
    certain: Callable[[Rounds], bool]


def _close_whole_numbers(rounds: Rounds) -> bool:
    if rounds.unit.strip().lower() not in COUNTED:
        return False
    values = rounds.values[rounds.readings > 0]
    reach = float(np.max(np.nanmax(values, axis=1) - np.nanmin(values, axis=1), initial=0.0))
    return all_whole(values) and reach <= WIDEST_PICKS


def _framed(rounds: Rounds) -> bool:
    return rounds.period is not None or rounds.length is not None


# In the order in which they are tried.
LABEL_KINDS = (
    LabelKind("picks", "frames or slices that were chosen", _close_whole_numbers, _framed),
    LabelKind("values", "measurements", lambda rounds: True, lambda rounds: True),
)
KINDS = ("auto", *(kind.name for kind in LABEL_KINDS))


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind of a table's labels, and how it is known.

    Attributes
    ----------
    name : {"picks", "values"}
        Picks are whole numbers (frames, slices), whose law of noise can be fitted.
    sure : bool
        Whether the caller, or a column of periods or lengths, says so; else it is a guess.
    few : bool
        Whether there are so few different numbers that they may be grades.
    """

    name: str
    sure: bool
    few: bool = False

    @property
    def picks(self) -> bool:
        """Whether the labels are picks."""
        return self.name == "picks"

    def checks(self) -> tuple[Check, ...]:
        """Return a word on a guess: whole numbers may be values all the same."""
        if self.sure or not self.picks:
            return ()
        message = (
            "All labels are whole numbers and are taken for picks of a frame or slice; if they are "
            "values (per cent, millilitres), say so by their unit or by "
            f"{option('kind', 'values')}"
        )
        message += f"; {GRADES}." if self.few else "."
        return (Check("kind", None, message),)


def kind_of(
    rounds: Rounds, asked: str = "auto", *, kinds: Sequence[LabelKind] = LABEL_KINDS
) -> Kind:
    """Return the kind of the labels.

    Parameters
    ----------
    rounds : Rounds
        Labels of shape (n_items, n_rounds); NaN is a missing label.
    asked : {"auto", "picks", "values"}
        "auto": picks if all labels are whole numbers, those of no item are further apart than
        `WIDEST_PICKS`, and their unit is none that measures ("%", "mL"). A period or a length says
        that they are frames or slices.
    kinds : sequence of LabelKind
        The kinds that are known, in the order in which they are tried; the last one fits all.

    Returns
    -------
    Kind

    Raises
    ------
    AnnostatError
        If `asked` is none of these.

    Examples
    --------
    >>> kind_of(Rounds.from_array([[10, 12], [31, 30]]))
    Kind(name='picks', sure=False, few=True)
    >>> kind_of(Rounds.from_array([[10.5, 12], [31, 30]])).name
    'values'
    """
    if asked == "auto":
        found = next(kind for kind in kinds if kind.fits(rounds))
        seen = rounds.values[np.isfinite(rounds.values)]
        few = found.name == "picks" and np.unique(seen).size <= MOST_GRADES
        return Kind(found.name, found.certain(rounds), few)
    return Kind(check_choice("kind", asked, ("auto", *(kind.name for kind in kinds))), True)


def grades_check(rounds: Rounds) -> Check | None:
    """Return a word on picks that may be grades: few different whole numbers, of no clip's length.

    None where a period or a length says that they are frames or slices.
    """
    kind = kind_of(rounds)
    if kind.sure or not kind.few:
        return None
    seen = np.unique(rounds.values[np.isfinite(rounds.values)])
    message = (
        f"The labels are {seen.size} different whole numbers, {seen[0]:g} to {seen[-1]:g}, and are "
        f"taken for picks of a frame or slice; {GRADES}."
    )
    return Check("grades", None, message)
