"""STAPLE: the truth behind several raters' masks, and how good each rater is.

The raters' decisions on a pixel are one code. Pixels with the same code have the same posterior,
so that after one pass over the pixels an iteration costs as much as there are codes in use.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat._version import __version__
from annostat.errors import AnnostatError, check_choice, check_count, check_level, check_number
from annostat.estimates import (
    Check,
    Estimate,
    Interval,
    Provenance,
    Result,
    Section,
    check_section,
    format_number,
)
from annostat.masks.arrays import Bytes, as_array, as_masks, box_of, check_labels
from annostat.masks.rounds import MaskRounds
from annostat.resampling import cluster_codes

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
LEAST = 1e-10  # probabilities stay this far from 0, so that logarithms exist
TIE = 1e-9  # posteriors closer than this are a tie
TABLE = 1 << 16  # up to so many possible codes are counted in a table, more are sorted
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
    codes : unsigned array of shape (N, H, W) (the masks' own)
        Pattern of each pixel.
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
    codes: NDArray[Any]
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
        return _spread(_tied(self.posterior), self.codes)

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
            {"rater": name, "label": label, "meaning": _meaning(label, self.labels),
             **estimate.to_dict()}
            for (name, label), estimate in self.quality.items()
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        from annostat.estimates import plain

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
        plain_out = plain(out)
        assert isinstance(plain_out, dict)
        return plain_out

    @property
    def n_unanimous(self) -> int:
        """Pixels on which all raters who looked agree."""
        return int(self.counts[_unanimous(self.patterns)].sum())

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
                row += [self.quality[name, label].short(), self.quality[name, label].range()]
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
    sensitivity comes out too high, whatever the number of items. A rater's
    sensitivity is NaN if no pixel is inside at all (all masks empty), the specificity if none is
    outside; the mask is then the raters' common one.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat.masks import staple
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
        arrays, known, raters = list(masks.values), masks.labels, masks.names
        there: NDArray[np.bool_] | None = masks.present
        patients = masks.cluster if cluster is None else cluster
    else:
        arrays, there = _stack(masks, labels, present)
        patients = cluster
        known = (1,) if labels is None else check_labels(labels)
        raters = tuple(names) if names is not None else tuple(
            f"rater_{i + 1}" for i in range(len(arrays))
        )  # fmt: skip
        if len(raters) != len(arrays) or len(set(raters)) != len(raters):
            raise AnnostatError(f"names must be {len(arrays)} different names, got {raters!r}")
    n_labels = len(known) + 1
    shape = arrays[0].shape
    codes, patterns, per_item = collapse(arrays, there, n_labels)
    if region == "box":
        per_item = _within_boxes(arrays, patterns, per_item, margin)
    counts = per_item.sum(axis=0)
    if not counts.any():  # nobody marked anything anywhere: the box is empty
        counts = per_item.sum(axis=0) + (patterns <= 0).all(axis=1)
    shares = _prior(prior, patterns, counts, n_labels, weight)
    fit = _fit(patterns, counts.astype(np.float64), shares, n_labels, max_iterations, tolerance)
    groups = cluster_codes(None if patients is None else list(patients))
    if groups is not None and len(groups) != len(per_item):
        raise AnnostatError(f"cluster has {len(groups)} entries for {len(per_item)} items")
    spread, how, units = _standard_errors(patterns, per_item, shares, fit, groups)
    all_labels = (0, *known)
    quality = {}
    for r, name in enumerate(raters):
        for s, label in enumerate(all_labels):
            quality[name, label] = _estimate(
                float(fit.theta[r, s, s]), float(spread[r, s]), level, how, units
            )
    tied = int(counts[_tied(fit.posterior)].sum())
    hashed = hashlib.sha256(np.ascontiguousarray(patterns).tobytes() + per_item.tobytes())
    options = {
        "region": region, "margin": margin, "confidence_weight": weight, "level": level,
        "max_iterations": max_iterations, "tolerance": tolerance, "labels": list(all_labels),
    }  # fmt: skip
    return Staple(
        raters,
        all_labels,
        fit.theta,
        quality,
        shares,
        patterns,
        counts,
        fit.posterior,
        codes.reshape(shape),
        tied,
        fit.log_likelihood,
        fit.n_iterations,
        fit.converged,
        _checks(fit, raters, patterns, counts, region, tied),
        Provenance(__version__, hashed.hexdigest()[:16], len(per_item), None, options),
    )


def collapse(
    arrays: Sequence[Bytes], present: NDArray[np.bool_] | None, n_labels: int
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """Return each pixel's pattern, the patterns that occur, and their counts in each item.

    A pattern is a number with one digit per rater; the digit n_labels stands for "did not look".
    """
    from annostat.masks.kernels import add_digit, histogram

    first = arrays[0]
    n_items = 1 if first.ndim == 2 else len(first)
    missing = present is not None and not present.all()
    base = n_labels + missing
    n_codes = base ** len(arrays)
    if n_codes > 2**62:
        raise AnnostatError(
            f"{len(arrays)} raters with {n_labels} labels are too many patterns to number; use "
            "fewer raters at a time"
        )
    kind = next(
        k for k in (np.uint8, np.uint16, np.uint32, np.int64) if n_codes - 1 <= np.iinfo(k).max
    )
    codes = np.zeros((n_items, first.size // n_items), dtype=kind)
    for r, array in enumerate(arrays):
        flat = array.reshape(n_items, -1)
        digit = kind(base**r)
        if present is None or present[r].all():
            add_digit(codes.reshape(-1), flat.reshape(-1), digit)
            continue
        for i in range(n_items):
            if present[r, i]:
                add_digit(codes[i], flat[i], digit)
            else:
                codes[i] += kind(n_labels) * digit
    if n_codes <= TABLE:
        table = np.zeros((n_items, n_codes), dtype=np.int64)
        for i in range(n_items):
            histogram(codes[i], table[i])
        used = np.flatnonzero(table.any(axis=0))
        per_item = table[:, used]
        place = np.zeros(n_codes, dtype=kind)
        place[used] = np.arange(used.size)
        if used.size < n_codes:
            codes = place[codes]
    else:
        used, inverse = np.unique(codes, return_inverse=True)
        codes = inverse.reshape(codes.shape)
        per_item = np.stack([np.bincount(row, minlength=used.size) for row in codes])
    digits = (used[:, None] // base ** np.arange(len(arrays))[None, :]) % base
    return codes, np.where(digits == n_labels, -1, digits).astype(np.int64), per_item


@dataclass(frozen=True)
class _Fit:
    theta: FloatArray  # (R, truth, decision), NaN where the truth never takes the label
    posterior: FloatArray
    log_likelihood: float
    n_iterations: int
    converged: bool


def _fit(
    patterns: NDArray[np.int64], n: FloatArray, prior: FloatArray, n_labels: int,
    max_iterations: int, tolerance: float,
) -> _Fit:  # fmt: skip
    """Run EM on the patterns, from the raters' mean vote."""
    p, r = patterns.shape
    said = _one_hot(patterns, n_labels)  # (P, R, L)
    looked = said.sum(axis=2)
    flat = said.reshape(p, r * n_labels)
    weighted = (flat * n[:, None]).T
    seen = (looked * n[:, None]).T
    with np.errstate(divide="ignore"):
        log_prior = np.log(prior)
    posterior = said.sum(axis=1) / looked.sum(axis=1, keepdims=True)
    posterior[:, prior == 0] = 0
    before = np.full((r, n_labels, n_labels), np.inf)
    converged = False
    steps, log_total = 0, np.zeros(p)
    theta = before
    while steps < max_iterations and not converged:
        steps += 1
        number = (weighted @ posterior).reshape(r, n_labels, n_labels).transpose(0, 2, 1)
        of_truth = (seen @ posterior)[:, :, None]
        # A label that the truth never takes: nothing is known, and nothing follows from it.
        theta = np.where(of_truth > 0, number / np.where(of_truth > 0, of_truth, 1), 1 / n_labels)
        theta = np.maximum(theta, LEAST)
        theta /= theta.sum(axis=2, keepdims=True)
        logs = np.log(theta).transpose(0, 2, 1).reshape(r * n_labels, n_labels)
        joint = flat @ logs + log_prior
        top = joint.max(axis=1, keepdims=True)
        posterior = np.exp(joint - top)
        total = posterior.sum(axis=1, keepdims=True)
        posterior /= total
        log_total = (top + np.log(total))[:, 0]
        converged = bool(np.abs(theta - before).max() <= tolerance)
        before = theta
    shown_theta = np.where(of_truth > 0, theta, np.nan)
    return _Fit(shown_theta, posterior, float(n @ log_total), steps, converged)


