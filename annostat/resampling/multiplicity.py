"""Several tests at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annostat.arrays import FloatArray


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted for their number by Holm's step-down (1979).

    Parameters
    ----------
    p_values : sequence of float or None
        None or NaN where there was no test: it stays None and is not counted.

    Returns
    -------
    list of float or None

    Examples
    --------
    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None and p == p)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * float(p)))
        adjusted[i] = highest
    return adjusted


def step_down(statistics: Sequence[float], drawn: FloatArray) -> list[float]:
    """Return two-sided p-values adjusted together by the step-down of the largest |t|.

    Romano and Wolf (2005): the largest statistic is held against the largest |t*| of all
    hypotheses in each resample, the next one against the largest of those that are left, and so
    on. What hypotheses share makes it stronger than Holm's rule, and its least p-value, 1/(B + 1),
    does not grow with their number.

    Parameters
    ----------
    statistics : sequence of float, length m
        t of each hypothesis; the largest |t| first is not asked for.
    drawn : float64 array of shape (B, m)
        t* of each resample about the estimate; NaN where a resample has none.

    Returns
    -------
    list of float
        Empty without hypotheses.

    Examples
    --------
    >>> import numpy as np
    >>> drawn = np.random.default_rng(0).normal(size=(999, 3))
    >>> [round(p, 2) for p in step_down([0.1, -4.5, 1.0], drawn)]
    [0.93, 0.0, 0.55]
    """
    t = np.abs(np.asarray(statistics, dtype=np.float64))
    if not t.size:
        return []
    least_first = np.argsort(t, kind="stable")
    # The largest |t*| of a hypothesis and of all with a smaller statistic.
    most = np.full(len(drawn), np.nan)
    p = np.empty(t.size)
    for rank, i in enumerate(least_first):
        np.fmax(most, np.abs(drawn[:, i]), out=most)
        p[rank] = (1.0 + np.count_nonzero(most >= t[i])) / (1.0 + len(drawn))
    adjusted = np.empty(t.size)
    adjusted[least_first] = np.maximum.accumulate(p[::-1])[::-1]
    return [float(q) for q in adjusted]
