"""Raters with habits: who draws larger, and the ceiling of Dice for raters who differ.

One rater draws outside of an edge and the other inside: that is no noise, and a model cannot be
right for both. The habit of a rater is pooled over items (per item it would take honest noise
away). Shifting the outlines of a pair against each other and looking at their 1 − Dice gives the
loss of the pair at any distance of habits; a perfect model at an offset from a rater differs from
that rater as the pair does, on a smaller scale.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray
from annostat.ceilings.outlines import PARTS, drawn_apart, in_slices, outlines_of, slice_axis
from annostat.labels.masks import MaskRounds
from annostat.resampling.clusters import renumbered
from annostat.resampling.intervals import t_interval, t_reach
from annostat.resampling.parallel import map_parallel
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.sections import Section
from annostat.results.text import p_text

if TYPE_CHECKING:
    import pandas as pd

REACH = 12  # nodes of a shift curve on each side
BRACKET = (2 / 3, 3 / 4)  # of 1 − Dice of two raters, for log-concave and for unimodal noise
LEAST_NOISE = 0.02  # of a rater, as a share of the mean
OFFSETS = np.linspace(-1, 1, 9)  # of a model from the mean habit, in nodes
LOCAL_FROM = 10  # items (patients) from which habits of a place are looked for
TINY = 1e-12  # least 1 − Dice, so that it has a logarithm
SEEN = 0.2  # px: a smaller habit is not worth a word


@dataclass(frozen=True, eq=False)
class MaskHabits:
    """How raters differ in what they draw, and the ceilings that follow.

    Attributes
    ----------
    names : tuple of str
    size : tuple of Estimate
        By how many pixels each rater draws outside of the mean of all, along the outline; they
        sum to 0.
    one_of_them : Estimate
        Dice of a perfect model against a rater drawn at random, at its best offset.
    named : tuple of Estimate
        Dice, against each rater, of a perfect model with that rater's habit. With two raters,
        whose noises cannot be told apart, an interval only.
    n_items : int
        Items that all raters drew.
    items : int64 array of shape (n_items,)
    checks : tuple of Check
        Of sizes, and of places and shapes.
    """

    names: tuple[str, ...]
    size: tuple[Estimate, ...]
    one_of_them: Estimate
    named: tuple[Estimate, ...]
    n_items: int
    items: NDArray[np.int64]
    checks: tuple[Check, ...]
    sums: ShiftSums

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.n_items,
            "one_of_them": self.one_of_them.to_dict(),
            "raters": {
                name: {"size_px": size.to_dict(), "dice": dice.to_dict()}
                for name, size, dice in zip(self.names, self.size, self.named, strict=True)
            },
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per rater and quantity."""
        import pandas as pd

        rows = [
            {"rater": name, "quantity": what, **estimate.to_dict()}
            for what, found in (("size_px", self.size), ("dice", self.named))
            for name, estimate in zip(self.names, found, strict=True)
        ]
        return pd.DataFrame(rows)

    def section(self) -> Section:
        """Return the table of the raters."""
        rows = [
            [name, f"{size.value:+.2f}", size.range(), "–" if two else dice.short(), dice.range()]
            for two in (len(self.names) == 2,)
            for name, size, dice in zip(self.names, self.size, self.named, strict=True)
        ]
        return Section(
            "Habits: a perfect model against each rater",
            ("rater", "draws larger by, px", "interval", "ceiling of Dice", "interval"),
            rows,
        )


