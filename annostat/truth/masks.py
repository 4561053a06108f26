"""Everything about one set of masks: raters with each other, the ceiling, STAPLE, models."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.ceilings.habits import BRACKET, mask_habits
from annostat.ceilings.ladder import complement
from annostat.ceilings.masks import DiceCeiling, dice_ceiling
from annostat.ceilings.outlines import slice_axis
from annostat.consensus.staple_masks import staple
from annostat.errors import AnnostatError, check_level
from annostat.labels.mask_arrays import check_spacing
from annostat.labels.masks import MaskRounds, as_mask_rounds
from annostat.masks.counts import chunks_of, counts_of
from annostat.masks.scores import overlap_of
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.parallel import map_parallel
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance
from annostat.truth.mask_ranks import compare_dice
from annostat.truth.mask_result import MaskComparison, MaskScore
from annostat.truth.mask_verdicts import MaskVerdict, mask_verdict

METRICS = ("dice", "iou", "surface_distance", "hausdorff_95")


def compare_masks(
    rounds: MaskRounds | Mapping[str, Any] | Sequence[Any],
    *,
    models: MaskRounds | Mapping[str, Any] | None = None,
    surface: bool = True,
    region: str = "box",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Callable[[int, int], None] | None = None,
) -> MaskComparison:
    """Compare raters with each other, estimate the ceiling and STAPLE, and place models.

    Parameters
    ----------
    rounds : MaskRounds, mapping of rater to array, or list of arrays
        Two or more raters.
    models : MaskRounds, or mapping of name to array of shape (N, H, W), optional
        Masks of the same items by models that have not seen these masks.
    surface : bool
        Whether to measure distances of the outlines.
    region : {"box", "all"}
        For STAPLE.
    level, n_resamples, rng, n_jobs, progress
        As everywhere.

    Returns
    -------
    MaskComparison
        A model's Dice is the mean over raters of the mean over the items of the ceiling; the
        interval of its gap to the ceiling is the jackknife's, widened by what the raters leave
        open about the law of the noise (bootstrap-t where habits cannot be told). A gap accuses
        nobody: whether a model is made of the raters' masks is the question of `MaskVerdict`.

    Raises
    ------
    AnnostatError
        If there is one rater only, two raters share no item, or models are of other items.

    Examples
    --------
    >>> from annostat.simulate import simulate_masks
    >>> rounds, truth = simulate_masks(30, 3, noise_px=2.0, rng=1)
    >>> result = compare_masks(rounds, models={"perfect": truth}, n_resamples=200)
    >>> abs(result.models[0].gap.value) < 0.01
    True
    """
    level, rounds = check_level(level), as_mask_rounds(rounds)
    if rounds.n_raters < 2:
        raise AnnostatError(
            f"masks must come from two or more raters, got {rounds.n_raters} "
            f"({', '.join(rounds.names)})"
        )
    options: dict[str, Any] = {"level": level, "n_resamples": n_resamples, "rng": rng}
    predicted = None if models is None else _models(rounds, models)
    ceilings = {
        label: dice_ceiling(rounds, label=label, n_jobs=n_jobs, progress=progress, **options)
        for label in rounds.labels
    }
    pairs = {}
    for a, b in itertools.combinations(range(rounds.n_raters), 2):
        both = np.flatnonzero(rounds.drawn[a] & rounds.drawn[b])
        if not both.size:
            continue
        sizes = check_spacing(
            None if rounds.spacing is None else rounds.spacing[both],
            rounds.values.ndim - 2,
            both.size,
        )
        pairs[rounds.names[a], rounds.names[b]] = overlap_of(
            rounds.values[a, both],
            rounds.values[b, both],
            labels=rounds.labels,
            pixel=sizes if surface else None,
            unit=rounds.spacing_unit,
            clips=None,
            units=cluster_codes(None if rounds.cluster is None else list(rounds.cluster[both])),
            empty=1.0,
            n_jobs=n_jobs,
            **options,
        )
    quality = staple(rounds, region=region, level=level, n_jobs=n_jobs)
    scores: list[MaskScore] = []
    losses: dict[int, dict[str, FloatArray]] = {label: {} for label in rounds.labels}
    for m in range(predicted.n_raters if predicted is not None else 0):
        for label in rounds.labels:
            if predicted is not None:
                score, loss = _score(
                    rounds, predicted, m, ceilings[label], n_jobs=n_jobs, **options
                )
                scores.append(score)
                losses[label][score.name] = loss
    compared = compare_dice(rounds, losses, n_jobs=n_jobs, **options)
    return MaskComparison(
        rounds,
        pairs,
        ceilings,
        quality,
        tuple(scores),
        tuple(compared),
        Provenance(
            __version__,
            rounds.digest(),
            rounds.n_items,
            seed_of(rng),
            {"region": region, "level": level, "n_resamples": n_resamples, "surface": surface},
        ),
    )


def _labels(rounds: MaskRounds) -> list[int] | None:
    return None if rounds.labels == (1,) else list(rounds.labels)


def _models(rounds: MaskRounds, models: MaskRounds | Mapping[str, Any]) -> MaskRounds:
    if not isinstance(models, MaskRounds):
        models = MaskRounds.from_arrays(models, labels=_labels(rounds), items=list(rounds.items))
    if models.labels != rounds.labels:
        raise AnnostatError(
            f"models have the labels {models.labels}, the raters {rounds.labels}; they must agree"
        )
    if models.values.shape[1:] != rounds.values.shape[1:] or (models.items != rounds.items).any():
        raise AnnostatError(
            f"models must have masks of the same items, got shape {models.values.shape[1:]} for "
            f"{rounds.values.shape[1:]}; resample or leave items out"
        )
    return models


def _score(
    rounds: MaskRounds,
    models: MaskRounds,
    m: int,
    ceiling: DiceCeiling,
    *,
    level: float,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None,
) -> tuple[MaskScore, FloatArray]:
    """Return how a model does against single raters on the items of the ceiling, and by item."""
    name, label = models.names[m], ceiling.label
    place = rounds.labels.index(label) + 1
    kept = models.drawn[m, ceiling.items]
    items = ceiling.items[kept]
    if not items.size:
        raise AnnostatError(f"model {name!r} has no mask of the items that the raters drew")
    n_pixels = int(np.prod(rounds.values.shape[2:]))
    tasks = [
        (models.values[m, items[c]], rounds.values[:, items[c]])
        for c in chunks_of(items.size, n_pixels)
    ]
    parts = map_parallel(lambda task: counts_of(*task, place), tasks, n_jobs=n_jobs)
    counts = np.concatenate(parts, axis=1).astype(np.float64)
    there = rounds.drawn[:, items]
    sizes = counts[..., 1] + counts[..., 2]
    # The raters' masks are not empty on these items, so that the sizes are positive.
    loss = np.where(there, 1 - 2 * counts[..., 0] / np.where(there, sizes, 1), 0.0)
    mean_loss = loss.sum(axis=0) / there.sum(axis=0)
    mean_iou = np.where(there, (1 - loss) / (1 + loss), 0).sum(axis=0) / there.sum(axis=0)
    by_rater = {
        who: float(1 - loss[r].sum() / there[r].sum()) if there[r].any() else math.nan
        for r, who in enumerate(rounds.names)
    }
    options: dict[str, Any] = {"level": level, "n_resamples": n_resamples, "rng": rng}
    units = cluster_codes(None if rounds.cluster is None else list(rounds.cluster[items]))
    own = Sums.of(np.column_stack([np.ones(items.size), mean_loss, mean_iou]), units)
    dice = complement(own, lambda t: np.log(t[..., 1] / t[..., 0]), **options)
    iou = complement(own, lambda t: np.log(1 - t[..., 2] / t[..., 0]), **options)
    complete = there.all(axis=0) & (counts[0, :, 1] > 0)
    verdict = None
    if complete.any():
        verdict = mask_verdict(
            rounds.values[:, items[complete]],
            models.values[m, items[complete]],
            rounds.names,
            cluster_codes(
                None if rounds.cluster is None else list(rounds.cluster[items[complete]])
            ),
            place=place,
            axis=slice_axis(rounds.values.ndim - 2, rounds.spacing),
            level=level,
            n_jobs=n_jobs,
        )
    habits = ceiling.habits
    if habits is not None and not np.array_equal(items[complete], habits.items):
        codes = cluster_codes(None if rounds.cluster is None else list(rounds.cluster))
        habits = mask_habits(rounds, place, items[complete], codes, level=level, n_jobs=n_jobs)
    if habits is not None:
        gap = habits.sums.gap(mean_loss[complete], level)  # of outlines, where the model has one
    else:
        gap = _gap(ceiling, kept, mean_loss, rounds, items, **options)
    check = _verdict(name, ceiling, dice, gap, verdict)
    each = np.full(rounds.n_items, np.nan)
    each[items] = mean_loss
    return MaskScore(name, label, dice, iou, gap, by_rater, check, verdict), each


def _gap(
    ceiling: DiceCeiling,
    kept: NDArray[np.bool_],
    loss: FloatArray,
    rounds: MaskRounds,
    items: NDArray[np.int64],
    *,
    level: float,
    n_resamples: int,
    rng: Rng,
) -> Estimate:
    """Return ceiling − model with both resampled together."""
    units = cluster_codes(None if rounds.cluster is None else list(rounds.cluster[items]))
    columns = ceiling.columns[kept]
    p = columns.shape[1]
    sums = Sums.of(np.column_stack([columns, loss]), units)

    def difference(t: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(t[..., p] / t[..., 0] - np.exp(ceiling.log_loss(t[..., :p])))

    value = sums.value(difference)
    if not math.isfinite(value):
        return Estimate(math.nan, None, None, "", "undefined: so is the ceiling")
    error = sums.standard_error(difference)
    found = None
    if n_resamples and sums.n_units > 1:
        found = sums.interval(
            difference, level=level, n_resamples=n_resamples, rng=rng, scale="the difference"
        )
    if found is None:
        return Estimate(value, None, None, "", "no interval: it takes two items that differ")
    if not ceiling.sees_the_law:
        found = _widened(found, ceiling, value)
    return Estimate(value, error, found)


def _widened(found: Interval, ceiling: DiceCeiling, value: float) -> Interval:
    """Return an interval widened by what two or three raters leave open about the noise."""
    loss = 1 - ceiling.pair.value
    least, most = (1 - ceiling.dice.value - loss * share for share in BRACKET)
    return Interval(
        found.low + min(most, 0.0),
        found.high + max(least, 0.0),
        found.level,
        f"{found.method}, widened by the bracket of two raters",
    )


def _verdict(
    name: str, ceiling: DiceCeiling, dice: Estimate, gap: Estimate, verdict: MaskVerdict | None
) -> Check:
    key = f"model_{name}" + (f"_{ceiling.label}" if ceiling.label != 1 else "")
    found = None if verdict is None else verdict.check(name, key)
    if found is not None:
        return found
    if gap.interval is None:
        return Check(key, None, f"{name}: whether it is at the ceiling cannot be told.")
    room = f"{gap.short()} ({gap.range()})"
    leans = "" if verdict is None else verdict.leaning(name)
    if gap.interval.high < 0:
        text = (
            f"{name} scores above a perfect model ({dice.short()} against "
            f"{ceiling.dice.short()}), which noise of other laws than assumed can bring about"
        )
        if verdict is None:
            text += ", as can masks that it has seen"
        else:
            text += "; its errors do not go together with those of the raters"
        return Check(key, None, f"{text}.{leans}", gap.value)
    if gap.interval.low > 0:
        text = f"{name} is below the ceiling by {room} in Dice: a better model can still gain that."
        return Check(key, True, text + leans, gap.value)
    text = (
        f"{name} cannot be told from a perfect model: the ceiling is higher by {room} in Dice. "
        "No better model could show it on these masks."
    )
    return Check(key, True, text + leans, gap.value)


__all__ = ["MaskComparison", "MaskScore", "compare_masks"]
