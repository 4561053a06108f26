"""All laws side by side on one series, with the naive slope and the implied dimension."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from annostat._version import __version__
from annostat.errors import AnnostatError, check_choice, check_level, check_number
from annostat.estimates import (
    Check,
    Estimate,
    Interval,
    Provenance,
    Result,
    Section,
    check_section,
    format_number,
    percent,
    plain,
)
from annostat.scaling.laws import Broken, Floor, Hinge, Law, Power
from annostat.scaling.robust import inflation_of, log_likelihood, reweighted
from annostat.scaling.slopes import LOSS_KINDS, dimension, log_slope, numbers, positive
from annostat.scaling.solve import TINY, FloatArray, Points, Prior
from annostat.sums import exp

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LAWS", "Prediction", "ScalingComparison", "ScalingFit", "compare_scaling"]

# Names of the laws, as in the JSON: a given floor makes a law of its own beside the free one.
LAWS = ("power", "power_floor", "power_given_floor", "hinge", "broken")
CLASSES: dict[str, type[Law]] = {
    "power": Power, "power_floor": Floor, "power_given_floor": Floor, "hinge": Hinge,
    "broken": Broken,
}  # fmt: skip


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
        Gaussian in log loss; AICc is NaN where it does not exist (n ≤ k + 1).
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
            **{name: plain(getattr(self, name)) for name in (
                "exponent", "floor", "n_half", "hinge", "second_exponent", "residual_sd",
            )},
            "n_parameters": self.n_parameters,
            "log_likelihood": self.log_likelihood,
            "aicc": plain(self.aicc),
            "weight": plain(self.weight),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class ScalingComparison(Result):
    """All laws on one series: loss against size.

    Attributes
    ----------
    fits : tuple of ScalingFit
        In the order of AICc.
    log_slope : Estimate
        The naive log-log slope, with HC3 errors.
    floor_bias : Estimate
        By how much the naive slope misses the exponent if the law with a floor holds: the
        log-log slope of that law's curve at the same sizes, less its exponent.
    dimension : Estimate
        Implied by the exponent of the best law, for `loss_kind`.
    predictions : tuple of (law, Prediction)
        What was asked for, by every law.
    checks : tuple of Check
    provenance : Provenance
    sizes, losses, weights : float64 arrays of shape (n,)
    """

    fits: tuple[ScalingFit, ...]
    log_slope: Estimate
    floor_bias: Estimate
    dimension: Estimate
    loss_kind: str
    predictions: tuple[tuple[str, Prediction], ...]
    checks: tuple[Check, ...]
    provenance: Provenance
    sizes: FloatArray
    losses: FloatArray
    weights: FloatArray
    size_name: str
    score_name: str
    higher_is_better: bool
    given_floor: Estimate | None

    @property
    def best(self) -> ScalingFit:
        """The law of the smallest AICc."""
        return self.fits[0]

    @property
    def loss_name(self) -> str:
        """Name of what falls with size."""
        return f"1 − {self.score_name}" if self.higher_is_better else self.score_name

    def fit_of(self, law: str) -> ScalingFit:
        """Return the fit of a law by its name."""
        names = [fit.name for fit in self.fits]
        return self.fits[names.index(check_choice("law", law, names))]

    def dimension_for(self, loss_kind: str, *, law: str | None = None) -> Estimate:
        """Return the implied dimension for a kind of loss, from the exponent of a law."""
        return dimension((self.best if law is None else self.fit_of(law)).exponent, loss_kind)

    def to_dict(self) -> dict[str, Any]:
        """Return the promised JSON object."""
        return {
            "size": self.size_name,
            "score": self.score_name,
            "loss": self.loss_name,
            "n_points": int(self.sizes.size),
            "n_sizes": int(np.unique(self.sizes).size),
            "models": [fit.to_dict() for fit in self.fits],
            "log_slope": self.log_slope.to_dict(),
            "floor_bias": self.floor_bias.to_dict(),
            "dimension": {
                **self.dimension.to_dict(), "loss_kind": self.loss_kind, "law": self.best.name,
            },
            "predictions": [{"law": law, **p.to_dict()} for law, p in self.predictions],
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """Return one row per law and quantity."""
        import pandas as pd

        rows = []
        for fit in self.fits:
            for name in ("exponent", "floor", "n_half", "hinge", "second_exponent"):
                estimate = getattr(fit, name)
                if estimate is not None:
                    rows.append(
                        {"law": fit.name, "quantity": name, **estimate.to_dict(),
                         "aicc": fit.aicc, "weight": fit.weight}
                    )  # fmt: skip
        return pd.DataFrame(rows)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        best = self.best
        n_sizes = np.unique(self.sizes).size
        lines = [
            f"{self.loss_name} against {self.size_name}: {self.sizes.size} points, "
            f"{n_sizes} sizes. Best by AICc: {best.label}"
            + (f", weight {percent(round(best.weight, 2))}." if len(self.fits) > 1 else "."),
            *self._said(best),
        ]
        rows = [
            [f.label, *(_cell(e) for e in (f.exponent, f.floor, f.n_half, f.hinge)),
             format_number(f.aicc - best.aicc, 1) if f is not best else "0",
             f"{f.weight:.2f}" if math.isfinite(f.weight) else "–"]
            for f in self.fits
        ]  # fmt: skip
        level = percent(best.level)
        table = Section(
            f"Laws ({level} intervals)",
            ("law", "exponent α", "floor E", "N½", "hinge", "ΔAICc", "weight"), rows,
        )  # fmt: skip
        slopes = [
            f"Naive log–log slope {_cell(self.log_slope)}.",
            *self._bias(),
            *(f"Dimension if the loss is {kind} in the error, {k:g}/α: "
              f"{_cell(self.dimension_for(kind))}." for kind, k in LOSS_KINDS.items()),
            "Read a dimension as a lower bound; data, teacher and training leave floors too.",
        ]  # fmt: skip
        sections = [Section("", lines=lines), table, Section("Slope and dimension", lines=slopes)]
        if self.predictions:
            sections.append(
                Section(
                    "Predictions", ("law", self.size_name, self.loss_name, ""),
                    [[self.fit_of(law).label, f"{p.size:,.6g}", _cell(p.loss),
                      "extrapolated" * p.extrapolated] for law, p in self.predictions],
                    ["The interval holds if the law does: beyond the data, compare the laws."],
                )
            )  # fmt: skip
        return [*sections, check_section(self.checks)]

    def _bias(self) -> list[str]:
        """Return the sentence on what a floor does to the naive slope."""
        if not math.isfinite(self.floor_bias.value):
            return []
        law = floor_law(self.fits)
        assert law is not None
        naive = law.exponent.value + self.floor_bias.value
        return [
            f"A floor hides part of a slope: under the {law.label}, an exponent of "
            f"{law.exponent.value:.2g} shows as {naive:.2g} at these sizes."
        ]

    def _said(self, best: ScalingFit) -> list[str]:
        """Return sentences on the floor and on where saturation begins."""
        lines = []
        if best.hinge is not None and best.second_exponent is None:
            lines.append(f"Saturation begins at {_cell(best.hinge)} {self.size_name}.")
        if best.n_half is not None and math.isfinite(best.n_half.value):
            lines.append(f"Half of the loss is floor from {_cell(best.n_half)} {self.size_name}.")
        if best.floor is not None and best.floor.value > 0:
            text = f"It levels off at {self.loss_name} = {_cell(best.floor)}"
            if self.higher_is_better:
                text += f": {self.score_name} {_cell(mirrored(best.floor))}"
            lines.append(text + ".")
        return lines


def compare_scaling(
    sizes: ArrayLike,
    scores: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    higher_is_better: bool = False,
    floor: float | Estimate | None = None,
    floor_se: float | None = None,
    laws: Sequence[str] | None = None,
    robust: bool = False,
    loss_kind: str = "quadratic",
    at: ArrayLike = (),
    level: float = 0.95,
    size_name: str = "size",
    score_name: str = "loss",
) -> ScalingComparison:
    r"""Fit scaling laws to scores of models of several sizes, and say which holds.

    The laws, of loss L against size N: ``power`` L = A·N^−α; ``power_floor`` L = E + A·N^−α;
    ``power_given_floor``, the same with what is known of E; ``hinge``, a power law up to a size,
    then flat; ``broken``, a power law that bends smoothly into another. All are fitted by least
    squares of log L: the error of a loss is taken as proportional to it.

    Parameters
    ----------
    sizes, scores : array-like of shape (n,)
        Positive sizes (parameters, items of training data) and scores; one point per trained
        model, so that several seeds of a size are several points.
    weights : array-like of shape (n,), optional
        Precisions: proportional to 1/variance of log loss.
    higher_is_better : bool
        Scores are in [0, 1) and 1 is perfect (Dice, IoU): the loss is 1 − score.
    floor : float or Estimate, optional
        Known floor E of the loss, for example 1 − the Dice ceiling. An Estimate brings its
        standard uncertainty along.
    floor_se : float, optional
        Standard error of the floor; without one it is taken as exact. An uncertain floor is
        profiled with a Gaussian penalty, never plugged in.
    laws : sequence of str, optional
        Some of `LAWS`; all that the number of points and sizes allows by default.
    robust : bool
        Huber's loss (k = 1.345), its scale from the median absolute residual of each law.
    loss_kind : {"quadratic", "first-order"}
        Whether the dimension is 4/α or 2/α (`dimension_from_slope`).
    at : array-like of shape (m,)
        Sizes at which every law's loss is wanted, beyond the data too.
    level : float
        Confidence level.
    size_name, score_name : str
        Words for the axes.

    Returns
    -------
    ScalingComparison
        Laws in the order of AICc. Intervals are where the profile of
        ν·log(residual sum of squares), plus the penalty of a given floor, rises by
        ν·log(1 + F/ν), F the quantile of the F distribution with 1 and ν degrees of freedom.

    Raises
    ------
    AnnostatError
        If sizes or losses are not positive and finite, fewer than four points or three sizes are
        there, or the floor is above all losses. NaN is refused, as is an empty series.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat.scaling import compare_scaling
    >>> sizes = np.geomspace(1e4, 1e8, 12)
    >>> noise = np.exp(0.02 * np.random.default_rng(1).normal(size=12))
    >>> result = compare_scaling(sizes, (0.05 + 8 * sizes**-0.4) * noise)
    >>> result.best.name, result.best.exponent.short(), result.best.floor.short()
    ('power_floor', '0.4059', '0.05071')
    >>> print(result.log_slope.short())
    0.162
    """
    check_level(level)
    check_choice("loss_kind", loss_kind, list(LOSS_KINDS))
    size = positive("sizes", sizes)
    loss = losses_of(scores, higher_is_better)
    if size.shape != loss.shape:
        raise AnnostatError(f"sizes and scores must be of one length, got {size.size}, {loss.size}")
    weight = np.ones(size.size) if weights is None else positive("weights", weights)
    if weight.shape != size.shape:
        raise AnnostatError(f"weights must be {size.size} numbers, got {weight.size}")
    n_sizes = np.unique(size).size
    if n_sizes < 3 or size.size < 4:
        raise AnnostatError(
            f"a scaling law needs at least four points of three different sizes, got {size.size} "
            f"of {n_sizes}"
        )
    prior = prior_of(floor, floor_se)
    if prior is not None and prior.floor >= loss.max():
        raise AnnostatError(
            f"the floor {prior.floor:g} is above all losses (largest {loss.max():g}): is it a "
            "floor of the loss, in the same unit?"
        )
    wanted = [check_choice("laws", name, LAWS) for name in (LAWS if laws is None else laws)]
    if laws is not None and "power_given_floor" in wanted and prior is None:
        raise AnnostatError("the law power_given_floor needs a floor")
    centre = float(np.log(size).mean())
    order = np.argsort(size, kind="stable")
    points = Points(
        np.log(size[order]) - centre, np.log(loss[order]), weight[order] / weight.mean()
    )
    fits, left_out = [], []
    for name in wanted:
        kind = CLASSES[name]
        given = prior if name == "power_given_floor" else None
        if name == "power_given_floor" and prior is None:
            continue
        k = kind.n_parameters + 1 - (given is not None)
        if n_sizes < kind.n_sizes or (size.size < k + 2 and name != "power"):
            left_out.append(f"{name} ({k + 2} points of {kind.n_sizes} sizes)")
            continue
        fits.append(fit_law(name, points, given, robust, k, level, centre))
    if not fits:
        raise AnnostatError(f"too few points for the laws asked for; needed: {', '.join(left_out)}")
    fits = with_weights(fits)
    asked = positive("at", np.atleast_1d(at))
    predictions = tuple((f.name, p) for f in fits for p in f.predict(asked))
    digest = hashlib.sha256(np.stack([size, loss, weight]).tobytes()).hexdigest()[:16]
    options: Mapping[str, Any] = {
        "laws": [f.name for f in fits], "left_out": left_out, "robust": robust,
        "floor": None if prior is None else prior.floor,
        "floor_se": None if prior is None else prior.se,
        "higher_is_better": higher_is_better, "loss_kind": loss_kind, "level": level,
    }  # fmt: skip
    return ScalingComparison(
        fits=tuple(fits),
        log_slope=log_slope(size, loss, level=level),
        floor_bias=floor_bias(fits, size),
        dimension=dimension(fits[0].exponent, loss_kind),
        loss_kind=loss_kind,
        predictions=predictions,
        checks=tuple(check_series(points, fits, prior, left_out, higher_is_better)),
        provenance=Provenance(__version__, digest, int(size.size), None, options),
        sizes=size,
        losses=loss,
        weights=weight,
        size_name=size_name,
        score_name=score_name,
        higher_is_better=higher_is_better,
        given_floor=None if prior is None else Estimate(prior.floor, prior.se, note="given"),
    )


def losses_of(scores: ArrayLike, higher_is_better: bool) -> FloatArray:
    """Return losses from scores; a score that is perfect, or beyond, has no logarithm."""
    if not higher_is_better:
        return positive("scores", scores)
    values = numbers("scores", scores)
    highest, lowest = (f(values[np.isfinite(values)], initial=0.5) for f in (np.max, np.min))
    if highest > 1:
        hint = " (percentages? divide by 100)" if highest <= 100 else ""
        raise AnnostatError(
            f"scores for which higher is better must be below 1, got {highest:g}{hint}"
        )
    if highest == 1:
        raise AnnostatError("a perfect score, 1, leaves no loss whose logarithm could be fitted")
    if lowest < 0:
        raise AnnostatError(f"scores must not be negative, got {lowest:g}")
    return positive("1 − scores", 1 - values)


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
    name: str, points: Points, prior: Prior | None, robust: bool, k: int, level: float,
    centre: float,
) -> ScalingFit:  # fmt: skip
    """Fit one law and ask it everything it knows."""
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
    t = float(special.stdtrit(law.dof, 0.5 + level / 2))

    def estimate(key: str, *, log: bool, shift: float = 0.0) -> Estimate | None:
        if key not in law.values:
            return None
        value, (low, high) = law.values[key], found[key]
        if log:
            value, low, high = (exp(x + shift) for x in (value, low, high))
        if key == "floor" and prior is not None and prior.se == 0:
            return Estimate(prior.floor, 0.0, None, note="given")
        width = high - low
        se = width / (2 * t) if math.isfinite(width) else None
        return Estimate(value, se, Interval(low, high, level, method))

    exponent = estimate("exponent", log=False)
    assert exponent is not None
    label = law.label
    if prior is not None:
        label = "power law + given floor"
    loglik = log_likelihood(law, points, robust)
    n = points.n
    aicc = -2 * loglik + law.penalty + 2 * k + (
        2 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.nan
    )  # fmt: skip
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


def with_weights(fits: Sequence[ScalingFit]) -> list[ScalingFit]:
    """Return the fits in the order of AICc, with their Akaike weights."""
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


def check_series(
    points: Points, fits: Sequence[ScalingFit], prior: Prior | None, left_out: Sequence[str],
    higher_is_better: bool,
) -> list[Check]:  # fmt: skip
    """Look at what the fits assume."""
    best = fits[0]
    checks = []
    line = Power(points)
    turn = (
        ", against what the laws say."
        if higher_is_better
        else ": if higher scores are better, say so (--higher-is-better)."
    )
    checks.append(
        Check("falls", line.exponent > 0,
              "The loss falls with size." if line.exponent > 0 else
              f"The loss grows with size{turn}",
              line.exponent)
    )  # fmt: skip
    if prior is not None:
        beyond = int((np.exp(points.y) < prior.floor).sum())
        text = "No score is beyond the given floor." if not beyond else (
            f"{beyond} of {points.n} scores are beyond the given floor {prior.floor:g}: noise, "
            "or a floor that is too high."
        )  # fmt: skip
        checks.append(Check("beyond_floor", not beyond, text, float(beyond)))
    free = next((f for f in fits if f.name == "power_floor"), None)
    if prior is not None and free is not None and free.floor is not None:
        interval = free.floor.interval
        assert interval is not None
        reach = 1.96 * prior.se
        agrees = interval.low <= prior.floor + reach and interval.high >= prior.floor - reach
        text = f"The given floor {prior.floor:g} agrees with the free one ({_cell(free.floor)})."
        if not agrees:
            text = (
                f"The given floor {prior.floor:g} is not among the free ones ({_cell(free.floor)})"
                ": models saturate elsewhere (data, teacher, training); look at the free law."
            )
        checks.append(Check("floor_agrees", agrees, text))
    if not exact(best.law):
        checks += [_lack_of_fit(best.law, points), _unequal(best.law, points)]
    checks = [c for c in checks if c.name]
    if left_out:
        text = f"Too few points for {', '.join(left_out)}; train more sizes to tell these apart."
        checks.append(Check("laws_left_out", None, text))
    near = [f for f in fits if f.weight > 0.1]
    if len(near) > 1:
        low, high = min(f.exponent.value for f in near), max(f.exponent.value for f in near)
        text = (
            f"{len(near)} laws explain the points about as well; their exponents run from "
            f"{low:.3g} to {high:.3g}: the interval of one law is not the whole uncertainty."
        )
        checks.append(Check("law", None, text))
    return checks


def _lack_of_fit(law: Law, points: Points) -> Check:
    """Compare the scatter about the law with that of the seeds of one size (F test)."""
    groups = np.searchsorted(points.knots, points.v)
    n_sizes = int(groups.max()) + 1
    inner, outer = points.n - n_sizes, n_sizes - (points.n - law.dof)
    if inner < 1 or outer < 1:
        return Check("", None, "")
    total = np.bincount(groups, points.w)
    mean = (np.bincount(groups, points.w * points.y) / total)[groups]
    pure = float((points.y - mean) ** 2 @ points.w)
    rss = float((points.y - law.curve(points.v)) ** 2 @ points.w)
    f = max(rss - pure, 0.0) / outer / max(pure / inner, 1e-300)
    p = float(special.fdtrc(outer, inner, f))
    text = (
        "The sizes scatter about the law as seeds of one size do."
        if p > 0.05
        else "The sizes scatter about the law more than seeds of one size do: something besides "
        "size moves the score; average the seeds of each size, or the intervals are too short."
    )
    return Check("lack_of_fit", p > 0.05, text, f, p)


def _unequal(law: Law, points: Points) -> Check:
    """Test whether squared residuals move with log size (Koenker 1981)."""
    squared = points.w * (points.y - law.curve(points.v)) ** 2
    varies = squared.std() > 1e-9 * squared.mean()  # else rounding would be correlated
    r = float(np.corrcoef(squared, points.v)[0, 1]) if varies else 0.0
    p = float(special.chdtrc(1, points.n * r * r))
    grow = "larger" if r > 0 else "smaller"
    text = (
        "The relative scatter does not move with size."
        if p > 0.05
        else f"The relative scatter is {grow} for larger models: give weights (1/variance of log "
        "loss), or several seeds per size to estimate them."
    )
    return Check("equal_scatter", p > 0.05, text, points.n * r * r, p)


def mirrored(estimate: Estimate) -> Estimate:
    """Return 1 − estimate: a score where a loss was."""
    inner = estimate.interval
    turned = None if inner is None else Interval(
        1 - inner.high, 1 - inner.low, inner.level, inner.method
    )  # fmt: skip
    return Estimate(
        1 - estimate.value, estimate.standard_uncertainty, turned, estimate.unit, estimate.note
    )


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    if estimate.interval is None:
        note = f" ({estimate.note})" if estimate.note else ""
        return estimate.short() + note
    return f"{estimate.short()} ({estimate.range()})"
