"""What is compared: labels of any kind by annotator, and what each model says of the same items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, digest
from annostat.errors import AnnostatError, check_choice, check_numbers, check_squares, option, shown
from annostat.interchange.cells import Columns
from annostat.interchange.counts import Counts
from annostat.labels import MaskRounds, Rounds
from annostat.labels.categories import Categories, as_texts
from annostat.labels.packed_masks import refuse_many
from annostat.labels.read import Read
from annostat.labels.taking import aligned, in_order
from annostat.resampling import cluster_codes


@dataclass(frozen=True, eq=False)
class Taken:
    """Items with two labels or more, and the models.

    Attributes
    ----------
    kind : {"numbers", "masks", "points", "findings"}
    columns : Columns
    names : tuple of str
        Annotators.
    items : object array of shape (n_items,) or None
    cluster : object array of shape (n_items,) or None
    unit : str
        Of the labels; of lengths, for masks.
    exchangeable : bool
        Whether the order of the annotators means nothing.
    notes : tuple of str
    left_out : int
        Items with fewer than two labels.
    digest : str
    models : mapping of str to (array of shape (n_items, ...), bool array of shape (n_items,))
        What each model says, and where.
    read : Read or None
    usual : str
        The distance that is meant if none is named; empty for that of the kind.
    part : int64 array of shape (n_items,) or None
        The landmark of a row, where rows are several landmarks of an item.
    counts : Counts or None
        Of findings: what readers and models marked, and marked alike.
    """

    kind: str
    columns: Columns
    names: tuple[str, ...]
    items: NDArray[Any] | None
    cluster: NDArray[Any] | None
    unit: str
    exchangeable: bool
    notes: tuple[str, ...]
    left_out: int
    digest: str
    models: Mapping[str, tuple[NDArray[Any], NDArray[np.bool_]]]
    read: Read | None = None
    usual: str = ""
    part: NDArray[np.int64] | None = None
    counts: Counts | None = None

    @property
    def codes(self) -> NDArray[np.int64] | None:
        """Clusters as numbers."""
        return cluster_codes(self.cluster)

    @property
    def values(self) -> FloatArray:
        """Numbers as an array of shape (n_items, n_raters)."""
        return self.columns.table

    def at(self, rows: NDArray[np.int64], kept: Sequence[int] | None = None) -> Taken:
        """Return some items, and some of the annotators."""
        kept = range(len(self.names)) if kept is None else kept
        spacing = self.columns.spacing
        columns = Columns(
            [self.columns.labels[j][rows] for j in kept],
            self.columns.seen[rows][:, list(kept)],
            None if spacing is None else spacing[rows],
        )
        return replace(
            self,
            columns=columns,
            names=tuple(self.names[j] for j in kept),
            items=None if self.items is None else self.items[rows],
            cluster=None if self.cluster is None else self.cluster[rows],
            models={name: (f[rows], where[rows]) for name, (f, where) in self.models.items()},
            part=None if self.part is None else self.part[rows],
        )

    def named(self, i: int) -> str:
        """Return the name of an item."""
        return f"row {i + 1}" if self.items is None else str(self.items[i])


def by_model(predictions: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return predictions by model, none of them named as an annotator."""
    if hasattr(predictions, "to_frame") and not hasattr(predictions, "columns"):  # a series
        predictions = predictions.to_frame(predictions.name or "model")
    if predictions is None:
        raise AnnostatError(
            "predictions: there is no model to put in an annotator's place; give its labels, or "
            f"name the reader that is one ({option('model', 'net')})"
        )
    if not hasattr(predictions, "items"):
        raise AnnostatError(
            "predictions must be a mapping from the names of models to one label per item, got "
            f"{type(predictions).__name__}"
        )
    found = {str(name): given for name, given in predictions.items()}
    if not found:
        raise AnnostatError("predictions: there is no model to put in an annotator's place")
    for name in found:
        if name in names:
            raise AnnostatError(f"{name!r} is a round and a model: a model needs a name of its own")
    return found


def of_classes(labels: Categories, predictions: Any) -> Taken:
    """Return labels that are positions in a list of classes, −1 where there is none."""
    classes, graded = list(labels.classes), labels.ordinal
    models = {}
    for name, given in by_model(predictions, labels.names).items():
        models[name] = _positions(in_order(name, given, labels.items), classes)
        if graded and (models[name] >= len(classes)).any():
            raise AnnostatError(
                f"predictions of {name!r} hold a grade that is none of {shown(classes, 8)}"
            )
    codes = np.asarray(labels.codes, dtype=np.float64)
    rounds = Rounds(
        np.where(codes < 0, np.nan, codes),
        tuple(labels.names),
        items=labels.items,
        cluster=labels.cluster,
        stratum=labels.stratum,
        exchangeable=labels.exchangeable,
        notes=labels.notes,
    )
    return replace(of_numbers(rounds, models), usual="linear" if graded else "differ")


