"""How well raters agree on categories: every usual coefficient, each with an interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat._version import __version__
from annostat.agreement.chance import (
    CategorySums,
    Ratio,
    distances,
    fleiss_expected,
    gwet_expected,
    krippendorff,
    of_class,
    of_raters,
    of_shares,
    uniform_expected,
)
from annostat.errors import check_level, option
from annostat.labels.categories import Categories
from annostat.labels.columns import looks_like
from annostat.resampling.inverted import METHOD, ratio_limits
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd

RARE = 10  # items with a class below which little can be said of it
MOST_SHOWN = 12  # classes whose specific agreement is listed


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient of agreement.

    Attributes
    ----------
    key : str
        "agreement", "agreement_on", "cohen", "conger", "fleiss", "alpha", "ac1", "ac2",
        "brennan_prediger".
    label : str
        As it is printed.
    weights : str
        How disagreement counts: "nominal", "linear", "quadratic", "ordinal", "interval".
    of_class : str
        The class that it is of, empty for all.
    corrects : str
        What it takes chance to be.
    estimate : Estimate
    """

    key: str
    label: str
    weights: str
    of_class: str
    corrects: str
    estimate: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.key,
            "label": self.label,
            "weights": self.weights,
            "class": self.of_class or None,
            "corrects": self.corrects,
            **self.estimate.to_dict(),
        }


