"""Picks that are so far off that they are likelier typing errors than picks."""

from __future__ import annotations

import numpy as np

from annostat.labels.pairs import pair_mae
from annostat.labels.rounds import Rounds
from annostat.results.result import Check
from annostat.results.text import counted

ISOLATED = 10.0  # times as wide as the widest difference of all other items
LEAST = 50.0  # frames; what is closer may well be somebody who gave up
NAMED = 3  # so many are named in the text


def likely_typos(rounds: Rounds) -> Check | None:
    """Name the picks that no law and no giving up makes plausible; None without any.

    An item is far if its picks differ by more than `ISOLATED` times as much as those of all other
    items, and by more than `LEAST`; at most one item in a hundred (and at least one) can be. Of
    its picks the one that is farthest from the median of the others is named, and with two rounds
    the one that is farther from the middle of the table.

    Parameters
    ----------
    rounds : Rounds
        Whole-number picks; items without two of them are passed over.

    Returns
    -------
    Check or None
        A failed check that names items, rounds and picks. Items keep their weight in all fits.
    """
    values, weights = rounds.values, rounds.row_weights
    two = (~np.isnan(values)).sum(axis=1) >= 2
    spans = np.zeros(len(values))
    spans[two] = np.nanmax(values[two], axis=1) - np.nanmin(values[two], axis=1)
    order = np.argsort(-spans, kind="stable")
    most = max(1, int(weights[two].sum()) // 100)
    far: list[int] = []
    for i in range(1, order.size):
        if weights[order[:i]].sum() > most or spans[order[0]] <= LEAST:
            break
        if spans[order[i - 1]] > max(ISOLATED * spans[order[i]], LEAST):
            far = [int(j) for j in order[:i]]
    if not far:
        return None
    rest = np.setdiff1d(np.flatnonzero(two), far)
    calm = pair_mae(rounds.take(rest)).value
    named = "; ".join(_name(rounds, i) for i in far[:NAMED])
    more = f"; and {counted(len(far) - NAMED, 'more item')}" if len(far) > NAMED else ""
    return Check(
        "likely_typos",
        False,
        f"Likely {'a typo' if len(far) == 1 else 'typos'}: {named}{more}. No other item's picks "
        f"differ by more than {spans[rest].max():,.0f}; without "
        f"{'it' if len(far) == 1 else 'them'} two annotators differ by {calm:.3g} on average. "
        "Mend the table, or leave the item out: what is printed counts it as a pick.",
        float(spans[order[0]]),
    )


def _name(rounds: Rounds, row: int) -> str:
    """Return which pick of which item is far off, in words."""
    values = rounds.values[row]
    there = np.flatnonzero(~np.isnan(values))
    others = np.nanmedian(np.delete(rounds.values, row, axis=0))
    if there.size > 2:
        others = np.median(values[there])
    worst = int(there[np.argmax(np.abs(values[there] - others))])
    near = "/".join(f"{values[j]:,.0f}" for j in there if j != worst)
    item = f"row {row + 1}" if rounds.items is None else repr(rounds.items[row])
    return f"{rounds.names[worst]} of {item} is {values[worst]:,.0f} beside {near}"
