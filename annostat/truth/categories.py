"""Scores of models against categories, held against the best that any model can reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat._version import __version__
from annostat.arrays import FloatArray, IntArray, dot
from annostat.ceilings.categories import category_bounds
from annostat.ceilings.category_result import CategoryBounds, Ceiling
from annostat.ceilings.mixing import GAINS, Mixture, mixture_of
from annostat.errors import AnnostatError, check_choice, check_level, shown
from annostat.labels.answers import answers_of, codes_of
from annostat.labels.categories import MISSING, Categories, label_text
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.intervals import t_interval, t_reach
from annostat.resampling.inverted import ratio_of
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance
from annostat.truth.category_calibration import CategoryCalibration, calibrated
from annostat.truth.category_proba import proba_of
from annostat.truth.category_result import (
    BELOW,
    BEYOND,
    OPEN,
    WITHIN,
    CategoryScore,
    CategoryScores,
    ScoreDifference,
)
from annostat.truth.comparison import paired_differences

ALPHA = 0.05
MOST_SHOWN = 12  # classes whose calibration is listed
COPIED = 20  # items that a copy must have been seen on


class _Answers:
    """What a model says of each item, beside the shares of the labels."""

    def __init__(self, labels: Categories, codes: IntArray) -> None:
        self.labels, self.unit, self.n_units = labels, labels.units, labels.n_units
        self.answered = codes >= 0
        shares = labels.counts / labels.readings[:, None]
        n = np.arange(len(codes))
        # A class that only the model uses comes after those of the labels.
        shares = np.column_stack([shares, np.zeros(len(codes))])
        self.right = np.where(self.answered, shares[n, np.maximum(codes, 0)], 0.0)
        self.codes = codes
        self.z = shares[:, 1] if labels.n_classes == 2 else np.zeros(len(codes))
        self.yes = (codes == 1).astype(np.float64)

    def ratio(self, metric: str) -> tuple[FloatArray, FloatArray, tuple[tuple[float, float], ...]]:
        """Return numerator and denominator of 1 − score by unit, and the pseudo-items."""
        z, yes = self.z, self.yes
        if metric == "accuracy":
            o, e = 1 - self.right, np.ones(len(z))
        elif metric == "f1":
            o, e = yes + z - 2 * z * yes, yes + z
        else:  # κ: the denominator's product is linearised about the shares
            pi, q = float(z.mean()), float(yes.mean())
            o = yes * (1 - z) + z * (1 - yes)
            de = pi * (1 - q) + q * (1 - pi)
            e = de + (1 - 2 * q) * (z - pi) + (1 - 2 * pi) * (yes - q)
        both = [np.bincount(self.unit, x, self.n_units) * self.n_units / len(z) for x in (o, e)]
        size = float(both[1][both[1] > 0].mean()) if metric == "f1" else float(both[1].mean())
        top = size if metric != "kappa" else max(size, float(both[0].max(initial=0.0)))
        return both[0], both[1], ((0.0, size), (top, size))

    def lagrangian(self, metric: str, theta: float) -> FloatArray:
        """Return what each item adds to E g_θ with this model's answers."""
        z, yes = self.z, self.yes
        if metric == "accuracy":
            return np.asarray(self.right - theta)
        if metric == "f1":
            return np.asarray(2 * z * yes - theta * (yes + z))
        pi = float(z.mean())
        return np.asarray((2 * (z - pi) - theta * (1 - 2 * pi)) * yes - theta * pi)


