"""What `plan` prints from a pilot, and whether the study that it asks for keeps its promise."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from analysis.calibration.designs import LAWS, Design, moments
from analysis.calibration.outcomes import LEVEL, Outcome, held
from annostat.labels import pair_mae
from annostat.noise import plan_rounds
from annostat.truth import (
    AT,
    BELOW,
    Labels,
    Verdict,
    judge,
    mean_estimate,
    plan_verdict,
    upper_limit,
)

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


MARGIN, ERROR, LEARNED = 0.7, 0.35, 0.35  # of the SD of a label's error; share of its noise
POWER = 0.8
STUDIES = 300  # behind a simulated curve


def said(study: Design, rng: np.random.Generator, u: float, learned: float, sd: float) -> Verdict:
    """Return the verdict on a model that errs by u SD and has learned a share of the noise."""
    rounds, truth = study.sample(rng, scale=1.0, spread=SPREAD)
    noise = rounds.values - truth[:, None]
    f = truth + u * sd * rng.normal(size=study.n) + learned * noise.mean(axis=1)
    labels = Labels.of(rounds)
    products = labels.products(f)
    square, limit = mean_estimate(products), upper_limit(products, *labels.noise(), level=LEVEL)
    df, margin = study.n - 1, MARGIN * sd
    return judge(square, None, None, df=df, margin=margin, level=LEVEL, upper=limit)


def verdicts(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Plan a verdict from a pilot of n items, then draw and judge the study that it asks for."""
    sd = moments(replace(design, n=1, rounds=2), scale=1.0)[1]
    pilot, _ = replace(design, rounds=2).sample(rng, scale=1.0, spread=SPREAD)
    k = design.rounds
    given: dict[str, Any] = {
        "n_labels": (k,),
        "items": (500,),
        "n_resamples": STUDIES,
        "rng": int(rng.integers(2**31)),
    }
    at = plan_verdict(pilot, margin=MARGIN * sd, error=ERROR * sd, **given)
    below = plan_verdict(pilot, learned=LEARNED, **given)
    outcomes = {}
    for name, planned, u, learned, want in (
        ("at the floor", at, ERROR, 0.0, AT),
        ("wrongly at the floor", at, MARGIN, 0.0, AT),
        ("below the floor", below, 0.0, LEARNED, BELOW),
        ("wrongly below the floor", below, 0.0, 0.0, BELOW),
    ):
        n = planned.needed[k]
        if n is None:
            continue
        found = said(replace(design, n=n), rng, u, learned, sd)
        outcomes[f"test: {name}, as planned"] = Outcome(found.name == want)
        if not name.startswith("wrongly"):
            outcomes[f"said: items, {name}"] = Outcome(False, error=float(n))
    return outcomes


SUITES = {
    "verdict plan": (
        verdicts,
        [
            Design(n, law, k)
            for law in ("gaussian", "laplace", "t3", "shared difficulty")
            for n in (50, 200)
            for k in (2, 3)
        ],
    ),
    "plan": (
        plan,
        [Design(n, law) for law in LAWS for n in (50, 200)]
        + [Design(n, law, cluster_size=3) for law in LAWS[:2] for n in (60, 300)],
    ),
}
