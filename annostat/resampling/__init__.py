"""Randomness, the bootstrap, sums and their intervals, and what runs in parallel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.resampling.bootstraps import bootstrap, bootstrap_interval, bootstrap_sums
    from annostat.resampling.clusters import cluster_codes
    from annostat.resampling.generators import Rng, as_generator, seed_of, spawn
    from annostat.resampling.multiplicity import holm
    from annostat.resampling.parallel import Progress, map_parallel
    from annostat.resampling.sums import Sums

__all__ = [
    "Progress",
    "Rng",
    "Sums",
    "as_generator",
    "bootstrap",
    "bootstrap_interval",
    "bootstrap_sums",
    "cluster_codes",
    "holm",
    "map_parallel",
    "seed_of",
    "spawn",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Progress": "annostat.resampling.parallel",
        "Rng": "annostat.resampling.generators",
        "Sums": "annostat.resampling.sums",
        "as_generator": "annostat.resampling.generators",
        "bootstrap": "annostat.resampling.bootstraps",
        "bootstrap_interval": "annostat.resampling.bootstraps",
        "bootstrap_sums": "annostat.resampling.bootstraps",
        "cluster_codes": "annostat.resampling.clusters",
        "holm": "annostat.resampling.multiplicity",
        "map_parallel": "annostat.resampling.parallel",
        "seed_of": "annostat.resampling.generators",
        "spawn": "annostat.resampling.generators",
    },
)
