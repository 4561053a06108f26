"""How many items, labelled how often, a wanted width of κ or of a ceiling takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat._version import __version__
from annostat.agreement.categories import estimate_of
from annostat.agreement.chance import CategorySums, distances, fleiss_expected, of_shares
from annostat.arrays import FloatArray
from annostat.ceilings.mixing import GAINS, Cells, Mixture, best_score, mixture_of, two_classes
from annostat.errors import AnnostatError, check_choice, check_count, check_level, check_number
from annostat.labels.categories import Categories
from annostat.resampling.generators import Rng, as_generator, seed_of
from annostat.results.estimates import Interval
from annostat.results.result import Check, Provenance, Result
from annostat.results.sections import Section
from annostat.results.text import format_number, plain

if TYPE_CHECKING:
    import pandas as pd

AIMS = {
    "agreement": "κ of two annotators",
    "accuracy": "ceiling of the accuracy",
    "f1": "ceiling of F1",
    "kappa": "ceiling of κ",
}
LABELS = (2, 3, 5)
FIRST = 200  # items of the first studies that are simulated
MOST = 100_000  # items that a plan may ask for
LARGE = 4000  # items that studies are simulated with at most
FEWEST = 20  # items of a pilot
SHRUNK = (0.25, 0.5, 0.75, 1.0)  # how far items' shares are drawn towards the mean
EM_STEPS, TINY = 300, 1e-9


@dataclass(frozen=True, eq=False)
class CategoryPlan(Result):
    """Items and labels that a wanted half-width takes.

    Attributes
    ----------
    aim : {"agreement", "accuracy", "f1", "kappa"}
    positive : str
    half_width, level : float
        Wanted half-width of the interval.
    needed : dict of int to int or None
        Items by labels per item; None where no number of items is enough.
    bracket : dict of int to float
        Half the width of what so many labels leave open, however many items there are.
    achieved : dict of int to float
        Mean half-width in studies of that size, simulated from the pilot's law; NaN if it was not
        simulated.
    coverage : float
        Share of these studies' intervals that hold the value of the pilot's law.
    value : float or None
        That value: of the coefficient, or the best score.
    checks : tuple of Check
    provenance : Provenance
    """

    aim: str
    positive: str
    half_width: float
    level: float
    needed: dict[int, int | None]
    bracket: dict[int, float]
    achieved: dict[int, float]
    coverage: float
    value: float
    checks: tuple[Check, ...]
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "aim": self.aim,
            "positive": self.positive,
            "half_width": self.half_width,
            "level": self.level,
            "value": plain(self.value),
            "needed": self.to_frame().to_dict("records"),
            "coverage": plain(self.coverage),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each number of labels."""
        import pandas as pd

        rows = [
            {
                "n_labels": k,
                "n_items": n,
                "total": None if n is None else n * k,
                "bracket": plain(self.bracket[k]),
                "achieved": plain(self.achieved[k]),
            }
            for k, n in self.needed.items()
        ]
        return pd.DataFrame(rows).astype({"n_items": object, "total": object})

    def answer(self) -> str:
        """Return the sizes that do."""
        fine = [f"{n:,} items labelled {k} times" for k, n in self.needed.items() if n is not None]
        of = AIMS[self.aim]
        if self.provenance.options.get("weights") == "quadratic":
            of = f"quadratic {of}"
        what = f"the {self.level:.0%} interval of the {of} ±{self.half_width:g} wide"
        if not fine:
            return f"No number of items makes {what} with so few labels each: take more labels."
        return f"{', or '.join(fine)}: that makes {what}."

    def quote(self) -> str:
        """Return the cheapest size, and what was simulated."""
        fine = [(n * k, k, n) for k, n in self.needed.items() if n is not None]
        if not fine:
            return ""
        total, k, n = min(fine)
        text = f"{n:,} items labelled {k} times ({total:,} labels)"
        if math.isfinite(self.achieved[k]):
            text += (
                f", ±{format_number(self.achieved[k], 0.01)} in studies simulated from the pilot"
            )
        return f"{text}."

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = []
        for k, n in self.needed.items():
            told = "none is enough" if n is None else f"{n:,}"
            total = "–" if n is None else f"{n * k:,}"
            left = format_number(self.bracket[k], 0.01)
            rows.append([f"{k}", told, total, left, format_number(self.achieved[k], 0.01)])
        columns = ("labels an item", "items", "labels in all", "± left open", "± simulated")
        return [self.opening(), Section("", columns, rows)]


