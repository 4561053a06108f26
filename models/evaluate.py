"""Score a student: python -m models.evaluate WEIGHTS --out FOLDER.

Whole clips of the test split go through the student; see `models.evaluation`. Floors and ceilings
of real clips come from what further people picked, read and drew.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from annostat import AnnostatError, NoiseModel
from annostat.errors import check_number
from annostat.files import write_text
from annostat.results import plain
from models.checkpoints import load_student
from models.command import clip_options, counter, padding_options, pick_device, run_command, say
from models.data.clips import open_store
from models.data.outlines import with_outlines
from models.data.readings import Readings, read_noise, read_readings, with_labels
from models.evaluation import evaluate
from models.settling import MARGIN
from models.world.annotators import Noise


@click.command(context_settings={"show_default": True})
@click.argument("weights", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results.")
@clip_options
@padding_options
@click.option("--largest", is_flag=True, help="Keep the largest component of each mask.")
@click.option(
    "--flat-within", "margin", type=float, default=MARGIN, help="Dice that does not matter."
)
@click.option("--outline-px", type=float, default=1.0, help="SD of the annotators' outlines.")
@click.option("--pick-mae", type=float, default=2.0, help="Mean error of their picks, frames.")
@click.option("--ef-points", type=float, default=6.0, help="SD of their ejection fractions.")
@click.option(
    "--rounds",
    "rounds_file",
    type=click.Path(path_type=Path),
    help="Table of what people read of real clips: clip, then columns es..., ed... (picked frames) "
    "and ef... (percent), one for each round. A single one is the round after the folder's own.",
)
@click.option(
    "--noise",
    "noise_file",
    type=click.Path(path_type=Path),
    help="Noise of one picked frame, from annostat fit-afd --json, for the floor of the aFD.",
)
@click.option(
    "--outlines",
    type=click.Path(path_type=Path),
    multiple=True,
    help="What one more person drew: a folder of masks (CLIP.npz, CLIP_FRAME.png), or a list of "
    "tracings; once for each person.",
)
@click.option("--seed", type=click.IntRange(0), default=0)
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--quiet", is_flag=True)
def main(
    weights: Path,
    out: Path,
    split: str,
    settings: tuple[str, ...],
    cache: Path,
    outline_px: float,
    pick_mae: float,
    ef_points: float,
    rounds_file: Path | None,
    noise_file: Path | None,
    outlines: tuple[Path, ...],
    device: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Score a student on whole clips: JSON, a figure, and a page to read."""
    from annostat.plotting import save_figure
    from models.figures import plot_evaluation
    from models.page import write_page

    where = pick_device(device)
    check_number("--flat-within", options["margin"], low=0.0, open_ends=True)
    check_number("--outline-px", outline_px, low=0.0)
    check_number("--pick-mae", pick_mae, low=0.0, open_ends=True)
    check_number("--ef-points", ef_points, low=0.0)
    student, trained = load_student(weights, where)
    config = trained.changed(settings)
    if (config.student, config.train, config.data.structures) != (
        trained.student,
        trained.train,
        trained.data.structures,
    ):
        raise AnnostatError(
            "--set changes settings of the data only (data.path, data.n_test, ...), and not its "
            "structures: the rest came with the weights"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AnnostatError(f"--out {str(out)!r} cannot be written: {error}") from None
    with counter(f"Clips for {split}", quiet=quiet) as done:
        store = open_store(config.data, split, cache, device=where, progress=done)
    for message in store.messages():
        say(message, quiet=quiet)
    noise = Noise(outline_px, NoiseModel.with_mae("laplace", pick_mae), ef_points)
    if store.kind == "truth" and any((rounds_file, noise_file, outlines)):
        raise AnnostatError(
            "--rounds, --noise and --outlines are of real clips: the phantom's annotators are "
            "simulated (--outline-px, --pick-mae, --ef-points)"
        )
    if outlines:
        before = len(store.notes)
        store = with_outlines(store, config.data, outlines)
        for message in store.notes[before:]:
            say(message, quiet=quiet)
    readings = Readings()
    if rounds_file is not None:
        readings, told = read_readings(rounds_file, store)
        say(told, quiet=quiet)
    if noise_file is not None:
        readings = replace(readings, noise=read_noise(noise_file))
    store = with_labels(store, readings)
    result, found = evaluate(
        student, store, config, noise=noise, readings=readings, quiet=quiet, **options
    )
    text = json.dumps(plain(result.to_dict()), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(out / "evaluation.json", text + "\n")
    save_figure(plot_evaluation(result, found, store.facts), out / "evaluation.png")
    write_page(out / "evaluation.html", result, found, store)
    click.echo(str(result))


if __name__ == "__main__":
    run_command(main)
