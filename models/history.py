"""Where a run stands, and what it has seen."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.network.settings import Train


@dataclass
class History:
    """Where a run stands.

    Attributes
    ----------
    epoch, batch : int
        Epochs that are done, and batches of the present one.
    loss : float
        Sum over the batches of the present epoch.
    rows : list of dict
        One for each whole epoch.
    spent : tuple of float
        Wall and CPU seconds of the present epoch before a restart.
    """

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    spent: tuple[float, float] = (0.0, 0.0)

    @property
    def best(self) -> int:
        """Epoch of the lowest validation loss, the first of equals; 0 before there is one."""
        losses = [row["valid_loss"] for row in self.rows]
        return 1 + int(np.argmin(losses)) if losses else 0

    def finished(self, train: Train) -> bool:
        """Return whether the last epoch is done, or the validation loss no longer falls."""
        return self.epoch >= train.epochs or self.epoch - self.best >= train.patience

    def add(self, row: dict[str, Any]) -> None:
        """Add a whole epoch; the next one begins."""
        self.rows.append(row)
        self.epoch, self.batch, self.loss, self.spent = self.epoch + 1, 0, 0.0, (0.0, 0.0)

    def total(self, name: str) -> float:
        """Return the sum of a column over all epochs."""
        return float(sum(row[name] for row in self.rows))

    def to_csv(self) -> str:
        """Return the epochs as CSV."""
        return as_csv(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for a checkpoint."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "loss": self.loss,
            "history": self.rows,
            "spent": list(self.spent),
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> History:
        """Take up what `to_dict` returned."""
        wall, cpu = state["spent"]
        return cls(state["epoch"], state["batch"], state["loss"], state["history"], (wall, cpu))


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return rows as CSV; a row that lacks a column is empty there."""
    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