def plan_categories(
    pilot: Categories,
    *,
    aim: str = "agreement",
    positive: Sequence[object] | object | None = None,
    half_width: float = 0.05,
    n_labels: Sequence[int] = LABELS,
    level: float = 0.95,
    n_studies: int = 12,
    rng: Rng = 0,
) -> CategoryPlan:
    """Return how many items, labelled how often, give κ or a ceiling a wanted half-width.

    Parameters
    ----------
    pilot : Categories
        20 items with two labels or more.
    aim : {"agreement", "accuracy", "f1", "kappa"}
        Fleiss' κ of two annotators, or the ceiling of a metric.
    positive : str or sequence of str, optional
        As in `category_bounds`. A ceiling is planned for two classes, κ for any number; of grades
        it is the quadratic one.
    half_width : float
        Wanted half-width of the interval.
    n_labels : sequence of int
        How often items may be labelled.
    level : float
    n_studies : int
        Studies that are simulated for each number of labels, twice.
    rng : None, int or Generator

    Returns
    -------
    CategoryPlan
        Studies are drawn from the law of p that explains the pilot best (minimum χ²), and their
        intervals made as `category_bounds` makes them. A ceiling is known as a bracket, which items
        do not narrow and labels do; what is beyond the bracket falls with the root of the items.

    Raises
    ------
    AnnostatError
        If the pilot has fewer than 20 items with two labels or one class only, or a ceiling is
        asked for, there are more than two classes and none is named positive.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> p = rng.beta(0.4, 0.4, 150)
    >>> pilot = Categories.from_array((rng.random((150, 3)) < p[:, None]).astype(int))
    >>> plan = plan_categories(pilot, half_width=0.1, n_studies=5)
    >>> plan.needed[2] > plan.needed[3] > plan.needed[5]
    True
    """
    check_choice("aim", aim, tuple(AIMS))
    level = check_level(level)
    wanted = check_number("half_width", half_width, low=0.0, high=0.5, open_ends=True)
    counts = [check_count("n_labels", k, low=2) for k in n_labels]
    studies = check_count("n_studies", n_studies, low=2)
    if aim == "agreement":
        used = (pilot if positive is None else pilot.binary(positive)).usable()
    else:
        used = two_classes(pilot, positive, "a plan")
    if (used.counts.sum(axis=0) > 0).sum() < 2:
        raise AnnostatError("all labels of the pilot are of one class: there is nothing to plan")
    if len(used.codes) < FEWEST:
        raise AnnostatError(f"a pilot needs {FEWEST} items with two labels, got {len(used.codes)}")
    p, w = law_of(mixture_of(used, 0)) if used.n_classes == 2 else law_of_many(used)
    g = as_generator(rng)
    study = _Studies(p, w, aim, level, studies, g, used)
    needed: dict[int, int | None] = {}
    bracket: dict[int, float] = {}
    achieved: dict[int, float] = {}
    hits: list[bool] = []
    for k in counts:
        bracket[k] = study.left_open(k)
        needed[k], achieved[k] = None, math.nan
        if bracket[k] < wanted:
            needed[k], achieved[k], held = study.size(k, wanted, bracket[k])
            hits += held
    return CategoryPlan(
        aim,
        used.classes[1] if used.n_classes == 2 else "",
        wanted,
        level,
        needed,
        bracket,
        achieved,
        float(np.mean(hits)) if hits else math.nan,
        study.value,
        _checks(used),
        Provenance(
            __version__,
            used.digest(),
            len(used.codes),
            seed_of(rng),
            {
                "aim": aim,
                "half_width": wanted,
                "level": level,
                "n_studies": studies,
                "weights": study.weights,
            },
        ),
    )


def law_of(mixture: Mixture) -> tuple[FloatArray, FloatArray]:
    """Return places and weights of the law of p that explains counts best (minimum χ²)."""
    weights = mixture.cells.weights(mixture.cells.counts, mixture.law)
    held = weights > 0
    return mixture.coarse[held], np.asarray(weights[held] / weights.sum())


