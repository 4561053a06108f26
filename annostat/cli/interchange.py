"""`annostat interchange`: models in an annotator's place."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from annostat.cli.categories import are_words
from annostat.cli.command import SEVERAL, Command
from annostat.cli.common import (
    add,
    each_stratum,
    json_option,
    of_strata,
    predictions_option,
    progress_bar,
    publish,
    read_of,
    run_options,
    screen_options,
    table_options,
    value_options,
    without,
)
from annostat.cli.marks import EXAMPLES as MARKS
from annostat.cli.marks import kind_of_marks, mark_options, of_marks, refuse_others
from annostat.cli.masks import are_masks, named_model, numbers, patients_of
from annostat.cli.pages import report_option, write_page
from annostat.cli.score import labels_and_models, strata_of
from annostat.cli.shares import MARGIN, PERCENTAGE
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    import numpy as np

    from annostat.interchange import Interchange
    from annostat.labels import Categories, MaskRounds, Rounds
    from annostat.labels.read import Read

EXAMPLES = {
    "lidc-diameter": "diameter_mm",
    "lidc": "largest_slice",
    "lidc-malignancy": "malignancy",
    "lidc-masks": "",
    **dict.fromkeys(MARKS, ""),
}
SHUFFLE = 0  # seed of the order of readings in the examples
NAMES = (
    "absolute",
    "squared",
    "differ",
    "linear",
    "quadratic",
    "1-dice",
    "1-iou",
    "hd95",
    "surface",
    "further",
    "radial",
    "1-f1",
    "1-f1-image",
    "unmatched",
)


class InterchangeCommand(Command):
    """A command whose option --raters takes as many values as follow it, too."""

    several = (*SEVERAL, "--raters")


def mask_options(command: Any) -> Any:
    """Add the options of masks; the others are those of tables."""
    return add(
        command,
        click.argument("more", metavar="FOLDER ...", nargs=-1),
        click.option(
            "--raters", metavar="A B ...", multiple=True, help="Masks: which are of raters."
        ),
        click.option("--labels", metavar="1,2,...", help="Masks: structures of label maps."),
        click.option("--spacing", metavar="X|ROW,COLUMN", help="Masks, points: size of a pixel."),
        click.option(
            "--patients", metavar="FILE.csv", help="Masks: table of items and their patients."
        ),
    )


@click.command("interchange", cls=InterchangeCommand)
@screen_options
@functools.partial(table_options, examples=EXAMPLES)
@predictions_option
@value_options
@click.option(
    "--distance",
    type=click.Choice(NAMES),
    help="Between two labels. [default: absolute; differ for words, 1-dice for masks, radial for "
    "points, 1-f1 for findings]",
)
@click.option(
    "--order",
    metavar="A B ...",
    multiple=True,
    help="Words that are grades, from the lowest to the highest. [default distance: linear]",
)
@click.option("--than", type=float, metavar="X", help="With --distance further: further than X.")
@click.option(
    "--margin",
    type=MARGIN,
    metavar="X",
    help="Change that counts as none, in the unit of the distance; a share for differ and masks.",
)
@click.option(
    "--margin-percent",
    type=PERCENTAGE,
    metavar="P",
    help="The same in per cent of what two readers differ by.",
)
@click.option(
    "--readers",
    type=click.Choice(("auto", "these", "sample")),
    default="auto",
    show_default=True,
    help="Speak of these readers alone, or of others like them; auto: of others from three on.",
)
@click.option(
    "--trained-on",
    metavar="A",
    multiple=True,
    help="Round whose labels of these items the models were trained on: it is left out.",
)
@mask_options
@mark_options
@run_options
@json_option
@click.option("--plot", "plot_file", metavar="FILE", help="Draw the models (png, svg, pdf).")
@click.option("--items", "items_file", metavar="FILE.csv", help="Rank the items by the change.")
@report_option
@click.pass_context
def interchange(ctx: click.Context, /, **options: Any) -> None:
    """Say whether models are as good as an annotator, by putting them in an annotator's place.

    ROUNDS is a table (CSV, TSV, Parquet) with two or more rounds of annotation of the same items
    and a column for each model; a long table of points (--kind points) or marks (--kind findings),
    whose model is one of the readers, or has a table of its own (--predictions); or a folder or
    file of masks as annostat masks takes them, with --model NAME=PATH.
    """
    results: dict[str, Interchange]
    read: Read | None = None
    kind = kind_of_marks(options)
    if options["more"] and (kind or not are_masks(options)):
        raise AnnostatError("give one table of ROUNDS, or folders of masks")
    if kind:
        results, by, read = of_marks(kind, options, said(options))
    elif are_masks(options):
        refuse_others("masks", options)
        results, by = of_masks(options), "structure"
        by = by if len(results) > 1 else ""
    else:
        refuse_others("numbers", options)
        rounds, predictions = labels(options)
        read = read_of(rounds)
        by = options["by"]
        results = of_table(rounds, predictions, options)
    written(results, options, ctx, read)
    publish(results, options, by=by or None, read=read)


def written(
    results: Mapping[str, Interchange],
    options: dict[str, Any],
    ctx: click.Context,
    read: Read | None,
) -> None:
    """Write the files that were asked for."""
    if options["plot_file"]:
        from annostat.plotting import save_figure

        for name, path in of_strata(options["plot_file"], results).items():
            save_figure(results[name].plot(), path)
    if options["items_file"]:
        from annostat.files import write_text

        for name, path in of_strata(options["items_file"], results).items():
            write_text(path, results[name].items().to_csv(index=False, lineterminator="\n"))
    write_page(ctx, options["report_file"], results, read, "In an annotator's place")


def said(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that the function takes as they are."""
    percent = options["margin_percent"]
    return {
        "distance": options["distance"],
        "threshold": options["than"],
        "margin": options["margin"],
        "margin_percent": None if percent is None else percent / 100,
        "readers": options["readers"],
        "trained_on": options["trained_on"],
        "level": options["level"],
    }


