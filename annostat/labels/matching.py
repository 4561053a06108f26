"""Which marks of several readers are one finding.

Marks within a limit of each other may be one finding; no reader has two marks on one. Of two
readers the most marks are matched, and among those matchings the nearest one is taken (assignment).
Of more, the two nearest groups are joined first, as long as the mean distance between their marks
is within the limit and no reader stands in both (average linkage). Ties fall by what the marks are,
so that neither the order of rows nor the names of readers matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from annostat.arrays import FloatArray, IntArray
from annostat.errors import AnnostatError, check_choice, check_number
from annostat.labels.findings import Findings
from annostat.labels.runs import Runs, overlap_distance
from annostat.results.text import format_number

RULES = ("iou", "distance")
SAME = 1e-9  # distances nearer than this are tied
WIDER = 1e-9  # of the range: no neighbour is missed for a rounding


@dataclass(frozen=True, slots=True)
class Rule:
    """When two marks may be one finding.

    Attributes
    ----------
    how : str
        "iou": their intersection over union is `limit` or more. "distance": their centres are
        `limit` or less apart.
    limit : float
    """

    how: str
    limit: float

    def __post_init__(self) -> None:
        check_choice("match", self.how, RULES)
        check_number("match", self.limit, low=0, high=1.0 if self.how == "iou" else math.inf)
        if self.limit == 0 and self.how == "iou":
            raise AnnostatError("match iou must be above 0: marks that do not touch never match")

    @classmethod
    def of(cls, text: str | Rule | None, kind: str) -> Rule:
        """Return the rule that a text such as "iou 0.5" or "distance 5" says.

        Raises
        ------
        AnnostatError
            If it says none, or points are to be matched by their overlap.
        """
        if isinstance(text, Rule):
            return text
        if text is None:
            if kind == "point":
                raise AnnostatError("match must say how near points are one finding: 'distance 5'")
            return cls("iou", 0.2 if kind == "interval" else 0.5)
        how, _, number = text.strip().partition(" ")
        how = "iou" if how == "overlap" else how
        words = number.split()
        if not words:
            raise AnnostatError(f"match must be such as 'iou 0.5' or 'distance 5', got {text!r}")
        rule = cls(check_choice("match", how, RULES), check_number("match", words[0], text=True))
        if rule.how == "iou" and kind == "point":
            raise AnnostatError("match: points have no overlap; say 'distance 5'")
        return rule

    @property
    def far(self) -> float:
        """Largest distance of two marks that may be one finding."""
        return 1 - self.limit if self.how == "iou" else self.limit

    @property
    def others(self) -> tuple[Rule, Rule]:
        """A stricter and a looser rule, for comparison."""
        if self.how == "iou":
            return Rule("iou", (1 + self.limit) / 2), Rule("iou", self.limit / 2)
        return Rule("distance", self.limit / 2), Rule("distance", self.limit * 2)

    def __str__(self) -> str:
        sign = "≥" if self.how == "iou" else "≤"
        return f"{'IoU' if self.how == 'iou' else self.how} {sign} {format_number(self.limit)}"

    def distances(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Return the distance of marks, of shape (..., g) each."""
        half = a.shape[-1] // 2
        if self.how == "distance":
            return np.asarray(np.sqrt(((a - b) ** 2).sum(axis=-1)))
        low, high = (
            np.maximum(a[..., :half], b[..., :half]),
            np.minimum(a[..., half:], b[..., half:]),
        )
        both = np.maximum(high - low, 0.0).prod(axis=-1)
        each = [(x[..., half:] - x[..., :half]).prod(axis=-1) for x in (a, b)]
        return np.asarray(1 - both / (each[0] + each[1] - both))


