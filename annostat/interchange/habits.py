"""Readers with habits of size, and what these do to γ of 1 − Dice.

One reader draws outside of an edge and another inside. Both terms of γ hold that: two readers
differ by their habits too, and a model without one looks better than a reader although it follows
edges no better. Outlines are shifted by the mean habit of their reader (and of the model), as the
ceilings of masks do: γ of shifted outlines is that of shape alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.ceilings.habits import (
    BRACKET,
    LOCAL_FROM,
    REACH,
    TINY,
    ShiftSums,
    by_unit,
    cubic,
    nodes_apart,
    place_check,
    shift_curves,
    size_check,
    sizes_of,
)
from annostat.ceilings.outlines import (
    NOT_OF_VOLUMES,
    NOWHERE,
    drawn_apart,
    in_slices,
    mean_length,
    outlines_of,
    slice_axis,
)
from annostat.interchange.cells import sums_among
from annostat.interchange.distances import Distance
from annostat.interchange.places import ModelPlace
from annostat.interchange.study import Study
from annostat.interchange.taken import Taken
from annostat.interchange.verdicts import BETTER, OPEN, WITHIN, WORSE, Margin
from annostat.resampling.clusters import renumbered
from annostat.resampling.intervals import t_interval
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check

FEW = 3  # items (clusters) below which habits cannot be told
UPHELD = {BETTER: (BETTER,), WITHIN: (BETTER, WITHIN), WORSE: (WORSE,), OPEN: (OPEN,)}
PIXELS = 0.06  # of outlines, a pixel apart: what shifting them by parts of pixels may leave in γ
CLOSE = 0.3  # pixels that readers differ by in shape; what is closer counts as this
# Its limits held 72 to 98% of readers who waver by 1 to 2 px, and 7 to 98% where by 0.3 px.
EFFECT = "no interval: the size of an effect, to which pixels add"
IN_CHANGES = "they are in the changes."


@dataclass(frozen=True, eq=False)
class Habits:
    """What habits of size do to γ.

    Attributes
    ----------
    names : tuple of str
        Readers.
    size : tuple of Estimate
        By how many pixels each reader draws outside of the mean of all; they sum to 0.
    models : mapping of str to Estimate
        The same of models.
    in_shape : mapping of str to ModelPlace
        Models in a reader's place, each outline shifted by the habit of its reader or model.
    aligned : float
        What two readers differ by, their outlines shifted.
    mean_reader : Estimate
        γ of a reader who is like the others, but draws as large as the mean of all; without an
        interval, as none that was tried held.
    perfect : tuple of two floats
        Where the change of a perfect model lies, that draws as large as suits readers best.
    n_items : int
        Items that all readers drew.
    """

    names: tuple[str, ...]
    size: tuple[Estimate, ...]
    models: Mapping[str, Estimate]
    in_shape: Mapping[str, ModelPlace]
    aligned: float
    mean_reader: Estimate
    perfect: tuple[float, float]
    n_items: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        shape = {
            name: {"size_px": self.models[name].to_dict(), "in_shape": place.to_dict()}
            for name, place in self.in_shape.items()
        }
        return {
            "n_items": self.n_items,
            "readers": {n: s.to_dict() for n, s in zip(self.names, self.size, strict=True)},
            "aligned": self.aligned,
            "mean_reader": self.mean_reader.to_dict(),
            "perfect": list(self.perfect),
            "models": shape,
        }


def find_habits(
    taken: Taken,
    distance: Distance,
    places: Mapping[str, ModelPlace],
    *,
    sample: bool,
    margin: Margin,
    level: float,
) -> tuple[Habits | None, list[Check]]:
    """Return what habits do to γ, where they are shown, and checks of habits of size and place.

    None, and no check, of labels other than masks, of anonymous readers, and where fewer than three
    items (clusters), or less than half of them, were drawn by all readers. Of distances other than
    1 − Dice there are checks alone.

    Parameters
    ----------
    places : mapping of str to ModelPlace
        The models, their outlines as they were drawn.
    """
    if taken.kind != "masks" or taken.exchangeable:
        return None, []
    labels = taken.columns.labels
    axes = tuple(range(1, labels[0].ndim))
    drew = np.stack([z.any(axis=axes) for z in labels], axis=1) & taken.columns.seen
    rows = np.flatnonzero(drew.all(axis=1))
    if not rows.size or 2 * rows.size < len(drew):
        return None, []
    taken = taken.at(rows)
    codes = taken.codes
    unit = np.arange(rows.size) if codes is None else codes
    over = "items" if codes is None else "clusters"
    if int(unit.max()) + 1 < FEW:
        return None, []
    if slice_axis(len(axes), taken.columns.spacing) is None:
        return None, [NOT_OF_VOLUMES]
    k = len(taken.names)
    drawn = [drawn_apart(_masks(taken, i), k) for i in range(rows.size)]
    habit = np.stack([size for size, _ in drawn])
    local = np.stack([waves for _, waves in drawn])
    count = np.bincount(unit).astype(np.float64)
    size = sizes_of(habit[:, :k], unit, level, over)
    x = by_unit(habit[:, :k], unit) / count[:, None]
    check = size_check(taken.names, size, x, level, IN_CHANGES)
    seen = [replace(check, message=check.message.replace("Raters", "Readers", 1))]
    if local.size and len(count) >= LOCAL_FROM:
        x = by_unit(local, unit) / count[:, None, None]
        check = place_check(taken.names, x, "in the changes, those of shape too.")
        seen.append(replace(check, message=check.message.replace("Raters", "Readers", 1)))
    marked = [given & f.any(axis=axes) for f, given in taken.models.values()]
    if seen[0].passed or distance.name != "1-dice" or not all(m.any() for m in marked):
        return None, seen
    shifted = _Shifted(taken, habit, marked, unit, over, level)
    study = Study(taken, distance, shifted.among(), sample, margin, level)
    # As pixels are the coarser, the closer readers are: up to 1/5 pixel of outlines without noise.
    off = PIXELS / max(shifted.aligned / shifted.per_pixel, CLOSE) * shifted.per_pixel
    in_shape = {}
    for m, (name, (_, given)) in enumerate(taken.models.items()):
        cells = shifted.to_model(m, given)
        place = study.place(name, cells, given, study.units(name, cells, given))
        in_shape[name] = allowing_for_pixels(place, off)
    among = sums_among(taken.columns, distance)
    found = Habits(
        taken.names,
        size,
        shifted.models(),
        in_shape,
        shifted.aligned,
        replace(shifted.mean_reader(), interval=None, note=EFFECT),
        shifted.perfect(float(among.mean()) / (k - 1)),
        rows.size,
    )
    return found, [_told(found, seen[0], places, among, k), *seen[1:]]


def _masks(taken: Taken, i: int) -> NDArray[np.bool_]:
    """Return the masks of an item: the readers', then the models'."""
    models = (f for f, _ in taken.models.values())
    masks = np.stack([z[i] for z in (*taken.columns.labels, *models)]).astype(bool)
    return in_slices(masks, slice_axis(masks.ndim - 1, taken.columns.spacing) or 0)


class _Shifted:
    """1 − Dice of outlines that are brought to the mean size of the readers, by item.

    Each outline is moved by the mean habit of who drew it, so that all have one size. (Moving two
    of them half way to each other compares a small reader with the model at a smaller size, where
    the same noise is more of the area: two readers 4 px apart had γ 0.003 to 0.007 too high.)
    """

    def __init__(
        self,
        taken: Taken,
        habit: FloatArray,
        marked: list[NDArray[np.bool_]],
        unit: NDArray[np.int64],
        over: str,
        level: float,
    ) -> None:
        self.names = tuple(taken.models)
        self.k = k = len(taken.names)
        self.marked = marked  # where each model drew something, so that it has an outline
        self.habit, self.unit, self.over, self.level = habit, unit, over, level
        there = [np.ones(len(habit), dtype=bool)] * k + marked
        self.mean = np.array([h[t].mean() for h, t in zip(habit.T, there, strict=True)])
        step = nodes_apart(self.mean)
        self.pairs = list(combinations(range(k), 2))
        n, m = len(habit), len(self.names)
        self.apart = np.zeros((n, k + m, k))  # one size
        self.reach = math.ceil(float(np.abs(self.mean[:k]).max())) + 2
        self.beside = np.zeros((n, k, k, 2 * self.reach + 1))  # one moved by whole px, one not
        curves, per_pixel = [], np.zeros(n)
        for i in range(n):
            d = _outlines(_masks(taken, i), REACH * step // 2 + 2)
            curves.append(shift_curves(d[:k], step))
            per_pixel[i] = mean_length(d[:k]) * k / (2 * float((d[:k] > 0).sum()))
            d = d.reshape(len(d), -1)
            self.apart[i] = shifted_losses(d, self.mean, k)
            drawn = (d[:k] > 0).astype(np.float64)
            for q in range(2 * self.reach + 1):
                self.beside[i, :, :, q] = losses((d[:k] > q - self.reach).astype(float), drawn)
        self.per_pixel = float(per_pixel.mean())  # 1 − Dice of outlines a pixel apart
        count = np.bincount(unit).astype(np.float64)
        of_pairs = by_unit(np.stack(curves), unit)
        self.sums = ShiftSums(count, by_unit(habit[:, :k], unit), of_pairs, step, unit, over)

    def among(self) -> FloatArray:
        """Return sums of 1 − Dice to the other readers, habits taken out, shape (n, k)."""
        out = np.asarray(self.apart[:, : self.k].sum(axis=2))  # of a reader with itself 0
        self.aligned = float(out.mean()) / (self.k - 1)
        return out

    def to_model(self, m: int, given: NDArray[np.bool_]) -> FloatArray:
        """Return 1 − Dice of a model to each reader, habits taken out, shape (n, k)."""
        return np.where(given[:, None], self.apart[:, self.k + m], np.nan)

    def models(self) -> dict[str, Estimate]:
        """Return by how many pixels each model draws outside of the mean of readers."""
        found = {}
        for m, (name, given) in enumerate(zip(self.names, self.marked, strict=True)):
            unit = renumbered(self.unit[given])
            own = self.habit[given, self.k + m, None]
            value = Estimate(float(self.mean[self.k + m]), None, None, "px")
            enough = unit.size and unit.max() + 1 >= FEW
            found[name] = sizes_of(own, unit, self.level, self.over)[0] if enough else value
        return found

    def mean_reader(self) -> Estimate:
        """Return γ of a reader without a habit: each reader's outline, moved to the mean size.

        By cubics between moves by whole pixels: what a small habit costs goes with its square, and
        pixels covered in part would make twice as much of it.
        """
        habit = self.sums.means()[0] * self.sums.step  # of all units, then without each of them
        own = np.concatenate([0.0 * self.beside[:1], by_unit(self.beside, self.unit)])
        left = self.sums.count.sum() - np.concatenate([[0.0], self.sums.count])
        curve = (own.sum(axis=0) - own) / left[:, None, None, None]
        at = np.broadcast_to(habit[:, :, None] + self.reach, curve.shape[:3])
        change = cubic(curve, at) - curve[..., self.reach]
        change[:, range(self.k), range(self.k)] = 0.0
        change = change.sum(axis=(1, 2)) / (self.k * (self.k - 1))
        error = float(self.sums.error(change[1:]))
        method = f"jackknife over {self.over}"
        held = t_interval(float(change[0]), error, self.sums.n_units - 1, self.level, method)
        return Estimate(float(change[0]), error, held)

    def perfect(self, among: float) -> tuple[float, float]:
        """Return the change of a perfect model at its best size, least and most."""
        low, high = (float(self.sums.losses(share * 2**0.5)[1][0]) for share in BRACKET)
        return low - among, high - among


def shifted_losses(distance: FloatArray, habit: FloatArray, n_readers: int) -> FloatArray:
    """Return 1 − Dice of outlines with each reader's, all moved inwards by their habits.

    By cubics between moves of one against the other by whole pixels, both about where they should
    be. (Outlines that cover pixels in part differ by their blur too: readers' outlines, moved by
    half a pixel, differed less than they do, and γ of a model that is not moved was 0.08 pixels of
    outline too high; now 0.04 at a noise of 1 px and less at more, which limits allow for.)

    Parameters
    ----------
    distance : float64 array of shape (m, pixels)
        Signed distances from the outlines, positive inside; the readers' first.
    habit : float64 array of shape (m,)
        In pixels.

    Returns
    -------
    float64 array of shape (m, n_readers)
    """
    first = np.floor(habit) - 1
    # Most pixels lie within all outlines or without: those in between are looked at one by one.
    within = (distance > (first + 3)[:, None]).all(axis=0)
    edge = distance[:, (distance > first[:, None]).any(axis=0) & ~within]
    drawn = (edge[:, None, :] > (first[:, None] + np.arange(4))[:, :, None]).astype(np.float32)
    drawn = drawn.reshape(-1, edge.shape[1])
    inner = float(within.sum())
    size = inner + drawn.sum(axis=1, dtype=np.float64)
    own = 4 * n_readers
    shared = inner + (drawn @ drawn[:own].T).astype(np.float64)  # whole numbers, below 2²⁴ exact
    loss = 1 - 2 * shared / np.maximum(size[:, None] + size[:own], TINY)
    loss = loss.reshape(len(habit), 4, n_readers, 4)
    one, other = np.indices((len(habit), n_readers))
    apart = habit[:, None] - habit[:n_readers]
    ends = np.floor(apart)[..., None] + np.arange(-1, 3)  # whole pixels by which they are moved
    at = habit[:, None, None] + (ends - apart[..., None]) / 2  # apart, about where both should be
    q = np.minimum(np.floor(at) - first[:, None, None], 2).astype(np.int64)
    p = np.clip(q + (first[:, None] - first[:n_readers])[..., None] - ends, 0, 2).astype(np.int64)
    part = at - first[:, None, None] - q
    place = one[..., None], other[..., None]
    near = loss[place[0], q, place[1], p] * (1 - part)
    near += loss[place[0], q + 1, place[1], p + 1] * part
    out = cubic(near, apart - ends[..., 0])
    out[range(n_readers), range(n_readers)] = 0.0
    return np.asarray(out)


def losses(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return 1 − Dice of each of the first with each of the second."""
    size = first.sum(axis=1)[:, None] + second.sum(axis=1)
    shared = [[np.minimum(a, b).sum() for b in second] for a in first]
    return np.asarray(1 - 2 * np.array(shared) / np.maximum(size, TINY))


