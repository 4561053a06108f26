"""Concentration of categories: which items carry the disagreement, and which a model's errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray, IntArray, digest
from annostat.concentration.curve import FEWEST, Curve, codes_of, estimates_of, numbers_of
from annostat.concentration.null import PLACES, Simulated, summary
from annostat.concentration.result import Concentration, Excess, Null, few_check, grid_of
from annostat.consensus.categories import fitted_model
from annostat.consensus.goodness import simulated_labels
from annostat.errors import AnnostatError, check_count, check_level, check_number, shown
from annostat.labels.answers import answers_of
from annostat.labels.answers import codes_of as class_codes
from annostat.labels.categories import Categories
from annostat.resampling.generators import Rng, as_generator, seed_of
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance
from annostat.results.text import counted, p_text

ALPHA = 0.05
OF_ANNOTATORS = "the label of another annotator"
EQUALLY_HARD = "all items of a class equally hard"


def category_concentration(
    labels: Categories,
    predictions: ArrayLike | None = None,
    *,
    top: float = 0.15,
    name: str = "",
    level: float = 0.95,
    n_resamples: int = 499,
    rng: Rng = 0,
) -> Concentration:
    """Return which items carry the disagreement of annotators, or the errors of a model.

    Parameters
    ----------
    labels : Categories
        Two labels per item or more; clusters are the independent units.
    predictions : array-like of shape (n_items,), optional
        A model's class of each item. Its loss on an item is the share of the labels that differ.
        Without it the loss is the share of pairs of labels that differ.
    top : float
        The worst part of the items.
    name : str
        Of the model.
    level : float
    n_resamples : int
        Sets of the null.
    rng : None, int or Generator

    Returns
    -------
    Concentration
        With predictions the null is "the model errs as an annotator does": the k + 1 labels of each
        item are dealt out anew between the model and the annotators, which is exact; the p-value is
        that of the number of items on which all annotators agree and the model differs. Without,
        it is "all items of a class are equally hard": labels drawn from Dawid and Skene's fit of
        raters who are alike; it needs four labels per item of two classes. p-values are one-sided.

    Raises
    ------
    AnnostatError
        If nothing differs, predictions have another length or no known class, or an option is out
        of its domain.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> p = rng.beta(0.3, 0.3, 300)
    >>> labels = Categories.from_array((rng.random((300, 4)) < p[:, None]).astype(int))
    >>> found = category_concentration(labels, n_resamples=99)
    >>> found.excess.p_value <= 0.05
    True
    """
    level = check_level(level)
    top = check_number("top", top, low=0.0, high=1.0, open_ends=True)
    sets = check_count("n_resamples", n_resamples, low=19)
    keep = labels.readings >= 2
    rows = labels.order[keep[labels.order]]
    said = None
    if predictions is not None:
        who = name or "model"
        texts = answers_of(who, predictions, labels)
        if not any(t in labels.classes for t in texts):
            others = sorted({t for t in texts if t})
            raise AnnostatError(
                f"predictions give no class of the labels: they have {shown(others)}, the labels "
                f"have {shown(labels.classes)}"
            )
        said = class_codes(texts, labels.classes)[rows]
    used = labels.usable()
    if said is not None and (said < 0).any():
        answered = np.flatnonzero(said >= 0)
        used, said, rows = used.take(answered), said[answered], rows[answered]
    if len(used.codes) < FEWEST:
        raise AnnostatError(f"{FEWEST} items with two labels are needed, got {len(used.codes)}")
    if said is not None:  # of equal losses, those of items on which annotators agree stand first
        first = np.argsort(~_alone(used.counts, said), kind="stable")
        used, said, rows = used.take(first), said[first], rows[first]
    g = as_generator(rng)
    losses = _differing(used.counts) if said is None else _missed(used.counts, said)
    if not losses.any():
        who = "annotators never differ" if said is None else "the model agrees with every label"
        raise AnnostatError(f"{who}: there is no disagreement to share out")
    curve = Curve.of(losses)
    observed = numbers_of(curve, top)
    codes = codes_of(used.cluster, len(losses))
    gini, worst_share, half = estimates_of(curve, top, codes, level)
    draw, law, source = _null_of(used, said, g)
    null = excess = None
    if draw is not None:
        null, excess = _against(draw, law, source, observed, top, level, sets)
    if said is not None and excess is not None:
        excess = replace(excess, **_clear_errors(used.counts, said, sets, g))
    worst = curve.order[: max(int(np.searchsorted(curve.mass, top * curve.mass[-1] - 1e-9)), 1)]
    items = used.items
    if items is None:
        items = np.array([f"row {i + 1}" for i in rows], dtype=object)
    return Concentration(
        name=name or ("" if said is None else "model"),
        loss="disagreement",
        top=top,
        gini=gini,
        worst_share=worst_share,
        half_of_error=half,
        observed=observed,
        null=null,
        excess=excess,
        worst=worst,
        items=items,
        curve=curve,
        overlaps=(),
        checks=(*_checks(used, said, null is not None), *few_check(len(losses))),
        provenance=Provenance(
            __version__,
            digest(used.digest(), losses),
            len(losses),
            seed_of(rng),
            {"top": top, "level": level, "n_simulated": sets},
        ),
    )


def _differing(counts: IntArray) -> FloatArray:
    """Return the share of pairs of an item's labels that differ."""
    k = counts.sum(axis=1).astype(np.float64)
    return np.asarray(1 - (counts * (counts - 1)).sum(axis=1) / (k * (k - 1)))


