"""What clips are scored against."""

from __future__ import annotations

import numpy as np

from annostat import AnnostatError
from models.data.store import Store
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
