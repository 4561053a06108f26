"""`annostat score`: models against labels, and against the truth behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from annostat.cli.common import Command, input_options, load, publish, value_options, with_stratum
from annostat.errors import AnnostatError, check_choice, shown
from annostat.labels.kinds import KINDS

if TYPE_CHECKING:
    from annostat.labels.rounds import Rounds

HELD_OUT = {"lidc-diameter": "diameter_mm", "lidc": "largest_slice"}
HELD_OUT_NOTE = (
    "There is no model in these data: of the four readings of each nodule two are the labels, and "
    "the two others are held out and scored as if they were models, one alone and the mean of both."
)


@click.command("score", cls=Command)
@input_options
@click.option(
    "--model",
    "models",
    metavar="M",
    multiple=True,
    help="Column of a model's predictions; may be given again.",
)
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
    type=click.Choice(KINDS),
    default="auto",
    show_default=True,
    help="What the labels are; auto takes whole numbers for picks.",
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
def score(**options: Any) -> None:
    """Score models against noisy labels, and say whether they are at the floor.

    ROUNDS is a table (CSV, TSV, Parquet) with two or more rounds of annotation of the same items
    and a column for each model. In a long table a model is one of the raters.
    """
    from annostat.truth import score_models

    if options["example"]:
        rounds, predictions = held_out_readers(options)
    elif options["models"]:
        rounds, predictions = labels_and_models(options)
    else:
        raise AnnostatError("no model: name its column by --model")
    results = {}
    for name, part, models in strata_of(rounds, predictions):
        results[name] = score_models(
            part,
            models,
            trained_on=options["trained_on"],
            margin=options["margin"],
            kind=options["kind"],
            physical=bool(options["period"] or options["fps"]),
            level=options["level"],
            n_resamples=options["resamples"],
            rng=options["seed"],
            n_jobs=options["n_jobs"],
        )
    publish(results, options, by=options["by"])
    if options["plot_file"]:
        from annostat.plotting import plot_scores, save_figure

        for name, result in results.items():
            save_figure(plot_scores(result), with_stratum(options["plot_file"], name))
    if options["items_file"]:
        from annostat.files import write_text

        for name, result in results.items():
            text = result.items().to_csv(index=False, lineterminator="\n")
            write_text(with_stratum(options["items_file"], name), text)


def labels_and_models(options: dict[str, Any]) -> tuple[Rounds, dict[str, np.ndarray]]:
    """Return the rounds and each model's predictions, in the order of the rounds' items."""
    models = list(options["models"])
    twice = sorted({m for m in models if models.count(m) > 1 or m in options["rounds"]})
    if twice:
        raise AnnostatError(f"--model {twice[0]!r} is named twice, or is one of the rounds")
    wanted = (*options["rounds"], *models) if options["rounds"] else ()
    both = load(
        {**options, "rounds": wanted},
        unit=options["unit"],
        exchangeable=options["exchangeable"],
        collapse=False,
    )
    for model in models:
        check_choice("--model", model, both.names)
    return split(both, models) if models else (both, {})


def strata_of(
    rounds: Rounds, predictions: dict[str, np.ndarray]
) -> Iterator[tuple[str, Rounds, dict[str, np.ndarray]]]:
    """Yield each stratum's name, rounds and predictions."""
    for name, part in rounds.strata().items():
        inside = slice(None) if rounds.stratum is None else rounds.stratum == name
        yield name, part, {model: f[inside] for model, f in predictions.items()}


def split(both: Rounds, models: list[str]) -> tuple[Rounds, dict[str, np.ndarray]]:
    """Return rounds and models that were read as one table."""
    kept = [j for j, name in enumerate(both.names) if name not in models]
    if len(kept) < 2:
        raise AnnostatError(
            f"at least two rounds of annotation are needed beside the models, got {len(kept)} "
            f"({shown(both.names[j] for j in kept)})"
        )
    notes = tuple(note for note in both.notes if not note.startswith("rounds: "))
    rounds = replace(
        both, values=both.values[:, kept], names=tuple(both.names[j] for j in kept), notes=notes
    )
    return rounds, {m: both.values[:, both.names.index(m)] for m in models}


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
