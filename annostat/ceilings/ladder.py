"""The ladder of raters: what a consensus of more and more raters scores against one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.consensus.merged import signed_distance
from annostat.errors import AnnostatError
from annostat.labels.mask_arrays import box_of
from annostat.labels.masks import MaskRounds
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import exp
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate

METHODS = ("ladder", "two-raters")
IN_SAMPLE = ("in-sample", "consensus", "majority", "mean", "boundary", "staple")
MAX_RATERS = 8  # on the highest rung
KURTOSIS_FROM = 4  # raters
MAX_SPLITS = 60  # of the raters of one item into k and l


@dataclass(frozen=True, slots=True)
class Rung:
    """Mean outlines of k raters against those of l others.

    Attributes
    ----------
    k, l : int
    x : float
        1/k + 1/l.
    dice : Estimate
        Mean over items.
    """

    k: int
    l: int  # noqa: E741
    x: float
    dice: Estimate


def log_loss(t: NDArray[Any], rungs: Sequence[tuple[int, int]]) -> NDArray[Any]:
    """Return log(1 − D) of a perfect model from sums; without rungs, by 1/√2 of the pairs.

    Columns: items, 1 − D of pairs; then of the items with all raters: their number, and 1 − D of
    each rung, (1, 1) first.
    """
    pair = np.log(t[..., 1] / t[..., 0])
    if not rungs:
        return np.asarray(pair - math.log(2) / 2)
    squares = (t[..., 3:] / t[..., 2:3]) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(pair + 0.5 * np.log(squares @ to_perfect(rungs) / squares[..., 0]))


def to_perfect(rungs: Sequence[tuple[int, int]]) -> FloatArray:
    """Return the weights that take (1 − D)² of the rungs to that of k = ∞ against l = 1."""
    k, l = np.array(rungs, dtype=np.float64).T  # noqa: E741
    x = 1 / k + 1 / l
    design = [x]
    if max(i + j for i, j in rungs) >= KURTOSIS_FROM:
        design.append((k**-3 + l**-3) / x)
    return np.asarray(np.linalg.pinv(np.column_stack(design)).sum(axis=0))


def complement(
    sums: Sums, g: Callable[[Any], Any], *, level: float, n_resamples: int, rng: Rng
) -> Estimate:
    """Return 1 − exp(g) with the interval of g turned over."""
    with np.errstate(invalid="ignore", divide="ignore"):
        log_value = sums.value(g)
        loss = math.exp(log_value)
        if loss == 0:
            return Estimate(1.0, None, None, "", "no interval: all masks of an item are equal")
        if not math.isfinite(loss):
            note = "undefined: the ladder does not fall as noise of outlines does; use the bracket"
            return Estimate(math.nan, None, None, "", note)
        error = sums.standard_error(g)
        found = None
        if n_resamples and sums.n_units > 1:
            found = sums.interval(
                g, level=level, n_resamples=n_resamples, rng=rng, scale="log(1 − D)"
            )
    if found is None:
        return Estimate(1 - loss, None, None, "", "no interval: it takes two items that differ")
    return Estimate(loss, loss * error, found.through(exp)).complement()


@dataclass(frozen=True, slots=True)
class MeasuredItem:
    """What one item says: 1 − Dice by rung, and of each pair of raters."""

    n_raters: int
    all_drew: bool
    losses: dict[tuple[int, int], float]
    pairs: FloatArray
    pair_dice: float
    by_rater: FloatArray  # mean 1 − Dice with the others, NaN for who did not look


def measure_item(masks: NDArray[np.bool_], present: NDArray[np.bool_], rng: Any) -> MeasuredItem:
    """Measure the rungs of one item."""
    who = np.flatnonzero(present)
    m = who.size
    by_rater = np.full(present.size, np.nan)
    box = box_of(np.asarray(masks[who].any(axis=0)))
    sizes = masks[who].reshape(m, -1).sum(axis=1)
    all_drew = bool((sizes > 0).all()) and m > 0
    if m < 2:
        return MeasuredItem(m, all_drew, {}, np.zeros(0), math.nan, by_rater)
    if box is None:  # all empty: they agree
        by_rater[who] = 0.0
        return MeasuredItem(m, False, {}, np.zeros(m * (m - 1) // 2), 1.0, by_rater)
    cut = masks[who][(slice(None), *box)]
    flat = cut.reshape(m, -1)
    both = flat.astype(np.float64) @ flat.T.astype(np.float64)
    loss = 1 - 2 * both / np.maximum(sizes[:, None] + sizes[None, :], 1)
    loss[(sizes[:, None] + sizes[None, :]) == 0] = 0.0
    np.fill_diagonal(loss, 0.0)
    by_rater[who] = loss.sum(axis=1) / (m - 1)
    pairs = loss[np.triu_indices(m, 1)]
    losses = {(1, 1): float(pairs.mean())}
    if all_drew and m > 2:
        d = np.stack([signed_distance(mask) for mask in cut]).reshape(m, -1)
        # Where all raters are half a pixel inside, or outside, so is every mean outline.
        inside = (d >= 0.5).all(axis=0)
        band = d[:, ~(inside | (d <= -0.5).all(axis=0))]
        sure = float(inside.sum())
        keys = rungs_of(min(m, MAX_RATERS))
        losses |= {key: rung_of(band, sure, *key, rng) for key in keys if key != (1, 1)}
    return MeasuredItem(m, all_drew, losses, pairs, float(1 - pairs.mean()), by_rater)


def rung_of(
    d: FloatArray,
    sure: float,
    k: int,
    l: int,  # noqa: E741
    rng: np.random.Generator,
) -> float:
    """Return the mean of 1 − Dice of the mean outlines of k and of l others of m raters.

    `d` are signed distances where raters differ, of shape (m, pixels); `sure` pixels lie in all.
    """
    splits = list(splits_of(len(d), k, l, rng))
    a, b = np.zeros((2, len(splits), len(d)))
    for row, (first, second) in enumerate(splits):
        a[row, list(first)] = 1 / k
        b[row, list(second)] = 1 / l
    # The share of each pixel within the mean boundary; of one rater it is the mask itself.
    first_share, second_share = (np.clip(w @ d + 0.5, 0.0, 1.0) for w in (a, b))
    apart = np.abs(first_share - second_share).sum(axis=1)
    both = first_share.sum(axis=1) + second_share.sum(axis=1) + 2 * sure
    return float(np.mean(apart / both))


def splits_of(m: int, k: int, other: int, rng: np.random.Generator) -> Any:
    """Return the ways to split m raters into k and other, a random sample where there are many."""
    count = math.comb(m, k) * math.comb(m - k, other) // (2 if k == other else 1)
    if count > MAX_SPLITS:
        for _ in range(MAX_SPLITS):
            order = rng.permutation(m)
            yield tuple(order[:k]), tuple(order[k : k + other])
        return
    for first in itertools.combinations(range(m), k):
        rest = [r for r in range(m) if r not in first]
        for second in itertools.combinations(rest, other):
            if k != other or first < second:
                yield first, second


def rungs_of(m: int) -> list[tuple[int, int]]:
    """Return (k, l) with k ≥ l and k + l ≤ m; those with l = 1 first."""
    return [(k, l) for l in range(1, m // 2 + 1) for k in range(l, m - l + 1)]  # noqa: E741


def most_raters(n_raters: NDArray[np.int64]) -> int:
    """Return the largest number of raters that at least half of the items have."""
    return min(int(np.quantile(n_raters, 0.5, method="lower")), MAX_RATERS)


def seed_of_item(i: int) -> int:
    """Return the seed of an item's splits."""
    return 7919 + i  # of the splits of many raters: the same whoever computes the item


def placed(rounds: MaskRounds, label: int | None) -> int:
    """Return the place of a label among those of the rounds."""
    if label is None:
        return 1
    if label not in rounds.labels:
        raise AnnostatError(f"label must be one of {rounds.labels}, got {label!r}")
    return rounds.labels.index(label) + 1
