"""Raters who differ, few items, and noise that grows: ``python -m analysis.calibration.raters``.

The designs break the assumptions on purpose: biases of 0 to 2 SD, noise ratios to 3, skewed and
heavy-tailed laws, difficulty that the labels of an item share, gaps, 8 to 300 items, 2 to 5 raters.
The law of a design names them, so that results have the columns of the other suites:
"laplace, bias 1, ratio 3".
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import optimize

import annostat
from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, Suite, covered, held, warned
from analysis.calibration.runner import command_of
from annostat.agreement import (
    NEW,
    ONE_OF_THEM,
    RatersByHierarchy,
    Variances,
    bland_altman,
    floor_for,
    floors_by_label,
    hierarchy,
    noise_estimate,
    noise_interval,
    precision_profile,
    reliability_interval,
    repeatability,
    unequal_raters,
)
from annostat.ceilings import mae_floor, reliability_by_profile, reliability_estimate
from annostat.truth import trained_on_one

LAWS = ("gauss", "laplace", "t3", "skew", "shared")
TRUTH_SD, OWN_SD = 2.0, 0.7
SHARES = (0.0, 0.3, 0.9)
PROFILES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "two-component": lambda y: np.hypot(0.5, 0.12 * y),
    "constant": lambda y: 0.8 + 0 * y,
    "root": lambda y: 0.4 * np.sqrt(y),
    "proportional": lambda y: 0.15 * y,
}


def unit_errors(law: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw errors of mean 0 and SD 1; of "shared", the labels of an item share a scale."""
    if law == "laplace":
        return rng.laplace(size=shape) / 2**0.5
    if law == "t3":
        return rng.standard_t(3, size=shape) / 3**0.5
    if law == "skew":
        return rng.exponential(size=shape) - 1
    if law == "uniform":
        return rng.uniform(-(3**0.5), 3**0.5, shape)
    scale = np.exp(rng.normal(0, 0.5, (shape[0], 1)) - 0.25) if law == "shared" else 1.0
    return rng.normal(size=shape) * scale


def parts(design: Design) -> tuple[str, np.ndarray, np.ndarray]:
    """Return the law, biases and noise SDs; the last rater is the biased and the noisy one."""
    law, *rest = design.law.split(", ")
    given = {word.split()[0]: float(word.split()[1]) for word in rest}
    k = design.rounds
    sd, bias = np.ones(k), np.zeros(k)
    sd[-1], bias[-1] = given.get("ratio", 1.0), given.get("bias", 0.0)
    return law, bias, sd / np.sqrt(np.mean(sd**2))


def drawn(
    design: Design, rng: np.random.Generator
) -> tuple[annostat.Rounds, np.ndarray, np.ndarray]:
    """Return rounds, the truth, and the errors behind them."""
    law, bias, sd = parts(design)
    truth = rng.normal(0, TRUTH_SD, design.n)
    errors = sd * unit_errors(law, (design.n, design.rounds), rng)
    values = truth[:, None] + bias + errors
    if design.missing:
        values[rng.random(values.shape) < design.missing] = np.nan
    return annostat.Rounds.from_array(values), truth, errors


