"""What speaks against every law of a series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from annostat.resampling.intervals import NORMAL_95
from annostat.results.estimates import Estimate
from annostat.results.result import Check
from annostat.scaling.fit import CLASSES, ScalingFit, exact, interval_cell
from annostat.scaling.laws import Law, Power
from annostat.scaling.solve import Points, Prior
from annostat.scaling.together import REFUTED_AT, is_constant


def check_series(
    points: Points,
    fits: Sequence[ScalingFit],
    prior: Prior | None,
    left_out: Sequence[str],
    higher_is_better: bool,
    slope: Estimate,
) -> list[Check]:
    """Look at what the fits assume; `slope` is the naive one, with its interval."""
    best = fits[0]
    checks = []
    if is_constant(points.y):
        text = "All scores are equal: nothing moves with size, so there is no exponent to estimate."
        return [Check("constant", False, text, float(np.exp(points.y[0])))]
    checks.append(_falls(points, fits, slope, higher_is_better))
    if prior is not None:
        beyond = int((np.exp(points.y) < prior.floor).sum())
        text = (
            "No score is beyond the given floor."
            if not beyond
            else (
                f"{beyond} of {points.n} scores are beyond the given floor {prior.floor:g}: noise, "
                "or a floor that is too high."
            )
        )
        checks.append(Check("beyond_floor", not beyond, text, float(beyond)))
    free = next((f for f in fits if f.name == "power_floor"), None)
    interval = free.floor.interval if free is not None and free.floor is not None else None
    if prior is not None and free is not None and interval is not None:
        reach = NORMAL_95 * prior.se
        agrees = interval.low <= prior.floor + reach and interval.high >= prior.floor - reach
        cell = interval_cell(free.floor)
        text = f"The given floor {prior.floor:g} agrees with the free one ({cell})."
        if not agrees:
            text = (
                f"The given floor {prior.floor:g} is not among the free ones ({cell})"
                ": models saturate elsewhere (data, teacher, training); look at the free law."
            )
        checks.append(Check("floor_agrees", agrees, text))
    if exact(best.law):
        text = (
            f"The points lie on the {best.label} up to rounding, as scores of trained models do "
            "not: were they read off a fitted curve? No interval can be given."
        )
        checks.append(Check("noiseless", False, text, best.law.rss))
    else:
        checks += [_lack_of_fit(best.law, points), _unequal(best.law, points)]
    checks = [c for c in checks if c.name]
    if left_out:
        text = (
            f"Too few points for {', '.join(by_label(left_out))}; train more sizes to tell these "
            "apart."
        )
        checks.append(Check("laws_left_out", None, text))
    near = [f for f in fits if f.weight > 0.1]  # none below nine sizes, where nothing is weighed
    if len(near) > 1:
        low, high = min(f.exponent.value for f in near), max(f.exponent.value for f in near)
        text = (
            f"{len(near)} laws explain the points about as well; their exponents run from "
            f"{low:.3g} to {high:.3g}: the interval of one law is not the whole uncertainty."
        )
        checks.append(Check("law", None, text))
    return checks


def by_label(left_out: Sequence[str]) -> list[str]:
    """Return what laws that were left out need, with the laws' names as tables have them."""
    parts = [text.partition(" ") for text in left_out]
    return [f"{CLASSES[name].label} {needs}" for name, _, needs in parts]


def _falls(
    points: Points, fits: Sequence[ScalingFit], slope: Estimate, higher_is_better: bool
) -> Check:
    """Say whether the loss falls with size, grows, or does neither.

    It does neither if the interval of the naive slope holds 0 and no law fits better than a
    constant: a loss that falls first and is flat then has little slope, and a law all the same.
    """
    exponent = Power(points).exponent
    low, high = (slope.value if v is None else v for v in (slope.low, slope.high))
    if low <= 0 <= high and not any(_beats_constant(fit.law, points) for fit in fits):
        text = (
            "No slope is shown: the loss does not visibly fall or grow with size; log–log slope "
            f"{interval_cell(slope)}."
        )
        return Check("falls", None, text, exponent)
    if exponent > 0:
        return Check("falls", True, "The loss falls with size.", exponent)
    turn = (
        ", against what the laws say."
        if higher_is_better
        else ": if higher scores are better, say so (--higher-is-better)."
    )
    return Check("falls", False, f"The loss grows with size{turn}", exponent)


def _beats_constant(law: Law, points: Points) -> bool:
    """Return whether a law fits significantly better than one loss for all sizes (F test)."""
    if exact(law):
        return True
    apart = points.y - float(points.w @ points.y) / float(points.w.sum())
    total = float(apart**2 @ points.w)
    more = law.n_parameters - 1
    f = (total - law.rss) / more / (law.rss / law.dof)
    return f > float(special.fdtri(more, law.dof, REFUTED_AT))


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
