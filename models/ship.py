"""Let a student come along with the checkout: python -m models.ship WEIGHTS --name NAME.

The weights go to `models/weights/NAME.safetensors` with a card: what the student is of, what it was
made with, and its Dice on phantom clips of a seed that it was not trained on. Commands then take
the name in the place of a file. A test makes the card's scores again.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import click
import torch

from annostat import AnnostatError, __version__
from annostat.errors import check_choice
from annostat.results import plain
from models.command import run_command
from models.config import Config
from models.data.clips import open_store
from models.network.student import Student, count_parameters
from models.network.weights import SHIPPED, read_student, write_weights
from models.predictions import predictions
from models.scores import overlaps

SEED, CLIPS = 2026, 40  # of the hearts that a card is about
PURPOSE = "Simulated hearts only: for trying the commands out, not for images of patients."


def score_card(student: Student, config: Config, cache: Path) -> dict[str, Any]:
    """Return the scores of a student on phantom clips of another seed, as plain data.

    Parameters
    ----------
    student : Student
        In evaluation mode.
    config : Config
        The settings that it was trained with.
    cache : Path
        Where the clips are kept.
    """
    check_choice("kind of clips of a shipped student", config.data.kind, ("phantom",))
    if config.data.seed == SEED:
        raise AnnostatError(f"the student was trained on hearts of the seed of cards, {SEED}")
    data = dataclasses.replace(config.data, seed=SEED, n_test=CLIPS, teachers=())
    found = predictions(student, open_store(data, "test", cache))
    scores = overlaps(found, data.structures)
    return {
        "clips": f"{CLIPS} phantom clips, seed {SEED}, {data.frames} frames of {data.size}²",
        "against": "the truth, all frames",
        "scores": plain(scores),
    }


@click.command(context_settings={"show_default": True})
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="What commands call it.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path("out/clips"))
def main(weights: Path, name: str, cache: Path) -> None:
    """Write a student and its card among those that come along."""
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise AnnostatError(f"--name must be of a-z, 0-9 and -, got {name!r}")
    student, facts = read_student(weights)
    test = score_card(student, Config.from_dict(facts["config"]), cache)
    card = {
        "purpose": PURPOSE,
        "parameters": count_parameters(student),
        "made_with": {"annostat": __version__, "torch": torch.__version__.partition("+")[0]},
        "test": test,
    }
    SHIPPED.mkdir(exist_ok=True)
    facts = {k: v for k, v in facts.items() if k != "format"}
    path = SHIPPED / f"{name}.safetensors"
    write_weights(path, student.state_dict(), {**facts, "card": card})
    click.echo(f"{path.relative_to(SHIPPED.parents[1])}: {test['scores']}")


if __name__ == "__main__":
    run_command(main)
