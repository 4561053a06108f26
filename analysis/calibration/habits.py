"""Masks by raters with habits: ``python -m analysis.calibration.habits``.

The law of a design names the noise, how many pixels the largest rater draws outside of the
smallest, and what else is broken: "gauss, 4 px", "gauss, 2 px, ratio 2", "gauss, 1 px, small",
"laplace, 2 px", "gauss, 2 px, place 1", "gauss, 1 px, radius 9", "gauss, 1 px, radius 9, noise
0.5". Outlines are ellipses that waver (2 px; small ones, whose half axes are 6 px ± 25%, or of the
radius that is given, 1 px), items differ in difficulty, 112 × 112 pixels.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection

import numpy as np
from scipy import stats

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, covered, held
from analysis.calibration.runner import command_of
from annostat.ceilings import dice_ceiling
from annostat.interchange import interchange
from annostat.labels import MaskRounds
from annostat.masks import dice
from annostat.truth import compare_masks

SIDE, ANGLES = 112, 180
PLACED = ("true masks", "a fresh rater")
OFFSETS = np.arange(-1.0, 1.01, 0.25)
Y, X = np.indices((SIDE, SIDE)).astype(np.float64)


def options_of(design: Design) -> tuple[str, np.ndarray, np.ndarray, dict[str, float]]:
    """Return the law, each rater's habit in px, each one's noise ratio, and what else there is."""
    law, span, *rest = design.law.split(", ")
    given = {word.split()[0]: float([*word.split(), "1"][1]) for word in rest}
    k = design.rounds
    half = float(span.split()[0]) / 2
    ratio = np.linspace(1, given.get("ratio", 1.0), k)
    return law, np.linspace(half, -half, k), ratio / np.sqrt(np.mean(ratio**2)), given


def waves(law: str, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw smooth processes along an outline, of variance 1, shape (k, ANGLES)."""
    turn = np.minimum(np.arange(ANGLES), ANGLES - np.arange(ANGLES)) * 2 * np.pi / ANGLES
    spectrum = np.fft.fft(np.exp(-(turn**2) / (2 * 0.5**2))).real
    root = np.sqrt(np.maximum(spectrum, 0.0))
    wave = np.fft.ifft(np.fft.fft(rng.standard_normal((k, ANGLES)), axis=1) * root, axis=1).real
    if law == "laplace":
        wave = stats.laplace.ppf(stats.norm.cdf(wave), scale=0.5**0.5)
    return np.asarray(wave)


