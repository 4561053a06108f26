"""One scaling law, fitted: limits, predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_number
from annostat.resampling.intervals import exp, t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.text import plain
from annostat.scaling.bends import Broken, Hinge
from annostat.scaling.laws import Floor, Law, Power
from annostat.scaling.robust import inflation_of, log_likelihood, reweighted
from annostat.scaling.slopes import positive
from annostat.scaling.solve import TINY, Points, Prior

LAWS = ("power", "power_floor", "power_given_floor", "hinge", "broken")
CLASSES: dict[str, type[Law]] = {
    "power": Power,
    "power_floor": Floor,
    "power_given_floor": Floor,
    "hinge": Hinge,
    "broken": Broken,
}


@dataclass(frozen=True)
class Prediction:
    """The loss that a law gives to a size."""

    size: float
    loss: Estimate
    extrapolated: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"size": self.size, "loss": self.loss.to_dict(), "extrapolated": self.extrapolated}


@dataclass(frozen=True, eq=False)
class ScalingFit:
    """One law fitted to one series.

    Attributes
    ----------
    name : str
        One of `LAWS`.
    label : str
        The law in words.
    exponent : Estimate
        α: the slope before saturation; of the broken law, the slope before the break.
    floor : Estimate or None
        E, or the level at which a hinge saturates; in units of the loss.
    n_half : Estimate or None
        N½ = (A/E)^(1/α): the size at which the floor makes up half of the loss. Each factor of
        2^(1/α) in size from there halves what remains above the floor.
    hinge : Estimate or None
        Size at which saturation begins, or of the break.
    second_exponent : Estimate or None
        Slope after the break.
    residual_sd : Estimate
        Relative standard deviation of one loss about the law.
    log_likelihood, aicc, weight : float
        Gaussian in log loss; AICc is NaN where it does not exist (n ≤ k + 1), the weight below
        nine sizes.
    """

    name: str
    label: str
    exponent: Estimate
    floor: Estimate | None
    n_half: Estimate | None
    hinge: Estimate | None
    second_exponent: Estimate | None
    residual_sd: Estimate
    log_likelihood: float
    aicc: float
    weight: float
    n_parameters: int
    law: Law
    centre: float
    level: float
    inflation: float

    def curve(self, sizes: ArrayLike) -> FloatArray:
        """Return the loss at sizes, float64 of shape (n,)."""
        return np.exp(self.law.curve(np.log(positive("sizes", sizes)) - self.centre))

    def predict(self, sizes: ArrayLike) -> tuple[Prediction, ...]:
        """Return the loss at sizes, with intervals of the law's curve (not of a new model's loss).

        The interval is that of the F-calibrated profile and holds if the law does; beyond the
        sizes of the data, whether it does is the larger error.
        """
        u = np.log(positive("sizes", sizes)) - self.centre
        values = np.exp(self.law.curve(u))
        low, high = np.exp(self.band(u))
        seen = self.law.points.v
        method = f"F-calibrated profile, {self.label}"
        out = []
        for x, value, a, b in zip(u, values, low, high, strict=True):
            beyond = bool(x < seen.min() - 1e-9 or x > seen.max() + 1e-9)
            interval = Interval(float(a), float(b), self.level, method)
            estimate = Estimate(float(value), None, interval, note="extrapolated" * beyond)
            out.append(Prediction(float(np.exp(x + self.centre)), estimate, beyond))
        return tuple(out)

    def band(self, u: FloatArray) -> FloatArray:
        """Return limits of log loss at centred log sizes, float64 of shape (2, n)."""
        if exact(self.law):
            return np.repeat(self.law.curve(u)[None], 2, axis=0)
        return self.law.band(u, level=self.level, inflation=self.inflation)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "law": self.name,
            "label": self.label,
            **{
                name: plain(getattr(self, name))
                for name in (
                    "exponent",
                    "floor",
                    "n_half",
                    "hinge",
                    "second_exponent",
                    "residual_sd",
                )
            },
            "n_parameters": self.n_parameters,
            "log_likelihood": self.log_likelihood,
            "aicc": plain(self.aicc),
            "weight": plain(self.weight),
        }


def prior_of(floor: float | Estimate | None, se: float | None) -> Prior | None:
    """Return what is known of the floor."""
    if floor is None:
        if se is not None:
            raise AnnostatError("floor_se needs the floor that it belongs to")
        return None
    if isinstance(floor, Estimate):
        se = floor.standard_uncertainty if se is None else se
        floor = floor.value
    floor = check_number("floor", floor)
    if floor <= 0:
        raise AnnostatError(
            f"floor must be positive (a loss; without one leave it out), got {floor}"
        )
    return Prior(floor, check_number("floor_se", 0.0 if se is None else se, low=0.0))


def exact(law: Law) -> bool:
    """Return whether the points lie on the law, up to rounding."""
    return law.rss <= 100 * law.points.n * TINY


def fit_law(
    name: str,
    points: Points,
    prior: Prior | None,
    robust: bool,
    k: int,
    level: float,
    centre: float,
) -> ScalingFit:
    """Fit one law; return its parameters, its band, its tests and what it predicts."""
    kind = CLASSES[name]
    law = kind(points, prior=prior)
    inflation = 1.0
    if robust and not exact(law):
        law = reweighted(law, kind, prior)
        inflation = inflation_of(law, points)
    method = "F-calibrated profile" + (", robust" if robust else "")
    if exact(law):
        found = {key: (value, value) for key, value in law.values.items()}
        method = "points on the law exactly"
    else:
        found = law.limits(level=level, inflation=inflation)
    t = t_reach(law.dof, level)

    def known(key: str, *, log: bool, shift: float = 0.0) -> Estimate:
        value, (low, high) = law.values[key], found[key]
        if log:
            value, low, high = (exp(x + shift) for x in (value, low, high))
        if key == "floor" and prior is not None and prior.se == 0:
            return Estimate(prior.floor, 0.0, None, note="given")
        width = high - low
        se = width / (2 * t) if math.isfinite(width) else None
        return Estimate(value, se, Interval(low, high, level, method))

    def estimate(key: str, *, log: bool, shift: float = 0.0) -> Estimate | None:
        return known(key, log=log, shift=shift) if key in law.values else None

    exponent = known("exponent", log=False)
    label = law.label
    if prior is not None:
        label = "power law + given floor"
    loglik = log_likelihood(law, points, robust)
    n = points.n
    aicc = (
        -2 * loglik
        + law.penalty
        + 2 * k
        + (2 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.nan)
    )
    variance = law.rss / law.dof
    sd_low, sd_high = (
        math.sqrt(law.rss / float(special.chdtri(law.dof, p)))
        for p in ((1 - level) / 2, (1 + level) / 2)
    )
    spread = Interval(sd_low, sd_high, level, "chi-square, Gaussian log loss")
    return ScalingFit(
        name=name,
        label=label,
        exponent=exponent,
        floor=estimate("floor", log=True),
        n_half=estimate("n_half", log=True, shift=centre),
        hinge=estimate("hinge", log=True, shift=centre),
        second_exponent=estimate("second_exponent", log=False),
        residual_sd=Estimate(math.sqrt(variance), None, spread),
        log_likelihood=loglik,
        aicc=aicc,
        weight=math.nan,
        n_parameters=k,
        law=law,
        centre=centre,
        level=level,
        inflation=inflation,
    )


def with_weights(fits: Sequence[ScalingFit], *, weighed: bool = True) -> list[ScalingFit]:
    """Return the fits in the order of AICc, with their Akaike weights.

    Unweighed, they are in the order of their residual SD, and their weights are NaN.
    """
    if not weighed:
        return sorted(
            fits,
            key=lambda f: (0.0 if exact(f.law) else f.residual_sd.value, f.n_parameters),
        )
    ranked = sorted(fits, key=lambda f: f.aicc if math.isfinite(f.aicc) else math.inf)
    gaps = np.array([f.aicc for f in ranked]) - ranked[0].aicc
    w = np.exp(-gaps / 2)
    w = w / w.sum() if len(ranked) > 1 else np.ones(1)
    return [replace(f, weight=float(x)) for f, x in zip(ranked, w, strict=True)]


def floor_bias(fits: Sequence[ScalingFit], sizes: FloatArray) -> Estimate:
    """Return the naive slope of the law with a floor at these sizes, less its exponent."""
    fit = floor_law(fits)
    if fit is None:
        return Estimate(math.nan, note="no law with a floor was fitted")
    u = np.log(sizes)
    slope = -float(np.polyfit(u - u.mean(), np.log(fit.curve(sizes)), 1)[0])
    return Estimate(
        slope - fit.exponent.value, note=f"no interval: read it off the exponent's ({fit.label})"
    )


def floor_law(fits: Sequence[ScalingFit]) -> ScalingFit | None:
    """Return the fit with a floor: with the given one, if there is one."""
    by_name = {f.name: f for f in fits}
    return by_name.get("power_given_floor", by_name.get("power_floor"))


def interval_cell(estimate: Estimate | None) -> str:
    """Return an estimate with its limits, as a cell of text."""
    if estimate is None:
        return "–"
    if estimate.interval is None:
        note = f" ({estimate.note})" if estimate.note else ""
        return estimate.short() + note
    return f"{estimate.short()} ({estimate.range()})"
