"""What `score` prints."""

from __future__ import annotations

import functools
import math

import numpy as np

import annostat
from analysis.calibration.designs import LAWS, Design, moments
from analysis.calibration.outcomes import LEVEL, Outcome, covered, held
from annostat.resampling import cluster_codes
from annostat.truth import (
    AT,
    BELOW,
    Labels,
    compare_models,
    correlation_with_truth,
    fieller,
    half_products,
    judge,
    mean_estimate,
    trained_on_one,
    unit_sums,
    upper_limit,
)


def truth(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge what `score` says of the truth: a perfect model, one that errs, a leaky one."""
    _, sigma = moments(design, scale=2.0)
    rounds, true = design.sample(rng, scale=2.0, spread=2 * sigma)
    kept = rounds.readings >= 2
    rounds, true = rounds.usable(), true[kept]
    n, codes, labels = len(true), cluster_codes(rounds.cluster), Labels.of(rounds)
    units = n if codes is None else int(codes.max()) + 1
    first = rounds.values[:, 0] - true

    def off_by(variance: float) -> np.ndarray:
        return math.sqrt(variance) * sigma * rng.normal(size=n)

    models = {
        "f = Y": (true, 0.0),
        "0.1σ²": (true + off_by(0.1), 0.1),
        "0.1σ² again": (true + off_by(0.1), 0.1),
        "shrunken": (0.7 * true, 0.09 * 4),
        "leaky": (true + off_by(0.25) + 0.3 * first, 0.25 + 0.09),
    }
    products = {name: labels.products(f) for name, (f, _) in models.items()}
    found: dict[str, Outcome] = {}
    for name, (f, excess) in models.items():
        estimate = mean_estimate(products[name], codes, level=LEVEL)
        known = "" if name != "leaky" else ", not told"
        found[f"interval: E(f−Y)², {name}{known}"] = covered(estimate, excess * sigma**2, sigma**2)
        if name not in ("f = Y", "0.1σ²"):
            continue
        verdict = judge(
            estimate,
            half_products(labels.values, f),
            codes,
            df=units - 1,
            margin=math.sqrt(0.1) * sigma,
            level=LEVEL,
            upper=upper_limit(products[name], *labels.noise(), codes, level=LEVEL),
        )
        for test, p in (
            ("t", verdict.p_above),
            ("signed ranks", verdict.p_signed_rank),
            ("signs", verdict.p_sign),
        ):
            found[f"test: {test}, {name}"] = Outcome(p is not None and p < 1 - LEVEL)
        found[f"test: within √0.1σ, {name}"] = Outcome(verdict.name == AT)
        found[f"test: below, {name}"] = Outcome(verdict.name == BELOW)
    near = models["0.1σ²"][0]
    correlation = correlation_with_truth(
        labels.values, near, codes, level=LEVEL, exchangeable=False
    )
    found["interval: correlation with truth, 0.1σ²"] = covered(correlation, 2 / math.sqrt(4.1), 1)
    _, p = fieller(unit_sums(labels.learned(near, 0, ()), codes), level=LEVEL)
    found["test: leakage, 0.1σ²"] = Outcome(p is not None and p < 1 - LEVEL)
    seed = int(rng.integers(2**31))
    for other, difference in (("0.1σ² again", 0.0), ("shrunken", -0.26)):
        (pair,) = compare_models(
            {"0.1σ²": products["0.1σ²"], other: products[other]},
            cluster=codes,
            unit="",
            level=LEVEL,
            n_resamples=200,
            rng=seed,
        )
        name = f"0.1σ² − {other}"
        found[f"interval: {name}"] = covered(pair.difference, difference * sigma**2, sigma**2)
        found[f"test: {name}"] = Outcome(pair.p_value is not None and pair.p_value < 1 - LEVEL)
    return found


def leaky(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge what `score` says of a model that holds 0.3 of the noise of a round, and says so."""
    _, sigma = moments(design, scale=2.0)
    rounds, true = design.sample(rng, scale=2.0, spread=2 * sigma)
    f = true + 0.5 * sigma * rng.normal(size=len(true)) + 0.3 * (rounds.values[:, 0] - true)
    found: dict[str, Outcome] = {}
    if design.rounds == 2:
        told = trained_on_one(rounds, f, rounds.names[0], level=LEVEL)
        square, share = told.excess, told.share
        found["given: resolved"] = Outcome(told.resolved)
    else:
        codes, labels = cluster_codes(rounds.cluster), Labels.of(rounds)
        square = mean_estimate(labels.products(f, (0,)), codes, level=LEVEL)
        share, _ = fieller(unit_sums(labels.learned(f, 0, (0,)), codes), level=LEVEL)
    found["interval: E(f−Y)², leaky, told"] = covered(square, 0.34 * sigma**2, sigma**2)
    found["interval: share learned, leaky"] = covered(share, 0.3, 1)
    return found


@functools.cache
def model_mae(design: Design) -> float:
    """Return E|X + U| for a model that errs by a Gaussian U of the noise's own SD."""
    rng = np.random.default_rng(20261125)
    draws = 2.0 * design.errors(rng, 1_000_000 // design.rounds).ravel()
    return float(np.abs(draws + moments(design, scale=2.0)[1] * rng.normal(size=draws.size)).mean())


def scores(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge what `score` says about one model against the labels; it errs by as much as they do."""
    _, sigma = moments(design, scale=2.0)
    rounds, true = design.sample(rng, scale=2.0, spread=2 * sigma)
    model = true + sigma * rng.normal(size=design.n)
    seed = int(rng.integers(2**31))
    (m,) = annostat.score_models(
        rounds, {"m": model}, kind="values", n_resamples=500, rng=seed
    ).models
    return {
        "interval: rmse": held(m.rmse, math.sqrt(2) * sigma),
        "interval: mae": held(m.mae, model_mae(design)),
        "interval: correlation": held(m.correlation, 4 / 5),
        "interval: r2": held(m.r2, 1 - 2 / 5),
    }


SUITES = {
    "truth": (
        truth,
        [Design(n, law) for law in LAWS[:3] for n in (20, 50, 200, 1000)]
        + [
            design
            for law in ("gaussian", "laplace + 1/300")
            for design in (
                Design(200, law, 3),
                Design(200, law, 3, missing=0.2),
                Design(300, law, cluster_size=3),
            )
        ],
    ),
    "leaky": (
        leaky,
        [Design(n, law) for law in LAWS[:3] for n in (20, 50, 200, 1000)]
        + [
            design
            for law in ("gaussian", "laplace + 1/300")
            for design in (Design(200, law, 3), Design(300, law, cluster_size=3))
        ],
    ),
    "scores": (scores, [Design(n, law) for law in LAWS[:3] for n in (50, 200, 1000)]),
}
