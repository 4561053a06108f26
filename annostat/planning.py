"""How many items, labelled how often, the floor of values takes: its RMSE, the noise SD."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.agreement import Variances, noise_interval
from annostat.agreement.small import FEW, for_tails
from annostat.errors import AnnostatError, check_count, check_level, check_number
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.resampling import Rng, as_generator
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate
from annostat.results.result import Result
from annostat.results.sections import Section
from annostat.results.text import format_number, percent, plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FloorPlan", "plan_floor"]

WIDER = 1.1  # than planned, from where on it is said
WIDTHS = (0.2, 0.1, 0.05)
ROUNDS = (2, 3, 4)
FEWEST = 15  # items of a pilot


@dataclass(frozen=True, eq=False)
class FloorPlan(Result):
    """Items and labels that the floor of the RMSE takes.

    Attributes
    ----------
    noise_sd : Estimate
        Of the pilot.
    excess_kurtosis : float
        Of one annotation's error, from the pilot; 0 for Gaussian noise.
    half_width, level : float
        Wanted half-width of the interval, relative to the floor.
    needed : mapping of int to int
        Items by number of rounds, for that half-width.
    table : mapping of (float, int) to int
        Items by half-width and number of rounds.
    achieved, coverage : float
        Median half-width, and share of intervals that hold the pilot's noise SD, in studies drawn
        from the pilot's items with as many rounds as it has; NaN without.
    n_resamples : int
    n_pilot, rounds : int
        Items of the pilot, and how often they were labelled.
    as_printed : float
        As `achieved`, of intervals that reach to heavy tails where these studies show or suggest
        them, as is printed then (`annostat.agreement.repeatability`).
    """

    noise_sd: Estimate
    excess_kurtosis: float
    half_width: float
    level: float
    needed: dict[int, int]
    table: dict[tuple[float, int], int]
    achieved: float
    coverage: float
    n_resamples: int
    n_pilot: int
    rounds: int
    as_printed: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "noise_sd": self.noise_sd.to_dict(),
            "excess_kurtosis": plain(self.excess_kurtosis),
            "half_width": self.half_width,
            "level": self.level,
            "needed": [{"n_rounds": k, "n_items": n} for k, n in self.needed.items()],
            "table": self.to_frame().to_dict("records"),
            "achieved": plain(self.achieved),
            "coverage": plain(self.coverage),
            "as_printed": plain(self.as_printed),
            "n_resamples": self.n_resamples,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each half-width and number of rounds."""
        import pandas as pd

        rows = [{"half_width": w, "n_rounds": k, "n_items": n} for (w, k), n in self.table.items()]
        return pd.DataFrame(rows)

    def answer(self) -> str:
        """Return how many items it takes, as a sentence."""
        sizes = ", or ".join(f"{n:,} items labelled {k} times" for k, n in self.needed.items())
        return (
            f"The {percent(self.level)} interval of the floor of the RMSE is ±"
            f"{percent(self.half_width)} wide with {sizes}."
        )

    def quote(self) -> str:
        """Return what studies drawn from the pilot reach."""
        if not math.isfinite(self.achieved):
            return ""
        text = (
            f"{self.needed[self.rounds]:,} items labelled {self.rounds} times: "
            f"±{100 * self.achieved:.1f}% in the median of {self.n_resamples:,} studies drawn "
            f"from the pilot, {100 * self.coverage:.0f}% of whose intervals hold its value."
        )
        if self.as_printed > WIDER * self.achieved:
            text += (
                f" With such tails the interval that is printed reaches to heavier ones: ±"
                f"{100 * self.as_printed:.0f}%."
            )
        return text

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        check = (
            f"A pilot of {self.n_pilot:,} items knows the tails of the noise roughly (excess "
            f"kurtosis {format_number(self.excess_kurtosis, 0.1)}): rare blunders that it does not "
            "hold take more."
        )
        widths = dict.fromkeys(w for w, _ in self.table)
        counts = dict.fromkeys(k for _, k in self.table)
        rows = [[f"±{percent(w)}", *(f"{self.table[w, k]:,}" for k in counts)] for w in widths]
        return [
            self.opening(),
            Section("", ("half-width", *(f"items, {k} rounds" for k in counts)), rows, [check]),
        ]


