"""Is a model as good as an annotator? The individual equivalence index."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat._version import __version__
from annostat.errors import (
    LARGEST,
    AnnostatError,
    check_choice,
    check_level,
    check_number,
    shown,
)
from annostat.interchange.cells import check_symmetry, sums_among, to_model
from annostat.interchange.checks import (
    check_biases,
    check_events,
    check_findings,
    check_margin,
    check_models,
    check_readers,
    check_skew,
    check_units,
    refuse_heavy_tails,
)
from annostat.interchange.distances import NAMES, Distance, distance_of
from annostat.interchange.habits import find_habits
from annostat.interchange.places import share_between
from annostat.interchange.reach import among_estimate
from annostat.interchange.result import Interchange
from annostat.interchange.spread import (
    Units,
    difference,
    log_among,
)
from annostat.interchange.study import Study
from annostat.interchange.take import take
from annostat.interchange.taken import Taken
from annostat.interchange.verdicts import (
    Margin,
)
from annostat.labels import LabelSet
from annostat.labels.matching import Rule
from annostat.labels.taking import takes_labels
from annostat.resampling import Progress
from annostat.results.estimates import Estimate
from annostat.results.result import Provenance

READERS = ("auto", "these", "sample")


@takes_labels
def interchange(
    rounds: LabelSet | NDArray[Any],
    predictions: Mapping[str, ArrayLike] | LabelSet | None = None,
    *,
    distance: str | Distance | Callable[[Any, Any], Any] | None = None,
    threshold: float | None = None,
    margin: float | None = None,
    margin_percent: float | None = None,
    readers: str = "auto",
    trained_on: str | Sequence[str] | None = None,
    label: int | None = None,
    match: str | Rule | None = None,
    unit: str = "",
    level: float = 0.95,
    progress: Progress | None = None,
) -> Interchange:
    r"""Put models in an annotator's place, and see whether others disagree with them more.

    Parameters
    ----------
    rounds : Rounds, Categories, Points, Findings, MaskRounds or array
        Labels of two or more annotators: numbers of shape (n_items, n_readers) with NaN where one
        is missing, codes of categories or grades as such numbers, masks, findings, or points of
        shape (n_items, n_readers, n_axes). Items with fewer than two labels are left out. A data
        frame is read as by `annostat.read_rounds`, with its options.
    predictions : mapping of str to array, MaskRounds, Points or Findings, optional
        What each model says of the same items, in the same form as one annotator's labels; NaN
        where it says nothing. Points and Findings, whose readers then are the models, are joined by
        the names of items; models may also have been read among the readers of `rounds`.
    distance : str, Distance or callable, optional
        "absolute" (the default of numbers), "squared"; "differ" (categories); "linear" or
        "quadratic" (grades); "1-dice" (the default of masks), "1-iou", "hd95", "surface"; "radial"
        (the default of points); "further" than `threshold`; of findings "1-f1" (the default, of
        counts pooled over images), "1-f1-image" (the mean over images) or "unmatched" (marks of an
        image that only one of two has). A callable takes two arrays of shape (m, ...), the labels
        of m items by two annotators, and returns m numbers of at least 0, the same both ways round;
        of findings three arrays: marks of the one, of the other, and those they share.
    threshold : float, optional
        Of "further", in the unit of the labels.
    margin : float, optional
        What counts as no change, in the unit of the distance (a share between 0 and 1 for "differ",
        "further" and overlaps).
    margin_percent : float, optional
        The same as a share of what two annotators differ by: 0.1 is ten per cent.
    readers : {"auto", "these", "sample"}
        Whether the numbers speak of these annotators alone, or of others like them; "auto" is
        "sample" from three annotators with an identity on.
    trained_on : str or sequence of str, optional
        Annotators on whose labels of these items the models were trained: they are left out.
    label : int, optional
        The structure, of masks of several.
    match : str or Rule, optional
        When marks are one finding, as in `annostat.ceilings.finding_bounds`: "iou 0.5",
        "distance 5". Any two are matched alone.
    unit : str
        Of the labels, if they do not have one.
    level : float
        Level of the intervals; verdicts are one-sided tests at 1 − level.
    progress : callable, optional
        Called as ``progress(done, total)`` after each model.

    Returns
    -------
    Interchange
        With d the distance, f a model and Z, Z′ labels of two annotators of an item,

        - `change` is γ = E d(f, Z) − E d(Z, Z′) (Obuchowski 2001): the mean over items of
          mean_j d(f, z_j) − mean_{j<l} d(z_j, z_l). Its interval is t over items or clusters for
          these annotators; for a sample of annotators a jackknife over them is added, with
          Satterthwaite's degrees of freedom.
        - `ratio` is E d(f, Z)/E d(Z, Z′), the reciprocal of the coefficient of individual agreement
          (Haber & Barnhart 2008), its interval formed on the log scale; for distances of numbers
          and points, a sample of annotators and 100 items or clusters, half of the cells' noise,
          which both variances hold, is taken out again, and verdicts rest on it: it has the sign
          of γ.
        - `among` is what two annotators differ by.

    Raises
    ------
    AnnostatError
        If no item has two labels and a prediction; a model is a round, or a mean, median or vote of
        several; distances are negative, not numbers or not symmetric; squared distances have heavy
        tails; or an option is out of its domain.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat.interchange import interchange
    >>> rng = np.random.default_rng(1)
    >>> truth = rng.normal(55, 10, 200)
    >>> labels = truth[:, None] + rng.normal(0, 4, (200, 4))
    >>> found = interchange(labels, {"net": truth + rng.normal(0, 3, 200)}, unit="points")
    >>> print(found.answer())
    net is better than a reader like these (p < 0.001, one-sided, by the ratio).
    """
    level = check_level(level)
    check_choice("readers", readers, READERS)
    taken = _without(take(rounds, predictions, label, unit, match), trained_on)
    found = distance_of(distance or taken.usual or None, taken.kind, threshold)
    if taken.counts is not None:
        found = taken.counts.bound(found)
    wanted = _margin(margin, margin_percent, found)
    speaks_of = _speaks_of(readers, taken)
    if found.name not in NAMES:
        check_symmetry(taken.columns, found, taken.names)
    checks = check_models(taken, found)
    refuse_heavy_tails(taken, found)
    among = sums_among(taken.columns, found)
    sample = speaks_of == "sample"
    study = Study(taken, found, among, sample, wanted, level)
    models, cells = [], {}
    units: Units | None = None
    for done, (name, (f, given)) in enumerate(taken.models.items(), 1):
        cells[name] = to_model(taken.columns, f, given, found)
        if study.weight is not None:
            study.weights[name] = to_model(taken.columns, f, given, study.weight)
        of_model = study.units(name, cells[name], given)
        models.append(study.place(name, cells[name], given, of_model))
        checks += check_skew(name, of_model.pulls(difference), found, level)
        units = of_model if given.all() else units  # the labels are the same for all models
        if progress is not None:
            progress(done, len(taken.models))
    if units is None:
        everywhere = np.ones(taken.columns.n_items, dtype=bool)
        units = study.units("", np.zeros(among.shape), everywhere)
    words = study.method(units, "log-t")
    if study.unlike:
        differ = among_estimate(units, level, study.unit, words, study.biases)
    else:
        differ = units.spread(log_among).estimate(level, study.unit, words, log=True)
    if math.isinf(units.spread(log_among).value):
        differ = Estimate(0.0, None, None, study.unit, "no interval: two labels never differ")
    checks += check_units(taken, units.n_units, units.words, level)
    checks += check_events(taken, among, found, level)
    checks += check_margin(margin, differ.value, study.unit)
    checks += check_readers(taken, speaks_of, found)
    checks += check_biases(taken, level)
    checks += check_findings(taken, level)
    habits, seen = find_habits(
        taken,
        found,
        {m.name: m for m in models},
        sample=study.sample,
        margin=wanted,
        level=level,
    )
    checks += seen
    by_item = {name: study.by_item(name, cells[name]) for name in cells}
    perfect = None
    ends = found.perfect_at(differ.value)
    if ends is not None:
        perfect = tuple(sorted(-(1 - c) * differ.value for c in ends))
    if habits is not None:
        perfect = habits.perfect
        models = [replace(m, share=share_between(m.change.value, perfect)) for m in models]
    return Interchange(
        tuple(models),
        differ,
        perfect,  # type: ignore[arg-type]
        tuple(study.compare(cells)),
        tuple(checks),
        Provenance(
            __version__,
            taken.digest,
            taken.columns.n_items,
            None,
            {
                "distance": found.name,
                "threshold": threshold,
                "margin": margin,
                "margin_percent": margin_percent,
                "readers": readers,
                "trained_on": _names(trained_on),
                "label": label,
                "match": None if taken.counts is None else str(taken.counts.rule),
                "level": level,
            },
        ),
        found,
        speaks_of,
        study.unit,
        taken,
        units.n_units if units.clustered else None,
        by_item,
        level,
        habits,
    )


def _margin(margin: float | None, share: float | None, distance: Distance) -> Margin:
    if margin is not None and share is not None:
        raise AnnostatError("give margin or margin_percent, not both")
    if share is not None:
        if not distance.ratio:
            raise AnnostatError(
                f"margin_percent goes with distances of numbers and points, not with "
                f"{distance.name!r}: give margin"
            )
        return Margin(
            None, check_number("margin_percent", share, low=0.0, high=10.0, open_ends=True)
        )
    if margin is None:
        return Margin()
    number = check_number("margin", margin, low=0.0, high=LARGEST, open_ends=True)
    if distance.share and number >= 1:
        raise AnnostatError(
            f"margin of {distance.name!r} is a share between 0 and 1 (0.05 is 5 percentage "
            f"points), got {margin!r}"
        )
    return Margin(number)


def _speaks_of(readers: str, taken: Taken) -> str:
    able = len(taken.names) >= 3 and not taken.exchangeable
    if readers == "auto":
        return "sample" if able else "these"
    if readers == "sample" and not able:
        why = (
            "the order of these means nothing" if taken.exchangeable else f"got {len(taken.names)}"
        )
        raise AnnostatError(f"readers='sample' needs three readers with an identity: {why}")
    return readers


def _names(trained_on: str | Sequence[str] | None) -> list[str]:
    return [trained_on] if isinstance(trained_on, str) else list(trained_on or ())


def _without(taken: Taken, trained_on: str | Sequence[str] | None) -> Taken:
    """Return the labels without those that the models were trained on."""
    names = list(dict.fromkeys(_names(trained_on)))
    if not names:
        return taken
    if taken.exchangeable:
        raise AnnostatError(
            "trained_on needs readers with an identity, but the order of these means nothing"
        )
    for name in names:
        check_choice("trained_on", name, taken.names)
    kept = [j for j, name in enumerate(taken.names) if name not in names]
    if len(kept) < 2:
        raise AnnostatError(
            f"trained_on leaves {len(kept)} reader of {len(taken.names)}: two that the models have "
            "not learned from are needed to see what readers differ by"
        )
    seen = taken.columns.seen[:, kept]
    rows = np.flatnonzero(seen.sum(axis=1) >= 2)
    if not rows.size:
        raise AnnostatError("no item has two labels that the models were not trained on")
    note = f"Left out, as the models were trained on their labels: {shown(names)}."
    return replace(
        taken.at(rows, kept),
        notes=(*taken.notes, note),
        left_out=taken.left_out + len(taken.columns.seen) - len(rows),
    )
