"""STAPLE: the truth behind several raters' masks, and how good each rater is.

The raters' decisions on a pixel are one code. Pixels with the same code have the same posterior,
so that after one pass over the pixels an iteration costs as much as there are codes in use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat._version import __version__
from annostat.arrays import Bytes, FloatArray, digest
from annostat.consensus.decisions import (
    LEAST,
    TIE,
    DecisionFit,
    fit_decisions,
    one_hot,
    prior_of,
    standard_errors,
    tied,
    two_raters,
    unanimous,
)
from annostat.consensus.mask_patterns import decisions_of
from annostat.errors import AnnostatError, check_choice, check_count, check_level, check_number
from annostat.labels.mask_arrays import as_array, as_masks, check_labels
from annostat.labels.masks import MaskRounds
from annostat.labels.packed_masks import PackedMasks
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_number

if TYPE_CHECKING:
    import pandas as pd


OPEN = "two raters do not identify it: the limits are those of all truths that explain both"
ALONE = (
    "one item (or patient): pixels are taken as independent, and where neighbours err together, as "
    "along an edge, the interval is several times too narrow"
)


@dataclass(frozen=True, eq=False)
class Staple(Result):
    """The truth estimated from several raters' masks, and the quality of each rater.

    Attributes
    ----------
    names : tuple of str
        Raters.
    labels : tuple of int
        Labels with background first: (0, 1) for binary masks.
    confusion : float64 array of shape (n_raters, n_labels, n_labels)
        Probability that a rater says the column where the truth is the row; NaN where the truth
        never takes that label.
    quality : dict
        Estimate of `confusion` on the diagonal, by (rater, label). Of binary masks,
        (rater, 1) is the sensitivity and (rater, 0) the specificity.
    prior : float64 array of shape (n_labels,)
    patterns : int64 array of shape (n_patterns, n_raters)
        The decisions that occur, as places in `labels`; -1 where a rater did not look.
    counts : int64 array of shape (n_patterns,)
        Pixels of each pattern, within the region.
    posterior : float64 array of shape (n_patterns, n_labels)
        Probability of each label given the pattern.
    codes : unsigned array of shape (N, H, W) (the masks' own) or None
        Pattern of each pixel; None of packed masks, which are too many to be laid out at once.
    n_undecided : int
        Pixels whose two most probable labels tie; `mask` gives them the lower label.
    log_likelihood : float
    n_iterations : int
    converged : bool
    """

    names: tuple[str, ...]
    labels: tuple[int, ...]
    confusion: FloatArray
    quality: dict[tuple[str, int], Estimate]
    prior: FloatArray
    patterns: NDArray[np.int64]
    counts: NDArray[np.int64]
    posterior: FloatArray
    codes: NDArray[Any] | None
    n_undecided: int
    log_likelihood: float
    n_iterations: int
    converged: bool
    checks: tuple[Check, ...]
    provenance: Provenance

    @property
    def sensitivity(self) -> tuple[Estimate, ...]:
        """Of each rater, P(marked | truly inside); of several labels, of the first one."""
        return tuple(self.quality[name, self.labels[1]] for name in self.names)

    @property
    def specificity(self) -> tuple[Estimate, ...]:
        """Of each rater, P(not marked | truly outside)."""
        return tuple(self.quality[name, 0] for name in self.names)

    @property
    def mask(self) -> NDArray[Any]:
        """The most probable label of each pixel; ties take the lower label."""
        return _spread(self._decisions(), self.codes)

    @property
    def undecided(self) -> NDArray[np.bool_]:
        """Pixels whose two most probable labels tie."""
        return _spread(tied(self.posterior), self.codes)

    def probability(self, label: int | None = None) -> FloatArray:
        """Return the posterior probability of a label (the first one) in each pixel."""
        wanted = self.labels[1] if label is None else label
        if wanted not in self.labels:
            raise AnnostatError(f"label must be one of {self.labels}, got {label!r}")
        return _spread(self.posterior[:, self.labels.index(wanted)], self.codes)

    def _decisions(self) -> NDArray[Any]:
        best = self.posterior.max(axis=1, keepdims=True)
        first = np.argmax(self.posterior >= best - TIE, axis=1)
        kind = np.uint8 if max(self.labels) < 256 else np.int64
        decided: NDArray[Any] = np.asarray(self.labels, dtype=kind)[first]
        return decided

    def to_frame(self) -> pd.DataFrame:
        """Return one row per rater and label."""
        import pandas as pd

        rows = [
            {
                "rater": name,
                "label": label,
                "meaning": _meaning(label, self.labels),
                **estimate.to_dict(),
            }
            for (name, label), estimate in self.quality.items()
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        from annostat.results.text import plain

        raters: dict[str, Any] = {name: {} for name in self.names}
        for (name, label), estimate in self.quality.items():
            raters[name][_meaning(label, self.labels)] = estimate.to_dict()
        out = {
            "raters": raters,
            "confusion": dict(zip(self.names, self.confusion, strict=True)),
            "labels": list(self.labels),
            "prior": self.prior,
            "n_pixels": int(self.counts.sum()),
            "n_unanimous": self.n_unanimous,
            "n_undecided": self.n_undecided,
            "log_likelihood": self.log_likelihood,
            "n_iterations": self.n_iterations,
            "converged": self.converged,
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }
        whole: dict[str, Any] = plain(out)
        return whole

    @property
    def n_unanimous(self) -> int:
        """Pixels on which all raters who looked agree."""
        return int(self.counts[unanimous(self.patterns)].sum())

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        total = int(self.counts.sum())
        lines = [
            f"{len(self.names)} raters, {total:,} pixels, of which "
            f"{100 * self.n_unanimous / max(total, 1):.2f}% unanimous; "
            f"{self.n_undecided:,} undecided (ties); {len(self.counts)} patterns, "
            f"{self.n_iterations} iterations.",
        ]
        binary = len(self.labels) == 2
        shown_labels = (self.labels[1], 0) if binary else self.labels
        columns = ["rater"]
        for label in shown_labels:
            columns += [_meaning(label, self.labels), "interval"]
        rows = []
        for name in self.names:
            row = [name]
            for label in shown_labels:
                found = self.quality[name, label]
                row += ["–" if found.note == OPEN else found.short(), found.range()]
            rows.append(row)
        prior = ", ".join(
            f"{label}: {format_number(float(p))}"
            for label, p in zip(self.labels, self.prior, strict=True)
        )
        notes = [
            f"Prior of the labels ({prior}), held fixed. Raters are taken to err independently "
            "given the truth: where an edge is hard for all of them, they look too good."
        ]
        notes += sorted({e.note for e in self.quality.values() if e.note})
        return [
            Section("STAPLE: quality of each rater", columns, rows, lines + notes),
            check_section(self.checks),
        ]


def staple(
    masks: Any,
    *,
    labels: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    present: Any = None,
    region: str = "all",
    margin: int = 0,
    prior: float | Sequence[float] | None = None,
    confidence_weight: float = 1.0,
    cluster: Sequence[object] | None = None,
    level: float = 0.95,
    max_iterations: int = 10_000,
    tolerance: float = 1e-10,
    n_jobs: int | None = 1,
) -> Staple:
    """Estimate the truth behind several raters' masks, and each rater's quality.

    Parameters
    ----------
    masks : MaskRounds, mapping of rater to array, array-like of shape (R, [N,] H, W), or a list
        Binary masks ({0, 1}, booleans, {0, 255}), or labels with `labels`.
    labels : sequence of int, optional
        Labels of several structures; 0 is background.
    names : sequence of str, optional
        Names of the raters.
    present : bool array of shape (R, N), optional
        Which rater looked at which item (the axis after the raters).
    region : {"all", "box"}
        "box" counts the pixels of each item's smallest box that holds all that anybody marked,
        grown by `margin`. Specificity, the prior and through it the mask depend on how much
        undisputed background there is; with the box they no longer depend on the image's size.
    prior : float or sequence, optional
        Probability of the label (of each label, background first). By default the mean share over
        raters within the region, times `confidence_weight` as in ITK.
    cluster : sequence of length N, optional
        Patient of each item, for the standard errors.
    level : float
        Of the intervals.
    max_iterations, tolerance
        Iterate until no entry of a confusion matrix moves by more than `tolerance`.
    n_jobs : int or None
        Workers that count the pixels of packed masks.

    Returns
    -------
    Staple

    Raises
    ------
    AnnostatError
        Values outside the labels, shapes that differ, a rater without any mask.

    Notes
    -----
    Warfield, Zou & Wells (2004), IEEE Trans Med Imaging 23(7):903-921. EM starts from the raters'
    mean vote and runs in logarithms, with probabilities kept within 1e-10 of 0 and 1. The
    standard errors are the clustered sandwich over items (or patients), with the prior held fixed;
    intervals are logit ± t. One item alone has those of the observed information, which counts
    pixels as independent: neighbours are not, and the note says so. Raters are taken to err
    independently given the truth. Where an edge is hard for all of them they do not, and their
    sensitivity comes out too high, whatever the number of items. Two raters of binary masks do not
    identify their qualities: the interval is then `two_raters`, at level 1. A rater's
    sensitivity is NaN if no pixel is inside at all (all masks empty), the specificity if none is
    outside; the mask is then the raters' common one.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat.consensus import staple
    >>> truth = np.zeros((40, 40), bool)
    >>> truth[10:30, 10:30] = True
    >>> rng = np.random.default_rng(1)
    >>> votes = [truth ^ (rng.random(truth.shape) < wrong) for wrong in (0.02, 0.05, 0.3)]
    >>> result = staple(votes)
    >>> bool((result.mask == truth).mean() > 0.98)
    True
    >>> [round(e.value, 1) for e in result.sensitivity]
    [1.0, 0.9, 0.7]
    """
    check_choice("region", region, ("all", "box"))
    level = check_level(level)
    margin = check_count("margin", margin)
    check_number("tolerance", tolerance, low=0, open_ends=True)
    max_iterations = check_count("max_iterations", max_iterations, low=1)
    weight = check_number("confidence_weight", confidence_weight, low=0, open_ends=True)
    if isinstance(masks, Mapping):
        masks = MaskRounds.from_arrays(masks, labels=labels)
    if isinstance(masks, MaskRounds):
        arrays: Any = masks.values
        arrays = arrays if isinstance(arrays, PackedMasks) else list(arrays)
        known, raters = masks.labels, masks.names
        there: NDArray[np.bool_] | None = masks.drawn
        patients = masks.cluster if cluster is None else cluster
    else:
        arrays, there = _stack(masks, labels, present)
        patients = cluster
        known = (1,) if labels is None else check_labels(labels)
        raters = (
            tuple(names)
            if names is not None
            else tuple(f"rater_{i + 1}" for i in range(len(arrays)))
        )
        if len(raters) != len(arrays) or len(set(raters)) != len(raters):
            raise AnnostatError(f"names must be {len(arrays)} different names, got {raters!r}")
    n_labels = len(known) + 1
    around = margin if region == "box" else None
    codes, patterns, per_item = decisions_of(arrays, there, n_labels, margin=around, n_jobs=n_jobs)
    counts = per_item.sum(axis=0)
    if not counts.any():  # nobody marked anything anywhere: the box is empty
        counts = per_item.sum(axis=0) + (patterns <= 0).all(axis=1)
    shares = prior_of(prior, patterns, counts, n_labels, weight)
    said = one_hot(patterns, n_labels)
    fit = fit_decisions(
        said,
        counts.astype(np.float64),
        shares,
        max_iterations=max_iterations,
        tolerance=tolerance,
    )
    groups = cluster_codes(None if patients is None else list(patients))
    if groups is not None and len(groups) != len(per_item):
        raise AnnostatError(f"cluster has {len(groups)} entries for {len(per_item)} items")
    spread, how, units = standard_errors(said, per_item, fit, groups)
    all_labels = (0, *known)
    quality = {}
    for r, name in enumerate(raters):
        for s, label in enumerate(all_labels):
            quality[name, label] = _estimate(
                float(fit.theta[r, s, s]), float(spread[r, s]), level, how, units
            )
    brackets = two_raters(patterns, counts) if len(raters) == 2 and n_labels == 2 else None
    if brackets is not None:
        for (r, s), (low, high) in brackets.items():
            found = quality[raters[r], all_labels[s]]
            limits = Interval(low, high, 1.0, "all that two raters leave open")
            quality[raters[r], all_labels[s]] = Estimate(found.value, None, limits, "", OPEN)
    n_tied = int(counts[tied(fit.posterior)].sum())
    hashed = digest(patterns, per_item)
    options = {
        "region": region,
        "margin": margin,
        "confidence_weight": weight,
        "level": level,
        "max_iterations": max_iterations,
        "tolerance": tolerance,
        "labels": list(all_labels),
    }
    return Staple(
        raters,
        all_labels,
        fit.theta,
        quality,
        shares,
        patterns,
        counts,
        fit.posterior,
        codes,
        n_tied,
        fit.log_likelihood,
        fit.n_iterations,
        fit.converged,
        _checks(fit, raters, patterns, counts, region, n_tied),
        Provenance(__version__, hashed, len(per_item), None, options),
    )


def _estimate(value: float, spread: float, level: float, how: str, units: int) -> Estimate:
    if math.isnan(value):
        return Estimate(value, None, None, "", "undefined: the truth never takes this label")
    if math.isnan(spread):
        edge = value > 1 - 100 * LEAST or value < 100 * LEAST
        return Estimate(value, None, None, "", "at the edge, no standard error" if edge else "")
    # With the sandwich of few units, the normal quantile covers 88 to 93%; t holds from two on.
    quantile = t_reach(units - 1 if units > 1 else math.inf, level)
    centre, width = special.logit(value), quantile * spread / (value * (1 - value))
    low, high = (float(special.expit(centre + side * width)) for side in (-1, 1))
    method = f"logit {'t' if units > 1 else 'Wald'} ({how})"
    return Estimate(
        value, spread, Interval(low, high, level, method), "", ALONE if units == 1 else ""
    )


def _checks(
    fit: DecisionFit,
    names: Sequence[str],
    patterns: NDArray[np.int64],
    counts: NDArray[np.int64],
    region: str,
    tied: int,
) -> tuple[Check, ...]:
    checks = []
    text = f"EM converged in {fit.n_iterations} iterations."
    if not fit.converged:
        text = f"EM did not converge in {fit.n_iterations} iterations: raise max_iterations."
    checks.append(Check("converged", fit.converged, text, float(fit.n_iterations)))
    total = max(int(counts.sum()), 1)
    nobody = float(counts[(patterns <= 0).all(axis=1)].sum()) / total
    text = f"{100 * nobody:.1f}% of the pixels are background that nobody marked"
    if region == "all":
        text += "; specificity, prior and mask depend on it: compare with region='box'."
    else:
        text += " (of the boxes around all that was marked)."
    checks.append(Check("background", None if region == "all" else True, text, nobody))
    share = tied / total
    text = f"{tied:,} pixels are undecided (their two most probable labels tie)."
    checks.append(Check("ties", tied == 0, text, share))
    with np.errstate(invalid="ignore"):
        trace = np.nansum(np.diagonal(fit.theta, axis1=1, axis2=2), axis=1)
    worse = [n for n, t in zip(names, trace, strict=True) if t <= 1 - 1e-9]
    if worse and not np.isnan(fit.theta).any():
        text = f"{', '.join(worse)} answers no better than chance: look at these masks."
        checks.append(Check("better_than_chance", False, text))
    if len(names) == 2 and not np.isnan(fit.theta).any():
        text = (
            "Two raters do not identify their qualities: what EM settles on is one answer of many. "
            "Printed is the range of all, if raters err independently; a third rater decides."
        )
        checks.append(Check("identified", False, text))
    return tuple(checks)


def _stack(
    masks: Any, labels: Sequence[int] | None, present: Any
) -> tuple[list[Bytes], NDArray[np.bool_] | None]:
    whole = masks if isinstance(masks, (list, tuple)) else as_array("masks", masks)
    if len(whole) < 2:
        raise AnnostatError(f"masks must come from two or more raters, got {len(whole)}")
    arrays = [as_masks(f"masks[{r}]", mask, labels) for r, mask in enumerate(whole)]
    for r, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise AnnostatError(
                f"masks[{r}] has shape {array.shape}, masks[0] {arrays[0].shape}; all raters need "
                "the same items and image size"
            )
    if present is None:
        return arrays, None
    there = np.asarray(present, dtype=bool)
    items = 1 if arrays[0].ndim == 2 else len(arrays[0])
    if there.shape != (len(arrays), items):
        raise AnnostatError(
            f"present must have shape ({len(arrays)}, {items}) (raters × items), got {there.shape}"
        )
    if not there.any(axis=1).all():
        absent = np.flatnonzero(~there.any(axis=1))
        raise AnnostatError(f"rater {absent[0]} has no mask at all; leave that rater out")
    if not there.any(axis=0).all():
        raise AnnostatError(f"nobody drew item {np.flatnonzero(~there.any(axis=0))[0]}")
    return arrays, there


def _spread(values: NDArray[Any], codes: NDArray[Any] | None) -> NDArray[Any]:
    """Return the value of each pixel's pattern."""
    if codes is None:
        raise AnnostatError(
            "the masks are more than can be laid out at once, and so is STAPLE's; take some of the "
            "items (MaskRounds.take)"
        )
    from annostat.consensus.kernels import look_up

    out = np.empty(codes.shape, dtype=values.dtype)
    look_up(np.ascontiguousarray(values), codes.reshape(-1), out.reshape(-1))
    return out


def _meaning(label: int, labels: tuple[int, ...]) -> str:
    if len(labels) == 2:
        return "sensitivity" if label else "specificity"
    return f"P({label} | {label})"
