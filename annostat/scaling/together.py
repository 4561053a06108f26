"""What the laws that a series does not refute say together.

With five to eight sizes a floor hides easily: AICc picks the power law, and the interval of its
exponent then holds that of a law with a floor in 0 to 30% of the series. So a law is kept unless
another one fits significantly better, and the interval is the union of those of the laws kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from annostat.arrays import FloatArray
from annostat.results.estimates import Estimate, Interval
from annostat.scaling.fit import ScalingFit, exact

REFUTED_AT = 0.99  # of the F test: at 0.95, five and six sizes with a floor held 88 to 92%
N_WEIGHED = 9  # sizes from which laws are weighed: below, AICc takes every floor for none
SIMPLE = ("power", "power_floor", "hinge")
WITH_GIVEN = ("power_given_floor", "hinge")  # a known floor stands in for none and for a free one
METHOD = "union of the laws that are not refuted"


@dataclass(frozen=True)
class Together:
    """The laws that are not refuted, and the union of their intervals.

    Attributes
    ----------
    laws : tuple of str
        By name, in the order of the fits.
    exponent : Estimate
        Its value is that of the first law; no interval if too few points left out the law with a
        floor, which would hide part of the slope.
    floor : Estimate
        In units of the loss; a power law has the floor 0, as has a hinge that may lie beyond the
        last size.
    """

    laws: tuple[str, ...]
    exponent: Estimate
    floor: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "laws": list(self.laws),
            "exponent": self.exponent.to_dict(),
            "floor": self.floor.to_dict(),
        }


def together(fits: Sequence[ScalingFit], left_out: Sequence[str], level: float) -> Together:
    r"""Return the laws that are not refuted, with the union of their intervals.

    A law is refuted by another one whose residual sum of squares is smaller by the factor
    1 + q F/ν or more: ν the residual degrees of freedom of the other law, q by how many parameters
    it has more (1 at least), F the 99% quantile with q and ν degrees. The laws are power,
    power + floor, and hinge; a known floor stands in for the first two. The broken law, whose
    intervals are wide whatever the truth, counts only where it refutes all of these, from nine
    sizes on.
    """
    by_name = {f.name: f for f in fits}
    n_sizes = fits[0].law.points.knots.size
    simple = [by_name[name] for name in SIMPLE if name in by_name]
    given = [by_name[name] for name in WITH_GIVEN if name in by_name]
    first = by_name.get("power_given_floor")
    rivals = [f for f in fits if f.name != "broken"]
    if first is not None and not any(refutes(other, first) for other in rivals):
        candidates = given
    else:
        candidates = simple or given
    kept = [f for f in candidates if not any(refutes(other, f) for other in candidates)]
    broken = by_name.get("broken")
    if broken is not None and (
        not kept or (n_sizes >= N_WEIGHED and all(refutes(broken, f) for f in kept))
    ):
        kept = [broken]
    kept = [f for f in fits if f in kept]  # in the order of the fits
    names = tuple(f.name for f in kept)
    exponents = [_limits(f.exponent) for f in kept]
    floors = [_floor_of(f) for f in kept]
    if is_constant(fits[0].law.points.y):
        lost = Estimate(math.nan, note="undefined: all scores are equal")
        return Together(names, lost, lost)
    blind = any(text.startswith("power_floor ") for text in left_out) and first is None
    if blind and names == ("power",):
        note = "no interval: too few points for a law with a floor, which hides part of a slope"
        lost = Estimate(math.nan, note=note)
        return Together(names, Estimate(kept[0].exponent.value, note=note), lost)
    value = kept[0].floor.value if kept[0].floor is not None else 0.0
    if exact(kept[0].law):
        note = "no interval: the points lie on the law exactly"
        found = Estimate(kept[0].exponent.value, note=note), Estimate(value, note=note)
        return Together(names, *found)
    exponent = _union(kept[0].exponent.value, exponents, level)
    if "broken" in names:
        return Together(names, exponent, Estimate(math.nan, note="this law has no floor"))
    return Together(names, exponent, _union(value, floors, level))


def refutes(other: ScalingFit, fit: ScalingFit) -> bool:
    """Return whether a law fits significantly better than another one."""
    n = fit.law.points.n
    if exact(fit.law):
        return exact(other.law) and other.n_parameters < fit.n_parameters
    if exact(other.law):
        return True
    gain = (_deviance(fit) - _deviance(other)) / n
    q = max(other.n_parameters - fit.n_parameters, 1)
    dof = other.law.dof
    most = other.inflation * q * float(special.fdtri(q, dof, REFUTED_AT)) / dof
    return gain > math.log1p(most)


def _deviance(fit: ScalingFit) -> float:
    return -2 * fit.log_likelihood + fit.law.penalty


def _limits(estimate: Estimate) -> tuple[float, float]:
    if estimate.interval is None:
        return estimate.value, estimate.value
    return estimate.interval.low, estimate.interval.high


def _floor_of(fit: ScalingFit) -> tuple[float, float]:
    """Return the limits of the floor of a law."""
    if fit.floor is None:
        return 0.0, 0.0
    low, high = _limits(fit.floor)
    endless = fit.name == "hinge" and fit.hinge is not None and _limits(fit.hinge)[1] == math.inf
    return (0.0 if endless else low), high


def _union(value: float, limits: Sequence[tuple[float, float]], level: float) -> Estimate:
    low, high = min(a for a, _ in limits), max(b for _, b in limits)
    return Estimate(value, None, Interval(low, high, level, METHOD))


def is_constant(log_losses: FloatArray) -> bool:
    """Return whether all losses are one number, up to rounding."""
    return bool(np.ptp(log_losses) <= 1e-12)
