"""Scores of a student's masks, each beside what a perfect model could reach.

`score` compares predictions with the truth and, where there are annotators, with one of them, with
two of them, and with the bounds that these two alone predict. `human_rows` compares with what
people drew on real clips, and with the teachers' masks beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError, Estimate, Rounds, compare_noise
from annostat.ceilings import DiceCeiling, bounds, dice_ceiling
from annostat.labels import MaskRounds
from annostat.truth import score_models
from models.data.readings import Readings
from models.data.reference import HALF, truth_of
from models.data.store import Store
from models.means import mean_estimate
from models.overlap import METRICS, FloatArray, IntArray, count_pairs, overlap_of
from models.picks import Picks
from models.predictions import Predictions
from models.world.annotators import Annotations


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
        scores = overlap_of(np.concatenate([c[k] for c in found.counts]))
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
        scores = overlap_of(counts[mine])
        out[structure] = {
            m: mean_estimate(_means(scores[m], which.ravel()), frames[:, 0], share=True)
            for m in METRICS
        }
    return out


def drawn_errors(found: Predictions, structure: int = 0) -> FloatArray:
    """Return mean 1 − Dice with what people drew for each clip, NaN where nobody did."""
    errors = np.full(len(found.names), np.nan)
    if found.drawn is not None:
        mine = found.drawn.structure == structure
        scores = overlap_of(found.drawn.counts[mine])["dice"]
        clips, which = np.unique(found.drawn.clip[mine], return_inverse=True)
        errors[clips] = 1 - _means(scores, which)
    return errors


def human_rows(
    found: Predictions, structures: Sequence[str], store: Store, *, seed: int = 0
) -> list[Row]:
    """Return the scores on the frames that people drew on, the teachers' masks beside.

    With the ceiling of them, where several people drew on the same frames.
    """
    # Where people's labels are the targets there are no teachers beside.
    taught = human_overlaps(found, structures, teachers=True) if store.kind == "teachers" else {}
    rows = []
    for structure, values in human_overlaps(found, structures).items():
        ceiling = outline_ceiling(store, structure, seed=seed)
        for metric, value in values.items():
            row = Row(
                f"{METRICS[metric]} {structure}, outlined frames",
                human=value,
                teachers=taught.get(structure, {}).get(metric),
                bound=None if ceiling is None else getattr(ceiling, metric),
            )
            rows.append(row)
    return rows


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
    rows.append(pick_row(found.es, annotations.es, known.es, seed=seed))
    if found.ed is not None:
        rows.append(pick_row(found.ed, annotations.ed, known.ed, phase="ED", seed=seed))
    rows += value_rows(found.ef, annotations.ef, known.ef, seed=seed)
    return rows


def _overlaps(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Return Dice and IoU of each clip, the mean of its frames; arrays (n, frames, H, W)."""
    scores = overlap_of(count_pairs(a, b))
    return {m: scores[m].mean(axis=1) for m in METRICS}


def seen(rounds: Rounds) -> Rounds:
    """Return the items that anybody has annotated."""
    return rounds.take(np.flatnonzero(np.isfinite(rounds.values).any(axis=1)))


def pick_row(
    picks: FloatArray,
    rounds: Rounds,
    truth: Sequence[int] | None = None,
    *,
    phase: str = "ES",
    seed: int = 0,
) -> Row:
    """Return the distance of picked frames from the truth and from what two people picked.

    Parameters
    ----------
    picks : float64 array of shape (n,)
    rounds : Rounds
        Two people's picks of the same clips, NaN where there is none; the floor is made of them.
    truth : sequence of int, optional
    phase : {"ES", "ED"}
    seed : int
        Of the bootstraps.
    """
    noise = compare_noise(seen(rounds), n_tests=0, rng=seed)
    one, other = (np.abs(picks - rounds.values[:, r]) for r in (0, 1))
    options: dict[str, Any] = {"unit": "frames", "seed": seed}
    true = None if truth is None else mean_estimate(np.abs(picks - np.array(truth)), **options)
    both = mean_estimate((one + other) / 2, **options)
    return Row(f"aFD of {phase}", true, mean_estimate(one, **options), both, noise.mae)


