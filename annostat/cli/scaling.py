"""`annostat scaling`: scores against the size of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from annostat.cli.command import Command
from annostat.cli.common import add, json_option, of_strata, publish, screen_options
from annostat.cli.pages import report_option, write_page
from annostat.cli.shares import NUMBER_OR_SHARE, SHARE
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from annostat.labels.read import Read

# Bundled tables: their scores are Dice and IoU, for which higher is better.
EXAMPLES = ("echodfkd", "camus")


def scaling_options(command: Any) -> Any:
    """Add the options of the command."""
    return add(
        command,
        click.argument("source", metavar="TABLE", required=False),
        click.option("--example", type=click.Choice(EXAMPLES), help="Bundled data instead."),
        click.option("--size", metavar="C", help="Column of the sizes."),
        click.option(
            "--score",
            "scores",
            metavar="C",
            multiple=True,
            help="Column of the scores; give it again for further metrics.",
        ),
        click.option(
            "--group",
            metavar="C",
            help="Column of a metric or regime: one series for each of its values.",
        ),
        click.option("--weight", metavar="C", help="Column of weights: 1/variance of log loss."),
        click.option(
            "--higher-is-better",
            is_flag=True,
            help="Scores such as Dice, 1 at best: the loss is 1 − score.",
        ),
        click.option("--floor", type=float, metavar="X", help="Known floor of the loss."),
        click.option(
            "--ceiling",
            type=NUMBER_OR_SHARE,
            metavar="X",
            help="Known ceiling of the score: a floor of 1 − X.",
        ),
        click.option(
            "--floor-se", type=float, metavar="S", help="Standard error of the floor or ceiling."
        ),
        click.option(
            "--law",
            "laws",
            metavar="NAME",
            multiple=True,
            help="power, power_floor, power_given_floor, hinge, broken; all by default.",
        ),
        click.option("--robust", is_flag=True, help="Huber's loss: outlying scores count less."),
        click.option(
            "--loss-kind",
            type=click.Choice(["quadratic", "first-order"]),
            default="quadratic",
            show_default=True,
            help="How the loss grows with the error: the dimension is 4/α or 2/α.",
        ),
        click.option(
            "--at",
            "at",
            type=float,
            multiple=True,
            metavar="N",
            help="Predict the loss at this size, beyond the data too.",
        ),
        click.option(
            "--level",
            type=SHARE,
            default=0.95,
            show_default=True,
            help="Level of confidence.",
        ),
        click.option("--plot", "plot_file", metavar="FILE", help="Draw the laws (png, svg, pdf)."),
        json_option,
    )


@click.command("scaling", cls=Command)
@screen_options
@scaling_options
@report_option
@click.pass_context
def scaling(ctx: click.Context, /, **options: Any) -> None:
    """Say how a score moves with the size of the model, and where it stops.

    TABLE has one row per trained model (several seeds of a size are several rows): its size, and
    its score in one column per metric.
    """
    from annostat.scaling.table import compare_scaling_table

    frame = read(options)
    floor = options["floor"]
    if options["ceiling"] is not None:
        if floor is not None:
            raise AnnostatError("give either --floor or --ceiling, not both")
        if not options["higher_is_better"]:
            raise AnnostatError("--ceiling is for scores: it needs --higher-is-better")
        floor = 1 - options["ceiling"]
    results = compare_scaling_table(
        frame,
        size=options["size"],
        score=options["scores"],
        group=options["group"],
        weight=options["weight"],
        higher_is_better=options["higher_is_better"],
        floor=floor,
        floor_se=options["floor_se"],
        laws=options["laws"] or None,
        robust=options["robust"],
        loss_kind=options["loss_kind"],
        at=options["at"],
        level=options["level"],
    )
    if options["plot_file"]:
        from annostat.plotting import plot_scaling, save_figure
        from annostat.plotting.figures import new_figure

        for name, result in results.items():
            figure, ax = new_figure((7.5, 5.0))
            plot_scaling(result, ax=ax)
            save_figure(figure, of_strata(options["plot_file"], results)[name])
    by = "series" if set(results) != {""} else None
    seen = record(frame, options)
    write_page(ctx, options["report_file"], results, seen, "How a score moves with size")
    publish(results, options, by=by, read=seen)


def record(frame: Any, options: dict[str, Any]) -> Read:
    """Return what was read."""
    from annostat.labels.read import Read
    from annostat.tables.files import name_of

    used = {options["size"], options["group"], options["weight"], *options["scores"]}
    columns = [str(c) for c in frame.columns]
    taken = [f"size ({options['size']})", f"score ({', '.join(options['scores'])})"]
    taken += [f"{name} ({options[name]})" for name in ("group", "weight") if options[name]]
    return Read(
        name_of(options["source"]) if options["source"] else f"example {options['example']}",
        len(frame),
        unused=tuple(c for c in columns if c not in used),
        noun="trained model",
        notes=(f"Columns: {', '.join(taken)}.",),
    )


def read(options: dict[str, Any]) -> Any:
    """Return the table, with the names of its columns settled."""
    if options["example"]:
        if options["source"]:
            raise AnnostatError("give either TABLE or --example, not both")
        from annostat.datasets import scaling_points

        options["size"] = options["size"] or "parameters"
        options["scores"] = options["scores"] or ("dice",)
        options["higher_is_better"] = True
        return scaling_points(options["example"])
    if not options["source"]:
        raise AnnostatError("no input: give a table of scores, or --example echodfkd")
    for name, given in (("--size", options["size"]), ("--score", options["scores"])):
        if not given:
            raise AnnostatError(f"{name} must name a column of the table")
    from annostat.tables.reading import read_table

    keep = [options["group"]] if options["group"] else []
    return read_table(options["source"], keep_text=keep)
