"""Whether Dawid and Skene's model fits: a parametric bootstrap over patterns of labels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from annostat.arrays import FloatArray, IntArray
from annostat.consensus.decisions import DecisionFit, fit_decisions, one_hot
from annostat.labels.categories import Categories
from annostat.resampling.generators import Rng, as_generator
from annostat.results.result import Check
from annostat.results.text import p_text

MOST_ITEMS = 2000  # that the test looks at, drawn at random of more
STEPS: dict[str, Any] = {
    "max_iterations": 1000,
    "tolerance": 1e-5,
}  # of the fits to simulated labels
ALPHA = 0.05
NAME = "equal_difficulty"
PRESUMES = "all items of a class are equally hard and raters err independently"


def patterns_of(labels: Categories) -> tuple[FloatArray, IntArray, IntArray]:
    """Return what raters say in each pattern, the pattern of each item, and their counts.

    Raters without identity are one: what they say is counts of each class.
    """
    table = labels.counts if labels.exchangeable else labels.codes
    return _collapsed(table, labels.n_classes, labels.exchangeable)


def _collapsed(
    table: NDArray[Any], n_classes: int, counted: bool
) -> tuple[FloatArray, IntArray, IntArray]:
    found, where, n = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    if counted:
        said = found[:, None, :].astype(np.float64)
    else:
        said = one_hot(found.astype(np.int64), n_classes)
    return said, np.asarray(where, dtype=np.int64).ravel(), np.asarray(n, dtype=np.int64)


def difficulty_check(fit: DecisionFit, labels: Categories, n_resamples: int, rng: Rng = 0) -> Check:
    """Return whether items of a class are equally hard and raters independent.

    G² of the patterns against the fit is held against that of labels simulated from the fit, each
    set fitted anew. Where the model has as many parameters as patterns, or items share clusters,
    nothing can be said.
    """
    k, r = labels.n_classes, 1 if labels.exchangeable else labels.n_raters
    size = int(labels.readings.max())
    cells = math.comb(size + k - 1, k - 1) if labels.exchangeable else float(k) ** size
    free = r * k * (k - 1) + k - 1
    if labels.cluster is not None or not n_resamples:
        why = "items share clusters" if labels.cluster is not None else "nothing was simulated"
        text = f"Dawid–Skene presumes that {PRESUMES}; that is not tested, since {why}."
        return Check(NAME, None, text)
    if cells - 1 <= free:
        text = (
            f"Dawid–Skene presumes that {PRESUMES}; so few labels for each item cannot tell: look "
            "at the ceilings of annostat bounds, which do not presume it."
        )
        return Check(NAME, None, text)
    g = as_generator(rng)
    used = labels
    if len(labels.codes) > MOST_ITEMS:
        chosen = np.sort(g.choice(len(labels.codes), MOST_ITEMS, replace=False))
        used = labels.take(chosen)
    table = used.counts if used.exchangeable else used.codes
    seen, refit = _lack_of_fit(table, used, fit.prior)
    above = sum(
        _lack_of_fit(simulated_labels(refit, used, g), used, fit.prior)[0] >= seen
        for _ in range(n_resamples)
    )
    p = (1 + above) / (1 + n_resamples)
    if p >= ALPHA:
        text = f"Dawid–Skene fits the patterns ({p_text(p)}, simulated)."
        return Check(NAME, True, text, seen, p)
    text = (
        f"Difficulty varies, or raters do not err independently ({p_text(p)}, simulated): "
        "Dawid–Skene does not hold, and its probabilities and qualities are too good. Take "
        "ceilings from annostat bounds, which presume neither."
    )
    return Check(NAME, False, text, seen, p)


def _lack_of_fit(
    table: NDArray[Any], labels: Categories, prior: FloatArray
) -> tuple[float, DecisionFit]:
    """Return G² of labels against their own fit, and the fit; gaps are given."""
    said, _, n = _collapsed(table, labels.n_classes, labels.exchangeable)
    fit = fit_decisions(said, n.astype(np.float64), prior, **STEPS, prior_moves=True)
    looked = said.sum(axis=2)
    _, mask = np.unique(looked, axis=0, return_inverse=True)
    mask = np.asarray(mask).ravel()
    full = float((n * np.log(n / np.bincount(mask, n)[mask])).sum())
    # Anonymous labels come in any order, which the fit's likelihood leaves out.
    ways = gammaln(looked + 1).sum(axis=1) - gammaln(said + 1).sum(axis=(1, 2))
    return 2 * (full - fit.log_likelihood - float(n @ ways)), fit


def simulated_labels(
    fit: DecisionFit, labels: Categories, g: np.random.Generator
) -> NDArray[np.int64]:
    """Return labels drawn from a fit, with the gaps of others."""
    n, k = len(labels.codes), labels.n_classes
    truth = g.choice(k, n, p=fit.prior / fit.prior.sum())
    theta = np.where(np.isnan(fit.theta), 1 / k, fit.theta)
    if labels.exchangeable:
        law = theta[0] / theta[0].sum(axis=1, keepdims=True)
        return np.asarray(g.multinomial(labels.readings, law[truth]), dtype=np.int64)
    ends = np.cumsum(theta, axis=2)[:, truth]  # (raters, items, classes)
    drawn = (g.random(ends.shape[:2])[:, :, None] > ends[:, :, :-1]).sum(axis=2).T
    return np.where(labels.present, drawn, -1)
