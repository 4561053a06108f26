"""Findings: what readers and models marked, and marked alike, image by image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import IntArray, digest
from annostat.errors import AnnostatError, shown
from annostat.interchange.cells import Columns
from annostat.interchange.counts import Counts
from annostat.interchange.taken import Taken
from annostat.labels import Findings
from annostat.labels.matching import Rule, match_findings


def of_findings(labels: Findings, predictions: Any, match: str | Rule | None) -> Taken:
    """Return what readers marked; models are among them, or findings of their own."""
    readers = labels.without_models()
    if readers.n_raters < 2:
        raise AnnostatError(f"findings must come from two or more readers, got {readers.n_raters}")
    whole = labels.choose([*readers.names, *labels.models])
    if predictions is not None:
        whole = _joined(whole, predictions)
    names = [n for n in whole.names if n not in readers.names]
    if not names:
        raise AnnostatError("predictions: there is no model to put in an annotator's place")
    k = readers.n_raters
    rows = np.flatnonzero(readers.saw.sum(axis=1) >= 2)
    if not rows.size:
        raise AnnostatError("no image was seen by two readers, so that these cannot be compared")
    left_out = len(readers.items) - len(rows)
    whole = whole.take(rows)
    rule = Rule.of(match, labels.kind)
    counts = Counts(whole, rule, whole.marks, _both(whole, k, rule))
    models = {
        name: (counts.labels(k + m), np.asarray(whole.saw[:, k + m]))
        for m, name in enumerate(names)
    }
    return Taken(
        "findings",
        Columns([counts.labels(j) for j in range(k)], np.asarray(whole.saw[:, :k])),
        readers.names,
        whole.items,
        whole.cluster,
        "marks",
        readers.exchangeable,
        readers.notes,
        left_out,
        digest(whole.digest(), str(rule)),
        models,
        readers.read,
        counts=counts,
    )


def _both(whole: Findings, k: int, rule: Rule) -> IntArray:
    """Return how many findings of an image each two marked, of which one at least is a reader."""
    n, width = whole.saw.shape
    found = np.zeros((n, width, width), dtype=np.int64)
    for j in range(k):
        for m in range(j + 1, width):
            here = np.flatnonzero(whole.saw[:, j] & whole.saw[:, m])
            if not here.size:
                continue
            pair = match_findings(whole.choose([whole.names[j], whole.names[m]]).take(here), rule)
            count = np.bincount(pair.image, pair.marked.all(axis=1), len(here))
            found[here, j, m] = found[here, m, j] = np.rint(count).astype(np.int64)
    return found


def _joined(labels: Findings, predictions: Any) -> Findings:
    """Return the marks of readers and models together, on the images of the readers."""
    if not isinstance(predictions, Findings):
        raise AnnostatError(
            "predictions must be Findings whose readers are the models, got "
            f"{type(predictions).__name__}; or read them in one table (models=['net'])"
        )
    if predictions.kind != labels.kind or (
        predictions.geometry.shape[1] != labels.geometry.shape[1]
    ):
        raise AnnostatError(
            f"predictions are of kind {predictions.kind!r}, the marks of the readers "
            f"{labels.kind!r}: they need the same numbers"
        )
    twice = [n for n in predictions.names if n in labels.names]
    if twice:
        raise AnnostatError(f"{shown(twice)} is a round and a model: a model needs its own name")
    if (predictions.classes is None) != (labels.classes is None):
        raise AnnostatError("classes must be given for both, the readers' marks and predictions")
    place = {str(item): i for i, item in enumerate(labels.items)}
    to = np.array([place.get(str(item), -1) for item in predictions.items], dtype=np.int64)
    if (to < 0).all():
        raise AnnostatError(
            f"no image of the predictions is among the labels: they have "
            f"{shown(predictions.items, 3)}, the labels {shown(labels.items, 3)}"
        )
    known = to >= 0
    saw = np.zeros((len(labels.items), len(predictions.names)), dtype=bool)
    saw[to[known]] = predictions.saw[known]
    kept = known[predictions.image]

    def both(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([a, b])

    return replace(
        labels,
        geometry=both(labels.geometry, predictions.geometry[kept]),
        image=both(labels.image, to[predictions.image[kept]]),
        reader=both(labels.reader, predictions.reader[kept] + len(labels.names)),
        classes=None
        if labels.classes is None or predictions.classes is None
        else both(labels.classes, predictions.classes[kept]),
        names=(*labels.names, *predictions.names),
        saw=np.column_stack([labels.saw, saw]),
    )
