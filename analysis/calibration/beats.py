"""What `cardiac` prints: blind picks, the aFD, ejection fractions, the first frames."""

from __future__ import annotations

import functools
import math

import numpy as np

from analysis.calibration.designs import Design, moments
from analysis.calibration.outcomes import Outcome, covered, held
from annostat import cardiac

RESAMPLES = 599
NORMAL = 1.959964
CURVES = ("cosine", "two harmonics", "abrupt filling")


def beat_of(curve: str, phase: np.ndarray) -> np.ndarray:
    """Return the area at phases in [0, 1) of a beat, 0 being end-systole."""
    angle = 2 * np.pi * phase
    if curve == "cosine":
        return -np.cos(angle)
    if curve == "two harmonics":
        shifted = angle + PEAK
        return -np.cos(shifted) + 0.3 * np.cos(2 * shifted - 0.8)
    filling, contraction = 1 - np.exp(-8 * phase), (1 - np.cos(np.pi * (1 - phase) / 0.35)) / 2
    return np.where(phase < 0.65, filling, (1 - math.exp(-8 * 0.65)) * contraction)


def _harmonics_minimum() -> float:
    angle = np.linspace(-np.pi, np.pi, 2_000_001)
    return float(angle[np.argmin(-np.cos(angle) + 0.3 * np.cos(2 * angle - 0.8))])


PEAK = _harmonics_minimum()


