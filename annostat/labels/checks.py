"""Whether the data contradict the assumptions behind a law of noise.

The unit of independence is the cluster (patient) where one is given, else the item. A row of
weight w counts as w items.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat.arrays import FloatArray, dot
from annostat.errors import AnnostatError, check_level, check_numbers, cut, option
from annostat.labels.biases import PairBiases, pair_biases
from annostat.labels.characteristic import check_characteristic_function
from annostat.labels.copied import check_copied
from annostat.labels.looks import is_patient_name
from annostat.labels.pairs import ROUNDING, PairTable, ratio_of_sums, unit_sums
from annostat.labels.ranks import RANK_MIN_UNITS, association, midranks, ranks_within
from annostat.labels.rounds import Rounds
from annostat.resampling.bootstraps import serial_product
from annostat.resampling.generators import Rng, as_generator
from annostat.results.result import Check
from annostat.results.text import format_number, p_text, percent

INFLUENCE_MIN_ITEMS = 20
FEW_CLUSTERS = 10
INFLUENCE_TOP, INFLUENCE_LIMIT = 0.01, 0.5


def check_rounds(
    rounds: Rounds,
    *,
    covariates: Mapping[str, ArrayLike] | None = None,
    level: float = 0.95,
    rng: Rng = 0,
) -> tuple[Check, ...]:
    r"""Look at the assumptions behind every statement about the noise of these rounds.

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN for missing; items with fewer than two
        annotations are left out.
    covariates : mapping of str to array-like of shape (n_items,), optional
        Numbers that the size of the noise might depend on (image quality, age); rows where one is
        NaN are left out for it.
    level : float
        A check fails if its p-value is below 1 − level.
    rng : Generator, int or None
        For the calibration of "characteristic_function".

    Returns
    -------
    tuple of Check
        In this order, `passed` being None wherever the data cannot tell (with the reason):

        bias
            Mean difference of each pair of rounds: robust t test and sign test, the smaller
            p-value doubled, then Holm over pairs. `statistic` is the largest mean difference.
        equal_raters
            Two rounds: Pitman-Morgan, the correlation of Z₁ + Z₂ with D, by ranks and studentised
            (DiCiccio & Romano 2017), hence valid if |D| depends on the value. Three or more: ranks
            of |z_j − mean of the others| within each item, Hotelling's T² of their mean; missing
            cells may follow any pattern, and clusters are kept whole.
        characteristic_function
            φ_D(t) = E cos(tD) = |φ_X(t)|² ≥ 0 if the errors of an item are independent copies of
            one law. Test by the minimum over t of φ̂/SE, calibrated by 2,000 draws of the Gaussian
            process with the covariance of φ̂ (the limit of the multiplier bootstrap) at φ ≡ 0. One
            item without difference is added, which keeps it honest in small samples. 48 values
            of t, up to 8/E|D| and for whole numbers also up to π.
        dependence_on_value
            Rank correlation, studentised, of an item's mean |D| with its mean value, with each
            covariate and with the period; Holm. If a period is given, |D| in physical units.
        influence
            Share of ΣD² that the top 1% of items (at least one) carries; fails above one half,
            where a root mean square says more about these items than about the others. Normal
            noise gives .08, Laplace-like noise about .2.
        clusters
            Design effect of E|D|: its cluster-robust variance over the one for independent items.
            Fails below ten clusters, where no cluster-robust interval is trustworthy.
        copied
            Only where it fails: two rounds are equal in all items that both have, more often than
            an honest agreement would be.

    Raises
    ------
    AnnostatError
        If no item has two annotations, or a covariate has the wrong length or is not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.random.default_rng(1)
    >>> picks = g.integers(0, 100, (300, 1)) + np.round(g.normal([0, 1.5], 2, (300, 2)))
    >>> checks = check_rounds(Rounds.from_array(picks, unit="frames"))
    >>> [c.name for c in checks if c.passed is False]
    ['bias']
    """
    alpha = 1 - check_level(level)
    generator = as_generator(rng)
    columns = _covariates(covariates, len(rounds.values))
    rows = rounds.usable_rows
    rounds = rounds.usable()
    columns = {name: column[rows] for name, column in columns.items()}
    table = PairTable.of(rounds)
    biases = None
    if not rounds.exchangeable:
        biases = pair_biases(rounds.values, table.weights, table.codes)
    return (
        _check_bias(rounds, biases, alpha),
        _check_equal_raters(rounds, table, alpha),
        check_characteristic_function(rounds, table, alpha, generator),
        _check_dependence(rounds, table, columns, alpha),
        _check_influence(rounds, table),
        _check_clusters(rounds, table),
        *check_copied(rounds, _may_be_equal(rounds, biases)),
    )


def _may_be_equal(rounds: Rounds, biases: PairBiases | None) -> list[tuple[int, int]]:
    """Return the pairs of rounds that no bias tells from copies."""
    if biases is None:
        return [(0, 1)] if rounds.n_rounds == 2 else []
    even = biases.mean == 0
    return list(zip(biases.first[even].tolist(), biases.second[even].tolist(), strict=True))


def _check_bias(rounds: Rounds, biases: PairBiases | None, alpha: float) -> Check:
    name = "bias"
    if biases is None:
        return Check(
            name,
            None,
            "Bias between raters cannot be looked at: the order of the rounds has no identity.",
        )
    pairs = biases.p.size
    if not pairs:
        return Check(name, None, "Bias between rounds cannot be looked at: too few items.")
    worst = int(np.lexsort((-np.abs(biases.mean), biases.p))[0])
    p, mean = min(1.0, pairs * float(biases.p[worst])), float(biases.mean[worst])
    a, b = int(biases.first[worst]), int(biases.second[worst])
    size = f"{format_number(abs(mean), digits=3)}{_unit(rounds)}"
    names = rounds.names[a], rounds.names[b]
    how = "the smaller of a t and a sign test, doubled"
    if pairs > 1:
        how += f", over {pairs} pairs"
    if p >= alpha:
        which = "the two rounds" if rounds.n_rounds == 2 else f"{names[0]} and {names[1]}"
        text = (
            f"No bias between rounds is visible: {which} differ by {size} on average ({p_text(p)}, "
            f"{how})."
        )
        return Check(name, True, text, mean, p)
    order = "above" if mean > 0 else "below"
    where = f"{names[1]} {order} {names[0]} by {size} on average"
    if not mean:
        where = f"{names[0]} and {names[1]} more often to one side than to the other"
    text = (
        f"The rounds are biased against each other, {where} ({p_text(p)}, {how}): the SD of the "
        "differences tells the noise, noise_sd² = (RMS² − bias²)/2, their RMS does not."
    )
    return Check(name, False, text, mean, p)


def _check_equal_raters(rounds: Rounds, table: PairTable, alpha: float) -> Check:
    name = "equal_raters"
    cannot = "Whether the raters are equally noisy cannot be looked at: "
    if rounds.exchangeable:
        return Check(name, None, cannot + "the order of the rounds has no identity.")
    v = rounds.values
    if rounds.n_rounds == 2:
        if _collapsed(rounds):
            return Check(name, None, cannot + "items were collapsed.")
        total, d = v[:, 0] + v[:, 1], v[:, 1] - v[:, 0]
        w = table.weights
        found = association(midranks(total, w), midranks(d, w), w, table.codes)
        if found is None:
            return Check(name, None, cannot + "too few items, or values that do not vary.")
        rho, p = found
        if p >= alpha:
            text = f"The two raters look equally noisy (rank correlation {rho:.2f}, {p_text(p)})."
            return Check(name, True, text, rho, p)
        worse = rounds.names[1] if rho > 0 else rounds.names[0]
        text = (
            f"The raters are not equally noisy: {worse} spreads more (rank correlation of sum and "
            f"difference {rho:.2f}, {p_text(p)}), so the result is an average of the two: estimate "
            "them apart (Grubbs), or add a third round and fit one scale per rater."
        )
        return Check(name, False, text, rho, p)
    # |z_j − mean of the others| = |z_j − mean of all| · k/(k − 1)
    k = table.readings.astype(np.float64)
    distance = np.abs(table.centred) * k / (k - 1)
    # Rounded in units of the largest, so that ties stay ties.
    largest = float(np.nanmax(distance)) or 1.0
    ranks = ranks_within(np.asarray(np.round(distance / largest, 10), dtype=np.float64))
    sums = [unit_sums(row, table.weights, table.codes) for row in ranks]
    u, counts = np.column_stack([s for s, _ in sums]), sums[0][1]
    n = int(counts.sum())
    root = np.sqrt(counts)
    w = u * root[:, None]
    # The second moments, or as many products of units where raters are more than these.
    values, vectors = np.linalg.eigh(w @ w.T if len(w) < w.shape[1] else serial_product(w.T, w))
    good = values > 1e-9 * max(float(values.max()), 1e-300)
    p_dim = int(good.sum())
    if p_dim == 0 or n - p_dim < RANK_MIN_UNITS:
        why = "too few items with three or more annotations, or no differences."
        return Check(name, None, cannot + why)
    # Hotelling's T² through the second moments about 0: share = T²/(T² + n − 1), at most 1.
    if len(w) < w.shape[1]:
        share = float(((vectors[:, good].T @ root) ** 2).sum()) / n
    else:
        along = vectors[:, good].T @ serial_product(w.T, root[:, None])[:, 0]
        share = float((along**2 / values[good]).sum()) / n
    f = share / max(1 - share, ROUNDING) * (n - p_dim) / p_dim
    p = float(special.fdtrc(p_dim, n - p_dim, f))
    seen = np.isfinite(distance)
    weight = np.where(seen, table.weights, 0.0)
    total_weight = weight.sum(axis=1)
    by_rater = (np.where(seen, distance, 0.0) * weight).sum(axis=1) / np.maximum(total_weight, 1.0)
    by_rater = np.where(total_weight > 0, by_rater, np.nan)
    worst, best = int(np.nanargmax(by_rater)), int(np.nanargmin(by_rater))
    sizes = (
        f"{rounds.names[worst]} is {by_rater[worst]:.3g}{_unit(rounds)} from the mean of the "
        f"others, {rounds.names[best]} {by_rater[best]:.3g}"
    )
    if p >= alpha:
        return Check(name, True, f"The raters look equally noisy: {sizes} ({p_text(p)}).", f, p)
    text = f"The raters are not equally noisy: {sizes} ({p_text(p)}): fit one scale per rater."
    return Check(name, False, text, f, p)


def _check_dependence(
    rounds: Rounds, table: PairTable, covariates: Mapping[str, FloatArray], alpha: float
) -> Check:
    name = "dependence_on_value"
    cannot = "Whether the noise depends on the value cannot be looked at: "
    if _collapsed(rounds):
        return Check(name, None, cannot + "items were collapsed.")
    w = table.weights
    size = table.abs_sum / table.pairs
    if rounds.period is not None:
        # E|D|·T does not depend on the grid T, its ranks do: hence no ranks here.
        size = size * rounds.period
    against: dict[str, FloatArray] = {"the value": table.means}
    if rounds.period is not None and float(np.ptp(rounds.period)) > 0:
        against["the period"] = rounds.period
    against.update(covariates)
    found: list[tuple[float, float, str]] = []
    for label, column in against.items():
        seen = np.isfinite(column)
        ws, codes = w[seen], None if table.codes is None else table.codes[seen]
        y = size[seen] if rounds.period is not None else midranks(size[seen], ws)
        result = association(midranks(column[seen], ws), y, ws, codes)
        if result is not None:
            found.append((result[1], result[0], label))
    if not found:
        why = "too few items, or values or differences that do not vary."
        return Check(name, None, cannot + why)
    p = _bonferroni([entry[0] for entry in found])
    _, rho, label = min(found)
    if p >= alpha:
        names = " or ".join(entry[2] for entry in found)
        text = f"The size of the differences does not visibly depend on {names} ({p_text(p)})."
        return Check(name, True, text, rho, p)
    more = "grow" if rho > 0 else "shrink"
    told = f"{rho:.2f}" if abs(rho) >= 0.005 else f"{rho:.1g}"  # of very many items
    text = (
        f"The differences {more} with {label} (correlation {told}, {p_text(p)}): the noise has "
        f"no single size, so split the items ({option('by')}) or trust the bracket rather than a "
        "family."
    )
    return Check(name, False, text, rho, p)


def _check_influence(rounds: Rounds, table: PairTable) -> Check:
    name = "influence"
    total = dot(table.weights, table.square_sum)
    n = int(table.weights.sum())
    if total == 0:
        return Check(name, None, "No item stands out: all differences are zero.")
    top = max(1, math.floor(INFLUENCE_TOP * n))
    # Only the largest are put in order: as many rows as items, and those that tie with the last.
    rows = min(top, len(table.square_sum))
    some = np.flatnonzero(table.square_sum >= np.partition(table.square_sum, -rows)[-rows])
    order = some[np.argsort(-table.square_sum[some], kind="stable")]
    w = table.weights[order]
    before = np.cumsum(w) - w
    taken = np.clip(top - before, 0, w)
    share = dot(taken, table.square_sum[order]) / total
    who = (
        "The one item that differs most carries"
        if top == 1
        else (f"The {top:,} items that differ most (of {n:,}) carry")
    )
    text = f"{who} {100 * share:.0f}% of the squared differences"
    if n < INFLUENCE_MIN_ITEMS:
        return Check(name, None, f"{text}, but {n} items are too few to judge that.", share)
    if share > INFLUENCE_LIMIT:
        these = "these" if rounds.items is None else _first_three(rounds.items[order[:top]])
        remedy = (
            f"floors of RMSE rest on a handful of items: look at {these}, and use the mae scale."
        )
        return Check(name, False, f"{text}: {remedy}", share)
    return Check(name, True, f"{text}.", share)


def _first_three(items: NDArray[Any]) -> str:
    """Return the names of up to three items, the first ones."""
    names = [cut(str(item)) for item in items[:3]]
    if len(names) == 1:
        return names[0]
    if len(items) > 3:
        return f"{', '.join(names)} first"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _check_clusters(rounds: Rounds, table: PairTable) -> Check:
    name = "clusters"
    if table.codes is None:
        unused = () if rounds.read is None else rounds.read.unused
        seen = next((c for c in unused if is_patient_name(c)), None)
        text = f"name the patients' column ({option('cluster')}) if items share patients."
        if seen is not None:
            text = (
                f"if items share patients, name the patients' column; {seen} looks like it: "
                f"{option('cluster', seen)}."
            )
        return Check(name, None, f"Intervals assume that items are independent: {text}")
    mean, se, units = ratio_of_sums(table.abs_sum, table.pairs, table.weights, table.codes)
    n = int(table.weights.sum())
    if units < FEW_CLUSTERS:
        noun = "cluster" if units == 1 else "clusters"
        text = (
            f"All {n:,} items come from {units} {noun}, too few for an interval that can be "
            "trusted: annotate items of more patients."
        )
        return Check(name, False, text)
    _, plain_se, _ = ratio_of_sums(table.abs_sum, table.pairs, table.weights, None)
    if plain_se <= ROUNDING * mean:
        return Check(name, None, "The effect of clusters is not visible: |D| does not vary.")
    effect = (se / plain_se) ** 2
    text = (
        f"Intervals allow for the {units:,} clusters of the {n:,} items (design effect "
        f"{effect:.2f}: {percent(round(effect, 2))} of the variance for independent items)."
    )
    return Check(name, True, text, effect)


def _bonferroni(p_values: Sequence[float]) -> float:
    """Return the smallest p-value times their number, at most 1; so does Holm for the smallest."""
    return min(1.0, len(p_values) * min(p_values))


def _covariates(given: Mapping[str, ArrayLike] | None, n: int) -> dict[str, FloatArray]:
    columns: dict[str, FloatArray] = {}
    for name, column in (given or {}).items():
        array = check_numbers(f"covariates: {name!r}", column)
        if array.shape != (n,):
            raise AnnostatError(
                f"covariates: {name!r} must have one number per item, shape ({n},), "
                f"got {array.shape}"
            )
        columns[str(name)] = array
    return columns


def _collapsed(rounds: Rounds) -> bool:
    return rounds.weights is not None and rounds.items is None


def _unit(rounds: Rounds) -> str:
    return f" {rounds.unit}" if rounds.unit else ""