def _standard_errors(
    patterns: NDArray[np.int64], per_item: NDArray[np.int64], prior: FloatArray, fit: _Fit,
    groups: NDArray[np.int64] | None,
) -> tuple[FloatArray, str, int]:  # fmt: skip
    """Return standard errors of the diagonal of the confusion matrices, how, and of how many units.

    The free parameters of a row are its entries off the diagonal; those at zero are fixed. With
    posterior W and u the derivative of the log-probability of a pattern given truth s, which is
    linear in each rater's own row, the Hessian is
    Σ n [Σ_s W_s u_s u_sᵀ (different raters) − (Σ_s W_s u_s)(Σ_s W_s u_s)ᵀ].
    """
    raters, n_labels, _ = fit.theta.shape
    free = [
        (r, s, d)
        for r in range(raters)
        for s in range(n_labels)
        for d in range(n_labels)
        if s != d and fit.theta[r, s, d] > 10 * LEAST and fit.theta[r, s, s] > 10 * LEAST
    ]
    out = np.full((raters, n_labels), np.nan)
    if not free or prior.max() == 1:
        return out, "", 0
    said = _one_hot(patterns, n_labels)
    r, s, d = np.array(free).T
    slope = said[:, r, d] / fit.theta[r, s, d] - said[:, r, s] / fit.theta[r, s, s]
    score = slope * fit.posterior[:, s]
    n = per_item.sum(axis=0).astype(np.float64)
    apart = (s[:, None] == s[None, :]) & (r[:, None] != r[None, :])
    information = (score * n[:, None]).T @ score - apart * ((score * n[:, None]).T @ slope)
    try:
        covariance = np.linalg.inv(information)
    except np.linalg.LinAlgError:
        return out, "", 0
    how = "observed information, pixels taken as independent"
    sums = per_item @ score
    if groups is not None:
        clustered = np.zeros((int(groups.max()) + 1, sums.shape[1]))
        np.add.at(clustered, groups, sums)
        sums = clustered
    if len(sums) > 1:
        sums = sums - sums.mean(axis=0)
        middle = sums.T @ sums * len(sums) / (len(sums) - 1)
        covariance = covariance @ middle @ covariance
        how = f"sandwich, {len(sums)} {'items' if groups is None else 'clusters'}"
    for rater in range(raters):
        for label in range(n_labels):
            mine = np.flatnonzero((r == rater) & (s == label))
            variance = covariance[np.ix_(mine, mine)].sum() if mine.size else np.nan
            if variance > 0:
                out[rater, label] = math.sqrt(variance)
    return out, how, len(sums)


