"""Does what annostat prints hold? python -m analysis.calibration [--quick] [SUITE ...].

For every interval and every test: how often it covers or rejects, its width and its bias, over
sample sizes, laws of the noise, numbers of rounds, missing cells and clusters. All data are
simulated. Each finished design is a row of the results file at once, so that a run that was
stopped goes on where it was; ``--table`` writes the page from the file.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
import pandas as pd

import annostat
from annostat import agreement
from annostat.agreement.repeatability import noise_estimate
from annostat.agreement.variances import Variances
from annostat.ceilings.bounds import reliability_estimate, unbiased_pair_mae
from annostat.concentration import concentration, excess_by_swaps, law_half, law_share
from annostat.errors import AnnostatWarning
from annostat.files import write_text
from annostat.masks import consensus, dice, dice_ceiling
from annostat.resampling import cluster_codes, map_parallel, spawn
from annostat.scaling import compare_scaling
from annostat.truth.comparison import compare_models
from annostat.truth.instruments import correlation_with_truth
from annostat.truth.means import fieller, mean_estimate, unit_sums
from annostat.truth.products import Labels, half_products
from annostat.truth.verdicts import AT, BELOW, judge

RESULTS = Path("docs/studies/calibration.csv")
LEVEL = 0.95


# The situation of the supplement: the noise of ES and ED frames, with and without abandonment.
PAPER = {
    f"paper, E|X| {mae}" + (", 1/300" if rate else ""): annostat.NoiseModel.with_mae(
        "laplace",
        mae,
        abandonment="independent" if rate else "none",
        abandonment_rate=rate,
        window=50,
    )
    for mae in (2.0, 2.4)
    for rate in (0.0, 1 / 300)
}


@dataclass(frozen=True)
class Design:
    """One way that data come about."""

    n: int
    law: str = "gaussian"
    rounds: int = 2
    missing: float = 0.0
    cluster_size: int = 1

    def errors(self, rng: np.random.Generator, n: int | None = None) -> np.ndarray:
        """Draw errors of unit scale, float64 of shape (n, rounds)."""
        shape = (self.n if n is None else n, self.rounds)
        if self.law in PAPER:
            return PAPER[self.law].sample_errors(shape, rng=rng) / 2.0
        if self.law == "gaussian":
            return rng.normal(size=shape)
        if self.law == "t3":
            return rng.standard_t(3, size=shape)
        if self.law == "shared difficulty":
            return rng.normal(size=shape) * rng.lognormal(0, 0.6, size=(shape[0], 1))
        core = rng.laplace(size=shape)
        if self.law == "laplace":
            return core
        rate = {"laplace + 1/300": 1 / 300, "laplace + 1/20": 1 / 20}[self.law]
        return np.where(rng.random(shape) < rate, rng.uniform(-25, 25, shape), core)

    def sample(
        self, rng: np.random.Generator, *, scale: float, spread: float, whole: bool = False
    ) -> tuple[annostat.Rounds, np.ndarray]:
        """Draw rounds and the truth behind them."""
        truth = rng.normal(0, spread, self.n)
        cluster = None
        if self.cluster_size > 1:
            # Patients differ in difficulty: the size of the error is shared within a cluster.
            codes = np.arange(self.n) // self.cluster_size
            factor = rng.lognormal(0, 0.4, codes[-1] + 1)[codes][:, None]
            cluster = [f"c{c}" for c in codes]
        else:
            factor = np.ones((self.n, 1))
        errors = scale * factor * self.errors(rng)
        if whole:
            truth, errors = np.rint(truth), np.rint(errors)
        values = truth[:, None] + errors
        if self.missing:
            values[rng.random(values.shape) < self.missing] = np.nan
        return annostat.Rounds.from_array(values, cluster=cluster), truth

    def moments(self, *, scale: float, whole: bool = False) -> tuple[float, float]:
        """Return E|X| and the SD of X, from two million draws of a fixed seed."""
        rng = np.random.default_rng(20261124)
        draws = scale * self.errors(rng, 2_000_000 // self.rounds)
        if self.cluster_size > 1:
            draws *= rng.lognormal(0, 0.4, (draws.shape[0], 1))
        if whole:
            draws = np.rint(draws)
        return float(np.abs(draws).mean()), float(draws.std())


@dataclass(frozen=True)
class Outcome:
    """What one data set said: whether the interval held the truth, or the test rejected."""

    hit: bool
    width: float = math.nan
    error: float = math.nan


Suite = Callable[[Design, np.random.Generator, tuple[float, float]], dict[str, Outcome]]


def held(estimate: annostat.Estimate, truth: float) -> Outcome:
    """Return the outcome of an interval; one that is not given counts as not holding."""
    if estimate.interval is None:
        return Outcome(False)
    interval = estimate.interval
    return Outcome(
        truth in interval, (interval.high - interval.low) / truth, estimate.value / truth - 1
    )


def picks(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Everything that `fit-afd` prints."""
    rounds, _ = design.sample(rng, scale=2.0, spread=30, whole=True)
    seed = int(rng.integers(2**31))
    noise = annostat.compare_noise(rounds, cores=CORES, n_tests=N_TESTS, rng=seed)
    mae = moments[0]
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


