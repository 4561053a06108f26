"""Randomness is an argument: seeds and generators, spawned per replicate."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from annostat.errors import AnnostatError

Rng: TypeAlias = np.random.Generator | int | None


def as_generator(rng: Rng) -> np.random.Generator:
    """Return a generator from a generator, a seed, or None for fresh entropy."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None or (
        isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0
    ):
        return np.random.default_rng(rng)
    raise AnnostatError(f"rng must be a numpy Generator, a seed >= 0 or None, got {rng!r}")


def seed_of(rng: Rng) -> int | None:
    """Return the seed for the provenance of a result, or None if there is none to tell."""
    return int(rng) if isinstance(rng, (int, np.integer)) else None


def spawn(rng: Rng, n: int) -> list[np.random.Generator]:
    """Return `n` independent generators, the same ones whoever uses them and in any order."""
    return list(as_generator(rng).spawn(n))