def _positions(given: Any, classes: list[str]) -> FloatArray:
    """Return a model's labels as positions among the classes; others stand behind them."""
    texts, there = as_texts(np.asarray(given, dtype=object))
    others = sorted(set(texts[there].tolist()) - set(classes))
    place = {t: float(i) for i, t in enumerate([*classes, *others])}
    found = [place[t] if seen else np.nan for t, seen in zip(texts.flat, there.flat, strict=True)]
    return np.array(found, dtype=np.float64).reshape(texts.shape)


def of_numbers(rounds: Rounds, predictions: Any) -> Taken:
    """Return numbers, and the predictions in their order."""
    if rounds.weights is not None:
        raise AnnostatError(
            "interchange needs every item, but these rounds are collapsed into counts: read the "
            "table with collapse=False"
        )
    check_squares(float(np.nanmax(np.abs(rounds.values), initial=0.0)))
    used = rounds.usable()
    rows = rounds.usable_rows
    models = {}
    for name, given in by_model(predictions, rounds.names).items():
        f = check_numbers(f"predictions of {name!r}", aligned(name, given, rounds))
        if f.shape != (len(rounds.values),):
            raise AnnostatError(
                f"predictions of {name!r} must have shape ({len(rounds.values)},), one per item, "
                f"got {f.shape}"
            )
        if np.isinf(f).any():
            first = int(np.flatnonzero(np.isinf(f))[0])
            raise AnnostatError(
                f"predictions of {name!r} hold an infinite value; first: row {first + 1}"
            )
        check_squares(float(np.nanmax(np.abs(f), initial=0.0)))
        f = f[rows]
        models[name] = (f, np.isfinite(f))
    columns = Columns([np.ascontiguousarray(z) for z in used.values.T], used.present)
    whole = digest(used.digest(), *(f for f, _ in models.values()))
    return Taken(
        "numbers",
        columns,
        used.names,
        used.items,
        used.cluster,
        used.unit,
        used.exchangeable,
        rounds.notes,
        len(rounds.values) - len(rows),
        whole,
        models,
        used.read,
    )


def of_masks(rounds: MaskRounds, predictions: Any, label: int | None) -> Taken:
    """Return one structure of masks."""
    if rounds.n_raters < 2:
        raise AnnostatError(f"masks must come from two or more raters, got {rounds.n_raters}")
    if label is None:
        if len(rounds.labels) > 1:
            raise AnnostatError(
                f"these masks have the structures {shown(rounds.labels)}: say which one (label)"
            )
        label = rounds.labels[0]
    check_choice("label", str(label), [str(v) for v in rounds.labels])
    code = np.uint8(1 + rounds.labels.index(label))
    refuse_many(rounds)
    rows = np.flatnonzero(rounds.readings >= 2)
    if not rows.size:
        raise AnnostatError("no item has two masks, so that readers cannot be compared")
    if not isinstance(predictions, MaskRounds):
        several = None if rounds.labels == (1,) else list(rounds.labels)
        given = by_model(predictions, rounds.names)
        predictions = MaskRounds.from_arrays(given, labels=several, items=list(rounds.items))
    by_model(dict.fromkeys(predictions.names), rounds.names)
    shape = predictions.values.shape[1:]
    if predictions.labels != rounds.labels:
        raise AnnostatError(
            f"models have the labels {shown(predictions.labels)}, the raters {shown(rounds.labels)}"
        )
    if shape != rounds.values.shape[1:] or (predictions.items != rounds.items).any():
        raise AnnostatError(
            f"models must have masks of the same items, got shape {shape} for "
            f"{rounds.values.shape[1:]}; resample or leave items out"
        )

    def of(values: NDArray[Any]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(values[rows] == code).view(np.uint8)

    columns = Columns(
        [of(v) for v in rounds.values],
        rounds.present[rows],
        None if rounds.spacing is None else rounds.spacing[rows],
    )
    models = {
        name: (of(predictions.values[m]), predictions.drawn[m, rows])
        for m, name in enumerate(predictions.names)
    }
    return Taken(
        "masks",
        columns,
        rounds.names,
        rounds.items[rows],
        None if rounds.cluster is None else rounds.cluster[rows],
        rounds.spacing_unit,
        rounds.exchangeable,
        rounds.notes,
        rounds.n_items - len(rows),
        digest(rounds.digest(), predictions.digest(), repr(label)),
        models,
    )