def score_categories(
    labels: Categories,
    models: Mapping[str, ArrayLike] | None = None,
    *,
    proba: Mapping[str, ArrayLike] | None = None,
    positive: Sequence[object] | object | None = None,
    metric: str | None = None,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
) -> CategoryScores:
    """Score models against labels that are categories, and say whether a better model exists.

    Parameters
    ----------
    labels : Categories
        Two or more labels per item; clusters are the independent units.
    models : mapping of name to array-like of shape (n_items,), optional
        The class that each model gives each item, as the labels name it, in their order; None or
        NaN where it gives none. A series whose index holds the items is put in their order.
    proba : mapping of name to array-like of shape (n_items, n_classes), optional
        Probabilities of the classes, in the order of `labels.classes`; of shape (n_items,) for the
        second of two classes.
    positive : str or sequence of str, optional
        Classes that count as positive, as in `annostat.ceilings.category_bounds`; of hard labels.
    metric : {"f1", "accuracy", "kappa"}, optional
        Metric of the verdicts; F1 of two classes, else accuracy.
    level : float
    n_resamples : int
        Of the comparisons of models.
    rng : None, int or Generator

    Returns
    -------
    CategoryScores

    Raises
    ------
    AnnostatError
        If there is no model, one has another number of items or no class that is known, or
        probabilities are negative or do not sum to 1.

    Notes
    -----
    "Below the ceiling" is a paired test on the same items: a certified function φ of an item's
    labels has E φ ≤ E g_θ(p), and the mean of φ less the model's own share is above 0 only if the
    best model is better. Distances of probabilities from the true ones are cross products of
    different annotators' residuals, which need no truth.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> p = rng.beta(0.4, 0.4, 400)
    >>> labels = Categories.from_array((rng.random((400, 3)) < p[:, None]).astype(int))
    >>> best, coin = (p > 0.5).astype(int), np.arange(400) % 2
    >>> found = score_categories(labels, {"best": best, "coin": coin})
    >>> [m.verdict for m in found.models]
    ['within the range', 'below the ceiling']
    """
    level = check_level(level)
    hard, soft = dict(models or {}), dict(proba or {})
    if not hard and not soft:
        raise AnnostatError("no model: give its classes (models) or its probabilities (proba)")
    base = labels.binary(positive) if positive is not None else labels
    keep = base.readings >= 2
    rows = base.order[keep[base.order]]
    used = base.usable()
    bounds = category_bounds(used, level=level, rng=rng)
    two = used.n_classes == 2
    metrics = ("f1", "accuracy", "kappa") if two else ("accuracy",)
    chosen = check_choice("metric", metric or metrics[0], metrics)
    answers: dict[str, _Answers] = {}
    for name, given in hard.items():
        codes = _codes_of(name, given, labels, base, positive)[rows]
        answers[name] = _Answers(used, codes)
    yes = None if positive is None else _positive(positive, labels)
    probabilities: dict[str, FloatArray] = {}
    checks: list[Check] = []
    for name, given in soft.items():
        taken = proba_of(name, given, labels, yes)
        probabilities[name] = f = taken.given[rows]
        checks += taken.checks
        if name not in answers:
            answers[name] = _Answers(used, f.argmax(axis=1).astype(np.int64))
    judge = _Judge(used, bounds, chosen, level, rng)
    found = []
    for name, answer in answers.items():
        scores = {key: _score(answer, key, level) for key in metrics}
        copied = _copy_of(used, answer)
        verdict: tuple[str, float | None, float | None]
        if copied:
            checks.append(Check("copy", False, f"{name} {copied}: it contains the labels."))
            verdict = BEYOND, None, None
        else:
            verdict = judge.verdict(answer, scores[chosen])
        excess: Estimate | None = None
        reliable: tuple[CategoryCalibration, ...] = ()
        if name in probabilities:
            excess = excess_brier(used, probabilities[name], level=level)
            reliable = _reliability(used, probabilities[name], name, level)
        found.append(CategoryScore(name, scores, *verdict, excess, reliable))
    return CategoryScores(
        tuple(found),
        chosen,
        bounds,
        tuple(_compared(answers, chosen, level, n_resamples, rng)),
        (*checks, *bounds.checks, *_unanswered(answers), *_own_classes(answers)),
        Provenance(
            __version__,
            used.digest(),
            len(used.codes),
            seed_of(rng),
            {"metric": chosen, "level": level, "n_resamples": n_resamples},
        ),
    )


