"""How many items, labelled how often, a verdict on a model takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat._version import __version__
from annostat.agreement import Variances
from annostat.errors import LARGEST, AnnostatError, check_count, check_level, check_number
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.resampling import Rng, as_generator
from annostat.resampling.generators import seed_of
from annostat.results.result import Check, Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import format_number, percent, plain
from annostat.truth.verdict_power import VerdictPower
from annostat.truth.verdicts import ABOVE, AT, BELOW

if TYPE_CHECKING:
    import pandas as pd

ITEMS = (50, 100, 200, 400, 1000, 2000)
LABELS = (2, 3, 4)
FEWEST = 15  # items of a pilot
FEW_PILOT = 100  # items below which a pilot knows its noise roughly
MOST_CELLS = 50_000_000  # labels that are simulated at most
LONGEST = 2000  # items up to which power is that of simulated studies
OFTEN = 1.5  # times the promised rate of wrong verdicts that is said
FEW_ITEMS = 30  # below which products are too few for a t test that holds


@dataclass(frozen=True, slots=True)
class PlannedVerdict:
    """One size of a study, and how often the verdict is given."""

    n_items: int
    n_labels: int
    power: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {key: plain(getattr(self, key)) for key in self.__slots__}


@dataclass(frozen=True, eq=False)
class VerdictPlan(Result):
    """Items and labels that a verdict of `score` takes.

    Attributes
    ----------
    claim : {"at the floor within the margin", "above the floor", "below the floor"}
    error : float
        RMSE against the truth that the model is presumed to have.
    margin : float or None
    learned : float
        Share of the labels' noise that is presumed to be in the model.
    noise_sd, difficulty : float
        Of the pilot: the SD of one label's error, and E σ_i⁴/(E σ_i²)² over items.
    wanted, level : float
        Power; verdicts are tests at 1 − level.
    table : tuple of PlannedVerdict
    needed : dict of int to int or None
        Items by labels of each; None where no number is enough.
    simulated, wrongly : float
        Share of simulated studies, of the cheapest size, with the verdict; and with "at the floor"
        for a model whose error is the margin, or "above", "below" for one without error. NaN
        without.
    n_resamples : int
    unit : str
    n_pilot : int
    checks : tuple of Check
    provenance : Provenance
    """

    claim: str
    error: float
    margin: float | None
    learned: float
    noise_sd: float
    difficulty: float
    wanted: float
    level: float
    table: tuple[PlannedVerdict, ...]
    needed: dict[int, int | None]
    simulated: float
    wrongly: float
    n_resamples: int
    unit: str
    n_pilot: int
    checks: tuple[Check, ...]
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        keys = ("claim", "error", "margin", "learned", "noise_sd", "difficulty", "level", "unit")
        return {
            **{key: plain(getattr(self, key)) for key in keys},
            "power": self.wanted,
            "needed": [{"n_labels": k, "n_items": n} for k, n in self.needed.items()],
            "table": [p.to_dict() for p in self.table],
            "simulated": plain(self.simulated),
            "wrongly": plain(self.wrongly),
            "n_resamples": self.n_resamples,
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each size of a study."""
        import pandas as pd

        return pd.DataFrame([p.to_dict() for p in self.table])

    @property
    def cheapest(self) -> tuple[int, int] | None:
        """Items and labels of each that are enough, with the fewest labels in all."""
        enough = [(n * k, n, k) for k, n in self.needed.items() if n is not None]
        return min(enough)[1:] if enough else None

    def words(self) -> str:
        """Return the verdict that is wanted, in words."""
        if self.margin is None or self.claim != AT:
            return f'"{self.claim}"'
        return f'"at the floor within {self._number(self.margin)}"'

    def _number(self, value: float) -> str:
        return f"{format_number(value)} {self.unit}".strip()

    def answer(self) -> str:
        """Return how many items it takes, as a sentence."""
        model = f"a model that errs by {self._number(self.error)}"
        if self.learned:
            model += f" and has learned {percent(self.learned)} of these labels' noise"
        enough = {k: n for k, n in self.needed.items() if n is not None}
        if not enough:
            return (
                f"No number of items calls {model} {self.words()} with a power of "
                f"{percent(self.wanted)}: expect another error, or state another margin."
            )
        sizes = [f"{n:,} items labelled {k} times" for k, n in enough.items()]
        sizes = [s.replace("labelled 2 times", "labelled twice") for s in sizes]
        return (
            f"To call {model} {self.words()} with a power of {percent(self.wanted)}: "
            f"{', or '.join(sizes)}."
        )

    def quote(self) -> str:
        """Return the power in simulated studies, and how often the verdict is wrong."""
        if self.cheapest is None or math.isnan(self.simulated):
            return ""
        n, k = self.cheapest
        text = (
            f"{n:,} items labelled {'twice' if k == 2 else f'{k} times'}: power "
            f"{percent(round(self.simulated, 2))} in {self.n_resamples:,} simulated studies"
        )
        if math.isnan(self.wrongly):
            return f"{text}."
        whom = "whose error is the margin" if self.claim == AT else "without any error"
        return f"{text}; said of a model {whom} in {percent(round(self.wrongly, 3))}."

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        counts = list(dict.fromkeys(p.n_labels for p in self.table))
        cells = {(p.n_items, p.n_labels): p.power for p in self.table}
        rows = [
            [f"{n:,}", *(f"{100 * cells[n, k]:.0f}%" for k in counts)]
            for n in dict.fromkeys(p.n_items for p in self.table)
        ]
        title = f"Power to say {self.words()}"
        return [
            self.opening(),
            Section(title, ("items", *(f"{k} labels each" for k in counts)), rows),
        ]


