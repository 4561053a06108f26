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
    base = code_base(n_labels, present is not None and not present.all(), len(arrays))
    n_codes = base ** len(arrays)
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


def code_base(n_labels: int, missing: bool, n_raters: int) -> int:
    """Return the base in which a pattern is a number; refuse what no number holds."""
    base = n_labels + bool(missing)
    if base**n_raters > 2**62:
        raise AnnostatError(
            f"{n_raters} raters with {n_labels} labels are too many patterns to number; use "
            "fewer raters at a time"
        )
    return base


@dataclass(frozen=True)
class DecisionFit:
    """Where the EM ended: confusion of each rater and posterior of each pattern."""

    theta: FloatArray  # (R, truth, decision), NaN where the truth never takes the label
    posterior: FloatArray
    prior: FloatArray
    log_likelihood: float
    n_iterations: int
    converged: bool


def fit_decisions(
    said: FloatArray,
    n: FloatArray,
    prior: FloatArray,
    *,
    max_iterations: int,
    tolerance: float,
    prior_moves: bool = False,
) -> DecisionFit:
    """Run EM on decisions, from the raters' mean vote.

    Parameters
    ----------
    said : float64 array of shape (n_patterns, n_raters, n_labels)
        How often each rater says each label: indicators, or counts of raters who are alike.
    n : float64 array of shape (n_patterns,)
        How often each pattern occurs.
    prior : float64 array of shape (n_labels,)
        Share of each label; where `prior_moves` it is estimated too (Dawid and Skene), and those
        that are 0 stay 0.
    """
    p, r, n_labels = said.shape
    looked = said.sum(axis=2)
    flat = said.reshape(p, r * n_labels)
    weighted = (flat * n[:, None]).T
    seen = (looked * n[:, None]).T
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
        if prior_moves:
            prior = n @ posterior / (n @ posterior).sum()
        with np.errstate(divide="ignore"):
            log_prior = np.log(prior)
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
    return DecisionFit(shown_theta, posterior, prior, float(n @ log_total), steps, converged)


@dataclass(frozen=True)
class Curvature:
    """Scores of patterns and the information of all, by free parameter.

    Attributes
    ----------
    free : int64 array of shape (n_free, 3)
        Rater, truth, decision of each entry of a confusion matrix that is free; its row's diagonal
        takes the rest. Parameters behind these are the prior's.
    labels : int64 array
        Labels whose prior is free; the most frequent one takes the rest.
    score : float64 array of shape (n_patterns, n_parameters)
    information : float64 array of shape (n_parameters, n_parameters)
    """

    free: NDArray[np.int64]
    labels: NDArray[np.int64]
    score: FloatArray
    information: FloatArray

    @property
    def bread(self) -> FloatArray | None:
        """The inverse of the information; None where it has none."""
        try:
            return np.asarray(np.linalg.inv(self.information))
        except np.linalg.LinAlgError:
            return None


