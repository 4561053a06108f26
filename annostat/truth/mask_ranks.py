"""Models of masks held against each other: by the Dice of each structure, and of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from annostat.arrays import FloatArray
from annostat.labels.masks import MaskRounds
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng
from annostat.results.estimates import Estimate
from annostat.results.text import plain
from annostat.truth.comparison import paired_differences
from annostat.truth.ranking import Ranking, rank_models

ALL = 0  # stands for the mean over structures; no structure has this label


@dataclass(frozen=True, slots=True)
class DiceDifference:
    """The difference of two models' Dice against one rater, on the items that both have.

    Attributes
    ----------
    label : int
        The structure; 0 for the mean over structures.
    first, second : str
    difference : Estimate
        First − second.
    p_value, p_adjusted : float or None
        Two-sided; for all pairs of the structure together.
    n_items : int
    """

    label: int
    first: str
    second: str
    difference: Estimate
    p_value: float | None
    p_adjusted: float | None
    n_items: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "label": self.label if self.label != ALL else None,
            "first": self.first,
            "second": self.second,
            "n_items": self.n_items,
            "difference": self.difference.to_dict(),
            "p_value": plain(self.p_value),
            "p_adjusted": plain(self.p_adjusted),
        }


def compare_dice(
    rounds: MaskRounds,
    losses: Mapping[int, Mapping[str, FloatArray]],
    *,
    level: float,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None = 1,
) -> list[DiceDifference]:
    """Return the differences of all pairs of models, of each structure and of their mean.

    Parameters
    ----------
    rounds : MaskRounds
        Patients are the units, where they are known.
    losses : mapping of label to mapping of model to float64 array of shape (n_items,)
        1 − Dice, the mean over raters; NaN where a model or a rater has no mask.
    n_resamples : int
        With 0 there are no intervals, and nothing is compared.
    """
    if not n_resamples:
        return []
    codes = cluster_codes(None if rounds.cluster is None else list(rounds.cluster))
    options: dict[str, Any] = {"level": level, "n_resamples": n_resamples, "rng": rng}
    tables = dict(losses)
    if len(losses) > 1:
        tables[ALL] = mean_over_structures(list(losses.values()))
    return [
        DiceDifference(label, d.first, d.second, d.difference, d.p_value, d.p_adjusted, d.n_items)
        for label, table in tables.items()
        for d in paired_differences(
            {name: 1 - loss for name, loss in table.items()},
            cluster=codes,
            n_jobs=n_jobs,
            **options,
        )
    ]


def mean_over_structures(tables: Sequence[Mapping[str, FloatArray]]) -> dict[str, FloatArray]:
    """Return a number for each item whose mean is the mean over structures of the mean losses.

    A structure that an item lacks adds nothing to it; NaN where it has none at all.
    """
    found = {}
    for name in tables[0]:
        loss = np.stack([table[name] for table in tables])
        there = np.isfinite(loss)
        some = there.any(axis=0)
        share = np.maximum(there.sum(axis=1), 1) / max(int(some.sum()), 1)
        mean = np.where(there, loss, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        each = np.where(there, (loss - mean[:, None]) / share[:, None], 0.0).mean(axis=0)
        found[name] = np.where(some, each + mean.mean(), np.nan)
    return found


def ranking_of_dice(
    dice: Mapping[str, Sequence[Estimate]],
    compared: Sequence[DiceDifference],
    *,
    label: int,
    level: float,
    left_out: Sequence[str] = (),
) -> Ranking:
    """Return the ranks of models by the Dice of a structure, or by the mean of several.

    Parameters
    ----------
    dice : mapping of name to sequence of Estimate
        Of the structures that count.
    compared : sequence of DiceDifference
    label : int
        The structure; 0 for the mean over structures.
    level : float
    left_out : sequence of str
        Models that are made of the raters' masks.
    """
    better = []
    for c in compared:
        if c.label == label and c.p_adjusted is not None and c.p_adjusted < 1 - level:
            pair = (c.first, c.second)
            better.append(pair if c.difference.value > 0 else pair[::-1])
    values = {}
    for name, several in dice.items():
        mean = float(np.mean([e.value for e in several]))
        alone = len(several) == 1
        note = "" if alone else "no interval: the mean of several structures"
        values[name] = several[0] if alone else Estimate(mean, None, None, "", note)
    what = "Dice" if label != ALL else "mean Dice over structures"
    return rank_models(
        values, better, what=what, level=level, higher_is_better=True, left_out=left_out
    )


__all__ = ["ALL", "DiceDifference", "compare_dice", "mean_over_structures", "ranking_of_dice"]
