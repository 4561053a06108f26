"""Calibration of points: floors of radial errors, ceilings of success rates, errors of models.

    python -m analysis.calibration.points [SUITE] [--quick] [--repetitions N] [--out FILE.csv]

`floors`: brackets and limits of mean and RMS radial error and of success rates. `models`: intervals
of E|f − Y|² by cross products, and how often the truth itself is accused. `biases`: how often
readers without a bias are said to have one, and readers with one are found. `oks`: limits of object
keypoint similarity. `lengths`: the noise of the distance between two landmarks.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, Suite
from analysis.calibration.runner import command_of
from annostat.ceilings import point_bounds
from annostat.labels import Points
from annostat.results import Interval
from annostat.truth import score_points

LARGE = 400_000
RESAMPLES = 400
LAWS = ("gaussian", "laplace", "t5", "elongated", "three dimensions")


def noise(law: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return noise of shape (*shape, d) under a named law."""
    if law == "three dimensions":
        return rng.normal(size=(*shape, 3))
    if law == "laplace":
        return rng.laplace(size=(*shape, 2))
    if law == "t5":
        return rng.standard_t(5, size=(*shape, 2))
    found = rng.normal(size=(*shape, 2))
    return found * (4.0, 1.0) if law == "elongated" else found


def drawn(
    design: Design, rng: np.random.Generator, shift: float = 0.0
) -> tuple[Points, np.ndarray]:
    """Return points of a design and the truth behind them; the first reader is off by `shift`."""
    law = design.law
    x = noise(law, (design.n, design.rounds), rng)
    truth = rng.uniform(0, 100, (design.n, x.shape[2]))
    z = truth[:, None] + x
    z[:, 0, 0] += shift
    cluster = None
    if design.cluster_size > 1:
        cluster = [f"c{i // design.cluster_size}" for i in range(design.n)]
    z[rng.random(z.shape[:2]) < design.missing] = np.nan
    return Points.from_array(z, cluster=cluster), truth


@functools.cache
def truths(law: str) -> tuple[float, float, np.ndarray]:
    """Return E|X|, √E|X|² and |X| of many draws."""
    r = np.sqrt((noise(law, (LARGE, 1), np.random.default_rng(0))[:, 0] ** 2).sum(axis=1))
    return float(r.mean()), float(np.sqrt((r**2).mean())), r


def floors(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether limits of floors and ceilings hold the perfect model's."""
    mean, rms, r = truths(design.law)
    t = float(np.median(r))
    points = drawn(design, rng)[0]
    found = point_bounds(points, thresholds=[t, 2 * t], n_resamples=RESAMPLES, rng=rng)
    out = {}
    wanted = [("mean", mean, found["mean"]), ("rms", rms, found["rms"])]
    wanted += [
        (f"success at {i + 1}", float((r <= x.threshold).mean()), x)
        for i, x in enumerate(found.success())
        if x.threshold is not None
    ]
    for name, truth, limit in wanted:
        out[f"interval: {name}"] = limits(limit.interval, truth, truth)
    return out


def limits(interval: Interval | None, truth: float, scale: float = 1.0) -> Outcome:
    """Return whether limits hold, with their width; those that are not given claim nothing."""
    if interval is None:
        return Outcome(True, printed=False)
    return Outcome(truth in interval, (interval.high - interval.low) / scale)


def models(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether intervals of E|f − Y|² hold, and what the truth is called."""
    points, truth = drawn(design, rng)
    off = truth + np.r_[1.5, np.zeros(truth.shape[1] - 1)]
    given = {"truth": truth, "off": off}
    found = score_points(points, given, n_resamples=RESAMPLES, rng=rng)
    out = {}
    for name, square in (("truth", 0.0), ("off", 2.25)):
        out[f"interval: {name}"] = limits(found[name].squared_error.interval, square)
        out[f"test: {name} is above"] = Outcome(found[name].verdict.name == "above the floor")
    return out


def oks(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether limits of OKS hold: objects of size 10, one constant."""
    points = drawn(design, rng)[0]
    points = replace(points, scale=np.full(len(points.values), 10.0))
    found = point_bounds(points, thresholds=[1.0], oks=0.1, n_resamples=19, rng=rng)["oks"]
    r = truths(design.law)[2]
    return {"interval: oks": limits(found.interval, float(np.exp(-(r**2) / 2).mean()))}


def lengths(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return whether intervals of the noise of a length hold: ends 40 apart in x."""
    x = noise(design.law, (design.n * 2, design.rounds), rng)
    z = np.stack([x[: design.n], x[design.n :]], axis=2)
    z[:, :, 1, 0] += 40.0
    cluster = None
    if design.cluster_size > 1:
        cluster = [f"c{i // design.cluster_size}" for i in range(design.n)]
    z[rng.random(z.shape[:3]) < design.missing] = np.nan
    ends = ("point_1", "point_2")
    found = point_bounds(
        Points.from_array(z, cluster=cluster),
        thresholds=[1.0],
        lengths=[ends],
        n_resamples=RESAMPLES,
        rng=rng,
    ).lengths[0]
    sd, mae = of_length(design.law)
    return {
        "interval: SD of a length": limits(found.sd.interval, sd, sd),
        "interval: floor of its MAE": limits(found.mae.interval, mae, mae),
    }


@functools.cache
def of_length(law: str) -> tuple[float, float]:
    """Return the SD of the noise of a length and its mean absolute value."""
    x = noise(law, (LARGE, 2), np.random.default_rng(0))
    away = x[:, 1] - x[:, 0]
    away[:, 0] += 40.0
    length = np.sqrt((away**2).sum(axis=1))
    return float(length.std()), float(np.abs(length - length.mean()).mean())


def biases(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Return how often a bias is seen, without one and with one of 0.5."""
    out = {}
    for name, shift in (("test: no bias", 0.0), ("power: bias of 0.5", 0.5)):
        points = drawn(design, rng, shift)[0]
        found = point_bounds(points, thresholds=[1.0], n_resamples=19, rng=rng).biases
        seen = [b.p_value is not None and b.p_value < 0.05 for b in found]
        out[name] = Outcome(any(seen))
    return out


def _grid(sizes: tuple[int, ...], rounds: tuple[int, ...]) -> list[Design]:
    found = [Design(n, law, k) for law in LAWS for k in rounds for n in sizes]
    found += [Design(n, law, 3, 0.2) for law in LAWS[:2] for n in sizes]
    return found + [Design(n, law, 2, 0.0, 4) for law in LAWS[:2] for n in sizes]


SUITES: dict[str, tuple[Suite, list[Design]]] = {
    "floors": (floors, _grid((20, 50, 200), (2, 4))),
    "models": (models, _grid((20, 50, 200), (2, 4))),
    "oks": (oks, _grid((20, 50, 200), (2, 4))),
    "lengths": (lengths, _grid((20, 50, 200), (2, 4))),
    "biases": (biases, _grid((20, 100), (2, 4))),
}
main = command_of(SUITES)

if __name__ == "__main__":
    main()
