"""What `masks` prints of raters with each other, and of models beside the ceiling."""

from __future__ import annotations

import functools
import math

import numpy as np

import annostat
from analysis.calibration.designs import Design
from analysis.calibration.masks import OUTLINES, perfect_dice
from analysis.calibration.outcomes import Outcome, covered, held
from annostat.labels import MaskRounds
from annostat.masks import dice, iou, overlap
from annostat.truth import compare_masks

RESAMPLES = 599
THOUSANDTH = 0.001
METRICS = {
    "Dice": "dice",
    "IoU": "iou",
    "distance": "surface_distance",
    "95% Hausdorff": "hausdorff_95",
}


def shrunk(truth: np.ndarray) -> np.ndarray:
    """Return masks that are too small by a pixel on each side."""
    inner = truth.copy()
    for axis in (1, 2):
        inner &= np.roll(truth, 1, axis) & np.roll(truth, -1, axis)
    return np.asarray(inner)


@functools.cache
def truths(law: str) -> dict[str, float]:
    """Return the means of the law, from 1,500 items of a fixed seed, that of `perfect_dice`."""
    rounds, truth = annostat.simulate_masks(1500, 2, law=law, rng=20261125, **OUTLINES)
    pair = overlap(*rounds.values, n_resamples=0).summary
    small = shrunk(truth)
    found = {name: pair[1, metric, "mean"].value for name, metric in METRICS.items()}
    found["perfect"] = perfect_dice(law)
    found["perfect, IoU"] = float(np.mean([iou(values, truth) for values in rounds.values]))
    found["shrunk"] = float(np.mean([dice(values, small) for values in rounds.values]))
    return found


def draw(design: Design, rng: np.random.Generator) -> tuple[MaskRounds, np.ndarray]:
    """Draw masks and their truth; in clusters the difficulty is the patient's."""
    kind = {"n_raters": design.rounds, "law": design.law, "rng": rng}
    if design.cluster_size == 1:
        return annostat.simulate_masks(design.n, **kind, **OUTLINES)
    parts = []
    spread = OUTLINES["difficulty_sd"]
    for _ in range(design.n // design.cluster_size):
        noise = OUTLINES["noise_px"] * math.exp(rng.normal(0.0, spread) - spread**2)
        parts.append(annostat.simulate_masks(design.cluster_size, noise_px=noise, **kind))
    values = np.concatenate([rounds.values for rounds, _ in parts], axis=1)
    cluster = np.repeat([f"c{i}" for i in range(len(parts))], design.cluster_size)
    arrays = {f"rater_{r + 1}": masks for r, masks in enumerate(values)}
    rounds = MaskRounds.from_arrays(arrays, cluster=cluster.tolist())
    return rounds, np.concatenate([truth for _, truth in parts])


def compare(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Compare raters, and a perfect and a shrunken model with the ceiling.

    Distances are measured between two raters only; the gap is in thousandths of Dice.
    """
    true = truths(design.law)
    rounds, truth = draw(design, rng)
    found = compare_masks(
        rounds,
        models={"perfect": truth, "shrunk": shrunk(truth)},
        surface=design.rounds == 2,
        n_resamples=RESAMPLES,
        rng=int(rng.integers(2**31)),
    )
    pair = found.pairs["rater_1", "rater_2"].summary
    outcomes = {
        f"interval: {name} of two raters": held(pair[1, metric, "mean"], true[name])
        for name, metric in METRICS.items()
        if (1, metric, "mean") in pair
    }
    outcomes["interval: ceiling of IoU"] = held(found.ceilings[1].iou, true["perfect, IoU"])
    for score in found.models:
        of = f"of a {score.name} model"
        outcomes[f"interval: Dice {of}"] = held(score.dice, true[score.name])
        gap = true["perfect"] - true[score.name]
        outcomes[f"interval: gap {of}"] = covered(score.gap, gap, THOUSANDTH)
    gap = found.models[1].gap.interval
    outcomes["test: shrunk model is below"] = Outcome(gap is not None and gap.low > 0)
    return outcomes


SUITES = {
    "compare": (
        compare,
        [
            *(Design(n, "gaussian", 2) for n in (12, 30)),
            Design(30, "laplace", 2),
            Design(30, "gaussian", 3),
            Design(60, "gaussian", 3, cluster_size=3),
            Design(30, "gaussian", 5),
        ],
    ),
}