@functools.cache
def at_random(law: str, sd: tuple[float, ...], bias: tuple[float, ...]) -> float:
    """Return mean_j E|X_j + β_j|, the floor of the MAE against one of these raters at random.

    Biases are about their mean. Of the skewed law the mean is no place for a model, and each rater
    has a median of its own: the floor is the least over the model's offset.
    """
    centred = np.array(bias) - np.mean(bias)
    if law != "skew":
        pairs = zip(sd, centred, strict=True)
        return float(np.mean([mean_size(law, s, float(b)) for s, b in pairs]))
    x = unit_errors(law, (400_000, 1), np.random.default_rng(20261128))[:, 0]

    def loss(offset: float) -> float:
        pairs = zip(sd, centred, strict=True)
        return float(np.mean([np.mean(np.abs(s * x + b - offset)) for s, b in pairs]))

    return float(optimize.minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").fun)


@functools.cache
def mean_size(law: str, sd: float, shift: float) -> float:
    """Return E|X + shift|, about the median of X for the skewed law: the floor of the MAE."""
    x = unit_errors(law, (400_000, 1), np.random.default_rng(20261128))[:, 0]
    x = x - (np.log(2) - 1) if law == "skew" else x
    return float(np.mean(np.abs(sd * x + shift)))


def unequal(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Noise of the quiet and the noisy rater, one at random, and the test of equal noises."""
    rounds, truth, _ = drawn(design, rng)
    _, bias, sd = parts(design)
    found: dict[str, Outcome] = {}
    doubts = []
    for words, model in (("", None), (", model", truth + rng.normal(0, OWN_SD, design.n))):
        seen = unequal_raters(rounds, model=model)
        doubts.append(seen.tails)
        named = seen.kinds[: design.rounds]
        for name, j in (("quiet", 0), ("noisy", -1)):
            found[f"interval: noise of the {name} rater{words}"] = held(
                named[j].rmse_floor, float(sd[j])
            )
            share = TRUTH_SD**2 / (TRUTH_SD**2 + float(sd[j]) ** 2)
            found[f"interval: R² against the {name} rater{words}"] = held(
                named[j].r2_ceiling, share
            )
        found[f"test: equal noise{words}"] = Outcome(seen.equal.passed is False)
    square = 1 + float(np.var(bias))
    kind = seen.kind(ONE_OF_THEM)
    found["interval: one of them"] = held(kind.rmse_floor, square**0.5)
    share = TRUTH_SD**2 / (TRUTH_SD**2 + square)
    found["interval: R² against one of them"] = held(kind.r2_ceiling, share)
    return warned(found, doubts)


def few(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """σ and ρ from few items."""
    rounds, _, _ = drawn(design, rng)
    v = Variances.of(rounds)
    share = TRUTH_SD**2 / (TRUTH_SD**2 + 1)
    given = {
        "noise_sd, log-t": (noise_interval(v), 1.0),
        "reliability, F": (reliability_interval(v), share),
    }
    return {
        f"interval: {name}": held(annostat.Estimate(truth, None, interval), truth)
        for name, (interval, truth) in given.items()
    }


def printed(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """σ and ρ as `bounds` prints them first; warned where the method says "not for heavy tails"."""
    rounds, _, _ = drawn(design, rng)
    v, seed = Variances.of(rounds), int(rng.integers(2**31))
    found: dict[str, Outcome] = {}
    for way in ("auto", "bootstrap-t"):
        options = {"interval": way, "n_resamples": 400, "rng": seed}
        given = {
            "σ": (noise_estimate(v, **options), 1.0),  # type: ignore[arg-type]
            "ρ": (reliability_estimate(v, **options), TRUTH_SD**2 / (TRUTH_SD**2 + 1)),  # type: ignore[arg-type]
        }
        for name, (e, truth) in given.items():
            seen = held(e, truth)
            said = e.interval is not None and "not for heavy tails" in e.interval.method
            word = "" if way == "auto" else f", {way}"
            found[f"interval: {name}{word}"] = replace(seen, warned=said)
    return found


def limits(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Limits of agreement as `bounds` prints them; warned as in `printed`."""
    rounds, _, _ = drawn(design, rng)
    options = {"n_resamples": 400, "rng": int(rng.integers(2**31))}
    sd = repeatability(rounds, **options).sd_difference  # type: ignore[arg-type]
    found: dict[str, Outcome] = {}
    for words, given in (("", sd), (", bootstrap-t", None)):
        limit = bland_altman(rounds, sd=given, **options).upper  # type: ignore[arg-type]
        said = limit.interval is not None and "not for heavy tails" in limit.interval.method
        seen = held(limit, 1.959964 * 2**0.5)
        found[f"interval: upper limit of agreement{words}"] = replace(seen, warned=said)
    return found


def mae(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Floors of the mae, and the tests behind them."""
    rounds, _, _ = drawn(design, rng)
    law, bias, sd = parts(design)
    found = mae_floor(rounds)
    own = [mean_size(law, float(s), 0.0) for s in sd]
    moved = at_random(law, tuple(map(float, sd)), tuple(map(float, bias)))
    outcomes = {"interval: one of them": held(found.one_of_them, moved)}
    outcomes["interval: mae_floor, hull"] = held(found.unbiased, float(np.mean(own)))
    outcomes["given: equal raters"] = Outcome(found.equal_raters.interval is not None)
    if found.equal_raters.interval is not None:
        outcomes["interval: equal raters"] = held(found.equal_raters, float(np.mean(own)))
    named = list(found.named.values())
    outcomes["interval: the quiet rater"] = held(named[0], own[0])
    outcomes["interval: the noisy rater"] = held(named[-1], own[-1])
    for check in found.checks:
        outcomes[f"test: {check.name}"] = Outcome(check.passed is False)
    return outcomes


def trained(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Score a model that holds a share of the first rater's noise."""
    rounds, truth, errors = drawn(design, rng)
    _, bias, sd = parts(design)
    own = truth + bias.mean() + rng.normal(0, 0.5, design.n)
    outcomes = {}
    for share in SHARES:
        found = trained_on_one(rounds, own + share * errors[:, 0], "round_1")
        square = 0.25 + (share * float(sd[0])) ** 2
        outcomes[f"interval: square error, share {share:g}"] = held(found.excess, square)
        outcomes[f"test: learned, share {share:g}"] = Outcome(found.learned is True)
        outcomes[f"given: verdict, share {share:g}"] = Outcome(found.learned is not None)
        outcomes[f"given: resolved, share {share:g}"] = Outcome(found.resolved)
    return outcomes


@functools.cache
def moment_of(name: str, power: int) -> float:
    """Return E y^power of the values of `profile`, for power 0 the mean variance of the noise."""
    y = np.random.default_rng(20261129).lognormal(np.log(8), 0.6, 2_000_000)
    return float(np.mean(y**power if power else PROFILES[name](y) ** 2))


def profile(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Floors from the profile, σ at three values, and its tests."""
    law, name = design.law.split(", ")
    sd = PROFILES[name]

    def labels(n: int, k: int, stretch: float) -> tuple[np.ndarray, np.ndarray]:
        y = stretch * rng.lognormal(np.log(8), 0.6, n)
        z = y[:, None] + sd(y)[:, None] * unit_errors(law, (n, k), rng)
        return y, np.maximum(z, 1e-6)

    y, z = labels(design.n, design.rounds, 1.0)
    found = precision_profile(annostat.Rounds.from_array(z))
    outcomes = {
        "test: constant": Outcome(found.constant.passed is False),
        "test: heavy tails": Outcome(found.tails.passed is False),
        "given: floor": Outcome(found.floor.interval is not None),
        "given: profile": Outcome(bool(found.points)),
    }
    if found.floor.interval is not None:
        outcomes["interval: floor"] = held(found.floor, float(np.sqrt(np.mean(sd(y) ** 2))))
        other, single = labels(400, 1, 1.3)
        there = floor_for(found, single[:, 0])
        v = Variances.of(annostat.Rounds.from_array(z))
        given = reliability_by_profile(v, found, annostat.Estimate(np.nan))
        mean, square = (moment_of(name, power) for power in (1, 2))
        noise = moment_of(name, 0)
        share = (square - mean**2) / (square - mean**2 + noise)
        outcomes["interval: reliability, profile"] = held(given, share)
        outcomes["interval: floor of a test set"] = held(
            there, float(np.sqrt(np.mean(sd(other) ** 2)))
        )
    for place, point in zip((10, 50, 90), found.points[::4], strict=False):
        outcomes[f"interval: σ at the {place}% quantile"] = held(
            point.noise_sd, float(sd(np.array(point.value)))
        )
    return warned(outcomes, [found.tails])


def hierarchical(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Each rater's noise and bias by the likelihood, and the check of difficulty."""
    rounds, _, _ = drawn(design, rng)
    _, bias, sd = parts(design)
    seen = floors_by_label(rounds)
    if not isinstance(seen, RatersByHierarchy) or seen.hierarchy is None:
        return {"given: hierarchy": Outcome(False)}
    found = seen.hierarchy
    off = bias - bias.mean()
    outcomes = {
        f"interval: noise of the {name} rater": held(found.raters[j].noise_sd, float(sd[j]))
        for name, j in (("quiet", 0), ("noisy", -1))
    }
    outcomes["given: hierarchy"] = Outcome(True)
    square = float(1 + np.var(bias))
    truths = (float(sd[0]) ** 2, float(sd[-1]) ** 2, square)
    names = (rounds.names[0], rounds.names[-1], ONE_OF_THEM)
    for words, name, noise in zip(("the quiet", "the noisy", "one"), names, truths, strict=True):
        outcomes[f"interval: R² against {words} rater"] = held(
            seen.kind(name).r2_ceiling, TRUTH_SD**2 / (TRUTH_SD**2 + noise)
        )
    if seen.equal.passed is not None:
        outcomes["test: equal noise"] = Outcome(seen.equal.passed is False)
    outcomes["interval: bias"] = covered(found.raters[-1].bias, float(off[-1]), 1.0)
    outcomes["interval: one of them"] = held(found.one_of_them, float(np.sqrt(1 + np.var(bias))))
    outcomes["given: both limits of the quiet rater"] = Outcome(
        (found.raters[0].noise_sd.low or 0.0) > 0
    )
    outcomes["test: shared difficulty"] = Outcome(found.difficulty.passed is False)
    outcomes["test: heavy tails"] = Outcome(found.tails.passed is False)
    return warned(outcomes, [found.tails])


def new_rater(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Raters drawn anew in every set: the floor against one more of them."""
    law, *rest = design.law.split(", ")
    given = {word.split()[0]: float(word.split()[1]) for word in rest}
    tau, scatter = given.get("bias", 0.0), given.get("scatter", 0.0)
    bias = rng.normal(0, tau, design.rounds)
    sd = np.exp(rng.normal(0, scatter, design.rounds) - scatter**2)  # E σ² = 1
    truth = rng.normal(0, TRUTH_SD, (design.n, 1))
    z = truth + bias + sd * unit_errors(law, (design.n, design.rounds), rng)
    rounds = annostat.Rounds.from_array(z)
    target = (1 + tau**2) ** 0.5
    found = hierarchy(rounds)
    outcomes = {"interval: new rater": held(found.new_rater, target)}
    outcomes["interval: new rater, by moments"] = held(
        unequal_raters(rounds).kind(NEW).rmse_floor, target
    )
    outcomes["interval: SD of biases"] = covered(found.bias_sd, tau, 1.0)
    return outcomes


def grid(
    sizes: tuple[int, ...], rounds: tuple[int, ...], cases: tuple[str, ...], missing: float = 0.0
) -> list[Design]:
    """Return the designs of all laws."""
    return [
        Design(n, law + case, k, missing)
        for law in LAWS
        for k in rounds
        for n in sizes
        for case in cases
    ]


ALIKE, APART = "", ", bias 1, ratio 3"
SUITES: dict[str, tuple[Suite, list[Design]]] = {
    "unequal": (unequal, grid((8, 50, 300), (2, 3), (ALIKE, APART, ", bias 2"))),
    "printed": (
        printed,
        [
            Design(n, law, k)
            for law in ("gauss", "laplace", "t3")
            for k in (2, 3, 5)
            for n in (30, 50, 100, 200, 400)
        ],
    ),
    "limits": (limits, grid((8, 20, 30, 50, 100, 400), (2,), (ALIKE,))),
    "few": (few, grid((4, 8, 15, 29), (2, 4), (ALIKE,))),
    "mae": (
        mae,
        grid((8, 50, 300), (2, 3), (ALIKE, APART, ", bias 2"))
        + [Design(n, "uniform" + case) for n in (50, 300) for case in (ALIKE, APART)],
    ),
    "trained": (
        trained,
        grid((20, 50, 300), (2,), (ALIKE, ", bias 1, ratio 1.5", ", bias 1, ratio 0.4")),
    ),
    "profile": (
        profile,
        [
            Design(n, f"{law}, {name}", 2)
            for law in LAWS
            for name in PROFILES
            for n in (20, 50, 300)
        ],
    ),
    "hierarchy": (
        hierarchical,
        grid((20, 50, 300), (3, 5), (ALIKE, APART))
        + grid((50, 300), (4,), (APART,), 0.3)
        + grid((300,), (6,), (ALIKE, APART), 0.6),
    ),
    "new rater": (
        new_rater,
        [
            Design(n, law + case, k)
            for law in LAWS[:2]
            for k in (3, 5)
            for n in (50, 300)
            for case in (", bias 0.7, scatter 0.3", ", bias 0.3")
        ],
    ),
}


main = command_of(SUITES)

if __name__ == "__main__":
    main()
