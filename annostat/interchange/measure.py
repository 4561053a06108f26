"""Is a model as good as an annotator? The individual equivalence index."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.errors import (
    LARGEST,
    AnnostatError,
    check_choice,
    check_level,
    check_number,
    shown,
)
from annostat.interchange.alternative import alternative_test
from annostat.interchange.cells import Columns, check_symmetry, sums_among, to_model
from annostat.interchange.checks import (
    COUNTED,
    FEW_EVENTS,
    check_biases,
    check_events,
    check_margin,
    check_models,
    check_readers,
    check_skew,
    check_units,
    refuse_heavy_tails,
)
from annostat.interchange.distances import NAMES, Distance, distance_of
from annostat.interchange.places import Difference, ModelPlace, Place, share_of
from annostat.interchange.result import Interchange
from annostat.interchange.spread import (
    MANY_UNITS,
    Units,
    across,
    difference,
    log_among,
    log_ratio,
    mean_first,
    simultaneous,
)
from annostat.interchange.taken import Taken, take
from annostat.interchange.verdicts import (
    BETTER,
    OPEN,
    WITHIN,
    WORSE,
    Margin,
    Standing,
    stand,
    untold,
)
from annostat.labels import LabelSet
from annostat.labels.taking import takes_labels
from annostat.resampling import Progress, holm
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Provenance

READERS = ("auto", "these", "sample")


@takes_labels
def interchange(
    rounds: LabelSet | NDArray[Any],
    predictions: Mapping[str, ArrayLike] | LabelSet,
    *,
    distance: str | Distance | Callable[[Any, Any], Any] | None = None,
    threshold: float | None = None,
    margin: float | None = None,
    margin_percent: float | None = None,
    readers: str = "auto",
    trained_on: str | Sequence[str] | None = None,
    label: int | None = None,
    unit: str = "",
    level: float = 0.95,
    progress: Progress | None = None,
) -> Interchange:
    r"""Put models in an annotator's place, and see whether others disagree with them more.

    Parameters
    ----------
    rounds : Rounds, Points, MaskRounds or array
        Labels of two or more annotators: numbers of shape (n_items, n_readers) with NaN where one
        is missing, codes of categories or grades as such numbers, masks, or points of shape
        (n_items, n_readers, n_axes). Items with fewer than two labels are left out. A data frame
        is read as by `annostat.read_rounds`, with its options.
    predictions : mapping of str to array, or MaskRounds
        What each model says of the same items, in the same form as one annotator's labels; NaN
        where it says nothing.
    distance : str, Distance or callable, optional
        "absolute" (the default of numbers), "squared"; "differ" (categories); "linear" or
        "quadratic" (grades); "1-dice" (the default of masks), "1-iou", "hd95", "surface"; "radial"
        (the default of points); "further" than `threshold`. A callable takes two arrays of shape
        (m, ...), the labels of m items by two annotators, and returns m numbers of at least 0, the
        same both ways round.
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
    net is better than a reader like these.
    """
    level = check_level(level)
    check_choice("readers", readers, READERS)
    taken = _without(take(rounds, predictions, label, unit), trained_on)
    found = distance_of(distance or taken.usual or None, taken.kind, threshold)
    wanted = _margin(margin, margin_percent, found)
    speaks_of = _speaks_of(readers, taken)
    if found.name not in NAMES:
        check_symmetry(taken.columns, found, taken.names)
    checks = check_models(taken, found)
    refuse_heavy_tails(taken, found)
    among = sums_among(taken.columns, found)
    sample = speaks_of == "sample"
    study = _Study(taken, found, among, sample, wanted, level)
    models, cells = [], {}
    units: Units | None = None
    for done, (name, (f, given)) in enumerate(taken.models.items(), 1):
        cells[name] = to_model(taken.columns, f, given, found)
        of_model = study.units(cells[name], given)
        models.append(study.place(name, cells[name], given, of_model))
        checks += check_skew(name, of_model.pulls(difference), level)
        units = of_model if given.all() else units  # the labels are the same for all models
        if progress is not None:
            progress(done, len(taken.models))
    if units is None:
        everywhere = np.ones(taken.columns.n_items, dtype=bool)
        units = study.units(np.zeros(among.shape), everywhere)
    spread = units.spread(log_among)
    differ = spread.estimate(level, study.unit, study.method(units, "log-t"), log=True)
    if math.isinf(spread.value):
        differ = Estimate(0.0, None, None, study.unit, "no interval: two labels never differ")
    checks += check_units(taken, units.n_units, units.words, level)
    checks += check_events(taken, among, found, level)
    checks += check_margin(margin, differ.value, study.unit)
    checks += check_readers(taken, speaks_of, found)
    checks += check_biases(taken, level)
    seen = taken.columns.seen
    pairs = across(seen)
    base = across(among) / (pairs * (pairs - 1))
    by_item = {
        name: np.column_stack([across(np.where(seen, a, 0.0)) / pairs, base])
        for name, a in cells.items()
    }
    for name, (_, given) in taken.models.items():
        by_item[name][~given, 0] = np.nan
    perfect = None
    if found.perfect is not None:
        perfect = tuple(sorted(-(1 - c) * differ.value for c in found.perfect))
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
    )


class _Study:
    """What the models of one study share."""

    def __init__(
        self,
        taken: Taken,
        distance: Distance,
        among: FloatArray,
        sample: bool,
        margin: Margin,
        level: float,
    ) -> None:
        self.taken, self.distance, self.among = taken, distance, among
        self.sample, self.margin, self.level = sample, margin, level
        self.unit = distance.unit_of(taken.unit)
        self.codes = taken.codes

    def units(self, cells: FloatArray, rows: NDArray[np.bool_]) -> Units:
        """Return the units of some items, `cells` holding the distances to a model."""
        seen = self.taken.columns.seen
        if rows.all():
            chosen = cells, self.among, seen, self.codes
        else:
            codes = None if self.codes is None else self.codes[rows]
            chosen = cells[rows], self.among[rows], seen[rows], codes
        a, among, there, codes = chosen
        return Units.of(np.where(there, a, 0.0), among, there, codes, readers=self.sample)

    def method(self, units: Units, kind: str = "t") -> str:
        """Return how an interval is made, in words."""
        over = f"{kind} over {units.words}"
        return f"{over} and readers" if self.sample else over

    def by_ratio(self, units: Units) -> bool:
        """Whether verdicts rest on the ratio of distances, with half of the cells' noise."""
        return self.sample and self.distance.ratio and units.n_units >= MANY_UNITS

    def place(
        self, name: str, cells: FloatArray, given: NDArray[np.bool_], units: Units
    ) -> ModelPlace:
        """Return one model in an annotator's place."""
        change = units.spread(difference)
        use_half = self.by_ratio(units)
        ratio = units.spread(log_ratio, half=use_half)
        judged = ratio if self.distance.ratio and (use_half or self.margin.percent) else None
        share = share_of(
            change.value,
            float(units.sums[:, 1].sum() / units.sums[:, 2].sum()),
            self.distance.perfect,
        )
        standing = stand(change, judged if use_half else None, self.margin, self.level)
        if judged is not None and not use_half:
            standing = _by_percent(change, judged, self.margin, self.level)
        telling = int(np.count_nonzero(units.sums[:, 0] != units.sums[:, 1]))
        if self.distance.name in COUNTED and telling < FEW_EVENTS:
            standing = untold(standing)
        log_words = self.method(units, "log-t")
        named = not self.taken.exchangeable and len(self.taken.names) >= 2
        return ModelPlace(
            name,
            int(given.sum()),
            change.estimate(self.level, self.unit, self.method(units)),
            ratio.estimate(self.level, "", log_words, log=True),
            units.spread(mean_first).estimate(self.level, self.unit, self.method(units)),
            share,
            standing,
            tuple(self.places(cells, given)) if named else (),
            alternative_test(
                np.where(self.taken.columns.seen, cells, 0.0)[given],
                self.among[given],
                self.taken.columns.seen[given],
            )
            if named
            else None,
            self.unit,
        )

    def places(self, cells: FloatArray, given: NDArray[np.bool_]) -> list[Place]:
        """Return the model in the place of each annotator, against the others."""
        seen = self.taken.columns.seen
        a = np.where(seen, cells, 0.0)
        others = across(seen) - 1
        total = across(a)
        spreads = []
        for j in range(seen.shape[1]):
            here = seen[:, j] & given
            rows = slice(None) if here.all() else np.flatnonzero(here)
            codes = None if self.codes is None else self.codes[rows]
            m = others[rows]
            first, second = (total[rows] - a[rows, j]) / m, self.among[rows, j] / m
            spreads.append(Units.of_means(first, codes, second) if first.size else None)
        known = [(j, u) for j, u in enumerate(spreads) if u is not None]
        found = [u.spread(difference) for _, u in known]
        limit = self.margin.distance
        if limit is None and self.margin.percent is not None:
            limit = math.nan
        tests = [
            holm([s.p_below(0.0) for s in found]),
            holm([s.p_above(0.0) for s in found]),
            holm([None if limit is None else s.p_below(limit) for s in found]),
        ]
        places = []
        for (j, u), s, better, worse, within in zip(known, found, *tests, strict=True):
            plain = s.estimate(self.level, self.unit, "")
            words = f"t over {u.words}, {len(known)} readers together (Bonferroni)"
            held: Interval | None = simultaneous(s, self.level, len(known), words)
            estimate = Estimate(
                plain.value, plain.standard_uncertainty, held, self.unit, plain.note
            )
            alone = stand(s, None, Margin(), self.level)
            verdict = Standing("", better, worse, within, alone.least_margin, None, limit, None)
            places.append(
                Place(
                    self.taken.names[j],
                    estimate,
                    better,
                    worse,
                    within,
                    _verdict(verdict, self.level),
                    max(s.upper(1 - (1 - self.level) / len(known)), 0.0),
                )
            )
        return places

    def compare(self, cells: Mapping[str, FloatArray]) -> list[Difference]:
        """Return each two models, on the items that both have."""
        found = []
        given = {name: where for name, (_, where) in self.taken.models.items()}
        for first, second in combinations(cells, 2):
            both = given[first] & given[second]
            gap = cells[first] - cells[second]
            if not both.any():
                continue
            units = self.units(gap, both)
            spread = units.spread(mean_first)
            below = spread.p_below(0.0)
            p = None if below is None else 2 * min(below, 1 - below)
            if spread.known:
                p = 2 * float(special.stdtr(spread.df, -abs(spread.value) / spread.error))
            estimate = spread.estimate(self.level, self.unit, self.method(units))
            found.append((first, second, estimate, p, int(both.sum())))
        adjusted = holm([p for *_, p, _ in found])
        return [
            Difference(a, b, e, p, q, _less(a, b, e, q, self.level), n)
            for (a, b, e, p, n), q in zip(found, adjusted, strict=True)
        ]


