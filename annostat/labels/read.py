"""What was read: the record that every result begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annostat.errors import printable, shown
from annostat.results.text import counted, hang

MOST_NAMES = 8


@dataclass(frozen=True)
class Read:
    """What was read from a table: file, items, rounds, models, clusters, strata, what was not used.

    Attributes
    ----------
    source : str
        Name of the file, or "a data frame".
    n_rows : int
        Items in the table.
    item : tuple of str
        Columns that name them; empty where rows are numbered.
    rounds, models : tuple of str
    cluster, stratum : str
        Columns, empty if there are none.
    n_clusters : int
    unused : tuple of str
        Columns that play no part.
    left_out : mapping of str to int
        How many items were left out, by the reason.
    notes : tuple of str
        What else there is to say: decimal commas, markers of missing values, tidied names.
    noun : str
        What a row is.
    """

    source: str
    n_rows: int
    item: tuple[str, ...] = ()
    rounds: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    cluster: str = ""
    n_clusters: int = 0
    stratum: str = ""
    unused: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    noun: str = "item"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "source": self.source,
            "n_rows": self.n_rows,
            "item": list(self.item),
            "rounds": list(self.rounds),
            "models": list(self.models),
            "cluster": self.cluster or None,
            "n_clusters": self.n_clusters or None,
            "stratum": self.stratum or None,
            "unused": list(self.unused),
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Return it as one paragraph."""
        named = f" ({', '.join(self.item)})" if self.item else ""
        if not named and self.noun == "item":
            named = " (rows, numbered)"
        parts = [f"{counted(self.n_rows, self.noun)}{named}"]
        if self.n_clusters:
            parts.append(f"{counted(self.n_clusters, 'cluster')} ({self.cluster})")
        if self.rounds:
            rounds = shown(self.rounds, MOST_NAMES)
            parts.append(f"{counted(len(self.rounds), 'round')} ({rounds})")
        if self.models:
            models = shown(self.models, MOST_NAMES)
            parts.append(f"{counted(len(self.models), 'model')} ({models})")
        if self.stratum:
            parts.append(f"one result for each {self.stratum}")
        text = f"{self.source}: {', '.join(parts)}."
        if self.left_out:
            left = "; ".join(f"{n:,} {why}" for why, n in self.left_out.items())
            text += f" Left out: {left}."
        if self.unused:
            text += f" Not used: {shown(self.unused, MOST_NAMES)}."
        return printable(" ".join([text, *self.notes]))

    def lines(self, width: int = 80) -> list[str]:
        """Return it as lines of a screen, the word "Read" in the gutter."""
        return hang("Read", str(self), width)
