"""Published numbers whose convention is open: one result for each reading."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from annostat.agreement.conventions import CONVENTIONS
from annostat.ceilings.floors import QUANTITIES, Bounds
from annostat.ceilings.words import known, with_unit
from annostat.errors import AnnostatError, check_count
from annostat.results.estimates import Estimate
from annostat.results.result import Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import plain

if TYPE_CHECKING:
    import pandas as pd

OPEN = "the convention is open: see the readings"


@dataclass(frozen=True)
class Readings(Result):
    """Every reading of published numbers; nothing is chosen.

    Attributes
    ----------
    readings : mapping of str to Bounds
        One result for each convention (`annostat.agreement.CONVENTIONS`).
    m : int
        Number of annotations that a label is the mean of.
    n_items : int or None
    unit : str
    provenance : Provenance
    """

    readings: Mapping[str, Bounds]
    m: int
    n_items: int | None
    unit: str
    provenance: Provenance

    def __getattr__(self, name: str) -> Any:
        if name in {q.key for q in QUANTITIES}:
            names = ", ".join(self.readings)
            raise AnnostatError(
                f"{name}: the convention of the published numbers is open; name it (convention), "
                f"or take one of the readings: {names}"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def against(self, m: int) -> Readings:
        """Return the readings against the mean of m annotations."""
        count = check_count("m", m, low=1)
        parts = {name: part.against(count) for name, part in self.readings.items()}
        return replace(self, m=count, readings=parts)

    def at(self, *, sd_of_labels: float) -> Readings:
        """Return the readings in a population whose labels have another SD; see `Bounds.at`.

        A reading in which the noise alone exceeds the labels is no reading there.
        """
        parts = {
            name: part.at(sd_of_labels=sd_of_labels)
            for name, part in self.readings.items()
            if not part.noise_sd.value >= sd_of_labels
        }
        return replace(self, readings=parts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: what depends on the convention is null above, and in `readings`."""
        nothing = {q.key: _nothing(q.unit == "labels", self.unit) for q in QUANTITIES}
        references = {q.key for q in QUANTITIES if q.role == "reference"}
        return {
            "n_items": self.n_items,
            "m": self.m,
            "unit": self.unit,
            **{key: value for key, value in nothing.items() if key not in references},
            "pair_mae": _nothing(True, self.unit),
            "mae_bracket": {},
            "references": {key: nothing[key] for key in nothing if key in references},
            "sd_of_labels": None,
            "icc": [],
            "checks": [],
            "provenance": self.provenance.to_dict(),
            "readings": [
                {
                    "convention": name,
                    "meaning": CONVENTIONS[name],
                    **{key: e.to_dict() for key, e in part.estimates().items()},
                    "sd_of_labels": plain(part.sd_of_labels.value),
                }
                for name, part in self.readings.items()
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per reading and estimate."""
        import pandas as pd

        parts = [
            part.to_frame().assign(convention=name)[["convention", *part.to_frame().columns]]
            for name, part in self.readings.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def answer(self) -> str:
        """Return how far the readings are apart."""
        floors = {n: b.rmse_floor for n, b in self.readings.items() if known(b.rmse_floor)}
        if not floors:
            return "What the published numbers are of is not said, and no reading has a floor."
        low, high = (f(floors.values(), key=lambda e: e.value) for f in (min, max))
        ends = f"{low.short()} to {with_unit(high.short(), self.unit)}"
        return (
            "What the published numbers are of is not said: a perfect model has an RMSE of "
            f"{ends}, by the reading."
        )

    def quote(self) -> str:
        """Return that there is no number to quote yet."""
        return "Nothing yet: ask what the numbers are of, and name their convention."

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        shown = [q for q in QUANTITIES if q.head]
        columns = ["if the number is"]
        for q in shown:
            columns += [q.head, "interval"] if q.ranged else [q.head]
        rows = []
        for name, part in self.readings.items():
            row = [name]
            for q in shown:
                found = q.of(part)
                row += [found.short(), found.range()] if q.ranged else [found.short()]
            rows.append([*row, part.sd_of_labels.short()])
        lines = [f"{name}: {CONVENTIONS[name]}" for name in self.readings]
        lines.append("Name the convention once you know it; nothing here tells which was meant.")
        title = "The convention is open: every reading of the published numbers"
        return [self.opening(), Section(title, (*columns, "implied SD of labels"), rows, lines)]


def _nothing(in_units: bool, unit: str) -> dict[str, Any]:
    return Estimate(math.nan, unit=unit if in_units else "", note=OPEN).to_dict()