def paper(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Fit as the paper does: Laplace and independent abandonment, the window profiled."""
    rounds, _ = design.sample(rng, scale=2.0, spread=30, whole=True)
    fit = annostat.fit_noise(rounds, "laplace")
    return {"interval: mae, laplace + independent": held(fit.mae, PAPER[design.law].mae)}


# Laws of loss against size: the truth, the relative noise, and what is said of the floor.
SCALING = {
    f"{law}, {noise:.0%}": (law, noise)
    for law in (
        "power", "floor", "known floor", "floor within 5%", "floor within 10%",
        "floor 10% too high", "hinge", "broken", "floor, t3 and Huber",
    )
    for noise in (0.02, 0.05)
}  # fmt: skip
ASKED = {
    "power": "power", "floor": "power_floor", "hinge": "hinge", "broken": "broken",
    "floor, t3 and Huber": "power_floor",
}  # fmt: skip


def scaling_series(
    design: Design, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Draw a series of `design.n` sizes over three decades, and say what it was made from.

    Exponent 0.35; the floor is 40% of the loss of the smallest model, or the hinge a fifth of the
    way (in log size) beyond the middle.
    """
    law, noise = SCALING[design.law]
    one = np.geomspace(1e4, 1e7, design.n)
    size = np.repeat(one, design.rounds)
    rate = 0.35
    truth = {"exponent": rate}
    if law == "power":
        loss = (size / one[0]) ** -rate
    elif law == "hinge":
        truth["hinge"] = 1e4 * 1e3**0.6
        truth["floor"] = (truth["hinge"] / one[0]) ** -rate
        loss = (np.minimum(size, truth["hinge"]) / one[0]) ** -rate
    elif law == "broken":
        truth |= {"hinge": 1e4 * 1e3**0.5, "second_exponent": 0.1}
        bend = (1 + (size / truth["hinge"]) ** 2) ** ((rate - 0.1) / 2)
        loss = (size / one[0]) ** -rate * bend
    else:
        truth |= {"floor": 0.4, "n_half": one[0] * (0.6 / 0.4) ** (1 / rate)}
        loss = 0.4 + 0.6 * (size / one[0]) ** -rate
    error = rng.standard_t(3, size.size) if "t3" in law else rng.normal(size=size.size)
    return size, loss * np.exp(noise * error), truth


def scaling(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Fit the law that made the series: the intervals of everything it says."""
    size, loss, truth = scaling_series(design, rng)
    law = SCALING[design.law][0]
    options: dict[str, object] = {"laws": [ASKED.get(law, "power_given_floor")]}
    if law in ("known floor", "floor 10% too high"):
        options["floor"] = 0.44 if "high" in law else 0.4
    elif "within" in law:
        se = 0.4 * (0.1 if "10%" in law else 0.05)
        options |= {"floor": 0.4 + se * rng.normal(), "floor_se": se}
    elif "Huber" in law:
        options["robust"] = True
    result = compare_scaling(size, loss, **options)
    found = {"naive slope": held(result.log_slope, truth["exponent"])}
    for name, value in truth.items():
        estimate = getattr(result.best, name)
        if estimate.interval is not None:
            found[name] = held(estimate, value)
    return {f"interval: {name}": outcome for name, outcome in found.items()}


def scaling_choice(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Which law AICc picks."""
    size, loss, _ = scaling_series(design, rng)
    result = compare_scaling(size, loss)
    return {f"choice: {law}": Outcome(result.best.name == law) for law in LAWS_TRIED}


def truth(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Judge what `score` says of the truth: a perfect model, one that errs, a leaky one."""
    sigma = moments[1]
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
            estimate, half_products(labels.values, f), codes, df=units - 1,
            margin=math.sqrt(0.1) * sigma, level=LEVEL,
        )  # fmt: skip
        for test, p in (("t", verdict.p_above), ("signed ranks", verdict.p_signed_rank),
                        ("signs", verdict.p_sign)):  # fmt: skip
            found[f"test: {test}, {name}"] = Outcome(p is not None and p < 1 - LEVEL)
        found[f"test: within √0.1σ, {name}"] = Outcome(verdict.name == AT)
        found[f"test: below, {name}"] = Outcome(verdict.name == BELOW)
    near, leaky = models["0.1σ²"][0], models["leaky"][0]
    correlation = correlation_with_truth(
        labels.values, near, codes, level=LEVEL, exchangeable=False
    )
    found["interval: correlation with truth, 0.1σ²"] = covered(correlation, 2 / math.sqrt(4.1), 1)
    told = mean_estimate(labels.products(leaky, (0,)), codes, level=LEVEL)
    found["interval: E(f−Y)², leaky, told"] = covered(told, 0.34 * sigma**2, sigma**2)
    share, _ = fieller(unit_sums(labels.learned(leaky, 0, (0,)), codes), level=LEVEL)
    found["interval: share learned, leaky"] = covered(share, 0.3, 1)
    _, p = fieller(unit_sums(labels.learned(near, 0, ()), codes), level=LEVEL)
    found["test: leakage, 0.1σ²"] = Outcome(p is not None and p < 1 - LEVEL)
    seed = int(rng.integers(2**31))
    for other, difference in (("0.1σ² again", 0.0), ("shrunken", -0.26)):
        (pair,) = compare_models(
            {"0.1σ²": products["0.1σ²"], other: products[other]}, codes, unit="", level=LEVEL,
            n_resamples=200, rng=seed,
        )  # fmt: skip
        name = f"0.1σ² − {other}"
        found[f"interval: {name}"] = covered(pair.difference, difference * sigma**2, sigma**2)
        found[f"test: {name}"] = Outcome(pair.p_value is not None and pair.p_value < 1 - LEVEL)
    return found


def covered(estimate: annostat.Estimate, truth: float, unit: float) -> Outcome:
    """Return the outcome of an interval of what may be 0; width and error in `unit`."""
    if estimate.interval is None:
        return Outcome(False)
    interval = estimate.interval
    width = (interval.high - interval.low) / unit
    return Outcome(truth in interval, width, (estimate.value - truth) / unit)


@functools.cache
def model_mae(design: Design) -> float:
    """Return E|X + U| for a model that errs by a Gaussian U of the noise's own SD."""
    rng = np.random.default_rng(20261125)
    draws = 2.0 * design.errors(rng, 1_000_000 // design.rounds).ravel()
    return float(np.abs(draws + design.moments(scale=2.0)[1] * rng.normal(size=draws.size)).mean())


def scores(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Judge what `score` says about one model against the labels; it errs by as much as they do."""
    sigma = moments[1]
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


LAWS_TRIED = ("power", "power_floor", "hinge", "broken")
OUTLINES = {"noise_px": 2.0, "difficulty_sd": 0.3}


@functools.cache
def perfect_dice(law: str) -> float:
    """Return the Dice of the true masks against one rater, from 1,500 items of a fixed seed."""
    rounds, truth = annostat.simulate_masks(1500, 2, law=law, rng=20261125, **OUTLINES)
    return float(np.mean([dice(values, truth) for values in rounds.values]))


def outlines(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
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

    ceiling = dice_ceiling(rounds, n_resamples=999, rng=int(rng.integers(2**31)))
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
            others = rounds.select([n for n in rounds.names if n != name])
            apart.append(dice(consensus(others, method="majority").mask, rounds.values[r]).mean())
        outcomes["no ceiling: majority of the others"] = only(float(np.mean(apart)))
    return outcomes


@functools.lru_cache
def pair_mae_of(design: Design) -> float:
    """Return E|D| of a design at scale 2, from a million pairs of a fixed seed."""
    rng = np.random.default_rng(20261125)
    draws = 2.0 * design.errors(rng, 2_000_000 // design.rounds)
    if design.cluster_size > 1:
        draws *= rng.lognormal(0, 0.4, (draws.shape[0], 1))
    return float(np.abs(draws[:, 0] - draws[:, 1]).mean())


def values(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Everything that `bounds` prints, and the intervals that are available by name."""
    mae, sigma = moments
    spread = 2.0 * sigma
    rounds, _ = design.sample(rng, scale=2.0, spread=spread)
    v = Variances.of(rounds)
    seed = int(rng.integers(2**31))
    methods = ["bootstrap-t", "chi-square"]
    if design.n in (20, 200):
        methods += ["percentile", "bca"]
    if design.rounds == 2 and not design.missing and design.cluster_size == 1:
        methods.append("bonett")
    given, outcomes = {}, {}
    for method in methods:
        given[f"interval: noise_sd, {method}"] = (
            noise_estimate(v, "", method, LEVEL, RESAMPLES, seed), sigma
        )  # fmt: skip
    reliability = spread**2 / (spread**2 + sigma**2)
    given["interval: reliability"] = (reliability_estimate(v, LEVEL, RESAMPLES, seed), reliability)
    pair = unbiased_pair_mae(rounds, v, LEVEL)
    given["interval: pair_mae"] = (pair, pair_mae_of(design))
    given["interval: mae_floor, Gaussian reading"] = (agreement.scaled(pair, 0.5**0.5), mae)
    table = agreement.icc(rounds)
    given["interval: icc_c_1, F"] = (table["icc_c_1"], reliability)
    if design.rounds == 2:
        given["interval: concordance"] = (
            agreement.concordance(rounds, n_resamples=RESAMPLES, rng=seed), reliability
        )  # fmt: skip
        limits = agreement.bland_altman(rounds)
        # Differences of a Gaussian law with the same SD: what the limits stand for.
        given["interval: upper limit of agreement"] = (limits.upper, 1.959964 * 2**0.5 * sigma)
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


def published(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Judge the true reading of a published SD by the score of a perfect model on 1,277 items."""
    d = np.diff(2.0 * design.errors(rng))[:, 0]
    score = 2.0 * design.errors(rng, 1277)[:, 0]
    kurtosis = kurtosis_of(design)
    outcomes = {}
    for name, k in (("kurtosis known", kurtosis), ("kurtosis 3", 3.0)):
        found = annostat.compare_published(
            score_rmse=float(np.sqrt(np.mean(score**2))), score_n=1277, score_kurtosis=k,
            sd=float(np.std(d, ddof=1)), n=design.n, kurtosis=(k + 3) / 2,
            convention="between-sessions",
        )  # fmt: skip
        outcomes[f"test: true reading refuted, {name}"] = Outcome(found.readings[0].refuted)
    return outcomes


RESAMPLES = 599


def concentrated(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Test whether errors sit on few items: noise alone, then with a planted excess."""
    truth = rng.normal(0, 11, design.n)
    labels = 4.0 * design.errors(rng)
    rounds = annostat.Rounds.from_array(truth[:, None] + labels)
    found = concentration(labels[:, 0], rounds=rounds, n_simulated=N_SIMULATED, rng=rng)
    assert found.excess is not None
    # One item in twenty, on which the model is off by eight scales of the noise.
    planted = labels[:, 0] + np.where(np.arange(design.n) < design.n / 20, 32.0, 0.0)
    worse = concentration(planted, rounds=rounds, n_simulated=N_SIMULATED, rng=rng)
    assert worse.excess is not None
    return {
        "test: excess of the worst 15%, noise alone": Outcome(found.excess.p_value <= 1 - LEVEL),
        "test: excess of the Gini, noise alone": Outcome(found.excess.p_value_gini <= 1 - LEVEL),
        "test: excess of the worst 15%, 5% planted": Outcome(worse.excess.p_value <= 1 - LEVEL),
        "interval: excess of the worst 15%": held_excess(found.excess.worst_share),
    }


def swapped(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Hold the exact test against a perfect model, a planted excess, and an even error."""
    truth = rng.normal(0, 11, design.n)
    rounds = annostat.Rounds.from_array(truth[:, None] + 4.0 * design.errors(rng))
    models = {
        "noise alone": truth,
        "5% planted": truth + np.where(np.arange(design.n) < design.n / 20, 16.0, 0.0),
        "an even error as large as the noise": truth + 4.0 * design.errors(rng)[:, 0],
    }
    return {
        f"test: swaps, {name}": Outcome(
            excess_by_swaps(model, rounds, n_swaps=199, rng=rng).p_value <= 1 - LEVEL
        )
        for name, model in models.items()
    }


def concentrated_elsewhere(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Test errors against noise that was fitted to as many other items."""
    rounds = annostat.Rounds.from_array(np.rint(2.0 * design.errors(rng)) + 100)
    fit = annostat.fit_noise(rounds, "symmetric-nb", ci="none")
    errors = np.rint(2.0 * design.errors(rng)[:, 0])
    found = concentration(errors, noise=fit, n_simulated=N_SIMULATED, rng=rng)
    assert found.excess is not None
    return {"test: excess, noise of other items": Outcome(found.excess.p_value <= 1 - LEVEL)}


def shares(
    design: Design, rng: np.random.Generator, moments: tuple[float, float]
) -> dict[str, Outcome]:
    """Hold the intervals of Gini, worst share and the half against those of the law."""
    found = concentration(design.errors(rng)[:, 0])
    gini, share, half = SHARES[design.law]
    outcomes = {
        "interval: Gini": held(found.gini, gini),
        "interval: worst 15%": held(found.worst_share, share),
        "interval: fraction that holds half": held(found.half_of_error, half),
    }
    # Where none is given, nothing is claimed: the coverage is of those that are.
    given = {k: v for k, v in outcomes.items() if not math.isnan(v.width)}
    return {**given, "given: interval of the worst 15%": Outcome(found.worst_share.low is not None)}


def held_excess(estimate: annostat.Estimate) -> Outcome:
    """Return whether an interval of the excess holds 0, what noise alone has."""
    interval = estimate.interval
    return Outcome(interval is not None and 0.0 in interval)


N_SIMULATED = 39  # as the tests of `picks`: 5% is exact, a little power is lost
# Gini, share of the worst 15%, fraction that holds half: closed forms.
SHARES = {
    "gaussian": (2 / math.pi, float(law_share("gaussian", 0.15)), law_half("gaussian")),
    "laplace": (0.75, float(law_share("laplace", 0.15)), law_half("laplace")),
}

CORES = ["laplace", "gaussian", "student-t", "symmetric-nb"]
N_TESTS = 39

EXCESS_LAWS = ("gaussian", "laplace", "laplace + 1/300")
LAWS = ("gaussian", "laplace", "laplace + 1/300", "laplace + 1/20", "t3", "shared difficulty")


def grid(sizes: Iterable[int] = (50, 200, 1000)) -> list[Design]:
    """Return the designs: sizes by laws, then rounds, missing cells and clusters one at a time."""
    designs = [Design(n, law) for law in LAWS for n in sizes]
    designs += [Design(200, law, rounds=k) for law in ("gaussian", "laplace") for k in (3, 5)]
    designs += [Design(200, law, 3, missing=0.2) for law in ("gaussian", "laplace")]
    designs += [Design(300, law, cluster_size=3) for law in ("gaussian", "laplace")]
    return designs


def value_grid() -> list[Design]:
    """Return the designs of values: sizes by laws, then rounds, missing cells and clusters."""
    laws = ("gaussian", "laplace", "laplace + 1/300", "shared difficulty")
    designs = [Design(n, law) for law in laws for n in (20, 50, 200, 1000)]
    designs += [Design(50, rounds=k) for k in (3, 5)]
    return [*designs, Design(50, rounds=3, missing=0.2), Design(300, cluster_size=3)]


SUITES: dict[str, tuple[Suite, list[Design]]] = {
    "paper": (paper, [Design(n, law) for n in (300, 1277) for law in PAPER]),
    "picks": (picks, grid()),
    "outlines": (
        outlines,
        [Design(60, law, k) for law in ("gaussian", "laplace", "skew") for k in (2, 3, 5)],
    ),
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
    "scores": (scores, [Design(n, law) for law in LAWS[:3] for n in (50, 200, 1000)]),
    "concentration": (
        concentrated,
        [Design(n, law) for n in (200, 1277) for law in EXCESS_LAWS],
    ),
    "swaps": (
        swapped,
        [Design(n, law) for n in (50, 200, 1277) for law in (*EXCESS_LAWS, "shared difficulty")],
    ),
    "concentration, other items": (
        concentrated_elsewhere,
        [Design(n, law) for n in (200, 1277) for law in EXCESS_LAWS],
    ),
    "shares": (shares, [Design(n, law) for n in (50, 200, 1277) for law in SHARES]),
    "scaling": (
        scaling,
        [
            Design(n, f"{law}, {noise}", rounds=seeds)
            for law in ("hinge", "power", "floor")
            for noise in ("2%", "5%")
            for n, seeds in ((8, 1), (12, 1), (12, 3))
        ]
        + [
            Design(12, f"{law}, 2%")
            for law in ("known floor", "floor within 5%", "floor within 10%", "floor 10% too high")
        ]
        + [Design(12, "floor, t3 and Huber, 2%"), Design(12, "broken, 2%", rounds=3)],
    ),
    "scaling choice": (
        scaling_choice,
        [Design(12, f"{law}, 2%", rounds=3) for law in ("power", "floor", "hinge", "broken")],
    ),
    "values": (values, value_grid()),
    "published": (published, [Design(n, law) for law in LAWS[:3] for n in (50, 200)]),
}
WHOLE = ("paper", "picks")  # suites of whole numbers


def run(
    suite: str, design: Design, repetitions: int, *, seed: int, n_jobs: int
) -> list[dict[str, object]]:
    """Return one row for each interval and test of a suite on one design."""
    # A series of models, or an outline, is no sample of annotation errors.
    known = design.law not in SCALING and suite != "outlines"
    moments = design.moments(scale=2.0, whole=suite in WHOLE) if known else (math.nan, math.nan)

    def one(rng: np.random.Generator) -> dict[str, Outcome]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnnostatWarning)
            return SUITES[suite][0](design, rng, moments)

    done = map_parallel(one, spawn(seed, repetitions), n_jobs=n_jobs)
    rows = []
    for name in dict.fromkeys(name for outcomes in done for name in outcomes):
        seen = [outcomes[name] for outcomes in done if name in outcomes]
        rate = float(np.mean([o.hit for o in seen]))
        rows.append(
            {
                "suite": suite,
                "what": name,
                **asdict(design),
                "repetitions": len(seen),
                "rate": round(rate, 5),
                "rate_se": round(math.sqrt(rate * (1 - rate) / len(seen)), 5),
                "relative_width": round(float(np.median([o.width for o in seen])), 5),
                "relative_bias": round(float(np.mean([o.error for o in seen])), 5),
            }
        )
    return rows


@click.command()
@click.argument("suites", nargs=-1)
@click.option("--quick", is_flag=True, help="Few repetitions of small designs; writes nothing.")
@click.option("--repetitions", default=400, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--n-jobs", default=-1, show_default=True)
@click.option("--out", type=Path, default=RESULTS, show_default=True)
def main(
    suites: tuple[str, ...], quick: bool, repetitions: int, seed: int, n_jobs: int, out: Path
) -> None:
    """Run the suites that are named, or all of them."""
    table = pd.read_csv(out) if out.exists() and not quick else pd.DataFrame()
    for suite in suites or SUITES:
        for design in SUITES[suite][1][:: 13 if quick else 1]:
            key = {"suite": suite, **asdict(design)}
            if len(table) and (table[list(key)] == pd.Series(key)).all(axis=1).any():
                continue
            rows = run(suite, design, 5 if quick else repetitions, seed=seed, n_jobs=n_jobs)
            table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
            if not quick:
                out.parent.mkdir(parents=True, exist_ok=True)
                write_text(out, table.to_csv(index=False))
            click.echo(f"{suite}: {design}")
            for row in rows:
                click.echo(f"  {row['what']:42s}{row['rate']:7.3f} ± {row['rate_se']:.3f}")


if __name__ == "__main__":
    main()