@dataclass(frozen=True)
class CategoryAgreement(Result):
    """Coefficients of agreement of categories or grades.

    Attributes
    ----------
    coefficients : tuple of Coefficient
    classes : tuple of str
    shares : tuple of float
        Share of each class among all labels.
    n_items, n_labels : int
    ordinal : bool
    checks : tuple of Check
    provenance : Provenance
    """

    coefficients: tuple[Coefficient, ...]
    classes: tuple[str, ...]
    shares: tuple[float, ...]
    n_items: int
    n_labels: int
    ordinal: bool
    checks: tuple[Check, ...]
    provenance: Provenance

    def __getitem__(self, key: str) -> Estimate:
        """Return the estimate of a coefficient by its key; of grades the weighted one."""
        found = [c for c in self.coefficients if c.key == key and not c.of_class]
        if not found:
            raise KeyError(key)
        return found[-1].estimate

    @property
    def kappa(self) -> Estimate:
        """κ without weights: Cohen's or Conger's of named raters, else Fleiss'."""
        plain = [c for c in self.coefficients if c.weights == "nominal"]
        by_key = {c.key: c.estimate for c in plain}
        return next(by_key[k] for k in ("cohen", "conger", "fleiss") if k in by_key)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "n_items": self.n_items,
            "n_labels": self.n_labels,
            "ordinal": self.ordinal,
            "classes": list(self.classes),
            "shares": list(self.shares),
            "coefficients": [c.to_dict() for c in self.coefficients],
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient."""
        import pandas as pd

        return pd.DataFrame([c.to_dict() for c in self.coefficients])

    def table(self) -> Section:
        """Return the coefficients as a table."""
        rows = [
            [c.label, c.estimate.short(), c.estimate.range(), c.estimate.note or c.corrects]
            for c in self.coefficients
        ]
        columns = ("agreement of two labels", "estimate", "interval", "what chance is taken for")
        return Section("Agreement", columns, rows, lines=(self._quote(),))

    def _quote(self) -> str:
        if self.ordinal:
            which = "Quote the quadratic κ or α of grades"
        else:
            which = "Quote κ or α with the shares of the classes"
        return (
            f"{which}; AC1 and AC2 stay high where one class is rare, and say little of the rare "
            "one: quote the agreement on it too."
        )

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        return [self.table(), *([check_section(self.checks)] if self.checks else [])]


def category_agreement(labels: Categories, *, level: float = 0.95) -> CategoryAgreement:
    """Return the coefficients of agreement of categories, or of grades.

    Parameters
    ----------
    labels : Categories
        Two or more labels per item; missing ones are allowed, and items with one label count for
        the shares of the classes. Clusters are the independent units.
    level : float
        Level of the intervals.

    Returns
    -------
    CategoryAgreement
        Percent and specific agreement, Cohen's or Conger's κ (named raters), Fleiss' κ,
        Krippendorff's α, Gwet's AC1, Brennan and Prediger's coefficient; of grades with quadratic
        weights (AC2) too, linear κ, and α ordinal and interval.

    Raises
    ------
    AnnostatError
        If no item has two labels.

    Notes
    -----
    Each is 1 − Do/De; its interval holds all u = 1 − κ at which a t test of E(o − u·e) = 0 over
    items or clusters, with two pseudo-items of weight one half, is not significant. In simulation
    it covered 90 to 100% where intervals by the delta method fell to 15% (`docs/calibration.md`).
    Where all labels are of one class κ and α are undefined, and NaN.

    Examples
    --------
    >>> labels = Categories.from_array([["a", "a"]] * 40 + [["b", "b"]] * 35 + [["a", "b"]] * 15)
    >>> print(category_agreement(labels).kappa)
    0.675, 95% interval 0.507 to 0.817
    """
    level = check_level(level)
    labels.usable()  # there are items with two labels
    used = labels.rated()
    sums = CategorySums.of(used)
    units = "items" if used.cluster is None else "clusters"
    found: list[Coefficient] = []

    def add(key: str, label: str, ratio: Ratio, corrects: str, kind: str, name: str = "") -> None:
        found.append(
            Coefficient(key, label, kind, name, corrects, estimate_of(ratio, level, units))
        )

    nominal = distances("nominal", used.classes)
    add(
        "agreement",
        "percent agreement",
        of_shares(sums, nominal, lambda pi: 1.0)._replace(top=1.0),
        "nothing",
        "nominal",
    )
    for q in _specific(used):
        name = used.classes[q]
        add("agreement_on", f"agreement on {name}", of_class(sums, q), "nothing", "nominal", name)
    for kind in ("nominal", "linear", "quadratic") if used.ordinal else ("nominal",):
        _chance(used, sums, kind, add)
    shares = used.counts.sum(axis=0)
    return CategoryAgreement(
        tuple(found),
        used.classes,
        tuple(float(x) for x in shares / shares.sum()),
        used.n_items,
        int(shares.sum()),
        used.ordinal,
        _checks(used, sums),
        Provenance(__version__, used.digest(), len(used.codes), None, {"level": level}),
    )


def _specific(labels: Categories) -> Sequence[int]:
    """Return the classes whose specific agreement is listed: the second of two, all of a few."""
    if labels.n_classes == 2:
        return (1, 0)
    return range(labels.n_classes) if labels.n_classes <= MOST_SHOWN else ()


def _chance(labels: Categories, sums: CategorySums, kind: str, add: Callable[..., None]) -> None:
    """Add the coefficients that correct for chance, with some weights."""
    if labels.n_classes < 2:
        return
    d = distances(kind, labels.classes)
    plain = kind == "nominal"
    told = "" if plain else f", {kind}"
    if not labels.exchangeable:
        name = "Cohen's κ" if labels.n_raters == 2 else "Conger's κ"
        key = "cohen" if labels.n_raters == 2 else "conger"
        add(key, name + told, of_raters(sums, d), "each rater's own shares of the classes", kind)
    if kind == "linear":  # the rest is not in use with linear weights
        return
    fleiss = of_shares(sums, d, fleiss_expected(d))
    add("fleiss", f"Fleiss' κ{told}", fleiss, "the shares of the classes in all labels", kind)
    for alpha in ("nominal",) if plain else ("ordinal", "interval"):
        if alpha == "interval" and not _numeric(labels.classes):
            continue
        about = "the same, drawn without replacement; each label counts once"
        name = f"Krippendorff's α{'' if plain else f', {alpha}'}"
        add("alpha", name, krippendorff(sums, alpha), about, alpha)
    gwet = of_shares(sums, d, gwet_expected(d))
    about = "chance only among labels that are given at random"
    add("ac1" if plain else "ac2", f"Gwet's AC{1 if plain else 2}{told}", gwet, about, kind)
    even = of_shares(sums, d, uniform_expected(d))
    about = "every class equally likely"
    add("brennan_prediger", f"Brennan–Prediger{told}", even, about, kind)


def estimate_of(ratio: Ratio, level: float, units: str = "items") -> Estimate:
    """Return 1 − Do/De with its interval; NaN where De is 0: then nothing tells chance."""
    if not ratio.expected > 0:
        return Estimate(math.nan, note="undefined: all labels are of one class")
    u = ratio.observed / ratio.expected
    low, high = ratio_limits(ratio.o, ratio.e, level=level, pseudo=ratio.pseudo, top=ratio.top)
    n = len(ratio.o)
    error = None
    if n > 1:
        error = float(np.std((ratio.o - u * ratio.e) / ratio.expected, ddof=1) / math.sqrt(n))
    interval = Interval(1 - high, 1 - low, level, METHOD.format(units))
    note = "no agreement can be excluded" if interval.low <= 0 and interval.high >= 1 else ""
    return Estimate(1 - u, error or None, interval, note=note)


def _numeric(classes: Sequence[str]) -> bool:
    try:
        return all(math.isfinite(float(c)) for c in classes)
    except ValueError:
        return False


def _checks(labels: Categories, sums: CategorySums) -> tuple[Check, ...]:
    """Return what a reader must know before quoting a coefficient."""
    held = (labels.counts > 0).sum(axis=0)
    rare = [(labels.classes[q], int(n)) for q, n in enumerate(held) if n < RARE]
    checks = []
    if rare:
        told = "; ".join(f"{name!r}: {counted(n, 'item')}" for name, n in rare[:3])
        more = f" ({len(rare)} classes in all)" if len(rare) > 3 else ""
        checks.append(
            Check(
                "rare_classes",
                False,
                f"Few items have a label of a rare class ({told}{more}): intervals are wide for "
                "it, and a coefficient may say nothing. More items that have it are the cure.",
            )
        )
    else:
        text = f"Every class has a label in {RARE} items or more (least: {int(held.min())})."
        checks.append(Check("rare_classes", True, text))
    near = [
        (name, other)
        for name, _ in rare
        for q, other in enumerate(labels.classes)
        if held[q] >= RARE and looks_like(name, other)
    ]
    if near:
        told = "; ".join(f"{name!r} looks like {other!r}" for name, other in near[:3])
        more = f" ({len(near)} such in all)" if len(near) > 3 else ""
        text = (
            f"{told}{more}: are they the same class? {option('tidy-names', True)} joins those that "
            "differ by case or spaces; correct a letter in the table."
        )
        checks.append(Check("near_classes", None, text))
    if labels.cluster is not None and sums.n_units < 20:
        text = f"There are {sums.n_units} clusters only: intervals rest on these."
        checks.append(Check("few_clusters", None, text))
    return tuple(checks)
