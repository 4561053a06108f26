"""Whether raters of categories are alike: equal shares of the classes, equal agreement of pairs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from annostat.arrays import FloatArray
from annostat.labels.categories import Categories
from annostat.resampling.hotelling import hotelling
from annostat.resampling.multiplicity import holm
from annostat.results.result import Check
from annostat.results.text import p_text

ALPHA = 0.05
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
    one_hot = (whole.codes[:, :, None] == np.arange(n_classes - 1)).astype(np.float64)
    marginal = (one_hot[:, 1:] - one_hot[:, :1]).reshape(len(one_hot), -1)
    p_values = {"shares": _equal_to_zero(marginal, whole)}
    if k >= 3:
        same = np.column_stack([whole.codes[:, a] == whole.codes[:, b] for a, b in pairs])
        p_values["pairs"] = _equal_to_zero(np.diff(same.astype(np.float64), axis=1), whole)
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
        rates = {pair: float(v) for pair, v in zip(pairs, same.mean(axis=0), strict=True)}
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


def _equal_to_zero(d: FloatArray, labels: Categories) -> float | None:
    """Return the p-value of "the means are 0", of sums over clusters; None if it has none."""
    if labels.cluster is not None:
        d = np.column_stack([np.bincount(labels.units, column) for column in d.T])
    moving = d.std(axis=0) > 0
    if not moving.any():
        return 1.0 if not d.any() else None
    n, size = len(d), int(moving.sum())
    if n < 3 * size + 3:
        return None
    found = hotelling(d[:, moving])
    return None if found is None else found[1]
