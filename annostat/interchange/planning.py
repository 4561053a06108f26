"""How many items and readers a study of interchangeability needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.errors import (
    AnnostatError,
    check_choice,
    check_count,
    check_level,
    check_number,
)
from annostat.interchange.components import Components, components_of
from annostat.interchange.result import Interchange
from annostat.interchange.spread import MANY_UNITS, Units, difference
from annostat.interchange.words import rounded_up, unit_of
from annostat.resampling import Rng, as_generator
from annostat.resampling.intervals import noncentral_t, t_reach
from annostat.results.result import Check, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import counted, format_number, percent, plain

if TYPE_CHECKING:
    import pandas as pd

ITEMS = (50, 100, 200, 500, 1000, 2000)
READERS = (3, 4, 5, 6, 8, 10)
MOST_ITEMS = 1_000_000
FEW_PILOT, FEW_READERS = 100, 10  # below which a pilot knows variances roughly
FEW_ITEMS = 30  # of a study: below, the rare large differences are easily missed


@dataclass(frozen=True, slots=True)
class Planned:
    """One size of a study: how wide γ's interval will be, and how often the claim is made."""

    n_items: int
    n_readers: int
    half_width: float
    power: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {key: plain(getattr(self, key)) for key in self.__slots__}


@dataclass(frozen=True, eq=False)
class InterchangePlan(Result):
    """How many items and readers a claim needs.

    Attributes
    ----------
    pilot : Interchange
    model : str
    change, margin : float
        γ that is presumed, and the margin; 0 is the claim "better than a reader".
    wanted : float
        Power.
    table : tuple of Planned
    needed : mapping of int to int or None
        Items by number of readers; None where no number is enough.
    simulated : Planned or None
        Power and half-width of the smallest study that is enough, from simulated studies.
    n_resamples : int
    level : float
    """

    pilot: Interchange
    model: str
    change: float
    margin: float
    wanted: float
    table: tuple[Planned, ...]
    needed: dict[int, int | None]
    simulated: Planned | None
    n_resamples: int
    level: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "model": self.model,
            "distance": self.pilot.distance.name,
            "unit": self.pilot.unit,
            "speaks_of": self.pilot.readers,
            "change": self.change,
            "margin": self.margin,
            "power": self.wanted,
            "level": self.level,
            "needed": [{"n_readers": k, "n_items": n} for k, n in self.needed.items()],
            "table": [p.to_dict() for p in self.table],
            "simulated": self.simulated and self.simulated.to_dict(),
            "n_resamples": self.n_resamples,
            "checks": [c.to_dict() for c in self.checks],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each size of a study."""
        import pandas as pd

        return pd.DataFrame([p.to_dict() for p in self.table])

    def claim(self) -> str:
        """Return what is to be shown, in words."""
        if self.margin == 0:
            return "is better than a reader"
        return f"is interchangeable with a reader within {rounded_up(self.pilot, self.margin)}"

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        tables = [self._by_readers("power"), self._by_readers("half_width")]
        return [self.opening(), *tables, check_section(self.checks, when="all")]

    @property
    def checks(self) -> tuple[Check, ...]:
        """Whether the pilot knows its components of variance, and the study is large enough."""
        n, k = self.pilot.n_items, len(self.pilot.taken.names)
        sample = f" and {counted(k, 'reader')}" if self.pilot.readers == "sample" else ""
        pilot = f"A pilot of {counted(n, 'item')}{sample}"
        known = n >= FEW_PILOT and (not sample or k >= FEW_READERS)
        text = (
            f"{pilot} knows its components of variance."
            if known
            else f"{pilot} knows its components of variance roughly: take the numbers as a range; "
            f"{FEW_PILOT} items{f' and {FEW_READERS} readers' if sample else ''} would do."
        )
        found = [Check("few_items", known, text, float(n))]
        sizes = [m for m in self.needed.values() if m is not None]
        if sizes and min(sizes) < FEW_ITEMS:
            text = f"Below {FEW_ITEMS} items a few large differences are easily missed: label more."
            found.append(Check("small_study", False, text, float(min(sizes))))
        return tuple(found)

    def answer(self) -> str:
        """Return how many items it takes, as a sentence."""
        scale = 1.0 if unit_of(self.pilot) == self.pilot.unit else 100.0
        gamma = f"γ is {format_number(self.change * scale)} {unit_of(self.pilot)}".strip()
        power = f"with a power of {percent(self.wanted)}"
        enough = {k: n for k, n in self.needed.items() if n is not None}
        if not enough:
            return (
                f"No number of items shows {power} that {self.model} {self.claim()}, if {gamma}: "
                "take more readers, or a wider margin."
            )
        sample = self.pilot.readers == "sample"
        sizes = [f"{n:,} items{f' with {k} readers' if sample else ''}" for k, n in enough.items()]
        return f"To show {power} that {self.model} {self.claim()}, if {gamma}: {', '.join(sizes)}."

    def quote(self) -> str:
        """Return the power in simulated studies of the smallest size; empty without any."""
        if self.simulated is None:
            return ""
        s = self.simulated
        return (
            f"{s.n_items:,} items and {s.n_readers} readers: power "
            f"{percent(round(s.power, 2))} in {self.n_resamples:,} simulated studies."
        )

    def _by_readers(self, what: str) -> Section:
        counts = list(dict.fromkeys(p.n_readers for p in self.table))
        cells = {(p.n_items, p.n_readers): getattr(p, what) for p in self.table}
        unit = f", {self.pilot.unit}" if self.pilot.unit else ""
        title = "Power" if what == "power" else f"Half-width of the interval of γ{unit}"

        def shown(value: float) -> str:
            if what == "power":
                return f"{100 * value:.0f}%"
            return format_number(value, value / 10)

        rows = [
            [f"{n:,}", *(shown(cells[n, k]) for k in counts)]
            for n in dict.fromkeys(p.n_items for p in self.table)
        ]
        return Section(title, ("items", *(f"{k} readers" for k in counts)), rows)


def plan_interchange(
    pilot: Interchange,
    *,
    model: str | None = None,
    change: float | None = None,
    margin: float | None = None,
    power: float = 0.8,
    items: Sequence[int] = ITEMS,
    readers: Sequence[int] = READERS,
    level: float = 0.95,
    n_resamples: int = 1000,
    rng: Rng = 0,
) -> InterchangePlan:
    """Return how many items and readers it takes to show that a model is as good as an annotator.

    Parameters
    ----------
    pilot : Interchange
        A study of such labels and such a model; readers with an identity, three or more, if others
        than these are to be spoken of.
    model : str, optional
        Which of its models; the first by default.
    change : float, optional
        γ that is presumed; that of the pilot by default.
    margin : float, optional
        That of the claim, in the unit of the distance; that of the pilot by default. 0 is "better
        than a reader".
    power : float
        Wanted chance of making the claim.
    items, readers : sequence of int
        Sizes of the table.
    n_resamples : int
        Simulated studies of the smallest size that is enough; 0 for none.
    rng
        Seed of the simulation.

    Returns
    -------
    InterchangePlan
        V = items/n + readers/k + cells/(nk) + 2·pairs/(nk(k − 1)). The interval rests on the
        variance over items and the jackknife over readers: the noise of cells and pairs counts in
        both, but in the latter by half for the verdict "better" on absolute and squared distances
        of 100 items or more. The chance is that of a noncentral t with Satterthwaite's degrees of
        freedom. Where four readers or fewer differ from each other the true power is a little more.

    Raises
    ------
    AnnostatError
        If there is no such model, the pilot has no variance, or an option is out of its domain.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat.interchange import interchange, plan_interchange
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.normal(55, 10, 100)
    >>> pilot = interchange(
    ...     truth[:, None] + rng.normal(0, 4, (100, 4)), {"net": truth + rng.normal(0, 4, 100)}
    ... )
    >>> found = plan_interchange(pilot, change=0.0, margin=1.0, n_resamples=200)
    >>> found.needed[10] < found.needed[5]
    True
    """
    level = check_level(level)
    power = check_number("power", power, low=0.0, high=1.0, open_ends=True)
    names = [m.name for m in pilot.models]
    name = names[0] if model is None else check_choice("model", model, names)
    [found] = [m for m in pilot.models if m.name == name]
    parts = components_of(pilot, name)
    if not parts.true(1, 4) > 0:
        raise AnnostatError("the pilot's items all say the same: there is no variance to plan with")
    limit = pilot.provenance.options.get("margin") if margin is None else margin
    limit = check_number("margin", 0.0 if limit is None else limit, low=0.0)
    gamma = check_number("change", found.change.value if change is None else change)
    if gamma >= limit:
        raise AnnostatError(
            f"a model whose change is {gamma:.3g} cannot be shown to be below {limit:g}: state a "
            "larger margin, or the change that you expect (change)"
        )
    sample = pilot.readers == "sample"
    if not sample:
        readers = (len(pilot.taken.names),)
    half = sample and limit == 0 and pilot.distance.ratio
    sizes = [check_count("items", n, low=2) for n in items]
    counts = [check_count("readers", k, low=3 if sample else 2) for k in readers]
    plan = _Plan(parts, sample, half, gamma, limit, level)
    table = tuple(
        Planned(n, k, plan.half_width(n, k), plan.power(n, k)) for k in counts for n in sizes
    )
    needed = {k: plan.needed(k, power) for k in counts}
    enough = {k: n for k, n in needed.items() if n is not None}
    simulated = None
    if enough and n_resamples:
        k = min(enough, key=lambda k: enough[k] * k)
        if enough[k] * k <= 20_000:
            simulated = plan.simulated(enough[k], k, n_resamples, rng)
    return InterchangePlan(
        pilot, name, gamma, limit, power, table, needed, simulated, n_resamples, level
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    parts: Components
    sample: bool
    half: bool
    gamma: float
    margin: float
    level: float

    def variances(self, n: float, k: int) -> tuple[float, float, float]:
        """Return the variance of γ, that which is estimated, and its degrees of freedom."""
        p = self.parts
        if not self.sample:
            return p.items / n, p.items / n, n - 1
        over_items = p.over_items(n, k)
        jackknife = p.readers / k + p.noise(n, k) * (0.5 if self.by_ratio(n) else 1.0)
        seen = over_items + jackknife
        df = seen**2 / (over_items**2 / (n - 1) + jackknife**2 / (k - 1))
        return p.true(n, k), seen, df

    def by_ratio(self, n: float) -> bool:
        """Whether the verdict rests on the ratio of distances."""
        return self.half and n >= MANY_UNITS

    def half_width(self, n: int, k: int) -> float:
        """Return half the width of the two-sided interval of γ."""
        plain_plan = self if not self.half else _Plan(self.parts, True, False, 0, 0, self.level)
        _, seen, df = plain_plan.variances(n, k)
        return t_reach(df, self.level) * math.sqrt(seen)

    def power(self, n: float, k: int) -> float:
        """Return the chance that the one-sided upper limit lies below the margin."""
        true, seen, df = self.variances(n, k)
        shift = (self.margin - self.gamma) / math.sqrt(true)
        cut = t_reach(df, 2 * self.level - 1) * math.sqrt(seen / true)
        return 1 - noncentral_t(df, shift, cut)

    def needed(self, k: int, wanted: float) -> int | None:
        """Return the least number of items with that power, None if no number is enough."""
        low, high = 2, MOST_ITEMS
        if not self.power(high, k) >= wanted:
            return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.power(middle, k) >= wanted else (middle + 1, high)
        return low

    def simulated(self, n: int, k: int, n_resamples: int, rng: Rng) -> Planned:
        """Return power and half-width in studies with Gaussian components of that size."""
        g = as_generator(rng)
        p = self.parts
        base = 10 * math.sqrt(p.true(1, 4)) + abs(self.gamma)
        made, widths = 0, []
        seen = np.ones((n, k), dtype=bool)
        pairs = list(combinations(range(k), 2))
        for _ in range(n_resamples):
            cells = base + self.gamma + g.normal(0, math.sqrt(p.items), (n, 1)) + np.zeros((1, k))
            among = np.full((n, k), base * (k - 1))
            if self.sample:
                cells = cells + g.normal(0, math.sqrt(p.readers), (1, k))
                cells = cells + g.normal(0, math.sqrt(p.cells), (n, k))
                for (j, m), b in zip(
                    pairs, g.normal(0, math.sqrt(p.pairs), (len(pairs), n)), strict=True
                ):
                    among[:, j] += b
                    among[:, m] += b
            units = Units.of(cells, among, seen, None, readers=self.sample)
            spread = units.spread(difference)
            widths.append(t_reach(spread.df, self.level) * spread.error)
            judged = units.spread(difference, half=True) if self.by_ratio(n) else spread
            made += judged.upper(self.level) < self.margin
        return Planned(n, k, float(np.mean(widths)), made / n_resamples)
