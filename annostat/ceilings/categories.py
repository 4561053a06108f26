"""How good any model can look against categories: brackets that hold for any difficulty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from annostat._version import __version__
from annostat.agreement.categories import (
    MOST_SHOWN,
    RARE,
    CategoryAgreement,
    category_agreement,
)
from annostat.agreement.category_raters import RaterTests, rater_tests
from annostat.agreement.confusion import category_confusion
from annostat.ceilings.category_forms import (
    accuracy_ceiling,
    auc_bracket,
    f1_ceiling,
    root_ceiling,
)
from annostat.ceilings.category_result import CategoryBounds, Ceiling
from annostat.ceilings.mixing import GAINS, Mixture, against_majority, mixture_of
from annostat.ceilings.simplex import Simplex, fits_simplex
from annostat.errors import AnnostatError, check_count, check_level, check_number
from annostat.labels.categories import Categories
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.intervals import wilson
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance

LP = "inverted test, certified programme over the law of p"
CLOSED = "limits of two annotators' agreement through the closed form"
LABELS = {
    "accuracy": "accuracy",
    "f1": "F1",
    "kappa": "κ",
    "balanced_accuracy": "balanced accuracy",
    "log_score": "log score",
}


def category_bounds(
    labels: Categories,
    *,
    positive: Sequence[object] | object | None = None,
    majority_of: int = 1,
    level: float = 0.95,
    rng: Rng = 0,
) -> CategoryBounds:
    """Return how good any model can look against labels that are categories or grades.

    Parameters
    ----------
    labels : Categories
        Two or more labels per item; missing ones are allowed. Clusters are the independent units.
    positive : str or sequence of str, optional
        Classes that count as positive; the labels become two classes. Of two classes the second
        one is positive by default.
    majority_of : int
        Annotators, an odd number, whose majority is a test label; accuracy and F1 alone are known
        for more than one.
    level : float
        Level of the intervals.
    rng : None, int or Generator
        Decides which half of the items each test looks at first.

    Returns
    -------
    CategoryBounds
        Of each metric the score between two annotators, the bracket of the best possible model's,
        and an interval that holds it. Two labels give the widest bracket; more narrow it.

    Raises
    ------
    AnnostatError
        If no item has two labels, all are of one class, or `majority_of` is even.

    Notes
    -----
    Item i has probabilities p_i; labels are independent given them, and the best model knows p_i.
    Nothing is presumed of the law of p. Where raters differ, the brackets are those of pairs.

    Examples
    --------
    >>> labels = Categories.from_array([["a", "a"]] * 40 + [["b", "b"]] * 35 + [["a", "b"]] * 15)
    >>> category_bounds(labels)["accuracy"].best()
    '0.833 to 0.917'
    """
    level = check_level(level)
    m = check_count("majority_of", majority_of, low=1)
    base = labels if positive is None else labels.binary(positive)
    used = base.usable()
    if (used.counts.sum(axis=0) > 0).sum() < 2:
        raise AnnostatError("all labels are of one class: there is nothing to tell apart")
    agreement = category_agreement(base, level=level)
    tests = rater_tests(used)
    options: dict[str, Any] = {"level": level, "rng": rng, "m": m}
    if used.n_classes == 2:
        ceilings = _of_two(used, agreement, tests, **options)
    else:
        ceilings = _of_many(used, agreement, tests, **options)
    return CategoryBounds(
        tuple(ceilings),
        agreement,
        m,
        used.classes,
        used.classes[1] if used.n_classes == 2 else "",
        len(used.codes),
        (*agreement.checks, *tests.checks, *_less_alike(agreement), *_anonymous(used)),
        Provenance(
            __version__,
            used.digest(),
            len(used.codes),
            seed_of(rng),
            {"level": level, "majority_of": m, "positive": None if positive is None else positive},
        ),
        category_confusion(used, level=level) if used.n_classes <= MOST_SHOWN else None,
    )


class _Setting(NamedTuple):
    """Labels of two classes, and what every ceiling of theirs is made of."""

    labels: Categories
    tests: RaterTests
    mixture: Mixture
    level: float
    m: int = 1

    @property
    def name(self) -> str:
        """The class that counts as positive."""
        return self.labels.classes[1]


def _of_two(
    labels: Categories,
    agreement: CategoryAgreement,
    tests: RaterTests,
    *,
    level: float,
    rng: Rng,
    m: int,
) -> list[Ceiling]:
    """Return the ceilings of two classes."""
    setting = _Setting(labels, tests, mixture_of(labels, rng), level, m)
    share, kappa = agreement["agreement"], agreement["fleiss"]
    if m > 1:
        return [_programmed(setting, key, None) for key in ("f1", "accuracy")]
    two = {"f1": _on(agreement, setting.name), "accuracy": share, "kappa": kappa}
    pi = float(agreement.shares[1])
    found = [
        _programmed(setting, key, two.get(key))
        for key in ("f1", "accuracy", "kappa", "balanced_accuracy")
    ]
    by_metric = {c.metric: c for c in found}
    mcc = _through("mcc", "MCC", kappa, lambda x: max(x, 0.0), root_ceiling)
    found.append(_above(mcc, by_metric["kappa"]))  # κ ≤ MCC for any answer
    auc = _through(
        "auc", "AUC", kappa, lambda x: auc_bracket(x, pi)[0], lambda x: auc_bracket(x, pi)[1]
    )
    auc = replace(auc, of_class=setting.name, two_raters=None)
    found.append(_above(auc, by_metric["balanced_accuracy"]))  # the AUC of that one threshold
    found.append(_brier(share))
    log = _programmed(setting, "log_score", None)
    found.append(replace(log, of_class="", floor=True, label="log score (a floor)"))
    return found


def _of_many(
    labels: Categories,
    agreement: CategoryAgreement,
    tests: RaterTests,
    *,
    level: float,
    rng: Rng,
    m: int,
) -> list[Ceiling]:
    """Return the ceilings of three classes or more: each class against the rest, and all."""
    if m > 1:
        raise AnnostatError("majority_of is known for two classes: name the positive ones")
    k = labels.n_classes
    a = agreement["agreement"]
    alike = 0.0 if not tests.refuted else tests.spread
    # Where raters differ counts of three and more put brackets too low: pairs alone are left.
    simplex = Simplex(labels, rng=rng) if not tests.refuted and fits_simplex(labels) else None
    if simplex is not None:
        found = [_on_simplex(simplex, "accuracy", "accuracy", a, level)]
    else:
        found = [
            _through(
                "accuracy", "accuracy", a, lambda x: x, lambda x: accuracy_ceiling(x + alike, k)
            )
        ]
    per_class = []
    each = 1 - (1 - level) / k  # so that their mean holds too
    for q, name in enumerate(labels.classes):
        if not labels.counts[:, q].any():
            continue
        single = labels.binary([name])
        setting = _Setting(single, rater_tests(single), mixture_of(single, rng), each)
        per_class.append(_programmed(setting, "f1", _on(agreement, name)))
    found.append(_macro(per_class, level))
    if labels.ordinal:
        quadratic = next(
            c.estimate
            for c in agreement.coefficients
            if c.key == "fleiss" and c.weights == "quadratic"
        )
        name = "quadratic κ"
        if simplex is not None:
            found.append(_on_simplex(simplex, "quadratic_kappa", name, quadratic, level))
        else:
            found.append(
                _through("quadratic_kappa", name, quadratic, lambda x: max(x, 0.0), root_ceiling)
            )
    found.append(_brier(a))
    return [*found, *per_class]


def _on(agreement: CategoryAgreement, name: str) -> Estimate | None:
    """Return the F1 of two annotators on a class, if it is listed."""
    return next((c.estimate for c in agreement.coefficients if c.of_class == name), None)


def _programmed(setting: _Setting, key: str, pair: Estimate | None) -> Ceiling:
    """Return a ceiling by the linear programme; that of pairs where raters differ."""
    labels, name = setting.labels, setting.name
    label = LABELS[key] + (f" of {name}" if key == "f1" else "")
    if setting.tests.refuted and key in ("accuracy", "f1", "kappa") and setting.m == 1:
        return _of_pairs(setting, key, label, pair)
    gain = against_majority(GAINS[key], setting.m)
    low, high = setting.mixture.bracket(gain)
    limits = setting.mixture.limits(gain, setting.level, bracket=(low, high))
    interval: Interval | None = Interval(*limits, setting.level, LP)
    note = ""
    held = int((labels.counts[:, 1] > 0).sum())
    if key == "f1" and held < RARE:
        interval, note = None, f"{held} items have a label of {name}: it cannot be bounded"
    of_class = name if key in ("f1", "balanced_accuracy") else ""
    return Ceiling(key, label, of_class, pair, low, high, interval, note=note)


def _of_pairs(setting: _Setting, key: str, label: str, pair: Estimate | None) -> Ceiling:
    """Return the ceiling against one of the raters at random, where they differ.

    Labels of different raters are less spread than those of exchangeable ones, so that counts of
    three or more put the bracket too low. The mean of p over raters has E p̄² at least the pairs'
    product and the known part of the raters' spread; the rest is not known.
    """
    counts = setting.labels.counts
    pi = float(counts[:, 1].sum() / counts.sum())
    extra = setting.tests.spread  # of E p̄², known part
    if pair is None:
        return Ceiling(key, label, "", pair, 0.0, 1.0, None, note="raters differ: not known")
    note = "raters differ: from pairs"
    through = {
        "accuracy": lambda x: accuracy_ceiling(x + 2 * extra),
        "f1": lambda x: f1_ceiling(min(x + extra / pi, 1.0), pi),
        "kappa": lambda x: root_ceiling(min(x + extra / (pi * (1 - pi)), 1.0)),
    }[key]
    found = _through(key, label, pair, lambda x: max(x, 0.0), through)
    return replace(found, of_class=setting.name if key == "f1" else "", note=note)


def _on_simplex(simplex: Simplex, key: str, label: str, pair: Estimate, level: float) -> Ceiling:
    """Return a ceiling of three or four classes by the programme over the simplex."""
    low, high = simplex.bracket(key)
    limits = simplex.limits(key, level, bracket=(low, high))
    return Ceiling(key, label, "", pair, low, high, Interval(*limits, level, LP))


def _through(key: str, label: str, e: Estimate, low: Any, high: Any) -> Ceiling:
    """Return a bracket that follows from one number of two annotators, and its limits."""
    interval = None
    if e.interval is not None:
        interval = Interval(low(e.interval.low), high(e.interval.high), e.interval.level, CLOSED)
    note = e.note
    if math.isnan(e.value):
        return Ceiling(key, label, "", e, math.nan, math.nan, interval, note=note)
    return Ceiling(key, label, "", e, low(e.value), high(e.value), interval, note=note)


def _above(ceiling: Ceiling, other: Ceiling) -> Ceiling:
    """Return a ceiling that lies no lower than another one."""
    interval = ceiling.interval
    if interval is not None and other.interval is not None:
        low = min(max(interval.low, other.interval.low), interval.high)
        interval = replace(interval, low=low)
    low = min(max(ceiling.low, other.low), ceiling.high)
    return replace(ceiling, low=low, interval=interval)


def _brier(a: Estimate) -> Ceiling:
    """Return the floor of the Brier score: the share of pairs of labels that differ, exactly."""
    loss = a.complement()
    if loss.interval is None:
        return Ceiling(
            "brier", "Brier score (a floor)", "", None, loss.value, loss.value, None, True
        )
    return Ceiling(
        "brier", "Brier score (a floor)", "", None, loss.value, loss.value, loss.interval, True
    )


def _macro(per_class: Sequence[Ceiling], level: float) -> Ceiling:
    """Return the macro F1: its classes share one prediction, so that it has no root of its own."""
    two = [c.two_raters for c in per_class]
    low = float(np.mean([0.0 if e is None else e.value for e in two]))
    high = float(np.mean([c.high for c in per_class]))
    interval = None
    known = [c.interval for c in per_class]
    if all(i is not None for i in known) and all(
        e is not None and e.interval is not None for e in two
    ):
        bottom = float(np.mean([e.interval.low for e in two if e is not None and e.interval]))
        top = float(np.mean([i.high for i in known if i is not None]))
        interval = Interval(bottom, top, level, f"{LP}, Bonferroni over classes")
    value = Estimate(low)
    return Ceiling("macro_f1", "macro F1", "", value, low, high, interval)


def _less_alike(agreement: CategoryAgreement) -> list[Check]:
    """Return a failed check where labels of an item are less alike than independent ones."""
    kappa = agreement.kappa
    if kappa.interval is None or kappa.interval.high >= 0:
        return []
    text = (
        "Labels of one item are less alike than those of different items: they are not independent "
        "readings of it (was a second annotator asked to differ?), and no ceiling holds."
    )
    return [Check("less_alike", False, text, kappa.value)]


def _anonymous(labels: Categories) -> list[Check]:
    """Return what anonymous labels cannot show."""
    if not labels.exchangeable:
        return []
    text = (
        "Raters are anonymous: one who says yes more often than others, or copies another, cannot "
        "be seen. Copied labels raise the ceiling."
    )
    return [Check("anonymous", None, text)]


def published_categories(
    *,
    kappa: float | None = None,
    f1: float | None = None,
    agreement: float | None = None,
    n: int | None = None,
    n_classes: int = 2,
    prevalence: float | None = None,
    level: float = 0.95,
) -> CategoryBounds:
    """Return the ceilings that published numbers of two annotators give.

    Parameters
    ----------
    kappa, f1, agreement : float
        κ, F1 of a class, or percent agreement (as a share) of two annotators; at least one.
    n : int, optional
        Items behind them; without it there is no interval.
    n_classes : int
        Number of classes; κ's and F1's ceilings are of two.
    prevalence : float, optional
        Share of the positive class: F1's bracket is narrower for it, and κ gives the AUC's.
    level : float

    Returns
    -------
    CategoryBounds

    Raises
    ------
    AnnostatError
        If no number is given, or one is out of its range.

    Notes
    -----
    The interval of κ takes two annotators with like shares of the classes and, where the
    prevalence is not given, one half; those of agreement and F1 are binomial (Wilson).

    Examples
    --------
    >>> print(published_categories(kappa=0.61)["kappa"].best())
    0.610 to 0.781
    """
    level = check_level(level)
    given = {"kappa": kappa, "f1": f1, "agreement": agreement}
    if all(v is None for v in given.values()):
        raise AnnostatError("give a published kappa, f1 or agreement")
    k = check_count("n_classes", n_classes, low=2)
    count = None if n is None else check_count("n", n, low=2)
    pi = None if prevalence is None else check_number("prevalence", prevalence, low=0, high=1)
    found: list[Ceiling] = []
    if f1 is not None:
        value = check_number("f1", f1, low=0, high=1)
        size = None if count is None else count * (0.5 if pi is None else pi)
        e = _wilson(value, size, level)
        found.append(_through("f1", "F1", e, lambda x: x, lambda x: f1_ceiling(x, pi)))
    if agreement is not None:
        value = check_number("agreement", agreement, low=0, high=1)
        e = _wilson(value, count, level)
        found.append(
            _through("accuracy", "accuracy", e, lambda x: x, lambda x: accuracy_ceiling(x, k))
        )
        found.append(_brier(e))
    if kappa is not None:
        value = check_number("kappa", kappa, low=-1, high=1)
        p = 0.5 if pi is None else pi
        base = 1 - 2 * p * (1 - p)
        a = _wilson(value * (1 - base) + base, count, level)
        e = a.through(lambda x: (x - base) / (1 - base), 1 / (1 - base))
        e = replace(e, value=value)
        found.append(_through("kappa", "κ", e, lambda x: max(x, 0.0), root_ceiling))
        if pi is not None:
            found.append(
                _through(
                    "auc",
                    "AUC",
                    e,
                    lambda x: auc_bracket(x, pi)[0],
                    lambda x: auc_bracket(x, pi)[1],
                )
            )
    check = Check(
        "published",
        None,
        "Did both annotators label all items alone, without talking? Labels that were agreed on "
        "raise the ceiling.",
    )
    about = {**given, "n_classes": k, "prevalence": pi, "level": level}
    return CategoryBounds(
        tuple(found),
        None,
        1,
        (),
        "",
        count,
        (check,),
        Provenance(__version__, "", 0 if count is None else count, None, about),
    )


def _wilson(share: float, n: float | None, level: float) -> Estimate:
    """Return a share with Wilson's interval."""
    if n is None:
        return Estimate(share, note="no interval: the number of items is not given")
    return Estimate(share, math.sqrt(share * (1 - share) / n), wilson(share, n, level))
