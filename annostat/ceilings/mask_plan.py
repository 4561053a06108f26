"""How many items, drawn by how many raters, a wanted width of the ceiling of Dice takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat._version import __version__
from annostat.ceilings.masks import DiceCeiling, dice_ceiling
from annostat.errors import AnnostatError, check_choice, check_level, check_number
from annostat.labels.masks import MaskRounds, as_mask_rounds
from annostat.resampling.generators import Rng, as_generator, seed_of
from annostat.resampling.intervals import t_reach
from annostat.results.result import Check, Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import format_number, percent, plain

if TYPE_CHECKING:
    import pandas as pd

WIDTHS = (0.02, 0.01, 0.005)
FEWEST = 10  # items of a pilot
FEW_PILOT = 30  # items below which a pilot knows the spread of items roughly
MOST_SUBSETS = 6  # of as many raters
MOST_ITEMS = 1_000_000
LARGEST_STUDY = 400  # items that are drawn from the pilot at most


@dataclass(frozen=True, slots=True)
class RatersPlan:
    """What so many raters make of the pilot.

    Attributes
    ----------
    ceiling : float
    spread : float
        Half-width of the interval of one item, from the spread of items: it goes with 1/√n.
    left_open : float
        Half-width that stays however many items there are: of the bracket of possible laws.
    """

    ceiling: float
    spread: float
    left_open: float

    def half_width(self, n: float, level: float) -> float:
        """Return the half-width with n items."""
        if n < 2:
            return math.inf
        return self.left_open + t_reach(n - 1, level) * self.spread / math.sqrt(n)

    def items(self, wanted: float, level: float) -> int | None:
        """Return the least number of items with at most that half-width, None if there is none."""
        if self.left_open >= wanted:
            return None
        low, high = 2, MOST_ITEMS
        if self.half_width(high, level) > wanted:
            return None
        while low < high:
            middle = (low + high) // 2
            enough = self.half_width(middle, level) <= wanted
            low, high = (low, middle) if enough else (middle + 1, high)
        return low


@dataclass(frozen=True, eq=False)
class MaskPlan(Result):
    """Items and raters that the ceiling of Dice takes.

    Attributes
    ----------
    half_width, level : float
        Wanted half-width of the interval of the ceiling, in Dice.
    raters : dict of int to RatersPlan
    needed : dict of int to int or None
        Items by number of raters, None where no number is enough.
    table : dict of (float, int) to int or None
        Items by half-width and number of raters.
    achieved : float
        Median half-width in studies of that size, drawn from the pilot's items with all its raters;
        NaN without.
    n_resamples, n_pilot : int
    checks : tuple of Check
    provenance : Provenance
    """

    half_width: float
    level: float
    raters: dict[int, RatersPlan]
    needed: dict[int, int | None]
    table: dict[tuple[float, int], int | None]
    achieved: float
    n_resamples: int
    n_pilot: int
    checks: tuple[Check, ...]
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "half_width": self.half_width,
            "level": self.level,
            "needed": [{"n_raters": k, "n_items": n} for k, n in self.needed.items()],
            "raters": [
                {"n_raters": k, "ceiling": plain(r.ceiling), "left_open": plain(r.left_open)}
                for k, r in self.raters.items()
            ],
            "table": [
                {"half_width": w, "n_raters": k, "n_items": n} for (w, k), n in self.table.items()
            ],
            "achieved": plain(self.achieved),
            "n_resamples": self.n_resamples,
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each half-width and number of raters."""
        import pandas as pd

        rows = [{"half_width": w, "n_raters": k, "n_items": n} for (w, k), n in self.table.items()]
        return pd.DataFrame(rows).astype({"n_items": object})

    def answer(self) -> str:
        """Return the sizes that do."""
        what = (
            f"the {percent(self.level)} interval of the ceiling of Dice "
            f"±{format_number(self.half_width)} wide"
        )
        fine = [f"{n:,} items drawn by {k} raters" for k, n in self.needed.items() if n is not None]
        if fine:
            return f"{', or '.join(fine)}: that makes {what}."
        return (
            f"No number of items makes {what}: what these raters leave open is wider. Ask for "
            "less, or take more raters."
        )

    def quote(self) -> str:
        """Return what was found in studies drawn from the pilot."""
        k = max(self.raters)
        n = self.needed[k]
        if n is None or math.isnan(self.achieved):
            return ""
        return (
            f"{n:,} items drawn by {k} raters: ±{format_number(self.achieved, 0.0001)} in the "
            f"median of {self.n_resamples:,} studies drawn from the pilot."
        )

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        counts = list(self.raters)
        rows = [
            [f"±{format_number(w)}", *(_told(self.table[w, k]) for k in counts)]
            for w in dict.fromkeys(w for w, _ in self.table)
        ]
        left = ["± left open", *(format_number(self.raters[k].left_open, 0.0001) for k in counts)]
        columns = ("half-width", *(f"items, {k} raters" for k in counts))
        return [self.opening(), Section("", columns, [*rows, left])]


def _told(n: int | None) -> str:
    return "none is enough" if n is None else f"{n:,}"


