"""What a perfect model scores against the labels that models are scored on: floors of one kind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from annostat.agreement.label_kinds import ONE_OF_THEM, UnequalRaters
from annostat.ceilings.floors import BOUNDS, Bounds, not_above
from annostat.ceilings.measured import BIASED
from annostat.ceilings.values import bare_bounds, bias_of_many
from annostat.labels.rounds import Rounds
from annostat.noise.compare import compare_noise
from annostat.resampling.generators import Rng
from annostat.results.estimates import Estimate
from annostat.results.result import Check


@dataclass(frozen=True)
class Floors:
    """Floors and ceilings of a perfect model, and whose label it meets.

    Attributes
    ----------
    bounds : mapping of str to Estimate
        By the keys of `annostat.ceilings.floors.BOUNDS`.
    noise_sd : Estimate
        SD of one annotation's noise.
    kind : str
        Whose label, where raters are biased against each other; else empty.
    checks : tuple of Check
        What speaks against these floors.
    """

    bounds: Mapping[str, Estimate]
    noise_sd: Estimate
    kind: str = ""
    checks: tuple[Check, ...] = ()


def _with_bias(limits: Bounds, raters: UnequalRaters) -> dict[str, Estimate]:
    """Return RMSE and R² against one of the raters at random, with the noise of a profile.

    RMSE² = floor² + mean β²; the truth's variance is the one that ρ and the floor imply.
    """
    floor = limits.rmse_floor
    bias = np.array([r.bias.value for r in raters.raters])
    errors = np.array([r.bias.standard_uncertainty or 0.0 for r in raters.raters])
    size = math.sqrt(float(np.mean(bias**2)))
    if not size > 0 or floor.interval is None:
        return {}
    reach = 2 * math.sqrt(float(np.sum((bias * errors) ** 2))) / (len(bias) * size)
    ends = (
        math.hypot(floor.interval.low, max(size - reach, 0.0)),
        math.hypot(floor.interval.high, size + reach),
    )
    value = math.hypot(floor.value, size)
    rmse = replace(floor, value=value, interval=replace(floor.interval, low=ends[0], high=ends[1]))
    more = (value / floor.value) ** 2
    share = limits.reliability.through(lambda r: r / (r + (1 - r) * more), math.nan)
    return {"rmse_floor": rmse.named("with the bias"), "r2_ceiling": share}


def is_biased(checks: Iterable[Check]) -> bool:
    """Return whether a check says that raters are biased against each other."""
    return any(c.name in BIASED and c.passed is False for c in checks)


def floors_of(
    rounds: Rounds,
    picks: Rounds | None,
    checks: Iterable[Check],
    *,
    level: float,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None,
) -> Floors:
    """Return floors and ceilings against one label, all of one kind.

    A model meets the labels of all raters. Where a check says that these are biased against each
    other, a perfect model is off by the bias too: its floors are those against one of them at
    random; correlations are free of it. Else the floor of the mae of picks is that of the law of
    their noise.
    """
    checks = tuple(checks)
    limits, raters, failed = bare_bounds(
        rounds, checks, level=level, n_resamples=n_resamples, rng=rng, n_jobs=n_jobs
    )
    found = {q.key: q.of(limits) for q in BOUNDS}
    many = bias_of_many(rounds, "bounds has the floors against each of them", level=level)
    failed += tuple(c for c in many if c.passed is False)
    biased = is_biased((*checks, *many))
    if biased and raters is not None:
        kind = raters.kind(ONE_OF_THEM).estimates()
        if limits.profile is not None:
            kind |= _with_bias(limits, raters)
        # Correlations of models are within raters, free of the bias between them.
        found |= {k: e for k, e in kind.items() if k != "correlation_ceiling"}
        return Floors(found, limits.noise_sd, ONE_OF_THEM, failed)
    if picks is not None and not biased:
        noise = compare_noise(
            picks, physical=picks is not rounds, level=level, n_tests=0, rng=rng, n_jobs=n_jobs
        )
        found["mae_floor"] = not_above(noise.envelope, found["rmse_floor"])
        failed = tuple(c for c in failed if c.name != "noise_law")
    return Floors(found, limits.noise_sd, "", failed)
