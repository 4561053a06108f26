"""The end of a run: the best weights scored on unseen whole clips, figures, `result.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from annostat import AnnostatError, Estimate
from annostat.estimates import plain
from annostat.files import write_text
from models.checkpoints import load_student
from models.command import counter
from models.config import Config
from models.data.clips import open_store
from models.history import History
from models.network.predict import predict
from models.network.student import count_parameters
from models.predictions import Predictions, predictions
from models.scores import human_overlaps, overlaps


def finish(
    config: Config, out: Path, history: History, cache: Path, *, device: Any, quiet: bool
) -> dict[str, Any]:
    """Score the best weights on unseen whole clips, draw the figures, write `result.json`."""
    from annostat.plotting import save_figure
    from models.figures import plot_curves, plot_masks

    student, _ = load_student(out / "best.safetensors", device)
    with counter("Unseen clips", quiet=quiet) as done:
        store = open_store(config.data, "test", cache, device=device, progress=done)
    structures = config.data.structures
    found = predictions(student, store, structures=structures, quiet=quiet)
    against, test = reference_scores(found, structures, store.kind)
    examples = [store.clip(k) for k in range(min(len(store), 4))]
    shown = [(clip, predict(student, np.asarray(clip.frames))) for clip in examples]
    result = {
        "test": plain(test),
        "against": against,
        "n_test_clips": len(store),
        "epochs": history.epoch,
        "best_epoch": history.best,
        "parameters": count_parameters(student),
        "wall_s": history.total("wall_s"),
        "cpu_s": history.total("cpu_s"),
        "device": str(device),
    }
    save_figure(plot_curves(history.rows), out / "curves.png")
    save_figure(plot_masks(shown, structures), out / "masks.png")
    write_text(out / "result.json", json.dumps(result, indent=2) + "\n")
    return result


def reference_scores(
    found: Predictions, structures: Sequence[str], kind: str
) -> tuple[str, dict[str, dict[str, Estimate]]]:
    """Return what the student is scored against, in words, and mean Dice and IoU.

    What people drew comes first, since the teachers' masks are what the student was taught with.
    """
    human = human_overlaps(found, structures)
    if human:
        return "people's outlines", human
    words = {"truth": "the truth", "labels": "people's labels", "teachers": "the teachers' masks"}
    return words[kind], overlaps(found, structures)


def result_of(config: Config, out: Path) -> dict[str, Any] | None:
    """Return the result of a run that is finished, with these settings."""
    if not all((out / name).exists() for name in ("last.pt", "config.json", "result.json")):
        return None
    try:
        given, result = (
            json.loads((out / name).read_text(encoding="utf-8"))
            for name in ("config.json", "result.json")
        )
    except ValueError as error:
        raise AnnostatError(f"{os.fspath(out)!r} holds broken JSON: {error}") from None
    return dict(result) if given == config.to_dict() else None