def blind(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge a blind pick on one clip of n frames, in frames, by the end-systole nearest to it."""
    curve, _, noise = design.law.rpartition(", ")
    beat = rng.uniform(25, 50)
    start = rng.uniform(0, beat)
    t = np.arange(design.n)
    area = beat_of(curve, ((t - start) / beat) % 1.0)
    area = (area - area.mean()) / area.std() + float(noise) * rng.normal(size=design.n)
    pick = cardiac.pick_blind(area)
    if pick is None:
        return {"interval: blind pick": Outcome(False)}
    off = (pick.frame - start + beat / 2) % beat - beat / 2
    reach = NORMAL * pick.standard_error
    return {
        "interval: blind pick": Outcome(abs(off) <= reach, 2 * reach, off),
        "square: blind pick": Outcome(abs(off) <= reach, error=off**2),
    }


def afd(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge an average frame distance, its bias, wrong beats, and the excess over a floor.

    The floor is the aFD of a hundred other clips with the same law, so that the excess is 0.
    """
    mae, _ = moments(design, scale=2.0, whole=True)
    rounds, truth = design.sample(rng, scale=2.0, spread=20.0, whole=True)
    other, other_truth = Design(100, design.law).sample(rng, scale=2.0, spread=20.0, whole=True)
    seed = int(rng.integers(2**31))
    # Nearly a third of the blind picks are in a wrong beat, more in some patients than in others.
    codes = np.arange(design.n) // design.cluster_size
    often = rng.beta(3, 7, codes[-1] + 1)[codes] if design.cluster_size > 1 else 0.3
    picks = rounds.values[:, 0]
    floor = cardiac.score_afd(other.values[:, 0], other_truth, n_resamples=RESAMPLES, rng=seed)
    found = cardiac.score_afd(
        picks,
        truth,
        blind=truth + 32.0 * (rng.random(design.n) < often),
        beat=32.0,
        floor=floor.afd,
        cluster=rounds.cluster,
        n_resamples=RESAMPLES,
        rng=seed + 1,
    )
    assert found.wrong_beat is not None
    outcomes = {
        "interval: aFD": held(found.afd, mae),
        "interval: bias of picks": covered(found.bias, 0.0, mae),
        "interval: wrong beats": held(found.wrong_beat, 0.3),
    }
    seen = cardiac.score_afd(
        picks, truth, floor=floor.afd, cluster=rounds.cluster, n_resamples=RESAMPLES, rng=seed + 2
    )
    assert seen.excess is not None
    if design.cluster_size == 1:  # elsewhere the law of the other clips is another one
        outcomes["interval: excess over the floor"] = covered(seen.excess, 0.0, mae)
    return outcomes


@functools.cache
def ef_mae(design: Design) -> float:
    """Return E|X − U| of noise X and a Gaussian error U of the same SD."""
    rng = np.random.default_rng(20261128)
    draws = 2.0 * design.errors(rng, 1_000_000)[:, 0]
    if design.cluster_size > 1:
        draws *= rng.lognormal(0, 0.4, draws.size)
    return float(np.abs(draws - draws.std() * rng.normal(size=draws.size)).mean())


def ef(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge the scores of an ejection fraction that errs by as much as the reference does."""
    _, sigma = moments(design, scale=2.0)
    rounds, truth = design.sample(rng, scale=2.0, spread=2 * sigma)
    model = truth + sigma * rng.normal(size=design.n)
    found = cardiac.score_ef(
        model,
        rounds.values[:, 0],
        cluster=rounds.cluster,
        n_resamples=RESAMPLES,
        rng=int(rng.integers(2**31)),
    )
    return {
        "interval: r": held(found.correlation, 4 / 5),
        "interval: MAE": held(found.mae, ef_mae(design)),
        "interval: RMSE": held(found.rmse, math.sqrt(2) * sigma),
        "interval: bias": covered(found.bias, 0.0, sigma),
    }


FRAMES, HINGE, START, FLAT, SPREAD = 40, 10.0, 0.3, 0.1, 0.3


def first_frames(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Judge the hinge, the two errors, the band, and the gain of padding, on n clips.

    Frames err by a lognormal factor each and a gamma factor of the clip, or of the patient; with
    missing frames, clips end early.
    """
    t = np.arange(FRAMES)
    codes = np.arange(design.n) // design.cluster_size
    clip = rng.gamma(20, 1 / 20, codes[-1] + 1)[codes][:, None]
    ends = np.where(
        rng.random(design.n) < 2 * design.missing, rng.integers(1, FRAMES + 1, design.n), FRAMES
    )

    def errors(start: float, hinge: float) -> tuple[np.ndarray, np.ndarray]:
        mean = FLAT + (start - FLAT) * np.maximum(1 - t / hinge, 0)
        table = mean * clip * rng.lognormal(0, SPREAD, (design.n, FRAMES))
        return mean * math.exp(SPREAD**2 / 2), np.where(t < ends[:, None], table, np.nan)

    true, plain = errors(START, HINGE)
    true_padded, padded = errors(0.15, 2.0)
    found = cardiac.first_frames(
        plain,
        padded=padded,
        cluster=None if design.cluster_size == 1 else codes.tolist(),
        n_resamples=RESAMPLES,
        rng=int(rng.integers(2**31)),
    )
    shown = found.mean.size
    band = bool(((found.low <= true[:shown]) & (true[:shown] <= found.high)).all())
    early = max(1, math.ceil(found.hinge.value))
    assert found.gain is not None
    gain = float((true - true_padded)[:early].mean())
    return {
        "interval: hinge": held(found.hinge, HINGE),
        "interval: error at frame 0": held(found.start, float(true[0])),
        "interval: error when flat": held(found.flat, float(true[-1])),
        "interval: band of the whole curve": Outcome(band),
        "interval: gain of padding": held(found.gain, gain),
    }


PICKED = ("gaussian", "laplace", "laplace + 1/300", "t3")
SUITES = {
    "blind": (
        blind,
        [Design(96, f"{curve}, {noise}") for curve in CURVES for noise in (0, 0.1, 0.2, 0.4)],
    ),
    "afd": (
        afd,
        [Design(n, law) for law in PICKED for n in (20, 50, 200, 1000)]
        + [Design(n, law, cluster_size=3) for law in PICKED[:2] for n in (60, 300)],
    ),
    "ef": (
        ef,
        [Design(n, law) for law in PICKED[:2] for n in (20, 50, 200)]
        + [Design(n, law, cluster_size=3) for law in PICKED[:2] for n in (60, 300)],
    ),
    "first frames": (
        first_frames,
        [Design(n, "lognormal") for n in (20, 60, 200)]
        + [Design(60, "lognormal", missing=0.2)]
        + [Design(n, "lognormal", cluster_size=3) for n in (60, 180)],
    ),
}
