"""Merged labels: what is answered, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.results.cite import TOOL, Cited
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section, told_failed
from annostat.results.sections import Section
from annostat.results.text import counted, format_number, plain

if TYPE_CHECKING:
    import pandas as pd

MAJORITY, DAWID_SKENE = "majority", "dawid-skene"
SAID = {MAJORITY: "the majority", DAWID_SKENE: "Dawid and Skene's model"}
PRESUMES = (
    "Dawid–Skene presumes that every item has a true class, that all items of a class are equally "
    "hard, and that raters err independently."
)


@dataclass(frozen=True, eq=False)
class MergedCategories(Result):
    """One label for each item, made of several raters'.

    Attributes
    ----------
    method : {"majority", "dawid-skene"}
    names : tuple of str
        Raters.
    classes : tuple of str
    items : object array of shape (n_items,) or None
    codes : int16 array of shape (n_items,)
        Position of each item's label in `classes`; -1 where two are equally good.
    probability : float64 array of shape (n_items, n_classes)
        Share of the votes ("majority"), or posterior probability ("dawid-skene").
    n_tied : int
        Items without a label.
    n_changed : int
        Items whose label is not the most frequent one.
    checks : tuple of Check
    provenance : Provenance
    confusion : float64 array of shape (n_raters, n_classes, n_classes) or None
        "dawid-skene": probability that a rater says the column where the truth is the row; one
        matrix for raters without identity.
    quality : dict of (rater, class) to Estimate
        The diagonal of `confusion`.
    prior : tuple of Estimate
        Share of each class.
    log_likelihood : float or None
    """

    method: str
    names: tuple[str, ...]
    classes: tuple[str, ...]
    items: NDArray[Any] | None
    codes: NDArray[np.int16]
    probability: FloatArray
    n_tied: int
    n_changed: int
    checks: tuple[Check, ...]
    provenance: Provenance
    confusion: FloatArray | None = None
    quality: dict[tuple[str, str], Estimate] = field(default_factory=dict)
    prior: tuple[Estimate, ...] = ()
    log_likelihood: float | None = None

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The label of each item; None where two are equally good."""
        return tuple(None if c < 0 else self.classes[c] for c in self.codes.tolist())

    @property
    def raters(self) -> tuple[str, ...]:
        """Names of the confusion matrices."""
        return tuple(dict.fromkeys(name for name, _ in self.quality))

    def to_frame(self) -> pd.DataFrame:
        """Return one row per item: its name, its label, the probability of each class."""
        import pandas as pd

        frame = pd.DataFrame({"label": list(self.labels)})
        for q, name in enumerate(self.classes):
            frame[f"p({name})"] = self.probability[:, q]
        frame.insert(0, "item", np.arange(len(frame)) if self.items is None else self.items)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; the items' labels are those of `to_frame`."""
        quality: dict[str, Any] = {name: {} for name in self.raters}
        for (name, of_class), estimate in self.quality.items():
            quality[name][of_class] = estimate.to_dict()
        confusion = None
        if self.confusion is not None:
            confusion = dict(zip(self.raters, plain(self.confusion), strict=True))
        shares = dict(zip(self.classes, (e.to_dict() for e in self.prior), strict=False))
        return {
            "method": self.method,
            "raters": list(self.names),
            "classes": list(self.classes),
            "n_items": len(self.codes),
            "n_tied": self.n_tied,
            "n_changed": self.n_changed,
            "n_labels": {c: int((self.codes == q).sum()) for q, c in enumerate(self.classes)},
            "shares": shares,
            "quality": quality,
            "confusion": confusion,
            "log_likelihood": plain(self.log_likelihood),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def answer(self) -> str:
        """Return how many items got a label, and how sure it is."""
        n = len(self.codes) - self.n_tied
        text = f"{counted(n, 'item')} of {len(self.codes):,} have one label, by {SAID[self.method]}"
        if self.method == MAJORITY:
            split = int((self.probability.max(axis=1) < 1).sum())
            return f"{text}; annotators differ on {counted(split, 'item')}."
        if any(check.passed is False for check in self.checks):
            text = (
                "Dawid and Skene's model does not hold here: take the most frequent labels "
                f"({MAJORITY}). {text}"
            )
        if not self.n_changed:
            return f"{text}; where one label is the most frequent, it is that one."
        return f"{text}; {self.n_changed:,} are not the most frequent one."

    def quote(self) -> str:
        """Return what to quote, and what it must not be used for."""
        caution = (
            "A merged label is no truth: never score its own annotators, or a ceiling, against it."
        )
        if self.method == MAJORITY:
            return caution
        return f"{PRESUMES} {caution}"

    def cited(self) -> Cited | None:
        """Return the sentences for a paper."""
        n = counted(len(self.codes), "item")
        changed = ""
        if self.method == DAWID_SKENE:
            changed = f"; {self.n_changed:,} differ from the most frequent label"
        return Cited(
            f"The labels of {len(self.names)} annotators on {n} were merged by "
            f"{SAID[self.method]} with {TOOL}.",
            f"{counted(len(self.codes) - self.n_tied, 'item')} have a merged label{changed}."
            + told_failed(self.checks),
        )

    def tables(self) -> list[Section]:
        """Return the tables: labels of each class, and each rater's quality."""
        rows = []
        for q, name in enumerate(self.classes):
            row = [name, f"{int((self.codes == q).sum()):,}"]
            rows.append([*row, self.prior[q].cell()] if self.prior else row)
        columns = ("class", "items", "share, by the model")[: 3 if self.prior else 2]
        found = [Section("Merged labels", columns, rows)]
        if not self.quality:
            return found
        rows = [
            [rater, *(self.quality[rater, c].cell() for c in self.classes)] for rater in self.raters
        ]
        notes = sorted({e.note for e in (*self.quality.values(), *self.prior) if e.note})
        found.append(
            Section(
                "How often a rater says the true class",
                ("rater", *self.classes),
                rows,
                lines=notes,
            )
        )
        if self.confusion is not None and len(self.classes) > 2:
            for rater, matrix in zip(self.raters, self.confusion, strict=True):
                table = [
                    [c, *(format_number(float(x), 0.05) for x in row)]
                    for c, row in zip(self.classes, matrix, strict=True)
                ]
                title = f"What {rater} says (column) where the truth is (row)"
                found.append(Section(title, ("truth", *self.classes), table, when="all"))
        return found

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        return [self.opening(), *self.tables(), check_section(self.checks, when="all")]
