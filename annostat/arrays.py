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


def order_of(*keys: NDArray[Any]) -> NDArray[np.int64]:
    """Return ``numpy.lexsort(keys)``: the last key counts first; rows that tie keep their order.

    Few rows tie in two keys of measured values, so that hardly any need the others.

    Examples
    --------
    >>> order_of([3.0, 1.0, 2.0], [0.0, 0.0, -1.0]).tolist()
    [2, 1, 0]
    """
    columns = [np.asarray(key) for key in keys]
    last = columns[-1]
    if len(last) < 2:
        return np.arange(len(last))
    order = np.argsort(last)
    tied = _tied(last[order])
    if np.count_nonzero(tied) > len(last) // 4:
        order = np.lexsort(columns[-2:])
        tied = _tied(*(key[order] for key in columns[-2:]))
    rows = np.sort(order[tied])
    order[tied] = rows[np.lexsort([key[rows] for key in columns])]
    return np.asarray(order, dtype=np.int64)


def _tied(*keys: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of sorted rows are like a neighbour, or not to be compared."""
    alike = ~np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    alike |= np.logical_or.reduce([np.isnan(key[1:]) | np.isnan(key[:-1]) for key in keys])
    return np.asarray(np.append(alike, False) | np.append(False, alike))


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