@dataclass(frozen=True, eq=False)
class _Masks:
    """The rule of masks that overlap; marks are their boxes, and a last column of positions."""

    rule: Rule
    runs: Runs

    @property
    def how(self) -> str:
        return self.rule.how

    @property
    def far(self) -> float:
        return self.rule.far

    def distances(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Return 1 − IoU of the masks of marks, of shape (..., 5) each; 1 where boxes part."""
        a, b = np.broadcast_arrays(a, b)
        touch = ((a[..., :2] < b[..., 2:4]) & (b[..., :2] < a[..., 2:4])).all(axis=-1)
        found = np.ones(touch.shape)
        i, j = (x[..., 4][touch].astype(np.int64) for x in (a, b))
        found[touch] = overlap_distance(self.runs, i, j)
        return found


Measure = Rule | _Masks


@dataclass(frozen=True, eq=False)
class Matched:
    """Findings, and who marked them.

    Attributes
    ----------
    finding : int64 array of shape (n_marks,)
        Position of each mark's finding.
    image : int64 array of shape (n_findings,)
    marked : bool array of shape (n_findings, n_readers)
    ambiguous : bool array of shape (n_findings,)
        Where the limit alone would have joined two marks of one reader.
    doubles : int
        Pairs of marks of one reader, on one image, that are within the limit of each other.
    """

    finding: IntArray
    image: IntArray
    marked: NDArray[np.bool_]
    ambiguous: NDArray[np.bool_]
    doubles: int

    @property
    def counts(self) -> IntArray:
        """Number of readers who marked each finding."""
        return np.asarray(self.marked.sum(axis=1), dtype=np.int64)


def match_findings(findings: Findings, match: str | Rule | None = None) -> Matched:
    """Return which marks are one finding.

    Parameters
    ----------
    findings : Findings
    match : str or Rule, optional
        "iou 0.5" (boxes and masks by default), "overlap 0.2" (intervals by default: the same
        measure in one dimension), or "distance 5", between centres (of masks: of their boxes).

    Returns
    -------
    Matched
        At most one mark of a reader is in a finding.

    Raises
    ------
    AnnostatError
        If the rule is none, or points are to be matched by overlap.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("a", "anna", 1.0), ("a", "ben", 1.5), ("a", "anna", 9.0)]
    >>> table = pd.DataFrame(rows, columns=["image", "reader", "time"])
    >>> match_findings(Findings.from_frame(table), "distance 1").marked.tolist()
    [[True, True], [True, False]]
    """
    reader, m = findings.reader, findings.n_marks
    measured, keys, rule = _measured(findings, Rule.of(match, findings.kind))
    i, j = _near(measured, _blocks(findings), rule)
    other = reader[i] != reader[j]
    doubles = int((~other).sum())
    i, j = i[other], j[other]
    links = coo_array((np.ones(len(i)), (i, j)), shape=(m, m))
    component = connected_components(links, directed=False)[1] if m else np.zeros(0, np.int64)
    group = np.arange(m)
    size = np.bincount(component, minlength=1)
    edges = np.bincount(component[i], minlength=len(size))
    width = len(findings.names)
    pairs = np.unique(component.astype(np.int64) * width + reader)
    twice = np.bincount(pairs // width, minlength=len(size)) < size
    plain = ~twice & (edges == size * (size - 1) // 2)  # all near each other, no reader twice
    first = np.full(len(size), m, dtype=np.int64)
    np.minimum.at(first, component, np.arange(m))
    group = np.where(plain[component], first[component], group) if m else group
    by_component = np.argsort(component, kind="stable")
    ends = np.cumsum(size)
    for c in np.flatnonzero(~plain).tolist():
        at = by_component[ends[c] - size[c] : ends[c]]
        two = len(findings.names) == 2
        order = _canonical(keys[at], reader[at])
        found = (_assigned if two else _linked)(measured[at], reader[at], rule, order)
        group[at] = at[found]
    _, finding = np.unique(group, return_inverse=True)
    n = int(finding.max(initial=-1)) + 1
    marked = np.zeros((n, len(findings.names)), dtype=bool)
    marked[finding, reader] = True
    image, ambiguous = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
    image[finding] = findings.image
    ambiguous[finding] = twice[component]
    return Matched(np.asarray(finding, dtype=np.int64), image, marked, ambiguous, doubles)


def near_pairs(findings: Findings, match: str | Rule | None = None) -> tuple[IntArray, IntArray]:
    """Return the pairs of marks of different readers that may be one finding."""
    measured, _, rule = _measured(findings, Rule.of(match, findings.kind))
    i, j = _near(measured, _blocks(findings), rule)
    other = findings.reader[i] != findings.reader[j]
    return i[other], j[other]


def _blocks(findings: Findings) -> IntArray:
    """Return a number of each mark; those of different numbers never match."""
    if findings.classes is None:
        return findings.image
    kind = np.unique(findings.classes.astype(str), return_inverse=True)[1]
    return np.asarray(findings.image * (int(kind.max(initial=0)) + 1) + kind)


def _measured(findings: Findings, rule: Rule) -> tuple[FloatArray, FloatArray, Measure]:
    """Return what distances are of, what marks are told apart by, and the measure."""
    g = findings.geometry
    if rule.how == "distance":
        centres = _centres(g, findings.kind)
        return centres, centres, rule
    if findings.runs is None:
        return g, g, rule
    keys = np.column_stack([g, findings.runs.moments])
    return np.column_stack([g, np.arange(len(g))]), keys, _Masks(rule, findings.runs)


def _centres(g: FloatArray, kind: str) -> FloatArray:
    half = g.shape[1] // 2
    return g if kind == "point" else (g[:, :half] + g[:, half:]) / 2


def _near(g: FloatArray, block: IntArray, rule: Measure) -> tuple[IntArray, IntArray]:
    """Return the pairs of marks within the limit: neighbours along the first axis, then tested."""
    empty = np.zeros(0, dtype=np.int64)
    if len(g) < 2:
        return empty, empty
    low = g[:, 0] - g[:, 0].min()
    reach = rule.far if rule.how == "distance" else g[:, g.shape[1] // 2] - g[:, 0]
    span = float((low + reach).max()) * (1 + WIDER) + 1.0
    key = block * (2 * span) + low
    order = np.argsort(key, kind="stable")
    until = (key + reach + span * WIDER)[order]
    last = np.searchsorted(key[order], until, side="right")
    count = np.maximum(last - np.arange(len(g)) - 1, 0)
    found_i, found_j = [], []
    start = 0
    total = np.cumsum(count)
    while start < len(g):  # in pieces, so that memory stays small
        done = total[start - 1] if start else 0
        stop = max(int(np.searchsorted(total, done + 2_000_000, side="right")), start + 1)
        n = count[start:stop]
        left = np.repeat(np.arange(start, stop), n)
        right = left + 1 + np.arange(len(left)) - np.repeat(np.cumsum(n) - n, n)
        a, b = order[left], order[right]
        near = (block[a] == block[b]) & (rule.distances(g[a], g[b]) <= rule.far + 1e-12)
        found_i.append(a[near])
        found_j.append(b[near])
        start = stop
    return np.concatenate(found_i), np.concatenate(found_j)


def _canonical(g: FloatArray, reader: IntArray) -> IntArray:
    """Return an order that depends on what marks are: they, then all of that reader's."""
    whole = {r: sorted(map(tuple, g[reader == r].tolist())) for r in set(reader.tolist())}
    keys = [(tuple(row), whole[r]) for row, r in zip(g.tolist(), reader.tolist(), strict=True)]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def _assigned(g: FloatArray, reader: IntArray, rule: Measure, order: IntArray) -> IntArray:
    """Return the group of each mark of two readers: the most matches, the nearest among them."""
    a, b = (order[reader[order] == r] for r in np.unique(reader))
    d = rule.distances(g[a][:, None], g[b][None])
    near = d <= rule.far + 1e-12
    cost = np.where(near, d - (len(g) + 1) * max(rule.far, 1.0), 0.0)
    group = np.arange(len(g))
    for p, q in zip(*linear_sum_assignment(cost), strict=True):
        if near[p, q]:
            group[[a[p], b[q]]] = min(a[p], b[q])
    return group


def _linked(g: FloatArray, reader: IntArray, rule: Measure, order: IntArray) -> IntArray:
    """Return the group of each mark: average linkage, no reader twice."""
    x, m = g[order], len(g)
    d = rule.distances(x[:, None], x[None])
    _, code = np.unique(reader[order], return_inverse=True)
    has = np.zeros((m, int(code.max()) + 1), dtype=bool)
    has[np.arange(m), code] = True
    size, live, group = np.ones(m), np.ones(m, dtype=bool), np.arange(m)
    below = np.tri(m, dtype=bool)
    while True:
        clash = (has.astype(np.int64) @ has.T.astype(np.int64)) > 0
        open_ = live[:, None] & live & ~clash & ~below & (d <= rule.far + 1e-12)
        if not open_.any():
            break
        free = np.where(open_, d, np.inf)
        i, j = np.argwhere(free <= free.min() + SAME)[0]  # ties: the first in canonical order
        d[i] = (size[i] * d[i] + size[j] * d[j]) / (size[i] + size[j])
        d[:, i] = d[i]
        size[i] += size[j]
        has[i] |= has[j]
        live[j] = False
        group[group == j] = i
    found = np.empty(m, dtype=np.int64)
    found[order] = order[group]
    return found