def allowing_for_pixels(place: ModelPlace, off: float) -> ModelPlace:
    """Return a model in a reader's place with limits that hold what pixels may add to γ.

    A verdict stands where the wider limits say it too; the least margin grows as much.
    """
    if place.change.interval is None:
        return place
    change = _wider(place.change, off)
    limits, standing = change.interval, place.standing
    at = standing.margin if standing.margin is not None else -math.inf
    upheld = limits is not None and {
        BETTER: limits.high < 0,
        WITHIN: limits.high < at,
        WORSE: limits.low > 0,
    }.get(standing.name, True)
    name = standing.name if upheld else OPEN
    standing = replace(standing, name=name, least_margin=standing.least_margin + off)
    of_each = tuple(replace(p, change=_wider(p.change, off)) for p in place.places)
    return replace(place, change=change, standing=standing, places=of_each)


def _wider(e: Estimate, off: float) -> Estimate:
    i = e.interval
    if i is None:
        return e
    words = f"{i.method}, widened for pixels"
    return replace(e, interval=Interval(i.low - off, i.high + off, i.level, words))


def _outlines(masks: NDArray[np.bool_], margin: int) -> FloatArray:
    """Return signed distances of masks of which models' may be empty."""
    there = masks.reshape(len(masks), -1).any(axis=1)
    known = outlines_of(masks[there], margin)
    out = np.full((len(masks), *known.shape[1:]), NOWHERE)
    out[there] = known
    return out


def _told(
    found: Habits, seen: Check, places: Mapping[str, ModelPlace], among: FloatArray, k: int
) -> Check:
    """Return the check of size with what habits do to γ, failed where a verdict rests on them.

    Elsewhere it holds: readers who differ are allowed for in shape.
    """
    two = float(among.mean()) / (k - 1)
    text = seen.message.removesuffix(IN_CHANGES)
    text += (
        f"that is {two - found.aligned:.2g} of the {two:.3g} by which two differ, and a reader of "
        f"mean size would have a change of {found.mean_reader.short()}."
    )
    doubted = [
        name
        for name, place in places.items()
        if found.in_shape[name].standing.name not in UPHELD[place.standing.name]
        and place.standing.name != OPEN
    ]
    for name in doubted:
        e = found.in_shape[name].change
        held = f" ({e.range()})" if e.interval is not None else ""
        text += (
            f" As drawn {name} is {places[name].standing.name}, in shape this is not shown: with "
            f"all habits taken out its change is {e.short()}{held}."
        )
    return Check("habit_size", not doubted, text, seen.statistic, seen.p_value)
