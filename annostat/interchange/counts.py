"""Marks on each image, counted: of each reader and model, and those that two of them share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from annostat.arrays import FloatArray, IntArray
from annostat.errors import AnnostatError
from annostat.interchange.distances import Distance
from annostat.labels import Findings
from annostat.labels.matching import Rule


@dataclass(frozen=True, eq=False)
class Counts:
    """Marks on each image.

    Attributes
    ----------
    findings : Findings
        Those who are compared, models last; images that two readers saw.
    rule : Rule
    marks : int64 array of shape (n_images, k)
        Of each reader and model.
    both : int64 array of shape (n_images, k, k)
        Findings that two of them marked, each two matched alone; 0 for two models.
    """

    findings: Findings
    rule: Rule
    marks: IntArray
    both: IntArray

    def labels(self, j: int) -> IntArray:
        """Return one's labels: where the marks of each image stand, int64 of shape (n_images,)."""
        n, k = self.marks.shape
        return np.asarray(np.arange(n) * k + j, dtype=np.int64)

    def bound(self, distance: Distance) -> Distance:
        """Return a distance of counts as one of labels."""
        if distance.on_counts is None:
            raise AnnostatError(f"distance {distance.name!r} has no function of counts")
        k = self.marks.shape[1]
        of, weight = distance.on_counts, distance.counted_in

        def counts(a: IntArray, b: IntArray) -> tuple[IntArray, IntArray, IntArray]:
            return (
                self.marks.ravel()[a],
                self.marks.ravel()[b],
                self.both.reshape(-1, k)[a, b % k],
            )

        def between(a: IntArray, b: IntArray) -> FloatArray:
            return of(*counts(a, b))

        if weight is None:
            return replace(distance, between=between)
        total = weight

        def weights(a: IntArray, b: IntArray) -> FloatArray:
            return total(*counts(a, b))

        return replace(distance, between=between, weight=weights)
