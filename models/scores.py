"""Scores of a student's masks, each beside what a perfect model could reach.

`score` compares predictions with the truth and, where there are annotators, with one of them, with
two of them, and with the bounds that these two alone predict. `human_rows` compares with what
people drew on real clips, and with the teachers' masks beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError, Estimate, compare_noise
from annostat.ceilings import bounds, dice_ceiling
from annostat.labels import MaskRounds
from annostat.masks import count_pairs, scores_of
from annostat.truth import score_models
from models.data.reference import truth_of
from models.data.store import Store
from models.means import mean_estimate
from models.picks import Picks
from models.predictions import FloatArray, IntArray, Predictions
from models.world.annotators import Annotations

METRICS = {"dice": "Dice", "iou": "IoU"}


@dataclass(frozen=True)
class Row:
    """One score: against the truth, one annotator, two of them, and the bound that they predict.

    `bound` is the score of a perfect model against one annotator: a floor of an error, a ceiling
    of an overlap. `estimated` is the score against the truth as the two annotators alone tell it.
    On real clips `human` is the score against what people drew or read, and `teachers` that
    against the masks which the student was taught with.
    """

    name: str
    truth: Estimate | None = None
    one: Estimate | None = None
    two: Estimate | None = None
    bound: Estimate | None = None
    estimated: Estimate | None = None
    human: Estimate | None = None
    teachers: Estimate | None = None


def overlaps(found: Predictions, structures: Sequence[str]) -> dict[str, dict[str, Estimate]]:
    """Return mean Dice and IoU over all frames of all clips, for each structure."""
    codes = np.repeat(np.arange(len(found.counts)), [c.shape[1] for c in found.counts])
    out = {}
    for k, structure in enumerate(structures):
        scores = scores_of(np.concatenate([c[k] for c in found.counts]), found.n_pixels, 1.0)
        out[structure] = {m: mean_estimate(scores[m], codes, share=True) for m in METRICS}
    return out


def overlap_rows(found: Predictions, structures: Sequence[str], kind: str) -> list[Row]:
    """Return what `overlaps` does as rows.

    `kind` is the store's: what its targets are tells in which column the scores stand.
    """
    if not found.counts:
        return []
    column = {"truth": "truth", "labels": "human", "teachers": "teachers"}[kind]
    return [
        Row(f"{METRICS[metric]} {structure}, all frames", **{column: value})
        for structure, values in overlaps(found, structures).items()
        for metric, value in values.items()
    ]


def human_overlaps(
    found: Predictions, structures: Sequence[str], *, teachers: bool = False
) -> dict[str, dict[str, Estimate]]:
    """Return mean Dice and IoU with what people drew, for each structure that they did.

    Several people's scores of a frame are averaged first, then frames; clips are resampled. With
    `teachers` the teachers' masks on the same frames are the reference.
    """
    drawn = found.drawn
    if drawn is None or (teachers and drawn.teachers is None):
        return {}
    counts = drawn.teachers if teachers and drawn.teachers is not None else drawn.counts
    out: dict[str, dict[str, Estimate]] = {}
    for k, structure in enumerate(structures):
        mine = drawn.structure == k
        if not mine.any():
            continue
        frames, which = np.unique(
            np.column_stack([drawn.clip, drawn.frame])[mine], axis=0, return_inverse=True
        )
        scores = scores_of(counts[mine], found.n_pixels, 1.0)
        out[structure] = {
            m: mean_estimate(_means(scores[m], which.ravel()), frames[:, 0], share=True)
            for m in METRICS
        }
    return out


def human_rows(found: Predictions, structures: Sequence[str]) -> list[Row]:
    """Return the scores on the frames that people drew on, the teachers' masks beside."""
    taught = human_overlaps(found, structures, teachers=True)
    return [
        Row(
            f"{METRICS[metric]} {structure}, outlined frames",
            human=value,
            teachers=taught.get(structure, {}).get(metric),
        )
        for structure, values in human_overlaps(found, structures).items()
        for metric, value in values.items()
    ]


def _means(values: FloatArray, group: IntArray) -> FloatArray:
    return np.asarray(np.bincount(group, values) / np.bincount(group))


