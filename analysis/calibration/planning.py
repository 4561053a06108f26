"""What `plan` prints from a pilot, and whether the study that it asks for keeps its promise."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
from scipy import special

from analysis.calibration.designs import LAWS, Design
from analysis.calibration.outcomes import LEVEL, Outcome, held
from annostat.labels import pair_mae
from annostat.noise import plan_rounds

HALF_WIDTH = 0.05
ALLOWED = 1.1  # a half-width that is a tenth too wide is still what was wanted
SCALE, SPREAD = 2.0, 30.0


@functools.cache
def law_of_pairs(design: Design) -> tuple[float, float, float]:
    """Return E|D|, its CV, and the pairs of a half-width, from three million pairs of a seed."""
    many = replace(design, n=3_000_000)
    rounds, _ = many.sample(np.random.default_rng(20261128), scale=SCALE, spread=0.0, whole=True)
    d = np.abs(np.diff(rounds.values))[:, 0]
    sums = d.reshape(-1, design.cluster_size).sum(axis=1)
    z = float(special.ndtri((1 + LEVEL) / 2))
    relative = float(design.cluster_size * sums.var() / sums.mean() ** 2)
    return float(d.mean()), float(d.std() / d.mean()), relative * (z / HALF_WIDTH) ** 2


def plan(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Plan from a pilot of n items, then draw the study that the plan asks for."""
    mean, cv, needed = law_of_pairs(replace(design, n=1))
    pilot, _ = design.sample(rng, scale=SCALE, spread=SPREAD, whole=True)
    planned = plan_rounds(pilot, half_width=HALF_WIDTH, rng=int(rng.integers(2**31)))
    m = design.cluster_size
    study = replace(design, n=m * math.ceil(planned.n_pairs.value / m))
    rounds, _ = study.sample(rng, scale=SCALE, spread=SPREAD, whole=True)
    found = pair_mae(rounds)
    assert found.interval is not None
    reach = (found.interval.high - found.interval.low) / 2 / found.value / HALF_WIDTH
    return {
        "interval: n_pairs": held(planned.n_pairs, needed),
        "interval: CV of |D|": held(planned.variation, cv),
        "promise: half-width": Outcome(reach <= ALLOWED, reach),
        "interval: E|D| of the study": held(found, mean),
        "said: coverage": Outcome(False, error=planned.coverage.value),
    }


SUITES = {
    "plan": (
        plan,
        [Design(n, law) for law in LAWS for n in (50, 200)]
        + [Design(n, law, cluster_size=3) for law in LAWS[:2] for n in (60, 300)],
    ),
}
