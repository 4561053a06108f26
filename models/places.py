"""The student in the place of one of several people, and whether the others disagree more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.interchange import Interchange, interchange
from annostat.labels import MaskRounds
from annostat.results import Section
from models.data.readings import Readings
from models.data.reference import HALF
from models.data.store import Store
from models.picks import cell
from models.predictions import Predictions
from models.scores import seen
from models.world.annotators import Annotations

LEAST = 8  # clips that several people labelled


def take_places(
    found: Predictions,
    structures: Sequence[str],
    store: Store,
    readings: Readings,
    annotations: Annotations | None = None,
) -> tuple[dict[str, Interchange], list[str]]:
    """Return the student in an annotator's place, by what they labelled, and what was refused.

    Parameters
    ----------
    found : Predictions
    structures : sequence of str
    store : Store
        Its outlines count on frames that two or more people drew on.
    readings : Readings
        Picked frames and ejection fractions of two or more rounds.
    annotations : Annotations, optional
        Those of simulated annotators, in the place of the store's outlines.

    Returns
    -------
    dict of str to Interchange
        "outlines LV" and so on (distance 1 − Dice), "ES", "ED" and "EF" (absolute difference), each
        of eight clips or more.
    list of str
        One line for each that could not be compared: a student that is one of the people, say.
    """
    labels: dict[str, tuple[Any, NDArray[Any]]] = {}
    if annotations is not None and found.outlines is not None:
        labels[f"outlines {structures[0]}"] = _simulated(found, annotations)
    elif annotations is None:
        for k, structure in enumerate(structures):
            shared = _shared(found, store, k, structure)
            labels |= {} if shared is None else {f"outlines {structure}": shared}
    for name, rounds, ours in (
        ("ES", readings.es, found.es),
        ("ED", readings.ed, found.ed),
        ("EF", readings.ef, found.ef),
    ):
        if rounds is None or ours is None or rounds.values.shape[1] < 2:
            continue
        kept = np.isfinite(rounds.values).any(axis=1)
        both = (np.isfinite(rounds.values).sum(axis=1) > 1) & np.isfinite(ours)
        if both.sum() >= LEAST:
            labels[name] = (seen(rounds), ours[kept])
    out, refused = {}, []
    for name, (people, ours) in labels.items():
        try:
            out[name] = interchange(people, {"student": ours})
        except AnnostatError as error:
            refused.append(f"{name}, the student in a person's place: {error}")
    return out, refused


def _simulated(found: Predictions, annotations: Annotations) -> tuple[MaskRounds, NDArray[Any]]:
    rounds, n, pair = annotations.outlines, len(found.names), annotations.outlines.shape[2]
    size = rounds.shape[-2:]
    people = {f"annotator {r + 1}": masks.reshape(-1, *size) for r, masks in enumerate(rounds)}
    clip = np.repeat(np.arange(n), pair).tolist()
    ours = np.asarray(found.outlines).reshape(-1, *size)
    return MaskRounds.from_arrays(people, cluster=clip), ours


def _shared(
    found: Predictions, store: Store, k: int, structure: str
) -> tuple[MaskRounds, NDArray[np.bool_]] | None:
    """Return what people and the student drew where two or more people did; None of few clips."""
    places = [place for place in found.shared if place[2] == k]
    if len({clip for clip, _, _ in places}) < LEAST:
        return None
    row = {place[:2]: i for i, place in enumerate(places)}
    ours = np.stack([found.shared[place] for place in places])
    masks: dict[int, NDArray[np.bool_]] = {}
    present: dict[int, NDArray[np.bool_]] = {}
    for clip in sorted({clip for clip, _, _ in places}):
        for o in store.outlines[clip]:
            i = row.get((clip, o.frame))
            if i is not None and o.structure == structure:
                masks.setdefault(o.annotator, np.zeros_like(ours))[i] = o.mask >= HALF
                present.setdefault(o.annotator, np.zeros(len(ours), dtype=bool))[i] = True
    named = store.people if len(store.people) > max(masks) else []
    names = {a: named[a] if named else f"annotator {a + 1}" for a in sorted(masks)}
    people = MaskRounds.from_arrays(
        {name: masks[a] for a, name in names.items()},
        present={name: present[a] for a, name in names.items()},
        items=[f"{store.names[clip]}:{frame}" for clip, frame, _ in places],
        cluster=[store.names[clip] for clip, _, _ in places],
        exchangeable=not named,
    )
    return people, ours


def places_section(places: Mapping[str, Interchange]) -> Section:
    """Return what a person should read of them: one row for each, and the answers."""
    rows = []
    for name, result in places.items():
        model = result.models[0]
        what = f"{name} ({result.distance.label})"
        verdict = model.standing.words()
        rows.append([what, cell(result.among), cell(model.change), cell(model.ratio), verdict])
    columns = ["what", "two people differ by", "change γ with the student", "ratio", "verdict"]
    lines = [
        "γ: what the student and a person differ by, less what two people do; negative is better. "
        "Intervals are two-sided, verdicts one-sided tests."
    ]
    return Section("The student in a person's place", columns, rows, lines)
