"""What floors and ceilings say in words: the answer, and what to quote."""

from __future__ import annotations

import math
from typing import Protocol

from annostat.agreement.label_kinds import LabelKind
from annostat.agreement.profile_result import PrecisionProfile
from annostat.results.cite import TOOL, Cited, ci, methods_of
from annostat.results.estimates import Estimate
from annostat.results.result import Provenance, told_failed
from annostat.results.text import counted, percent, too_few_to_tell


class Floors(Protocol):
    """What the words are of: `annostat.ceilings.Bounds`."""

    @property
    def label(self) -> str:
        """What a model is held against."""
        ...

    @property
    def undecided(self) -> bool:
        """Whether heavy tails are not ruled out."""
        ...

    @property
    def doubt(self) -> str:
        """Why squares are no headline; empty if they may be."""
        ...

    @property
    def unit(self) -> str:
        """Unit of the labels."""
        ...

    @property
    def noise_sd(self) -> Estimate:
        """SD of one annotation's noise."""
        ...

    @property
    def rmse_floor(self) -> Estimate:
        """Least RMSE."""
        ...

    @property
    def mae_floor(self) -> Estimate:
        """Least MAE."""
        ...

    @property
    def reliability(self) -> Estimate:
        """Of one annotation."""
        ...

    @property
    def correlation_ceiling(self) -> Estimate:
        """Highest correlation."""
        ...

    @property
    def headline(self) -> LabelKind | None:
        """The kind of label that the answer is of, where raters are biased."""
        ...

    @property
    def profile(self) -> PrecisionProfile | None:
        """The noise by the value."""
        ...

    @property
    def n_items(self) -> int | None:
        """Items."""
        ...

    @property
    def provenance(self) -> Provenance:
        """How it was made."""
        ...


def known(e: Estimate) -> bool:
    """Whether there is a number."""
    return not math.isnan(e.value)


def with_unit(text: str, unit: str) -> str:
    """Return a number with its unit, if it has one."""
    return f"{text} {unit}" if unit else text


def _told(bounds: Floors) -> tuple[str, Estimate, Estimate, Estimate]:
    """Return whose label is met, and the floors of MAE and RMSE and the ceiling of r against it."""
    kind, mae = bounds.headline, bounds.mae_floor
    if kind is None:
        return bounds.label, mae, bounds.rmse_floor, bounds.correlation_ceiling
    mae = mae if kind.mae_floor is None else kind.mae_floor
    return kind.name.replace(",", ""), mae, kind.rmse_floor, kind.correlation_ceiling


def answer(bounds: Floors) -> str:
    """Return what a perfect model has, in a sentence or two.

    Where squares are in doubt the headline is the MAE; where the noise goes with the value the RMSE
    is averaged over the labels at hand.
    """
    if few := too_few_to_tell(bounds.n_items):
        return f"{few} to tell what a perfect model has: annotate more."
    against, mae, rmse, r = _told(bounds)
    parts = []
    if bounds.doubt and known(mae):
        parts.append(f"an MAE of {with_unit(mae.short(), bounds.unit)}")
    elif known(rmse):
        averaged = "" if bounds.profile is None else ", averaged over these labels,"
        parts.append(f"an RMSE of {with_unit(rmse.short(), bounds.unit)}{averaged}")
    if known(bounds.reliability) and not (bounds.doubt and parts):
        parts.append(f"a correlation of {r.short()}")
    if not parts:
        return "Nothing can be said of a perfect model from these numbers."
    text = f"Against {against}, even a perfect model has {' and '.join(parts)}"
    return f"{text.removesuffix(',')}: on average over test sets, no model can look better."


def quote(bounds: Floors) -> str:
    """Return the floor to quote with its interval; a number without one says so."""
    if few := too_few_to_tell(bounds.n_items):
        return f"Nothing: {few} for a floor."
    against, mae, rmse, r = _told(bounds)
    parts = []
    if bounds.doubt and known(mae):
        parts.append(f"floor of the MAE {held(mae, bounds.unit)}")
    elif known(rmse):
        parts.append(f"floor of the RMSE {held(rmse, bounds.unit)}")
    if known(bounds.reliability) and not (bounds.doubt and parts):
        parts.append(f"ceiling of r {held(r, '')}")
    if not parts:
        return "Nothing: neither the noise nor the reliability is known."
    text = "; ".join(parts)
    if bounds.headline is not None:
        text += f"; against {against}, bias included"
    doubt = f" Not the RMSE: {bounds.doubt}." if bounds.doubt and known(mae) else ""
    if bounds.undecided and known(mae):
        doubt = (
            f" Heavy tails are not ruled out; the floor of the MAE holds: {held(mae, bounds.unit)}."
        )
    return f"{text[0].upper()}{text[1:]}.{doubt}"


def cited(bounds: Floors) -> Cited | None:
    """Return the sentences for a paper."""
    if too_few_to_tell(bounds.n_items):
        return None
    against, mae, rmse, r = _told(bounds)
    n = "" if bounds.n_items is None else f" of {counted(bounds.n_items, 'item')}"
    rounds = bounds.provenance.options.get("n_rounds")
    source = f"{rounds} rounds of annotation{n}" if rounds else f"the published agreement{n}"
    used, ends = [], []
    if bounds.doubt and known(mae):
        used.append(mae)
        ends.append(f"a mean absolute error below {ci(mae, bounds.unit)}")
    elif known(rmse):
        used.append(rmse)
        same = bounds.noise_sd.value == rmse.value and known(bounds.noise_sd)
        value = with_unit(rmse.short(), bounds.unit) if same else ci(rmse, bounds.unit)
        ends.append(f"an RMSE below {value}")
    if known(bounds.reliability) and not (bounds.doubt and ends):
        used.append(r)
        ends.append(f"a correlation above {ci(r)}")
    if not ends:
        return None
    sigma = ""
    plain = bounds.profile is None and bounds.headline is None
    if known(bounds.noise_sd) and not bounds.doubt and plain:
        sigma = f"One annotation had a noise SD of {ci(bounds.noise_sd, bounds.unit)}. "
    ways = methods_of(used)
    methods = (
        f"The best attainable agreement with {against} was derived from {source} "
        f"[@bland1999] with {TOOL}{f'; intervals: {ways}' if ways else ''}."
    )
    hence = "Hence no" if sigma else "No"
    results = f"{sigma}{hence} model can, on average, have {' or '.join(ends)} against {against}."
    return Cited(methods, results + told_failed(getattr(bounds, "checks", ())))


def held(e: Estimate, unit: str) -> str:
    """Return a value with its unit and interval."""
    value = with_unit(e.short(), unit)
    if e.interval is None:
        return f"{value} (no interval{e.note and ': ' + e.note.removeprefix('no interval: ')})"
    return f"{value} ({percent(e.interval.level)} {e.range()})"
