"""What is compared: labels of any kind by annotator, and what each model says of the same items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, digest
from annostat.errors import AnnostatError, check_choice, check_numbers, check_squares, shown
from annostat.interchange.cells import Columns
from annostat.labels import MaskRounds, Points, Rounds
from annostat.labels.categories import Categories, as_texts
from annostat.labels.read import Read
from annostat.labels.taking import aligned, in_order
from annostat.resampling import cluster_codes


@dataclass(frozen=True, eq=False)
class Taken:
    """Items with two labels or more, and the models.

    Attributes
    ----------
    kind : {"numbers", "masks", "points"}
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
    usual : str
        The distance that is meant if none is named; empty for that of the kind.
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

    @property
    def codes(self) -> NDArray[np.int64] | None:
        """Clusters as numbers."""
        return cluster_codes(self.cluster)

    @property
    def values(self) -> FloatArray:
        """Numbers as an array of shape (n_items, n_raters)."""
        return np.column_stack(list(self.columns.labels))

    def named(self, i: int) -> str:
        """Return the name of an item."""
        return f"row {i + 1}" if self.items is None else str(self.items[i])


def take(labels: Any, predictions: Any, label: int | None, unit: str) -> Taken:
    """Return labels of any kind and the models' predictions of the same items."""
    if isinstance(labels, MaskRounds):
        return _masks(labels, predictions, label)
    if label is not None:
        raise AnnostatError("label is for masks of several structures; these labels are no masks")
    if isinstance(labels, Points):
        return _landmarks(labels, predictions, unit)
    if isinstance(labels, np.ndarray) and labels.ndim == 3:
        return _points(labels, predictions, unit)
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "OUST":
        names = [f"round_{j + 1}" for j in range(labels.shape[-1])]
        labels = Categories.from_array(labels, names=names)
    if isinstance(labels, Categories):
        return _classes(labels, predictions)
    if not isinstance(labels, Rounds):
        labels = Rounds.from_array(labels)
    if unit:
        labels = replace(labels, unit=unit)
    return _numbers(labels, predictions)


def _mapping(predictions: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return predictions by model, none of them named as an annotator."""
    if hasattr(predictions, "to_frame") and not hasattr(predictions, "columns"):  # a series
        predictions = predictions.to_frame(predictions.name or "model")
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


def _classes(labels: Categories, predictions: Any) -> Taken:
    """Return labels that are positions in a list of classes, −1 where there is none."""
    classes, graded = list(labels.classes), labels.ordinal
    models = {}
    for name, given in _mapping(predictions, labels.names).items():
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
    return replace(_numbers(rounds, models), usual="linear" if graded else "differ")


def _positions(given: Any, classes: list[str]) -> FloatArray:
    """Return a model's labels as positions among the classes; others stand behind them."""
    texts, there = as_texts(np.asarray(given, dtype=object))
    others = sorted(set(texts[there].tolist()) - set(classes))
    place = {t: float(i) for i, t in enumerate([*classes, *others])}
    found = [place[t] if seen else np.nan for t, seen in zip(texts.flat, there.flat, strict=True)]
    return np.array(found, dtype=np.float64).reshape(texts.shape)


def _numbers(rounds: Rounds, predictions: Any) -> Taken:
    if rounds.weights is not None:
        raise AnnostatError(
            "interchange needs every item, but these rounds are collapsed into counts: read the "
            "table with collapse=False"
        )
    check_squares(float(np.nanmax(np.abs(rounds.values), initial=0.0)))
    used = rounds.usable()
    rows = rounds.usable_rows
    models = {}
    for name, given in _mapping(predictions, rounds.names).items():
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


def _points(values: NDArray[Any], predictions: Any, unit: str) -> Taken:
    z = check_numbers("rounds", values)
    if z.shape[1] < 2:
        raise AnnostatError(f"points must have shape (n_items, n_readers, n_axes), got {z.shape}")
    seen = np.asarray(np.isfinite(z).all(axis=2))
    rows = np.flatnonzero(seen.sum(axis=1) >= 2)
    if not rows.size:
        raise AnnostatError("no item has two labels, so that readers cannot be compared")
    names = tuple(f"reader_{j + 1}" for j in range(z.shape[1]))
    models = {}
    for name, given in _mapping(predictions, names).items():
        f = check_numbers(f"predictions of {name!r}", given)
        if f.shape != (len(z), z.shape[2]):
            raise AnnostatError(
                f"predictions of {name!r} must have shape ({len(z)}, {z.shape[2]}), got {f.shape}"
            )
        f = f[rows]
        models[name] = (f, np.asarray(np.isfinite(f).all(axis=1)))
    columns = Columns([z[rows, j] for j in range(z.shape[1])], seen[rows])
    whole = digest(repr(z.shape), z, *(f for f, _ in models.values()))
    return Taken(
        "points", columns, names, None, None, unit, False, (), len(z) - len(rows), whole, models
    )


def _landmarks(points: Points, predictions: Any, unit: str) -> Taken:
    """Return points with names; of several landmarks each is a row, and its item the cluster."""
    readers = points.without_models()
    n, k, m, d = readers.values.shape
    models = {}
    for name, given in _mapping(predictions, readers.names).items():
        f = check_numbers(f"predictions of {name!r}", given)
        if f.size != n * m * d:
            raise AnnostatError(
                f"predictions of {name!r} must have shape {(n, m, d)}, got {f.shape}"
            )
        models[name] = f.reshape(n * m, d)
    z = readers.values.transpose(0, 2, 1, 3).reshape(n * m, k, d)
    found = _points(z, models, unit or readers.unit)
    rows = np.flatnonzero(np.isfinite(z).all(axis=2).sum(axis=1) >= 2)
    item, mark = rows // m, rows % m
    names = np.array([str(i + 1) for i in range(n)] if points.items is None else points.items)
    cluster = readers.cluster
    if m > 1 and cluster is None:
        cluster = names
    labelled = [
        f"{names[i]}, {readers.landmarks[j]}" if m > 1 else str(names[i])
        for i, j in zip(item, mark, strict=True)
    ]
    return replace(
        found,
        names=readers.names,
        items=np.array(labelled, dtype=object),
        cluster=None if cluster is None else cluster[item],
        exchangeable=readers.exchangeable,
        notes=readers.notes,
        digest=digest(readers.digest(), *models.values()),
        read=readers.read,
    )


def _masks(rounds: MaskRounds, predictions: Any, label: int | None) -> Taken:
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
    rows = np.flatnonzero(rounds.readings >= 2)
    if not rows.size:
        raise AnnostatError("no item has two masks, so that readers cannot be compared")
    if not isinstance(predictions, MaskRounds):
        several = None if rounds.labels == (1,) else list(rounds.labels)
        given = _mapping(predictions, rounds.names)
        predictions = MaskRounds.from_arrays(given, labels=several, items=list(rounds.items))
    _mapping(dict.fromkeys(predictions.names), rounds.names)
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