@takes_rounds
def plan_floor(
    rounds: Rounds,
    *,
    half_width: float = 0.1,
    n_rounds: Sequence[int] = ROUNDS,
    level: float = 0.95,
    n_resamples: int = 300,
    rng: Rng = 0,
) -> FloorPlan:
    r"""Return how many items, labelled how often, give the floor of the RMSE a wanted interval.

    Parameters
    ----------
    rounds : Rounds
        A pilot: labels of shape (n_items, n_rounds), 15 items with two labels or more.
    half_width : float
        Wanted half-width of the interval of the noise SD, relative to it.
    n_rounds : sequence of int
        How often items may be labelled.
    level : float
        Confidence level.
    n_resamples : int
        Studies drawn from the pilot's items, of the size that is found; 0 for none.
    rng
        Seed of these.

    Returns
    -------
    FloorPlan
        With κ the excess kurtosis of one error, the logarithm of the noise variance of n items with
        k labels has the variance (κ/k + 2/(k − 1))/n; κ is from the items' variances in the pilot.
        Items that share clusters take more, by the design effect.

    Raises
    ------
    AnnostatError
        If the pilot has fewer than 15 items or no noise, or an option is out of its domain.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> from annostat.planning import plan_floor
    >>> plan = plan_floor(simulate_values(400, noise_sd=4, truth_sd=11, rng=1), n_resamples=0)
    >>> plan.needed[2] > plan.needed[3] > plan.needed[4]
    True
    """
    level = check_level(level)
    half_width = check_number("half_width", half_width, low=0.0, high=1.0, open_ends=True)
    counts = [check_count("n_rounds", k, low=2) for k in n_rounds]
    used = rounds.usable()
    if used.n_items < FEWEST:
        raise AnnostatError(f"a pilot needs {FEWEST} items with two labels, got {used.n_items}")
    v = Variances.of(used)
    interval = noise_interval(v, level=level, heavy=v.sums.n_units < FEW)
    if interval is None:
        raise AnnostatError(
            "the pilot's labels of an item are all equal: there is no noise to plan"
        )
    sigma = v.scale * math.sqrt(float(v.within(v.sums.totals)))
    kurtosis, effect = _tails(v)
    wanted = sorted({*WIDTHS, half_width}, reverse=True)
    table = {(w, k): _items(w, k, kurtosis, effect, level) for w in wanted for k in counts}
    needed = {k: table[half_width, k] for k in counts}
    k = round(float(used.readings.mean()))
    achieved = coverage = printed = math.nan
    if n_resamples and k in needed:
        achieved, coverage, printed = _tried(used, needed[k], sigma, level, n_resamples, rng)
    return FloorPlan(
        Estimate(sigma, None, interval, used.unit),
        kurtosis,
        half_width,
        level,
        needed,
        table,
        achieved,
        coverage,
        n_resamples,
        used.n_items,
        k,
        printed,
    )


def _tails(v: Variances) -> tuple[float, float]:
    """Return the excess kurtosis of an error, and the design effect of clusters."""
    e = v.centred
    seen = np.isfinite(e)
    m = seen.sum(axis=1)
    keep = m >= 2
    square = (np.where(seen, e, 0.0) ** 2).sum(axis=1)[keep] / (m[keep] - 1)
    ratio = square / square.mean()
    gauss = float(np.mean(2 / (m[keep] - 1)))
    found = (float(np.var(ratio, ddof=1)) - gauss) / float(np.mean(1 / m[keep]))
    own = float(np.var(ratio, ddof=1)) / len(ratio)
    sums = v.sums.columns
    if not v.sums.clustered or own == 0:
        return max(found, -1.2), 1.0
    clustered = v.sums.standard_error(v.within) ** 2 / v.sums.value(v.within) ** 2
    return max(found, -1.2), max(clustered / own, 1.0) if len(sums) > 1 else 1.0


def _items(width: float, k: int, kurtosis: float, effect: float, level: float) -> int:
    """Return the items for which t·√Var(log σ²)/2 is the wanted half-width."""
    variance = max(kurtosis / k + 2 / (k - 1), 0.1 / k) * effect / 4
    n = 3.0
    for _ in range(50):
        n = max(variance * (t_reach(n - 1, level) / width) ** 2, 3.0)
    return math.ceil(n - 1e-9)


def _tried(
    pilot: Rounds, n: int, sigma: float, level: float, n_resamples: int, rng: Rng
) -> tuple[float, float, float]:
    """Return the median half-width and the coverage in studies of items drawn from the pilot.

    And the median half-width of what is printed where tails may be heavy.
    """
    g = as_generator(rng)
    widths, printed, hits = [], [], 0
    bare = replace(pilot, items=None, cluster=None, stratum=None, read=None)
    for _ in range(n_resamples):
        drawn = bare.take(g.integers(0, len(pilot.values), n))
        # From FEW items on this is as wide as the bootstrap's that is printed.
        v = Variances.of(drawn)
        found = noise_interval(v, level=level, heavy=n < FEW)
        if found is None:
            continue
        widths.append((found.high - found.low) / 2 / sigma)
        own = v.scale * math.sqrt(float(v.within(v.sums.totals)))
        shown = for_tails(Estimate(own, None, found), v, level=level).interval or found
        printed.append((shown.high - shown.low) / 2 / sigma)
        hits += sigma in found
    if not widths:
        return math.nan, math.nan, math.nan
    return float(np.median(widths)), hits / n_resamples, float(np.median(printed))