def drawn(
    design: Design,
    rng: np.random.Generator,
    models: bool = False,
    offsets: np.ndarray | None = None,
    asked: Collection[str] | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draw masks of the raters (k, n, H, W), and by name models', or truths off by `offsets`.

    Of the models those that are `asked` for, all by default.
    """
    law, habit, ratio, given = options_of(design)
    k, n = design.rounds, design.n
    axes, noise = (18.0, 36.0), 2.0
    if "small" in given or "radius" in given:
        middle = given.get("radius", 6.0)
        axes, noise = (0.75 * middle, 1.25 * middle), given.get("noise", 1.0)
    theta = np.arange(ANGLES) * 2 * np.pi / ANGLES
    place = given.get("place", 0.0) * 2**0.5
    turns = np.arange(k)[:, None] * 2 * np.pi / k
    local = place * np.cos(2 * theta + turns)
    out = np.zeros((k, n, SIDE, SIDE), bool)
    others: dict[str, np.ndarray] = {}
    for i in range(n):
        a, b = rng.uniform(*axes, 2)
        tilt = rng.uniform(0, np.pi)
        radius = a * b / np.hypot(b * np.cos(theta - tilt), a * np.sin(theta - tilt))
        scale = noise * np.exp(rng.normal(0, 0.3) - 0.09)
        wave = scale * waves(law, k + 1, rng)
        raters = radius + ratio[:, None] * wave[:k] + habit[:, None] + local
        made = {}
        if models:
            made = {
                "true masks": radius,
                "truth with A's habit": radius + habit[0] + local[0],
                "half the noise": radius + 0.5 * wave[k],
                "a fresh rater": radius + wave[k],
                "a copy of A": raters[0],
                "mean outline": raters.mean(axis=0),
                "half truth, half A": 0.5 * radius + 0.5 * raters[0],
            }
            made = {m: f for m, f in made.items() if asked is None or m in asked}
        if offsets is not None:
            made = {str(q): radius + c for q, c in enumerate(offsets)}
        centre = SIDE / 2 - 0.5 + rng.uniform(-0.5, 0.5, 2)
        dy, dx = Y - centre[0], X - centre[1]
        angle, far = np.arctan2(dy, dx) % (2 * np.pi) * ANGLES / (2 * np.pi), np.hypot(dy, dx)
        before = np.minimum(angle.astype(np.int64), ANGLES - 1)
        part = angle - before
        for name, outline in [*enumerate(raters), *made.items()]:
            after = np.append(outline, outline[0])
            mask = far < after[before] * (1 - part) + after[before + 1] * part
            if isinstance(name, int):
                out[name, i] = mask
            else:
                others.setdefault(str(name), np.zeros((n, SIDE, SIDE), bool))[i] = mask
    return out, others


@functools.cache
def perfect(law: str, rounds: int) -> tuple[float, np.ndarray]:
    """Return the Dice of true outlines at their best offset: against one at random, first, last.

    Against a rater the outline has that rater's habit, but for those of a place.
    """
    design = Design(400, law, rounds)
    _, habit, _, given = options_of(design)
    centres = (0.0, habit[0], habit[-1])
    offsets = np.concatenate([OFFSETS + c for c in centres])
    masks, moved = drawn(design, np.random.default_rng(20261129), offsets=offsets)
    score = np.array([[dice(m, mask).mean() for m in masks] for mask in moved.values()])
    q = OFFSETS.size
    own = score[q : 2 * q, 0].max(), score[2 * q :, -1].max()
    if "place" in given:
        own = (np.nan, np.nan)
    return float(score[:q].mean(axis=1).max()), np.array(own)


def ceilings(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Ceilings of Dice, and the tests of habit."""
    masks, _ = drawn(design, rng)
    rounds = MaskRounds.from_arrays({f"r{j}": m for j, m in enumerate(masks)})
    found = dice_ceiling(rounds, n_resamples=0)
    at_random, own = perfect(design.law, design.rounds)
    outcomes = {"interval: one of them": held(found.dice, at_random)}
    plain = dice_ceiling(
        rounds, method="ladder" if design.rounds > 2 else "two-raters", n_resamples=200
    )
    outcomes["as without habits"] = held(plain.dice, at_random)
    if found.habits is not None:
        for j, name in ((0, "first"), (-1, "last")):
            outcomes[f"interval: the {name} rater"] = held(found.habits.named[j], float(own[j]))
        for check in found.habits.checks:
            if check.p_value is not None:
                outcomes[f"test: {check.name}"] = Outcome(check.p_value < 0.05)
    return outcomes


def verdicts(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """Accuse, or not: a perfect model, honest ones, a copy, and consensuses."""
    masks, models = drawn(design, rng, models=True)
    rounds = MaskRounds.from_arrays({f"r{j}": m for j, m in enumerate(masks)})
    found = compare_masks(rounds, models=models, surface=False, n_resamples=0)
    outcomes = {}
    for score in found.models:
        outcomes[f"accused: {score.name}"] = Outcome(score.check.passed is False)
        if design.rounds > 2 and score.verdict is not None:
            outcomes[f"leans: {score.name}"] = Outcome(bool(score.verdict.leans))
        if score.name == "true masks":
            gap = score.gap.interval
            outcomes["interval: gap of the true masks"] = Outcome(gap is not None and 0.0 in gap)
    return outcomes


@functools.cache
def true_changes(law: str, rounds: int) -> dict[str, float]:
    """Return γ of true outlines and of one more rater, from 10,000 items, by name of the model."""
    rng = np.random.default_rng(20261129)
    masks, models = drawn(Design(10_000, law, rounds), rng, models=True, asked=PLACED)
    pairs = list(itertools.combinations(masks, 2))
    among = float(np.mean([1 - dice(a, b).mean() for a, b in pairs]))
    return {
        name: float(np.mean([1 - dice(models[name], m).mean() for m in masks])) - among
        for name in PLACED
    }


def places(design: Design, rng: np.random.Generator) -> dict[str, Outcome]:
    """γ of 1 − Dice as drawn and in shape, of true outlines and of one more rater without a habit.

    That rater has the noise of these (no ratio): in shape its γ is 0.
    """
    masks, models = drawn(design, rng, models=True, asked=PLACED)
    rounds = MaskRounds.from_arrays({f"r{j}": m for j, m in enumerate(masks)})
    found = interchange(rounds, models, distance="1-dice", readers="these")
    law, _, *rest = design.law.split(", ")
    shape = true_changes(", ".join([law, "0 px", *rest]), design.rounds)
    as_drawn = true_changes(design.law, design.rounds)
    fails = [c for c in found.checks if c.name == "habit_size"]
    outcomes = {"given: shape": Outcome(found.habits is not None)}
    outcomes["test: verdict rests on habits"] = Outcome(fails[0].passed is False)
    for m in found.models:
        outcomes[f"interval: γ, {m.name}"] = covered(m.change, as_drawn[m.name], 1.0)
        outcomes[f"test: better, {m.name}"] = Outcome(m.standing.name.startswith("better"))
        if found.habits is not None:
            here = found.habits.in_shape[m.name]
            outcomes[f"interval: γ in shape, {m.name}"] = covered(here.change, shape[m.name], 1.0)
            outcomes[f"test: better in shape, {m.name}"] = Outcome(
                here.standing.name.startswith("better")
            )
    return outcomes


SUITES = {
    "habits": (
        ceilings,
        [
            Design(n, law, k)
            for k in (2, 3, 5)
            for n, law in (
                (30, "gauss, 0 px"),
                (30, "gauss, 2 px"),
                (10, "gauss, 2 px"),
                (30, "gauss, 4 px"),
                (30, "gauss, 2 px, ratio 2"),
                (30, "laplace, 2 px"),
                (30, "gauss, 1 px, small"),
            )
        ],
    ),
    "mask places": (
        places,
        [
            Design(n, f"{law}, {span} px", k)
            for k in (2, 3, 5)
            for law, span, n in (
                ("gauss", 0, 30),
                ("gauss", 1, 30),
                ("gauss", 2, 30),
                ("gauss", 4, 30),
                ("gauss", 4, 10),
                ("laplace", 2, 30),
            )
        ]
        + [Design(30, "gauss, 1 px, small", k) for k in (2, 3)]
        + [Design(30, f"gauss, {span} px, radius 9, noise 0.3", 2) for span in (1, 2)]
        + [Design(30, "gauss, 1 px, radius 9, noise 0.3", 3)],
    ),
    "mask verdicts": (
        verdicts,
        [
            Design(30, law, k)
            for k in (2, 3, 5)
            for law in (
                "gauss, 0 px",
                "gauss, 4 px",
                "gauss, 2 px, ratio 2",
                "gauss, 0 px, place 1",
            )
        ],
    ),
}


main = command_of(SUITES)

if __name__ == "__main__":
    main()
