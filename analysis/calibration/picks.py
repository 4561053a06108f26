"""What `fit-afd` prints."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

import annostat
from analysis.calibration.designs import LAWS, PAPER, Design, moments
from analysis.calibration.outcomes import LEVEL, Outcome, held

CORES = ["laplace", "gaussian", "student-t", "symmetric-nb"]
N_TESTS = 39


def picks(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Everything that `fit-afd` prints."""
    rounds, _ = design.sample(rng, scale=2.0, spread=30, whole=True)
    seed = int(rng.integers(2**31))
    noise = annostat.compare_noise(rounds, cores=CORES, n_tests=N_TESTS, rng=seed)
    mae, _ = moments(design, scale=2.0, whole=True)
    pair = noise.pair_mae.value
    outcomes = {
        "interval: mae of the best model": held(noise.mae, mae),
        "interval: envelope over models": held(noise.envelope, mae),
        "range: symmetric bracket": Outcome(pair / 2 <= mae <= pair),
    }
    for check in noise.checks:
        if check.p_value is not None:
            outcomes[f"test: {check.name}"] = Outcome(check.p_value < 1 - LEVEL)
    return outcomes


def paper(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Fit as the paper does: Laplace and independent abandonment, the window profiled."""
    rounds, _ = design.sample(rng, scale=2.0, spread=30, whole=True)
    fit = annostat.fit_noise(rounds, "laplace")
    return {"interval: mae, laplace + independent": held(fit.mae, PAPER[design.law].mae)}


def grid(sizes: Iterable[int] = (50, 200, 1000)) -> list[Design]:
    """Return the designs: sizes by laws, then rounds, missing cells and clusters one at a time."""
    designs = [Design(n, law) for law in LAWS for n in sizes]
    designs += [Design(200, law, rounds=k) for law in ("gaussian", "laplace") for k in (3, 5)]
    designs += [Design(200, law, 3, missing=0.2) for law in ("gaussian", "laplace")]
    designs += [Design(300, law, cluster_size=3) for law in ("gaussian", "laplace")]
    return designs


SUITES = {
    "paper": (paper, [Design(n, law) for n in (300, 1277) for law in PAPER]),
    "picks": (picks, grid()),
}
