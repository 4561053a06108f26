"""Clusters as numbers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, option
from annostat.once import once
from annostat.results.text import counted


def count_clusters(clusters: NDArray[np.int64], n: int) -> int:
    """Return the number of clusters after checking that they are numbered 0, 1, ..."""
    codes = np.asarray(clusters)
    if codes.shape != (n,) or codes.dtype.kind not in "iu":
        raise AnnostatError(f"clusters must be {n} whole numbers, one per item (cluster_codes)")
    present = np.unique(codes)
    if present[0] != 0 or present[-1] != present.size - 1:
        raise AnnostatError("clusters must be codes 0..C-1, each of them in use (cluster_codes)")
    return int(present.size)


def require_clusters(takes: str, n: int, fewest: int) -> None:
    """Refuse fewer clusters than something `takes`, and say what to do."""
    if n < fewest:
        there = f"there {'is' if n == 1 else 'are'} {counted(n, 'cluster')}"
        raise AnnostatError(
            f"{takes} {fewest} or more clusters, but {there}: name another column "
            f"({option('cluster')}), or leave clusters out"
        )


def renumbered(codes: NDArray[Any]) -> NDArray[np.int64]:
    """Return codes 0, 1, ... without gaps in the order of these: the inverse of ``numpy.unique``.

    Nothing is sorted where they are numbers from 0 to about as many as there are.
    """
    if not codes.size or codes.min() < 0 or codes.max() > 4 * codes.size + 1000:
        return np.unique(codes, return_inverse=True)[1]
    there = np.bincount(codes) > 0
    if there.all():
        return np.asarray(codes, dtype=np.int64)
    return np.asarray((np.cumsum(there) - 1)[codes], dtype=np.int64)


def _codes_of_numbers(numbers: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    new = np.diff(numbers, prepend=numbers[:1])
    if (new >= 0).all():
        return np.cumsum(new > 0)
    _, first, place = np.unique(numbers, return_index=True, return_inverse=True)
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[place]


def cluster_codes(labels: Sequence[object] | NDArray[Any] | None) -> NDArray[np.int64] | None:
    """Return codes 0..C-1 for cluster labels, in order of first appearance."""
    return None if labels is None else once("codes", (labels,), lambda: _codes(labels))


def _codes(labels: Sequence[object] | NDArray[Any]) -> NDArray[np.int64]:
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "iu":
        return _codes_of_numbers(labels)
    names = np.asarray(labels, dtype=object)
    if "pandas" not in sys.modules and all(type(name) is str for name in names.flat):
        # Half a second of loading pandas is more than it would spare.
        places = {name: i for i, name in enumerate(dict.fromkeys(names.tolist()))}
        return np.array([places[name] for name in names.tolist()], dtype=np.int64)
    import pandas as pd

    codes, _ = pd.factorize(names)
    if (codes < 0).any():
        raise AnnostatError(f"cluster is missing in {counted(int((codes < 0).sum()), 'row')}")
    return codes.astype(np.int64)
