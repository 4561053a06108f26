"""What `audit` says of prompts: rank correlations."""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy.stats import spearmanr

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import LEVEL, Outcome, covered
from annostat.datasets.audit import rank_correlation

GAUSSIAN = {"no correlation": 0.0, "Gaussian, r = 0.5": 0.5}


def prompts(design: Design, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a prompt's responses and an outcome; half of either's variance is the cluster's.

    The outcome is Gaussian, or ("scale") the difference of two whole-numbered picks, many of them
    equal, whose noise grows with the prompt.
    """

    def normal() -> np.ndarray:
        own = rng.normal(size=n)
        if design.cluster_size == 1:
            return own
        codes = np.arange(n) // design.cluster_size
        return np.sqrt(0.5) * (own + rng.normal(size=codes[-1] + 1)[codes])

    x, other = normal(), normal()
    if design.law in GAUSSIAN:
        r = GAUSSIAN[design.law]
        return x, r * x + math.sqrt(1 - r**2) * other
    errors = np.rint(np.exp(0.5 * x + 0.3 * other)[:, None] * rng.laplace(size=(n, 2)))
    return x, np.abs(errors[:, 0] - errors[:, 1])


@functools.cache
def true_correlation(design: Design) -> float:
    """Return Spearman's ρ: (6/π)·asin(r/2), or that of a million items of a fixed seed."""
    if design.law in GAUSSIAN:
        return 6 / math.pi * math.asin(GAUSSIAN[design.law] / 2)
    return float(spearmanr(*prompts(design, np.random.default_rng(20261125), 1_000_000)).statistic)


def ranks(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge a rank correlation's interval and its test."""
    x, y = prompts(design, rng, design.n)
    clusters = None if design.cluster_size == 1 else np.arange(design.n) // design.cluster_size
    units = None if clusters is None else list(clusters)
    estimate, p = rank_correlation(x, y, clusters=units, level=LEVEL)
    outcomes = {
        "interval: rank correlation": covered(estimate, true_correlation(design), 1.0),
        "test: no correlation": Outcome(p < 1 - LEVEL),
    }
    if units is not None:
        estimate, p = rank_correlation(x, y, level=LEVEL)
        outcomes |= {
            "interval: rank correlation, clusters ignored": covered(
                estimate, true_correlation(design), 1.0
            ),
            "test: no correlation, clusters ignored": Outcome(p < 1 - LEVEL),
        }
    return outcomes


RANK_LAWS = (*GAUSSIAN, "scale")
SUITES = {
    "ranks": (
        ranks,
        [Design(n, law) for law in RANK_LAWS for n in (30, 100, 1000)]
        + [Design(n, law, cluster_size=3) for law in RANK_LAWS for n in (90, 300, 1200)],
    )
}
