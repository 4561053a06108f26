"""What STAPLE prints of each rater: sensitivity, specificity and their intervals."""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy import ndimage, special

import annostat
from analysis.calibration.designs import Design
from analysis.calibration.masks import OUTLINES
from analysis.calibration.outcomes import Outcome, covered
from annostat.consensus import staple

SIDE, RADII = 40, (8.0, 15.0)  # of the image, and of the disc that is the truth
WRONG = ((0.05, 0.02), (0.1, 0.01), (0.2, 0.005), (0.03, 0.1), (0.15, 0.05))  # misses, false marks
REACH = 2.0  # pixels, over which errors are alike where they are
DIFFER = 0.4  # SD of the logarithm of a rater's rate of errors over items, where they differ
POINT = 0.01
SHOWN = (0, 2)  # raters whose intervals are judged


def uniforms(shape: tuple[int, ...], reach: float, rng: np.random.Generator) -> np.ndarray:
    """Return a uniform number for each pixel, alike over `reach` pixels."""
    field = rng.normal(size=shape)
    if reach:
        impulse = np.zeros(shape[1:])
        impulse[0, 0] = 1.0
        blur = functools.partial(ndimage.gaussian_filter, mode="wrap")
        spread = math.sqrt(float((blur(impulse, reach) ** 2).sum()))
        field = blur(field, (0.0, reach, reach)) / spread
    return np.asarray(special.ndtr(field))


def draw(design: Design, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the truth and the masks of raters who err pixel by pixel, given the truth."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    truth = np.hypot(y, x) < rng.uniform(*RADII, design.n)[:, None, None]
    reach = REACH if design.law == "neighbours alike" else 0.0
    masks = []
    for miss, false_mark in WRONG[: design.rounds]:
        rate = np.where(truth, miss, false_mark)
        if design.law == "items differ":
            factor = rng.lognormal(-(DIFFER**2) / 2, DIFFER, (design.n, 1, 1))
            rate = np.minimum(rate * factor, 0.9)
        masks.append(truth ^ (uniforms(truth.shape, reach, rng) < rate))
    return truth, np.array(masks)


@functools.cache
def quality_of_outlines(n_raters: int) -> tuple[float, float]:
    """Return sensitivity and specificity against the truth, within boxes, from 1,000 items."""
    rounds, truth = annostat.simulate_masks(1000, n_raters, rng=20261128, **OUTLINES)
    masks = rounds.values.astype(bool)
    box = np.zeros_like(truth)
    for i, marked in enumerate(masks.any(axis=0)):
        rows, columns = (np.flatnonzero(marked.any(axis=axis)) for axis in (1, 0))
        box[i, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    outside = box & ~truth
    return float(masks[:, truth].mean()), float(1 - masks[:, outside].mean())


def judge(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge the intervals of two raters; errors and widths in percentage points."""
    outcomes = {}
    if design.law == "outlines":
        rounds, _ = annostat.simulate_masks(design.n, design.rounds, rng=rng, **OUTLINES)
        truths = [quality_of_outlines(design.rounds)] * design.rounds
        found = {"": staple(rounds, region="box")}
    else:
        truth, masks = draw(design, rng)
        truths = [(1 - miss, 1 - false_mark) for miss, false_mark in WRONG]
        found = {"": staple(masks), ", prior known": staple(masks, prior=float(truth.mean()))}
    for prior, quality in found.items():
        for rater in SHOWN:
            given = (quality.sensitivity[rater], quality.specificity[rater])
            for name, estimate, true in zip(
                ("sensitivity", "specificity"), given, truths[rater], strict=True
            ):
                key = f"interval: {name} of rater {rater + 1}{prior}"
                outcomes[key] = covered(estimate, true, POINT)
    return outcomes


SIZES = {  # items and raters
    "pixels independent": ((1, 3), (1, 5), (2, 3), (4, 3), (12, 3), (12, 5), (30, 3), (30, 5)),
    "neighbours alike": ((1, 3), (2, 3), (4, 3), (12, 3), (30, 3), (30, 5)),
    "items differ": ((4, 3), (12, 3), (30, 5)),
    "outlines": ((12, 3), (30, 3), (30, 5)),
}
SUITES = {
    "staple": (judge, [Design(n, law, k) for law, sizes in SIZES.items() for n, k in sizes]),
}
