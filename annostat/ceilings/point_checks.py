"""Checks of points: readers who are biased, or less precise; landmarks that were swapped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.ceilings.point_result import PointBias, Swap
from annostat.labels.points import Points
from annostat.resampling.clusters import renumbered
from annostat.resampling.hotelling import equal_means, hotelling
from annostat.resampling.multiplicity import holm
from annostat.results.result import Check
from annostat.results.text import counted, format_number, p_text

FAR = 3.0  # medians of a distance beyond which a point may be another landmark
FEW_UNITS = 30  # below, limits of a mean square are too narrow
HEAVY = 0.3  # of the squares, held by a twentieth of the units: so they are then
GROSS = 10.0  # medians of a distance beyond which a single point is named
SINGLE = 0.05  # largest share of such points
MOST_NAMED = 6
FEWEST = 8  # points from which coordinates are held against the others'
EVERYWHERE = 0.1  # of the spread of points, in squared distances, beyond which they are suspect
BETTER = 0.25  # of the squared distances that are left if two landmarks change places


def biases_of(points: Points, codes: NDArray[np.int64] | None) -> tuple[PointBias, ...]:
    """Return the mean difference of each pair of readers at each landmark, with its test.

    Parameters
    ----------
    points : Points
    codes : int64 array of shape (n_items,) or None
        Clusters: the independent units.
    """
    d = points.differences()
    found, p_values = [], []
    for p, (i, j) in enumerate(points.pairs):
        for m, landmark in enumerate(points.landmarks):
            x = d[:, p, m]
            here = np.isfinite(x[:, 0])
            if not here.any():
                continue
            test = hotelling(_units(x[here], None if codes is None else codes[here]))
            p_values.append(None if test is None else test[1])
            vector = tuple(float(v) for v in -x[here].mean(axis=0))
            found.append(PointBias(landmark, points.names[i], points.names[j], vector, None))
    return tuple(
        PointBias(b.landmark, b.first, b.second, b.vector, p)
        for b, p in zip(found, holm(p_values), strict=True)
    )


def _units(x: FloatArray, codes: NDArray[np.int64] | None) -> FloatArray:
    """Return sums by unit, each scaled to the mean size, so that their mean is that of items."""
    if codes is None:
        return x
    group = renumbered(codes)
    total = np.zeros((int(group.max()) + 1, x.shape[1]))
    np.add.at(total, group, x)
    return np.asarray(total * len(total) / len(x))


def bias_check(points: Points, biases: Sequence[PointBias], alpha: float) -> Check:
    """Return whether readers put points beside each other's, on average."""
    name = "point_bias"
    if points.exchangeable:
        text = "Readers are anonymous, so a bias between two of them cannot be seen."
        return Check(name, None, text)
    known = [b for b in biases if b.p_value is not None]
    if not known:
        return Check(name, None, "Whether readers are biased cannot be told: too few items.")
    worst = min(known, key=lambda b: (b.p_value, -b.length))
    p = worst.p_value
    if p is None or p >= alpha:
        return Check(name, True, f"No bias between readers is visible ({p_text(p)}, Hotelling).")
    unit = f" {points.unit}" if points.unit else ""
    size = format_number(worst.length, worst.length / 20)
    text = (
        f"{worst.second} puts {worst.landmark} {size}{unit} beside {worst.first} on average "
        f"({p_text(p)}, Hotelling, Holm); taken out: a model meets it on top of these floors."
    )
    return Check(name, True, text, worst.length, p)


