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
    facts = store.facts
    if not facts or any(name not in f for f in facts for name in ("ed", "es", "ef")):
        raise AnnostatError("only phantom clips, whose truth is known, can be annotated")
    outlines = [store.clip(k).targets[[f["ed"], f["es"]], 0] >= HALF for k, f in enumerate(facts)]
    ed, es, ef = ([f[name] for f in facts] for name in ("ed", "es", "ef"))
    return Truth(store.names, np.stack(outlines), ed, es, ef)
