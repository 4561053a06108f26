"""What clips are scored against."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, TypeGuard

import numpy as np

from annostat import AnnostatError
from annostat.cardiac import disc_volumes, ejection_fraction
from models.data.store import Example, Store, clips
from models.world.annotators import Truth

HALF = 128  # of 255: inside the mask


def truth_of(store: Store) -> Truth:
    """Return the truth of clips whose targets and facts are true: those of the phantom.

    Raises
    ------
    AnnostatError
        If the store is empty, or ED, ES or the ejection fraction of a clip is not known.
    """
    facts, targets = store.facts, store.targets
    whole = all(name in f for f in facts for name in ("ed", "es", "ef"))
    if not facts or targets is None or not whole:
        raise AnnostatError("only phantom clips, whose truth is known, can be annotated")
    outlines = [
        targets[[start + f["ed"], start + f["es"]], 0] >= HALF
        for start, f in zip(store.offsets, facts, strict=True)
    ]
    ed, es, ef = ([f[name] for f in facts] for name in ("ed", "es", "ef"))
    return Truth(store.names, np.stack(outlines), ed, es, ef)


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a fact is a finite number."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def with_outlined_ef(store: Store, structure: str) -> Store:
    """Return a store whose clips without a listed ejection fraction have that of people's outlines.

    It is made of disc volumes at the labelled ED and ES, the mean of all who drew on both, and a
    note says of how many clips. Where nobody did, it stays unknown.

    Parameters
    ----------
    store : Store
        Of real clips; where people's labels are the targets, these are the outlines.
    structure : str
        The first one.
    """
    facts, n = [], 0
    for k, known in enumerate(store.facts):
        found = math.nan
        if not is_number(known.get("ef")):
            found = _outlined_ef(store.clip(k), structure, labels=store.kind == "labels")
        facts.append({**known, "ef": found} if math.isfinite(found) else known)
        n += math.isfinite(found)
    if not n:
        return store
    note = f"no ejection fraction is listed of {clips(n)}: it is that of people's outlines"
    return replace(store, facts=facts, notes=[*store.notes, note])


def _outlined_ef(clip: Example, structure: str, *, labels: bool) -> float:
    """Return the ejection fraction in percent of what people drew at ED and ES, or NaN."""
    frames = [clip.facts.get(name) for name in ("ed", "es")]
    if not all(is_number(f) for f in frames):
        return math.nan
    frames = [int(f) for f in frames]  # type: ignore[arg-type]
    drawn: list[dict[int, Any]] = [
        {o.annotator: o.mask for o in clip.outlines if (o.frame, o.structure) == (f, structure)}
        for f in frames
    ]
    if labels and clip.targets is not None:
        drawn = [{-1: clip.targets[f, 0]} for f in frames]
    ed, es = drawn
    both = [who for who in ed if who in es]
    if not both:
        return math.nan
    volumes = [disc_volumes(np.stack([m[w] for w in both]) >= HALF) for m in (ed, es)]
    if not (volumes[0] > 0).all():
        return math.nan
    return float(ejection_fraction(*volumes).mean())