def _estimate(value: float, spread: float, level: float, how: str, units: int) -> Estimate:
    if math.isnan(value):
        return Estimate(value, None, None, "", "undefined: the truth never takes this label")
    if math.isnan(spread):
        edge = value > 1 - 100 * LEAST or value < 100 * LEAST
        return Estimate(value, None, None, "", "at the edge, no standard error" if edge else "")
    # With the sandwich of few units, the normal quantile covers 88 to 93%; t holds from two on.
    tail = (1 + level) / 2
    quantile = float(special.stdtrit(units - 1, tail) if units > 1 else special.ndtri(tail))
    centre, width = special.logit(value), quantile * spread / (value * (1 - value))
    low, high = (float(special.expit(centre + side * width)) for side in (-1, 1))
    method = f"logit {'t' if units > 1 else 'Wald'} ({how})"
    return Estimate(
        value, spread, Interval(low, high, level, method), "", ALONE if units == 1 else ""
    )


def _checks(
    fit: _Fit, names: Sequence[str], patterns: NDArray[np.int64], counts: NDArray[np.int64],
    region: str, tied: int,
) -> tuple[Check, ...]:  # fmt: skip
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
    return tuple(checks)


def _prior(
    prior: float | Sequence[float] | None, patterns: NDArray[np.int64], counts: NDArray[np.int64],
    n_labels: int, weight: float,
) -> FloatArray:  # fmt: skip
    if prior is None:
        said = _one_hot(patterns, n_labels)
        looks = said.sum(axis=(1, 2))
        shares = np.einsum("p,prl->l", counts / max(float(counts @ looks), 1.0), said)
        shares[1:] *= weight
        if shares[1:].sum() > 1:
            raise AnnostatError(f"confidence_weight {weight} makes the prior exceed 1")
        shares[0] = 1 - shares[1:].sum()
        return np.asarray(np.clip(shares, 0, 1))
    values = np.atleast_1d(np.asarray(prior, dtype=np.float64))
    if values.shape == (1,) and n_labels == 2:
        values = np.array([1 - values[0], values[0]])
    fine = values.shape == (n_labels,) and (values > 0).all() and abs(values.sum() - 1) < 1e-9
    if not fine:
        raise AnnostatError(
            f"prior must be a probability for the label, or {n_labels} that sum to 1, got {prior!r}"
        )
    return values


