"""Verdicts on a model's masks: made of the raters' masks, leaning to one, or one of them.

For outlines of a model f and of raters a and b, whose errors are independent of each other and of
f's, the mean squares D² of their distances obey T = ½(D²_fa + D²_fb − D²_ab) = E(f − truth)² ≥ 0,
whatever the raters' noises. It is negative only if the model's errors go together with theirs.
Habits, of all three, are taken out first: a model between two raters who draw larger and smaller
would be accused otherwise. A high Dice accuses nobody.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, dot
from annostat.ceilings.habits import LOCAL_FROM
from annostat.ceilings.outlines import (
    NOWHERE,
    directions,
    displaced,
    edge_of,
    in_slices,
    outlines_of,
)
from annostat.resampling.clusters import renumbered
from annostat.resampling.intervals import t_reach
from annostat.resampling.parallel import map_parallel
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check

SAME = 0.002  # 1 − Dice against a rater below which, on half of the items, it is that rater's mask
MARGIN = 4  # px around what anybody drew


@dataclass(frozen=True)
class MaskVerdict:
    """What the outlines of one model have in common with those of the raters.

    Attributes
    ----------
    size : Estimate
        By how many pixels it draws outside of the raters' mean outline.
    square : Estimate
        Mean over pairs of raters of T: the mean square of the model's own error, px².
    pairs : dict of (str, str) to Estimate
        T of each pair; the limits are Bonferroni's over pairs.
    made_of : tuple of str
        Raters whose masks it is made of, or has seen.
    leans : tuple of str
        Raters to whom it leans (three raters or more).
    same_as : str
        Rater whose masks these are, or "".
    """

    size: Estimate
    square: Estimate
    pairs: dict[tuple[str, str], Estimate]
    made_of: tuple[str, ...]
    leans: tuple[str, ...]
    same_as: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "size_px": self.size.to_dict(),
            "square_px2": self.square.to_dict(),
            "pairs": [
                {"rater_a": a, "rater_b": b, **t.to_dict()} for (a, b), t in self.pairs.items()
            ],
            "made_of": list(self.made_of),
            "leans_to": list(self.leans),
            "same_as": self.same_as,
        }

    def check(self, name: str, key: str) -> Check | None:
        """Return the check of a model that is not of its own making, or leans; None if neither."""
        if self.same_as:
            text = f"{name} is {self.same_as}'s mask: score it on raters it has not seen."
            return Check(key, False, text, self.square.value)
        if self.made_of:
            text = (
                f"{name} is made of, or has seen, masks of {' and '.join(self.made_of)}: its "
                "errors go together with theirs; score it on raters it has not seen."
            )
            return Check(key, False, text, self.square.value)
        return None

    def leaning(self, name: str) -> str:
        """Return the sentence on a model that leans to a rater, or nothing."""
        if not self.leans or self.same_as or self.made_of:
            return ""
        who = " and ".join(self.leans)
        return f" It leans to {who}: it has learnt more than size there, or has seen those masks."


def mask_verdict(
    raters: Any,
    model: Any,
    names: Sequence[str],
    codes: NDArray[np.int64] | None,
    *,
    place: int = 1,
    axis: int | None = None,
    level: float = 0.95,
    n_jobs: int | None = 1,
) -> MaskVerdict | None:
    """Return what a model's outlines have in common with the raters'; None below three items.

    Parameters
    ----------
    raters : sequence of arrays of shape (n, ...)
        Masks of the same items, of booleans, or of numbers of which `place` counts; also packed.
        Nobody's is empty.
    model : array of shape (n, ...)
    names : sequence of str
    codes : int64 array of shape (n,) or None
        Patient of each item.
    axis : int or None
        Of volumes, the axis from slice to slice (see `slice_axis`): outlines are then compared
        within the slices that all of them drew, and items without such a slice are left out. None
        compares volumes in all directions, in voxels.
    level : float
        Its complement is split over both sides, as of an interval, and over raters or pairs.
    n_jobs : int or None
        As everywhere.

    Notes
    -----
    D²_xy is the mean over the edge pixels of x of (d_y − d_x − (h_y − h_x))², averaged with that
    over those of y; d is the signed distance to an outline, h the habit: the mean over items of
    the displacement from the raters' mean outline, in images of at least ten items by
    {1, cos θ, sin θ, cos 2θ, sin 2θ} about its centre, else a constant.
    """
    m = len(raters)
    sliced = model.ndim == 4 and axis is not None

    def drawn(i: int) -> NDArray[np.bool_]:
        masks = np.concatenate([np.asarray(x[i : i + 1]) for x in (*raters, model)]) == place
        return in_slices(masks, axis) if sliced and axis is not None else masks

    items = list(range(len(model)))
    if sliced:
        whole = map_parallel(lambda i: drawn(i).any(axis=(2, 3)).all(axis=0), items, n_jobs=n_jobs)
        items = [i for i in items if whole[i].any()]
    unit = np.array(items, np.int64) if codes is None else codes[items]
    unit = renumbered(unit)
    units = int(unit.max()) + 1 if unit.size else 0
    if units < 3:
        return None
    waves = model.ndim == 3 and units >= LOCAL_FROM

    def outlined(masks: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        d = outlines_of(masks, MARGIN, sliced=sliced)
        if sliced:
            d = d[:, (d > NOWHERE).all(axis=(0, 2, 3))]
        mean = d[:m].mean(axis=0)
        return d, directions(mean) if waves else np.ones((*mean.shape, 1))

    def move(i: int) -> FloatArray:
        d, basis = outlined(drawn(i))
        mean = d[:m].mean(axis=0)
        edge = edge_of(mean, basis.shape[-1])
        return displaced(d[:, edge], mean[edge], basis[edge])

    moved = map_parallel(move, items, n_jobs=n_jobs)
    habit = np.mean(moved, axis=0)
    pairs = list(itertools.combinations(range(m), 2))

    def compare(i: int) -> tuple[list[float], list[float]]:
        masks = drawn(i)
        d, basis = outlined(masks)
        apart = squares(d - np.einsum("...q,kq->k...", basis, habit), d)
        inside = masks.reshape(m + 1, -1)
        size = inside.sum(axis=1)
        both = (inside[:m] & inside[m]).sum(axis=1)
        own = [0.5 * (apart[m, j] + apart[m, k] - apart[j, k]) for j, k in pairs]
        return own, (1 - 2 * both / np.maximum(size[:m] + size[m], 1)).tolist()

    compared = map_parallel(compare, items, n_jobs=n_jobs)
    t = np.array([own for own, _ in compared])
    loss = np.array([apart for _, apart in compared])
    tail = (1 - level) / 2

    def mean_of(x: FloatArray, share: int) -> Estimate:
        return _mean(x, unit, 1 - 2 * tail / share)

    square = mean_of(t.mean(axis=1), 1)
    found = {(names[j], names[k]): mean_of(t[:, p], len(pairs)) for p, (j, k) in enumerate(pairs)}
    made_of: tuple[str, ...] = ()
    if _negative(square):
        made_of = tuple(names)
    below = [pair for pair, estimate in found.items() if _negative(estimate)]
    if below:
        made_of = tuple(x for x in names if any(x in pair for pair in below))
    leans = []
    for j in range(m) if m > 2 else ():
        mine = np.array([j in pair for pair in pairs])
        if _negative(mean_of(t[:, mine].mean(axis=1) - t[:, ~mine].mean(axis=1), m)):
            leans.append(names[j])
    typical = np.median(loss, axis=0)
    nearest = int(np.argmin(typical))
    same_as = names[nearest] if typical[nearest] < SAME else ""
    size = mean_of(np.array([x[m, 0] for x in moved]), 1)
    return MaskVerdict(size, square, found, made_of, tuple(leans), same_as)


def squares(shifted: FloatArray, d: FloatArray) -> FloatArray:
    """Return mean squares of the distances of outlines whose habits are out, shape (k, k).

    `shifted` holds the signed distances less the habits; edges are where `d` is within ½.
    """
    k = len(d)
    one_way = np.zeros((k, k))
    for x in range(k):
        edge = np.abs(d[x]) <= 0.5
        one_way[x] = ((shifted - shifted[x])[:, edge] ** 2).mean(axis=1)
    return np.asarray((one_way + one_way.T) / 2)


def _negative(estimate: Estimate) -> bool:
    return estimate.interval is not None and estimate.interval.high < 0


def _mean(x: FloatArray, unit: NDArray[np.int64], level: float) -> Estimate:
    """Return the mean over items with a t interval over units."""
    units = int(unit.max()) + 1
    mean = float(x.mean())
    left = np.bincount(unit, x - mean)
    error = math.sqrt(units / (units - 1) * dot(left, left)) / x.size
    reach = t_reach(units - 1, level) * error
    interval = Interval(mean - reach, mean + reach, level, "t over items")
    return Estimate(mean, error, interval)


__all__ = ["MaskVerdict", "mask_verdict", "squares"]
