"""Everything about one set of masks: raters with each other, the ceiling, STAPLE, models."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.ceilings.ladder import complement
from annostat.ceilings.masks import BRACKET, DiceCeiling, dice_ceiling
from annostat.consensus.staple_masks import Staple, staple
from annostat.errors import AnnostatError, check_level, shown
from annostat.labels.masks import MaskRounds, as_mask_rounds
from annostat.masks.scores import Overlap, count_pairs, overlap
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.sums import Sums
from annostat.results.cite import TOOL, Cited, ci, methods_of
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section, told_failed
from annostat.results.sections import Section
from annostat.results.text import counted, percent, plain

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("dice", "iou", "surface_distance", "hausdorff_95")


@dataclass(frozen=True)
class MaskScore:
    """A model's masks against single raters, and against the ceiling.

    Attributes
    ----------
    name : str
    label : int
    dice, iou : Estimate
        Mean over raters and items of the ceiling.
    gap : Estimate
        Ceiling − model, in Dice: what a better model could still gain.
    by_rater : mapping of str to float
        Mean Dice against each rater.
    check : Check
    """

    name: str
    label: int
    dice: Estimate
    iou: Estimate
    gap: Estimate
    by_rater: Mapping[str, float]
    check: Check

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "model": self.name,
            "label": self.label,
            "dice": self.dice.to_dict(),
            "iou": self.iou.to_dict(),
            "gap_to_ceiling": self.gap.to_dict(),
            "dice_by_rater": plain(dict(self.by_rater)),
            "check": self.check.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class MaskComparison(Result):
    """What the masks of several raters, and of models, say.

    Attributes
    ----------
    rounds : MaskRounds
    pairs : dict of (str, str) to Overlap
        Each rater (first) against each later one, on the items of both.
    ceilings : dict of int to DiceCeiling
        By label.
    quality : Staple
    models : tuple of MaskScore
    """

    rounds: MaskRounds
    pairs: dict[tuple[str, str], Overlap]
    ceilings: dict[int, DiceCeiling]
    quality: Staple
    models: tuple[MaskScore, ...]
    provenance: Provenance

    @property
    def checks(self) -> tuple[Check, ...]:
        """Of the ceilings, of STAPLE and of the models."""
        found = [c for ceiling in self.ceilings.values() for c in ceiling.checks]
        return (*found, *(score.check for score in self.models), *self.quality.checks)

    def disputed(self, n: int | None = None) -> pd.DataFrame:
        """Return the items on which raters overlap least, worst first: item, cluster, dice."""
        import pandas as pd

        dice = np.min([c.pair_dice for c in self.ceilings.values()], axis=0)
        order = np.argsort(dice, kind="stable")
        order = order[np.isfinite(dice[order])][:n]
        table = pd.DataFrame({"item": self.rounds.items[order]})
        if self.rounds.cluster is not None:
            table["cluster"] = self.rounds.cluster[order]
        return table.assign(n_raters=self.rounds.drawn[:, order].sum(axis=0), dice=dice[order])

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pair of raters, label and metric."""
        import pandas as pd

        rows = [
            {"rater_a": a, "rater_b": b, "label": label, "metric": metric, **estimate.to_dict()}
            for (a, b), found in self.pairs.items()
            for (label, metric, how), estimate in found.summary.items()
            if how == "mean"
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        out = {
            "read": list(self.rounds.notes),
            "n_items": self.rounds.n_items,
            "raters": list(self.rounds.names),
            "labels": list(self.rounds.labels),
            "pairs": [
                {"rater_a": a, "rater_b": b, **found.to_dict()}
                for (a, b), found in self.pairs.items()
            ],
            "ceiling": [ceiling.to_dict() for ceiling in self.ceilings.values()],
            "staple": self.quality.to_dict(),
            "models": [score.to_dict() for score in self.models],
            "most_disputed": self.disputed(20).to_dict("records"),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }
        whole: dict[str, Any] = plain(out)
        return whole

    def answer(self) -> str:
        """Return the ceiling of each structure, and which models are below it."""
        tops = [f"{ceiling.dice.short()}{self._of(k)}" for k, ceiling in self.ceilings.items()]
        text = (
            f"Against one rater, a perfect model has a mean Dice of {', '.join(tops)}: on average, "
            "no model can show more."
        )
        below = [f"{m.name}{self._of(m.label)}" for m in self.models if (m.gap.low or 0.0) > 0]
        rest = [f"{m.name}{self._of(m.label)}" for m in self.models if not (m.gap.low or 0.0) > 0]
        if below:
            text += f" Below the ceiling: {shown(below, 6)}."
        if rest:
            text += f" Not told from a perfect model: {shown(rest, 6)}."
        return text

    def quote(self) -> str:
        """Return the ceiling of each structure with its interval, and what two raters have."""
        told = []
        for i, (label, ceiling) in enumerate(self.ceilings.items()):
            e, level = ceiling.dice, ""
            if e.interval is not None and not i:
                level = f"{percent(e.interval.level)} "
            held = "no interval" if e.interval is None else f"{level}{e.range()}"
            told.append(f"{e.short()} ({held}){self._of(label)}, two raters {ceiling.pair.short()}")
        return f"Ceiling of Dice against one rater {'; '.join(told)}."

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        r = self.rounds
        ways = methods_of([c.dice for c in self.ceilings.values()])
        tops = [f"{ci(c.dice)}{self._of(label)}" for label, c in self.ceilings.items()]
        results = f"The ceiling of Dice against one rater was {' and '.join(tops)}."
        if gaps := [f"{ci(m.gap)} for `{m.name}`{self._of(m.label)}" for m in self.models]:
            results += f" The distance from it was {', '.join(gaps)}."
        return Cited(
            "The highest mean Dice that a model can reach against one rater was estimated from the "
            f"outlines of {r.n_raters} raters on {counted(r.n_items, 'image')} with {TOOL}"
            f"{f'; intervals: {ways}' if ways else ''}.",
            results + told_failed(self.checks),
        )

    def _of(self, label: int) -> str:
        return f" (label {label})" if len(self.rounds.labels) > 1 else ""

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rounds = self.rounds
        several = len(rounds.labels) > 1
        read = [("" if i else "Read", note) for i, note in enumerate(rounds.notes)]
        sections = [Section(said=[*read, *self.opening().said])]
        for label, ceiling in self.ceilings.items():
            of = f" (label {label})" if several else ""
            head, ladder, _ = ceiling.sections()
            lines = [f"{rounds.n_raters} raters, {rounds.n_items} items{of}.", *head.lines]
            sections += [Section(head.title + of, head.columns, head.rows, lines), ladder]
            mine = [m for m in self.models if m.label == label]
            if mine:
                rows = [
                    [
                        m.name,
                        m.dice.short(),
                        m.dice.range(),
                        m.iou.short(),
                        m.gap.short(),
                        m.gap.range(),
                    ]
                    for m in mine
                ]
                columns = ("model", "Dice", "interval", "IoU", "ceiling − Dice", "interval")
                sections.append(Section(f"Models against one rater{of}", columns, rows))
        distances = any(o.distances is not None for o in self.pairs.values())
        metrics = METRICS if distances else METRICS[:2]
        unit = rounds.spacing_unit
        columns = (
            "raters",
            *(("label",) if several else ()),
            "items",
            "Dice",
            "interval",
            "IoU",
            *((f"distance ({unit})", f"95% Hausdorff ({unit})") if distances else ()),
        )
        rows = []
        for (a, b), found in self.pairs.items():
            for label in rounds.labels:
                values = [found.summary[label, metric, "mean"] for metric in metrics]
                rows.append(
                    [
                        f"{a}, {b}",
                        *((str(label),) if several else ()),
                        f"{found.n_frames}",
                        values[0].short(),
                        values[0].range(),
                        *(v.short() for v in values[1:]),
                    ]
                )
        sections.append(Section("Raters with each other (means over items)", columns, rows))
        sections.append(self.quality.sections()[0])
        worst = self.disputed(5)
        rows = [
            [str(r["item"]), str(r["n_raters"]), f"{r['dice']:.3f}"]
            for r in worst.to_dict("records")
        ]
        sections.append(Section("Most disputed items", ("item", "raters", "mean Dice"), rows))
        sections.append(check_section(self.checks, when="all"))
        return sections


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
        interval of its gap to the ceiling is bootstrap-t over patients, both resampled together.
        With two or three raters it is careful (98 to 100%); with five it holds that of a perfect
        model in 84% instead of 95%, as the ladder is low by a thousandth of Dice.

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
        pairs[rounds.names[a], rounds.names[b]] = overlap(
            _values(rounds, a, both),
            _values(rounds, b, both),
            labels=_labels(rounds),
            surface=surface,
            spacing=None if rounds.spacing is None else rounds.spacing[both],
            unit=rounds.spacing_unit,
            cluster=None if rounds.cluster is None else list(rounds.cluster[both]),
            n_jobs=n_jobs,
            **options,
        )
    quality = staple(rounds, region=region, level=level)
    scores = [
        _score(rounds, predicted, m, ceilings[label], **options)
        for m in range(predicted.n_raters if predicted is not None else 0)
        for label in rounds.labels
        if predicted is not None
    ]
    return MaskComparison(
        rounds,
        pairs,
        ceilings,
        quality,
        tuple(scores),
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


def _values(rounds: MaskRounds, rater: int, items: NDArray[np.int64]) -> NDArray[Any]:
    """Return a rater's masks of some items with the labels' own numbers."""
    codes = rounds.values[rater, items]
    return np.asarray(codes if rounds.labels == (1,) else np.asarray([0, *rounds.labels])[codes])


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
) -> MaskScore:
    """Return how a model does against single raters, on the items of the ceiling."""
    name, label = models.names[m], ceiling.label
    place = rounds.labels.index(label) + 1
    kept = models.drawn[m, ceiling.items]
    items = ceiling.items[kept]
    if not items.size:
        raise AnnostatError(f"model {name!r} has no mask of the items that the raters drew")
    counts = np.stack(
        [
            count_pairs(models.values[m, items], rounds.values[r, items], place)
            for r in range(rounds.n_raters)
        ]
    ).astype(np.float64)
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
    gap = _gap(ceiling, kept, mean_loss, rounds, items, **options)
    return MaskScore(name, label, dice, iou, gap, by_rater, _verdict(name, ceiling, dice, gap))


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


def _verdict(name: str, ceiling: DiceCeiling, dice: Estimate, gap: Estimate) -> Check:
    key = f"model_{name}" + (f"_{ceiling.label}" if ceiling.label != 1 else "")
    if gap.interval is None:
        return Check(key, None, f"{name}: whether it is at the ceiling cannot be told.")
    room = f"{gap.short()} ({gap.range()})"
    if gap.interval.high < 0:
        text = (
            f"{name} scores above a perfect model ({dice.short()} against {ceiling.dice.short()}). "
            "Unless that is by a few thousandths, by which the ceiling itself may be low, it has "
            "seen these masks, or is made of them; score it on raters it has not seen."
        )
        return Check(key, False, text, gap.value)
    if gap.interval.low > 0:
        text = f"{name} is below the ceiling by {room} in Dice: a better model can still gain that."
        return Check(key, True, text, gap.value)
    text = (
        f"{name} cannot be told from a perfect model: the ceiling is higher by {room} in Dice. "
        "No better model could show it on these masks."
    )
    return Check(key, True, text, gap.value)


__all__ = ["MaskComparison", "MaskScore", "compare_masks"]