class _Judge:
    """The ceiling that models are held against."""

    def __init__(
        self, labels: Categories, bounds: CategoryBounds, metric: str, level: float, rng: Rng
    ) -> None:
        self.ceiling: Ceiling = bounds[metric]
        self.metric, self.level = metric, level
        self.mixture: Mixture | None = None
        differ = any(c.name == "equal_raters" and c.passed is False for c in bounds.checks)
        if labels.n_classes == 2 and not differ:
            self.mixture = mixture_of(labels, rng)

    def verdict(self, answer: _Answers, score: Estimate) -> tuple[str, float | None, float | None]:
        """Return the verdict on a model, with its one-sided p-values."""
        c = self.ceiling
        below = beyond = None
        if self.mixture is not None and not math.isnan(score.value):
            m = self.mixture
            df = m.cells.n_units - 1
            reach = t_reach(df, self.level)
            of = answer.lagrangian(self.metric, score.value)
            below, beyond = (
                float(
                    special.stdtr(df, -m.paired(GAINS[self.metric], score.value, side, reach, of))
                )
                for side in (-1, 1)
            )
            is_below, is_beyond = below < ALPHA, beyond < ALPHA
        else:
            s, t = score.interval, c.interval
            is_below = s is not None and t is not None and s.high < t.low
            is_beyond = s is not None and t is not None and s.low > t.high
        if is_beyond and score.value > c.high:
            return BEYOND, below, beyond
        if is_below and score.value < c.high:
            return BELOW, below, beyond
        inside = c.low <= score.value <= c.high
        return (WITHIN if inside else OPEN), below, beyond


def _codes_of(
    name: str, given: Any, labels: Categories, base: Categories, positive: Any
) -> IntArray:
    """Return a model's classes as codes of the labels; -1 where it gives none."""
    texts = answers_of(name, given, labels)
    others = {t for t in texts if t and t not in labels.classes}
    of_base = positive is None and others & set(base.classes)
    classes = (base if of_base else labels).classes
    if not any(t in classes for t in texts):
        raise AnnostatError(
            f"model {name!r} gives no class of the labels: it has {shown(sorted(others))}, they "
            f"have {shown(labels.classes)}"
        )
    codes = codes_of(texts, classes)
    if positive is None or labels is base:
        return codes
    yes = _positive(positive, labels)
    return np.where(codes < 0, MISSING, yes[np.maximum(codes, 0)]).astype(np.int64)


def _positive(positive: Any, labels: Categories) -> NDArray[np.bool_]:
    """Return which classes count as positive."""
    wanted = positive if isinstance(positive, (list, tuple, set, frozenset)) else [positive]
    return np.isin(np.array(labels.classes), [label_text(w) for w in wanted])


def _reliability(
    labels: Categories, proba: FloatArray, name: str, level: float
) -> tuple[CategoryCalibration, ...]:
    """Return the calibration of the second of two classes, or of each of a few."""
    wanted = labels.classes[1:] if labels.n_classes == 2 else labels.classes[:MOST_SHOWN]
    held = [c for c in wanted if labels.counts[:, labels.classes.index(c)].any()]
    return tuple(calibrated(labels, proba, model=name, of_class=c, level=level) for c in held)


def _score(answer: _Answers, metric: str, level: float) -> Estimate:
    """Return a score against one annotator at random, with its interval."""
    o, e, pseudo = answer.ratio(metric)
    if not e.sum() > 0:
        return Estimate(math.nan, note="undefined: neither model nor labels are of the class")
    top = 2.0 if metric == "kappa" else 1.0
    units = "items" if answer.n_units == len(answer.unit) else "clusters"
    return ratio_of(o, e, level=level, units=units, pseudo=pseudo, top=top).complement()


def _copy_of(labels: Categories, answer: _Answers) -> str:
    """Return what a model copies, empty if nothing: a rater, or the vote of the labels."""
    codes = answer.codes
    if not labels.exchangeable:
        for name, column in zip(labels.names, labels.codes.T, strict=True):
            both = (column >= 0) & answer.answered
            if both.sum() >= COPIED and (column[both] == codes[both]).all():
                return f"equals rater {name} on 100% of the items"
    counts = np.sort(labels.counts, axis=1)
    clear = (counts[:, -1] > counts[:, -2]) & answer.answered
    disputed = clear & (counts[:, -1] < labels.readings)
    if disputed.sum() >= COPIED // 4 and clear.sum() >= COPIED:
        vote = labels.counts.argmax(axis=1)
        if (vote[clear] == codes[clear]).all():
            return "equals the vote of the labels on 100% of the items"
    return ""


