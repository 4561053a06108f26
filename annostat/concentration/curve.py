"""The concentration curve of losses: shares, Gini, and how they move when an item is left out.

Worst first: S(p) is the share of the total loss that the worst fraction p of the items holds
(Lorenz 1905, read from the other end: S(p) = 1 − L(1 − p)). Items are split where p falls within
one, so that ties and duplicated items change nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat.arrays import FloatArray, dot
from annostat.errors import (
    LARGEST,
    AnnostatError,
    check_choice,
    check_numbers,
    check_squares,
    shown,
)
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval

LOSSES = ("squared", "absolute", "asis")
FEWEST = 3  # items; two points make a line whatever they are
# Of the losses: mean square over squared mean. Beyond, a few items carry the total and no interval
# covers; for squared errors this is their kurtosis, with the limit that `repeatability` has.
DOMINATED = 9.0


@dataclass(frozen=True, eq=False)
class Curve:
    """Losses sorted from the worst to the best, with their cumulative sums.

    Attributes
    ----------
    order : int64 array of shape (n,)
        Position in the data of each item, worst first.
    loss, weight : float64 arrays of shape (n,)
        Loss of one unit of weight, and weight; in that order.
    mass, total : float64 arrays of shape (n + 1,)
        Cumulative weight and weighted loss, from 0.
    """

    order: NDArray[np.int64]
    loss: FloatArray
    weight: FloatArray
    mass: FloatArray
    total: FloatArray

    @classmethod
    def of(cls, losses: FloatArray, weights: FloatArray | None = None) -> Curve:
        """Sort losses; ties keep the order of the data."""
        w = np.ones(losses.size) if weights is None else weights
        order = np.argsort(-losses, kind="stable")
        return cls.of_order(order, losses[order], w[order])

    @classmethod
    def of_order(cls, order: NDArray[np.int64], loss: FloatArray, weight: FloatArray) -> Curve:
        """Return the curve of losses in their order, worst first."""
        mass = np.concatenate([[0.0], np.cumsum(weight)])
        total = np.concatenate([[0.0], np.cumsum(loss * weight)])
        return cls(order, loss, weight, mass, total)

    def share(self, p: ArrayLike) -> FloatArray:
        """Return the share of the total loss in the worst fraction p of the items."""
        at = np.asarray(p, dtype=np.float64) * self.mass[-1]
        return np.asarray(np.interp(at, self.mass, self.total) / self.total[-1])

    def fraction(self, share: float) -> float:
        """Return the smallest fraction of the items that holds a share of the total loss."""
        at = share * self.total[-1]
        j = int(np.searchsorted(self.total, at))
        if j == 0:
            return 0.0
        step = self.total[j] - self.total[j - 1]
        mass = self.mass[j - 1] + (at - self.total[j - 1]) / step * self.weight[j - 1]
        return float(mass / self.mass[-1])

    @property
    def gini(self) -> float:
        """Twice the area between the curve and the diagonal: 0 all alike, towards 1 one item."""
        y = self.total / self.total[-1]
        return float(np.sum((y[1:] + y[:-1]) * self.weight) / self.mass[-1]) - 1.0

    @property
    def dominance(self) -> float:
        """Mean squared loss over squared mean loss; the kurtosis for squared errors."""
        mean = self.total[-1] / self.mass[-1]
        square = dot(self.loss**2, self.weight) / float(self.mass[-1])
        return float(square / mean**2)

    def without(self, p: float) -> tuple[FloatArray, FloatArray]:
        """Return S(p) and the Gini with each item left out, in the order of the curve; O(n)."""
        m, t, w = self.mass, self.total, self.weight
        rest_mass, rest_total = m[-1] - w, t[-1] - w * self.loss
        cut = p * rest_mass
        # The cut lies before the item that is left out, or beyond it.
        before = np.interp(cut, m, t)
        beyond = np.interp(cut + w, m, t) - w * self.loss
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.where(cut <= m[:-1], before, beyond) / rest_total
            # Σ_i w_i (T_i + T_{i−1}) less the item's own area, and its loss below all later ones.
            area = float(np.sum((t[1:] + t[:-1]) * w))
            mine = (t[1:] + t[:-1]) * w + 2 * w * self.loss * (m[-1] - m[1:])
            ginis = (area - mine) / (rest_total * rest_mass) - 1.0
        return shares, ginis

    def without_clusters(self, p: float, codes: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Return S(p) and the Gini with each cluster left out; `codes` in the data's order."""
        mine = codes[self.order]
        losses, shares, ginis = self.loss, [], []
        for c in range(int(codes.max()) + 1):
            keep = mine != c
            if not (losses[keep] > 0).any():
                shares.append(math.nan)
                ginis.append(math.nan)
                continue
            part = Curve.of(losses[keep], self.weight[keep])
            shares.append(float(part.share(p)))
            ginis.append(part.gini)
        return np.array(shares), np.array(ginis)


def numbers_of(curve: Curve, top: float) -> dict[str, float]:
    """Return the Gini, the share of the worst, and the fraction that holds half of the error."""
    return {
        "gini": curve.gini,
        "worst_share": float(curve.share(top)),
        "half_of_error": curve.fraction(0.5),
    }


