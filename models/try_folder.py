"""From a folder to a page in one command: python -m models.try_folder echonet --out FOLDER.

Writes a folder in the format of EchoNet-Dynamic, EchoNet-Synthetic or CAMUS, of simulated hearts
(see `models.world.folders`), trains a small student on it, writes the masks of all its clips, and
scores it against people beside what their noise allows. All of it is simulated, and shows each step
that a real folder takes; the same command goes on where it was stopped.
"""

from __future__ import annotations

from pathlib import Path

import click

from models import evaluate, infer
from models.command import run_command, say
from models.config import PRESETS, Config
from models.train import in_words, train
from models.world.folders import CAMUS_LABELS, Made, write_folder

KINDS = ("echonet", "synthetic", "camus")


def config_of(kind: str, folder: Path, made: Made, *, quick: bool) -> Config:
    """Return the settings of a small student on a folder of a kind."""
    names = CAMUS_LABELS if kind == "camus" else {"LV": 1}
    inner = {s: f"/{s}" if kind == "camus" else "" for s in names}
    teachers = ", ".join(f'"{s}=folder:{folder / "teacher"}{inner[s]}"' for s in names)
    return PRESETS["camus" if kind == "camus" else "echonet"].changed(
        [
            f"data.path={folder / 'data'}",
            f"data.size={made.size}",
            # The labels of CAMUS teach by themselves.
            f"data.teachers=[{'' if kind == 'camus' else teachers}]",
            "student.blocks=2",
            "student.layers=1",
            f"student.filters={2 if quick else 8}",
            "train.batch=4",
            "train.window=8",
            "train.rate=5e-3",
            "train.schedule=cosine",
            f"train.epochs={1 if quick else 40}",
            "train.threads=1",
            "train.whole_clips=2",  # of 150 frames: few, since an epoch is short
        ]
    )


def people_of(kind: str, folder: Path) -> list[str]:
    """Return the options of `models.evaluate` that say what people said of the test clips."""
    options = ["--rounds", str(folder / "rounds.csv")]
    for person in {"echonet": (), "synthetic": ("anna", "ben"), "camus": ("second",)}[kind]:
        options += ["--outlines", str(folder / person)]
    return options


@click.command(context_settings={"show_default": True})
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of it all.")
@click.option("--seed", type=click.IntRange(0), default=0)
@click.option("--quick", is_flag=True, help="Few clips, one epoch: to see that it runs.")
@click.option("--quiet", is_flag=True)
def main(kind: str, out: Path, seed: int, quick: bool, quiet: bool) -> None:
    """Write a folder, train on it, write its masks, score them, make a page."""
    made = Made(4, 2, 9, frames=40, size=32, seed=seed) if quick else Made(seed=seed)
    folder, run, cache = out / "folder", out / "run", out / "clips"
    told = [] if not quiet else ["--quiet"]
    if not (folder / "rounds.csv").exists():
        say(f"Writing {folder}", quiet=quiet)
        write_folder(kind, folder, made)
    config = config_of(kind, folder, made, quick=quick)
    result = train(config, run, cache=cache, device="cpu", quiet=quiet)
    say(in_words(result), quiet=quiet)
    weights = str(run / "best.safetensors")
    infer.main(
        [weights, str(folder / "data"), "--out", str(out / "masks"), "--pad", "6", *told],
        standalone_mode=False,
    )
    evaluate.main(
        [
            weights,
            "--out",
            str(out / "scores"),
            "--cache",
            str(cache),
            "--pad",
            "6",
            *people_of(kind, folder),
            *told,
        ],
        standalone_mode=False,
    )
    say(f"A page to read: {out / 'scores' / 'evaluation.html'}", quiet=quiet)


if __name__ == "__main__":
    run_command(main)
