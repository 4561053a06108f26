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


def by_value(rows: FloatArray) -> IntArray:
    """Return an order of rows that hangs on their numbers alone, not on where they stand.

    Sums in it are the same to the last digit for any order of the items.
    """
    inside = np.sort(rows, axis=1)
    weight = np.sqrt(np.arange(2.0, 2.0 + rows.shape[1]))
    key = np.einsum("ij,j->i", np.where(np.isnan(inside), 0.0, inside), weight)
    order = np.argsort(key)
    same = np.diff(key[order]) == 0
    if same.any():  # rows of the same numbers, mostly
        tied = np.zeros(len(rows), dtype=bool)
        tied[1:] |= same
        tied[:-1] |= same
        some = order[tied]
        order[tied] = some[np.lexsort((*rows[some].T, *inside[some].T, key[some]))]
    return order


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
