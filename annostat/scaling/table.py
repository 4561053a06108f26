"""Series of scores from a table: several metrics as columns, or as groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from annostat.errors import AnnostatError, check_column
from annostat.labels.columns import RowNames, as_labels, as_numbers
from annostat.results.estimates import Estimate
from annostat.results.text import counted
from annostat.scaling.compare import ScalingComparison, compare_scaling

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare_scaling_table"]


def compare_scaling_table(
    frame: pd.DataFrame,
    *,
    size: str,
    score: str | Sequence[str],
    group: str | None = None,
    weight: str | None = None,
    higher_is_better: bool = False,
    floor: float | Estimate | None = None,
    floor_se: float | None = None,
    laws: Sequence[str] | None = None,
    robust: bool = False,
    loss_kind: str = "quadratic",
    at: ArrayLike = (),
    level: float = 0.95,
) -> dict[str, ScalingComparison]:
    """Compare scaling laws on every series of a table.

    Parameters
    ----------
    frame : DataFrame
        One row per trained model (wide: one column per metric), or per model and metric (long).
    size : str
        Column of the sizes.
    score : str or sequence of str
        Column of the scores, or columns: each is a series.
    group : str, optional
        Column whose values are series of their own: a metric of a long table, a regime.
    weight : str, optional
        Column of precisions.
    higher_is_better, floor, floor_se, laws, robust, loss_kind, at, level
        As in `compare_scaling`.

    Returns
    -------
    dict of str to ScalingComparison
        One entry "" for a single series without a group; else the group, the score, or
        "group, score".

    Raises
    ------
    AnnostatError
        If a column is not there, or a size or score is missing or no number.

    Examples
    --------
    >>> from annostat.datasets import scaling_points
    >>> from annostat.scaling import compare_scaling_table
    >>> found = compare_scaling_table(
    ...     scaling_points("camus"), size="parameters", score=["dice", "mean_iou"],
    ...     higher_is_better=True, robust=True,
    ... )
    >>> {name: result.best.name for name, result in found.items()}
    {'dice': 'power_floor', 'mean_iou': 'power_floor'}
    """
    frame = frame.rename(columns=str)
    columns = list(frame.columns)
    scores = [score] if isinstance(score, str) else list(score)
    if not scores:
        raise AnnostatError("score must name at least one column")
    if len(set(scores)) != len(scores):
        raise AnnostatError(f"score names a column twice: {', '.join(scores)}")
    for name, column in (("size", size), ("group", group), ("weight", weight)):
        if column is not None:
            check_column(name, column, columns)
    for column in scores:
        check_column("score", column, columns)
    if frame.empty:
        raise AnnostatError("the table has no rows")
    rows = RowNames(np.arange(len(frame)))
    numbers = {}
    for column in (size, *scores, *([weight] if weight else [])):
        numbers[column] = as_numbers(frame[column], column, rows)
        missing = np.flatnonzero(np.isnan(numbers[column]))
        if missing.size:
            raise AnnostatError(
                f"column {column!r} is empty in {counted(missing.size, 'row')}; "
                f"first: {rows[missing[0]]} (leave such rows out)"
            )
    labels = (
        None
        if group is None
        else as_labels(
            frame[group], group, np.array([rows[i] for i in range(len(frame))], dtype=object)
        )
    )
    found = {}
    for name in [""] if labels is None else sorted(set(labels)):
        keep = np.ones(len(frame), dtype=bool) if labels is None else labels == name
        for column in scores:
            key = ", ".join(([name] if name else []) + ([column] if len(scores) > 1 else []))
            try:
                found[key] = compare_scaling(
                    numbers[size][keep],
                    numbers[column][keep],
                    weights=None if weight is None else numbers[weight][keep],
                    size_name=size,
                    score_name=column,
                    higher_is_better=higher_is_better,
                    floor=floor,
                    floor_se=floor_se,
                    laws=laws,
                    robust=robust,
                    loss_kind=loss_kind,
                    at=at,
                    level=level,
                )
            except AnnostatError as error:
                raise AnnostatError(f"{key}: {error}" if key else str(error)) from None
    return found