def _less(first: str, second: str, found: Estimate, p: float | None, level: float) -> str:
    if p is None or p >= 1 - level:
        return ""
    return first if found.value < 0 else second


def _verdict(tests: Standing, level: float) -> str:
    """Return the verdict that adjusted p-values allow."""
    for p, name in ((tests.p_better, BETTER), (tests.p_within, WITHIN), (tests.p_worse, WORSE)):
        if p is not None and p < 1 - level:
            return name
    return OPEN


def _by_percent(change: Any, ratio: Any, margin: Margin, level: float) -> Standing:
    """Return the verdict of these readers with a margin that is a share."""
    found = stand(change, None, Margin(), level)
    shares = stand(ratio, ratio, margin, level)
    name = shares.name if found.name == OPEN or shares.p_within is not None else found.name
    return Standing(
        name,
        found.p_better,
        found.p_worse,
        shares.p_within,
        found.least_margin,
        shares.least_percent,
        None,
        margin.percent,
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
    columns = Columns(
        [taken.columns.labels[j][rows] for j in kept],
        seen[rows],
        None if taken.columns.spacing is None else taken.columns.spacing[rows],
    )
    note = f"Left out, as the models were trained on their labels: {shown(names)}."
    return replace(
        taken,
        columns=columns,
        names=tuple(taken.names[j] for j in kept),
        items=None if taken.items is None else taken.items[rows],
        cluster=None if taken.cluster is None else taken.cluster[rows],
        notes=(*taken.notes, note),
        left_out=taken.left_out + len(taken.columns.seen) - len(rows),
        models={name: (f[rows], where[rows]) for name, (f, where) in taken.models.items()},
    )
