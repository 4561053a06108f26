"""The array types of annostat, and the digest of what a result was made from."""

from __future__ import annotations

import hashlib
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Bytes: TypeAlias = NDArray[np.uint8]


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
