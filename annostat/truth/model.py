"""One model: its scores against the labels and against the truth, its verdict, its leakage."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, beside
from annostat.labels.rounds import Rounds
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import exp
from annostat.resampling.multiplicity import holm
from annostat.resampling.steps import artanh, log, sqrt
from annostat.resampling.sums import Function, Smooth, Sums
from annostat.results.estimates import Estimate, Interval
from annostat.results.text import squared
from annostat.truth.against_labels import AgainstLabels
from annostat.truth.instruments import correlation_with_truth
from annostat.truth.means import fieller, mean_estimate, ratio, root, unit_sums
from annostat.truth.products import Labels, halves_of
from annostat.truth.result import Leakage, ModelScore
from annostat.truth.skewed import limit_by_level, reaching
from annostat.truth.trained import FEWEST, TrainedOnOne, trained_on_one
from annostat.truth.verdicts import ABOVE, AT, BELOW, OPEN, TWO, Verdict, fewest_units, judge


@dataclass(frozen=True, eq=False)
class Frame:
    """What the scores of all models share; values are centred and scaled, then squared."""

    labels: Labels
    raw: FloatArray  # labels as they are, each round in one piece
    centre: float
    scale: float
    trained: tuple[int, ...]  # rounds that the models have seen
    codes: NDArray[np.int64] | None
    unit: str
    level: float
    n_resamples: int
    rng: Rng
    n_jobs: int | None

    @classmethod
    def of(
        cls,
        rounds: Rounds,
        labels: Labels,
        trained: tuple[int, ...],
        codes: NDArray[np.int64] | None,
        level: float,
        n_resamples: int,
        rng: Rng,
        n_jobs: int | None,
    ) -> Frame:
        """Return the frame of usable rounds and of their labels less the biases."""
        seen = rounds.values[np.isfinite(rounds.values)]
        centre = float(seen.mean())
        scale = float(np.abs(seen - centre).max()) or 1.0
        moved = replace(labels, values=(labels.values - centre) / scale)
        raw = (np.asfortranarray(rounds.values) - centre) / scale
        return cls(
            moved,
            raw,
            centre,
            scale,
            trained,
            codes,
            rounds.unit,
            level,
            n_resamples,
            rng,
            n_jobs,
        )

    @cached_property
    def readings(self) -> NDArray[np.int64]:
        """Number of labels of each item."""
        return np.asarray(np.isfinite(self.raw).sum(axis=1))

    @cached_property
    def missing(self) -> NDArray[np.bool_] | None:
        """Which labels are not there, a round in each row; None where all are."""
        found = np.isnan(self.raw.T)
        return found if found.any() else None

    @cached_property
    def unseen(self) -> Labels:
        """The labels that the models have not seen."""
        return self.labels.without(self.trained)

    @cached_property
    def halves(self) -> tuple[FloatArray, FloatArray]:
        """Means of each item's unseen labels, dealt in turn to two halves."""
        return halves_of(self.unseen.values)

    @cached_property
    def noise(self) -> tuple[FloatArray, FloatArray]:
        """What is taken off each item's square for noise, and the labels behind it."""
        return self.labels.noise(self.trained)

    @cached_property
    def powers(self) -> tuple[tuple[FloatArray, FloatArray], ...]:
        """Each item's mean label and mean squared label: less the biases, and as they are."""
        found = []
        for z in (self.labels.values, self.raw):
            rounds = np.nan_to_num(z.T)
            found.append(
                (rounds.sum(axis=0) / self.readings, (rounds**2).sum(axis=0) / self.readings)
            )
        return tuple(found)

    def moved(self, f: FloatArray) -> FloatArray:
        """Return predictions on the frame's scale."""
        return np.asarray((f - self.centre) / self.scale)


@dataclass(frozen=True, eq=False)
class Model:
    """One model's predictions in a frame, and the sums behind its scores against one label.

    Attributes
    ----------
    name : str
    f : float64 array of shape (n_items,)
        Predictions in the unit of the labels, NaN where there is none.
    u : float64 array of shape (n_items,)
        The same on the frame's scale.
    v : float64 array of shape (n_items,)
        Their own mean taken off, so that a constant model is seen as such.
    products : float64 array of shape (n_items,)
        What each item says about E(f − Y)².
    sizes : Sums
        Of 1 and mean |f − z|.
    squares : Sums
        Of 1, mean (f − z)², and the means of z and of z².
    correlated : Sums
        Of 1, v, mean z, v², v·mean z and mean z², the biases of the rounds removed.
    """

    name: str
    f: FloatArray
    u: FloatArray
    v: FloatArray
    products: FloatArray
    sizes: Sums
    squares: Sums
    correlated: Sums

    @classmethod
    def of(cls, frame: Frame, name: str, f: FloatArray) -> Model:
        """Return a model whose predictions are in the unit of the labels."""
        u = frame.moved(f)
        there = np.isfinite(u)
        e = u - frame.raw.T
        if frame.missing is not None:
            e[frame.missing] = 0.0
        square, size = (e**2).sum(axis=0) / frame.readings, np.abs(e).sum(axis=0) / frame.readings
        (mean, spread), (raw_mean, raw_spread) = frame.powers
        one = np.where(there, 1.0, np.nan)
        v = u - u[there].mean()
        return cls(
            name,
            f,
            u,
            v,
            frame.labels.products(u, frame.trained),
            unit_sums(beside([one, size]), frame.codes),
            unit_sums(beside([one, square, raw_mean, raw_spread]), frame.codes),
            unit_sums(beside([one, v, mean, v * v, v * mean, spread]), frame.codes),
        )


