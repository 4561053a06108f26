"""Whether a model's marks are a reader's, or a vote of readers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from annostat.errors import AnnostatError, shown
from annostat.interchange.counts import Counts
from annostat.labels import Findings
from annostat.labels.matching import match_findings

FEWEST = 10  # findings, or marks, that tell
SAME = 0.99  # of the findings that tell
COPIED, USUAL = 0.9, 0.5  # share of marks that are another's to the last digit
ALL_SUBSETS = 6  # readers up to which each subset is tried


def refuse_made_of_marks(name: str, counts: Counts, names: Sequence[str]) -> str:
    """Refuse a model whose marks are a reader's, or a vote of several.

    A vote of m or more of some readers is known by what it marks, wherever it puts the mark; marks
    that are the readers' to the last digit, whatever rule chose them, by their numbers.

    Parameters
    ----------
    name : str
        The model.
    counts : Counts
    names : sequence of str
        Readers.

    Returns
    -------
    str
        A word of doubt, where a perfect detector could say the same; else empty.

    Raises
    ------
    AnnostatError
        If it contains what it would be compared with.
    """
    found = counts.findings.choose([*names, name])
    _refuse_copies(name, found, names)
    z = match_findings(found, counts.rule)
    saw = found.saw[z.image]
    marked, mine = z.marked[:, :-1], z.marked[:, -1]
    miss = 1 - _f1_of_two(counts, len(names))
    subsets = [
        s
        for size in range(1, len(names) + 1)
        if len(names) <= ALL_SUBSETS or size in (1, 2, len(names) - 1, len(names))
        for s in combinations(range(len(names)), size)
    ]
    doubt = ""
    for subset in subsets:
        whole = saw[:, subset].all(axis=1) & saw[:, -1]
        among = marked if len(subset) == 1 else marked[:, subset]
        known = saw[:, :-1] if len(subset) == 1 else saw[:, subset]
        some, every = (among & known).any(axis=1), (among | ~known).all(axis=1)
        telling = whole & ((some & ~every) | (~some & mine))
        if telling.sum() < FEWEST:
            continue
        votes = marked[:, subset].sum(axis=1)
        for least in range(1, len(subset) + 1):
            same = float((mine == (votes >= least))[telling].mean())
            if same < SAME:
                continue
            readers = [names[j] for j in subset]
            rule = "all" if least == len(subset) else f"{least} or more"
            of = readers[0] if len(subset) == 1 else f"{rule} of {shown(readers, 8)}"
            text = (
                f"model {name!r} marks what {of} marked, on {100 * same:.0f}% of the "
                f"{int(telling.sum()):,} findings that tell"
            )
            # A perfect detector departs from a vote where too few saw what is there.
            apart = int(whole.sum()) * float(stats.binom.cdf(least - 1, len(subset), 1 - miss))
            if len(subset) > 1 and apart < 3:
                doubt = f"{text}: if it was made of them leave it out, it would look too good"
                continue
            raise AnnostatError(
                f"{text}: it contains the marks it would be compared with. Leave it out"
            )
    return doubt


def _f1_of_two(counts: Counts, k: int) -> float:
    """Return F1 of two readers, of pooled counts."""
    both = total = 0
    for j, m in combinations(range(k), 2):
        here = counts.findings.saw[:, j] & counts.findings.saw[:, m]
        both += int(counts.both[here, j, m].sum())
        total += int(counts.marks[here, j].sum() + counts.marks[here, m].sum())
    return 2 * both / total if total else 0.0


def _refuse_copies(name: str, found: Findings, names: Sequence[str]) -> None:
    """Refuse marks that are those of readers to the last digit, where readers' marks differ."""
    kind = np.zeros(len(found.geometry), dtype=np.int64)
    if found.classes is not None:
        kind = np.unique(found.classes.astype(str), return_inverse=True)[1]
    rows = np.column_stack([found.image, kind, found.geometry])
    code = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    model = len(names)
    mine = found.reader == model
    if mine.sum() < FEWEST:
        return
    copied = float(np.isin(code[mine], code[~mine]).mean())
    usual = max((_shared(code, found.reader, j, model) for j in range(model)), default=0.0)
    if copied >= COPIED and usual < USUAL:
        raise AnnostatError(
            f"model {name!r}: {100 * copied:.0f}% of its marks are marks of the readers to the "
            "last digit: it contains the marks it would be compared with. Leave it out"
        )


def _shared(code: NDArray[np.int64], reader: NDArray[np.int64], j: int, model: int) -> float:
    """Return the share of one reader's marks that are another reader's to the last digit."""
    own, others = code[reader == j], code[(reader != j) & (reader != model)]
    return float(np.isin(own, others).mean()) if own.size else 0.0
