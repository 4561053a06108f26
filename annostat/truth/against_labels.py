"""Bland and Altman's analysis of a model against every label, made where somebody asks for it.

Figures, reports and JSON show it, the text of `score` does not: of 100,000 items it would be a
quarter of the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from annostat.agreement import BlandAltman, bland_altman
from annostat.arrays import FloatArray
from annostat.labels.rounds import Rounds
from annostat.resampling.generators import Rng


@dataclass(frozen=True, eq=False, repr=False)
class AgainstLabels:
    """A model's predictions beside the labels of its items, clusters of which may be given."""

    rounds: Rounds
    name: str
    f: FloatArray
    codes: NDArray[np.int64] | None
    level: float
    n_resamples: int
    rng: Rng
    n_jobs: int | None

    def __post_init__(self) -> None:
        if not isinstance(self.rng, int):
            _ = self.agreement  # the draws of a generator hang on when they are made

    @cached_property
    def agreement(self) -> BlandAltman | None:
        """Model − label of every label, those of one item (or cluster) belonging together."""
        z = self.rounds.values
        k = z.shape[1]
        pairs = np.column_stack([z.ravel(), np.repeat(self.f, k)])
        seen = np.isfinite(pairs[:, 0]) & np.isfinite(pairs[:, 1])
        there = np.isfinite(self.f)
        units = np.flatnonzero(there) if self.codes is None else np.unique(self.codes[there])
        if units.size < 3:
            return None
        names = ("label", self.name if self.name != "label" else "model")
        codes = np.arange(len(self.f)) if self.codes is None else self.codes
        both = Rounds(pairs[seen], names, cluster=np.repeat(codes, k)[seen], unit=self.rounds.unit)
        return bland_altman(
            both,
            level=self.level,
            n_resamples=self.n_resamples,
            rng=self.rng,
            n_jobs=self.n_jobs,
        )
