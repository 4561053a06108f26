"""The best F1 against a reader by name: what the others reach together, and what odds allow.

What the others marked, two or more of them say, can be held against a reader as a detector can: the
best possible one reaches that or more. No number of readers bounds it from above without a
presumption: a reader who differs from all others might be perfectly predictable. It is presumed
that readers differ in how much they mark alone, by their odds: log p_j/(1 − p_j) is that of the
finding plus β_j (Rasch 1960). Then

    β_a − β_b    log of n(a marked, b did not) over n(b marked, a did not), whatever the findings
    the counts   of readers who marked hold all that is known of the findings beside the β
    the ceiling  is the root of E (2p_j − θ)₊ = θ E p_j: the programme of `seen_mixing` with
                 Poisson-binomial cells

Limits join those of the programme at the estimated β with the error of β, which is independent of
the counts (β is estimated given them), as MOVER does. Whether readers differ by their odds alone
can be seen from three readers on; where they do not, only the lower end stands.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from annostat.arrays import FloatArray, IntArray
from annostat.ceilings.finding_result import NamedCeiling
from annostat.ceilings.seen_mixing import Gain, Seen, SeenMixture, f1_gain, tilted
from annostat.labels.findings import Findings
from annostat.labels.matching import Matched
from annostat.resampling.intervals import t_reach
from annostat.resampling.inverted import ratio_limits
from annostat.resampling.multiplicity import holm
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.text import p_text

METHOD = "inverted test at the readers' odds, joined with their error (MOVER)"
HALF = 0.5  # added to the counts of a pair
MOST_GROUPS = 16  # of images by who saw them: beyond, no programme is solved
STEP = 0.05  # least step of β
RARE = 10  # findings that a reader marked with another, below which nothing can be bounded
APART = "readers differ by more than their odds: only the lower end is known"


class Appetites(NamedTuple):
    """The logarithms β of readers' odds of marking, of mean 0, and their covariance.

    Attributes
    ----------
    beta : float64 array of shape (k,)
    covariance : float64 array of shape (k, k)
    """

    beta: FloatArray
    covariance: FloatArray


def named_ceilings(
    used: Findings, matched: Matched, unit: IntArray, level: float, *, alike: bool
) -> tuple[NamedCeiling, ...]:
    """Return the best F1 against each reader.

    Parameters
    ----------
    used : Findings
        Images that two readers or more saw.
    matched : Matched
    unit : int64 array of shape (n_images,)
        The independent unit of each image.
    level : float
    alike : bool
        Whether readers may differ by their odds alone.

    Returns
    -------
    tuple of NamedCeiling
        Empty where readers are anonymous.
    """
    if used.exchangeable:
        return ()
    reached = [_reached(used, matched, unit, level, j) for j in range(len(used.names))]
    found = appetites_of(used, matched, unit)
    n_groups = len(np.unique(used.saw, axis=0))
    ends: list[_Ends | None] = [None] * len(used.names)
    if alike and n_groups <= MOST_GROUPS:
        ends = list(_ends(used, matched, unit, found, level))
    named = []
    for name, (estimate, least), end in zip(used.names, reached, ends, strict=True):
        j = used.names.index(name)
        low, high, interval, note = estimate.value, 1.0, None, ""
        if end is not None:
            low, high, interval = end.low, end.high, end.interval
        else:
            note = APART if not alike else "only the lower end: too many sets of readers"
            if estimate.interval is not None:
                i = estimate.interval
                interval = Interval(i.low, 1.0, level, i.method)
        rest = np.delete(matched.marked, j, axis=1).any(axis=1)
        both = int((matched.marked[:, j] & rest).sum())
        if both < RARE:
            interval, note = None, f"no interval: marked with another in {both} findings, too few"
        named.append(NamedCeiling(name, estimate, least, low, high, interval, note))
    return tuple(named)


def appetites_of(used: Findings, matched: Matched, unit: IntArray) -> Appetites:
    """Return the odds of readers, from pairs: who marked what the other did not."""
    z, k = matched.marked, len(used.names)
    n = int(unit.max()) + 1
    of = unit[matched.image]
    laplacian, right, pull = np.zeros((k, k)), np.zeros(k), np.zeros((n, k))
    for a in range(k):
        for b in range(a + 1, k):
            both = (used.saw[:, a] & used.saw[:, b])[matched.image]
            more = np.bincount(of, both & z[:, a] & ~z[:, b], n)
            less = np.bincount(of, both & z[:, b] & ~z[:, a], n)
            up, down = more.sum() + HALF, less.sum() + HALF
            weight = up * down / (up + down)
            axis = np.zeros(k)
            axis[a], axis[b] = 1.0, -1.0
            laplacian += weight * np.outer(axis, axis)
            right += weight * math.log(up / down) * axis
            pull += weight * np.outer(more / up - less / down, axis)
    inverse = np.linalg.pinv(laplacian)
    each = pull @ inverse
    each -= each.mean(axis=0)
    return Appetites(inverse @ right, each.T @ each * n / max(n - 1, 1))


def odds_check(used: Findings, matched: Matched, unit: IntArray, alpha: float) -> Check:
    """Return whether readers differ by their odds alone.

    Then who of two readers marked what one of them marked does not depend on how many of the others
    did: a t test over units for each pair, Holm.
    """
    name = "odds"
    k = len(used.names)
    if used.exchangeable or k < 3:
        why = "readers are anonymous" if used.exchangeable else "it takes three readers"
        text = f"Whether readers differ by their odds of marking alone cannot be told: {why}."
        return Check(name, None, text)
    z = matched.marked
    all_saw = np.asarray(used.saw.all(axis=1))[matched.image]
    n = int(unit.max()) + 1
    pairs: list[tuple[int, int]] = []
    p_values: list[float | None] = []
    for a in range(k):
        for b in range(a + 1, k):
            here = np.flatnonzero((z[:, a] != z[:, b]) & all_saw)
            others = np.delete(z[here], [a, b], axis=1).sum(axis=1).astype(np.float64)
            sign = np.where(z[here, a], 1.0, -1.0)
            pairs.append((a, b))
            p_values.append(None)
            if len(here) < RARE:
                continue
            each = (sign - sign.mean()) * (others - others.mean())
            total = np.bincount(unit[matched.image[here]], each, n)
            error = math.sqrt(n) * float(total.std(ddof=1)) if n > 1 else 0.0
            if error > 0:
                t = float(total.sum()) / error
                p_values[-1] = 2 * float(special.stdtr(n - 1, -abs(t)))
    known = [(p, i) for i, p in enumerate(holm(p_values)) if p is not None]
    if not known:
        text = "Whether readers differ by their odds of marking alone cannot be told: few findings."
        return Check(name, None, text)
    p, i = min(known)
    if p >= alpha:
        text = f"Readers may differ by their odds of marking alone ({p_text(p)})."
        return Check(name, True, text, p, p)
    first, second = (used.names[j] for j in pairs[i])
    text = (
        f"{first} and {second} differ by more than their odds of marking ({p_text(p)}): which of "
        "them marked depends on how many others did. Ceilings by name have no upper end."
    )
    return Check(name, False, text, p, p)


class _Ends(NamedTuple):
    low: float
    high: float
    interval: Interval | None


def _ends(
    used: Findings, matched: Matched, unit: IntArray, found: Appetites, level: float
) -> list[_Ends]:
    """Return the bracket and the limits against each reader."""
    k = len(used.names)
    cells = _cells(used, matched, unit)
    step = np.maximum(np.sqrt(np.diagonal(found.covariance)), STEP)

    def at(beta: FloatArray) -> SeenMixture:
        groups, counts, images = cells
        odds = tuple(np.exp(beta[g]) for g in groups)
        return SeenMixture(Seen(tuple(len(g) for g in groups), counts, images, odds))

    def brackets(beta: FloatArray) -> FloatArray:
        mixture = at(beta)
        return np.array([mixture.bracket(gain_of(float(np.exp(beta[j])))) for j in range(k)])

    middle = at(found.beta)
    slopes = np.zeros((k, 2, k))
    for m in range(k):
        move = np.zeros(k)
        move[m] = step[m]
        change = brackets(found.beta + move) - brackets(found.beta - move)
        slopes[:, :, m] = change / (2 * step[m])
    n = middle.seen.n_units
    errors = np.sqrt(np.einsum("jem,mn,jen->je", slopes, found.covariance, slopes))
    ends = []
    for j in range(k):
        gain = gain_of(float(np.exp(found.beta[j])))
        low, high = middle.bracket(gain)
        interval = None
        if n > 1:
            reach = t_reach(n - 1, level) * errors[j]
            below = low - math.hypot(low - min(middle.limit(gain, -1, low, level), low), reach[0])
            above = high + math.hypot(
                max(middle.limit(gain, 1, high, level), high) - high, reach[1]
            )
            interval = Interval(max(below, 0.0), min(above, 1.0), level, METHOD)
        ends.append(_Ends(low, high, interval))
    return ends


def gain_of(odds: float) -> Gain:
    """Return the gain of F1 against the reader whose odds are multiplied by `odds`."""

    def gain(theta: float, p: FloatArray) -> FloatArray:
        return f1_gain(theta, tilted(p, odds))

    return Gain(gain, lambda theta: float(tilted(np.array(f1_gain.cut(theta)), 1 / odds)))


def _cells(
    used: Findings, matched: Matched, unit: IntArray
) -> tuple[list[IntArray], tuple[FloatArray, ...], IntArray]:
    """Return the readers of each group of images, findings by how many marked them, and images."""
    sets, group = np.unique(used.saw, axis=0, return_inverse=True)
    group = group.reshape(-1)
    n = int(unit.max()) + 1
    counts, images = [], []
    for g, seen in enumerate(sets):
        here = group[matched.image] == g
        table = np.zeros((n, int(seen.sum())))
        np.add.at(table, (unit[matched.image[here]], matched.counts[here] - 1), 1)
        counts.append(table)
        images.append(np.bincount(unit[group == g], minlength=n))
    return [np.flatnonzero(s) for s in sets], tuple(counts), np.column_stack(images)


def _reached(
    used: Findings, matched: Matched, unit: IntArray, level: float, j: int
) -> tuple[Estimate, int]:
    """Return the F1 of the best vote of the others against reader j, and its least number."""
    z, n = matched.marked, int(unit.max()) + 1
    here = used.saw[:, j][matched.image]
    others = np.delete(z, j, axis=1).sum(axis=1)
    of = unit[matched.image[here]]

    def sums(least: int) -> tuple[FloatArray, FloatArray]:
        vote, own = (others >= least)[here], z[here, j]
        top = np.bincount(of, 2.0 * (vote & own), n)
        bottom = np.bincount(of, vote.astype(np.float64) + own, n)
        return np.asarray(top, np.float64), np.asarray(bottom, np.float64)

    best, least = (math.nan, (np.zeros(n), np.zeros(n))), 1
    for t in range(1, z.shape[1]):
        top, bottom = sums(t)
        value = float(top.sum() / bottom.sum()) if bottom.any() else math.nan
        if not best[0] >= value and not math.isnan(value):
            best, least = (value, (top, bottom)), t
    value, (top, bottom) = best
    if n < 2 or math.isnan(value):
        return Estimate(value, None, None, "", "no interval"), least
    low, high = ratio_limits(top, bottom, level=level, pseudo=((0.0, 2.0), (2.0, 2.0)), top=1.0)
    interval = Interval(float(min(low, value)), float(max(high, value)), level, "inverted test")
    return Estimate(value, None, interval), least
