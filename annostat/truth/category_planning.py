"""How many items it takes to show that a classifier is below the ceiling."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat._version import __version__
from annostat.arrays import IntArray
from annostat.errors import AnnostatError, check_count, check_level, check_number, shown
from annostat.labels.answers import answers_of
from annostat.labels.categories import Categories
from annostat.resampling import Rng, as_generator
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import seed_of
from annostat.resampling.intervals import noncentral_t
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import percent, plain
from annostat.truth.categories import ALPHA, score_categories
from annostat.truth.category_result import BELOW
from annostat.truth.planning import ITEMS, PlannedVerdict

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 30  # items of a pilot
MOST_ITEMS = 1_000_000
LARGEST_STUDY = 20_000  # items that are drawn from the pilot at most
SURE = 2.0  # t from which a pilot shows an effect that is worth planning by


@dataclass(frozen=True, eq=False)
class CategoryVerdictPlan(Result):
    """Items that "below the ceiling" takes.

    Attributes
    ----------
    model : str
    metric : str
    score : Estimate
        Of the model in the pilot.
    table : tuple of PlannedVerdict
    needed : int or None
        None where no number is enough.
    wanted, level : float
        Power; the level of the pilot's intervals.
    simulated : float
        Share of studies of that size, drawn from the pilot's items, with the verdict; NaN without.
    n_resamples : int
    n_pilot : int
    checks : tuple of Check
    provenance : Provenance
    """

    model: str
    metric: str
    score: Estimate
    table: tuple[PlannedVerdict, ...]
    needed: int | None
    wanted: float
    level: float
    simulated: float
    n_resamples: int
    n_pilot: int
    checks: tuple[Check, ...]
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "claim": BELOW,
            "model": self.model,
            "metric": self.metric,
            "score": self.score.to_dict(),
            "power": self.wanted,
            "needed": self.needed,
            "table": [p.to_dict() for p in self.table],
            "simulated": plain(self.simulated),
            "n_resamples": self.n_resamples,
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each number of items."""
        import pandas as pd

        return pd.DataFrame([p.to_dict() for p in self.table])

    def words(self) -> str:
        """Return the verdict that is wanted, in words."""
        return f'"{BELOW}" of {self.model}'

    def answer(self) -> str:
        """Return how many items it takes, as a sentence."""
        if self.needed is None:
            return (
                f"No number of items says {self.words()} with a power of {percent(self.wanted)}: "
                "in the pilot it is not below the ceiling."
            )
        return (
            f"To say {self.words()} with a power of {percent(self.wanted)}: {self.needed:,} items "
            "labelled as those of the pilot, if the model is as far below as there."
        )

    def quote(self) -> str:
        """Return the power in studies drawn from the pilot."""
        if self.needed is None or math.isnan(self.simulated):
            return ""
        return (
            f"{self.needed:,} items: power {percent(round(self.simulated, 2))} in "
            f"{self.n_resamples:,} studies drawn from the pilot's items."
        )

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [[f"{p.n_items:,}", f"{100 * p.power:.0f}%"] for p in self.table]
        return [self.opening(), Section(f"Power to say {self.words()}", ("items", "power"), rows)]