def score_model(rounds: Rounds, frame: Frame, model: Model, margin: float | None) -> ModelScore:
    """Return the scores of one model."""
    name, f, u, products = model.name, model.f, model.u, model.products
    level, scale, trained = frame.level, frame.scale, frame.trained
    there = np.isfinite(u)
    excess = mean_estimate(products, frame.codes, level=level)
    halves = None
    if len(frame.unseen.names) >= 2:
        halves = (u - frame.halves[0]) * (u - frame.halves[1])
    n_units = int(np.isfinite(products).sum())
    if frame.codes is not None:
        n_units = np.unique(frame.codes[np.isfinite(products)]).size
    df = max(n_units - 1, 1)
    held = None
    if trained and len(frame.labels.names) == 2 and there.sum() >= FEWEST:
        held = trained_on_one(rounds, f, rounds.names[trained[0]], level=level)
        verdict = judge(held.excess, None, None, df=df, level=level, margin=margin)
        # The limit of one side, which is cut to what is possible as that of two sides is.
        side = 2 * level - 1 if level > 0.5 else level
        limit = trained_on_one(rounds, f, held.round_, level=side).excess.high
        verdict = judge_two_rounds(verdict, limit, held)
    else:
        least = None if margin is None else margin / scale
        limit_at = limit_by_level(products, *frame.noise, frame.codes)
        limit = limit_at(level)
        verdict = judge(excess, halves, frame.codes, df=df, level=level, margin=least, upper=limit)
        excess = reaching(excess, limit_at, n_units, level)
        verdict = replace(verdict, upper=verdict.upper * scale, margin=margin)
    kept = frame.unseen
    if len(kept.names) >= 2:
        truth = correlation_with_truth(
            kept.values, model.v, frame.codes, level=level, exchangeable=kept.exchangeable
        )
    else:
        note = "undefined: it takes two rounds that the model was not trained on"
        truth = Estimate(math.nan, note=note)
    unit = frame.unit
    how = frame.level, frame.n_resamples, frame.rng, frame.n_jobs
    against = AgainstLabels(rounds, name, f, frame.codes, *how)
    return ModelScore(
        name,
        int(there.sum()),
        _positive(frame, model.squares, half=True).scaled(scale, unit=unit),
        _positive(frame, model.sizes).scaled(scale, unit=unit),
        mean_estimate(u - frame.powers[1][0], frame.codes, level=level).scaled(scale, unit=unit),
        _correlation(frame, model.correlated),
        _r2(frame, model.squares),
        root(excess, "").scaled(scale, unit=unit) if held is None else held.true_rmse,
        excess.scaled(scale**2, unit=squared(unit)) if held is None else held.excess,
        truth,
        verdict,
        _leakage(frame, u) if held is None else learned_of(held),
        against,
        held,
    )


def _positive(frame: Frame, sums: Sums, *, half: bool = False) -> Estimate:
    """Return a mean of positive numbers, or its root, with an interval on the log scale."""
    power = 0.5 if half else 1.0
    value = sums.value(ratio) ** power
    if value == 0:
        return Estimate(0.0, None, None, note="no interval: no error at all")
    g = Smooth(
        lambda t: power * log(ratio(t)), lambda t: {0: -power / t[..., 0], 1: power / t[..., 1]}
    )
    name = "log RMSE" if half else "log MAE"
    found = _interval(frame, sums, g, name, "bootstrap-t" if half else "t")
    interval = found and found.through(exp)
    error = sums.standard_error(g)
    note = "" if interval is not None else "no interval: too few items, or errors of one size"
    return Estimate(value, value * error if math.isfinite(error) else None, interval, note=note)


def _interval(
    frame: Frame, sums: Sums, g: Function, name: str, method: str = "bootstrap-t"
) -> Interval | None:
    if sums.n_units < 3:
        return None
    return sums.interval(
        g,
        method=method,
        level=frame.level,
        n_resamples=frame.n_resamples,
        rng=frame.rng,
        n_jobs=frame.n_jobs,
        scale=name,
    )


