"""Rounds that differ, and clusters: a second test of the excess, and whether rounds are alike.

Dealing all errors anew takes both rounds for draws of one law, independent between items. Where one
round alone is heavy-tailed, or the items of a patient err together, noise would be found to exceed
itself. What a model's own error does is another thing: it is in the errors against both labels of
an item, and cancels in their difference. So the second round's errors are paired anew with the
first's: of a perfect model both are independent, whatever their laws, and the differences of the
new pairs are as concentrated as those of the old ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.concentration.swaps import shares, swap_losses
from annostat.results.result import Check
from annostat.results.text import p_text, percent

ALIKE = 0.05  # level of the check


def pairing_p(
    first: FloatArray,
    second: FloatArray,
    codes: NDArray[np.int64] | None,
    *,
    top: float,
    loss: str,
    n_resamples: int,
    generator: np.random.Generator,
) -> float:
    """Return the one-sided p of whether errors of both rounds are large on the same items.

    Parameters
    ----------
    first, second : float64 arrays of shape (n,)
        Errors against both labels of the same items.
    codes : int64 array of shape (n,) or None
        Cluster of each item; clusters of one size are paired anew as wholes.
    top, loss, n_resamples, generator
        As in `excess_by_swaps`.

    Returns
    -------
    float
        How often the worst share of the differences of new pairs is as small as that of the
        items' own (a permutation test of independence; Phipson & Smyth 2010). Items that are
        harder for both annotators make it larger: the test then finds less, not more.
    """
    power = 2 if loss == "squared" else 1
    groups = blocks_of(len(first), codes)
    gap = first - second
    middle = gap.mean()  # the same for all pairings
    seen = float(shares(np.abs(gap - middle)[None] ** power, top)[0])
    beyond = 0
    order = np.arange(len(first))
    for _ in range(n_resamples):
        for rows in groups:
            order[rows] = rows[generator.permutation(len(rows))]
        dealt = np.abs(first - second[order] - middle)[None] ** power
        beyond += int(shares(dealt, top)[0] <= seen + 1e-12)
    return (1 + beyond) / (1 + n_resamples)


def blocks_of(n: int, codes: NDArray[np.int64] | None) -> list[NDArray[np.int64]]:
    """Return the items of all clusters of a size, one array (clusters, size) for each size."""
    if codes is None:
        return [np.arange(n)[:, None]]
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    sizes = {len(m) for m in members}
    return [np.stack([m for m in members if len(m) == size]) for size in sorted(sizes)]


def rounds_alike(
    first: FloatArray,
    second: FloatArray,
    codes: NDArray[np.int64] | None,
    *,
    top: float,
    loss: str,
    n_resamples: int,
    generator: np.random.Generator,
) -> Check:
    """Check whether the errors against both rounds are alike in concentration.

    The two errors of an item (of a cluster) are swapped at random; a model's own error, which is
    in both, does not matter.
    """
    power = 2 if loss == "squared" else 1
    one, other = (np.abs(e - e.mean()) ** power for e in (first, second))
    if not (one.any() and other.any()):
        return Check("rounds_alike", None, "All errors against one of the rounds are equal.")
    share, second_share, p = swap_losses(
        one,
        other,
        codes,
        top=top,
        n_resamples=n_resamples,
        generator=generator,
        two_sided=True,
    )
    held = f"{100 * share:.0f}% and {100 * second_share:.0f}%"
    said = f"the worst {percent(top)} hold {held} ({p_text(p)})"
    if p > ALIKE:
        text = f"The errors against the two rounds are alike: {said}."
    else:
        text = (
            f"The errors against the two rounds differ: {said}. One law for both does not hold: "
            "the interval of the excess is left out; the test allows for it."
        )
    return Check("rounds_alike", p > ALIKE, text, share - second_share, p)


__all__ = ["blocks_of", "pairing_p", "rounds_alike"]