def plan_category_verdict(
    labels: Categories,
    models: Mapping[str, ArrayLike],
    *,
    positive: Sequence[object] | object | None = None,
    power: float = 0.8,
    items: Sequence[int] = ITEMS,
    level: float = 0.95,
    n_resamples: int = 40,
    rng: Rng = 0,
) -> CategoryVerdictPlan:
    """Return how many items it takes to show that a classifier is below the ceiling.

    Parameters
    ----------
    labels : Categories
        A pilot: 30 items with two labels or more.
    models : mapping of one name to array-like of shape (n_items,)
        The class that the model gives each item, as in `score_categories`.
    positive : str or sequence of str, optional
        As in `score_categories`: the verdict is planned for two classes.
    power : float
        Wanted chance of the verdict.
    items : sequence of int
        Sizes of the table.
    level : float
    n_resamples : int
        Studies of the size that is enough, drawn from the pilot's items; 0 for none.
    rng
        Seed of these.

    Returns
    -------
    CategoryVerdictPlan
        With t₀ the statistic of the pilot's one-sided test over n₀ items, the chance at n items is
        that a noncentral t with noncentrality t₀·√(n/n₀) passes the test. A pilot shows the
        distance itself with error: where it is not clear (t₀ below 2) a check says so. Studies are
        drawn from the pilot's items with raters dealt anew, who are taken to be alike.

    Raises
    ------
    AnnostatError
        If there is not one model, the pilot is too small, or it has more than two classes and none
        is named positive.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> p = rng.beta(0.5, 0.5, 300)
    >>> pilot = Categories.from_array((rng.random((300, 3)) < p[:, None]).astype(int))
    >>> net = np.where(rng.random(300) < 0.15, p < 0.5, p > 0.5).astype(int)
    >>> plan = plan_category_verdict(pilot, {"net": net}, n_resamples=0)
    >>> plan.needed is not None and plan.table[0].power < plan.table[-1].power
    True
    """
    level = check_level(level)
    wanted = check_number("power", power, low=0.0, high=1.0, open_ends=True)
    sizes = [check_count("items", n, low=2) for n in items]
    if len(models) != 1:
        raise AnnostatError(f"a verdict is planned for one model, got {shown(models) or 'none'}")
    [(name, given)] = models.items()
    if len(labels.codes) < FEWEST:
        raise AnnostatError(f"a pilot needs {FEWEST} items, got {len(labels.codes)}")
    texts = np.array(answers_of(name, given, labels), dtype=object)
    known: dict[str, Any] = {"positive": positive, "level": level, "n_resamples": 100}
    found = score_categories(labels, {name: texts}, rng=rng, **known)
    [one] = found.models
    if one.p_below is None:
        raise AnnostatError(
            f"the verdict on {name!r} rests on no test here: that takes two classes (or positive "
            "ones that are named) and raters who label them as often as each other"
        )
    n0 = len(labels.codes)
    rows_of = _units(labels)
    t0 = float(-special.stdtrit(len(rows_of) - 1, max(one.p_below, 1e-300)))

    def chance(n: float) -> float:
        df = max(n * len(rows_of) / n0 - 1, 1.0)
        critical = float(-special.stdtrit(df, ALPHA))
        return 1 - noncentral_t(df, t0 * math.sqrt(n / n0), critical)

    needed = least(chance, wanted) if t0 > 0 else None
    simulated = math.nan
    if needed is not None and n_resamples and needed <= LARGEST_STUDY:
        g = as_generator(rng)
        said = 0
        for _ in range(n_resamples):
            rows, cluster = _drawn(rows_of, round(needed * len(rows_of) / n0), g)
            # Raters are dealt anew: what they differ by in a pilot would be seen in a large study.
            study = replace(
                labels.take(rows),
                codes=g.permuted(labels.codes[rows], axis=1),
                items=np.array([str(i) for i in range(len(rows))], dtype=object),
                cluster=None if labels.cluster is None else cluster,
            )
            [again] = score_categories(study, {name: texts[rows]}, rng=g, **known).models
            said += again.verdict == BELOW
        simulated = said / n_resamples
    k = round(float(labels.readings.mean()))
    options = {"model": name, "power": wanted, "level": level, "n_resamples": n_resamples}
    return CategoryVerdictPlan(
        name,
        found.metric,
        one.scores[found.metric],
        tuple(PlannedVerdict(n, k, chance(n)) for n in sizes),
        needed,
        wanted,
        level,
        simulated,
        n_resamples,
        n0,
        (_effect(t0, name), *found.checks),
        Provenance(__version__, labels.digest(), n0, seed_of(rng), options),
    )


def least(chance: Callable[[float], float], wanted: float) -> int | None:
    """Return the least number of items with that chance, None beyond a million."""
    sizes = range(MOST_ITEMS + 1)
    found = bisect_left(sizes, True, lo=2, key=lambda n: chance(n) >= wanted)
    return found if found < len(sizes) else None


def _units(labels: Categories) -> list[IntArray]:
    """Return the rows of each independent unit: an item, or a cluster."""
    codes = cluster_codes(labels.cluster)
    if codes is None:
        return list(np.arange(len(labels.codes))[:, None])
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes))[:-1])


def _drawn(
    rows_of: list[IntArray], n: int, g: np.random.Generator
) -> tuple[IntArray, NDArray[np.object_]]:
    """Return the rows of n units drawn with replacement, and a new name of each row's unit."""
    chosen = [rows_of[i] for i in g.integers(0, len(rows_of), max(n, 2))]
    unit = np.repeat(np.arange(len(chosen)), [len(rows) for rows in chosen])
    return np.concatenate(chosen), np.array([f"u{i}" for i in unit], dtype=object)


def _effect(t0: float, name: str) -> Check:
    text = f"The pilot shows {name} below the ceiling (t = {t0:.1f})."
    if t0 >= SURE:
        return Check("effect", True, text, t0)
    if t0 < 0:
        text = f"In the pilot {name} is not below the ceiling (t = {t0:.1f})."
        return Check("effect", False, text, t0)
    text = (
        f"The pilot hardly shows {name} below the ceiling (t = {t0:.1f}): how far below it is may "
        "be chance, and the number of items with it."
    )
    return Check("effect", False, text, t0)
