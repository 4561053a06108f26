"""Calibration of findings: ceilings of F1 and of sensitivity, the check of readers' appetites.

    python -m analysis.calibration.findings [SUITE] [--quick] [--repetitions N] [--out FILE.csv]

`f1`: limits of two readers' F1 and of its ceiling. `froc`: limits of the best sensitivity at false
positives per image. `appetites`: readers whose odds of marking differ, and how often that is seen.
`named`: limits of the ceiling against each of them, and whether it is seen that one differs by more
than his odds. `detectors`: the difference of two detectors on the same images.
Images hold four findings on average, unequally; what nobody marks is not seen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, Suite
from analysis.calibration.runner import command_of
from annostat.ceilings import finding_bounds
from annostat.labels import Findings, Read
from annostat.results import Interval
from annostat.truth import score_findings

Detector = Callable[[np.ndarray], np.ndarray]
LARGE = 400_000
PER_IMAGE = 4.0
RATES = (0.5, 1.0)
LAWS = ("beta(.7,.7)", "clear and faint", "all alike", "edge")


def probabilities(law: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return how likely findings are to be marked, under a named law."""
    if law == "beta(.7,.7)":
        return rng.beta(0.7, 0.7, n)
    if law == "clear and faint":
        return np.where(rng.random(n) < 0.15, 0.98, rng.beta(1, 20, n))
    if law == "all alike":
        return np.full(n, 0.7)
    if law == "edge":
        return np.where(rng.random(n) < 0.1, 0.8, 0.002)
    raise ValueError(law)


