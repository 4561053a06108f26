"""One label for each item from those of several raters: the majority, or Dawid and Skene's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat._version import __version__
from annostat.arrays import FloatArray, IntArray
from annostat.consensus.category_result import DAWID_SKENE, MAJORITY, MergedCategories
from annostat.consensus.decisions import (
    LEAST,
    Curvature,
    DecisionFit,
    covariance_of,
    curvature,
    diagonal_errors,
    fit_decisions,
    tied,
)
from annostat.consensus.goodness import difficulty_check, patterns_of
from annostat.errors import AnnostatError, check_choice, check_count, check_level, check_number
from annostat.labels.categories import MISSING, Categories
from annostat.resampling.generators import Rng
from annostat.resampling.intervals import t_reach
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance
from annostat.results.text import counted

METHODS = (MAJORITY, DAWID_SKENE)
ALL = "all raters"  # the name of raters who have none
EDGE = "at the edge, no standard error"


def merge_categories(
    labels: Categories,
    *,
    method: str = MAJORITY,
    level: float = 0.95,
    n_resamples: int = 99,
    rng: Rng = 0,
    max_iterations: int = 10_000,
    tolerance: float = 1e-8,
) -> MergedCategories:
    """Return one label for each item, made of those of all raters.

    Parameters
    ----------
    labels : Categories
        One label per item or more; missing ones are allowed. Clusters are the independent units.
    method : {"majority", "dawid-skene"}
        "majority": the most frequent label; ties are left without one. "dawid-skene": the most
        probable label if every item has a true class, all items of a class are equally hard, and
        raters err independently; it needs items with three labels.
    level : float
        Of the intervals.
    n_resamples : int
        Sets of labels that the fit is tested against ("dawid-skene"); 0 for no test.
    rng : None, int or Generator
        Decides what these are.
    max_iterations, tolerance
        Iterate until no entry of a confusion matrix moves by more than `tolerance`.

    Returns
    -------
    MergedCategories
        With "dawid-skene" the share of each class and each rater's confusion matrix too, with
        standard errors: the sandwich over items or clusters. Raters without identity
        (`exchangeable`) have one confusion matrix in common.

    Raises
    ------
    AnnostatError
        If no item has a label or, for "dawid-skene", none has three.

    Notes
    -----
    Dawid & Skene (1979), Applied Statistics 28(1):20-28, by EM from the raters' mean vote; the
    engine is that of STAPLE, with the shares of the classes estimated too. Where items differ in
    difficulty it promises too much: its probabilities, and any ceiling made of them, are too high
    with standard errors that do not say so (`docs/categories.md`). The check `equal_difficulty`
    tests the fit by the patterns of items that all raters labelled. A merged label must never be
    scored against the raters that it is made of.

    Examples
    --------
    >>> labels = Categories.from_array([["a", "a", "a"]] * 9 + [["b", "b", "a"]] * 6)
    >>> merged = merge_categories(labels)
    >>> merged.labels[-1], merged.probability[-1].round(2).tolist()
    ('b', [0.33, 0.67])
    """
    check_choice("method", method, METHODS)
    level = check_level(level)
    limit = check_count("max_iterations", max_iterations, low=1)
    step = check_number("tolerance", tolerance, low=0, open_ends=True)
    if labels.models:
        raise AnnostatError(f"{', '.join(labels.models)}: models are no raters, leave them out")
    used = labels.rated()
    if not len(used.codes):
        raise AnnostatError("there is no label: every cell is empty")
    if method == MAJORITY:
        return _majority(used, level)
    sets = check_count("n_resamples", n_resamples)
    fit = fitted_model(used, limit, step)
    return _dawid_skene(used, fit, level, difficulty_check(fit, used, sets, rng))


def _majority(labels: Categories, level: float) -> MergedCategories:
    counts = labels.counts
    most = counts.max(axis=1, keepdims=True)
    ties = (counts == most).sum(axis=1) > 1
    label = np.where(ties, MISSING, counts.argmax(axis=1))
    return MergedCategories(
        MAJORITY,
        labels.names,
        labels.classes,
        labels.items,
        label.astype(np.int16),
        counts / labels.readings[:, None],
        int(ties.sum()),
        _differ(label, labels),
        (_even(labels, ties),),
        _provenance(labels, MAJORITY, level),
    )


def _even(labels: Categories, ties: NDArray[np.bool_]) -> Check:
    """Return whether every item has one most frequent label."""
    n = int(ties.sum())
    if not n:
        return Check("ties", True, "Every item has one most frequent label.")
    text = (
        f"{counted(n, 'item')} of {len(ties):,} have no most frequent label and get none: a third "
        "annotator decides, or leave these items out."
    )
    return Check("ties", False, text, n / len(ties))


def _differ(label: NDArray[np.int_], labels: Categories) -> int:
    """Return how many items get another label than the majority's."""
    counts = np.sort(labels.counts, axis=1)
    clear = counts[:, -1] > (counts[:, -2] if labels.n_classes > 1 else 0)
    return int((clear & (label != labels.counts.argmax(axis=1))).sum())


def _provenance(labels: Categories, method: str, level: float) -> Provenance:
    about = {"method": method, "level": level}
    return Provenance(__version__, labels.digest(), len(labels.codes), None, about)