def precision_check(points: Points, codes: NDArray[np.int64] | None, alpha: float) -> Check:
    """Return whether readers are equally precise: each against the mean of the others."""
    name = "equal_precision"
    if points.exchangeable or len(points.names) < 3:
        why = "readers are anonymous" if points.exchangeable else "it takes three readers"
        text = f"Whether readers are equally precise cannot be told: {why}."
        return Check(name, None, text)
    z, k = points.values, len(points.names)
    e = z - (z.sum(axis=1, keepdims=True) - z) / (k - 1)  # NaN where a reader is missing
    complete = np.isfinite(e[:, 0, :, 0])
    seen = np.maximum(complete.sum(axis=0), 1)
    e = e - np.nansum(e, axis=0) / seen[:, None]
    q = np.where(complete[:, None], (e**2).sum(axis=3), 0.0).sum(axis=2)
    count = complete.sum(axis=1)
    of_items = np.where(count[:, None] > 0, q / np.maximum(count, 1)[:, None], np.nan)
    here = np.isfinite(of_items).all(axis=1)
    if here.sum() < 2:
        return Check(name, None, "Whether readers are equally precise cannot be told: few items.")
    units = _units(of_items[here], None if codes is None else codes[here])
    test = equal_means(units)
    if test is None:
        return Check(name, None, "Whether readers are equally precise cannot be told: few items.")
    means = of_items[here].mean(axis=0)
    # |z_j − mean of the others|² has the mean s_j + Σ_{l≠j} s_l/(k−1)².
    a = 1 - 1 / (k - 1) ** 2
    s = (means - means.sum() / (1 + 1 / (k - 1)) / (k - 1) ** 2) / a
    rms = np.sqrt(np.maximum(s, 0.0))
    if test[1] >= alpha:
        return Check(name, True, f"Readers are equally precise ({p_text(test[1])}).", *test)
    unit = f" {points.unit}" if points.unit else ""
    listed = ", ".join(
        f"{n} {format_number(float(r), max(float(r), 1e-300) / 20)}"
        for n, r in zip(points.names, rms, strict=True)
    )
    text = (
        f"Readers are not equally precise (RMS{unit and ','}{unit} {listed}; {p_text(test[1])}): "
        "the floors are against one of them at random; against the best a model can look better."
    )
    return Check(name, False, text, *test)


def swaps_of(points: Points) -> tuple[Swap, ...]:
    """Return pairs of landmarks that a reader seems to have exchanged.

    Two readers' points of landmarks a and b are both far apart (three medians and more of the pair
    of readers who are nearest), or so they are on most items; and exchanging them leaves a quarter
    of the squared distances or less.
    """
    z = points.values
    if z.shape[2] < 2:
        return ()
    straight = (points.differences() ** 2).sum(axis=3)
    with np.errstate(invalid="ignore"):
        far = straight > (FAR * _near(straight)) ** 2
    _exchanged_throughout(z, points.pairs, straight, far)
    votes: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
    for p, (i, j) in enumerate(points.pairs):
        some = far[:, p].sum(axis=1) >= 2
        for item in np.flatnonzero(some).tolist():
            for a, b in combinations(np.flatnonzero(far[item, p]).tolist(), 2):
                crossed = float(((z[item, i, a] - z[item, j, b]) ** 2).sum())
                crossed += float(((z[item, i, b] - z[item, j, a]) ** 2).sum())
                if crossed <= BETTER * (straight[item, p, a] + straight[item, p, b]):
                    votes.setdefault((item, a, b), []).append((i, j))
    found = []
    for (item, a, b), pairs in sorted(votes.items()):
        count = Counter(r for pair in pairs for r in pair)
        most = max(count.values())
        who = tuple(points.names[r] for r in sorted(count) if count[r] == most)
        name = str(item) if points.items is None else str(points.items[item])
        found.append(Swap(name, (points.landmarks[a], points.landmarks[b]), who))
    return tuple(found)


def _near(squares: FloatArray) -> FloatArray:
    """Return the median distance at each landmark of the two readers who are nearest there."""
    found = np.full(squares.shape[2], np.inf)
    for p in range(squares.shape[1]):
        for m in np.flatnonzero(np.isfinite(squares[:, p]).any(axis=0)).tolist():
            found[m] = min(found[m], float(np.sqrt(np.nanmedian(squares[:, p, m]))))
    return found


def _exchanged_throughout(
    z: FloatArray,
    pairs: Sequence[tuple[int, int]],
    straight: FloatArray,
    far: NDArray[np.bool_],
) -> None:
    """Call far apart, in place, what two readers have exchanged on most items."""
    for p, (i, j) in enumerate(pairs):
        for a, b in combinations(range(z.shape[2]), 2):
            crossed = ((z[:, i, a] - z[:, j, b]) ** 2).sum(axis=1)
            crossed += ((z[:, i, b] - z[:, j, a]) ** 2).sum(axis=1)
            both = straight[:, p, a] + straight[:, p, b]
            known = np.isfinite(crossed) & np.isfinite(both)
            less = known & (crossed <= BETTER * both)
            if less.sum() > 0.5 * known.sum():
                far[less, p, a] = far[less, p, b] = True


