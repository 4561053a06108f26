"""Figures 5 and 6: how scores scale with the size of the student, and where that ends.

The paper fits straight lines in log-log, sees a limit around one million parameters, and reads the
slopes as inverse dimensions. Here: the same lines on the points that are public (Dice on
EchoNet-Dynamic, digitised; mean IoU and Dice on CAMUS, table 1), and beside them laws that know a
floor. aFD and EchoCLIP scores are published as slopes only; their standard errors are not, so that
dimensions are given for an assumed one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis import paper
from analysis.common import new_figure, save
from annostat.datasets import scaling_points
from annostat.plotting import plot_scaling
from annostat.scaling import (
    LOSS_KINDS,
    ScalingComparison,
    compare_scaling_table,
    dimension_from_slope,
)

SLOPE_SE_ASSUMED = 0.02
SERIES = {  # title: points, column
    "EchoNet-Dynamic, Dice (digitised)": ("echodfkd", "dice"),
    "CAMUS, Dice (table 1)": ("camus", "dice"),
    "CAMUS, mean IoU (table 1)": ("camus", "mean_iou"),
}


def describe(found: ScalingComparison) -> dict[str, Any]:
    """Return the numbers of one series."""
    hinge = next((fit.hinge for fit in found.fits if fit.name == "hinge"), None)
    inside = (
        None
        if hinge is None or hinge.interval is None
        else (paper.LIMIT_PARAMETERS in hinge.interval)
    )
    return found.to_dict() | {"one_million_in_the_interval_of_the_hinge": inside}


def main(out: Path, *, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Fit all laws to every public series and turn the published slopes into dimensions."""
    numbers: dict[str, Any] = {"kind": "published numbers, some digitised", "series": {}}
    figure, axes = new_figure(15, 4.6, 3)
    for ax, (name, (points, column)) in zip(axes, SERIES.items(), strict=True):
        [found] = compare_scaling_table(
            scaling_points(points),
            size="parameters",
            score=column,
            higher_is_better=True,
            loss_kind="first-order",
        ).values()
        numbers["series"][name] = describe(found)
        plot_scaling(found, ax=ax)
        ax.set_title(f"{name}\nnaive slope {found.log_slope.short()} ({found.log_slope.range()})")
    numbers["published_slopes"] = {
        data: {
            score: {
                "slope": slope,
                "slope_se_assumed": SLOPE_SE_ASSUMED,
                "dimension": {
                    kind: dimension_from_slope(slope, SLOPE_SE_ASSUMED, loss_kind=kind).to_dict()
                    for kind in LOSS_KINDS
                },
            }
            for score, slope in slopes.items()
        }
        for data, slopes in paper.SLOPES.items()
    }
    save(out, "scaling_laws", numbers, figure)
    return numbers
