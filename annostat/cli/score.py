"""`annostat score`: models against labels, and against the truth behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from annostat.cli.beside import beside
from annostat.cli.categories import KINDS as CATEGORY_KINDS
from annostat.cli.categories import (
    class_options,
    draw_scores,
    is_of_categories,
    scored_categories,
)
from annostat.cli.command import Command
from annostat.cli.common import (
    each_stratum,
    input_options,
    load_all,
    of_strata,
    predictions_option,
    progress_bar,
    publish,
    read_of,
    screen_options,
    value_options,
)
from annostat.cli.pages import report_option, write_page
from annostat.errors import AnnostatError, check_choice
from annostat.labels.kinds import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from annostat.cli.common import Labels
    from annostat.labels.rounds import Rounds

HELD_OUT = {"lidc-diameter": "diameter_mm", "lidc": "largest_slice"}
TITLE = "Models against the truth"
HELD_OUT_NOTE = (
    "There is no model in these data: of the four readings of each nodule two are the labels, and "
    "the two others are held out and scored as if they were models, one alone and the mean of both."
)


@click.command("score", cls=Command)
@screen_options
@input_options
@predictions_option
@value_options
@click.option(
    "--trained-on",
    metavar="A",
    multiple=True,
    help="Round whose labels of these items the models were trained on.",
)
@click.option(
    "--margin",
    type=float,
    metavar="X",
    help="Error against the truth that counts as none, in the unit of the labels.",
)
@click.option(
    "--kind",
    type=click.Choice([*KINDS, *CATEGORY_KINDS]),
    default="auto",
    show_default=True,
    help="What the labels are; auto takes whole numbers for picks.",
)
@class_options
@click.option(
    "--proba",
    metavar="NAME=C,C",
    multiple=True,
    help="Columns of a model's probabilities, in the order of the classes (categories).",
)
@click.option(
    "--metric",
    type=click.Choice(["f1", "accuracy", "kappa"]),
    help="Metric of the verdicts on categories.",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    metavar="N",
    help="Bootstrap resamples.",
)
@click.option("--plot", "plot_file", metavar="FILE", help="Draw the scores (png, svg, pdf).")
@click.option("--items", "items_file", metavar="FILE.csv", help="Rank the items by error.")
@report_option
@click.pass_context
def score(ctx: click.Context, /, **options: Any) -> None:
    """Score models against noisy labels, and say whether they are at the floor.

    ROUNDS is a table (CSV, TSV, Parquet) with two or more rounds of annotation of the same items
    and a column for each model. In a long table a model is one of the raters.
    """
    from annostat.truth import score_models

    if is_of_categories(options):
        if options["items_file"]:
            raise AnnostatError("--items is of values: annostat concentration ranks items by error")
        scores, read = scored_categories(options)
        if options["plot_file"]:
            draw_scores(scores, options["plot_file"])
        publish(scores, options, by=options["by"], read=read)
        write_page(ctx, options["report_file"], scores, read, TITLE)
        return
    if options["example"]:
        rounds, predictions = held_out_readers(options)
    elif options["models"] or options["prediction_files"]:
        rounds, predictions = labels_and_models(options)
    else:
        raise AnnostatError("no model: name its column by --model, or its file by --predictions")

    def compute(name: str, part: tuple[Rounds, dict[str, np.ndarray]]) -> Any:
        with progress_bar(name or "scores") as progress:
            return score_models(
                part[0],
                part[1],
                trained_on=options["trained_on"],
                margin=options["margin"],
                kind=options["kind"],
                physical=bool(options["period"] or options["fps"]),
                level=options["level"],
                n_resamples=options["resamples"],
                rng=options["seed"],
                n_jobs=options["n_jobs"],
                progress=progress,
            )

    parts = ((name, (part, f)) for name, part, f in strata_of(rounds, predictions))
    results = each_stratum(parts, compute, options["by"])
    if options["plot_file"]:
        from annostat.plotting import plot_scores, save_figure

        for name, result in results.items():
            save_figure(plot_scores(result), of_strata(options["plot_file"], results)[name])
    if options["items_file"]:
        from annostat.files import write_text

        for name, result in results.items():
            text = result.items().to_csv(index=False, lineterminator="\n")
            write_text(of_strata(options["items_file"], results)[name], text)
    publish(results, options, by=options["by"], read=read_of(rounds))
    write_page(ctx, options["report_file"], results, read_of(rounds), TITLE)


def labels_and_models(options: dict[str, Any]) -> tuple[Rounds, dict[str, np.ndarray]]:
    """Return the rounds and each model's predictions, in the order of the rounds' items."""
    from annostat.tables.files import local

    models = list(options["models"])
    twice = sorted({m for m in models if models.count(m) > 1 or m in options["rounds"]})
    if twice:
        raise AnnostatError(f"--model {twice[0]!r} is named twice, or is one of the rounds")
    with ExitStack() as stack:  # pipes are read once, and looked at before the labels are
        files = [stack.enter_context(local(path)) for path in options["prediction_files"]]
        return _joined_models(options, models, files)


def _joined_models(
    options: dict[str, Any], models: Sequence[str], files: Sequence[Path]
) -> tuple[Rounds, dict[str, np.ndarray]]:
    chosen = chosen_of(files, models)
    models = [m for m in models if m not in {name for file in chosen for name in file}]
    both = load_all(
        {**options, "models": tuple(models)},
        unit=options["unit"],
        exchangeable=options["exchangeable"],
        collapse=False,
    )
    rounds = both.without_models()
    predictions = {m: both.values[:, both.names.index(m)] for m in models}
    for path, names in zip(files, chosen, strict=True):
        for name, f in joined(path, rounds, names, options["missing"]).items():
            if name in predictions or name in rounds.names:
                raise AnnostatError(f"--predictions {str(path)!r}: {name!r} is there already")
            predictions[name] = f
    if rounds.read is not None:
        rounds = replace(rounds, read=replace(rounds.read, models=tuple(predictions)))
    return rounds, predictions


def chosen_of(paths: Sequence[Path], models: Sequence[str]) -> list[list[str]]:
    """Return the models that are columns of each file of predictions; none for all of its own."""
    if not models:
        return [[] for _ in paths]
    from annostat.tables.reading import read_table

    return [[m for m in models if m in map(str, read_table(path).columns)] for path in paths]


def joined(
    path: Path, rounds: Rounds, models: Sequence[str], missing: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return columns of a table of predictions, in the order of the rounds' items."""
    from annostat.tables.predictions import read_predictions

    found, words = read_predictions(path, rounds, models=models, missing=missing)
    beside(words)
    return found


def strata_of(
    rounds: Labels, predictions: dict[str, np.ndarray]
) -> Iterator[tuple[str, Labels, dict[str, np.ndarray]]]:
    """Yield each stratum's name, rounds and predictions."""
    for name, part in rounds.strata().items():
        inside = slice(None) if rounds.stratum is None else rounds.stratum == name
        yield name, part, {model: f[inside] for model, f in predictions.items()}


def held_out_readers(options: dict[str, Any]) -> tuple[Rounds, dict[str, np.ndarray]]:
    """Return LIDC nodules with four readings: two are labels, the others play the models."""
    from annostat.datasets import lidc

    if options["models"]:
        raise AnnostatError("--example has its own models: leave out --model")
    if options["source"]:
        raise AnnostatError("give either ROUNDS or --example, not both")
    check_choice("--example", options["example"], list(HELD_OUT))
    everything = lidc(HELD_OUT[options["example"]])
    four = everything.take(everything.readings == 4)
    third, fourth = four.values[:, 2], four.values[:, 3]
    rounds = replace(four, values=four.values[:, :2], names=four.names[:2], notes=(HELD_OUT_NOTE,))
    return rounds, {"one reader": third, "mean of two readers": (third + fourth) / 2}
