"""Whether the labels of an item share its difficulty: four of them can tell."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from scipy import special

from annostat.arrays import FloatArray
from annostat.labels.rounds import Rounds
from annostat.resampling.clusters import cluster_codes, renumbered
from annostat.results.result import Check
from annostat.results.text import p_text


def shared_difficulty(rounds: Rounds, *, level: float = 0.95) -> Check:
    """Return whether the labels of an item share a difficulty: squares of disjoint pairs.

    T_i = mean over disjoint pairs of pairs of (D²_jl/mean − 1)·(D²_mp/mean − 1) has mean 0 whatever
    the raters' scales, biases and tails, and a = E d⁴ − 1 with a difficulty d; one-sided t test.
    Items with four labels or more only: at three the moments of both are the same.
    """
    name = "shared_difficulty"
    seen = np.isfinite(rounds.values)
    z = rounds.values - np.mean(rounds.values[seen])
    if rounds.n_rounds < 4:
        text = (
            "Whether the labels of an item share a difficulty cannot be told by fewer than four "
            "of them."
        )
        return Check(name, None, text)
    total, count = _disjoint(z)
    has = count > 0
    codes = cluster_codes(rounds.cluster)
    units = np.arange(len(z)) if codes is None else codes
    units = renumbered(units[has])
    n = int(units.max()) + 1 if units.size else 0
    if n < 10:
        text = "Whether the labels of an item share a difficulty takes ten items with four labels."
        return Check(name, None, text)
    t = total[has] / count[has]
    off = np.bincount(units, t - t.mean())
    error = math.sqrt(n / (n - 1) * float(off @ off)) / len(t)
    if not error > 0:
        return Check(name, None, "Whether the labels of an item share a difficulty cannot be told.")
    p = float(special.stdtr(n - 1, -t.mean() / error))
    if p >= 1 - level:
        text = f"Nothing speaks for a difficulty shared by the labels of an item ({p_text(p)})."
        return Check(name, True, text, float(t.mean()), p)
    text = (
        f"The labels of an item share its difficulty ({p_text(p)}): items are hard for all raters "
        "or for none, and the model takes it in."
    )
    return Check(name, False, text, float(t.mean()), p)


def _disjoint(z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the sum over disjoint pairs of pairs of the products of each item, and their number.

    All pairs of pairs are ½((Σr)² − Σr²); those that share a rater are the same of its own pairs.
    """
    n, k = z.shape
    every, squares, pairs = np.zeros(n), np.zeros(n), np.zeros(n)
    own, own_squares, own_pairs = (np.zeros((n, k)) for _ in range(3))
    for a, b in combinations(range(k), 2):
        d = z[:, a] - z[:, b]
        there = np.isfinite(d)
        if not there.any():
            continue
        # About the pair's own mean: a bias would look like a difficulty of all items.
        square = np.where(there, d - np.mean(d[there]), 0.0) ** 2
        mean = float(square.sum() / there.sum())
        if mean <= 0:
            continue
        r = np.where(there, square / mean - 1, 0.0)
        every += r
        squares += r * r
        pairs += there
        for j in (a, b):
            own[:, j] += r
            own_squares[:, j] += r * r
            own_pairs[:, j] += there
    shared = ((own**2 - own_squares) / 2).sum(axis=1)
    number = pairs * (pairs - 1) / 2 - (own_pairs * (own_pairs - 1) / 2).sum(axis=1)
    return (every**2 - squares) / 2 - shared, number