@dataclass(frozen=True, eq=False)
class ShiftSums:
    """Habits and shift curves summed by unit (item or patient).

    Attributes
    ----------
    count : float64 array of shape (u,)
        Items of each unit.
    habit : float64 array of shape (u, m)
    curve : float64 array of shape (u, pairs, 2 REACH + 1)
        1 − Dice of each pair with their outlines shifted against each other by whole steps.
    step : int
        Pixels from node to node.
    unit : int64 array of shape (n,)
        Unit of each item.
    over : str
        "items" or "clusters".
    """

    count: FloatArray
    habit: FloatArray
    curve: FloatArray
    step: int
    unit: NDArray[np.int64]
    over: str

    @property
    def n_units(self) -> int:
        """Number of units."""
        return self.count.size

    def means(self) -> tuple[FloatArray, FloatArray]:
        """Return habits in nodes and curves: means of all units, then without each of them."""
        left = np.concatenate([[0.0], self.count])
        n = self.count.sum() - left
        habit = self.habit.sum(axis=0) - np.concatenate(
            [np.zeros((1, *self.habit.shape[1:])), self.habit]
        )
        curve = self.curve.sum(axis=0) - np.concatenate(
            [np.zeros((1, *self.curve.shape[1:])), self.curve]
        )
        return habit / n[:, None] / self.step, curve / n[:, None, None]

    def losses(self, scale: float = 1.0) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return (named, at random, aligned) losses: of all units, then without each of them."""
        return perfect_losses(*self.means(), scale)

    def gap(self, loss: FloatArray, level: float) -> Estimate:
        """Return the ceiling at random less a model's Dice, whose 1 − Dice by item is given."""
        low, middle, high = (
            self.losses(s)[1] for s in (BRACKET[0] * 2**0.5, 1.0, BRACKET[1] * 2**0.5)
        )
        own = np.bincount(self.unit, loss)
        left = np.concatenate([[0.0], own]), np.concatenate([[0.0], self.count])
        mean = (own.sum() - left[0]) / (self.count.sum() - left[1])
        gap = mean - middle
        error = float(self.error(gap[1:]))
        reach = t_reach(self.n_units - 1, level) * error
        limits = float(mean[0] - high[0]) - reach, float(mean[0] - low[0]) + reach
        method = f"jackknife of the difference over {self.over}, widened by the bracket (⅔ to ¾)"
        return Estimate(float(gap[0]), error, Interval(*limits, level, method))

    def error(self, without: FloatArray) -> FloatArray:
        """Return the jackknife error of numbers without each unit, along the first axis."""
        u = self.n_units
        return np.asarray(
            np.sqrt((u - 1) / u * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
        )


def perfect_losses(
    habit: FloatArray, curve: FloatArray, scale: float = 1.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""Return 1 − Dice of a perfect model from habits and mean shift curves.

    Parameters
    ----------
    habit : float64 array of shape (b, m)
        In nodes of the curves.
    curve : float64 array of shape (b, pairs, 2 REACH + 1)
        Pairs in the order of `itertools.combinations`.
    scale : float
        What 1/√2 is multiplied with: 1 for Gaussian noise, ⅔·√2 and ¾·√2 for the bracket.

    Returns
    -------
    float64 arrays of shape (b, m), (b,) and (b, pairs)
        Against each rater with that rater's habit, √a_j with l² = a_j + a_k; against one rater at
        random, the smallest over the model's offset c of the mean over j and k of
        λ F_jk(h_j − h_k ∓ (h_j − c)/λ), λ² = a_j/(a_j + a_k); and l, that of the aligned pairs.
    """
    m = habit.shape[1]
    pairs = list(itertools.combinations(range(m), 2))
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    base = habit[:, first] - habit[:, second] + REACH
    aligned = np.maximum(cubic(curve, base), TINY)
    square = aligned**2
    if m == 2:
        noise = np.repeat(square / 2, 2, axis=1)
    else:
        design = np.zeros((len(pairs), m))
        rows = np.arange(len(pairs))
        design[rows, first] = design[rows, second] = 1
        least = LEAST_NOISE * square.mean(axis=1, keepdims=True)
        noise = np.maximum(square @ np.linalg.pinv(design).T, least)
    total = np.zeros((len(habit), m, OFFSETS.size))
    for p, (j, k) in enumerate(pairs):
        for rater, sign in ((j, -1), (k, 1)):
            part = (np.sqrt(noise[:, rater] / (noise[:, j] + noise[:, k])) * scale)[:, None]
            place = base[:, p, None] + sign * (habit[:, rater, None] - OFFSETS) / part
            y = np.broadcast_to(curve[:, p, None, :], (*place.shape, curve.shape[2]))
            total[:, rater] += part * cubic(y, place)
    mean = total.mean(axis=1) / (m - 1)
    return np.sqrt(noise) * scale, np.maximum(_lowest(mean), TINY), aligned


def _lowest(y: FloatArray) -> FloatArray:
    """Return the minimum of each row by the parabola through its three lowest neighbours."""
    at = np.clip(y.argmin(axis=1), 1, y.shape[1] - 2)
    rows = np.arange(len(y))
    a, b, c = (y[rows, at + q] for q in (-1, 0, 1))
    bend = a - 2 * b + c
    away = np.where(bend > 0, 0.5 * (a - c) / np.where(bend > 0, bend, 1), 0.0)
    return np.asarray(b - 0.25 * (a - c) * np.clip(away, -1, 1))


def cubic(y: FloatArray, at: FloatArray) -> FloatArray:
    """Return values between whole nodes 0, 1, ... of the last axis by cubics of Lagrange."""
    n = y.shape[-1]
    at = np.clip(at, 0.0, n - 1.0)
    k = np.clip(np.floor(at), 1, n - 3).astype(np.int64)
    f = at - k

    def node(q: int) -> FloatArray:
        return np.asarray(np.take_along_axis(y, (k + q)[..., None], -1)[..., 0])

    return np.asarray(
        -f * (f - 1) * (f - 2) / 6 * node(-1)
        + (f + 1) * (f - 1) * (f - 2) / 2 * node(0)
        - (f + 1) * f * (f - 2) / 2 * node(1)
        + (f + 1) * f * (f - 1) / 6 * node(2)
    )


def shift_curves(
    d: FloatArray, step: int, pairs: Sequence[tuple[int, int]] | None = None
) -> FloatArray:
    """Return 1 − Dice of {d_j > t/2} and {d_k > −t/2} for each pair and t in whole steps.

    Without `pairs`, of any two outlines.
    """
    d = d.reshape(len(d), -1)
    shifts = step * np.arange(-REACH, REACH + 1)
    pairs = list(itertools.combinations(range(len(d)), 2)) if pairs is None else pairs
    out = np.ones((len(pairs), shifts.size))
    for i, t in enumerate(shifts):
        inner, outer = d > t / 2, d > -t / 2
        size_in, size_out = (np.count_nonzero(s, axis=1) for s in (inner, outer))
        for p, (j, k) in enumerate(pairs):
            size = size_in[j] + size_out[k]
            if size:
                out[p, i] = 1 - 2 * np.count_nonzero(inner[j] & outer[k]) / size
    return out


def sizes_of(
    habit: FloatArray, unit: NDArray[np.int64], level: float, over: str
) -> tuple[Estimate, ...]:
    """Return mean sizes of shape (n, m), their t intervals over units (items or patients)."""
    n_units = int(unit.max()) + 1
    dof = n_units - 1
    mean = habit.mean(axis=0)
    left = by_unit(habit - mean, unit)
    error = np.sqrt(n_units / dof * (left**2).sum(axis=0)) / len(habit)
    return tuple(
        Estimate(
            float(v), float(e), t_interval(float(v), float(e), dof, level, f"t over {over}"), "px"
        )
        for v, e in zip(mean, error, strict=True)
    )


def nodes_apart(size: FloatArray) -> int:
    """Return the pixels from node to node of curves that reach over these mean sizes."""
    return max(1, math.ceil(float(np.ptp(size)) / 4))


def mask_habits(
    rounds: MaskRounds,
    place: int,
    items: NDArray[np.int64],
    codes: NDArray[np.int64] | None,
    *,
    level: float,
    n_jobs: int | None = 1,
    progress: Callable[[int, int], None] | None = None,
) -> MaskHabits | None:
    """Return the habits of raters on items that all of them drew; None if they cannot be told.

    That is where the raters are not the same persons from item to item, where fewer than three
    items (patients) are at hand, or of volumes that do not show in which slices they were drawn.
    """
    items = items[rounds.drawn[:, items].all(axis=0)]
    unit = np.arange(items.size) if codes is None else renumbered(codes[items])
    n_units = int(unit.max()) + 1 if unit.size else 0
    axis = slice_axis(rounds.values.ndim - 2, rounds.spacing)
    if rounds.exchangeable or n_units < 3 or axis is None:
        return None
    over = "items" if codes is None else "clusters"

    masks = [rounds.values[:, i] for i in items.tolist()]

    def sized(drawn: Any) -> tuple[FloatArray, FloatArray]:
        return drawn_apart(in_slices(np.asarray(drawn) == place, axis), len(drawn))

    found = map_parallel(sized, masks, n_jobs=n_jobs, progress=progress)
    habit, local = np.stack([f[0] for f in found]), np.stack([f[1] for f in found])
    step = nodes_apart(habit.mean(axis=0))

    def curved(drawn: Any) -> FloatArray:
        laid = in_slices(np.asarray(drawn) == place, axis)
        return shift_curves(outlines_of(laid, REACH * step // 2 + 2), step)

    curve = np.stack(map_parallel(curved, masks, n_jobs=n_jobs, progress=progress))
    count = np.bincount(unit).astype(np.float64)
    sums = ShiftSums(count, by_unit(habit, unit), by_unit(curve, unit), step, unit, over)
    size = sizes_of(habit, unit, level, over)
    one_of_them, named = _ceilings(sums, len(rounds.names), level)
    x, then = sums.habit / count[:, None], "the ceilings allow for it."
    checks = [replace(size_check(rounds.names, size, x, level, then), passed=True)]
    if local.size and n_units >= LOCAL_FROM:
        text = "not taken out of the ceilings, which are a few thousandths too low."
        checks.append(place_check(rounds.names, by_unit(local, unit) / count[:, None, None], text))
    return MaskHabits(
        rounds.names, size, one_of_them, named, len(items), items, tuple(checks), sums
    )


def by_unit(x: FloatArray, unit: NDArray[np.int64]) -> FloatArray:
    """Return sums of rows by unit."""
    out = np.zeros((int(unit.max()) + 1, *x.shape[1:]))
    np.add.at(out, unit, x)
    return out


def _ceilings(sums: ShiftSums, m: int, level: float) -> tuple[Estimate, tuple[Estimate, ...]]:
    """Return the ceilings against one rater at random, and against each."""
    reach = t_reach(sums.n_units - 1, level)
    low, middle, high = (sums.losses(s) for s in (BRACKET[0] * 2**0.5, 1.0, BRACKET[1] * 2**0.5))
    method = f"jackknife of log(1 − D) over {sums.over}, widened by the bracket (⅔ to ¾)"

    def estimate(which: int, column: int | None) -> Estimate:
        a, v, b = (x[which] if column is None else x[which][:, column] for x in (low, middle, high))
        error = float(sums.error(np.log(v[1:])))
        limits = 1 - b[0] * math.exp(reach * error), 1 - a[0] * math.exp(-reach * error)
        interval = Interval(max(float(limits[0]), 0.0), float(limits[1]), level, method)
        return Estimate(1 - float(v[0]), float(v[0]) * error, interval)

    one_of_them = estimate(1, None)
    if m > 2:
        return one_of_them, tuple(estimate(0, j) for j in range(m))
    aligned = middle[2][:, 0]
    worst = float(aligned[0]) * math.exp(reach * float(sums.error(np.log(aligned[1:]))))
    own = Interval(max(1 - worst, 0.0), 1.0, level, "1 − D of the aligned pair may be one rater's")
    note = "two raters do not show whose noise it is"
    return one_of_them, (Estimate(1 - float(middle[0][0, 0]), None, own, "", note),) * 2


def size_check(
    names: Sequence[str], size: Sequence[Estimate], x: FloatArray, level: float, then: str
) -> Check:
    """Test whether raters draw alike in size: two-way ANOVA, raters after items (patients).

    Parameters
    ----------
    x : float64 array of shape (n_units, m)
        Mean sizes by unit.
    then : str
        What is said of habits that are shown.
    """
    u, m = x.shape
    effect = x.mean(axis=0) - x.mean()
    rest = x - x.mean(axis=1, keepdims=True) - effect
    between, within = u * float(effect @ effect), float((rest**2).sum())
    dof = (u - 1) * (m - 1)
    f = between / (m - 1) / max(within / dof, 1e-300)
    p = float(special.fdtrc(m - 1, dof, f))
    largest = max(range(m), key=lambda j: abs(size[j].value))
    if p >= 1 - level or abs(size[largest].value) < SEEN:
        return Check("habit_size", True, f"Raters draw alike in size ({p_text(p)}).", f, p)
    said = ", ".join(f"{n} {s.value:+.1f}" for n, s in zip(names, size, strict=True))
    text = f"Raters differ in size (px outside of the mean outline: {said}; {p_text(p)}): {then}"
    return Check("habit_size", None, text, f, p)


def place_check(names: Sequence[str], x: FloatArray, then: str) -> Check:
    """Test whether raters differ in where along the outline they draw: t of each wave.

    Parameters
    ----------
    x : float64 array of shape (n_units, m, 4)
        Mean waves by unit.
    then : str
        What is said of habits that are shown: "such habits are ...".
    """
    u = len(x)
    best, worst = 1.0, ("", "", 0.0)
    pairs = list(itertools.combinations(range(x.shape[1]), 2))
    for j, k in pairs:
        gap = x[:, j] - x[:, k]
        error = np.maximum(gap.std(axis=0, ddof=1), 1e-12) / math.sqrt(u)
        t = gap.mean(axis=0) / error
        p = 2 * special.stdtr(u - 1, -np.abs(t))
        at = int(np.argmin(p))
        if float(p[at]) < best:
            best, worst = (
                float(p[at]),
                (f"{names[j]} and {names[k]}", PARTS[at], abs(float(gap.mean(axis=0)[at]))),
            )
    p_all = min(best * len(pairs) * x.shape[2], 1.0)
    if p_all >= 0.05 or worst[2] < SEEN:
        return Check(
            "habit_place", True, f"Raters draw alike all around ({p_text(p_all)}).", worst[2], p_all
        )
    text = (
        f"{worst[0]} differ by {worst[2]:.1f} px in {worst[1]} of the outline ({p_text(p_all)}): "
        f"such habits are {then}"
    )
    return Check("habit_place", False, text, worst[2], p_all)


__all__ = ["MaskHabits", "cubic", "mask_habits", "perfect_losses", "shift_curves"]
