"""How good any detector can look against the marks of one reader."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.ceilings.category_result import Ceiling
from annostat.ceilings.finding_checks import (
    appetite,
    empty_readers,
    matching_checks,
    phase_check,
    refuse_votes,
    repeated_marks,
    unmatched_readers,
)
from annostat.ceilings.finding_result import AtThreshold, FindingBounds, ReaderPoint, Sensitivity
from annostat.ceilings.named_findings import named_ceilings, odds_check
from annostat.ceilings.seen_mixing import Seen, SeenMixture, f1_gain
from annostat.errors import AnnostatError, check_level, check_number
from annostat.labels.findings import Findings
from annostat.labels.matching import Matched, Rule, match_findings
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.inverted import ratio_limits
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Provenance

LP = "inverted test, certified programme over the law of p"
FALSE_POSITIVES = (0.125, 0.5, 1.0, 2.0)
RARE = 10  # findings that two readers marked, below which nothing can be bounded


def finding_bounds(
    findings: Findings,
    match: str | Rule | None = None,
    *,
    false_positives: Sequence[float] = FALSE_POSITIVES,
    level: float = 0.95,
) -> FindingBounds:
    """Return how good any detector can look against the marks of one reader.

    Parameters
    ----------
    findings : Findings
        Two or more readers. Images, or clusters of them, are the independent units; images that
        fewer than two readers saw are left out.
    match : str or Rule, optional
        When two marks are one finding: "iou 0.5" (boxes by default), "overlap 0.2" (intervals by
        default), "distance 5" (points have no default).
    false_positives : sequence of float
        Numbers per image at which the best sensitivity is sought; none for no FROC.
    level : float

    Returns
    -------
    FindingBounds

    Raises
    ------
    AnnostatError
        If fewer than two readers saw any image, nothing is marked, or one of the readers is a vote
        of the others: a consensus of the same readers is no label to be held against.

    Notes
    -----
    With f the F1 of two readers, f ≤ F1* ≤ √f; three readers and more narrow it (a linear programme
    over the law of how likely a finding is to be marked). Given that law, readers mark
    independently. What nobody marked need not be known.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> rows = [(i // 4, r, 10.0 * (i % 4)) for i in range(200) for r in "ab" if rng.random() < 0.7]
    >>> table = pd.DataFrame(rows, columns=["image", "reader", "time"])
    >>> finding_bounds(Findings.from_frame(table), "distance 1").f1.best()
    '0.708 to 0.841'
    """
    level = check_level(level)
    rates = [check_number("false_positives", s, low=0, open_ends=True) for s in false_positives]
    people = findings.without_models()
    if len(people.names) < 2:
        raise AnnostatError(f"at least two readers are needed, got {len(people.names)}")
    used = people.take(np.flatnonzero(people.saw.sum(axis=1) >= 2))
    if not len(used.items):
        raise AnnostatError("no image was seen by two readers")
    if not used.n_marks:
        raise AnnostatError("nothing is marked on any image that two readers saw")
    rule = Rule.of(match, used.kind)
    matched = match_findings(used, rule)
    refuse_votes(used, matched)
    codes = cluster_codes(used.cluster)
    seen = seen_of(used, matched, codes)
    unit = np.arange(len(used.items)) if codes is None else codes
    two = f1_of_two(seen, level, clustered=codes is not None)
    mixture = SeenMixture(seen)
    alike = appetite(used, codes, 1 - level)
    f1 = _ceiling(
        mixture, two, level, None if alike.passed is not False else _spread(used, matched)
    )
    by_odds = odds_check(used, matched, unit, 1 - level)
    fit = _froc(mixture, rates, level) if f1.interval is not None else ()
    return FindingBounds(
        f1,
        fit,
        _thresholds(used, rule, matched, seen, f1, alike=alike.passed is not False),
        _votes(used, matched),
        {k: tuple(map(int, c.sum(axis=0))) for k, c in zip(seen.sizes, seen.counts, strict=True)},
        readers_of(used, matched),
        str(rule),
        used.kind,
        len(used.items),
        len(matched.image),
        (
            alike,
            *(() if used.exchangeable else (by_odds,)),
            *matching_checks(matched),
            *repeated_marks(used),
            *empty_readers(used),
            *unmatched_readers(used, matched),
            phase_check(),
        ),
        Provenance(
            __version__,
            used.digest(),
            len(used.items),
            None,
            {"match": str(rule), "level": level, "false_positives": rates},
        ),
        named_ceilings(used, matched, unit, level, alike=by_odds.passed is not False),
    )


def seen_of(findings: Findings, matched: Matched, codes: NDArray[np.int64] | None) -> Seen:
    """Return how many findings x of k readers marked, by unit."""
    unit = np.arange(len(findings.items)) if codes is None else codes
    n = int(unit.max()) + 1
    k_of = findings.saw.sum(axis=1)
    sizes = tuple(int(k) for k in np.unique(k_of))
    counts, images = [], []
    for k in sizes:
        here = k_of[matched.image] == k
        table = np.zeros((n, k))
        np.add.at(table, (unit[matched.image[here]], matched.counts[here] - 1), 1)
        counts.append(table)
        images.append(np.bincount(unit[k_of == k], minlength=n))
    return Seen(sizes, tuple(counts), np.column_stack(images))


def f1_of_two(seen: Seen, level: float, *, clustered: bool) -> Estimate:
    """Return the F1 of two readers: Σ x(x−1)/(k(k−1)) over Σ x/k, with limits over units."""
    top, bottom = np.zeros(seen.n_units), np.zeros(seen.n_units)
    for k, counts in zip(seen.sizes, seen.counts, strict=True):
        x = np.arange(1, k + 1)
        top += counts @ (x * (x - 1) / (k * (k - 1)))
        bottom += counts @ (x / k)
    value = float(top.sum() / bottom.sum())
    if seen.n_units < 2:
        return Estimate(value, None, None, "", "no interval: it takes two images or patients")
    low, high = ratio_limits(top, bottom, level=level, pseudo=((0.0, 1.0), (1.0, 1.0)), top=1.0)
    over = "clusters" if clustered else "images"
    interval = Interval(min(low, value), max(high, value), level, f"inverted test over {over}")
    return Estimate(value, None, interval)


def _spread(used: Findings, matched: Matched) -> float:
    """Return the known part of what readers' different appetites add to E p̄², over E p̄.

    With p̄ the mean of a finding's p over k readers and S² their variance, the product of two
    readers' p is p̄² − S²/k on average. Of S² the marks tell what their totals do (Jensen).
    """
    k = len(used.names)
    total = matched.marked.sum(axis=0).astype(np.float64)
    return float(total.var(ddof=1) / (k * len(matched.marked) * total.mean()))


def _ceiling(
    mixture: SeenMixture, two: Estimate, level: float, spread: float | None = None
) -> Ceiling:
    """Return the ceiling of F1: f to √f of two readers, the programme's for more.

    Where readers differ (`spread` is given) counts of three and more are less spread than the
    programme presumes, and it is that of pairs too.
    """
    seen = mixture.seen
    both = sum(float(c[:, 1:].sum()) for c in seen.counts)
    interval = None
    if max(seen.sizes) == 2 or spread is not None:
        more = spread or 0.0
        low, high = two.value, math.sqrt(min(two.value + more, 1.0))
        if two.interval is not None:
            ends = (two.interval.low, math.sqrt(min(two.interval.high + more, 1.0)))
            interval = Interval(*ends, level, f"limits of two readers' F1, {two.interval.method}")
    else:
        low, high = mixture.bracket(f1_gain)
        if seen.n_units > 1:
            ends = (mixture.limit(f1_gain, -1, low, level), mixture.limit(f1_gain, 1, high, level))
            interval = Interval(min(ends[0], low), max(ends[1], high), level, LP)
    note = "" if spread is None else "readers differ: from pairs"
    note = note if two.interval is not None else two.note
    if both < RARE:
        interval = None
        note = f"no interval: two readers marked the same in {both:.0f} findings, too few"
    return Ceiling("f1", "F1", "", two, low, high, interval, note=note)


def _froc(mixture: SeenMixture, rates: Sequence[float], level: float) -> tuple[Sensitivity, ...]:
    """Return the best sensitivity at false positives per image."""
    found = []
    for s in rates:
        (low, high), (below, above) = mixture.sensitivity(s, level)
        found.append(Sensitivity(float(s), low, high, Interval(below, above, level, LP)))
    return tuple(found)


def _thresholds(
    used: Findings, rule: Rule, matched: Matched, seen: Seen, f1: Ceiling, *, alike: bool
) -> tuple[AtThreshold, ...]:
    strict, loose = rule.others
    rows = []
    for r in (strict, rule, loose):
        m = matched if r is rule else match_findings(used, r)
        s = seen if r is rule else seen_of(used, m, None)
        two = f1_of_two(s, 0.5, clustered=False).value if r is not rule else _value(f1)
        if max(s.sizes) == 2 or not alike:
            more = 0.0 if alike else _spread(used, m)
            low, high = two, math.sqrt(min(two + more, 1.0))
        else:
            low, high = (f1.low, f1.high) if r is rule else SeenMixture(s).bracket(f1_gain)
        share = float(m.ambiguous.mean())
        rows.append(AtThreshold(str(r), len(m.image), two, low, high, share))
    return tuple(rows)


def _value(f1: Ceiling) -> float:
    return math.nan if f1.two_raters is None else f1.two_raters.value


def readers_of(used: Findings, matched: Matched) -> tuple[ReaderPoint, ...]:
    """Return each reader as the detector, against each of the others, on images both saw."""
    found = []
    for j, name in enumerate(used.names):
        sensitivity, wrong = [], []
        for other in range(len(used.names)):
            both = used.saw[:, j] & used.saw[:, other]
            if other == j or not both.any():
                continue
            z = matched.marked[both[matched.image]][:, [j, other]]
            if z[:, 1].any():
                sensitivity.append(float(z[z[:, 1], 0].mean()))
            wrong.append(float((z[:, 0] & ~z[:, 1]).sum() / both.sum()))
        marks = float((used.reader == j).sum() / max(int(used.saw[:, j].sum()), 1))
        mean = float(np.mean(sensitivity)) if sensitivity else math.nan
        found.append(ReaderPoint(name, marks, mean, float(np.mean(wrong)) if wrong else math.nan))
    return tuple(found)


def _votes(used: Findings, matched: Matched) -> dict[str, float]:
    """Return the F1 of two or more readers together, with and without the one held against."""
    z = matched.marked.astype(np.float64)
    if z.shape[1] < 3 or not used.saw.all():
        return {}
    total = z.sum(axis=1, keepdims=True)

    def f1(vote: FloatArray) -> float:
        each = 2 * (z * vote).sum(axis=0) / np.maximum(z.sum(axis=0) + vote.sum(axis=0), 1)
        return float(each.mean())

    found: dict[str, Any] = {"own": f1((total >= 2) * np.ones_like(z))}
    found["others"] = f1((total - z >= 2).astype(np.float64))
    return found
