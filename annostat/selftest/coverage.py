"""A short study of coverage: how many intervals hold the truth that made the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from annostat.agreement import icc, repeatability
from annostat.labels.rounds import Rounds
from annostat.noise import NoiseModel, fit_noise
from annostat.selftest.result import Row
from annostat.simulate import simulate_rounds

N_ITEMS, SPREAD, SIGMA = 60, 3.0, 1.0
N_PICKS, SCALE = 200, 2.0
RARE = 1e-4  # how often a sound program is outside the binomial range, on either side
N_FITS = 100  # of sets of picks: a fit takes some milliseconds
COVERED = "intervals of 95% on simulated studies"


def coverage(n_sets: int, seed: int) -> Iterator[Row]:
    """Yield how many of `n_sets` intervals of σ, of the ICC and of E|X| hold the truth.

    Gaussian truths and errors, two rounds, the interval that is exact for them: what is tested is
    the installation, not the method. Picks have Laplace errors and the profile's interval.
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
    yield covered("SD of the noise", int(hits[0]), n_sets)
    yield covered("ICC(1,1)", int(hits[1]), n_sets)
    n_fits, law, held = min(n_sets, N_FITS), NoiseModel("laplace", {"scale": SCALE}), 0
    for _ in range(n_fits):
        drawn = simulate_rounds(law, N_PICKS, rng=rng)
        found = fit_noise(drawn, core="laplace", abandonment="none").mae.interval
        held += found is not None and found.low <= law.mae <= found.high
    yield covered("mean error of picks", held, n_fits)


def covered(name: str, count: int, n_sets: int) -> Row:
    """Return a row of a count that is binomial if intervals hold as often as they say."""
    low, high = (float(stats.binom.ppf(p, n_sets, 0.95)) for p in (RARE, 1 - RARE))
    what = f"intervals of the {name} that hold the truth, of {n_sets}"
    return Row(COVERED, what, "binomial law", 0.95 * n_sets, float(count), low, high)