def _within_boxes(
    arrays: Sequence[Bytes], patterns: NDArray[np.int64], per_item: NDArray[np.int64], margin: int
) -> NDArray[np.int64]:
    """Reduce the pixels that nobody marked to those of the boxes: all others lie inside them."""
    single = arrays[0].ndim == 2
    out = per_item.copy()
    nobody = (patterns <= 0).all(axis=1)
    for i in range(len(per_item)):
        marked = np.zeros(arrays[0].shape if single else arrays[0].shape[1:], dtype=bool)
        for array in arrays:
            marked |= (array if single else array[i]) > 0
        box = box_of(marked, margin)
        size = 0 if box is None else math.prod(b.stop - b.start for b in box)
        outside = marked.size - size
        here = np.flatnonzero(nobody & (per_item[i] > 0))
        if here.size:
            out[i, here[0]] -= outside
    return out


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


def _spread(values: NDArray[Any], codes: NDArray[Any]) -> NDArray[Any]:
    """Return the value of each pixel's pattern."""
    from annostat.masks.kernels import look_up

    out = np.empty(codes.shape, dtype=values.dtype)
    look_up(np.ascontiguousarray(values), codes.reshape(-1), out.reshape(-1))
    return out


def _one_hot(patterns: NDArray[np.int64], n_labels: int) -> FloatArray:
    return np.asarray(patterns[:, :, None] == np.arange(n_labels), dtype=np.float64)


def _tied(posterior: FloatArray) -> NDArray[np.bool_]:
    ordered = np.sort(posterior, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2] <= TIE)


def _unanimous(patterns: NDArray[np.int64]) -> NDArray[np.bool_]:
    most = patterns.max(axis=1, keepdims=True)
    return np.asarray(((patterns == most) | (patterns < 0)).all(axis=1))


def _meaning(label: int, labels: tuple[int, ...]) -> str:
    if len(labels) == 2:
        return "sensitivity" if label else "specificity"
    return f"P({label} | {label})"


__all__ = ["Staple", "staple"]
