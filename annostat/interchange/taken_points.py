"""Points, and the models among them or beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, digest
from annostat.errors import AnnostatError, check_numbers, shown
from annostat.interchange.cells import Columns
from annostat.interchange.taken import Taken, by_model
from annostat.labels import Points


def of_array(values: NDArray[Any], predictions: Any, unit: str) -> Taken:
    """Return points of shape (n_items, n_readers, n_axes)."""
    z = check_numbers("rounds", values)
    if z.shape[1] < 2:
        raise AnnostatError(f"points must have shape (n_items, n_readers, n_axes), got {z.shape}")
    seen = np.asarray(np.isfinite(z).all(axis=2))
    rows = np.flatnonzero(seen.sum(axis=1) >= 2)
    if not rows.size:
        raise AnnostatError("no item has two labels, so that readers cannot be compared")
    names = tuple(f"reader_{j + 1}" for j in range(z.shape[1]))
    models = {}
    for name, given in by_model(predictions, names).items():
        f = check_numbers(f"predictions of {name!r}", given)
        if f.shape != (len(z), z.shape[2]):
            raise AnnostatError(
                f"predictions of {name!r} must have shape ({len(z)}, {z.shape[2]}), got {f.shape}"
            )
        if np.isinf(f).any():
            raise AnnostatError(f"predictions of {name!r} hold an infinite coordinate")
        f = f[rows]
        models[name] = (f, np.asarray(np.isfinite(f).all(axis=1)))
    columns = Columns([z[rows, j] for j in range(z.shape[1])], seen[rows])
    whole = digest(repr(z.shape), z, *(f for f, _ in models.values()))
    return Taken(
        "points", columns, names, None, None, unit, False, (), len(z) - len(rows), whole, models
    )


def of_points(points: Points, predictions: Any, unit: str) -> Taken:
    """Return points with names; of several landmarks each is a row, and its item the cluster."""
    readers = points.without_models()
    if readers.n_raters < 2:
        raise AnnostatError(f"points must come from two or more readers, got {readers.n_raters}")
    n, k, m, d = readers.values.shape
    models = {
        name: f.reshape(n * m, d) for name, f in _models(points, readers, predictions).items()
    }
    z = readers.values.transpose(0, 2, 1, 3).reshape(n * m, k, d)
    found = of_array(z, models, unit or readers.unit)
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
        part=mark if m > 1 else None,
    )


def _models(points: Points, readers: Points, predictions: Any) -> dict[str, FloatArray]:
    """Return the points of each model, of shape (n_items, n_landmarks, d)."""
    found = {name: points.choose([name]).values[:, 0] for name in points.models}
    if predictions is None and found:
        return found
    if isinstance(predictions, Points):
        predictions = _aligned(predictions, readers)
    shape = (len(points.values), *points.values.shape[2:])
    for name, given in by_model(predictions, (*readers.names, *found)).items():
        f = check_numbers(f"predictions of {name!r}", given)
        if f.size != np.prod(shape):
            raise AnnostatError(f"predictions of {name!r} must have shape {shape}, got {f.shape}")
        found[name] = f.reshape(shape)
    return found


def _aligned(models: Points, readers: Points) -> dict[str, FloatArray]:
    """Return points of models in the order of the readers' items and landmarks, by their names."""
    if models.n_dimensions != readers.n_dimensions:
        raise AnnostatError(
            f"predictions have {models.n_dimensions} coordinates, the points of the readers "
            f"{readers.n_dimensions}"
        )
    out = np.full((len(readers.values), len(models.names), *readers.values.shape[2:]), np.nan)
    if models.items is None or readers.items is None:
        if len(models.values) != len(readers.values):
            raise AnnostatError(
                f"predictions have {len(models.values):,} items, the readers "
                f"{len(readers.values):,}, and they have no names to join them by"
            )
        rows = np.arange(len(readers.values))
    else:
        place = {str(item): i for i, item in enumerate(models.items)}
        rows = np.array([place.get(str(item), -1) for item in readers.items])
        if (rows < 0).all():
            raise AnnostatError(
                f"no item of the predictions is among the labels: they have "
                f"{shown(models.items, 3)}, the labels {shown(readers.items, 3)}"
            )
    marks = [m for m in readers.landmarks if m in models.landmarks]
    if not marks:
        raise AnnostatError(
            f"predictions have the landmarks {shown(models.landmarks)}, the readers "
            f"{shown(readers.landmarks)}"
        )
    here = np.flatnonzero(rows >= 0)
    for m in marks:
        f = models.values[rows[here], :, models.landmarks.index(m)]
        out[here, :, readers.landmarks.index(m)] = f
    return {name: out[:, j] for j, name in enumerate(models.names)}