def _missed(counts: IntArray, said: IntArray) -> FloatArray:
    """Return the share of an item's labels that are not the model's."""
    more = np.column_stack([counts, np.zeros(len(counts), dtype=counts.dtype)])
    return np.asarray(1 - more[np.arange(len(said)), said] / counts.sum(axis=1))


def _alone(counts: IntArray, said: IntArray) -> NDArray[np.bool_]:
    """Return on which items all annotators agree and the model differs."""
    agreed = counts.max(axis=1) == counts.sum(axis=1)
    return np.asarray(agreed & (_missed(counts, said) == 1))


def _clear_errors(
    counts: IntArray, said: IntArray, n_resamples: int, g: np.random.Generator
) -> dict[str, Any]:
    """Return the verdict: on how many items the model stands alone, and an annotator would.

    Of an item with k equal labels and another one any of the k + 1 is that one, if the model errs
    as annotators do. Shares of the worst have little to say here: losses take few values.
    """
    k = counts.sum(axis=1)
    alone = _alone(counts, said)
    missed = _missed(counts, said)
    # One label differs from all others: the model's, or an annotator's with whom k − 1 differ.
    apart = alone | ((counts.max(axis=1) == k - 1) & (missed < 1) & (counts.max(axis=1) > 0))
    apart &= alone | (np.abs(missed - 1 / k) < 1e-9)
    chance = np.where(apart, 1 / (k + 1), 0.0)[apart]
    n, expected = int(alone.sum()), float(chance.sum())
    above = sum(int((g.random(len(chance)) < chance).sum()) >= n for _ in range(n_resamples))
    p = (1 + above) / (1 + n_resamples)
    told = (
        f"On {counted(n, 'item')} all annotators agree and the model differs, where another "
        f"annotator would on {expected:.1f} ({p_text(p)}, one-sided)"
    )
    return {"p_value": p, "verdict": told}


def _null_of(
    labels: Categories, said: IntArray | None, g: np.random.Generator
) -> tuple[Callable[[], FloatArray] | None, str, str]:
    """Return what draws losses of the null, the name of its law, and where it comes from."""
    if said is not None:
        n_classes = labels.n_classes + 1
        counts = np.column_stack([labels.counts, np.zeros(len(said), dtype=np.int64)])
        counts[np.arange(len(said)), said] += 1
        ends = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)

        def swapped() -> FloatArray:
            chosen = (g.random(len(said))[:, None] >= ends[:, :-1]).sum(axis=1)
            rest = counts.copy()
            rest[np.arange(len(said)), np.minimum(chosen, n_classes - 1)] -= 1
            return _missed(rest, chosen)

        return swapped, OF_ANNOTATORS, "the labels of each item dealt out anew"
    size, k = int(labels.readings.max()), labels.n_classes
    # Counts of three labels of two classes are fitted exactly: there is nothing to exceed.
    saturated = math.comb(size + k - 1, k - 1) - 1 <= k * k - 1
    if saturated or (labels.counts.sum(axis=0) > 0).sum() < 2:
        return None, "", ""
    alike = Categories(labels.codes, labels.classes, labels.names, exchangeable=True)
    fit = fitted_model(alike)

    def drawn() -> FloatArray:
        return _differing(simulated_labels(fit, alike, g))

    return drawn, EQUALLY_HARD, "drawn from Dawid and Skene's fit of these labels"


def _against(
    draw: Callable[[], FloatArray],
    law: str,
    source: str,
    observed: dict[str, float],
    top: float,
    level: float,
    n_resamples: int,
) -> tuple[Null, Excess]:
    """Return what the null gives, and how far the losses exceed it."""
    grid = grid_of(top)
    sets = np.zeros((n_resamples, grid.size + 2))
    for i in range(n_resamples):
        losses = draw()
        if losses.any():
            sets[i] = summary(Curve.of(losses), grid)
    mean = sets.mean(axis=0)
    done = Simulated(grid, mean, sets - mean, sets)
    expected = done.ranges(level, "range of simulated labels")
    null = Null(law, source, {key: float(mean[j]) for key, j in PLACES.items()}, expected, done)
    p = {key: done.p_value(observed[key], PLACES[key]) for key in ("worst_share", "gini")}
    note = "no interval: observed less expected"
    gap = {key: Estimate(observed[key] - expected[key].value, note=note) for key in p}
    share = p["worst_share"]
    verdict = f"No more than {law} would put there is seen ({p_text(share)}, one-sided)"
    if share < ALPHA:
        verdict = f"That is more than {law} would put there ({p_text(share)}, one-sided)"
    return null, Excess(gap["worst_share"], gap["gini"], share, p["gini"], verdict)


def _checks(labels: Categories, said: IntArray | None, known: bool) -> tuple[Check, ...]:
    if said is None and not known:
        text = (
            "So few labels of an item cannot tell hard items from equally hard ones: four of two "
            "classes can."
        )
        return (Check("null", None, text),)
    if labels.cluster is not None and said is None:
        text = "The p-value takes items as independent; those of a cluster may be hard together."
        return (Check("independent_items", None, text),)
    return ()