def plan_masks(
    rounds: MaskRounds | Mapping[str, Any] | Sequence[Any],
    *,
    half_width: float = 0.01,
    label: int | None = None,
    level: float = 0.95,
    n_resamples: int = 10,
    rng: Rng = 0,
) -> MaskPlan:
    """Return how many items, drawn by how many raters, give the ceiling of Dice a wanted interval.

    Parameters
    ----------
    rounds : MaskRounds, mapping of rater to array, or list of arrays
        A pilot: two or more raters, ten items that all of them drew.
    half_width : float
        Wanted half-width of the interval of the ceiling, in Dice: 0.01.
    label : int, optional
        Structure; the first one by default.
    level : float
    n_resamples : int
        Studies drawn from the pilot's items, of the size that is found; 0 for none.
    rng
        Seed of these, and of the ceiling's.

    Returns
    -------
    MaskPlan
        For each number of raters up to the pilot's, of up to six choices of as many: the standard
        uncertainty of `dice_ceiling`, which goes with 1/√n, and what its interval is wider by than
        that makes it, which does not shrink: the laws of the noise that few raters leave open.

    Raises
    ------
    AnnostatError
        If the pilot has fewer than ten items that were drawn, its ceiling has no interval, or an
        option is out of its domain.

    Examples
    --------
    >>> from annostat import simulate_masks
    >>> from annostat.ceilings import plan_masks
    >>> pilot, _ = simulate_masks(12, 2, noise_px=2.0, rng=1)
    >>> plan = plan_masks(pilot, half_width=0.02, n_resamples=0)
    >>> plan.needed[2] > 2
    True
    """
    level = check_level(level)
    wanted = check_number("half_width", half_width, low=0.0, high=0.5, open_ends=True)
    pilot = as_mask_rounds(rounds)
    if pilot.n_raters < 2:
        raise AnnostatError(f"masks must come from two or more raters, got {pilot.n_raters}")
    label = pilot.labels[0] if label is None else label
    check_choice("label", str(label), [str(v) for v in pilot.labels])
    by_raters = {k: _of_raters(pilot, k, label, level, rng) for k in range(2, pilot.n_raters + 1)}
    widths = sorted({*WIDTHS, wanted}, reverse=True)
    table = {(w, k): r.items(w, level) for w in widths for k, r in by_raters.items()}
    needed = {k: table[wanted, k] for k in by_raters}
    achieved = math.nan
    most = needed[pilot.n_raters]
    if n_resamples and most is not None and most <= LARGEST_STUDY:
        achieved = _tried(pilot, most, label, level, n_resamples, rng)
    n_used = pilot.n_items
    options = {"half_width": wanted, "label": label, "level": level, "n_resamples": n_resamples}
    return MaskPlan(
        wanted,
        level,
        by_raters,
        needed,
        table,
        achieved,
        n_resamples,
        n_used,
        tuple(_checks(n_used, needed)),
        Provenance(__version__, pilot.digest(), n_used, seed_of(rng), options),
    )


def _checks(n: int, needed: Mapping[int, int | None]) -> list[Check]:
    if n >= FEW_PILOT:
        text = f"A pilot of {n:,} items knows their spread."
    else:
        text = f"A pilot of {n:,} items knows their spread roughly: take the numbers as a range."
    found = [Check("few_items", n >= FEW_PILOT, text, float(n))]
    small = [v for v in needed.values() if v is not None and v < FEW_PILOT]
    if small:
        text = (
            f"Below {FEW_PILOT} items intervals are wider than 1/√n says (by a fifth in "
            "simulation): draw some more."
        )
        found.append(Check("small_study", False, text, float(min(small))))
    return found


def _of_raters(pilot: MaskRounds, k: int, label: int, level: float, rng: Rng) -> RatersPlan:
    """Return what the ceilings of k of the raters say, averaged over up to six choices of them."""
    every = list(combinations(pilot.names, k))
    chosen = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, MOST_SUBSETS).astype(int))]
    values, spreads, rest = [], [], []
    for names in chosen:
        found = dice_ceiling(pilot.choose(list(names)), label=label, level=level, rng=rng)
        value, spread, left = _parts(found, level)
        values.append(value)
        spreads.append(spread)
        rest.append(left)
    return RatersPlan(float(np.mean(values)), float(np.mean(spreads)), float(np.mean(rest)))


def _parts(found: DiceCeiling, level: float) -> tuple[float, float, float]:
    """Return the ceiling, its spread of one item, and the half-width that does not shrink."""
    n, error, interval = len(found.items), found.dice.standard_uncertainty, found.dice.interval
    if n < FEWEST:
        raise AnnostatError(f"a pilot needs {FEWEST} items that all raters drew, got {n}")
    if error is None or interval is None:
        raise AnnostatError(
            f"the pilot's ceiling has no interval ({found.dice.note}): there is nothing to plan"
        )
    sampling = t_reach(n - 1, level) * error
    half = (interval.high - interval.low) / 2
    return found.dice.value, error * math.sqrt(n), max(half - sampling, 0.0)


def _tried(
    pilot: MaskRounds, n: int, label: int, level: float, n_resamples: int, rng: Rng
) -> float:
    """Return the median half-width in studies of items drawn from the pilot, all raters."""
    g = as_generator(rng)
    widths = []
    for _ in range(n_resamples):
        drawn = pilot.take(g.integers(0, pilot.n_items, n))
        names = np.array([f"{i}" for i in range(n)], dtype=object)
        study = replace(drawn, items=names, cluster=None)
        interval = dice_ceiling(study, label=label, level=level, rng=rng).dice.interval
        if interval is not None:
            widths.append((interval.high - interval.low) / 2)
    return float(np.median(widths)) if widths else math.nan
