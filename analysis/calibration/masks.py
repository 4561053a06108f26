"""What `masks` prints."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

import annostat
from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, held
from annostat.ceilings import dice_ceiling
from annostat.consensus import consensus
from annostat.masks import dice

OUTLINES = {"noise_px": 2.0, "difficulty_sd": 0.3}


@functools.cache
def perfect_dice(law: str) -> float:
    """Return the Dice of the true masks against one rater, from 1,500 items of a fixed seed."""
    rounds, truth = annostat.simulate_masks(1500, 2, law=law, rng=20261125, **OUTLINES)
    return float(np.mean([dice(values, truth) for values in rounds.values]))


def outlines(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Estimate the ceiling of Dice, and what is taken for it elsewhere.

    Coverage is that of the law's own ceiling; the error is relative to that of the same items.
    """
    rounds, truth = annostat.simulate_masks(
        design.n, design.rounds, law=design.law, rng=rng, **OUTLINES
    )
    perfect = perfect_dice(design.law)
    mine = float(np.mean([dice(values, truth) for values in rounds.values]))

    def outcome(estimate: annostat.Estimate) -> Outcome:
        return replace(held(estimate, perfect), error=estimate.value / mine - 1)

    def only(values: float) -> Outcome:
        return Outcome(False, error=values / mine - 1)

    # Without habits: those are in `python -m analysis.calibration.habits`.
    ceiling = dice_ceiling(
        rounds,
        method="ladder" if design.rounds > 2 else "two-raters",
        n_resamples=999,
        rng=int(rng.integers(2**31)),
    )
    outcomes = {
        "interval: bracket from pairs": outcome(ceiling.bracket),
        "no ceiling: two raters": only(ceiling.pair.value),
    }
    if design.rounds > 2:
        outcomes["interval: ladder"] = outcome(ceiling.dice)
        everybody = consensus(rounds, method="majority").mask
        inside = np.mean([dice(everybody, values).mean() for values in rounds.values])
        outcomes["no ceiling: in-sample majority"] = only(float(inside))
        apart = []
        for r, name in enumerate(rounds.names):
            others = rounds.choose([n for n in rounds.names if n != name])
            apart.append(dice(consensus(others, method="majority").mask, rounds.values[r]).mean())
        outcomes["no ceiling: majority of the others"] = only(float(np.mean(apart)))
    return outcomes


SUITES = {
    "outlines": (
        outlines,
        [Design(60, law, k) for law in ("gaussian", "laplace", "skew") for k in (2, 3, 5)],
    ),
}
