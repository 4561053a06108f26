"""What `bounds` prints."""

from __future__ import annotations

import functools

import numpy as np

import annostat
from analysis.calibration.designs import LAWS, Design, moments
from analysis.calibration.outcomes import LEVEL, Outcome, held
from annostat import agreement
from annostat.agreement import Variances, noise_estimate
from annostat.ceilings import reliability_estimate, unbiased_pair_mae

RESAMPLES = 599


@functools.lru_cache
def pair_mae_of(design: Design) -> float:
    """Return E|D| of a design at scale 2, from a million pairs of a fixed seed."""
    rng = np.random.default_rng(20261125)
    draws = 2.0 * design.errors(rng, 2_000_000 // design.rounds)
    if design.cluster_size > 1:
        draws *= rng.lognormal(0, 0.4, (draws.shape[0], 1))
    return float(np.abs(draws[:, 0] - draws[:, 1]).mean())


def values(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Everything that `bounds` prints, and the intervals that are available by name."""
    mae, sigma = moments(design, scale=2.0)
    spread = 2.0 * sigma
    rounds, _ = design.sample(rng, scale=2.0, spread=spread)
    v = Variances.of(rounds)
    seed = int(rng.integers(2**31))
    resampled = {"n_resamples": RESAMPLES, "rng": seed}
    methods = ["bootstrap-t", "chi-square"]
    if design.n in (20, 200):
        methods += ["percentile", "bca"]
    if design.rounds == 2 and not design.missing and design.cluster_size == 1:
        methods.append("bonett")
    given, outcomes = {}, {}
    for method in methods:
        given[f"interval: noise_sd, {method}"] = (
            noise_estimate(v, interval=method, level=LEVEL, n_resamples=RESAMPLES, rng=seed),
            sigma,
        )
    reliability = spread**2 / (spread**2 + sigma**2)
    given["interval: reliability"] = (
        reliability_estimate(v, interval="bootstrap-t", level=LEVEL, **resampled),
        reliability,
    )
    pair = unbiased_pair_mae(rounds, v, level=LEVEL)
    given["interval: pair_mae"] = (pair, pair_mae_of(design))
    given["interval: mae_floor, Gaussian reading"] = (pair.scaled(0.5**0.5), mae)
    table = agreement.icc(rounds, interval="bootstrap-t", **resampled)
    given["interval: icc_c_1"] = (table["icc_c_1"], reliability)
    given["interval: icc_a_1"] = (table["icc_a_1"], reliability)  # no round is biased
    given["interval: icc_c_1, F"] = (agreement.icc(rounds, interval="f")["icc_c_1"], reliability)
    if design.rounds == 2:
        given["interval: concordance"] = (agreement.concordance(rounds, **resampled), reliability)
        limits = agreement.bland_altman(rounds, **resampled)
        # Differences of a Gaussian law with the same SD: what the limits stand for.
        upper = 1.959964 * 2**0.5 * sigma
        given["interval: upper limit of agreement"] = (limits.upper, upper)
        given["interval: upper limit of agreement, noncentral t"] = (
            agreement.bland_altman(rounds, interval="noncentral-t").upper,
            upper,
        )
        for check in limits.checks:
            if check.p_value is not None:
                outcomes[f"test: {check.name}"] = Outcome(check.p_value < 1 - LEVEL)
    for name, (estimate, truth) in given.items():
        if "noise_sd, bootstrap-t" in name:
            outcomes["given: interval of noise_sd"] = Outcome(estimate.interval is not None)
        if estimate.interval is not None:
            outcomes[name] = held(estimate, truth)
    return outcomes


@functools.lru_cache
def kurtosis_of(design: Design) -> float:
    """Return the kurtosis of one error, from a million draws of a fixed seed."""
    x = design.errors(np.random.default_rng(20261125), 1_000_000)[:, 0]
    return float(np.mean(x**4) / np.mean(x**2) ** 2)


def published(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge the true reading of a published SD by the score of a perfect model on 1,277 items."""
    d = np.diff(2.0 * design.errors(rng))[:, 0]
    score = 2.0 * design.errors(rng, 1277)[:, 0]
    kurtosis = kurtosis_of(design)
    outcomes = {}
    for name, k in (("kurtosis known", kurtosis), ("kurtosis 3", 3.0)):
        found = annostat.compare_published(
            score_rmse=float(np.sqrt(np.mean(score**2))),
            score_n=1277,
            score_kurtosis=k,
            sd=float(np.std(d, ddof=1)),
            n=design.n,
            kurtosis=(k + 3) / 2,
            convention="between-sessions",
        )
        outcomes[f"test: true reading refuted, {name}"] = Outcome(found.readings[0].refuted)
    return outcomes


CLUSTERED = ((60, "gaussian"), (300, "gaussian"), (300, "laplace"))


def value_grid() -> list[Design]:
    """Return the designs of values: sizes by laws, then rounds, missing cells and clusters."""
    laws = ("gaussian", "laplace", "laplace + 1/300", "shared difficulty")
    designs = [Design(n, law) for law in laws for n in (20, 50, 200, 1000)]
    designs += [Design(n, "t3") for n in (50, 200, 1000)]
    designs += [Design(50, rounds=k) for k in (3, 5)]
    designs += [Design(50, rounds=3, missing=0.2)]
    return [*designs, *(Design(n, law, cluster_size=3) for n, law in CLUSTERED)]


SUITES = {
    "values": (values, value_grid()),
    "published": (published, [Design(n, law) for law in LAWS[:3] for n in (50, 200)]),
}