def of_table(
    rounds: Rounds | Categories, predictions: dict[str, np.ndarray], options: dict[str, Any]
) -> dict[str, Interchange]:
    """Return the result of each stratum of a table."""
    from annostat.interchange import interchange as measure

    def compute(name: str, part: tuple[Rounds | Categories, dict[str, np.ndarray]]) -> Any:
        with progress_bar(name or "interchange") as progress:
            return measure(part[0], part[1], progress=progress, **said(options))

    found: Any = strata_of(rounds, predictions)  # of one kind of labels or the other
    parts = ((name, (part, f)) for name, part, f in found)
    return each_stratum(parts, compute, options["by"])


def labels(options: dict[str, Any]) -> tuple[Rounds | Categories, dict[str, np.ndarray]]:
    """Return the rounds and the predictions of a table, categories as numbers."""
    if options["example"]:
        return held_out(options)
    if not (options["models"] or options["prediction_files"]):
        raise AnnostatError("no model: name its column by --model, or its file by --predictions")
    words = options["distance"] is None and not options["prediction_files"] and are_words(options)
    if options["source"] and (words or options["order"] or options["distance"] == "differ"):
        return categories(options)
    return labels_and_models(options)


def categories(options: dict[str, Any]) -> tuple[Categories, dict[str, np.ndarray]]:
    """Return labels and predictions that are categories, which may be text."""
    from annostat.tables.reading import read_categories

    if options["prediction_files"]:
        raise AnnostatError("predictions of categories stand in the table of the labels: --model")
    both = read_categories(
        options["source"],
        item=options["item"] or None,
        rounds=list(options["rounds"]) or None,
        rater=options["rater"],
        value=options["value"],
        models=options["models"],
        by=options["by"],
        cluster=options["cluster"],
        missing=options["missing"],
        tidy_names=options["tidy_names"],
        exchangeable=options["exchangeable"],
        order=list(options["order"]) or None,
    )
    if options["exclude"]:
        both = without(both, options["exclude"])
    predictions = {m: both.answers(m) for m in both.models}
    return both.without_models(), predictions


