"""Sensitivity and specificity of raters from patterns of decisions: the EM behind STAPLE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import Bytes, FloatArray
from annostat.errors import AnnostatError

LEAST = 1e-10  # probabilities stay this far from 0, so that logarithms exist
TABLE = 1 << 16  # up to so many possible codes are counted in a table, more are sorted
TIE = 1e-9  # posteriors closer than this are a tie


def collapse(
    arrays: Sequence[Bytes], present: NDArray[np.bool_] | None, n_labels: int
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """Return each pixel's pattern, the patterns that occur, and their counts in each item.

    A pattern is a number with one digit per rater; the digit n_labels stands for "did not look".
    """
    from annostat.consensus.kernels import add_digit, histogram

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
class DecisionFit:
    """Where the EM ended: confusion of each rater and posterior of each pattern."""

    theta: FloatArray  # (R, truth, decision), NaN where the truth never takes the label
    posterior: FloatArray
    log_likelihood: float
    n_iterations: int
    converged: bool


def fit_decisions(
    patterns: NDArray[np.int64],
    n: FloatArray,
    prior: FloatArray,
    n_labels: int,
    max_iterations: int,
    tolerance: float,
) -> DecisionFit:
    """Run EM on the patterns, from the raters' mean vote."""
    p, r = patterns.shape
    said = one_hot(patterns, n_labels)  # (P, R, L)
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
    return DecisionFit(shown_theta, posterior, float(n @ log_total), steps, converged)


def standard_errors(
    patterns: NDArray[np.int64],
    per_item: NDArray[np.int64],
    prior: FloatArray,
    fit: DecisionFit,
    groups: NDArray[np.int64] | None,
) -> tuple[FloatArray, str, int]:
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
    said = one_hot(patterns, n_labels)
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


def prior_of(
    prior: float | Sequence[float] | None,
    patterns: NDArray[np.int64],
    counts: NDArray[np.int64],
    n_labels: int,
    weight: float,
) -> FloatArray:
    """Return the prior share of each label."""
    if prior is None:
        said = one_hot(patterns, n_labels)
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


def one_hot(patterns: NDArray[np.int64], n_labels: int) -> FloatArray:
    """Return decisions as indicators, float64 of shape (..., n_labels)."""
    return np.asarray(patterns[:, :, None] == np.arange(n_labels), dtype=np.float64)


def tied(posterior: FloatArray) -> NDArray[np.bool_]:
    """Return which patterns have no single most probable label."""
    ordered = np.sort(posterior, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2] <= TIE)


def unanimous(patterns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return in which patterns all raters that decided say the same."""
    most = patterns.max(axis=1, keepdims=True)
    return np.asarray(((patterns == most) | (patterns < 0)).all(axis=1))


def two_raters(
    patterns: NDArray[np.int64], counts: NDArray[np.int64]
) -> dict[tuple[int, int], tuple[float, float]] | None:
    """Return the sharp limits of (rater, label) of two raters of binary masks; None without data.

    The table of the pixels that both looked at has three degrees of freedom, the model five
    parameters. If the raters err independently given the truth, the sensitivity of one is at least
    P(both mark)/P(the other marks), which it has where the other one is perfect, and at most 1; so
    is the specificity, of what is not marked.
    """
    both = (patterns >= 0).all(axis=1)
    total = float(counts[both].sum())
    if not total:
        return None
    limits = {}
    for label in (0, 1):
        mine = patterns[both] == label
        together = float(counts[both][mine.all(axis=1)].sum())
        for r in (0, 1):
            other = float(counts[both][mine[:, 1 - r]].sum())
            if not other:
                return None
            limits[r, label] = (together / other, 1.0)
    return limits