def simulated(
    law: str,
    n: int,
    k: int,
    rng: np.random.Generator,
    *,
    odds: tuple[float, ...] = (),
    cluster_size: int = 1,
    missing: float = 0.0,
    noisy: bool = False,
    detectors: tuple[Detector, ...] = (),
    score_noise: float | None = None,
) -> Findings:
    """Return marks of k readers on n images, as points far from each other on a line.

    `missing`: share of the images that a reader did not see. `noisy`: the first reader's
    probabilities are halfway to one half. `detectors`: what is marked for which probabilities.
    `score_noise`: each mark has a score, the probability and Gaussian noise.
    """
    units = max(n // cluster_size, 4)
    image_of = np.arange(n) % units
    m = rng.poisson(PER_IMAGE * rng.gamma(1, 1, units)[image_of])
    image = np.repeat(np.arange(n), m)
    p = probabilities(law, len(image), rng)[:, None]
    if odds:
        o = p / np.maximum(1 - p, 1e-9) * np.array(odds)
        p = o / (1 + o)
    each = np.repeat(p, k, axis=1) if p.shape[1] == 1 else p
    if noisy:
        each[:, 0] = 0.25 + 0.5 * each[:, 0]
    saw = rng.random((n, k)) >= missing
    if detectors:
        each = np.column_stack([each, *(d(p.mean(axis=1)) for d in detectors)])
        saw = np.column_stack([saw, np.ones((n, len(detectors)), dtype=bool)])
    finding, reader = np.nonzero((rng.random(each.shape) < each) & saw[image])
    x = 10.0 * finding + rng.uniform(-0.2, 0.2, len(finding))
    score = None
    if score_noise is not None:
        score = (p.mean(axis=1) + rng.normal(0, score_noise, len(p)))[finding]
    cluster = None
    if cluster_size > 1:
        cluster = np.array([f"p{u}" for u in image_of], dtype=object)
    return Findings(
        "point",
        x[:, None],
        image[finding],
        reader,
        tuple(f"r{j + 1}" for j in range(each.shape[1])),
        np.array([f"i{i:05d}" for i in range(n)], dtype=object),
        saw,
        cluster=cluster,
        score=score,
    )


def flipped(share: float) -> Detector:
    """Return a detector that marks what is likelier than 0.4, and errs in a share of findings."""
    return lambda p: np.where(p > 0.4, 1 - share, share)


@functools.cache
def best_named(law: str, odds: float) -> float:
    """Return the best F1 against a reader whose odds are multiplied."""
    p = np.minimum(probabilities(law, LARGE, np.random.default_rng(0)), 1 - 1e-9)
    p = p * odds / (1 - p + p * odds)
    return float(brentq(lambda t: np.maximum(2 * p - t, 0).sum() - t * p.sum(), 1e-6, 1 - 1e-9))


def f1_of(law: str, share: float) -> float:
    """Return the F1 of `flipped` against one reader."""
    p = _mean_probability(law, ())
    d = flipped(share)(p)
    return float(2 * (d * p).sum() / (d.sum() + p.sum()))


@functools.cache
def best_f1(law: str, odds: tuple[float, ...] = ()) -> float:
    """Return the best F1 against one reader at random."""
    p = _mean_probability(law, odds)
    return float(brentq(lambda t: np.maximum(2 * p - t, 0).sum() - t * p.sum(), 1e-6, 1 - 1e-9))


@functools.cache
def best_sensitivity(law: str, rate: float) -> float:
    """Return the best sensitivity at false positives per image."""
    p = np.sort(_mean_probability(law, ()))[::-1]
    wrong = np.cumsum(1 - p) / len(p) * PER_IMAGE
    return float(np.interp(rate, wrong, np.cumsum(p) / p.sum()))


@functools.cache
def two_readers(law: str) -> float:
    """Return the F1 of two readers."""
    p = _mean_probability(law, ())
    return float((p**2).sum() / p.sum())


def _mean_probability(law: str, odds: tuple[float, ...]) -> np.ndarray:
    p = probabilities(law, LARGE, np.random.default_rng(0))
    if not odds:
        return p
    o = (p / np.maximum(1 - p, 1e-9))[:, None] * np.array(odds)
    return np.asarray((o / (1 + o)).mean(axis=1))


def of_design(design: Design, rng: np.random.Generator) -> Findings:
    """Return the marks of a design."""
    return simulated(
        design.law,
        design.n,
        design.rounds,
        rng,
        cluster_size=design.cluster_size,
        missing=design.missing,
    )


def limits(interval: Interval | None, truth: float) -> Outcome:
    """Return whether limits hold; those that are not given claim nothing."""
    if interval is None:
        return Outcome(True, printed=False)
    return Outcome(truth in interval, interval.high - interval.low)


def f1(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether limits of F1 hold."""
    labels = of_design(design, rng)
    found = finding_bounds(labels, "distance 1", false_positives=())
    two = found.f1.two_raters
    return {
        "interval: two readers": limits(
            None if two is None else two.interval, two_readers(design.law)
        ),
        "interval: ceiling": limits(found.f1.interval, best_f1(design.law)),
    }


def froc(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether limits of the best sensitivity hold."""
    found = finding_bounds(of_design(design, rng), "distance 1", false_positives=RATES)
    return {
        f"interval: sensitivity at {s.false_positives:g}": limits(
            s.interval, best_sensitivity(design.law, s.false_positives)
        )
        for s in found.froc
    }


def appetites(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether limits hold where odds of marking differ, and how often that is seen."""
    law, _, how = design.law.partition(", ")
    k = design.rounds
    odds = tuple(np.geomspace(0.5, 2.0, k).tolist()) if how else ()
    found = finding_bounds(
        simulated(law, design.n, k, rng, odds=odds), "distance 1", false_positives=()
    )
    seen = next(c for c in found.checks if c.name == "appetite").passed is False
    return {
        "interval: ceiling against one at random": limits(found.f1.interval, best_f1(law, odds)),
        "test: appetites differ" if not how else "power: appetites differ": Outcome(seen),
    }


def named(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether limits against named readers hold, and whether a noisy one is seen."""
    law, _, noisy = design.law.partition(", ")
    k = design.rounds
    odds = tuple(np.geomspace(0.5, 2.0, k).tolist())
    drawn = functools.partial(
        simulated, law, design.n, k, rng, odds=odds, cluster_size=design.cluster_size
    )
    found = finding_bounds(drawn(noisy=bool(noisy)), "distance 1", false_positives=())
    seen = next(c for c in found.checks if c.name == "odds").passed is False
    if noisy:
        return {"power: more than odds": Outcome(seen)}
    ends = {"least": 0, "most": k - 1}
    limits_of = {
        f"interval: against the one who marks {word}": limits(
            found.named[j].interval, best_named(law, odds[j])
        )
        for word, j in ends.items()
    }
    return limits_of | {"test: more than odds": Outcome(seen)}


def detectors(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether intervals of the difference of two detectors hold, and false alarms."""
    shares = (0.1, 0.1, 0.25)
    labels = simulated(
        design.law,
        design.n,
        design.rounds,
        rng,
        cluster_size=design.cluster_size,
        detectors=tuple(flipped(s) for s in shares),
    )
    models = labels.names[design.rounds :]
    read = Read("simulated", design.n, ("image",), labels.names[: design.rounds], models)
    found = score_findings(replace(labels, read=read), "distance 1", false_positives=())
    f1 = [f1_of(design.law, s) for s in shares]
    same, other = found.comparisons[0], found.comparisons[1]
    return {
        "interval: F1 of a detector": limits(found.scores[0].f1.interval, f1[0]),
        "interval: difference of equals": limits(same.difference.interval, 0.0),
        "interval: difference": limits(other.difference.interval, f1[0] - f1[2]),
        "power: difference": Outcome(other.p_value is not None and other.p_value < 0.05),
    }


SCORE_NOISE = 0.25  # SD of what a detector's score has on top of the probability


def scored(design: Design, rng: np.random.Generator) -> Findings:
    """Return marks of readers, and of a detector whose score is the probability and some noise."""
    labels = simulated(
        design.law,
        design.n,
        design.rounds,
        rng,
        cluster_size=design.cluster_size,
        detectors=(lambda p: np.ones(len(p)),),
        score_noise=SCORE_NOISE,
    )
    names = labels.names
    read = Read("simulated", design.n, ("image",), names[:-1], names[-1:])
    return replace(labels, read=read)


@functools.cache
def true_sensitivity(law: str, rate: float) -> float:
    """Return the sensitivity of the detector at false positives per image."""
    rng = np.random.default_rng(0)
    p = probabilities(law, LARGE, rng)
    p = p[np.argsort(-(p + rng.normal(0, SCORE_NOISE, len(p))), kind="stable")]
    wrong = np.cumsum(1 - p) / len(p) * PER_IMAGE
    return float(np.interp(rate, wrong, np.cumsum(p) / p.sum()))


def curves(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether limits of the sensitivity of a detector that is cut hold."""
    found = score_findings(scored(design, rng), "distance 1", false_positives=RATES).scores[0]
    return {
        f"interval: sensitivity, cut at {at.rate:g}": limits(
            at.sensitivity.interval, true_sensitivity(design.law, at.rate)
        )
        for at in found.froc
    }


def _grid(sizes: tuple[int, ...], rounds: tuple[int, ...]) -> list[Design]:
    return [Design(n, law, k) for law in LAWS for k in rounds for n in sizes]


SUITES: dict[str, tuple[Suite, list[Design]]] = {
    "f1": (
        f1,
        [
            *_grid((50, 300), (2, 3, 4, 5)),
            *(Design(n, law, k, 0.0, 3) for law in LAWS for k in (2, 3, 5) for n in (90, 300)),
            *(Design(n, law, k, 0.3) for law in LAWS for k in (3, 5) for n in (50, 300)),
        ],
    ),
    "froc": (
        froc,
        [
            *_grid((50, 200), (2, 3, 4, 5)),
            *(Design(n, law, 3, 0.0, 3) for law in LAWS for n in (90, 300)),
        ],
    ),
    "appetites": (
        appetites,
        [
            Design(n, f"{law}{how}", 3)
            for law in LAWS[:3]
            for how in ("", ", other odds")
            for n in (50, 200)
        ],
    ),
    "named": (
        named,
        [
            *_grid((50, 200), (2, 3, 5)),
            *(Design(n, law, 3, 0.0, 3) for law in LAWS for n in (90, 300)),
            *(Design(n, f"{law}, noisy", k) for law in LAWS[:2] for k in (3, 5) for n in (50, 200)),
        ],
    ),
    "detectors": (
        detectors,
        [
            *_grid((30, 100), (2, 3)),
            *(Design(n, law, 3, 0.0, 3) for law in LAWS for n in (90, 300)),
        ],
    ),
    "curves": (
        curves,
        [
            *_grid((30, 100), (2, 3)),
            *(Design(n, law, 3, 0.0, 3) for law in LAWS for n in (90, 300)),
        ],
    ),
}
main = command_of(SUITES)

if __name__ == "__main__":
    main()