def curvature(
    said: FloatArray, n: FloatArray, fit: DecisionFit, *, prior_moves: bool = False
) -> Curvature | None:
    """Return scores and observed information; None where no parameter is free.

    The free parameters of a row are its entries off the diagonal; those at zero are fixed. With
    posterior W and u the derivative of the log-probability of a pattern given truth s, the Hessian
    is Σ n [Σ_s W_s (u_s u_sᵀ + ∂u_s) − (Σ_s W_s u_s)(Σ_s W_s u_s)ᵀ]; of one decision of a rater
    u_s u_sᵀ + ∂u_s vanishes, since its probability is linear in the rater's own row.
    """
    raters, n_labels, _ = fit.theta.shape
    free = np.array(
        [
            (r, s, d)
            for r in range(raters)
            for s in range(n_labels)
            for d in range(n_labels)
            if s != d and fit.theta[r, s, d] > 10 * LEAST and fit.theta[r, s, s] > 10 * LEAST
        ],
        dtype=np.int64,
    ).reshape(-1, 3)
    top = int(np.argmax(fit.prior))
    labels = np.flatnonzero(fit.prior > 10 * LEAST) if prior_moves else np.array([top])
    labels = labels[labels != top]
    if not len(free) or fit.prior.max() == 1:
        return None
    r, s, d = free.T
    x_d, x_s = said[:, r, d], said[:, r, s]
    on, off = fit.theta[r, s, d], fit.theta[r, s, s]
    slope = x_d / on - x_s / off
    score = slope * fit.posterior[:, s]
    second = (s[:, None] == s[None, :]) * ((score * n[:, None]).T @ slope)
    # What a rater's own decisions would add to it twice: the diagonal's share, and each entry's.
    own = (r[:, None] == r[None, :]) & (s[:, None] == s[None, :])
    weight = n[:, None] * fit.posterior[:, s]
    second -= own * ((weight * x_s).sum(axis=0) / off**2)
    second -= np.diag((weight * x_d).sum(axis=0) / on**2)
    if len(labels):
        w, pi = fit.posterior, fit.prior
        of_prior = w[:, labels] / pi[labels] - w[:, [top]] / pi[top]
        held = (s[:, None] == labels[None, :]) / pi[labels] - (s == top)[:, None] / pi[top]
        cross = (n @ score)[:, None] * held
        second = np.block([[second, cross], [cross.T, np.zeros((len(labels),) * 2)]])
        score = np.hstack([score, of_prior])
    return Curvature(free, labels, score, (score * n[:, None]).T @ score - second)


def covariance_of(
    shape: Curvature, sums: FloatArray, weights: FloatArray | None = None
) -> FloatArray | None:
    """Return the sandwich covariance from sums of scores over units, which may stand for several.

    With one unit it is the inverse of the information; None where that has none.
    """
    bread = shape.bread
    if bread is None:
        return None
    weights = np.ones(len(sums)) if weights is None else weights
    n = float(weights.sum())
    if n <= 1:
        return bread
    off = sums - weights @ sums / n
    middle = (off * weights[:, None]).T @ off * n / (n - 1)
    return np.asarray(bread @ middle @ bread)


def standard_errors(
    said: FloatArray,
    per_item: NDArray[np.int64],
    fit: DecisionFit,
    groups: NDArray[np.int64] | None,
) -> tuple[FloatArray, str, int]:
    """Return standard errors of the diagonal of the confusion matrices, how, and of how many units.

    `per_item` counts the patterns of each item; the prior is held fixed.
    """
    raters, n_labels, _ = fit.theta.shape
    out = np.full((raters, n_labels), np.nan)
    shape = curvature(said, per_item.sum(axis=0).astype(np.float64), fit)
    if shape is None:
        return out, "", 0
    sums = np.asarray(per_item @ shape.score)
    if groups is not None:
        clustered = np.zeros((int(groups.max()) + 1, sums.shape[1]))
        np.add.at(clustered, groups, sums)
        sums = clustered
    covariance = covariance_of(shape, sums)
    if covariance is None:
        return out, "", 0
    how = "observed information, pixels taken as independent"
    if len(sums) > 1:
        how = f"sandwich, {len(sums)} {'items' if groups is None else 'clusters'}"
    return diagonal_errors(shape, covariance, (raters, n_labels)), how, len(sums)


def diagonal_errors(shape: Curvature, covariance: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Return standard errors of the diagonal, of shape (n_raters, n_labels); NaN at an edge."""
    out = np.full(size, np.nan)
    r, s, _ = shape.free.T
    for rater in range(size[0]):
        for label in range(size[1]):
            mine = np.flatnonzero((r == rater) & (s == label))
            variance = covariance[np.ix_(mine, mine)].sum() if mine.size else np.nan
            if variance > 0:
                out[rater, label] = math.sqrt(variance)
    return out


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
