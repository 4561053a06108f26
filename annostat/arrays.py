"""The array types of annostat, and the digest of what a result was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Bytes: TypeAlias = NDArray[np.uint8]
PIECE = 8192  # numbers; OpenBLAS starts threads for products of more than 10,000
ROUNDING = 8 * float(np.finfo(np.float64).eps)  # of a number: what sums of few may be off by
PICK_LIMIT = 2**53  # whole numbers beyond this are not exact in float64


def all_whole(values: FloatArray) -> bool:
    """Return whether all numbers that are there are whole ones, as picks and counts are.

    From 2^53 on all of float64 are, which says nothing of how they were read: they are not meant.
    """
    seen = values[np.isfinite(values)]
    return bool((np.abs(seen) < PICK_LIMIT).all() and (seen == np.round(seen)).all())


def unless_rounding(differences: FloatArray, largest: float) -> FloatArray:
    """Return differences of numbers up to `largest` in size, or zeros if all are rounding."""
    if float(np.max(np.abs(differences), initial=0.0, where=np.isfinite(differences))) > (
        ROUNDING * largest
    ):
        return differences
    return np.where(np.isfinite(differences), 0.0, differences)


def dot(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return Σ a·b of two vectors, in pieces for which BLAS starts no threads.

    Threads of BLAS wait busily for a while after what they were started for.
    """
    if a.size <= PIECE:
        return float(a @ b)
    return float(sum(a[i : i + PIECE] @ b[i : i + PIECE] for i in range(0, a.size, PIECE)))


def beside(columns: Sequence[ArrayLike]) -> FloatArray:
    """Return columns as one array of shape (n, p), each of them in one piece of memory.

    Sums over many items go column by column: an item's numbers side by side cost two to five times.
    """
    return np.array(columns, dtype=np.float64).T


def row_sums(rows: NDArray[Any]) -> NDArray[Any]:
    """Return ``rows.sum(axis=1)`` to the last bit; of up to seven columns several times as fast.

    NumPy adds so few numbers one after the other, and takes them row by row.

    Examples
    --------
    >>> row_sums(np.array([[True, True], [False, True]])).tolist()
    [2, 1]
    """
    if not 0 < rows.shape[1] < 8:
        return np.asarray(rows.sum(axis=1))
    total = rows[:, 0].astype(np.int64) if rows.dtype == bool else rows[:, 0] + 0.0
    for column in rows.T[1:]:
        total += column
    return np.asarray(total)


def sorted_within(columns: FloatArray) -> FloatArray:
    """Return ``numpy.sort(columns, axis=0)``; of up to five rows several times as fast.

    Examples
    --------
    >>> sorted_within(np.array([[3.0, np.nan], [1.0, 2.0]])).tolist()
    [[1.0, 2.0], [3.0, nan]]
    """
    if not 1 < len(columns) < 6:
        return np.sort(columns, axis=0)
    rows, lower = columns.copy(), np.empty_like(columns[0])
    for last in range(len(rows) - 1, 0, -1):
        for i in range(last):
            np.fmin(rows[i], rows[i + 1], out=lower)
            np.maximum(rows[i], rows[i + 1], out=rows[i + 1])  # what is missing goes behind
            rows[i] = lower
    return rows


def order_of(*keys: NDArray[Any]) -> NDArray[np.int64]:
    """Return ``numpy.lexsort(keys)``: the last key counts first; rows that tie keep their order.

    Each key is asked of the rows alone that tie in those before it, and none of rows in order.

    Examples
    --------
    >>> order_of([3.0, 1.0, 2.0], [0.0, 0.0, -1.0]).tolist()
    [2, 1, 0]
    """
    columns = [np.asarray(key) for key in reversed(keys)]
    n = len(columns[0])
    if n < 2 or _in_order(columns):
        return np.arange(n)
    order = np.argsort(columns[0])
    begins = _begins(columns[0][order])
    for key in (*columns[1:], None):
        places = np.flatnonzero(~(begins & np.append(begins[1:], True)))
        if not places.size:
            break
        rows = order[places]
        # What ties in the keys before, and the place in this one, as one number.
        finer = np.cumsum(begins)[places] * (n + 1) + (rows if key is None else _ranks(key[rows]))
        again = np.argsort(finer)
        order[places] = rows[again]
        begins[places[1:]] = np.diff(finer[again]) > 0
    return np.asarray(order, dtype=np.int64)


def _in_order(columns: Sequence[NDArray[Any]]) -> bool:
    """Return whether rows ascend by these keys, the first of which counts first."""
    rows = np.arange(len(columns[0]) - 1)  # neighbours that tie so far
    for key in columns:
        before, after = key[rows], key[rows + 1]
        if not (before <= after).all():
            return False
        rows = rows[before == after]
        if not rows.size:
            break
    return True


def _ranks(key: NDArray[Any]) -> NDArray[np.int64]:
    """Return the rank of each number among the different ones, from 1 on."""
    order = np.argsort(key)
    ranks = np.empty(len(key), dtype=np.int64)
    ranks[order] = np.cumsum(_begins(key[order]))
    return ranks


def _begins(ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of sorted numbers are not like the one before; missing ones are alike."""
    new = (ordered[1:] != ordered[:-1]) & ~np.isnan(ordered[:-1])
    return np.append(True, new)


def digest(*pieces: NDArray[Any] | str | None) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of arrays and texts, one after the other.

    What is not there (None) counts too, so that a column cannot take another's place.
    """
    found = hashlib.sha256()
    for piece in pieces:
        if piece is None:
            found.update(b"|")
        elif isinstance(piece, str):
            found.update(piece.encode())
        else:
            whole = np.ascontiguousarray(piece) if isinstance(piece, np.ndarray) else piece
            found.update(whole.tobytes())  # packed masks say themselves what they are
    return found.hexdigest()[:16]