def held_out(options: dict[str, Any]) -> tuple[Rounds, dict[str, np.ndarray]]:
    """Return LIDC nodules with four readings: two are labels, the others play the models."""
    import numpy as np

    from annostat.datasets import lidc

    if options["models"] or options["source"]:
        raise AnnostatError("--example has its own labels and models: leave out ROUNDS and --model")
    everything = lidc(EXAMPLES[options["example"]])
    four = everything.take(everything.readings == 4)
    # The order of a nodule's readings in the source is not quite random.
    order = np.random.default_rng(SHUFFLE).permuted(
        np.tile(np.arange(4), (len(four.values), 1)), axis=1
    )
    values = np.take_along_axis(four.values, order, axis=1)
    third, fourth = values[:, 2], values[:, 3]
    rounds = replace(four, values=values[:, :2], names=four.names[:2], notes=(HELD_OUT_NOTE,))
    models = {"one reader": third}
    if options["example"] != "lidc-malignancy" and options["distance"] != "differ":
        models["mean of two readers"] = (third + fourth) / 2
    if rounds.read is not None:
        left = {"with fewer than four readings": len(everything.values) - len(four.values)}
        read = replace(rounds.read, rounds=rounds.names, models=tuple(models), left_out=left)
        rounds = replace(rounds, read=read)
    return rounds, models


def of_masks(options: dict[str, Any]) -> dict[str, Interchange]:
    """Return the result of each structure of masks."""
    from annostat.interchange import interchange as measure

    rounds, models = load_masks(options)

    def compute(name: str, label: int) -> Any:
        with progress_bar(name or "interchange") as progress:
            return measure(rounds, models, label=label, progress=progress, **said(options))

    several = len(rounds.labels) > 1
    parts: Iterator[tuple[str, int]] = ((str(v) if several else "", v) for v in rounds.labels)
    return each_stratum(parts, compute, "structure" if several else None)


def load_masks(options: dict[str, Any]) -> tuple[MaskRounds, MaskRounds]:
    """Return the masks of raters and of models."""
    from annostat.datasets import lidc_masks
    from annostat.datasets.mask_files import read_masks_and_models

    if options["example"]:
        import numpy as np

        four = lidc_masks()
        order = np.random.default_rng(SHUFFLE).permuted(
            np.tile(np.arange(4)[:, None], (1, four.n_items)), axis=0
        )
        four = replace(four, values=four.values[order, np.arange(four.n_items)])
        return replace(four.choose(four.names[:3]), notes=(MASKS_NOTE,)), replace(
            four.choose(four.names[3:]), names=("one reader",)
        )
    models = dict(named_model(text) for text in options["models"])
    if len(models) < len(options["models"]):
        raise AnnostatError("--model: two models have the same name; write NAME=PATH")
    if not models:
        raise AnnostatError("no model: name its masks by --model NAME=PATH")
    spacing = numbers("--spacing", options["spacing"])
    rounds, predicted = read_masks_and_models(
        [options["source"], *options["more"]],
        models,
        raters=list(options["raters"]) or None,
        labels=numbers("--labels", options["labels"]),  # type: ignore[arg-type]
        tidy_names=options["tidy_names"],
        spacing=spacing,
        spacing_unit="mm" if spacing is not None else "",
        patients=patients_of(options["patients"]),
    )
    if predicted is None:
        raise AnnostatError("no model: name its masks by --model NAME=PATH")
    return rounds, predicted


HELD_OUT_NOTE = (
    "There is no model in these data: of the four readings of each nodule, in random order, two "
    "are the labels, and the two others are held out and play models, one alone and the mean of "
    "both."
)
MASKS_NOTE = (
    "There is no model in these data: of the four masks of each nodule, in random order, three are "
    "the labels, and the fourth is held out and plays a model."
)
