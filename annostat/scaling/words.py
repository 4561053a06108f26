"""What a comparison of scaling laws says: whether larger models help, and by which laws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from annostat.arrays import FloatArray
from annostat.results.cite import TOOL, Cited, ci
from annostat.results.estimates import Estimate
from annostat.results.result import Check, told_failed
from annostat.results.text import counted, percent
from annostat.scaling.fit import ScalingFit, interval_cell
from annostat.scaling.together import Together, is_constant


class Compared(Protocol):
    """What the words are of: `annostat.scaling.ScalingComparison`."""

    @property
    def fits(self) -> Sequence[ScalingFit]:
        """All laws, best first."""
        ...

    @property
    def best(self) -> ScalingFit:
        """The best law."""
        ...

    @property
    def together(self) -> Together:
        """The laws that are not refuted."""
        ...

    @property
    def weighed(self) -> bool:
        """Whether laws are weighed by AICc."""
        ...

    @property
    def checks(self) -> Sequence[Check]:
        """What was looked at."""
        ...

    @property
    def sizes(self) -> FloatArray:
        """Sizes of the models."""
        ...

    @property
    def losses(self) -> FloatArray:
        """Their losses."""
        ...

    @property
    def log_slope(self) -> Estimate:
        """The naive slope."""
        ...

    @property
    def loss_name(self) -> str:
        """What falls with size."""
        ...

    @property
    def size_name(self) -> str:
        """What a size is of."""
        ...

    @property
    def score_name(self) -> str:
        """What is scored."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """Whether the score rises with size."""
        ...

    def fit_of(self, law: str) -> ScalingFit:
        """Return the fit of a law by its name."""
        ...


def answer(found: Compared) -> str:
    """Return whether larger models help, over all laws that are not refuted."""
    exponent, floor = found.together.exponent, found.together.floor
    if is_constant(np.log(found.losses)) or not math.isfinite(exponent.value):
        return " ".join(fitted(found))
    loss, score = found.loss_name, found.score_name
    if flat(found):
        slope = interval_cell(found.log_slope)
        return (
            f"No slope is shown: {loss} does not visibly fall or grow with {found.size_name}; "
            f"log–log slope {slope}."
        )
    if math.isfinite(floor.value) and floor.value > 0:
        only = found.best if found.together.laws == (found.best.name,) else None
        cell = interval_cell(floor if only is None else only.floor)
        level = f"{loss} = {cell}"
        if found.higher_is_better:
            level += f", {score} {interval_cell(floor.complement())}"
        if floor.interval is None or floor.interval.low > 0:
            more = "Larger sizes" if found.size_name == "size" else f"More {found.size_name}"
            return f"{more} help down to a level and no further: {level}."
        return f"Whether the score levels off is not resolved: at {level}, if it does."
    if exponent.value <= 0:
        return f"Size does not help: {loss} does not fall with {found.size_name}."
    gain = f"Each doubling takes {_gain(exponent)} off the loss"
    if all(fit.floor is None for fit in found.fits):
        if any(c.name == "laws_left_out" for c in found.checks):
            return f"{gain}; {found.sizes.size} points cannot show whether it levels off."
        return f"{gain}, if no level is approached: no law with one was fitted."
    return f"{gain}, and no level is seen."


def flat(found: Compared) -> bool:
    """Return whether the loss visibly neither falls nor grows."""
    return any(c.name == "falls" and c.passed is None for c in found.checks)


def _gain(exponent: Estimate) -> str:
    """Return what a doubling takes off the loss, 1 − 2^−α, with its interval, in percent."""
    if exponent.interval is None:
        return percent(round(1 - 2**-exponent.value, 2))
    limits = (exponent.value, exponent.interval.low, exponent.interval.high)
    best, low, high = (format(100 * (1 - 2.0**-a), ".3g") for a in limits)
    return f"{best}% ({low} to {high}%)"


def fitted(found: Compared) -> list[str]:
    """Return sentences on the points, the laws that are not refuted, and what the best says."""
    best = found.best
    n_sizes = np.unique(found.sizes).size
    head = f"{found.loss_name} against {found.size_name}: {found.sizes.size} points, "
    head += f"{n_sizes} sizes"
    if found.weighed:
        weight = f", weight {percent(round(best.weight, 2))}" if len(found.fits) > 1 else ""
        head += f", best by AICc is the {best.label}{weight}"
    lines = [f"{head}.", *_kept(found)]
    if not is_constant(np.log(found.losses)) and (
        found.weighed or found.together.laws == (best.name,)
    ):
        lines += _of_best(found)
    return lines


def _kept(found: Compared) -> list[str]:
    """Return the sentence on the laws that are not refuted, and what they say together."""
    exponent = found.together.exponent
    if len(found.fits) == 1 and exponent.interval is not None:
        return []  # one law was asked for: its row says it all
    names = [found.fit_of(name).label for name in found.together.laws]
    if not math.isfinite(exponent.value):
        return [f"The exponent is {exponent.note}."]
    if exponent.interval is None:
        return [f"The exponent of the {names[0]} is {exponent.short()}; {exponent.note}."]
    text = f"Not refuted: {' or '.join(names)}"
    if len(names) == 1:
        text = f"All laws but the {names[0]} are refuted"
    said = f"exponent α {interval_cell(exponent)}"
    if math.isfinite(found.together.floor.value):
        said += f", floor {interval_cell(found.together.floor)}"
    over = ", over all of them" * (len(names) > 1)
    return [f"{text}; {said}{over}."]


def _of_best(found: Compared) -> list[str]:
    """Return sentences on the floor of the best law and on where saturation begins."""
    best, lines = found.best, []
    if best.floor is None or not best.floor.value > 0:
        return []
    if best.hinge is not None and best.second_exponent is None:
        lines.append(f"Saturation begins at {interval_cell(best.hinge)} {found.size_name}.")
    if best.n_half is not None and math.isfinite(best.n_half.value):
        lines.append(
            f"Half of the loss is floor from {interval_cell(best.n_half)} {found.size_name}."
        )
    text = f"The {best.label} levels off at {found.loss_name} = {interval_cell(best.floor)}"
    if found.higher_is_better:
        text += f": {found.score_name} {interval_cell(best.floor.complement())}"
    return [*lines, f"{text}."]


def quote(found: Compared) -> str:
    """Return the exponent with its interval, and the level, over the laws not refuted."""
    kept = found.together
    if flat(found):
        return f"No slope is shown: log–log slope {_held(found.log_slope)}."
    if kept.exponent.interval is None:
        return f"Nothing: {kept.exponent.note or 'the exponent has no interval'}."
    names = " or the ".join(found.fit_of(name).label for name in kept.laws)
    text = f"Exponent {_held(kept.exponent)}, if the law is the {names}"
    if math.isfinite(kept.floor.value) and kept.floor.value > 0:
        text += f"; level of {found.loss_name} {_held(kept.floor)}"
    return f"{text}."


def cited(found: Compared) -> Cited:
    """Return the sentences for a paper."""
    kept = found.together
    names = " and the ".join(found.fit_of(name).label for name in kept.laws)
    results = f"The {names} could not be refuted, with an exponent of {ci(kept.exponent)}"
    if flat(found):
        results = f"No slope was shown, with a log–log slope of {ci(found.log_slope)}"
    elif math.isfinite(kept.floor.value) and kept.floor.value > 0:
        results += f" and a level of {found.loss_name} of {ci(kept.floor)}"
    return Cited(
        f"{counted(len(found.fits), 'law')} of {found.loss_name} against {found.size_name} were "
        f"fitted to {counted(found.sizes.size, 'model')} of {np.unique(found.sizes).size} sizes "
        f"by least squares of the logarithm with {TOOL} and compared by AICc; intervals are "
        "F-calibrated profiles.",
        f"{results}.{told_failed(found.checks)}",
    )


def _held(e: Estimate) -> str:
    """Return a number with its interval and the level of that."""
    if e.interval is None:
        return f"{e.short()} (no interval)"
    return f"{e.short()} ({percent(e.interval.level)} {e.range()})"