def law_of_many(labels: Categories) -> tuple[FloatArray, FloatArray]:
    """Return places on the simplex, of shape (n_places, K), and weights of a law of p.

    The likeliest law whose places are the items' shares of the classes, as they are and drawn
    towards the mean (EM): items with few labels look further apart than their p are.
    """
    counts, times = np.unique(labels.counts, axis=0, return_counts=True)
    mean = labels.counts.sum(axis=0) / labels.counts.sum()
    shares = counts / counts.sum(axis=1, keepdims=True)
    places = np.unique(np.vstack([mean + s * (shares - mean) for s in SHRUNK]).round(6), axis=0)
    places /= places.sum(axis=1, keepdims=True)
    logs = counts @ np.log(np.maximum(places, TINY)).T
    likely = np.exp(logs - logs.max(axis=1, keepdims=True))
    w = np.full(len(places), 1 / len(places))
    for _ in range(EM_STEPS):
        joint = likely * w
        w = times @ (joint / joint.sum(axis=1, keepdims=True)) / times.sum()
    held = w > TINY
    return places[held], np.asarray(w[held] / w[held].sum())


class _Studies:
    """Studies that are drawn from a law of p."""

    def __init__(
        self,
        p: FloatArray,
        w: FloatArray,
        aim: str,
        level: float,
        n_studies: int,
        g: np.random.Generator,
        labels: Categories,
    ) -> None:
        self.p, self.w, self.aim, self.level, self.g = p, w, aim, level, g
        self.n_studies = n_studies
        self.classes, self.ordinal = labels.classes, labels.ordinal
        self.weights = "quadratic" if labels.ordinal and labels.n_classes > 2 else "nominal"
        self.distance = distances(self.weights, labels.classes)
        self.places = np.column_stack([1 - p, p]) if p.ndim == 1 else p
        if aim == "agreement":
            shares = w @ self.places
            apart = float(np.einsum("i,ia,ab,ib->", w, self.places, self.distance, self.places))
            self.value = 1 - apart / float(shares @ self.distance @ shares)
        else:
            self.value = best_score(w, GAINS[aim], p, float(w @ p))

    def left_open(self, k: int) -> float:
        """Return half the width of the bracket that k labels of all items leave."""
        if self.aim == "agreement":
            return 0.0
        cells = Cells.of(np.arange(k + 1), np.full(k + 1, k))
        low, high = Mixture(cells).bracket(GAINS[self.aim], cells.law(self.p) @ self.w)
        return (high - low) / 2

    def size(self, k: int, wanted: float, left: float) -> tuple[int | None, float, list[bool]]:
        """Return the items for a half-width, what they achieve, and which intervals hold."""
        n = FIRST
        for _ in range(2):  # the first size is a guess, the second one its correction
            width, held = self.tried(n, k)
            ratio = max(width - left, 1e-3) / (wanted - left)
            needed = max(math.ceil(n * ratio**2), 10)
            if needed > MOST:
                return None, math.nan, []
            if needed > LARGE:
                return needed, math.nan, held
            n = needed
        width, held = self.tried(n, k)
        return n, width, held

    def tried(self, n: int, k: int) -> tuple[float, list[bool]]:
        """Return the mean half-width of n items with k labels, and which intervals hold."""
        widths, held = [], []
        for _ in range(self.n_studies):
            counts = self.g.multinomial(k, self.places[self.g.choice(len(self.w), n, p=self.w)])
            interval = self._interval(counts, k)
            if interval is None:
                continue
            widths.append((interval.high - interval.low) / 2)
            held.append(self.value in interval)
        return (float(np.mean(widths)) if widths else 0.5), held

    def _interval(self, counts: NDArray[np.int64], k: int) -> Interval | None:
        if (counts.sum(axis=0) > 0).sum() < 2:
            return None
        if self.aim == "agreement":
            labels = Categories.from_counts(counts, classes=self.classes, ordinal=self.ordinal)
            expected = fleiss_expected(self.distance)
            ratio = of_shares(CategorySums.of(labels), self.distance, expected)
            return estimate_of(ratio, self.level).interval
        mixture = Mixture(Cells.of(counts[:, 1], np.full(len(counts), k)), rng=self.g)
        low, high = mixture.limits(GAINS[self.aim], self.level)
        return Interval(low, high, self.level, "")


def _checks(labels: Categories) -> tuple[Check, ...]:
    """Return what the plan does not know."""
    text = (
        f"A pilot of {len(labels.codes):,} items knows the law of p roughly: take some more items "
        "than that."
    )
    found = [Check("pilot", None, text)]
    if labels.cluster is not None:
        text = "Items that share clusters say less than as many independent ones: take more."
        found.append(Check("clusters", None, text))
    return tuple(found)
