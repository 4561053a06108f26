"""`annostat audit`: what is wrong with a data set, before anything is scored on it."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from annostat.cli.command import TYPED, Command
from annostat.cli.common import (
    add,
    column_or_number,
    json_option,
    progress_bar,
    publish,
)
from annostat.cli.shares import SHARE
from annostat.cli.workers import job_options
from annostat.errors import AnnostatError, printable


def audit_options(command: Any) -> Any:
    """Add the options of the audit."""
    return add(
        job_options(command, "Processes"),
        click.argument("folder", metavar="FOLDER"),
        click.option(
            "-o",
            "--output",
            metavar="FILE.csv",
            help="Write the findings: what other commands take as --exclude.",
        ),
        json_option,
        click.option(
            "--plot",
            "plot_file",
            metavar="FILE",
            help="Draw a contact sheet of the worst items (png, svg, pdf).",
        ),
        click.option(
            "--plot-rates",
            "rates_file",
            metavar="FILE",
            help="Draw the histogram of frame rates (png, svg, pdf).",
        ),
        click.option("--report", "report_file", metavar="FILE.html", help="Write one page."),
        click.option(
            "--prompts",
            metavar="CSV|FOLDER",
            help="Responses of clips to prompts: a table, or a folder of CLIP.json.",
        ),
        click.option(
            "--noise",
            "noise_file",
            metavar="ROUNDS",
            help="Rounds of annotation of the clips, to set beside the prompts.",
        ),
        click.option(
            "--errors",
            "errors_file",
            metavar="TABLE",
            help="Errors of models by clip, one column each, to set beside the prompts.",
        ),
        click.option(
            "--limit",
            "limits",
            metavar="NAME=VALUE",
            multiple=True,
            help="Where a sign becomes a finding, such as jump=5; repeatable.",
        ),
        click.option(
            "--journal",
            metavar="FILE",
            help="Where every measured clip is kept, so that a run that was stopped goes "
            "on; FOLDER.audit.jsonl here by default.",
        ),
        click.option(
            "--level",
            type=SHARE,
            default=0.95,
            show_default=True,
            help="Level of confidence.",
        ),
    )


@click.command("audit", cls=Command)
@audit_options
@click.pass_context
def audit(ctx: click.Context, /, **options: Any) -> None:
    """Audit FOLDER: frame rates, splits and leaks, broken clips, broken labels, prompts.

    FOLDER is EchoNet-Dynamic, -Synthetic or -Pediatric, CAMUS, or clips. Run it again to go on
    where a run was stopped.
    """
    from annostat.datasets.audit import audit_folder

    place = Path(options["journal"] or f"{Path(options['folder']).resolve().name}.audit.jsonl")
    with progress_bar("measuring clips") as progress:
        result = audit_folder(
            options["folder"],
            journal=place,
            limits=read_limits(options["limits"]),
            prompts=options["prompts"],
            noise=read_noise(options["noise_file"]),
            errors=read_errors(options["errors_file"]),
            level=options["level"],
            n_jobs=options["n_jobs"],
            progress=progress,
        )
    if result.n_resumed:
        told = f"annostat: {result.n_resumed} clips were measured before ({place})"
        click.echo(printable(told), err=True)
    if options["output"]:
        result.write_corrupted(options["output"])
    if options["plot_file"]:
        from annostat.plotting import plot_contact_sheet, save_figure

        save_figure(plot_contact_sheet(result).figure, options["plot_file"])
    if options["rates_file"]:
        from annostat.plotting import plot_frame_rates, save_figure

        save_figure(plot_frame_rates(result).figure, options["rates_file"])
    if options["report_file"]:
        from annostat.report import write_report

        title = f"Audit of {Path(options['folder']).resolve().name}"
        typed = shlex.join(["annostat", "audit", *ctx.meta[TYPED]])
        title, typed = printable(title), printable(typed)
        write_report(options["report_file"], [result], title=title, command=typed)
    publish({"": result}, options, by=None)


def read_limits(given: tuple[str, ...]) -> Any:
    """Return the limits with those that were given as NAME=VALUE."""
    from annostat.datasets.audit import Limits
    from annostat.errors import check_choice, check_number

    names = [field.name for field in fields(Limits)]
    values = {}
    for text in given:
        name, _, value = text.partition("=")
        check_choice("--limit", name, names)
        values[name] = check_number(f"--limit {name}", column_or_number(value))
    return Limits(**values)


def read_noise(path: str | None) -> Any:
    """Return the rounds of a table, read as every command reads them."""
    from annostat.tables.reading import read_rounds

    return None if path is None else read_rounds(path, collapse=False)


def read_errors(path: str | None) -> dict[str, dict[str, float]]:
    """Return the error of each model by clip."""
    if path is None:
        return {}
    from annostat.datasets.audit.prompts import read_item_table

    table, item = read_item_table(Path(path), "errors")
    numbers = table.set_index(item).select_dtypes("number").astype(float)
    if numbers.columns.empty:
        raise AnnostatError(f"errors: {Path(path).name} has no column of numbers beside {item!r}")
    return {
        str(model): {str(i): float(v) for i, v in column.dropna().items()}
        for model, column in numbers.items()
    }
