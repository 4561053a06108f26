"""Whether a model's masks are those of a rater, or a consensus of raters."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.consensus import signed_distance
from annostat.errors import AnnostatError
from annostat.interchange.cells import Columns
from annostat.interchange.distances import one_minus
from annostat.labels.mask_arrays import box_of

IDENTICAL = 0.002  # median 1 − Dice below which two sets of masks are one
FEWEST, LOOKED_AT = 5, 60  # items
ALL_SUBSETS = 5  # raters up to which each subset is tried


def refuse_merged_masks(
    name: str,
    f: NDArray[Any],
    given: NDArray[np.bool_],
    columns: Columns,
    names: Sequence[str],
) -> None:
    """Refuse masks that are a rater's, or a majority, overlap, union or mean outline of several.

    Up to 60 items are looked at; a STAPLE mask of raters who are alike is their majority.

    Raises
    ------
    AnnostatError
    """
    rows = np.flatnonzero(given)
    if len(rows) > LOOKED_AT:
        rows = rows[np.linspace(0, len(rows) - 1, LOOKED_AT).astype(np.int64)]
    model = f[rows]
    labels = [z[rows] for z in columns.labels]
    seen = columns.seen[rows]
    loss = one_minus("dice")
    for words, masks, there in _sources(labels, seen, names):
        if there.sum() < FEWEST:
            continue
        median = float(np.median(loss(model[there], np.ascontiguousarray(masks[there]))))
        if median < IDENTICAL:
            raise AnnostatError(
                f"model {name!r} is {words} (median 1 − Dice {median:.4f}): it contains the masks "
                "it would be compared with. Leave it out"
            )


def _sources(
    labels: Sequence[NDArray[Any]], seen: NDArray[np.bool_], names: Sequence[str]
) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.bool_]]]:
    """Yield what a model might be, in words, as masks, and for which items."""
    for j, rater in enumerate(names):
        yield f"that of {rater}", labels[j], seen[:, j]
    k = len(names)
    inside = _signed(labels, seen)
    drew = [z.any(axis=tuple(range(1, z.ndim))) for z in labels]
    wide = [z.astype(np.uint16) for z in labels]
    for size in range(2, k + 1) if k <= ALL_SUBSETS else (k - 1, k):
        for subset in combinations(range(k), size):
            there = np.asarray(seen[:, subset].all(axis=1))
            of = ", ".join(names[j] for j in subset)
            votes = functools.reduce(np.add, (wide[j] for j in subset))
            rules = {"the overlap": votes == 2, "the union": votes > 0}
            if size > 2:
                rules = {"the majority": 2 * votes > size, "the majority or tie": 2 * votes >= size}
            for rule, mask in rules.items():
                yield f"{rule} of {of}", mask.astype(np.uint8), there
            middle = functools.reduce(np.add, (inside[j] for j in subset)) > 0
            drawn = np.all([drew[j] for j in subset], axis=0)
            yield f"the mean outline of {of}", middle.astype(np.uint8), there & drawn


def _signed(labels: Sequence[NDArray[Any]], seen: NDArray[np.bool_]) -> list[NDArray[np.float32]]:
    """Return how far inside its mask each pixel lies, within the box of all masks of the item."""
    out = [np.full(z.shape, -1.0, dtype=np.float32) for z in labels]
    for i in range(len(seen)):
        box = box_of(np.any([z[i] for z in labels], axis=0))
        if box is None:
            continue
        for j, z in enumerate(labels):
            if seen[i, j] and z[i].any():
                out[j][i][box] = signed_distance(z[i][box])
    return out
