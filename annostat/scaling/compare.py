"""All scaling laws on one series, weighed against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from annostat._version import __version__
from annostat.arrays import FloatArray, digest
from annostat.errors import AnnostatError, check_choice, check_level
from annostat.results.cite import Cited
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number, percent
from annostat.scaling import words
from annostat.scaling.checks import check_series
from annostat.scaling.fit import (
    CLASSES,
    LAWS,
    Prediction,
    ScalingFit,
    fit_law,
    floor_bias,
    floor_law,
    interval_cell,
    prior_of,
    with_weights,
)
from annostat.scaling.slopes import LOSS_KINDS, dimension, log_slope, numbers, positive
from annostat.scaling.solve import Points
from annostat.scaling.together import N_WEIGHED, Together, is_constant, together

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ScalingComparison(Result):
    """All laws on one series: loss against size.

    Attributes
    ----------
    fits : tuple of ScalingFit
        In the order of AICc; below nine sizes, where AICc takes a floor for none, of their
        residual SD, without weights.
    together : Together
        The laws that are not refuted, and the union of their intervals.
    log_slope : Estimate
        The naive log-log slope, with HC3 errors.
    floor_bias : Estimate
        By how much the naive slope misses the exponent if the law with a floor holds: the
        log-log slope of that law's curve at the same sizes, less its exponent.
    dimension : Estimate
        Implied by the exponent of the laws that are not refuted, for `loss_kind`.
    predictions : tuple of (law, Prediction)
        What was asked for, by every law.
    checks : tuple of Check
    provenance : Provenance
    sizes, losses, weights : float64 arrays of shape (n,)
    """

    fits: tuple[ScalingFit, ...]
    together: Together
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
        """The law of the smallest AICc; below nine sizes, of the smallest residual SD."""
        return self.fits[0]

    @property
    def weighed(self) -> bool:
        """Whether there are sizes enough to weigh laws by AICc (nine)."""
        return int(np.unique(self.sizes).size) >= N_WEIGHED

    @property
    def loss_name(self) -> str:
        """Name of what falls with size."""
        return f"1 − {self.score_name}" if self.higher_is_better else self.score_name

    def fit_of(self, law: str) -> ScalingFit:
        """Return the fit of a law by its name."""
        names = [fit.name for fit in self.fits]
        return self.fits[names.index(check_choice("law", law, names))]

    def dimension_for(self, loss_kind: str, *, law: str | None = None) -> Estimate:
        """Return the implied dimension for a kind of loss, from the exponent of a law.

        Without a name it is that of all laws that are not refuted.
        """
        exponent = self.together.exponent if law is None else self.fit_of(law).exponent
        return dimension(exponent, loss_kind)

    def to_dict(self) -> dict[str, Any]:
        """Return the promised JSON object."""
        return {
            "size": self.size_name,
            "score": self.score_name,
            "loss": self.loss_name,
            "n_points": int(self.sizes.size),
            "n_sizes": int(np.unique(self.sizes).size),
            "models": [fit.to_dict() for fit in self.fits],
            "together": self.together.to_dict(),
            "log_slope": self.log_slope.to_dict(),
            "floor_bias": self.floor_bias.to_dict(),
            "dimension": {
                **self.dimension.to_dict(),
                "loss_kind": self.loss_kind,
                "law": ", ".join(self.together.laws),
            },
            "predictions": [{"law": law, **p.to_dict()} for law, p in self.predictions],
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per law and quantity."""
        import pandas as pd

        rows = []
        for fit in self.fits:
            for name in ("exponent", "floor", "n_half", "hinge", "second_exponent"):
                estimate = getattr(fit, name)
                if estimate is not None:
                    rows.append(
                        {
                            "law": fit.name,
                            "quantity": name,
                            **estimate.to_dict(),
                            "aicc": fit.aicc,
                            "weight": fit.weight,
                        }
                    )
        return pd.DataFrame(rows)

    def answer(self) -> str:
        """Return whether larger models help, over all laws that are not refuted."""
        return words.answer(self)

    def quote(self) -> str:
        """Return the exponent with its interval, and the level, over the laws not refuted."""
        return words.quote(self)

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        return words.cited(self)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        best = self.best
        if is_constant(np.log(self.losses)):
            return [self.opening(), check_section(self.checks, when="all")]
        rows = [
            [
                f.label,
                *(interval_cell(e) for e in (f.exponent, f.floor, f.n_half, f.hinge)),
                *(
                    [
                        format_number(f.aicc - best.aicc, 1) if f is not best else "0",
                        f"{f.weight:.2f}" if math.isfinite(f.weight) else "–",
                    ]
                    if self.weighed
                    else [f.residual_sd.short(), "no" if f.name in self.together.laws else "yes"]
                ),
            ]
            for f in self.fits
        ]
        level = percent(best.level)
        table = Section(
            f"Laws ({level} intervals)",
            (
                *("law", "exponent α", "floor E", "N½", "hinge"),
                *(("ΔAICc", "weight") if self.weighed else ("residual SD", "refuted")),
            ),
            rows,
            words.fitted(self),
        )
        slopes = [
            f"Naive log–log slope {interval_cell(self.log_slope)}.",
            *self._bias(),
            *(
                f"Dimension if the loss is {kind} in the error, {k:g}/α: "
                f"{interval_cell(self.dimension_for(kind))}."
                for kind, k in LOSS_KINDS.items()
            ),
            "Read a dimension as a lower bound; data, teacher and training leave floors too.",
        ]
        sections = [self.opening(), table, Section("Slope and dimension", lines=slopes)]
        if self.predictions:
            sections.append(
                Section(
                    "Predictions",
                    ("law", self.size_name, self.loss_name, ""),
                    [
                        [
                            self.fit_of(law).label,
                            f"{p.size:,.6g}",
                            interval_cell(p.loss),
                            "extrapolated" * p.extrapolated,
                        ]
                        for law, p in self.predictions
                    ],
                    ["The interval holds if the law does: beyond the data, compare the laws."],
                )
            )
        return [*sections, check_section(self.checks, when="all")]

    def _bias(self) -> list[str]:
        """Return the sentence on what a floor does to the naive slope."""
        law = floor_law(self.fits)
        if law is None or not math.isfinite(self.floor_bias.value):
            return []
        naive = law.exponent.value + self.floor_bias.value
        return [
            f"A floor hides part of a slope: under the {law.label}, an exponent of "
            f"{law.exponent.value:.2g} shows as {naive:.2g} at these sizes."
        ]


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
        Laws in the order of AICc, and what those that are not refuted say together. Intervals
        are where the profile of ν·log(residual sum of squares), plus the penalty of a given
        floor, rises by ν·log(1 + F/ν), F the quantile of the F distribution with 1 and ν degrees
        of freedom.

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
        # The simple laws need two degrees of freedom; the broken law one more, for its AICc.
        least = k + 2 if name == "broken" else k + 1
        if n_sizes < kind.n_sizes or (size.size < least and name != "power"):
            left_out.append(f"{name} ({least} points of {kind.n_sizes} sizes)")
            continue
        fits.append(fit_law(name, points, given, robust, k, level, centre))
    if not fits:
        raise AnnostatError(f"too few points for the laws asked for; needed: {', '.join(left_out)}")
    fits = with_weights(fits, weighed=n_sizes >= N_WEIGHED)
    kept = together(fits, left_out, level)
    asked = positive("at", np.atleast_1d(at))
    predictions = tuple((f.name, p) for f in fits for p in f.predict(asked))
    slope = log_slope(size, loss, level=level)
    hashed = digest(np.stack([size, loss, weight]))
    options: Mapping[str, Any] = {
        "laws": [f.name for f in fits],
        "left_out": left_out,
        "robust": robust,
        "floor": None if prior is None else prior.floor,
        "floor_se": None if prior is None else prior.se,
        "higher_is_better": higher_is_better,
        "loss_kind": loss_kind,
        "level": level,
    }
    return ScalingComparison(
        fits=tuple(fits),
        together=kept,
        log_slope=slope,
        floor_bias=floor_bias(fits, size),
        dimension=dimension(kept.exponent, loss_kind),
        loss_kind=loss_kind,
        predictions=predictions,
        checks=tuple(check_series(points, fits, prior, left_out, higher_is_better, slope)),
        provenance=Provenance(__version__, hashed, int(size.size), None, options),
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
