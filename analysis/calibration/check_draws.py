"""Checks of data in which nothing is wrong, or one thing is: what the cases of `checks` draw."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

import annostat
from analysis.calibration import categories, findings, habits, pickers, points, unlike
from analysis.calibration.designs import Design
from analysis.calibration.raters import unit_errors
from annostat import AnnostatError, AnnostatWarning, Check, Rounds
from annostat.agreement import (
    bias_of_raters,
    bland_altman,
    hierarchy,
    precision_profile,
    unequal_raters,
)
from annostat.ceilings import category_bounds, dice_ceiling, finding_bounds, mae_floor, point_bounds
from annostat.concentration import concentration
from annostat.interchange import interchange
from annostat.labels import MaskRounds, Points, check_rounds
from annostat.noise import check_skew
from annostat.scaling import compare_scaling
from annostat.truth import compare_masks, score_models, trained_on_one

ALPHA, SIMULATED = 0.05, 39
ONE_SIDED = "one-sided (exponential) errors in one round"
TOLD = (
    "point_bias",
    "habit_size",
    "excess",
    "abandonment",
)  # tests whose result is told, and fails nothing
Draw = Callable[["Case", np.random.Generator, bool], Iterable[Check]]


@dataclass(frozen=True)
class Case:
    """A check, data in which nothing is wrong, and data in which one thing is.

    Attributes
    ----------
    check, where : str
        Name of the check, and what prints it.
    law : str
        Of errors in which nothing is wrong (`unit_errors`).
    wrong : str
        What else is the case in the second kind of data.
    n, rounds : int
    draw : callable
        Returns checks of data drawn with or without what is wrong.
    size : float
        Of a bias, a ratio or a gain: whatever is wrong.
    slow : int
        By which repetitions are divided.
    """

    check: str
    where: str
    law: str
    wrong: str
    n: int
    rounds: int
    draw: Draw
    size: float = 0.0
    slow: int = 1

    def fails(self, rng: np.random.Generator, wrong: bool) -> bool:
        """Return whether the check fails in data drawn anew."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnnostatWarning)
            found = [c for c in self.draw(self, rng, wrong) if c.name == self.check]
        return any(
            c.passed is False or (self.check in TOLD and (c.p_value or 1.0) < ALPHA) for c in found
        )


def labels(case: Case, rng: np.random.Generator, **given: float) -> Rounds:
    """Draw values: truths of SD 2, errors of SD 1; the last rater differs as `given` says."""
    truth = rng.normal(0, 2, (case.n, 1))
    x = unit_errors(case.law, (case.n, case.rounds), rng)
    x[:, -1] = given.get("ratio", 1.0) * x[:, -1] + given.get("bias", 0.0)
    x[:, -1] += (given.get("gain", 1.0) - 1) * truth[:, 0]
    return Rounds.from_array(truth + x)