@takes_rounds
def plan_verdict(
    rounds: Rounds,
    *,
    margin: float | None = None,
    error: float | None = None,
    learned: float = 0.0,
    power: float = 0.8,
    items: Sequence[int] = ITEMS,
    n_labels: Sequence[int] = LABELS,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
) -> VerdictPlan:
    r"""Return how many items, labelled how often, a verdict of `annostat.score` takes.

    Parameters
    ----------
    rounds : Rounds
        A pilot: labels of shape (n_items, n_rounds), 15 items with two labels or more. Models that
        were read among them do not count.
    margin : float, optional
        With it the verdict "at the floor within the margin" is planned.
    error : float, optional
        Error of the model against the truth (RMSE, in the unit of the labels); half of the margin
        by default. Without a margin the verdict is "above the floor".
    learned : float
        Share s of the labels' noise that is in the model, f = Y + u + s·x̄: from 0 to 1. Above 0 the
        verdict is "below the floor".
    power : float
        Wanted chance of the verdict.
    items, n_labels : sequence of int
        Sizes of the table.
    level : float
        Verdicts are tests at 1 − level, one-sided; "below" at half of that.
    n_resamples : int
        Simulated studies of the cheapest size that is enough; 0 for none.
    rng
        Seed of these.

    Returns
    -------
    VerdictPlan
        An item of k labels says h = mean over pairs of (f − z_j)(f − z_l). With σ² the variance of
        a label's error, r = E σ_i⁴/σ⁴ over items and c = s² − 2s: E h = error² + cσ²/k and Var h =
        2·error⁴ + 4(1 − s)²·error²·σ²/k + (c/k)²(2r/k + r − 1)σ⁴ + 2(1 + c(k − 1)/k)²rσ⁴/(k(k − 1))
        for Gaussian errors of the model, and of labels of an item. The chance is that of studies
        simulated so, beyond 2,000 items (or without `n_resamples`) of a noncentral t.
        Tails of the pilot's differences count as items of another difficulty, which
        asks for rather too many items where they are tails alone.

    Raises
    ------
    AnnostatError
        If the pilot has fewer than 15 items or no noise, the error is not below the margin, or an
        option is out of its domain.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> from annostat.truth import plan_verdict
    >>> pilot = simulate_values(200, noise_sd=4, truth_sd=11, rng=1)
    >>> plan = plan_verdict(pilot, margin=3, n_resamples=0)
    >>> plan.needed[2] > plan.needed[3] > plan.needed[4]
    True
    """
    level = check_level(level)
    wanted = check_number("power", power, low=0.0, high=1.0, open_ends=True)
    learned = check_number("learned", learned, low=0.0, high=1.0)
    claim = BELOW if learned else AT if margin is not None else ABOVE
    if margin is not None:
        margin = check_number("margin", margin, low=0.0, high=LARGEST, open_ends=True)
        if learned:
            raise AnnostatError(
                'margin is of the verdict "at the floor", learned of "below the floor": give one'
            )
    if error is None:
        if margin is None and not learned:
            raise AnnostatError(
                "plan of a verdict needs a margin (at the floor), the error of a model (above it), "
                "or the share of the noise that it has learned (below it)"
            )
        error = margin / 2 if margin is not None else 0.0
    error = check_number("error", error, low=0.0, high=LARGEST)
    if margin is not None and error >= margin:
        raise AnnostatError(
            f"error must be below the margin ({margin:g}), got {error:g}: a model that errs by as "
            "much cannot be shown to err by less"
        )
    if claim == ABOVE and error == 0:
        raise AnnostatError("error must be above 0: a model without error is not above the floor")
    sizes = [check_count("items", n, low=2) for n in items]
    counts = [check_count("n_labels", k, low=2) for k in n_labels]
    used = rounds.without_models().usable()
    if used.n_items < FEWEST:
        raise AnnostatError(f"a pilot needs {FEWEST} items with two labels, got {used.n_items}")
    sigma, difficulty = _noise(used)
    plan = VerdictPower(claim, error, margin, learned, sigma, difficulty, level)
    g = as_generator(rng)
    long = min(max(sizes), LONGEST)
    curves = {k: plan.curve(long, k, n_resamples, g) if n_resamples else None for k in counts}
    table = tuple(
        PlannedVerdict(n, k, plan.power(n, k) if c is None or n > long else float(c[n]))
        for k, c in curves.items()
        for n in sizes
    )
    needed = {k: plan.needed(k, wanted, c) for k, c in curves.items()}
    enough = [(n * k, n, k) for k, n in needed.items() if n is not None]
    simulated = wrongly = math.nan
    if enough and n_resamples and min(enough)[0] <= MOST_CELLS / n_resamples:
        _, n, k = min(enough)
        simulated = plan.simulated(n, k, n_resamples, g)
        wrongly = plan.null().simulated(n, k, n_resamples, g)
    options = {
        "margin": margin,
        "error": error,
        "learned": learned,
        "power": wanted,
        "level": level,
        "n_resamples": n_resamples,
    }
    return VerdictPlan(
        claim,
        error,
        margin,
        learned,
        sigma,
        difficulty,
        wanted,
        level,
        table,
        needed,
        simulated,
        wrongly,
        n_resamples,
        used.unit,
        used.n_items,
        tuple(_checks(used, difficulty, [n for _, n, _ in enough], wrongly, level)),
        Provenance(__version__, used.digest(), used.n_items, seed_of(rng), options),
    )


