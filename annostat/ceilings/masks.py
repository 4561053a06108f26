"""The ceiling of Dice and IoU: what a perfect model scores against one rater's masks.

1 − Dice is, for outlines that differ by little, proportional to the mean distance of the outlines.
Between the mean outlines of k and of l raters it goes with √(1/k + 1/l), so that (1 − D)² is a line
through the origin that can be followed to infinitely many raters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.ceilings.habits import BRACKET, MaskHabits, mask_habits
from annostat.ceilings.ladder import (
    IN_SAMPLE,
    KURTOSIS_FROM,
    METHODS,
    MeasuredItem,
    Rung,
    complement,
    log_loss,
    measure_item,
    most_raters,
    placed,
    rungs_of,
    seed_of_item,
)
from annostat.ceilings.outlines import NOT_OF_VOLUMES, slice_axis
from annostat.errors import AnnostatError, check_choice, check_level
from annostat.labels.masks import MaskRounds, as_mask_rounds
from annostat.resampling.clusters import cluster_codes, renumbered
from annostat.resampling.generators import Rng, as_generator, seed_of
from annostat.resampling.parallel import map_parallel
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section

if TYPE_CHECKING:
    import pandas as pd


WORSE = 1.5  # a rater this much further from the others than the nearest one is named


@dataclass(frozen=True, eq=False)
class DiceCeiling(Result):
    """What a perfect model scores against one rater's masks.

    Attributes
    ----------
    label : int
        Structure.
    method : str
        "shifts", "ladder" or "two-raters".
    dice, iou : Estimate
        Ceiling of the mean over items, against one rater drawn at random.
    pair : Estimate
        Mean Dice of two raters.
    bracket : Estimate
        1 − (⅔ to ¾)·(1 − pair), its interval widened by that of `pair`; the value is
        1 − (1 − pair)/√2, as for Gaussian noise.
    ladder : tuple of Rung
        Empty with two raters.
    items : int64 array of shape (n_used,)
        Which items were used.
    columns : float64 array of shape (n_used, 3 + n_rungs)
        What the intervals come from, by item: 1, 1 − Dice of pairs, whether all raters are there,
        and then 1 − Dice of each rung.
    n_items, n_alone, n_empty : int
        Items given; left out because one rater only looked, or somebody's mask is empty.
    pair_dice : float64 array of shape (n_items,)
        Mean Dice of the pairs of raters of each item; NaN if one rater only looked.
    checks : tuple of Check
    provenance : Provenance
    habits : MaskHabits or None
        How raters differ, and the ceilings against each of them; None where it cannot be told.
    """

    label: int
    method: str
    dice: Estimate
    iou: Estimate
    pair: Estimate
    bracket: Estimate
    ladder: tuple[Rung, ...]
    items: NDArray[np.int64]
    columns: FloatArray
    n_items: int
    n_alone: int
    n_empty: int
    pair_dice: FloatArray
    checks: tuple[Check, ...]
    provenance: Provenance
    habits: MaskHabits | None = None

    @property
    def sees_the_law(self) -> bool:
        """Whether there are raters enough to see the law of the noise (four)."""
        return max((r.k + r.l for r in self.ladder), default=2) >= KURTOSIS_FROM

    def log_loss(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return log(1 − ceiling) from sums of `columns`; analytic (`annostat.resampling.sums`)."""
        return log_loss(t, [(r.k, r.l) for r in self.ladder])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "label": self.label,
            "method": self.method,
            "n_items": self.n_items,
            "n_used": len(self.items),
            "n_one_rater": self.n_alone,
            "n_with_empty_mask": self.n_empty,
            "dice": self.dice.to_dict(),
            "iou": self.iou.to_dict(),
            "pair_dice": self.pair.to_dict(),
            "bracket": self.bracket.to_dict(),
            "habits": None if self.habits is None else self.habits.to_dict(),
            "ladder": [
                {"k": r.k, "l": r.l, "x": r.x, "dice": r.dice.to_dict()} for r in self.ladder
            ],
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per rung."""
        import pandas as pd

        rows = [{"k": r.k, "l": r.l, "x": r.x, **r.dice.to_dict()} for r in self.ladder]
        return pd.DataFrame(rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        at_random = " at random" if self.method == "shifts" else ""
        lines = [
            f"A perfect model scores a mean Dice of {self.dice} against one rater{at_random} "
            f"({len(self.items)} of {self.n_items} items)."
        ]
        rows = [
            [name, e.short(), e.range(), e.interval.method if e.interval else e.note]
            for name, e in (
                ("ceiling of Dice", self.dice),
                ("ceiling of IoU", self.iou),
                ("two raters, Dice", self.pair),
                ("bracket from pairs", self.bracket),
            )
            # Habits are in the Dice of two raters, and would be in what is made of it.
            if self.method != "shifts" or e is not self.bracket
        ]
        head = Section(
            "The ceiling: a perfect model against one rater",
            ("what", "estimate", "interval", "method"),
            rows,
            lines,
        )
        steps = [
            [str(r.k), str(r.l), f"{r.x:.3f}", r.dice.short(), r.dice.range()] for r in self.ladder
        ]
        ladder = Section(
            "Ladder: mean outline of k raters against l others",
            ("k", "l", "1/k + 1/l", "Dice", "interval"),
            steps,
        )
        raters = Section() if self.habits is None else self.habits.section()
        return [head, raters, ladder if steps else Section(), check_section(self.checks)]


def dice_ceiling(
    rounds: MaskRounds | Mapping[str, Any] | Sequence[Any],
    *,
    label: int | None = None,
    method: str = "auto",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Callable[[int, int], None] | None = None,
) -> DiceCeiling:
    r"""Return the mean Dice (and IoU) of a perfect model against one rater.

    Parameters
    ----------
    rounds : MaskRounds, mapping of rater to array, or list of arrays
        Two or more raters. Items that one rater only looked at, or where somebody's mask is
        empty, are left out and counted: the ceiling is that of outlines, given that all drew one.
    label : int, optional
        Structure; the first one by default.
    method : {"auto", "shifts", "ladder", "two-raters"}
        "shifts" allows for habits: raters who draw larger or smaller than others; it takes three
        items (patients) that all raters drew, and raters who are the same persons throughout. The
        others count habits as noise. "auto" takes the shifts where it can, else the ladder if
        there are three raters. A consensus of the same raters
        (``"in-sample"``) is refused: each of them is a part of it, so it looks too good.
    level, n_resamples, rng, n_jobs, progress
        As everywhere; patients (`MaskRounds.cluster`) are resampled whole.

    Returns
    -------
    DiceCeiling
        Intervals are bootstrap-t of log(1 − D) over patients; of the shifts, jackknife of it with
        t, widened by the bracket, as raters with habits do not show the law of the noise. So does
        the ladder's with three raters.

    Raises
    ------
    AnnostatError
        If no item has masks by two raters, the label is unknown, or the method is in-sample.

    Notes
    -----
    With three or more raters, D_kl is the Dice of the mean boundaries (mean signed distances) of k
    and of l raters, over all ways to choose them. With x = 1/k + 1/l, (1 − D_kl)² = c·x for
    Gaussian noise of the outline; a perfect model against one rater has x = 1. With four or more
    raters the law of the noise shows too: to first order in its excess kurtosis (Gram-Charlier)
    (1 − D_kl)² = c·x + g·z with z = (1/k³ + 1/l³)/x, and a perfect model has c + g. Both are
    ordinary least squares over the rungs. For two raters, 1 − D of a perfect model is ⅔ (Laplace)
    to ¾ (rectangular noise) of 1 − D of the pair, and 1/√2 of it if the noise is Gaussian.

    The shifts take out how much larger each rater draws, on average over items, before a pair is
    compared, and put it back as a distance between a perfect model and each rater
    (`annostat.ceilings.habits.perfect_losses`); the ceiling is that of the best offset.

    It cannot be seen from masks whether all raters err in the same direction; the ceiling is that
    against labels that share such a bias. The IoU is D/(2 − D) of each pair's Dice, after its
    1 − D was scaled so that the mean is that of the ceiling.

    Examples
    --------
    >>> from annostat.simulate import simulate_masks
    >>> rounds, truth = simulate_masks(40, 4, noise_px=2.0, rng=1)
    >>> ceiling = dice_ceiling(rounds)
    >>> ceiling.pair.value < ceiling.dice.value < 1
    True
    """
    if method in IN_SAMPLE:
        raise AnnostatError(
            f"method {method!r} is in-sample: each rater is part of that consensus, so it scores "
            "better than any model can; use method='ladder'"
        )
    method = check_choice("method", method, ("auto", "shifts", *METHODS))
    level, rounds = check_level(level), as_mask_rounds(rounds)
    place = placed(rounds, label)
    codes = cluster_codes(rounds.cluster)

    def measure(task: tuple[int, Any, NDArray[np.bool_]]) -> MeasuredItem:
        i, masks, drawn = task  # what a worker elsewhere is sent
        return measure_item(np.asarray(masks) == place, drawn, as_generator(seed_of_item(i)))

    tasks = [(i, rounds.values[:, i], rounds.drawn[:, i]) for i in range(rounds.n_items)]
    measured = map_parallel(measure, tasks, n_jobs=n_jobs, progress=progress)
    n_raters = np.array([m.n_raters for m in measured])
    drawn = np.array([m.all_drew for m in measured])
    used = np.flatnonzero((n_raters >= 2) & drawn)
    if not used.size:
        raise AnnostatError(
            "no item has masks by two raters that both drew something: there is nothing to compare"
        )
    most = most_raters(n_raters[used])
    habits = None
    differ = any(measured[i].pairs.any() for i in used)
    if method in ("auto", "shifts") and differ:
        habits = mask_habits(rounds, place, used, codes, level=level, n_jobs=n_jobs)
        if habits is not None and 2 * habits.n_items < used.size and method == "auto":
            habits = None
        if habits is None and method == "shifts":
            raise AnnostatError(
                "shifts need raters who are the same persons throughout, and three items "
                "(patients) that all of them drew, volumes in thick slices too (spacing); "
                "method='ladder' or 'two-raters' takes less"
            )
    if method in ("auto", "shifts"):
        method = "ladder" if most > 2 else "two-raters"
    if method == "ladder" and most < 3:
        raise AnnostatError(
            "the ladder needs three or more raters of most items; method='two-raters' gives the "
            "bracket from pairs"
        )
    keys = [(1, 1)] if method == "two-raters" else rungs_of(most)
    full = n_raters[used] >= max(most, 2)
    losses = np.array([[measured[i].losses.get(key, 0.0) for key in keys] for i in used])
    pairs = np.array([measured[i].losses[1, 1] for i in used])
    columns = np.column_stack(
        [np.ones(used.size), pairs, full.astype(np.float64), losses * full[:, None]]
    )
    units = None if codes is None else renumbered(codes[used])
    sums = Sums.of(columns, units)
    options: dict[str, Any] = {"n_resamples": n_resamples, "rng": rng, "level": level}

    def estimate(g: Callable[[Any], Any]) -> Estimate:
        return complement(sums, g, **options)

    pair = estimate(lambda t: np.log(t[..., 1] / t[..., 0]))
    bracket = _bracket(pair)
    dice = bracket if method == "two-raters" else pair
    if method == "ladder" and pair.value < 1:
        dice = estimate(lambda t: log_loss(t, keys))
        if most < KURTOSIS_FROM and bracket.interval is not None:
            # Three raters do not show the law of the noise: the interval allows for any.
            dice = replace(dice, interval=bracket.interval)
    ladder = []
    if method == "ladder":
        for j, (k, l) in enumerate(keys):  # noqa: E741

            def rung(t: NDArray[Any], j: int = j) -> NDArray[Any]:
                return np.asarray(np.log(t[..., 3 + j] / t[..., 2]))

            ladder.append(Rung(k, l, 1 / k + 1 / l, estimate(rung)))
    if habits is not None:
        method, dice = "shifts", habits.one_of_them
    each = np.concatenate([measured[i].pairs for i in used])
    weights = np.concatenate(
        [np.full(measured[i].pairs.size, 1 / measured[i].pairs.size) for i in used]
    )
    n_alone = int((n_raters < 2).sum())
    n_empty = int(((n_raters >= 2) & ~drawn).sum())
    return DiceCeiling(
        rounds.labels[place - 1],
        method,
        dice,
        _iou(dice, each, weights),
        pair,
        bracket,
        tuple(ladder),
        used,
        columns,
        rounds.n_items,
        n_alone,
        n_empty,
        np.array([m.pair_dice for m in measured]),
        _checks(rounds, dice, pair, tuple(ladder), n_alone, n_empty, measured, used, habits),
        Provenance(
            __version__,
            rounds.digest(),
            rounds.n_items,
            seed_of(rng),
            {"method": method, "level": level, "n_resamples": n_resamples},
        ),
        habits,
    )


def _bracket(pair: Estimate) -> Estimate:
    loss, low, high = 1 - pair.value, pair.low, pair.high
    least, most = BRACKET
    spread = None if pair.standard_uncertainty is None else pair.standard_uncertainty / 2**0.5
    if pair.interval is None or low is None or high is None:
        return Estimate(1 - loss / 2**0.5, spread, None, "", pair.note or "no interval")
    limits = Interval(
        1 - most * (1 - low),
        1 - least * (1 - high),
        pair.interval.level,
        f"⅔ to ¾ of 1 − D of two raters, with its {pair.interval.method}",
    )
    return Estimate(1 - loss / 2**0.5, spread, limits)


def _iou(dice: Estimate, losses: FloatArray, weights: FloatArray) -> Estimate:
    """Return the IoU that goes with a Dice: each pair's 1 − D scaled to the ceiling's mean."""
    mean = float(weights @ losses / weights.sum())

    def of(value: float) -> float:
        scaled = losses * ((1 - value) / mean if mean else 0.0)
        return float(weights @ ((1 - scaled) / (1 + scaled)) / weights.sum())

    if not math.isfinite(dice.value):
        return dice
    if dice.interval is None:
        return Estimate(of(dice.value), note=dice.note)
    step = 1e-6
    found = dice.through(of, (of(dice.value) - of(dice.value - step)) / step)
    method = f"carried over from Dice ({dice.interval.method})"
    return replace(found, note="", interval=replace(dice.interval.through(of), method=method))


def _checks(
    rounds: MaskRounds,
    dice: Estimate,
    pair: Estimate,
    ladder: tuple[Rung, ...],
    n_alone: int,
    n_empty: int,
    measured: list[MeasuredItem],
    used: NDArray[np.int64],
    habits: MaskHabits | None,
) -> tuple[Check, ...]:
    checks = [] if habits is None else list(habits.checks)
    if not rounds.exchangeable and slice_axis(rounds.values.ndim - 2, rounds.spacing) is None:
        checks.append(NOT_OF_VOLUMES)
    if n_empty:
        text = (
            f"On {n_empty} of {rounds.n_items} items a mask is empty: they are left out, so the "
            "ceiling says nothing about whether there is anything to draw; report that apart."
        )
        checks.append(Check("empty", False, text, n_empty / rounds.n_items))
    if n_alone:
        text = f"{n_alone} of {rounds.n_items} items have one rater only and are left out."
        checks.append(Check("one_rater", None, text, n_alone / rounds.n_items))
    loss = 1 - pair.value
    if ladder and habits is None and loss > 0 and math.isfinite(dice.value):
        ratio = (1 - dice.value) / loss
        error = (dice.standard_uncertainty or 0.0) / loss
        fits = BRACKET[0] - 2 * error <= ratio <= BRACKET[1] + 2 * error
        text = f"1 − ceiling is {ratio:.2f} of 1 − Dice of two raters"
        text += (
            ", as symmetric noise of the outline has it (0.67 to 0.75)."
            if fits
            else "; symmetric noise of the outline gives 0.67 to 0.75: raters disagree on more "
            "than where the edge runs, so look at the most disputed items."
        )
        checks.append(Check("bracket", fits, text, ratio))
    means = np.nanmean([measured[i].by_rater for i in used], axis=0) if used.size else np.zeros(0)
    if rounds.exchangeable:
        text = "Whether raters differ cannot be looked at: they have no identity across items."
        checks.append(Check("raters_alike", None, text))
    elif rounds.n_raters > 2 and np.nanmin(means) > 0:
        ratio = float(np.nanmax(means) / np.nanmin(means))
        worst = rounds.names[int(np.nanargmax(means))]
        text = f"1 − Dice with the others is at most {ratio:.2f} times as large for one rater."
        if ratio > WORSE:
            text = (
                f"{worst} is {ratio:.2f} times as far from the others as the nearest rater: the "
                "ceiling is a mean over raters; score models against each one as well."
            )
        checks.append(Check("raters_alike", ratio <= WORSE, text, ratio))
    return tuple(checks)
