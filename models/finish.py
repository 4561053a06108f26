"""The end of a run: the best weights scored on unseen whole clips, figures, `result.json`."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from annostat import AnnostatError, Estimate
from annostat.files import write_text
from annostat.results import plain
from models.checkpoints import load_student, read_state
from models.config import FREE, Config, changes
from models.data.store import Store
from models.history import History
from models.logs import check_tensorboard
from models.network.predict import predict
from models.network.student import count_parameters
from models.predictions import Predictions, predictions
from models.scores import human_overlaps, outline_ceiling, overlaps
from models.trainer import check_settings


def finish(
    config: Config,
    out: Path,
    history: History,
    store: Store,
    others: Mapping[str, Store],
    *,
    device: Any,
    quiet: bool,
) -> dict[str, Any]:
    """Score the best weights on unseen whole clips, draw the figures, write `result.json`.

    `others` are further test clips, by the texts of `data.tests`.
    """
    from annostat.plotting import save_figure
    from models.figures import plot_curves, plot_masks

    student, _ = load_student(out / "best.safetensors", device)
    structures = config.data.structures
    found = predictions(student, store, structures=structures, quiet=quiet)
    against, test = reference_scores(found, structures, store.kind)
    examples = [store.clip(k) for k in range(min(len(store), 4))]
    shown = [(clip, predict(student, np.asarray(clip.frames))) for clip in examples]
    result: dict[str, Any] = {
        "test": plain(test),
        "against": against,
        "ceiling": ceilings(store, structures),
        "n_test_clips": len(store),
        "notes": store.messages(),
        "epochs": history.epoch,
        "best_epoch": history.best,
        "parameters": count_parameters(student),
        "wall_s": history.total("wall_s"),
        "cpu_s": history.total("cpu_s"),
        "device": str(device),
        "tests": {},
    }
    for text, other in others.items():
        more = predictions(student, other, structures=structures, quiet=quiet)
        reference, scores = reference_scores(more, structures, other.kind)
        result["tests"][text] = {
            "test": plain(scores),
            "against": reference,
            "ceiling": ceilings(other, structures),
            "n_test_clips": len(other),
            "notes": other.messages(),
        }
    save_figure(plot_curves(history.rows), out / "curves.png")
    save_figure(plot_masks(shown, structures), out / "masks.png")
    write_text(out / "result.json", json.dumps(result, indent=2) + "\n")
    return result


def ceilings(store: Store, structures: Sequence[str]) -> dict[str, Any]:
    """Return the Dice of a perfect model against one person, where two drew on the same frames."""
    found = {s: outline_ceiling(store, s) for s in structures}
    return {s: plain(c.dice) for s, c in found.items() if c is not None}


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
    """Return the result of a run that is finished, with these settings and no longer a training."""
    if not all((out / name).exists() for name in ("last.pt", "config.json", "result.json")):
        return None
    try:
        given, result = (
            json.loads((out / name).read_text(encoding="utf-8"))
            for name in ("config.json", "result.json")
        )
        before = Config.from_dict(given)
    except (OSError, ValueError) as error:
        raise AnnostatError(
            f"{os.fspath(out)!r} holds a broken config.json or result.json ({error}): delete "
            "them, the run goes on from last.pt"
        ) from None
    more = ("train.epochs", "train.patience", "data.tests")  # something is left to be done
    free = [name for name in FREE if name not in more]
    same = not changes(before, config, free=free)
    return dict(result) if same else None


def check_ready(config: Config, out: Path) -> None:
    """Look for everything that a run needs beside its clips, so that nothing fails at its end.

    Raises
    ------
    AnnostatError
        If a package is missing, `out` cannot be written, or holds a run of other settings.
    """
    for module, extra in (("safetensors", "train"), ("matplotlib", "")):
        try:
            importlib.import_module(module)
        except ImportError:
            wanted = f"annostat[{extra}]" if extra else module
            raise AnnostatError(f'{module} is not installed: pip install "{wanted}"') from None
    if config.train.tensorboard:
        check_tensorboard()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise AnnostatError(f"--out {os.fspath(out)!r} cannot be written: {error}") from None
    if (out / "last.pt").exists():
        check_settings(out / "last.pt", read_state(out / "last.pt"), config)
