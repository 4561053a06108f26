"""One study: every model in the place of each annotator, and the models with each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray
from annostat.interchange.alternative import AlternativeTest, alternative_test
from annostat.interchange.cells import sums_among
from annostat.interchange.checks import COUNTED, FEW_EVENTS
from annostat.interchange.distances import Distance
from annostat.interchange.places import Difference, ModelPlace, Place, share_of
from annostat.interchange.reach import (
    ALIKE,
    biases_of,
    change_estimate,
    p_above,
    p_below,
    ratio_estimate,
    to_reader_estimate,
)
from annostat.interchange.spread import (
    MANY_UNITS,
    Statistic,
    Units,
    across,
    difference,
    log_ratio,
    mean_first,
    simultaneous,
)
from annostat.interchange.taken import Taken
from annostat.interchange.verdicts import (
    BETTER,
    OPEN,
    WITHIN,
    WORSE,
    Margin,
    Standing,
    not_better,
    not_worse,
    stand,
    untold,
)
from annostat.resampling import holm
from annostat.results.estimates import Estimate, Interval

SQUARES = ("squared", "quadratic")


class Study:
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
        self.biases = ALIKE
        if self.unlike:
            power = 1.0 if distance.name in SQUARES else 0.5
            self.biases = biases_of(taken.columns.labels, taken.columns.seen, power=power)
        self.weight: Distance | None = None  # of a distance that is a ratio of sums
        self.among_weights: FloatArray | None = None
        self.weights: dict[str, FloatArray] = {}  # as the cells, by model
        if distance.weight is not None:
            words = f"weight of {distance.name}"
            self.weight = replace(distance, name=words, between=distance.weight)
            self.among_weights = sums_among(taken.columns, self.weight)

    def units(self, name: str, cells: FloatArray, rows: NDArray[np.bool_]) -> Units:
        """Return the units of some items, `cells` holding the distances to a model."""
        seen = self.taken.columns.seen
        whole = bool(rows.all())

        def of(a: Any) -> Any:
            return a if whole or a is None else a[rows]

        there = of(seen)
        weights = None
        if self.among_weights is not None:
            w = self.weights.get(name, np.zeros(seen.shape))
            weights = np.where(there, of(w), 0.0), of(self.among_weights)
        return Units.of(
            np.where(there, of(cells), 0.0),
            of(self.among),
            there,
            of(self.codes),
            readers=self.sample,
            weights=weights,
        )

    def by_item(self, name: str, cells: FloatArray) -> FloatArray:
        """Return what each item adds to the model's mean distance, and to that of the labels."""
        seen = self.taken.columns.seen
        _, given = self.taken.models[name]
        m = across(seen)
        first = across(np.where(seen, cells, 0.0)) / m
        second = across(self.among) / (m * (m - 1))
        if self.among_weights is not None:  # so that means are the ratios of sums
            w = across(np.where(seen, self.weights[name], 0.0)) / m
            both = across(self.among_weights) / (m * (m - 1))
            first, second = first / w[given].mean(), second / both[given].mean()
        first[~given] = np.nan
        return np.column_stack([first, second])

    def method(self, units: Units, kind: str = "t") -> str:
        """Return how an interval is made, in words."""
        over = f"{kind} over {units.words}"
        return f"{over} and readers" if self.sample else over

    @property
    def unlike(self) -> bool:
        """Whether intervals hold readers whose noise differs: of numbers and points, a sample."""
        return self.sample and self.distance.ratio

    def by_ratio(self, units: Units) -> bool:
        """Whether verdicts rest on the ratio of distances, with half of the cells' noise."""
        return self.sample and self.distance.ratio and units.n_units >= MANY_UNITS

    def place(
        self, name: str, cells: FloatArray, given: NDArray[np.bool_], units: Units
    ) -> ModelPlace:
        """Return one model in an annotator's place."""
        change = units.spread(difference)
        use_half = self.by_ratio(units)
        ratio = units.spread(log_ratio, half=use_half, unlike=self.unlike)
        judged = ratio if self.distance.ratio and (use_half or self.margin.percent) else None
        share = share_of(
            change.value,
            among := float(units.sums[:, 1].sum() / units.sums[:, 3].sum()),
            self.distance.perfect_at(among),
        )
        standing = stand(change, judged if use_half else None, self.margin, self.level)
        if judged is not None and not use_half:
            standing = _by_percent(change, judged, self.margin, self.level)
        if self.unlike:  # what is printed decides: limits of γ, or of the ratio
            standing = not_worse(standing, p_above(units, self.biases), self.level)
            if not use_half:
                standing = not_better(standing, p_below(units, self.biases), self.level)
        telling = int(np.count_nonzero(units.sums[:, 0] != units.sums[:, 1]))
        of_events = self.distance.name in COUNTED or self.taken.counts is not None
        if of_events and telling < FEW_EVENTS:
            standing = untold(standing)
        log_words = self.method(units, "log-t")
        named = not self.taken.exchangeable and len(self.taken.names) >= 2

        def held(of: Units, g: Statistic, wide: Callable[..., Estimate]) -> Estimate:
            options = self.level, self.unit, self.method(of)
            return (
                wide(of, *options, self.biases) if self.unlike else of.spread(g).estimate(*options)
            )

        return ModelPlace(
            name,
            int(given.sum()),
            held(units, difference, change_estimate),
            ratio_estimate(ratio, self.level, log_words, self.biases),
            held(units, mean_first, to_reader_estimate),
            share,
            standing,
            tuple(self.places(name, cells, given)) if named else (),
            self.alternative(cells, given) if named else None,
            self.unit,
        )

    def alternative(self, cells: FloatArray, given: NDArray[np.bool_]) -> AlternativeTest:
        """Return the alternative-annotator test on the items that a model has."""
        seen = self.taken.columns.seen
        parts = np.where(seen, cells, 0.0), self.among, seen
        return alternative_test(*(parts if given.all() else (part[given] for part in parts)))

    def places(self, name: str, cells: FloatArray, given: NDArray[np.bool_]) -> list[Place]:
        """Return the model in the place of each annotator, against the others."""
        seen = self.taken.columns.seen
        a = np.where(seen, cells, 0.0)
        others = across(seen) - 1
        total = across(a)
        w = None if self.weight is None else np.where(seen, self.weights[name], 0.0)
        spreads = []
        for j in range(seen.shape[1]):
            here = seen[:, j] & given
            rows = slice(None) if here.all() else np.flatnonzero(here)
            codes = None if self.codes is None else self.codes[rows]
            m = others[rows]
            first, second = (total[rows] - a[rows, j]) / m, self.among[rows, j] / m
            weights = None
            if w is not None and self.among_weights is not None:
                weights = (across(w[rows]) - w[rows, j]) / m, self.among_weights[rows, j] / m
            spreads.append(Units.of_means(first, codes, second, weights) if first.size else None)
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
            if not both.any():
                continue
            units = self.units(first, cells[first], both)
            units = units.against(self.units(second, cells[second], both))
            spread = units.spread(difference)
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