def _compared(
    answers: dict[str, _Answers], metric: str, level: float, n_resamples: int, rng: Rng
) -> list[ScoreDifference]:
    """Return the differences of all pairs of models, on the same items."""
    values = {name: ratio_and_pull(answer, metric) for name, answer in answers.items()}
    pairs = paired_differences(
        {name: value + pull for name, (value, pull) in values.items()},
        level=level,
        n_resamples=n_resamples,
        rng=rng,
    )
    found = []
    for d in pairs:
        gap, n = values[d.first][0] - values[d.second][0], len(values[d.first][1])
        error = d.difference.standard_uncertainty
        if not error or math.isnan(gap):
            none = Estimate(gap, note="no interval: they never differ")
            found.append(ScoreDifference(d.first, d.second, none, None, None))
            continue
        p = 2 * float(special.stdtr(n - 1, -abs(gap) / error))
        interval = t_interval(gap, error, n - 1, level, "t, linearised")
        together = None if d.p_adjusted is None else max(d.p_adjusted, p)
        estimate = Estimate(gap, error, interval)
        found.append(ScoreDifference(d.first, d.second, estimate, p, together))
    return found


def ratio_and_pull(answer: _Answers, metric: str) -> tuple[float, FloatArray]:
    """Return a score and what each unit adds to it, linearised; the sum of these is 0."""
    o, e, _ = answer.ratio(metric)
    u = float(o.sum() / e.sum()) if e.sum() > 0 else math.nan
    return 1 - u, -(o - u * e) / e.mean()


def _unanswered(answers: dict[str, _Answers]) -> list[Check]:
    """Return a check for each model that leaves items without an answer."""
    found = []
    for name, answer in answers.items():
        missing = int((~answer.answered).sum())
        if missing:
            n = len(answer.codes)
            text = f"{name} gives no class for {missing} of {n} items: they count as wrong."
            found.append(Check("unanswered", False, text))
    return found


def _own_classes(answers: dict[str, _Answers]) -> list[Check]:
    """Return a check for each model that uses a class which no annotator uses."""
    found = []
    for name, answer in answers.items():
        own = int((answer.codes >= answer.labels.n_classes).sum())
        if own:
            text = (
                f"{name} gives {own} of {len(answer.codes)} items a class that no annotator uses: "
                "they count as wrong. Is it spelt as the annotators spell it?"
            )
            found.append(Check("own_classes", False, text))
    return found


def excess_brier(labels: Categories, proba: FloatArray, *, level: float = 0.95) -> Estimate:
    """Return E‖f − p‖²: the mean squared distance of probabilities from the true ones.

    Parameters
    ----------
    labels : Categories
        Items with two labels or more.
    proba : float64 array of shape (n_items, n_classes)
    level : float

    Returns
    -------
    Estimate
        Its upper limit counts, and its lower limit's standard error, one pseudo-item of weight one
        half for each class, both labels of which are that class: rare classes are not taken for
        absent ones.

    Notes
    -----
    Mean over items of Σ_{j≠l} (f − z_j)·(f − z_l)/(k(k−1)), the cross products of different
    annotators' residuals.
    """
    k = labels.readings.astype(np.float64)
    r = labels.counts.astype(np.float64)
    whole = k[:, None] * proba - r
    square = (proba * proba).sum(axis=1)
    each = k * square - 2 * (proba * r).sum(axis=1) + k  # Σ_j ‖f − z_j‖²
    u = ((whole * whole).sum(axis=1) - each) / (k * (k - 1))
    unit, n = labels.units, labels.n_units
    sums, sizes = np.bincount(unit, u, n), np.bincount(unit, minlength=n).astype(np.float64)
    value = float(u.mean())
    extra = np.array([float(((proba - e) ** 2).sum(axis=1).mean()) for e in np.eye(proba.shape[1])])
    weight = np.r_[np.ones(n), np.full(len(extra), 0.5)]
    total = dot(weight, np.r_[sizes, np.ones(len(extra))])
    mean = dot(weight, np.r_[sums, extra]) / total
    off = np.r_[sums - mean * sizes, extra - mean]
    error = math.sqrt(dot(weight, off * off) * n / max(n - 1, 1)) / total
    reach = t_reach(max(n - 1, 1), level) * error
    interval = Interval(value - reach, mean + reach, level, "t of cross products, pseudo-items")
    return Estimate(value, error, interval)