def value_rows(
    ef: FloatArray, rounds: Rounds, truth: Sequence[float] | None = None, *, seed: int = 0
) -> list[Row]:
    """Return RMSE and bias of the ejection fraction, as `pick_row` does for frames."""
    read = rounds.values
    options: dict[str, Any] = {"unit": "points", "root": True, "seed": seed}
    one = mean_estimate((ef - read[:, 0]) ** 2, **options)
    floor = bounds(seen(rounds), rng=seed).rmse_floor
    gap = None if truth is None else ef - np.array(truth)
    known = None if gap is None else mean_estimate(gap**2, **options)
    rmse = Row("RMSE of EF", known, one, None, floor)
    kept = np.flatnonzero(np.isfinite(read).any(axis=1))
    if np.isfinite(ef[kept]).any():
        scored = score_models(rounds.take(kept), {"student": ef[kept]}, kind="values", rng=seed)
        model = scored.models[0]
        rmse = Row("RMSE of EF", known, one, model.rmse, floor, model.true_rmse)
    options = {"unit": "points", "signed": True, "seed": seed}
    bias = Row(
        "Bias of EF",
        None if gap is None else mean_estimate(gap, **options),
        mean_estimate(ef - read[:, 0], **options),
        mean_estimate(ef - read[:, :2].mean(axis=1), **options),
    )
    return [rmse, bias]


def read_rows(
    found: Predictions,
    facts: Sequence[dict[str, Any]],
    picks: Mapping[str, Picks | None],
    readings: Readings,
    *,
    seed: int = 0,
) -> list[Row]:
    """Return the scores of picked frames and ejection fractions against what people say of them.

    Parameters
    ----------
    found : Predictions
    facts : sequence of dict
        "ef" as listed, in percent; clips without one are left out.
    picks : dict of str to Picks or None
        Of "ES" and "ED", against the reference's frames.
    readings : Readings
        What several people read of the same clips: then with floors.
    seed : int
        Of the bootstraps.
    """
    rows = []
    for phase, ours in (("ES", found.es), ("ED", found.ed)):
        rounds, scored = readings.frames(phase), picks.get(phase)
        if rounds is not None and ours is not None:
            rows.append(pick_row(ours, rounds, phase=phase, seed=seed))
        elif scored is not None and "beat" in scored.scores:
            floor = readings.noise if phase == "ES" else None
            afd = scored.scores["beat"].afd
            rows.append(Row(f"aFD of {phase}", human=afd, bound=floor))
    if readings.ef is not None:
        return rows + value_rows(found.ef, readings.ef, seed=seed)
    listed = [f.get("ef") for f in facts]
    reference = np.array([np.nan if v is None else float(v) for v in listed])
    if np.isfinite(reference).any():
        gap = found.ef - reference
        options: dict[str, Any] = {"unit": "points", "seed": seed}
        rows.append(Row("RMSE of EF", human=mean_estimate(gap**2, root=True, **options)))
        rows.append(Row("Bias of EF", human=mean_estimate(gap, signed=True, **options)))
    return rows


def outline_ceiling(store: Store, structure: str, *, seed: int = 0) -> DiceCeiling | None:
    """Return what a perfect model scores against one person, from frames that two people drew on.

    None unless there are eight such clips. Of more than two people the first two count.
    """
    pairs, clips = [], []
    for k, outlines in enumerate(store.outlines):
        frames: dict[int, list[NDArray[np.bool_]]] = {}
        for o in outlines:
            if o.structure == structure:
                frames.setdefault(o.frame, []).append(o.mask >= HALF)
        for masks in frames.values():
            if len(masks) > 1:
                pairs.append(masks[:2])
                clips.append(k)
    if len(set(clips)) < 8:
        return None
    first, second = (np.stack(side) for side in zip(*pairs, strict=True))
    rounds = MaskRounds.from_arrays({"first": first, "second": second}, cluster=clips)
    return dice_ceiling(rounds, rng=seed)