def losses_of(errors: ArrayLike, loss: str, items: NDArray[np.object_] | None = None) -> FloatArray:
    """Return the losses of errors, checked: finite, non-negative, three or more, not all zero."""
    check_choice("loss", loss, LOSSES)
    values = check_numbers("errors", errors)
    if values.ndim != 1:
        raise AnnostatError(f"errors must be a list of numbers, got shape {values.shape}")
    if values.size < FEWEST:
        raise AnnostatError(
            f"errors: a concentration curve needs {FEWEST} or more items, got {values.size}"
        )
    _refuse(~np.isfinite(values), "missing or infinite errors", values, items)
    if loss == "asis":
        _refuse(values < 0, "negative losses (signed errors? then loss='squared')", values, items)
    sizes = np.abs(values)
    _refuse(sizes > LARGEST, "errors too large to square; rescale them", values, items)
    if not sizes.any():
        raise AnnostatError("errors are all zero: there is no error to be concentrated")
    check_squares(float(sizes.max()))
    return sizes**2 if loss == "squared" else sizes


def weights_of(weights: ArrayLike | None, n: int) -> FloatArray | None:
    """Return positive weights of n items, or None."""
    if weights is None:
        return None
    w = check_numbers("weights", weights)
    if w.shape != (n,):
        raise AnnostatError(f"weights must be one number for each of {n} items, got {w.shape}")
    _refuse(~(np.isfinite(w) & (w > 0)), "weights that are not positive numbers", w, None)
    return w


def codes_of(cluster: ArrayLike | None, n: int) -> NDArray[np.int64] | None:
    """Return the codes of cluster labels, or None."""
    if cluster is None:
        return None
    labels = np.asarray(cluster, dtype=object)
    if labels.shape != (n,):
        raise AnnostatError(f"cluster must be one label for each of {n} items, got {labels.shape}")
    codes = cluster_codes(labels)
    if codes is not None and codes.max() == 0:
        raise AnnostatError("cluster: all items are in one cluster, which says nothing of others")
    return codes


def _refuse(
    bad: NDArray[np.bool_], what: str, values: FloatArray, items: NDArray[np.object_] | None
) -> None:
    if bad.any():
        rows = np.flatnonzero(bad)
        names = [f"row {i + 1}" if items is None else f"item {str(items[i])!r}" for i in rows[:3]]
        places = [f"{name}: {values[i]:g}" for name, i in zip(names, rows, strict=False)]
        raise AnnostatError(f"{rows.size} {what}; first: {shown(places)}")


def estimates_of(
    curve: Curve, top: float, codes: NDArray[np.int64] | None, level: float
) -> tuple[Estimate, Estimate, Estimate]:
    """Return the Gini, S(top) and the p that holds half, each corrected for its bias.

    Shares of small samples are low. The jackknife corrects them on the logit scale (Quenouille
    1956), and gives the standard error of a t interval there (Tukey 1958). The p that holds half
    has Woodruff's interval (1952): the limits of the share at that p, carried over by the curve.
    """
    half = curve.fraction(0.5)

    def left_out(p: float) -> tuple[FloatArray, FloatArray]:
        return curve.without(p) if codes is None else curve.without_clusters(p, codes)

    shares, ginis = left_out(top)
    at_half = left_out(half)[0]
    units = "items" if codes is None else "clusters"
    dominated = curve.dominance > DOMINATED
    gini = jackknifed(curve.gini, ginis, level, units, dominated=dominated)
    worst = jackknifed(float(curve.share(top)), shares, level, units, dominated=dominated)
    share = jackknifed(0.5, at_half, level, units, dominated=dominated)
    interval = None
    if share.interval is not None:
        # Where all items' curve is above one half by δ at this p, it passes one half where the
        # sample's passes one half less δ.
        low, high = share.interval.low, share.interval.high
        method = f"Woodruff, from the jackknife over {units}"
        interval = Interval(curve.fraction(1 - high), curve.fraction(1 - low), level, method)
    middle = curve.fraction(1 - share.value)
    return gini, worst, Estimate(middle, None, interval, "", share.note)


def jackknifed(
    value: float, left_out: FloatArray, level: float, units: str, *, dominated: bool
) -> Estimate:
    """Return a number in (0, 1) corrected for bias, with a t interval on the logit scale."""
    if not (0 < value < 1) or not ((left_out > 0) & (left_out < 1)).all():
        return Estimate(value, note="no interval: without one item nothing, or all, is left")
    n = left_out.size
    each, whole = special.logit(left_out), float(special.logit(value))
    centre = n * whole - (n - 1) * float(each.mean())
    error = math.sqrt((n - 1) / n * float(np.sum((each - each.mean()) ** 2)))
    corrected = float(special.expit(centre))
    spread = corrected * (1 - corrected) * error
    if dominated:
        note = f"no interval: a few {units} carry most of the loss, where none covers"
        return Estimate(corrected, spread, note=note)
    reach = t_reach(n - 1, level) * error
    low, high = (float(special.expit(centre + side * reach)) for side in (-1, 1))
    if not high > low:
        return Estimate(corrected, note="no interval: all losses have the same size")
    return Estimate(
        corrected, spread, Interval(low, high, level, f"jackknife t of the logit over {units}")
    )
