"""Whether raters of categories are alike: equal shares of the classes, equal agreement of pairs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.labels.categories import Categories
from annostat.resampling.hotelling import hotelling_of
from annostat.resampling.multiplicity import holm
from annostat.results.result import Check
from annostat.results.text import p_text

ALPHA = 0.05
PART = 1 << 16  # items whose vectors are held at once
FEW = 10  # complete items below which nothing is tested


@dataclass(frozen=True, slots=True)
class RaterTests:
    """What was seen of raters that differ.

    Attributes
    ----------
    refuted : bool
        Whether equal raters are refuted.
    spread : float
        Known part of the variance of p between raters, added to E p̄²: (π_j − π_l)²/(2k) on
        average over pairs, of the second of two classes; of more classes half the sum over them.
    checks : tuple of Check
    """

    refuted: bool
    spread: float
    checks: tuple[Check, ...]


def rater_tests(labels: Categories) -> RaterTests:
    """Test whether raters use the classes alike, and whether all pairs agree alike.

    Two Wald tests on items that all raters labelled, with Hotelling's F (sums over clusters where
    there are some), by Holm. Equal shares see raters with another threshold and are blind to a
    noisy one; equal pairwise agreement (three raters or more) sees that one, and copies.
    """
    if labels.exchangeable:
        return RaterTests(False, 0.0, ())
    whole = labels.take(np.flatnonzero(labels.present.all(axis=1)))
    k, n_classes = labels.n_raters, labels.n_classes
    shares = np.array(
        [np.bincount(c[c >= 0], minlength=n_classes) / (c >= 0).sum() for c in labels.codes.T]
    )
    pairs = list(itertools.combinations(range(k), 2))
    gaps = np.mean([((shares[a] - shares[b]) ** 2).sum() for a, b in pairs]) / 2
    spread = float(gaps / (2 * k))
    if len(whole.codes) < FEW:
        text = "Whether raters are alike cannot be looked at: few items have a label of all."
        return RaterTests(False, spread, (Check("equal_raters", None, text),))
    first, second = (np.array(side) for side in zip(*pairs, strict=True))

    def marginal(codes: NDArray[np.int16]) -> FloatArray:
        one_hot = codes[:, :, None] == np.arange(n_classes - 1)
        apart = np.subtract(one_hot[:, 1:], one_hot[:, :1], dtype=np.float64)
        return np.asarray(apart.reshape(len(codes), -1))

    def alike(codes: NDArray[np.int16]) -> FloatArray:
        same = codes[:, first] == codes[:, second]
        return np.asarray(np.subtract(same[:, 1:], same[:, :-1], dtype=np.float64))

    p_values = {"shares": _equal_to_zero(marginal, whole)}
    if k >= 3:
        p_values["pairs"] = _equal_to_zero(alike, whole)
    known = {name: p for name, p in p_values.items() if p is not None}
    if not known:
        text = "Whether raters are alike cannot be looked at: too few independent items."
        return RaterTests(False, spread, (Check("equal_raters", None, text),))
    adjusted = [1.0 if p is None else p for p in holm(list(known.values()))]
    p, worst = min(zip(adjusted, known, strict=True))
    if p >= ALPHA:
        text = f"Raters use the classes alike, and agree alike ({p_text(p)})."
        return RaterTests(False, spread, (Check("equal_raters", True, text, None, p),))
    if worst == "shares":
        q = int(np.argmax(shares.max(axis=0) - shares.min(axis=0)))
        high, low = int(shares[:, q].argmax()), int(shares[:, q].argmin())
        text = (
            f"Raters differ: {labels.names[high]} says {labels.classes[q]!r} in "
            f"{shares[high, q]:.1%} of the items, {labels.names[low]} in {shares[low, q]:.1%} "
            f"({p_text(p)})"
        )
    else:
        of = whole.codes.T
        rates = {(a, b): float((of[a] == of[b]).mean()) for a, b in pairs}
        a, b = max(rates, key=lambda pair: rates[pair])
        c, d = min(rates, key=lambda pair: rates[pair])
        names = labels.names
        text = (
            f"Raters differ: {names[a]} and {names[b]} agree on {rates[a, b]:.1%}, {names[c]} and "
            f"{names[d]} on {rates[c, d]:.1%} ({p_text(p)})"
        )
    text += ": the ceiling is of one of them at random, from pairs alone, and its upper end is the "
    text += "least that it can be."
    return RaterTests(True, spread, (Check("equal_raters", False, text, None, p),))


def _equal_to_zero(
    vectors: Callable[[NDArray[np.int16]], FloatArray], labels: Categories
) -> float | None:
    """Return the p-value of "the means are 0", of sums over clusters; None if it has none.

    `vectors` are those of items' codes; those of all items at once would take much memory.
    """
    parts = [slice(i, i + PART) for i in range(0, len(labels.codes), PART)]
    each: Iterable[FloatArray]
    if labels.cluster is not None:
        n, each = labels.n_units, [_over_units(vectors, labels, parts)]
    else:
        n, each = len(labels.codes), (vectors(labels.codes[part]) for part in parts)
    width = vectors(labels.codes[:1]).shape[1]
    total, products = np.zeros(width), np.zeros((width, width))
    for d in each:
        total += d.sum(axis=0)
        products += d.T @ d
    mean = total / n
    covariance = (products - n * np.outer(mean, mean)) / max(n - 1, 1)
    # Sums of whole numbers: what does not vary does so exactly.
    moving = n * np.diagonal(products) > np.square(total)
    if not moving.any():
        return 1.0 if not np.any(products) else None
    if n < 3 * int(moving.sum()) + 3:
        return None
    found = hotelling_of(n, mean[moving], covariance[np.ix_(moving, moving)])
    return None if found is None else found[1]


def _over_units(
    vectors: Callable[[NDArray[np.int16]], FloatArray], labels: Categories, parts: list[slice]
) -> FloatArray:
    """Return the sums of vectors over clusters."""
    sums = np.zeros((labels.n_units, vectors(labels.codes[:1]).shape[1]))
    for part in parts:
        np.add.at(sums, labels.units[part], vectors(labels.codes[part]))
    return sums