def fitted_model(
    labels: Categories, max_iterations: int = 10_000, tolerance: float = 1e-8
) -> DecisionFit:
    """Return the fit of Dawid and Skene's model; the shares of the classes begin at the labels'."""
    if labels.readings.max() < 3:
        raise AnnostatError(
            "dawid-skene needs items with three labels: two do not identify the raters' quality; "
            "a third annotator does, and the majority needs none"
        )
    if (labels.counts.sum(axis=0) > 0).sum() < 2:
        raise AnnostatError("all labels are of one class: there is nothing to tell apart")
    said, _, n = patterns_of(labels)
    return fit_decisions(
        said,
        n.astype(np.float64),
        labels.counts.sum(axis=0) / labels.counts.sum(),
        max_iterations=max_iterations,
        tolerance=tolerance,
        prior_moves=True,
    )


def _dawid_skene(
    labels: Categories, fit: DecisionFit, level: float, difficulty: Check
) -> MergedCategories:
    k = labels.n_classes
    said, where, n = patterns_of(labels)
    names = (ALL,) if labels.exchangeable else labels.names
    shape = curvature(said, n.astype(np.float64), fit, prior_moves=True)
    covariance = None if shape is None else _covariance(shape, where, n, labels)
    units = labels.n_units
    how = f"sandwich, {units} {'items' if labels.cluster is None else 'clusters'}"
    spread = np.full((len(names), k), np.nan)
    of_prior = np.full(k, np.nan)
    if shape is not None and covariance is not None:
        spread = diagonal_errors(shape, covariance, (len(names), k))
        of_prior = _prior_errors(shape, covariance, k)
    quality = {
        (name, labels.classes[s]): _estimate(
            float(fit.theta[r, s, s]), spread[r, s], level, how, units
        )
        for r, name in enumerate(names)
        for s in range(k)
    }
    prior = tuple(_estimate(float(fit.prior[s]), of_prior[s], level, how, units) for s in range(k))
    undecided = tied(fit.posterior)[where]
    label = np.where(undecided, MISSING, fit.posterior.argmax(axis=1)[where])
    return MergedCategories(
        DAWID_SKENE,
        labels.names,
        labels.classes,
        labels.items,
        label.astype(np.int16),
        fit.posterior[where],
        int(undecided.sum()),
        _differ(label, labels),
        (*_checks(fit, labels), difficulty),
        _provenance(labels, DAWID_SKENE, level),
        confusion=fit.theta,
        quality=quality,
        prior=prior,
        log_likelihood=fit.log_likelihood,
    )


def _covariance(
    shape: Curvature, where: IntArray, n: IntArray, labels: Categories
) -> FloatArray | None:
    """Return the covariance of all parameters: the sandwich over items, or clusters."""
    if labels.cluster is None:
        return covariance_of(shape, shape.score, n.astype(np.float64))
    sums = np.zeros((labels.n_units, shape.score.shape[1]))
    np.add.at(sums, labels.units, shape.score[where])
    return covariance_of(shape, sums)


def _prior_errors(shape: Curvature, covariance: FloatArray, n_labels: int) -> FloatArray:
    """Return standard errors of the shares of the classes; the most frequent one has the rest."""
    out = np.full(n_labels, np.nan)
    first = len(shape.free)
    if len(shape.labels):
        block = covariance[first:, first:]
        variance = np.diag(block)
        out[shape.labels] = np.where(variance > 0, np.sqrt(np.abs(variance)), np.nan)
        rest = [s for s in range(n_labels) if s not in shape.labels]
        if len(rest) == 1 and block.sum() > 0:
            out[rest[0]] = math.sqrt(block.sum())
    return out


def _estimate(value: float, spread: float, level: float, how: str, units: int) -> Estimate:
    """Return a probability with an interval on the logit scale."""
    if math.isnan(value):
        return Estimate(value, note="undefined: no item is taken to be of this class")
    if math.isnan(spread) or not 100 * LEAST < value < 1 - 100 * LEAST:
        return Estimate(value, note=EDGE)
    reach = t_reach(max(units - 1, 1), level) * spread / (value * (1 - value))
    low, high = (float(special.expit(special.logit(value) + side * reach)) for side in (-1, 1))
    return Estimate(value, float(spread), Interval(low, high, level, f"logit t ({how})"))


def _checks(fit: DecisionFit, labels: Categories) -> tuple[Check, ...]:
    text = f"EM converged in {fit.n_iterations:,} iterations."
    if not fit.converged:
        text = f"EM did not converge in {fit.n_iterations:,} iterations: raise max_iterations."
    checks = [
        Check("converged", fit.converged, text, float(fit.n_iterations)),
    ]
    with np.errstate(invalid="ignore"):
        trace = np.nansum(np.diagonal(fit.theta, axis1=1, axis2=2), axis=1)
    names = (ALL,) if labels.exchangeable else labels.names
    worse = [name for name, t in zip(names, trace, strict=True) if t <= 1 - 1e-9]
    if worse and not np.isnan(fit.theta).any():
        text = f"{', '.join(worse)} answers no better than chance: look at these labels."
        checks.append(Check("better_than_chance", False, text))
    return tuple(checks)
