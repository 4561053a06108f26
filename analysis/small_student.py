"""A student for the figures that need one: a trained one if its folder is given, else a small one.

The small one is trained in about two minutes on simulated clips, with the phantom's exact masks of
both ventricles as targets. It shows the method, and not what a student of full size reaches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from annostat.errors import AnnostatError

OTHER_SEED = 10_000  # clips that no training saw


def small_student(out: Path, *, seed: int, quick: bool, student: Path | None) -> Any:
    """Return a student in evaluation mode and the settings that it was trained with."""
    try:
        from models.checkpoints import load_student
        from models.config import PRESETS
        from models.train import train
    except ImportError:
        raise AnnostatError('a student needs torch: pip install "annostat[train]"') from None
    if student is not None:
        return load_student(student / "best.safetensors")
    changes = ["data.structures=[LV, RV]", f"train.seed={seed}", f"data.seed={seed + 1}"]
    if quick:
        changes += [
            "data.n_train=8",
            "data.n_valid=4",
            "data.n_test=4",
            "train.epochs=2",
            "data.size=32",
            "data.frames=24",
        ]
    folder = out / f"small_student-{seed}{'-quick' if quick else ''}"
    config = PRESETS["phantom-tiny"].changed(changes)
    train(config, folder, cache=out / "clips", device="cpu", quiet=True)  # goes on where it was
    return load_student(folder / "best.safetensors")


def unseen_clips(config: Any, n: int, *, frames: int, seed: int) -> list[Any]:
    """Return simulated clips of the student's size."""
    from models.world.phantom import make_clip

    return [make_clip(seed + OTHER_SEED, k, size=config.data.size, frames=frames) for k in range(n)]