def _noise(rounds: Rounds) -> tuple[float, float]:
    """Return the SD of one label's error, and E σ_i⁴/σ⁴ if labels of an item are Gaussian."""
    v = Variances.of(rounds)
    sigma = v.scale * math.sqrt(max(float(v.within(v.sums.totals)), 0.0))
    if not sigma > 0:
        raise AnnostatError(
            "the pilot's labels of an item are all equal: there is no noise to plan"
        )
    e = v.centred
    m = np.isfinite(e).sum(axis=1)
    keep = m >= 2
    square = np.nansum(e**2, axis=1)[keep] / (m[keep] - 1)
    fourth = float(np.mean(square**2 * (m[keep] - 1) / (m[keep] + 1)))
    return sigma, max(fourth / float(square.mean()) ** 2, 1.0)


def _checks(
    rounds: Rounds, difficulty: float, needed: list[int], wrongly: float, level: float
) -> list[Check]:
    n = rounds.n_items
    found = []
    if n < FEW_PILOT:
        text = (
            f"A pilot of {n:,} items knows its noise roughly: take the numbers as a range; "
            f"{FEW_PILOT} items would do."
        )
        found.append(Check("few_items", False, text, float(n)))
    else:
        found.append(Check("few_items", True, f"A pilot of {n:,} items knows its noise.", float(n)))
    if difficulty > 2:
        text = (
            "A few items of the pilot carry its noise (tails, or items that are hard): with such "
            "items the tests err to the careful side, and the plan by some points of power."
        )
        found.append(Check("skewed", False, text, difficulty))
    if needed and min(needed) < FEW_ITEMS:
        text = f"Below {FEW_ITEMS} items a few large errors are easily missed: label more."
        found.append(Check("small_study", False, text, float(min(needed))))
    if wrongly > OFTEN * (1 - level):
        text = (
            f"At this size the verdict is wrong in {percent(round(wrongly, 3))} of simulated "
            f"studies of such a model, instead of {percent(round(1 - level, 3))} at most: a few "
            "large errors are too rare to be seen. Take more items with fewer labels each."
        )
        found.append(Check("wrong_verdicts", False, text, wrongly))
    if rounds.cluster is not None:
        text = (
            "Errors of the model that items of a cluster share are not in the plan: where they "
            "do, it takes as many clusters as it says items."
        )
        found.append(Check("clusters", None, text))
    return found
