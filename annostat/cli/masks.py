"""`annostat masks`: raters' masks with each other, the ceiling of Dice, STAPLE, models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from annostat.cli.common import add, progress_bar, publish, run_options
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from annostat.labels import MaskRounds


def mask_options(command: Any) -> Any:
    """Add the options that say what the masks are."""
    return add(
        command,
        click.argument("sources", metavar="FOLDER|FILE.npz ...", nargs=-1),
        click.option("--example", type=click.Choice(["lidc-masks"]), help="Bundled data instead."),
        click.option("--model", "models", metavar="[NAME=]PATH", multiple=True,
                     help="Masks of a model: a folder or a file, of the same items. Repeatable."),
        click.option("--kind", type=click.Choice(["binary", "uint8", "logits"]), default="binary",
                     show_default=True, help="What the numbers are."),
        click.option("--threshold", type=float, metavar="X",
                     help="A soft mask is in where its number is at least X. [default: one half]"),
        click.option("--labels", metavar="1,2,...", help="Structures; other numbers are refused."),
        click.option("--spacing", metavar="X|ROW,COLUMN", help="Size of a pixel, in mm."),
        click.option("--patients", metavar="FILE.csv",
                     help="Table of items or clips (first column) and their patients (second)."),
    )  # fmt: skip


@click.command("masks")
@mask_options
@run_options
@click.option("--region", type=click.Choice(["box", "all"]), default="box", show_default=True,
              help="What STAPLE counts: boxes around all that was marked, or all.")  # fmt: skip
@click.option("--method", type=click.Choice(["boundary", "majority", "mean", "staple"]),
              default="boundary", show_default=True, help="Consensus to write.")  # fmt: skip
@click.option("--consensus", "consensus_file", metavar="OUT.npz", help="Write the consensus.")
@click.option("--json", "json_file", metavar="FILE|-", help="Write the result as JSON.")
@click.option("--plot", "plot_file", metavar="FILE",
              help="Draw the ladder and the most disputed items (png, svg, pdf).")  # fmt: skip
def masks(**options: Any) -> None:
    """Compare the masks of several raters, and say what Dice any model can reach against them.

    One folder or file for each rater, or one file with an array for each.
    """
    from annostat.tables.mask_files import read_models
    from annostat.truth import compare_masks

    rounds = load_masks(options)
    named = dict(named_model(text) for text in options["models"])
    if len(named) < len(options["models"]):
        raise AnnostatError("--model: two models have the same name; write NAME=PATH")
    models = None
    if named:
        models = read_models(named, rounds, kind=options["kind"], threshold=options["threshold"])
    with progress_bar("masks") as progress:
        result = compare_masks(
            rounds, models=models, region=options["region"], level=options["level"],
            rng=options["seed"], n_jobs=options["n_jobs"], progress=progress,
        )  # fmt: skip
    if options["consensus_file"]:
        write_consensus(rounds, options)
    if options["plot_file"]:
        from annostat.plotting import plot_masks, save_figure

        save_figure(plot_masks(result), options["plot_file"])
    publish({"": result}, options, by=None)


def load_masks(options: dict[str, Any]) -> MaskRounds:
    """Return the masks that the options name."""
    from annostat.datasets import lidc_masks, read_masks

    if options["example"]:
        if options["sources"]:
            raise AnnostatError("give either masks or --example, not both")
        return lidc_masks()
    if not options["sources"]:
        raise AnnostatError("no input: give folders or .npz files of masks, or --example")
    spacing = numbers("--spacing", options["spacing"])
    labels = numbers("--labels", options["labels"])
    return read_masks(
        options["sources"],
        kind=options["kind"],
        threshold=options["threshold"],
        labels=labels,  # type: ignore[arg-type]
        spacing=spacing,
        spacing_unit="mm" if spacing is not None else "",
        patients=patients_of(options["patients"]),
    )


def numbers(name: str, text: str | None) -> list[float] | None:
    """Return the numbers of a list with commas."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise AnnostatError(
            f"{name} must be numbers with commas between them, got {text!r}"
        ) from None


def named_model(text: str) -> tuple[str, str]:
    """Return the name and the path of NAME=PATH; the name is that of the file by default."""
    from pathlib import Path

    name, found, path = text.partition("=")
    return (name, path) if found else (Path(text).stem, text)


def patients_of(path: str | None) -> dict[str, str] | None:
    """Return the patient of each item or clip from the first two columns of a table."""
    if path is None:
        return None
    from annostat.tables.reading import read_table

    table = read_table(path)
    if table.shape[1] < 2:
        raise AnnostatError("--patients needs a table with two columns: item or clip, and patient")
    first, second = (table.iloc[:, i].astype(str) for i in range(2))
    return dict(zip(first, second, strict=True))


def write_consensus(rounds: MaskRounds, options: dict[str, Any]) -> None:
    """Write the consensus, marked as one so that nobody scores it against its own raters."""
    import numpy as np

    from annostat.consensus import consensus
    from annostat.files import write_whole
    from annostat.tables.mask_files import MADE_OF

    found = consensus(rounds, method=options["method"], region=options["region"])
    arrays: dict[str, Any] = {
        "output": found.mask,
        "share": found.share,
        "items": rounds.items.astype(str),
        "method": np.array(found.method),
        MADE_OF: np.array(found.raters),
    }
    write_whole(options["consensus_file"], lambda stream: np.savez_compressed(stream, **arrays))
