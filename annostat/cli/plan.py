"""`annostat plan`: how many double annotations are needed."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from annostat.cli.command import Command
from annostat.cli.common import (
    EXAMPLES,
    RATINGS,
    json_option,
    load,
    load_all,
    publish,
    read_of,
    run_options,
    table_options,
)
from annostat.cli.masks import are_masks
from annostat.cli.pages import report_option, write_page
from annostat.cli.shares import INSIDE, NUMBER_OR_SHARE, SHARE
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from annostat.labels.categories import Categories
    from annostat.labels.read import Read


@click.command("plan", cls=Command)
@functools.partial(table_options, examples=(*EXAMPLES, *RATINGS, "lidc-masks"))
@run_options
@json_option
@click.option(
    "--kind",
    type=click.Choice(("auto", "masks", "categories", "ordinal")),
    default="auto",
    show_default=True,
    help="What the pilot is; auto: masks if it is a folder or a file of masks, categories if it "
    "holds words. Numbers that are grades are ordinal.",
)
@click.option(
    "--order",
    metavar="A B ...",
    multiple=True,
    help="Words that are grades, from the lowest to the highest: κ is the quadratic one.",
)
@click.option(
    "--half-width",
    type=NUMBER_OR_SHARE,
    metavar="X",
    help="Wanted half-width of the interval of the mae, relative to the mae; of categories and of "
    "the ceiling of Dice as it is. [default: 0.05; 0.01 for masks]",
)
@click.option("--core", metavar="NAME", help="Plan from a law instead of pilot data.")
@click.option("--mae", type=float, metavar="X", help="E|X| of that law, in frames.")
@click.option(
    "--abandonment-rate",
    type=SHARE,
    default=0.0,
    show_default=True,
    help="Rate of abandonment of that law.",
)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Half-width of an abandoned pick of that law.",
)
@click.option(
    "--for",
    "aim",
    type=click.Choice(
        ("floor", "rmse", "verdict", "interchange", "agreement", "accuracy", "f1", "kappa")
    ),
    default="floor",
    show_default=True,
    help="The floor of the mean error, that of the RMSE (values), a verdict of score, a model in "
    "an annotator's place (--model); of categories κ of two annotators (agreement), or a ceiling.",
)
@click.option("--positive", metavar="A,B", help="Classes that count as positive (categories).")
@click.option("--distance", metavar="NAME", help="As in annostat interchange.")
@click.option(
    "--margin",
    type=float,
    metavar="X",
    help="Of interchange (0 is better than a reader), or of the verdict at the floor.",
)
@click.option(
    "--error",
    type=float,
    metavar="X",
    help="Verdict: error of the model against the truth. [default: half the margin]",
)
@click.option(
    "--learned",
    type=SHARE,
    default=0.0,
    metavar="S",
    help="Verdict below the floor: share of the labels' noise that the model has learned.",
)
@click.option("--change", type=float, metavar="X", help="γ that is presumed. [default: pilot's]")
@click.option("--plot", "plot_file", metavar="FILE", help="Width, or power, against items.")
@click.option(
    "--power", type=INSIDE, default=0.8, show_default=True, help="Wanted chance of the claim."
)
@report_option
def plan(**options: Any) -> None:
    """Say how many annotations a wanted width or a wanted claim needs.

    ROUNDS is a table of pilot data, or a folder or file of masks; without it, name a law of picks
    by --core and --mae. With --for interchange --model M: items and readers to show that M is as
    good as an annotator. With --for verdict: items and labels for a verdict of annostat score, at
    the floor (--margin), above it (--error) or below it (--learned).
    """
    if options["kind"] == "masks" or are_masks(options):
        return of_masks(options)
    if options["half_width"] is None:
        options["half_width"] = 0.05
    if options["aim"] != "verdict" and (options["error"] is not None or options["learned"]):
        raise AnnostatError("--error and --learned are of a verdict: add --for verdict")
    if options["aim"] == "verdict":
        return of_verdict(options)
    if options["aim"] == "interchange":
        return of_interchange(options)
    if options["aim"] == "rmse":
        return of_rmse(options)
    if options["aim"] != "floor":
        return of_categories(options)
    from annostat.noise import NoiseModel, plan_rounds

    source: Any
    read = None
    if options["core"] is not None:
        if options["source"] or options["example"]:
            raise AnnostatError("give either pilot data or --core, not both")
        if options["mae"] is None:
            raise AnnostatError("--core needs --mae, the mean absolute error of one annotation")
        rate = options["abandonment_rate"]
        kind = "independent" if rate > 0 else "none"
        source = NoiseModel.with_mae(
            options["core"],
            options["mae"],
            abandonment=kind,
            abandonment_rate=rate,
            window=options["window"],
        )
    else:
        source = load(options)
        read = read_of(source)
        if options["by"]:
            raise AnnostatError("plan has no strata: leave out --by")
    result = plan_rounds(
        source,
        half_width=options["half_width"],
        level=options["level"],
        rng=options["seed"],
        n_jobs=options["n_jobs"],
    )
    show("plot_width_plan", result, options, read)


def show(plot: str, result: Any, options: dict[str, Any], read: Read | None) -> None:
    """Write the files that are named, the plan drawn by a function of `plotting`; print it."""
    if options["plot_file"]:
        from annostat import plotting
        from annostat.plotting.figures import new_figure

        figure, ax = new_figure((5.2, 3.9))
        getattr(plotting, plot)(result, ax=ax)
        plotting.save_figure(figure, options["plot_file"])
    ctx = click.get_current_context()
    write_page(ctx, options["report_file"], {"": result}, read, "How many annotations")
    # A plan has no strata, so that none are offered.
    publish({"": result}, {k: v for k, v in options.items() if k != "by"}, by=None, read=read)


def of_interchange(options: dict[str, Any]) -> None:
    """Plan a study of a model in an annotator's place."""
    from annostat.interchange import interchange, plan_interchange

    if not options["models"] or options["core"] is not None:
        raise AnnostatError("--for interchange needs pilot data with a model: ROUNDS and --model")
    if options["by"]:
        raise AnnostatError("plan has no strata: leave out --by")
    both = load_all(options, unit="", collapse=False)
    rounds = both.without_models()
    predictions = {m: both.values[:, both.names.index(m)] for m in options["models"]}
    pilot = interchange(rounds, predictions, distance=options["distance"], level=options["level"])
    result = plan_interchange(
        pilot,
        change=options["change"],
        margin=options["margin"],
        power=options["power"],
        level=options["level"],
        rng=options["seed"],
    )
    show("plot_interchange_plan", result, options, read_of(rounds))


