"""Whether a model is one of the rounds, or made of them: then it has what it is compared with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, all_whole
from annostat.errors import AnnostatError, shown
from annostat.interchange.spread import across

ALL_SUBSETS = 6  # rounds up to which each subset is tried
SAME = 0.99  # share of the items that tell
LOOKED_AT = 500  # items that a first look takes
NEARLY = 0.9
FEWEST = 10  # items that tell, below which nothing is refused
ROUNDED = 0.2  # a model's rounding that is small beside what two labels differ by


def refuse_made_of(
    name: str, f: FloatArray, z: FloatArray, names: Sequence[str], *, nominal: bool
) -> str:
    """Refuse a model that equals a round, or a mean, median or vote of several.

    Parameters
    ----------
    name : str
    f : float64 array of shape (n_items,)
        NaN where it says nothing.
    z : float64 array of shape (n_items, n_rounds)
        NaN where there is no label.
    names : sequence of str
        Of the rounds.
    nominal : bool
        Whether the labels are codes without an order: they have a vote, and no mean.

    Returns
    -------
    str
        A word of doubt: it equals a vote or median, but so might a perfect model, as labels differ
        too rarely. Empty otherwise.

    Raises
    ------
    AnnostatError
    """
    subsets = list(_subsets(len(names)))
    if len(z) > LOOKED_AT:  # a look at some items tells of most subsets that they are not it
        some = np.linspace(0, len(z) - 1, LOOKED_AT).astype(np.int64)
        slack = _tolerance(f[some], z[some])
        subsets = [
            subset
            for subset in subsets
            if any(
                same.size < FEWEST or same.mean() >= NEARLY
                for _, same, _ in _equal(f[some], z[some], subset, nominal, slack)
            )
        ]
        if not subsets:
            return ""
    slack = _tolerance(f, z)
    differing = _differing(z)
    doubt = ""
    for subset in subsets:
        for words, same, n_whole in _equal(f, z, subset, nominal, slack):
            if same.size < FEWEST or same.mean() < SAME:
                continue
            labels = [names[j] for j in subset]
            of = labels[0] if len(subset) == 1 else f"{words} of {_listed(labels)}"
            text = (
                f"model {name!r} equals {of} on {100 * same.mean():.0f}% of the {same.size:,} "
                "items that tell"
            )
            if len(subset) >= 3 and words != "the mean":
                # A perfect model departs from a vote only where most of the labels err alike.
                most = len(subset) // 2 + 1
                if n_whole * math.comb(len(subset), most) * (differing / 2) ** most < 3:
                    doubt = f"{text}: if it was made of them leave it out, it would look too good"
                    continue
            raise AnnostatError(
                f"{text}: it contains the labels it would be compared with. Leave it out"
            )
    return doubt


def _tolerance(f: FloatArray, z: FloatArray) -> float:
    """Return how far a model may be from what it is made of, by rounding."""
    step = _step(f)
    spread = float(np.nanmean(np.abs(z - np.nanmean(z, axis=1, keepdims=True))))
    return 0.5000001 * step if 0 < step < ROUNDED * spread else 0.0


def _equal(
    f: FloatArray, z: FloatArray, subset: tuple[int, ...], nominal: bool, slack: float
) -> Iterator[tuple[str, NDArray[np.bool_], int]]:
    """Yield, for each rule that merges some rounds, where the model equals it among what tells.

    An item tells if not all of these rounds say the same; of a single one, if another differs.
    """
    part = z[:, subset]
    whole = np.isfinite(part).all(axis=1) & np.isfinite(f)
    against = z if len(subset) == 1 else part
    first = part[:, :1]
    telling = whole & ((against != first) & np.isfinite(against)).any(axis=1)
    for words, merged in _merged(part[telling], nominal):
        known = np.isfinite(merged)
        g, m = f[telling][known], merged[known]
        same = np.abs(g - m) <= slack + 1e-9 * np.maximum(np.abs(g), np.abs(m))
        yield words, same, int(whole.sum())


def _subsets(k: int) -> Iterator[tuple[int, ...]]:
    sizes = range(1, k + 1) if k <= ALL_SUBSETS else sorted({1, 2, k - 1, k})
    for size in sizes:
        yield from combinations(range(k), size)


def _merged(part: FloatArray, nominal: bool) -> Iterator[tuple[str, FloatArray]]:
    """Yield what labels may be merged into; NaN where the rule gives nothing."""
    if part.shape[1] == 1:
        yield "", part[:, 0]
        return
    if not nominal:
        mean = part.mean(axis=1)
        yield "the mean", mean
        if all_whole(part):
            yield "the rounded mean", np.rint(mean)
        if part.shape[1] >= 3:
            yield "the median", np.median(part, axis=1)
        return
    if part.shape[1] >= 3:
        yield "the majority", majority(part)


def majority(codes: FloatArray) -> FloatArray:
    """Return the code that most of an item's labels have, NaN for a tie."""
    votes = np.stack([(codes == codes[:, [j]]).sum(axis=1) for j in range(codes.shape[1])], axis=1)
    top = votes.max(axis=1)
    best = np.take_along_axis(codes, votes.argmax(axis=1)[:, None], axis=1)[:, 0]
    tied = ((votes == top[:, None]) & (codes != best[:, None])).any(axis=1)
    return np.where(tied, np.nan, best)


def _differing(z: FloatArray) -> float:
    """Return the share of pairs of labels that differ."""
    pairs = different = 0
    for j, k in combinations(range(z.shape[1]), 2):
        both = np.isfinite(z[:, j]) & np.isfinite(z[:, k])
        pairs += int(both.sum())
        different += int((z[both, j] != z[both, k]).sum())
    return different / pairs if pairs else 0.0


def _step(f: FloatArray) -> float:
    """Return the last decimal place that a model's numbers have, 0 if there are many."""
    there = f[np.isfinite(f)]
    for places in range(5):
        if np.allclose(there, np.round(there, places), rtol=0, atol=1e-9):
            return float(10.0**-places)
    return 0.0


def _listed(names: Sequence[str]) -> str:
    return shown(names, 8) if len(names) > 3 else " and ".join([", ".join(names[:-1]), names[-1]])


def shared_noise(
    f: FloatArray, z: FloatArray, *, exchangeable: bool
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return (f − z̄)² − s²/k of each item, which has the mean E(f − Y)² ≥ 0, and where it is known.

    A mean below 0 says that the model errs with the labels: it has seen them. Biases of rounds
    that have an identity, which would lower it too, are taken out first.
    """
    seen = np.isfinite(z)
    k = across(seen)
    values = z if exchangeable else z - biases(z, seen)
    usable = (k >= 2) & np.isfinite(f)
    e = np.where(seen, f[:, None] - values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (across(e) ** 2 - np.einsum("ij,ij->i", e, e)) / (k * (k - 1))
    return found, usable


def biases(z: FloatArray, seen: NDArray[np.bool_]) -> FloatArray:
    """Return each round's bias, by least squares in the two-way layout of items and rounds.

    They sum to 0, for each group of rounds that items join.
    """
    if seen.all():
        means = z.mean(axis=0)
        return np.asarray(means - means.mean())
    share = seen / across(seen)[:, None]
    filled = np.where(seen, z, 0.0)
    normal = np.diag(seen.sum(axis=0).astype(np.float64)) - seen.T.astype(np.float64) @ share
    right = filled.sum(axis=0) - share.T @ across(filled)
    return np.asarray(np.linalg.lstsq(normal, right, rcond=1e-9)[0])
