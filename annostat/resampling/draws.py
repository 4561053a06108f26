"""Resamples: how often each unit is drawn, a function of the seed and of the resample's number.

For small jobs: `annostat.resampling.kernels` draws the same faster, but takes most of a second
to load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray

GOLDEN, HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFFFFFFFF)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def draw_multiplicities(seed: np.uint64, start: int, out: FloatArray) -> None:
    """Do what the kernel of this name does, number for number, without loading a compiler."""
    n = out.shape[1]
    drawn, good = _draws(seed, np.arange(start, start + len(out)), n, n // 2 + 1)
    poor = np.zeros(0, dtype=np.int64) if good is None else ~good[:, :n].all(axis=1)
    for r in np.flatnonzero(poor):  # a row that takes a few draws more
        more = n
        while (found := _accepted(seed, start + int(r), n, more)).size < n:
            more *= 2
        drawn[r, :n] = found[:n]
    cells = drawn[:, :n]
    cells += (np.arange(len(out)) * n)[:, None]
    out[:] = np.bincount(cells.ravel(), minlength=out.size).reshape(out.shape)


def _accepted(seed: np.uint64, resample: int, n: int, words: int) -> NDArray[np.int64]:
    drawn, good = _draws(seed, np.array([resample]), n, words)
    return drawn.ravel() if good is None else drawn[good]


def _draws(
    seed: np.uint64, resamples: NDArray[np.int64], n: int, words: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Return units drawn for resamples, two from each word, and which count; None if all do."""
    first = resamples.astype(np.uint64)[:, None] * np.uint64(n)
    bits = np.asarray(first + np.arange(1, words + 1, dtype=np.uint64), dtype=np.uint64)
    bits *= GOLDEN
    bits += np.array(seed)
    _mix(bits)
    products = np.empty((len(bits), 2 * words), dtype=np.uint64)
    np.right_shift(bits, np.uint64(32), out=products[:, 0::2])
    np.bitwise_and(bits, HALF, out=products[:, 1::2])
    products *= np.uint64(n)
    good = None if 2**32 % n == 0 else (products & HALF) >= np.uint64(2**32 % n)
    products >>= np.uint64(32)
    return products.view(np.int64), good


def _mix(z: NDArray[np.uint64]) -> None:
    """Do what `mixed` does, in place."""
    other = np.empty_like(z)
    for shift, factor in ((30, FIRST), (27, SECOND)):
        np.right_shift(z, np.uint64(shift), out=other)
        z ^= other
        z *= factor
    np.right_shift(z, np.uint64(31), out=other)
    z ^= other


def mixed(z: Any) -> Any:
    """Return the 64 random bits of a counter: SplitMix64 (Steele, Lea & Flood 2014)."""
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))
