"""Picks whose assumptions are broken on purpose: ``python -m analysis.calibration.pickers``.

The law of a design names the core, how raters give up and what they do besides, so that results
have the columns of the other suites: "laplace, independent, W 400, rate 0.02".
"""

from __future__ import annotations

from functools import partial

import numpy as np

import annostat
from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, Suite, covered, held
from analysis.calibration.runner import command_of

MAE = 1.5
CORES = ["laplace", "gaussian", "student-t", "symmetric-nb"]
N_TESTS = 39
BEAT = 25  # frames from one beat to the next


def parts(design: Design) -> tuple[list[str], dict[str, float]]:
    """Return the plain words of a law, and its words with a number."""
    words = [word.split() for word in design.law.split(", ")]
    return [w[0] for w in words if len(w) == 1], {w[0]: float(w[1]) for w in words if len(w) == 2}


def far(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """E|X| with far give-ups: the law known, the window fitted."""
    (core, way), given = parts(design)
    law = annostat.NoiseModel.with_mae(core, MAE)
    law = annostat.NoiseModel(core, law.parameters, way, given["rate"], window=int(given["W"]))
    rounds = annostat.Rounds.from_array(law.sample_errors((design.n, 2), rng=rng), unit="frames")
    fit = annostat.fit_noise(rounds, core, abandonment=way)
    outcomes = {"interval: mae": held(fit.mae, law.mae)}
    low, high = fit.mae.low or 0.0, fit.mae.high or np.inf
    outcomes["test: mae above the interval"] = Outcome(law.mae > high)
    outcomes["test: a limit stuck at the estimate"] = Outcome(
        bool(fit.model.rate) and (low > 0.99 * fit.mae.value or high < 1.01 * fit.mae.value)
    )
    return outcomes


def far_grid() -> list[Design]:
    """Return the designs: windows to 1,000, both ways of giving up, rare and rarer."""
    return [
        Design(n, f"laplace, {way}, W {w}, rate {rate}")
        for n, rate in ((200, 0.02), (1277, 0.005))
        for way in ("independent", "shared")
        for w in (50, 200, 400, 800, 1000)
    ]


def shared(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge the headline where items differ in difficulty, or where a beat may be the wrong one.

    "spread": SD of the log size that an item gives to the errors of all raters; "beats": the share
    of clips in which each rater picks the next beat in one case of two.
    """
    (core,), given = parts(design)
    shape = (design.n, design.rounds)
    scale = np.exp(rng.normal(0, given.get("spread", 0.0), (design.n, 1)))
    draw = {"gaussian": rng.normal, "laplace": rng.laplace}[core]
    wrong = (rng.random((design.n, 1)) < given.get("beats", 0.0)) & (rng.random(shape) < 0.5)
    beat = np.round(rng.normal(BEAT, 3, (design.n, 1)))
    errors = np.round(2 * scale * draw(size=shape)) + wrong * beat
    noise = annostat.compare_noise(
        annostat.Rounds.from_array(100 + errors), cores=CORES, n_tests=N_TESTS, rng=rng
    )
    x = (
        np.round(2 * np.exp(rng.normal(0, given.get("spread", 0.0), 200_000)) * draw(size=200_000))
        + (rng.random(200_000) < given.get("beats", 0.0) / 2) * BEAT
    )
    truth = float(np.abs(x).mean())
    words = {c.name: c.message for c in noise.checks}["abandonment"]
    return {
        "interval: headline": held(noise.envelope, truth),
        "interval: best model": held(noise.best.mae, truth),
        "test: goodness of fit": Outcome(noise.refuted),
        "said: annotators give up": Outcome(words.startswith("Annotators do")),
        "said: not settled": Outcome(words.startswith("Not settled")),
    }


def biased(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge the rows of `--by-rater`: the last rater is biased, and noisier by a ratio.

    Truths lie anywhere between two frames, so that biases of parts of a frame are what they are.
    """
    (core,), given = parts(design)
    k = design.rounds
    shift, size = np.zeros(k), np.full(k, 2.0)
    shift[-1], size[-1] = given.get("bias", 0.0), 2.0 * given.get("ratio", 1.0)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        own = {"gaussian": rng.normal, "laplace": rng.laplace, "t3": partial(rng.standard_t, 3)}
        x = size * own[core](size=(n, k))
        phase = rng.random((n, 1))
        return np.floor(60 + phase + x) - 60, np.floor(60 + phase + x + shift) - 60

    _, picks = drawn(design.n)
    noise = annostat.compare_noise(
        annostat.Rounds.from_array(picks + rng.integers(0, 50, (design.n, 1))),
        cores=CORES,
        n_tests=0,
        by_rater=True,
        rng=rng,
    )
    found = noise.by_rater
    if found is None:
        raise RuntimeError("no rows of raters")
    alone, moved = drawn(200_000)
    own = np.abs(alone - np.median(alone, axis=0)).mean(axis=0)
    names = list(found.mae)
    outcomes = {
        "interval: bias of the last": covered(
            found.bias[names[-1]], float(shift[-1] - shift.mean()), float(own[0])
        ),
        "interval: mae, one of them": held(
            found.one_of_them, float(np.abs(moved - np.median(moved)).mean())
        ),
        "interval: mae, first rater": held(found.mae[names[0]], float(own[0])),
        "interval: mae, last rater": held(found.mae[names[-1]], float(own[-1])),
    }
    for check in noise.checks:
        if check.name == "equal_raters":
            outcomes["test: equal raters"] = Outcome(check.passed is False)
    return outcomes


def skew_errors(law: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw whole-number errors of a law that is named; the last three are symmetric."""
    if law == "lateness":
        return rng.geometric(0.3, shape) - 1.0
    if law == "lateness-and-laplace":
        return np.round(rng.geometric(0.3, shape) - 1 + rng.laplace(0, 1.0, shape))
    if law == "gamma":
        return np.round(rng.gamma(2, 1.5, shape))
    if law == "split-normal":
        sizes = np.where(rng.random(shape) < 0.75, 3.0, -1.0)
        return np.round(sizes * np.abs(rng.normal(size=shape)))
    if law == "late-give-ups":
        gone = rng.random(shape) < 0.02
        return np.where(gone, rng.integers(0, 40, shape), np.round(rng.laplace(0, 2, shape)))
    if law == "unequal":
        return np.round(rng.laplace(0, 2, shape) * np.linspace(0.5, 2, shape[1]))
    draw = {"laplace": rng.laplace, "gaussian": rng.normal}[law]
    return np.round(2 * draw(size=shape))


def skewed(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge the floor about the median, and the size and power of the test of symmetry."""
    (law,), _ = parts(design)
    x = 100 + skew_errors(law, (design.n, design.rounds), rng)
    noise = annostat.compare_noise(
        annostat.Rounds.from_array(x), cores=CORES, abandonment="none", n_tests=0, rng=rng
    )
    many = skew_errors(law, (200_000, design.rounds), rng)
    truth = float(np.abs(many - np.median(many, axis=0)).mean())
    return {
        "interval: headline": held(noise.envelope, truth),
        "interval: best symmetric model": held(noise.best.mae, truth),
        "test: skew": Outcome(noise.skew is not None),
        "said: bracket": Outcome(noise.refuted),
    }


SUITES: dict[str, tuple[Suite, list[Design]]] = {
    "far": (far, far_grid()),
    "shared": (
        shared,
        [
            Design(n, f"{core}, {what}", k)
            for core, what in (
                ("gaussian", "spread 0.6"),
                ("laplace", "spread 0.6"),
                ("gaussian", "beats 0.1"),
                ("laplace", "beats 0.1"),
                ("laplace", "beats 0"),
            )
            for n, k in ((50, 2), (200, 2), (1000, 2), (200, 3))
        ],
    ),
    "biased": (
        biased,
        [
            Design(n, f"{core}, {case}", k)
            for core in ("gaussian", "laplace", "t3")
            for k in (2, 3)
            for case in ("bias 0", "bias 2.5", "bias 4, ratio 2")
            for n in (50, 300)
        ],
    ),
    "skewed": (
        skewed,
        [
            Design(n, law, k)
            for law in (
                "lateness",
                "lateness-and-laplace",
                "gamma",
                "split-normal",
                "late-give-ups",
                "laplace",
                "gaussian",
                "unequal",
            )
            for n, k in ((300, 3), (1277, 3), (300, 5))
        ],
    ),
}


main = command_of(SUITES, every=7)

if __name__ == "__main__":
    main()
