"""A short study of coverage: how many intervals hold the truth that made the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from annostat.agreement import icc, repeatability
from annostat.labels.rounds import Rounds
from annostat.selftest.result import Row

N_ITEMS, SPREAD, SIGMA = 60, 3.0, 1.0
RARE = 1e-4  # how often a sound program is outside the binomial range, on either side
COVERED = "intervals of 95% on simulated studies"


def coverage(n_sets: int, seed: int) -> Iterator[Row]:
    """Yield how many of `n_sets` intervals of σ and of the ICC hold the truth.

    Gaussian truths and errors, two rounds, the interval that is exact for them: what is tested is
    the installation, not the method.
    """
    rng = np.random.default_rng(seed)
    reliability = SPREAD**2 / (SPREAD**2 + SIGMA**2)
    hits = np.zeros(2, dtype=int)
    for _ in range(n_sets):
        truth = rng.normal(0, SPREAD, (N_ITEMS, 1))
        labels = truth + rng.normal(0, SIGMA, (N_ITEMS, 2))
        rounds = Rounds.from_array(labels, exchangeable=True)
        sd = repeatability(rounds, interval="chi-square").noise_sd.interval
        rho = icc(rounds, interval="f")["icc_1_1"].interval
        for which, (interval, value) in enumerate(((sd, SIGMA), (rho, reliability))):
            hits[which] += interval is not None and interval.low <= value <= interval.high
    low, high = (float(stats.binom.ppf(p, n_sets, 0.95)) for p in (RARE, 1 - RARE))
    for name, count in zip(("SD of the noise", "ICC(1,1)"), hits, strict=True):
        yield Row(
            COVERED,
            f"intervals of the {name} that hold the truth, of {n_sets}",
            "binomial law",
            0.95 * n_sets,
            float(count),
            low,
            high,
        )