def score(
    found: Predictions, store: Store, annotations: Annotations, *, seed: int = 0
) -> list[Row]:
    """Return the scores against truth and annotators, of phantom clips.

    Parameters
    ----------
    found : Predictions
        Of the clips of `store`, whose targets and facts are the truth.
    annotations : Annotations
        Two rounds; the bounds are predicted from them alone.
    seed : int
        Of the bootstraps.
    """
    if found.outlines is None or len(annotations.outlines) < 2:
        raise AnnostatError("scores need clips with labelled ED and ES, and two rounds of outlines")
    known = truth_of(store)
    first, second = annotations.outlines[:2]
    references = {"truth": known.outlines, "one": first, "other": second}
    dice = {name: _overlaps(found.outlines, masks) for name, masks in references.items()}
    n, size = len(known.outlines), known.outlines.shape[-2:]
    ceiling = dice_ceiling(
        MaskRounds.from_arrays(
            {"first": first.reshape(-1, *size), "second": second.reshape(-1, *size)},
            cluster=np.repeat(np.arange(n), 2).tolist(),
        ),
        rng=seed,
    )
    options: dict[str, Any] = {"share": True, "seed": seed}
    rows = [
        Row(
            f"{label} at ED and ES",
            mean_estimate(dice["truth"][metric], **options),
            mean_estimate(dice["one"][metric], **options),
            mean_estimate((dice["one"][metric] + dice["other"][metric]) / 2, **options),
            getattr(ceiling, metric),
        )
        for metric, label in METRICS.items()
    ]
    rows.append(_pick_row(found.es, known.es, annotations, seed))
    rows += _value_rows(found.ef, known.ef, annotations, seed)
    return rows


def _overlaps(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Return Dice and IoU of each clip, the mean of its frames; arrays (n, frames, H, W)."""
    n, t = a.shape[:2]
    ours, theirs = (
        np.ascontiguousarray(m.reshape(n * t, *m.shape[2:])).view(np.uint8) for m in (a, b)
    )
    scores = scores_of(count_pairs(ours, theirs, 1), a.shape[-1] * a.shape[-2], 1.0)
    return {m: scores[m].reshape(n, t).mean(axis=1) for m in METRICS}


def _pick_row(picks: FloatArray, truth: Sequence[int], annotations: Annotations, seed: int) -> Row:
    read = annotations.es.values
    noise = compare_noise(annotations.es, n_tests=0, rng=seed)
    one, other = (np.abs(picks - read[:, r]) for r in (0, 1))
    options: dict[str, Any] = {"unit": "frames", "seed": seed}
    return Row(
        "aFD of ES",
        mean_estimate(np.abs(picks - np.array(truth)), **options),
        mean_estimate(one, **options),
        mean_estimate((one + other) / 2, **options),
        noise.mae,
    )


def _value_rows(
    ef: FloatArray, truth: Sequence[float], annotations: Annotations, seed: int
) -> list[Row]:
    """Return RMSE and bias of the ejection fraction."""
    read = annotations.ef.values
    options: dict[str, Any] = {"unit": "points", "root": True, "seed": seed}
    one = mean_estimate((ef - read[:, 0]) ** 2, **options)
    floor = bounds(annotations.ef, rng=seed).rmse_floor
    known = mean_estimate((ef - np.array(truth)) ** 2, **options)
    rmse = Row("RMSE of EF", known, one, None, floor)
    if np.isfinite(ef).any():
        model = score_models(annotations.ef, {"student": ef}, kind="values", rng=seed).models[0]
        rmse = Row("RMSE of EF", known, one, model.rmse, floor, model.true_rmse)
    options = {"unit": "points", "signed": True, "seed": seed}
    bias = Row(
        "Bias of EF",
        mean_estimate(ef - np.array(truth), **options),
        mean_estimate(ef - read[:, 0], **options),
        mean_estimate(ef - read[:, :2].mean(axis=1), **options),
    )
    return [rmse, bias]


def read_rows(
    found: Predictions, facts: Sequence[dict[str, Any]], picks: Picks | None, *, seed: int = 0
) -> list[Row]:
    """Return the scores of picked frames and ejection fractions against what people say of them.

    Parameters
    ----------
    found : Predictions
    facts : sequence of dict
        "ef" as listed, in percent; clips without one are left out.
    picks : Picks or None
        Of the labelled frames.
    seed : int
        Of the bootstraps.
    """
    rows = []
    if picks is not None and "beat" in picks.scores:
        rows.append(Row("aFD of ES", human=picks.scores["beat"].afd))
    listed = [f.get("ef") for f in facts]
    reference = np.array([np.nan if v is None else float(v) for v in listed])
    if np.isfinite(reference).any():
        gap = found.ef - reference
        options: dict[str, Any] = {"unit": "points", "seed": seed}
        rows.append(Row("RMSE of EF", human=mean_estimate(gap**2, root=True, **options)))
        rows.append(Row("Bias of EF", human=mean_estimate(gap, signed=True, **options)))
    return rows
