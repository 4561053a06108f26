"""Checks of findings: appetites, matching, readers who are votes of the others."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, option, shown
from annostat.labels.findings import Findings
from annostat.labels.matching import Matched
from annostat.resampling.clusters import renumbered
from annostat.resampling.hotelling import equal_means
from annostat.results.result import Check
from annostat.results.text import counted, format_number, p_text

MANY = 0.05  # share of ambiguous findings that is said
SOME = 20  # marks from which a reader who matches nobody is said
NO_MATCH = 0.02  # share of matched marks that is next to none
ENOUGH = 200  # findings from which a reader may be seen to be a vote of the others
SPLIT = 50  # of them, those in which the others do not agree
VOTE = re.compile(r"consensus|majority|vote|adjudicat|staple|\bgt\b|ground.?truth", re.IGNORECASE)


def appetite(findings: Findings, codes: NDArray[np.int64] | None, alpha: float) -> Check:
    """Return whether readers mark as much as each other: means per image, units are independent."""
    name = "appetite"
    if findings.exchangeable:
        text = "Readers are anonymous, so whether they mark alike cannot be seen."
        return Check(name, None, text)
    complete = findings.saw.all(axis=1)
    marks = findings.marks[complete].astype(np.float64)
    if codes is not None and complete.any():
        group = renumbered(codes[complete])
        total = np.zeros((int(group.max()) + 1, marks.shape[1]))
        np.add.at(total, group, marks)
        marks = total
    test = equal_means(marks) if len(marks) > 1 else None
    if test is None:
        same = len(marks) > 1 and bool((marks == marks[:, :1]).all())
        if same:
            return Check(name, True, "Readers marked the same number on every image.")
        text = "Whether readers mark alike cannot be told: too few images that all of them saw."
        return Check(name, None, text)
    if test[1] >= alpha:
        return Check(name, True, f"Readers mark as much as each other ({p_text(test[1])}).", *test)
    per = findings.marks.sum(axis=0) / np.maximum(findings.saw.sum(axis=0), 1)
    listed = ", ".join(
        f"{n} {format_number(float(v), digits=3)}" for n, v in zip(findings.names, per, strict=True)
    )
    text = (
        f"Readers differ in how much they mark (per image: {listed}; {p_text(test[1])}): the "
        "ceiling is against one of them at random; against a named one it may lie 0.1 or more away "
        "(F1 against each reader by name)."
    )
    return Check(name, False, text, *test)


def matching_checks(matched: Matched) -> list[Check]:
    """Return what is said of matching: ambiguous findings, two marks of a reader on one."""
    share, n = float(matched.ambiguous.mean()), int(matched.ambiguous.sum())
    found = []
    if share > MANY:
        text = (
            f"{counted(n, 'finding')} ({share:.0%}) could be grouped otherwise: marks stand too "
            "near each other for this limit. The ceiling may be too high; try a stricter match."
        )
        found.append(Check("ambiguous", False, text, share))
    else:
        text = (
            f"Matching is clear: {counted(n, 'finding')} ({share:.1%}) could be grouped otherwise."
        )
        found.append(Check("ambiguous", True, text, share))
    if matched.doubles:
        text = (
            f"{counted(matched.doubles, 'pair')} of marks of one reader lie within the limit of "
            "each other: if they are one finding marked twice, remove one; they count as two."
        )
        found.append(Check("two_marks", None, text, float(matched.doubles)))
    return found


def empty_readers(findings: Findings) -> list[Check]:
    """Return a failed check for readers without a single mark."""
    total = findings.marks.sum(axis=0)
    none = [n for n, t in zip(findings.names, total.tolist(), strict=True) if t == 0]
    if not none:
        return []
    text = (
        f"{shown(none)} marked nothing on any image: if these marks are missing, and the images "
        "were not found empty, leave the reader out."
    )
    return [Check("no_marks", False, text)]


def repeated_marks(findings: Findings) -> list[Check]:
    """Return a failed check for marks that one reader made twice on the very same place."""
    kind = np.zeros(findings.n_marks)
    if findings.classes is not None:
        kind = np.unique(findings.classes.astype(str), return_inverse=True)[1].astype(np.float64)
    rows = np.column_stack([findings.image, findings.reader, kind, findings.geometry])
    first = np.unique(rows, axis=0, return_index=True)[1]
    if len(first) == len(rows):
        return []
    left = np.delete(np.arange(len(rows)), first)
    i = int(left.min())
    text = (
        f"{counted(len(left), 'mark')} of the same reader on the very same place; first: "
        f"{findings.items[findings.image[i]]} by {findings.names[findings.reader[i]]}. Rows that "
        "stand twice count twice: leave each once."
    )
    return [Check("repeated", False, text, float(len(left)))]


def unmatched_readers(findings: Findings, matched: Matched) -> list[Check]:
    """Return a failed check for readers whose marks match nobody's."""
    z = matched.marked
    alone = z & (z.sum(axis=1, keepdims=True) == 1)
    total, lone = z.sum(axis=0), alone.sum(axis=0)
    found = [
        (n, int(t))
        for n, t, a in zip(findings.names, total.tolist(), lone.tolist(), strict=True)
        if t >= SOME and t - a <= NO_MATCH * t
    ]
    if not found:
        return []
    said = shown([f"{n} ({t:,})" for n, t in found])
    text = (
        f"Of the marks of {said} next to none matches another reader's: are they in another unit "
        "or order of columns, of images of another size, or are their images called otherwise?"
    )
    return [Check("no_match", False, text, float(len(found)))]


def phase_check() -> Check:
    """Return what the marks cannot show."""
    text = (
        "Did readers work alone? Marks that were made after seeing another's, or discussed until "
        "they agreed, raise the ceiling and cannot be told from independent ones."
    )
    return Check("alone", None, text)


def refuse_votes(findings: Findings, matched: Matched) -> None:
    """Refuse a reader who is a consensus of the others, by its name or by its marks.

    Raises
    ------
    AnnostatError
        If there is one.
    """
    names = findings.names
    called = [n for n in names if VOTE.search(n)]
    if called:
        others = [n for n in names if n not in called]
        raise AnnostatError(
            f"{shown(called)} seems to be a vote of readers, and a vote of the same readers is no "
            f"ceiling: name the readers ({option('rounds', *others[:4])})"
        )
    z = matched.marked
    if z.shape[1] < 3:
        return
    for j, name in enumerate(names):
        rest = np.delete(z, j, axis=1).sum(axis=1)
        if ((rest > 0) & (rest < z.shape[1] - 1)).sum() < SPLIT or len(z) < ENOUGH:
            continue
        for least in range(2, z.shape[1]):
            vote = rest >= least
            if (vote == z[:, j]).all():
                others = [n for n in names if n != name]
                raise AnnostatError(
                    f"{name} marked exactly what {least} or more of the others did: a vote of the "
                    f"same readers is no ceiling; leave it out ({option('rounds', *others[:4])})"
                )
