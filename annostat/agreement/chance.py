"""Coefficients of agreement of categories: 1 − Do/De, observed over expected disagreement.

Every coefficient is a smooth function of sums over items, so that one interval serves all of them
(`annostat.resampling.inverted`), with clusters and missing labels. What differs is De: how often
two labels would differ if nothing but chance were at work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from annostat.arrays import FloatArray, IntArray
from annostat.labels.categories import Categories

WEIGHTS = ("nominal", "linear", "quadratic", "ordinal", "interval", "ratio")
Pair = tuple[float, float]


class Ratio(NamedTuple):
    """A ratio of sums, unit by unit.

    Attributes
    ----------
    o, e : float64 arrays of shape (n_units,)
        Linearised numerator and denominator; their means are `observed` and `expected`.
    observed, expected : float
    pseudo : tuple of (o, e)
        A unit that agrees, and one whose two labels differ as any two different ones do.
    top : float
        Largest value of the ratio: 1 where agreement cannot be negative.
    """

    o: FloatArray
    e: FloatArray
    observed: float
    expected: float
    pseudo: tuple[Pair, ...]
    top: float = 2.0


def distances(kind: str, classes: tuple[str, ...], shares: FloatArray | None = None) -> FloatArray:
    """Return the disagreement of each pair of classes, of shape (K, K), 0 on the diagonal.

    Parameters
    ----------
    kind : str
        "nominal": 1 for all; "linear" and "quadratic": by ranks, 1 at most; "interval" and "ratio":
        by the classes' values, which must be numbers; "ordinal": Krippendorff's, by how many labels
        lie between two grades.
    classes : tuple of str
    shares : float64 array of shape (K,), optional
        Number of labels of each class, for "ordinal".
    """
    k = len(classes)
    i = np.arange(k, dtype=np.float64)
    off = np.abs(i[:, None] - i)
    if kind == "nominal":
        return (off > 0).astype(np.float64)
    if kind == "ordinal":
        n = np.ones(k) if shares is None else shares
        middle = np.cumsum(n) - n / 2
        return np.asarray((middle[:, None] - middle) ** 2)
    if kind in ("interval", "ratio"):
        x = np.array([float(c) for c in classes])
        gap = (x[:, None] - x) ** 2
        if kind == "interval":
            return np.asarray(gap)
        total = x[:, None] + x
        return np.asarray(np.divide(gap, total**2, out=np.zeros_like(gap), where=total != 0))
    scaled = off / max(k - 1, 1)
    return scaled if kind == "linear" else scaled**2


@dataclass(frozen=True)
class CategorySums:
    """The sums of a set of labels that coefficients of agreement are made of.

    Attributes
    ----------
    labels : Categories
    unit : int64 array of shape (n_items,)
        Independent unit (cluster, or the item itself) of each item.
    n_units : int
    """

    labels: Categories
    unit: IntArray
    n_units: int

    @classmethod
    def of(cls, labels: Categories) -> CategorySums:
        """Return the sums of labels; clusters are units."""
        return cls(labels, labels.units, labels.n_units)

    @cached_property
    def counts(self) -> FloatArray:
        """Labels of each class, (n_items, K)."""
        return self.labels.counts.astype(np.float64)

    def observed(self, d: FloatArray) -> FloatArray:
        """Return Σ d over the ordered pairs of labels of each item, of shape (n_items,)."""
        r = self.counts
        if (d == (1 - np.eye(len(d)))).all():
            return np.asarray(r.sum(axis=1) ** 2 - (r * r).sum(axis=1))
        return np.asarray(np.einsum("iq,iq->i", r @ d, r))

    def spread(self, per_item: FloatArray, total: float) -> FloatArray:
        """Return a linearised mean by unit: `total` on average."""
        summed = np.bincount(self.unit, per_item, self.n_units)
        return np.asarray(total + self.n_units * (summed - summed.mean()))

    def pseudo(self, d: FloatArray, expected: float) -> tuple[Pair, ...]:
        """Return the two pseudo-items of `Ratio`."""
        total = self.counts.sum(axis=0)
        pi = total / total.sum()
        both = np.outer(pi, pi)
        np.fill_diagonal(both, 0.0)
        apart = float((both * d).sum() / both.sum()) if both.sum() > 0 else 1.0
        return (0.0, expected), (apart, expected)


def gradient(f: Callable[[FloatArray], Pair], totals: FloatArray) -> FloatArray:
    """Return the derivatives of two functions of totals, of shape (n_totals, 2)."""
    out = np.empty((len(totals), 2))
    for j, step in enumerate(1e-6 * np.maximum(np.abs(totals), 1.0)):
        up, down = totals.copy(), totals.copy()
        up[j] += step
        down[j] -= step
        out[j] = (np.array(f(up)) - np.array(f(down))) / (2 * step)
    return out


def of_shares(s: CategorySums, d: FloatArray, expected: Callable[[FloatArray], float]) -> Ratio:
    """Return a coefficient whose De follows from the mean share of each class.

    Fleiss' κ (Scott's π for two raters), Gwet's AC1 and AC2, Brennan and Prediger's coefficient.
    Pairs are weighted so that each item counts once, whatever its number of labels.
    """
    r, m = s.counts, s.labels.readings.astype(np.float64)
    two, any_ = m >= 2, m >= 1
    agree = np.where(two, s.observed(d) / np.maximum(m * (m - 1), 1), 0.0)
    shares = r / np.maximum(m, 1)[:, None]
    totals = np.r_[agree.sum(), two.sum(), shares.sum(axis=0), any_.sum()]

    def f(t: FloatArray) -> Pair:
        return t[0] / t[1], expected(t[2:-1] / t[-1])

    do, de = f(totals)
    g = gradient(f, totals)
    o, e = (
        s.spread(
            agree * g[0, j] + two * g[1, j] + shares @ g[2:-1, j] + any_ * g[-1, j], (do, de)[j]
        )
        for j in (0, 1)
    )
    return Ratio(o, e, do, de, s.pseudo(d, de))


def of_raters(s: CategorySums, d: FloatArray) -> Ratio:
    """Return Conger's κ, Cohen's for two raters: each rater has classes of its own frequency."""
    labels = s.labels
    m = labels.readings.astype(np.float64)
    two = m >= 2
    agree = np.where(two, s.observed(d) / np.maximum(m * (m - 1), 1), 0.0)
    k, n_classes = labels.n_raters, labels.n_classes
    there = labels.present
    table = np.stack(
        [np.bincount(labels.codes[there[:, j], j], minlength=n_classes) for j in range(k)]
    ).astype(np.float64)

    def f(t: FloatArray) -> Pair:
        p = t[2:].reshape(k, n_classes)
        p = p / p.sum(axis=1, keepdims=True)
        whole = p.sum(axis=0)
        same = float(np.einsum("jq,qr,jr->", p, d, p))
        return t[0] / t[1], (float(whole @ d @ whole) - same) / (k * (k - 1))

    totals = np.r_[agree.sum(), two.sum(), table.ravel()]
    do, de = f(totals)
    g = gradient(f, totals)

    def linear(j: int) -> FloatArray:
        of_label = np.column_stack([g[2:, j].reshape(k, n_classes), np.zeros(k)])  # -1 is last
        per_item = agree * g[0, j] + two * g[1, j]
        for rater in range(k):
            per_item = per_item + of_label[rater, labels.codes[:, rater]]
        return s.spread(per_item, (do, de)[j])

    return Ratio(linear(0), linear(1), do, de, s.pseudo(d, de))


def krippendorff(s: CategorySums, kind: str) -> Ratio:
    """Return Krippendorff's α: De of all labels that have a partner, drawn without replacement.

    Pairs are weighted so that each label counts once.
    """
    labels = s.labels
    m = labels.readings.astype(np.float64)
    two = m >= 2
    r = s.counts * two[:, None]
    n_q = r.sum(axis=0)
    d0 = distances(kind, labels.classes, n_q)
    per_item = np.where(two, s.observed(d0) / np.maximum(m - 1, 1), 0.0)
    together = (r.T / np.maximum(m - 1, 1)) @ r - np.diag(
        (r / np.maximum(m - 1, 1)[:, None]).sum(0)
    )

    def f(t: FloatArray) -> Pair:
        n = t[1:].sum()
        d = d0 if kind != "ordinal" else distances(kind, labels.classes, t[1:])
        seen = t[0] + float((together * (d - d0)).sum())
        return seen / n, float(t[1:] @ d @ t[1:]) / (n * (n - 1))

    totals = np.r_[per_item.sum(), n_q]
    do, de = f(totals)
    g = gradient(f, totals)
    o, e = (s.spread(per_item * g[0, j] + r @ g[1:, j], (do, de)[j]) for j in (0, 1))
    return Ratio(o, e, do, de, s.pseudo(d0, de))


def of_class(s: CategorySums, q: int) -> Ratio:
    """Return how often two labels differ where one is of a class: 1 − its specific agreement.

    Specific agreement is the F1 of two raters: 2·both/(first + second).
    """
    m = s.labels.readings.astype(np.float64)
    two = m >= 2
    r = np.where(two, s.counts[:, q], 0.0)
    apart = r * (m - r) / np.maximum(m - 1, 1)
    n = float(s.n_units)
    do, de = float(apart.sum()) / n, float(r.sum()) / n
    o, e = (np.asarray(np.bincount(s.unit, x, s.n_units), np.float64) for x in (apart, r))
    size = float(r[r > 0].mean()) if de > 0 else 0.0  # an item that has the class
    return Ratio(o, e, do, de, ((0.0, size), (size, size)), 1.0)


def fleiss_expected(d: FloatArray) -> Callable[[FloatArray], float]:
    """Return De of Fleiss' κ: two labels drawn from the mean shares of the classes."""
    return lambda pi: float(pi @ d @ pi)


def gwet_expected(d: FloatArray) -> Callable[[FloatArray], float]:
    """Return De of AC1 and AC2: chance agreement only among labels given at random."""
    k = len(d)
    most = float((1 - d).sum()) / (k * (k - 1))
    return lambda pi: 1 - most * float((pi * (1 - pi)).sum())


def uniform_expected(d: FloatArray) -> Callable[[FloatArray], float]:
    """Return De of Brennan and Prediger's coefficient: all classes equally likely."""
    return lambda pi: float(d.mean())