def _correlation(frame: Frame, sums: Sums) -> Estimate:
    def parts(t: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        each = 1 / t[..., 0]
        x, y = t[..., 1] * each, t[..., 2] * each
        return t[..., 3] * each - x * x, t[..., 4] * each - x * y, t[..., 5] * each - y * y

    var_f, cov, var_z = (float(v) for v in parts(sums.totals))
    if not var_f > 1e-24:
        return Estimate(math.nan, note="undefined: the model gives the same value to all items")
    if not var_z > 1e-24:
        return Estimate(math.nan, note="undefined: all labels are equal")
    r = cov / math.sqrt(var_f * var_z)
    if 1 - abs(r) < 1e-12:
        return Estimate(round(r), note="no interval: all items lie on a line")

    def g(t: NDArray[Any]) -> NDArray[Any]:
        a, b, c = parts(t)
        return artanh(b / sqrt(a * c))

    def slopes(t: FloatArray) -> dict[int, NDArray[Any]]:
        n = t[..., 0]
        x, y = t[..., 1] / n, t[..., 2] / n
        a, b, c = t[..., 3] - t[..., 1] * x, t[..., 4] - t[..., 1] * y, t[..., 5] - t[..., 2] * y
        inverse = 1 / np.sqrt(a * c)
        r = b * inverse
        outer = 1 / (1 - r * r)
        by_a, by_b, by_c = -0.5 * r * outer / a, inverse * outer, -0.5 * r * outer / c
        by_n = x * x * by_a + x * y * by_b + y * y * by_c
        by_x, by_y = -2 * x * by_a - y * by_b, -x * by_b - 2 * y * by_c
        return {0: by_n, 1: by_x, 2: by_y, 3: by_a, 4: by_b, 5: by_c}

    smooth = Smooth(g, slopes)
    found = _interval(frame, sums, smooth, "artanh r")
    interval = found and found.through(math.tanh)
    error = sums.standard_error(smooth) * (1 - r * r)
    note = "" if interval is not None else "no interval: too few items"
    return Estimate(r, error if math.isfinite(error) else None, interval, note=note)


def _r2(frame: Frame, sums: Sums) -> Estimate:
    n, square, mean, spread = sums.totals
    variance = spread / n - (mean / n) ** 2
    if not variance > 1e-24:
        return Estimate(math.nan, note="undefined: all labels are equal")
    value = 1 - square / n / variance
    if square == 0:
        return Estimate(1.0, note="no interval: no error at all")

    def g(t: NDArray[Any]) -> NDArray[Any]:
        each = 1 / t[..., 0]
        mean = t[..., 2] * each
        return log(t[..., 1] * each / (t[..., 3] * each - mean * mean))

    def slopes(t: FloatArray) -> dict[int, NDArray[Any]]:
        mean = t[..., 2] / t[..., 0]
        by_spread = -1 / (t[..., 3] - t[..., 2] * mean)
        by_n, by_mean = mean * mean * by_spread, -2 * mean * by_spread
        return {0: by_n, 1: 1 / t[..., 1], 2: by_mean, 3: by_spread}

    smooth = Smooth(g, slopes)
    found = _interval(frame, sums, smooth, "log (1 − R²)")
    error = sums.standard_error(smooth) * (1 - value)
    interval = (
        None
        if found is None
        else Interval(1 - exp(found.high), 1 - exp(found.low), found.level, found.method)
    )
    note = "" if interval is not None else "no interval: too few items"
    return Estimate(value, error if math.isfinite(error) else None, interval, note=note)


def judge_two_rounds(verdict: Verdict, limit: float | None, one: TrainedOnOne) -> Verdict:
    """Return the verdict on a model that was trained on one of two rounds.

    Parameters
    ----------
    verdict : Verdict
        By the t test of E(f − Y)² alone.
    limit : float or None
        Its one-sided upper limit, cut to what is possible.
    one : TrainedOnOne
    """
    if verdict.p_above is None or (verdict.name == BELOW and one.learned):
        return verdict
    if verdict.name == BELOW or limit is None or not limit > 0:
        return replace(verdict, name=OPEN, upper=math.nan)
    enough = verdict.n_units is None or verdict.n_units >= fewest_units(verdict.level)
    if verdict.margin is not None and limit < verdict.margin**2 and enough:
        name = AT
    elif not one.resolved:
        name = TWO
    else:
        name = ABOVE if verdict.p_above < 1 - verdict.level else OPEN
    return replace(verdict, name=name, upper=math.sqrt(limit))


def learned_of(one: TrainedOnOne) -> Leakage:
    """Return how much of the noise of its round a model has learned."""
    return Leakage(one.round_, one.share, one.p_value, True)


def _leakage(frame: Frame, u: FloatArray) -> Leakage | None:
    """Return the share of a round's noise in the model.

    Of the first round it was trained on, else of the round that it follows most.
    """
    names, trained = frame.labels.names, frame.trained
    if frame.labels.exchangeable and not trained:
        return None
    rounds = trained[:1] or tuple(range(len(names)))
    found: list[tuple[str, Estimate, float | None]] = []
    for j in rounds:
        sums = unit_sums(frame.labels.learned(u, j, trained), frame.codes)
        found.append((names[j], *fieller(sums, level=frame.level)))
    adjusted = holm([p for _, _, p in found])
    if len(rounds) == 2 and not trained:  # one test, seen from both sides
        adjusted = [p for _, _, p in found]
    best = max(
        range(len(found)),
        key=lambda i: found[i][1].value if found[i][1].value == found[i][1].value else -math.inf,
    )
    name, share, _ = found[best]
    return Leakage(name, share, adjusted[best], bool(trained))
