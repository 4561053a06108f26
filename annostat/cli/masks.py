"""`annostat masks`: raters' masks with each other, the ceiling of Dice, STAPLE, models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from annostat.cli.command import Command
from annostat.cli.common import add, json_option, progress_bar, publish, run_options, screen_options
from annostat.cli.pages import report_option, write_page
from annostat.cli.shares import NUMBER_OR_SHARE
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from annostat.labels import MaskRounds
    from annostat.resampling import Progress


MASK_FILES = (".npz", ".npy", ".nii", ".gz", ".mha", ".mhd", ".nrrd", ".png", ".tif", ".tiff")
TABLES = (".csv", ".tsv", ".txt")  # may be packed, too


def are_masks(options: Mapping[str, Any]) -> bool:
    """Whether a command's input is folders or files of masks, or their example."""
    if options["example"]:
        return str(options["example"]) == "lidc-masks"
    if options["source"] is None:
        return False
    path = Path(options["source"])
    if path.is_dir():
        return not any(path.glob("*.parquet"))
    return path.suffix.lower() in MASK_FILES and Path(path.stem).suffix.lower() not in TABLES


class MaskCommand(Command):
    """A command whose options --raters and --model take as many values as follow them."""

    several = ("--raters", "--model")

    def is_source(self, value: str, before: list[str]) -> bool:
        """Return whether what follows the name of a model is one more folder or file."""
        return Path(value).exists()


def mask_options(command: Any) -> Any:
    """Add the options that say what the masks are."""
    return add(
        command,
        click.argument("sources", metavar="FOLDER|FILE ...", nargs=-1),
        click.option("--example", type=click.Choice(["lidc-masks"]), help="Bundled data instead."),
        click.option(
            "--raters",
            metavar="A B ...",
            multiple=True,
            help="Those of the folders, files or arrays that are raters. After FOLDER.",
        ),
        click.option(
            "--model",
            "models",
            metavar="[NAME=]PATH",
            multiple=True,
            help="Masks of a model: a folder, a file, or one of what FOLDER holds; of the "
            "same items. Repeatable.",
        ),
        click.option(
            "--kind",
            type=click.Choice(["binary", "uint8", "logits", "probability"]),
            help="What the numbers are. [default: masks or label maps]",
        ),
        click.option(
            "--threshold",
            type=NUMBER_OR_SHARE,
            metavar="X",
            help="A soft mask is in where its number is at least X. [default: one half]",
        ),
        click.option(
            "--labels",
            metavar="1,2,...",
            help="Structures of label maps. [default: all that are found]",
        ),
        click.option(
            "--items",
            type=click.Choice(["frames", "volumes"]),
            help="What of a stack is one item. [default: volumes of NIfTI, MHA and NRRD]",
        ),
        click.option(
            "--orientation",
            type=click.Choice(["affine", "stored"]),
            default="affine",
            show_default=True,
            help="Turn images as their headers say, or do not.",
        ),
        click.option(
            "--tidy-names",
            is_flag=True,
            help="Join names that differ only by case, spaces or a common ending.",
        ),
        click.option(
            "--spacing",
            metavar="X|ROW,COLUMN",
            help="Size of a pixel, in mm. [default: that of the files]",
        ),
        click.option(
            "--patients",
            metavar="FILE.csv",
            help="Table of items or clips (first column) and their patients (second).",
        ),
    )


@click.command("masks", cls=MaskCommand)
@screen_options
@mask_options
@run_options
@click.option(
    "--region",
    type=click.Choice(["box", "all"]),
    default="box",
    show_default=True,
    help="What STAPLE counts: boxes around all that was marked, or all.",
)
@click.option(
    "--method",
    type=click.Choice(["boundary", "majority", "mean", "staple"]),
    default="boundary",
    show_default=True,
    help="Consensus to write.",
)
@click.option("--consensus", "consensus_file", metavar="OUT.npz", help="Write the consensus.")
@json_option
@click.option(
    "--plot",
    "plot_file",
    metavar="FILE",
    help="Draw the ladder and the most disputed items (png, svg, pdf).",
)
@report_option
@click.pass_context
def masks(ctx: click.Context, /, **options: Any) -> None:
    """Compare the masks of several raters, and say what Dice any model can reach against them.

    One folder or file for each rater, one folder of these, or of a folder for each case, or one
    .npz file with an array for each: npz, NIfTI, MHD, MHA, NRRD, PNG, TIFF.
    """
    from annostat.labels.packed_masks import refuse_many
    from annostat.truth import compare_masks

    with progress_bar("read") as progress:
        rounds, models = load_masks(options, progress)
    if options["consensus_file"]:
        refuse_many(rounds)  # before the work
    with progress_bar("masks") as progress:
        result = compare_masks(
            rounds,
            models=models,
            region=options["region"],
            level=options["level"],
            rng=options["seed"],
            n_jobs=options["n_jobs"],
            progress=progress,
        )
    if options["consensus_file"]:
        write_consensus(rounds, options)
    if options["plot_file"]:
        from annostat.plotting import plot_masks, save_figure

        save_figure(plot_masks(result), options["plot_file"])
    publish({"": result}, options, by=None)
    write_page(ctx, options["report_file"], {"": result}, None, "Masks of several raters")


def load_masks(
    options: dict[str, Any], progress: Progress | None = None
) -> tuple[MaskRounds, MaskRounds | None]:
    """Return the masks that the options name: of raters, and of models if there are any."""
    from annostat.datasets import lidc_masks
    from annostat.datasets.mask_files import read_masks_and_models

    models = dict(named_model(text) for text in options["models"])
    if len(models) < len(options["models"]):
        raise AnnostatError("--model: two models have the same name; write NAME=PATH")
    if options["example"]:
        if options["sources"] or models or options["raters"]:
            raise AnnostatError("give either masks or --example, not both")
        return lidc_masks(), None
    if not options["sources"]:
        raise AnnostatError("no input: give folders or files of masks, or --example")
    spacing = numbers("--spacing", options["spacing"])
    labels = numbers("--labels", options["labels"])
    rounds, predicted = read_masks_and_models(
        options["sources"],
        models,
        raters=list(options["raters"]) or None,
        kind=options["kind"],
        threshold=options["threshold"],
        labels=labels,  # type: ignore[arg-type]
        items=options["items"],
        orientation=options["orientation"],
        tidy_names=options["tidy_names"],
        spacing=spacing,
        spacing_unit="mm" if spacing is not None else "",
        patients=patients_of(options["patients"]),
        n_jobs=options["n_jobs"],
        progress=progress,
    )
    if options["region"] == "all" and any("filled with background" in n for n in rounds.notes):
        raise AnnostatError("--region all counts background, which images of one size need")
    return rounds, predicted


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
    from annostat.tables.mask_layouts import without_suffix

    name, found, path = text.partition("=")
    return (name, path) if found else (without_suffix(Path(text).name), text)


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
    from annostat.datasets.mask_files import MADE_OF
    from annostat.files import write_whole

    found = consensus(rounds, method=options["method"], region=options["region"])
    arrays: dict[str, Any] = {
        "output": found.mask,
        "share": found.share,
        "items": rounds.items.astype(str),
        "method": np.array(found.method),
        MADE_OF: np.array(found.raters),
    }
    write_whole(options["consensus_file"], lambda stream: np.savez_compressed(stream, **arrays))