def of_rounds(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of two rounds: a bias, or a rater who is noisier."""
    what = "bias" if case.check == "bias" else "ratio"
    return check_rounds(labels(case, rng, **({what: case.size} if wrong else {})))


def of_raters(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of equal noise and of tails: a rater who is noisier, or Student's t."""
    if case.check == "heavy_tails" and wrong:
        x = rng.standard_t(3, (case.n, case.rounds))
        return [unequal_raters(Rounds.from_array(x)).tails]
    rounds = labels(case, rng, ratio=case.size if wrong else 1.0)
    if case.where.startswith("hierarchy"):
        return [hierarchy(rounds).equal]
    seen = unequal_raters(rounds)
    return [seen.equal, seen.tails]


def of_many(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Check biases of raters who label two items each with another: biases of SD `size`."""
    k = case.rounds
    z = rng.normal(0, 2, (case.n, 1)) + unit_errors(case.law, (case.n, k), rng)
    z += case.size * wrong * rng.normal(size=k)
    keep = np.argsort(rng.random(z.shape), axis=1) < 2
    return [bias_of_raters(Rounds.from_array(np.where(keep, z, np.nan)))]


def of_values(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of noise that grows with log-normal values, or of a gain."""
    y = rng.lognormal(np.log(8), 0.6, (case.n, 1))
    x = unit_errors(case.law, (case.n, case.rounds), rng)
    if case.check == "proportional_bias":
        z = y + x
        z[:, 1] += (case.size - 1) * y[:, 0] * wrong
    else:
        z = y + x * (case.size * y if wrong else case.size * 8)
    rounds = Rounds.from_array(np.maximum(z, 1e-6))
    if case.check == "constant_noise":
        return [precision_profile(rounds).constant]
    if case.check == "dependence_on_value":
        return check_rounds(rounds)
    return bland_altman(rounds).checks


def of_shape(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of the law of the noise: dependent rounds, two humps, a blunder."""
    x = unit_errors(case.law, (case.n, case.rounds), rng)
    if wrong and case.check == "characteristic_function":
        x[:, 1] = x[:, 0] + rng.uniform(-case.size, case.size, case.n)
    if wrong and case.check == "noise_law":
        x = rng.choice([-1.0, 1.0], x.shape) + 0.2 * x
    if wrong and case.check == "influence":
        x[0, 0] += case.size
    rounds = Rounds.from_array(rng.normal(0, 2, (case.n, 1)) + x)
    return mae_floor(rounds).checks if case.check == "noise_law" else check_rounds(rounds)


def of_difficulty(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Check whether the labels of an item share a difficulty (log-normal, 0.5)."""
    law = "shared" if wrong else case.law
    return [hierarchy(Rounds.from_array(unit_errors(law, (case.n, case.rounds), rng))).difficulty]


def of_picks(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of `fit-afd`: wrong beats, give-ups, lateness, one rater who is noisier."""
    shape = (case.n, case.rounds)
    if case.check == "skew":
        return [
            check_skew(
                Rounds.from_array(
                    100 + pickers.skew_errors("lateness" if wrong else "laplace", shape, rng)
                )
            )
        ]
    x = np.round(2 * rng.laplace(size=shape))
    if wrong and case.check == "abandonment":
        x = np.where(rng.random(shape) < case.size, rng.integers(-50, 51, shape), x)
    if wrong and case.check == "goodness_of_fit":
        off = (rng.random((case.n, 1)) < case.size) & (rng.random(shape) < 0.5)
        x += off * np.round(rng.normal(pickers.BEAT, 3, (case.n, 1)))
    return annostat.compare_noise(
        Rounds.from_array(100 + x), cores=pickers.CORES, n_tests=SIMULATED, rng=rng
    ).checks


def of_errors(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of concentration: rounds that are not alike, items that a model gets wrong."""
    law = "first skew" if case.wrong == ONE_SIDED else "first t3"
    law = law if wrong and case.check == "rounds_alike" else "gaussian"
    errors, _ = unlike.noise(Design(case.n, law), rng)
    model = errors[:, 0] + np.where(np.arange(case.n) < case.n / 20, case.size * wrong, 0.0)
    found = concentration(
        model, rounds=Rounds.from_array(100 + errors), n_resamples=SIMULATED, rng=rng
    )
    if found.excess is None:
        raise RuntimeError("no test of the excess")
    excess = Check("excess", None, "", p_value=found.excess.p_value - 1e-9)
    return [*found.checks, excess]


def of_series(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of a scaling law: a floor where none is fitted, scatter that grows with size."""
    size = np.repeat(np.geomspace(1e4, 1e7, case.n), case.rounds)
    loss = (size / 1e4) ** -0.35
    if wrong and case.check == "lack_of_fit":
        loss = case.size + (1 - case.size) * loss
    power = case.size * wrong if case.check == "equal_scatter" else 0.0
    scatter = 0.02 * (size / 1e7) ** power
    found = compare_scaling(
        size, loss * np.exp(scatter * rng.normal(size=size.size)), laws=["power"]
    )
    return found.checks


def of_masks(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of outlines: habits of size and of place; a model that is a copy."""
    words = {
        "habit_size": f"gauss, {case.size:g} px",
        "habit_place": f"gauss, 0 px, place {case.size:g}",
    }
    law = words.get(case.check, "gauss, 0 px") if wrong else "gauss, 0 px"
    copies, placed = case.check == "copies", case.where == "interchange"
    design = Design(case.n, law, case.rounds)
    masks, models = habits.drawn(design, rng, models=copies or placed)
    rounds = MaskRounds.from_arrays({f"r{j}": m for j, m in enumerate(masks)})
    if copies:
        name = "half truth, half A" if wrong else "true masks"
        found = compare_masks(rounds, models={name: models[name]}, surface=False, n_resamples=0)
        return [Check("copies", found.models[0].check.passed, "")]
    if placed:
        return interchange(rounds, {"a fresh rater": models["a fresh rater"]}).checks
    seen = dice_ceiling(rounds, n_resamples=0).habits
    return () if seen is None else seen.checks


def of_classes(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of categories: thresholds that differ, a noisy rater, unequal difficulty."""
    if case.check == "equal_difficulty":
        law = "difficulty varies" if wrong else "equally hard"
        seen = categories.dawid_skene(Design(case.n, law, case.rounds), rng)
        name = "power: difficulty varies" if wrong else "test: difficulty varies"
        return [Check(case.check, not seen[name].hit, "")]
    how = f", {case.wrong}" if wrong else ", alike"
    drawn, _ = categories.drawn(Design(case.n, f"beta(.3,.3){how}", case.rounds), rng)
    return category_bounds(drawn).checks


def of_findings(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Check whether readers mark as much as each other: odds from a half to two."""
    odds = tuple(np.geomspace(1 / case.size, case.size, case.rounds).tolist()) if wrong else ()
    marks = findings.simulated(findings.LAWS[0], case.n, case.rounds, rng, odds=odds)
    return finding_bounds(marks, "distance 1", false_positives=()).checks


def of_points(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of points: a reader who is off, or less precise."""
    biased = case.check == "point_bias"
    design = Design(case.n, "gaussian", case.rounds)
    found, truth = points.drawn(design, rng, case.size if biased and wrong else 0.0)
    if wrong and not biased:
        z = found.values[:, :, 0].copy()
        z[:, 0] = truth + case.size * (z[:, 0] - truth)
        found = Points.from_array(z)
    return point_bounds(found, thresholds=[1.0], n_resamples=19, rng=rng).checks


def of_models(case: Case, rng: np.random.Generator, wrong: bool) -> Iterable[Check]:
    """Make checks of models: one that holds a share of a round's noise; a reader who is off."""
    truth = rng.normal(0, 2, case.n)
    x = unit_errors(case.law, (case.n, case.rounds), rng)
    model = truth + rng.normal(0, 0.5, case.n)
    if case.check == "bias_of_readers":
        x[:, -1] += case.size * wrong
    elif wrong and case.check == "contains_rounds":
        model = truth + x[:, :2].mean(axis=1) + 0.3 * rng.normal(size=case.n)
    elif wrong:
        model += case.size * x[:, 0]
    rounds = Rounds.from_array(truth[:, None] + x)
    if case.check == "learned":
        return [Check("learned", not trained_on_one(rounds, model, "round_1").learned, "")]
    if case.where == "score":
        return score_models(rounds, {"model": model}, n_resamples=SIMULATED, rng=rng).checks
    try:
        return interchange(rounds, {"model": model}, distance="absolute").checks
    except AnnostatError:  # what is made of the labels beyond doubt is refused
        return [Check("contains_rounds", False, "")]