def of_masks(options: dict[str, Any]) -> None:
    """Plan the interval of the ceiling of Dice."""
    from annostat.ceilings import plan_masks
    from annostat.datasets import lidc_masks
    from annostat.datasets.mask_files import read_masks_and_models

    if options["aim"] != "floor":
        raise AnnostatError(f"--for {options['aim']} is not of masks: they have --for floor")
    given = [n for n in ("models", "rater", "value", "by", "core", "margin") if options[n]]
    if given:
        raise AnnostatError(f"a plan of masks takes no --{given[0].removesuffix('s')}")
    if options["example"]:
        if options["source"] or options["example"] != "lidc-masks":
            raise AnnostatError("masks: give a folder or file of masks, or --example lidc-masks")
        rounds = lidc_masks()
    elif options["source"]:
        rounds, _ = read_masks_and_models([options["source"]], {}, tidy_names=options["tidy_names"])
    else:
        raise AnnostatError("no input: give a folder or file of masks, or --example lidc-masks")
    width = 0.01 if options["half_width"] is None else options["half_width"]
    result = plan_masks(rounds, half_width=width, level=options["level"], rng=options["seed"])
    show("plot_width_plan", result, options, None)


def of_verdict(options: dict[str, Any]) -> None:
    """Plan a verdict of `score` on values, picks or categories."""
    from annostat.cli.categories import are_words
    from annostat.truth import plan_verdict

    if options["core"] is not None or options["by"]:
        raise AnnostatError("--for verdict plans from pilot data: leave out --core and --by")
    named = options["kind"] in ("categories", "ordinal") or options["positive"]
    if named or options["example"] in RATINGS or are_words(options):
        return of_category_verdict(options)
    rounds = load(options, unit="", collapse=False)
    result = plan_verdict(
        rounds,
        margin=options["margin"],
        error=options["error"],
        learned=options["learned"],
        power=options["power"],
        level=options["level"],
        rng=options["seed"],
    )
    show("plot_verdict_plan", result, options, read_of(rounds))


def pilot_of_categories(options: dict[str, Any]) -> Categories:
    """Read a pilot that holds categories, models among them."""
    from annostat.cli.categories import load_categories

    kind = "ordinal" if options["kind"] == "ordinal" else "categories"
    return load_categories({**options, "kind": kind, "counts": False, "exchangeable": False})


def of_category_verdict(options: dict[str, Any]) -> None:
    """Plan the verdict "below the ceiling" on a classifier of the pilot."""
    from annostat.cli.categories import positive_of
    from annostat.truth import plan_category_verdict

    others = ("margin", "error", "learned")
    if given := [f"--{n}" for n in others if options[n]]:
        raise AnnostatError(
            f"{given[0]} is of values: of categories the verdict is below the ceiling, as far as "
            "the model of the pilot is (--model)"
        )
    both = pilot_of_categories(options)
    if len(both.models) != 1:
        raise AnnostatError("--for verdict of categories needs one model in the pilot: --model M")
    [name] = both.models
    result = plan_category_verdict(
        both.of_annotators(),
        {name: both.answers(name)},
        positive=positive_of(options),
        power=options["power"],
        level=options["level"],
        rng=options["seed"],
    )
    show("plot_verdict_plan", result, options, both.read)


def of_rmse(options: dict[str, Any]) -> None:
    """Plan the interval of the floor of the RMSE of values."""
    from annostat.planning import plan_floor

    if options["core"] is not None or options["by"]:
        raise AnnostatError("--for rmse plans from pilot data: leave out --core and --by")
    rounds = load(options, unit="", collapse=False)
    result = plan_floor(
        rounds, half_width=options["half_width"], level=options["level"], rng=options["seed"]
    )
    show("plot_width_plan", result, options, read_of(rounds))


def of_categories(options: dict[str, Any]) -> None:
    """Plan the interval of κ, or of a ceiling, of categories."""
    from annostat.ceilings import plan_categories
    from annostat.cli.categories import positive_of

    if options["core"] is not None or options["by"]:
        raise AnnostatError("a plan of categories is made from pilot data: leave out --core, --by")
    labels = pilot_of_categories(options).without_models()
    result = plan_categories(
        labels,
        aim=options["aim"],
        positive=positive_of(options),
        half_width=options["half_width"],
        level=options["level"],
        rng=options["seed"],
    )
    show("plot_width_plan", result, options, labels.read)
