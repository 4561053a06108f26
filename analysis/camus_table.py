"""Table 1: the students on CAMUS, by blocks and layers, and whether the table is consistent.

The paper's numbers are published ones. With ``--sweep FOLDER`` the same table of one's own students
(``python -m models.sweep``) stands beside it. What can be checked without the data: IoU = D/(2 − D)
is convex in D, so that a mean IoU cannot be below that function of the mean Dice of its frames.
One cell of the table is: B4 L3, whose 85.03 is probably a slip (its neighbours suggest 83 to 84).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis import paper
from analysis.common import new_figure, save
from annostat.datasets import scaling_points


def main(
    out: Path, *, seed: int = 0, quick: bool = False, sweep: Path | None = None
) -> dict[str, Any]:
    """Draw the table and check it."""
    published = scaling_points("camus")
    tables = {
        "mean IoU, paper": cells_of(published, "mean_iou"),
        "Dice, paper": cells_of(published, "dice"),
    }
    if sweep is not None:
        rows = tested_on_camus(pd.read_csv(sweep / "sweep.csv", keep_default_na=False))
        for name, column in (("mean IoU", "mean_iou"), ("Dice", "mean_dice")):
            tables[f"{name}, {sweep.name}"] = cells_of(rows, column)
    least = {k: d / (2 - d) for k, d in tables["Dice, paper"].items()}
    numbers = {
        "kind": "published numbers" + (", and a sweep" if sweep is not None else ""),
        "tables": {
            name: {f"B{b} L{layers}": v for (b, layers), v in sorted(cells.items())}
            for name, cells in tables.items()
        },
        "best": {name: "B{} L{}".format(*max(c, key=c.__getitem__)) for name, c in tables.items()},
        "cells_with_iou_below_what_dice_allows": [
            "B{} L{}".format(*k)
            for k, v in tables["mean IoU, paper"].items()
            if v < least[k] - 0.00005
        ],
        "simlvseg_dice": paper.SIMLVSEG_CAMUS_DICE,
    }
    figure, axes = new_figure(4.6 * len(tables), 4, len(tables))
    for ax, (name, cells) in zip(axes, tables.items(), strict=True):
        grid = np.full((4, 4), np.nan)
        for (blocks, layers), value in cells.items():
            grid[layers - 1, blocks - 1] = value
            ax.text(
                blocks - 1,
                layers - 1,
                f"{100 * value:.2f}",
                ha="center",
                va="center",
                color="white" if value < 0.75 else "black",
            )
        ax.imshow(grid, cmap="cividis", vmin=0.2, vmax=1.0)
        ax.set_xticks(range(4), [f"B{b}" for b in range(1, 5)])
        ax.set_yticks(range(4), [f"L{layers}" for layers in range(1, 5)])
        ax.set_title(f"{name} (%)")
    save(out, "camus_table", numbers, figure)
    return numbers


def tested_on_camus(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of CAMUS's clips, like with like, or else those of the first test clips."""
    camus = rows["tested_on"].str.contains("kind=camus", regex=False)
    return rows[camus if camus.any() else rows["tested_on"] == rows["tested_on"].iloc[0]]


def cells_of(table: pd.DataFrame, column: str) -> dict[tuple[int, int], float]:
    """Return a column by blocks and layers."""
    keys = zip(table["blocks"].astype(int), table["layers"].astype(int), strict=True)
    return dict(zip(keys, table[column].astype(float), strict=True))
