"""Scores of a student's masks, each beside what a perfect model could reach.

`predictions` runs the student once over whole clips; `score` compares what came out with the
truth and, where there are annotators, with one of them, with two of them, and with the bounds that
these two alone predict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError, Estimate, Interval, compare_noise
from annostat.cardiac import disc_volumes, ejection_fraction, pick_blind
from annostat.ceilings import bounds
from annostat.masks import MaskRounds, dice_ceiling
from annostat.masks.overlap import count_pairs, scores_of
from annostat.sums import Sums
from annostat.truth import score_models
from models.command import counter
from models.data.reference import HALF, truth_of
from models.data.store import Store
from models.network.predict import predict
from models.network.student import Student
from models.world.annotators import Annotations

FloatArray = NDArray[np.float64]
METRICS = {"dice": "Dice", "iou": "IoU"}


@dataclass(frozen=True)
class Predictions:
    """What a student says of the clips of a store.

    Attributes
    ----------
    names : list of str
    counts : list of int64 arrays of shape (structures, T, 3)
        Pixels in both, in the student's mask and in the target, of each frame.
    n_pixels : int
        Of one frame.
    outlines : bool array of shape (n, 2, H, W), or None
        The first structure at the labelled ED and ES; None if some clip has no labelled frames.
    es : float64 array of shape (n,)
        Picked frame of end-systole within the labelled beat; NaN where there is none.
    ef : float64 array of shape (n,)
        Ejection fraction in percent, of disc volumes at the student's own ED and ES; NaN where a
        mask is empty.
    """

    names: list[str]
    counts: list[NDArray[np.int64]]
    n_pixels: int
    outlines: NDArray[np.bool_] | None
    es: FloatArray
    ef: FloatArray

    def frame_errors(self, structure: int = 0) -> list[FloatArray]:
        """Return 1 − Dice of each frame, for each clip."""
        return [1 - scores_of(c[structure], self.n_pixels, 1.0)["dice"] for c in self.counts]


@dataclass(frozen=True)
class Row:
    """One score: against the truth, one annotator, two of them, and the bound that they predict.

    `bound` is the score of a perfect model against one annotator: a floor of an error, a ceiling
    of an overlap. `estimated` is the score against the truth as the two annotators alone tell it.
    """

    name: str
    truth: Estimate | None
    one: Estimate | None = None
    two: Estimate | None = None
    bound: Estimate | None = None
    estimated: Estimate | None = None


def predictions(
    student: Student, store: Store, *, pad: int = 0, how: str = "mirror", largest: bool = False,
    quiet: bool = True,
) -> Predictions:  # fmt: skip
    """Run a student over all clips of a store."""
    counts, outlines, es, ef = [], [], [], []
    with counter("Masks", len(store), quiet=quiet) as done:
        for k in range(len(store)):
            clip = store.clip(k)
            soft = predict(student, np.asarray(clip.frames), pad=pad, how=how, largest=largest)
            ours = np.ascontiguousarray((soft >= HALF).swapaxes(0, 1)).view(np.uint8)
            theirs = np.ascontiguousarray((clip.targets >= HALF).swapaxes(0, 1)).view(np.uint8)
            counts.append(np.stack([count_pairs(a, b, 1) for a, b in zip(ours, theirs)]))  # noqa: B905
            facts = clip.facts
            labelled = all(isinstance(facts.get(p), (int, float)) for p in ("ed", "es"))
            if labelled:
                frames = [int(facts["ed"]), int(facts["es"])]
                outlines.append(ours[0][frames].view(bool))
            found = beat_of(soft[:, 0], facts.get("beat"))
            es.append(found[0])
            ef.append(found[1])
            done(k + 1)
    size = store.frames.shape[1] * store.frames.shape[2]
    whole = np.stack(outlines) if len(outlines) == len(store) else None
    return Predictions(store.names, counts, size, whole, np.array(es), np.array(ef))


def beat_of(soft: NDArray[np.uint8], beat: Sequence[int] | None) -> tuple[float, float]:
    """Return end-systole and ejection fraction of one clip, from its soft masks (T, H, W).

    End-systole is the blind pick on the curve of expected areas (the sum of probabilities), within
    the labelled beat if there is one; end-diastole the frame of the largest area before it.
    """
    first, last = (0, len(soft)) if beat is None else (int(beat[0]), int(beat[1]))
    area = soft[first:last].sum(axis=(1, 2), dtype=np.float64) / 255
    pick = pick_blind(area) if len(area) >= 5 else None
    if pick is None:
        return math.nan, math.nan
    es = pick.frame
    ed = int(np.argmax(area[: es + 1]))
    volumes = disc_volumes(soft[first:last][[ed, es]] >= HALF)
    ef = float(ejection_fraction(volumes[:1], volumes[1:])[0]) if volumes[0] > 0 else math.nan
    return float(first + es), ef


def overlaps(found: Predictions, structures: Sequence[str]) -> dict[str, dict[str, Estimate]]:
    """Return mean Dice and IoU over all frames of all clips, for each structure."""
    codes = np.repeat(np.arange(len(found.counts)), [c.shape[1] for c in found.counts])
    out = {}
    for k, structure in enumerate(structures):
        scores = scores_of(np.concatenate([c[k] for c in found.counts]), found.n_pixels, 1.0)
        out[structure] = {m: mean_estimate(scores[m], codes, share=True) for m in METRICS}
    return out


def overlap_rows(found: Predictions, structures: Sequence[str]) -> list[Row]:
    """Return what `overlaps` does as rows."""
    return [
        Row(f"{METRICS[metric]} {structure}, all frames", value)
        for structure, values in overlaps(found, structures).items()
        for metric, value in values.items()
    ]


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
    truth = known.outlines
    first, second = annotations.outlines[:2]
    rows = []
    dice = {
        "truth": _overlaps(found.outlines, truth), "one": _overlaps(found.outlines, first),
        "other": _overlaps(found.outlines, second),
    }  # fmt: skip
    n, size = len(truth), truth.shape[-2:]
    ceiling = dice_ceiling(
        MaskRounds.from_arrays(
            {"first": first.reshape(-1, *size), "second": second.reshape(-1, *size)},
            cluster=np.repeat(np.arange(n), 2).tolist(),
        ),
        rng=seed,
    )
    for metric, label in METRICS.items():
        rows.append(
            Row(
                f"{label} at ED and ES",
                mean_estimate(dice["truth"][metric], share=True, seed=seed),
                mean_estimate(dice["one"][metric], share=True, seed=seed),
                mean_estimate(
                    (dice["one"][metric] + dice["other"][metric]) / 2, share=True, seed=seed
                ),
                getattr(ceiling, metric),
            )
        )
    rows.append(_pick_row(found.es, known.es, annotations, seed))
    rows.append(_value_row(found.ef, known.ef, annotations, seed))
    return rows


def mean_estimate(
    values: FloatArray, codes: NDArray[np.int64] | None = None, *, unit: str = "",
    share: bool = False, root: bool = False, seed: int = 0,
) -> Estimate:  # fmt: skip
    """Return a mean over clips with its bootstrap-t interval, NaN left out.

    The interval is made on the logarithm of the mean, or with `share` of 1 − the mean. `root`
    gives the root of the mean (of squares, say).
    """
    there = np.isfinite(values)
    kept = values[there]
    if not kept.size:
        return Estimate(math.nan, None, None, unit, "no clip has a value")
    codes = None if codes is None else np.unique(codes[there], return_inverse=True)[1]
    loss = 1 - kept if share else kept
    sums = Sums.of(np.column_stack([loss, np.ones(kept.size)]), codes)
    power = 0.5 if root else 1.0

    def back(x: float) -> float:
        return 1 - math.exp(x) if share else math.exp(x) ** power

    value = float(kept.mean()) ** power
    missing = int((~there).sum())
    note = f"{missing} of {values.size} have none and are left out" if missing else ""
    with np.errstate(divide="ignore", invalid="ignore"):
        limits = None
        if loss.sum() > 0:
            limits = sums.interval(
                lambda t: np.log(t[..., 0] / t[..., 1]), rng=seed, scale="the logarithm"
            )
        spread = sums.standard_error(lambda t: t[..., 0] / t[..., 1]) if sums.n_units > 1 else None
    if limits is not None:
        ends = sorted((back(limits.low), back(limits.high)))
        limits = Interval(*ends, limits.level, limits.method)
    if spread is not None and root:
        spread = spread / (2 * value) if value else None
    return Estimate(value, spread, limits, unit, note)


def _overlaps(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> dict[str, FloatArray]:
    """Return Dice and IoU of each clip, the mean of its frames; arrays (n, frames, H, W)."""
    n, t = a.shape[:2]
    flat = [np.ascontiguousarray(m.reshape(n * t, *m.shape[2:])).view(np.uint8) for m in (a, b)]
    scores = scores_of(count_pairs(*flat, 1), a.shape[-1] * a.shape[-2], 1.0)
    return {m: scores[m].reshape(n, t).mean(axis=1) for m in METRICS}


def _pick_row(picks: FloatArray, truth: Sequence[int], annotations: Annotations, seed: int) -> Row:
    read = annotations.es.values
    noise = compare_noise(annotations.es, n_tests=0, rng=seed)
    one, other = (np.abs(picks - read[:, r]) for r in (0, 1))
    unit = "frames"
    return Row(
        "aFD of ES",
        mean_estimate(np.abs(picks - np.array(truth)), unit=unit, seed=seed),
        mean_estimate(one, unit=unit, seed=seed),
        mean_estimate((one + other) / 2, unit=unit, seed=seed),
        noise.mae,
    )


def _value_row(ef: FloatArray, truth: Sequence[float], annotations: Annotations, seed: int) -> Row:
    read = annotations.ef.values
    options: dict[str, Any] = {"unit": "points", "root": True, "seed": seed}
    one = mean_estimate((ef - read[:, 0]) ** 2, **options)
    floor = bounds(annotations.ef, rng=seed).rmse_floor
    name, known = "RMSE of EF", mean_estimate((ef - np.array(truth)) ** 2, **options)
    if not np.isfinite(ef).any():
        return Row(name, known, one, None, floor)
    model = score_models(annotations.ef, {"student": ef}, kind="values", rng=seed).models[0]
    return Row(name, known, one, model.rmse, floor, model.true_rmse)
