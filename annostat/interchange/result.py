"""The result of an interchangeability study: models in an annotator's place, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from annostat.arrays import FloatArray
from annostat.interchange.distances import Distance
from annostat.interchange.habits import Habits
from annostat.interchange.places import QUANTITIES, Difference, ModelPlace
from annostat.interchange.taken import Taken
from annostat.interchange.words import Said
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Interchange(Said):
    """Models in an annotator's place.

    Attributes
    ----------
    models : tuple of ModelPlace
    among : Estimate
        What two annotators differ by.
    perfect : tuple of two floats or None
        Where the change of a perfect model lies.
    comparisons : tuple of Difference
    checks : tuple of Check
    provenance : Provenance
    distance : Distance
    readers : {"these", "sample"}
        Whom the numbers speak of: these annotators, or others of whom they are a sample.
    unit : str
        Of the distance.
    taken : Taken
        The labels and predictions that were compared.
    n_clusters : int or None
    by_item : mapping of str to float64 array of shape (n_items, 2)
        Of each model: mean distance to the annotators, and mean distance among these.
    level : float
    habits : Habits or None
        What readers' habits do to the changes, of masks whose readers draw larger and smaller.
    """

    title: ClassVar[str] = "In an annotator's place"

    models: tuple[ModelPlace, ...]
    among: Estimate
    perfect: tuple[float, float] | None
    comparisons: tuple[Difference, ...]
    checks: tuple[Check, ...]
    provenance: Provenance
    distance: Distance
    readers: str
    unit: str
    taken: Taken
    n_clusters: int | None
    by_item: dict[str, FloatArray]
    level: float
    habits: Habits | None = None

    @property
    def n_items(self) -> int:
        """Items with two labels or more."""
        return self.taken.columns.n_items

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.n_items,
            "n_clusters": self.n_clusters,
            "readers": list(self.taken.names),
            "speaks_of": self.readers,
            "distance": self.distance.name,
            "threshold": self.distance.threshold,
            "unit": self.unit,
            "notes": list(self.taken.notes),
            "answer": self.answer(),
            "quote": self.quote(),
            "among": self.among.to_dict(),
            "perfect": None if self.perfect is None else list(self.perfect),
            "models": [m.to_dict() for m in self.models],
            "habits": None if self.habits is None else self.habits.to_dict(),
            "comparisons": [c.to_dict() for c in self.comparisons],
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model and quantity."""
        import pandas as pd

        rows = [
            {"model": m.name, "quantity": q.key, **q.of(m).to_dict()}
            for m in self.models
            for q in QUANTITIES
        ]
        return pd.DataFrame(rows)

    def items(self) -> pd.DataFrame:
        """Return the items of every model, those first in which it departs most from the readers.

        Returns
        -------
        DataFrame
            model, item, cluster (if there is one), n_labels, to_readers and among (mean distances),
            change: their difference, whose mean is the model's.
        """
        import pandas as pd

        parts = []
        for model, pair in self.by_item.items():
            names = [self.taken.named(i) for i in range(len(pair))]
            part = pd.DataFrame({"model": model, "item": names})
            if self.taken.cluster is not None:
                part["cluster"] = self.taken.cluster
            part["n_labels"] = self.taken.columns.seen.sum(axis=1)
            part["to_readers"], part["among"] = pair.T
            part["change"] = pair[:, 0] - pair[:, 1]
            part = part[np.isfinite(pair[:, 0])]
            parts.append(part.sort_values("change", ascending=False, kind="stable"))
        return pd.concat(parts, ignore_index=True)
