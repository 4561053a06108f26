"""What a gauge study prints: components of variance and the tests of its analysis of variance."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from analysis.calibration.designs import Design, moments
from analysis.calibration.outcomes import LEVEL, Outcome, covered
from annostat.agreement import gauge_rr

REPEATS = 3
PARTS, RATERS, INTERACTION = 2.0, 0.5, 0.5  # standard deviations, that of a repeat being 1


def gauge(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge a crossed study: n parts, three repeats by each of the raters ("rounds").

    The law is that of a repeat; parts, raters and their interaction are Gaussian, as a study of
    random effects says. Intervals and biases are in units of a repeat's SD.
    """
    law, _, kind = design.law.partition(", ")
    repeat = replace(design, law=law, rounds=REPEATS)
    shape = (design.n, design.rounds, REPEATS)
    errors = repeat.errors(rng, design.n * design.rounds).reshape(shape)
    errors = errors / moments(replace(repeat, missing=0.0), scale=1.0)[1]
    raters = 0.0 if kind == "raters alike" else RATERS
    interaction = INTERACTION if kind == "interaction" else 0.0
    values = (
        rng.normal(0, PARTS, (shape[0], 1, 1))
        + raters * rng.normal(size=(1, shape[1], 1))
        + interaction * rng.normal(size=(*shape[:2], 1))
        + errors
    )
    if design.missing:
        values[rng.random(shape) < design.missing] = np.nan
    part, rater, _ = np.indices(shape)
    found = gauge_rr(part.ravel(), rater.ravel(), values.ravel(), rng=int(rng.integers(2**31)))
    reproducibility = math.hypot(raters, interaction)
    gauge_sd = math.hypot(1.0, reproducibility)
    truths = {
        "repeatability": (found.repeatability, 1.0),
        "reproducibility": (found.reproducibility, reproducibility),
        "gauge": (found.gauge, gauge_sd),
        "parts": (found.parts, PARTS),
        "total": (found.total, math.hypot(gauge_sd, PARTS)),
    }
    outcomes = {f"interval: {k}": covered(e, truth, 1.0) for k, (e, truth) in truths.items()}
    rows = {row["source"]: row for row in found.anova}
    if not raters and not interaction:
        outcomes["test: raters"] = Outcome(rows["raters"]["p_value"] < 1 - LEVEL)
    if not interaction:
        outcomes["test: interaction"] = Outcome(rows["interaction"]["p_value"] < 1 - LEVEL)
    return outcomes


LAWS = ("gaussian", "gaussian, raters alike", "gaussian, interaction", "laplace")
SUITES = {
    "gauge": (
        gauge,
        [Design(n, law, 3) for n in (10, 30) for law in LAWS]
        + [Design(30, law, 6) for law in ("gaussian", "gaussian, interaction")]
        + [Design(30, law, 3, missing=0.2) for law in ("gaussian", "gaussian, interaction")],
    ),
}