def far_point_check(points: Points) -> list[Check]:
    """Return a failed check for single points that lie far from every other reader's."""
    distance = points.pair_distances()
    near = _near(distance**2)
    found = []
    for j, name in enumerate(points.names):
        of = [p for p, pair in enumerate(points.pairs) if j in pair]
        least = np.where(np.isfinite(distance[:, of]), distance[:, of], np.inf).min(axis=1)
        gross = np.isfinite(least) & (least > GROSS * near) & (near > 0)
        if gross.mean() > SINGLE:
            continue  # a reader of another kind, not single points
        for i, m in np.argwhere(gross).tolist():
            item = str(i) if points.items is None else str(points.items[i])
            found.append((-float(least[i, m]), item, name, points.landmarks[m]))
    if not found:
        return []
    unit = f" {points.unit}" if points.unit else ""
    told = [
        f"{landmark} of {item} by {name} ({format_number(-away, digits=3)}{unit})"
        for away, item, name, landmark in sorted(found)[:MOST_NAMED]
    ]
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    text = (
        f"{counted(len(found), 'point')} far from every other reader's: {'; '.join(told)}{more}. "
        "If that is a typo, or stands for no point, correct the table."
    )
    return [Check("far_points", False, text, float(len(found)))]


def frame_check(points: Points) -> list[Check]:
    """Return a failed check if a reader's coordinates are of another unit, or in another order.

    Over all items and landmarks they are held against the mean of the others'; the reader who is
    farthest off is named, of two readers both.
    """
    z, d, k = points.values, points.n_dimensions, len(points.names)
    found: list[tuple[float, Check]] = []
    for j, name in enumerate(points.names):
        others = np.delete(z, j, axis=1)
        count = np.isfinite(others[..., 0]).sum(axis=1)
        mean = np.nansum(others, axis=1) / np.maximum(count, 1)[..., None]
        here = (count > 0) & np.isfinite(z[:, j, :, 0])
        own, theirs = z[:, j][here], mean[here]
        if len(own) < FEWEST:
            continue
        x, y = theirs - theirs.mean(axis=0), own - own.mean(axis=0)
        spread, off = float((x**2).sum()), float(((y - x) ** 2).sum())
        if not off > EVERYWHERE * spread:
            continue  # its errors are small beside what there is to find
        slope = float((x * y).sum() / spread) if spread else 1.0
        turned = [float(((y[:, list(order)] - x) ** 2).sum()) for order in _orders(d)]
        who = name if k > 2 else f"{name}, or the other's,"
        if turned and min(turned) < BETTER * off:
            text = f"The coordinates of {who} seem to be in another order (x for y)."
            found.append((off, Check("same_axes", False, text, slope)))
        elif abs(slope) < 0.5 or slope > 2:
            text = (
                f"The coordinates of {who} vary {format_number(slope, digits=2)} times as much as "
                "the others': are they in another unit (cm for mm), or without spacing?"
            )
            found.append((off, Check("same_unit", False, text, slope)))
    return [max(found, key=lambda pair: pair[0])[1]] if found else []


def _orders(d: int) -> list[tuple[int, ...]]:
    return [p for p in permutations(range(d)) if p != tuple(range(d))]


def tails_check(distance: FloatArray, codes: NDArray[np.int64] | None) -> list[Check]:
    """Return an open check where limits of the RMS rest on few units' squares.

    Parameters
    ----------
    distance : float64 array of shape (n_items, n_pairs, n_landmarks)
    codes : int64 array of shape (n_items,) or None
    """
    r = distance.reshape(len(distance), -1)
    here = np.isfinite(r).any(axis=1)
    squares = np.nanmean(r[here] ** 2, axis=1)
    if codes is not None:
        squares = np.bincount(renumbered(codes[here]), squares)
    n, total = len(squares), float(squares.sum())
    if n < 2 or not total > 0:
        return []
    most = max(n // 20, 1)
    share = float(np.sort(squares)[-most:].sum()) / total
    units = "item" if codes is None else "cluster"
    if n < FEW_UNITS:
        why = f"{counted(n, units)} are few"
    elif share > HEAVY:
        why = f"{counted(most, units)} of {n:,} hold {share:.0%} of the squares"
    else:
        return []
    text = (
        f"Limits of the RMS radial error may be too narrow: {why} (they held 88 to 97% in "
        "simulations). Those of the mean and of shares hold."
    )
    return [Check("rms_limits", None, text, share)]


def swap_check(swaps: Sequence[Swap]) -> list[Check]:
    """Return a failed check where landmarks seem swapped."""
    if not swaps:
        return []
    grouped: dict[tuple[str, ...], list[str]] = {}
    for s in swaps:
        who = " or ".join(s.readers)
        grouped.setdefault((*s.landmarks, who), []).append(s.item)
    named = [f"{a} and {b} by {who} on {', '.join(on)}" for (a, b, who), on in grouped.items()]
    text = (
        f"{counted(len(swaps), 'pair')} of landmarks seem{'s' if len(swaps) == 1 else ''} swapped: "
        f"{'; '.join(named)}. They count in the floors: correct the table, or leave these items "
        "out."
    )
    return [Check("swaps", False, text, float(len(swaps)))]
