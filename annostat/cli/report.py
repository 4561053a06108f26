"""`annostat report`: everything about one table on one page."""

from __future__ import annotations

import functools
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from annostat.cli.categories import KINDS as CATEGORY_KINDS
from annostat.cli.categories import (
    category_results,
    class_options,
    is_of_categories,
    load_categories,
    score_results,
)
from annostat.cli.command import TYPED, Command
from annostat.cli.common import (
    each_stratum,
    predictions_option,
    progress_bar,
    read_of,
    run_options,
    say,
    table_options,
    value_options,
)
from annostat.cli.pages import of_stratum, what_was_read
from annostat.cli.score import labels_and_models, strata_of
from annostat.errors import AnnostatError, printable
from annostat.labels.kinds import KINDS
from annostat.results.text import counted, hang

if TYPE_CHECKING:
    from annostat.labels.rounds import Rounds
    from annostat.report import Part


MOST_ANSWERS = 4  # on the screen; all of them stand at the top of the page


@click.command("report", cls=Command)
@table_options
@predictions_option
@run_options
@click.option(
    "--kind",
    type=click.Choice([*KINDS, *CATEGORY_KINDS]),
    default="auto",
    show_default=True,
    help="What the annotations are; auto takes whole numbers for picks.",
)
@class_options
@value_options
@click.option(
    "--masks",
    metavar="FOLDER|FILE.npz",
    multiple=True,
    help="Masks of the raters, as annostat masks takes them; may be given again.",
)
@click.option(
    "--also",
    metavar="'TABLE OPTIONS'",
    multiple=True,
    help="Another table of the same study with its options, in quotes; may be given again.",
)
@click.option("--audit", metavar="FOLDER", help="Data set to be audited, too.")
@click.option("--title", metavar="TEXT", help="Title of the page.")
@click.option("-o", "--output", metavar="FILE.html", required=True, help="The page, one file.")
@click.pass_context
def report(ctx: click.Context, /, **options: Any) -> None:
    """Write one page about ROUNDS that a person reads: floors, verdicts, figures, checks.

    ROUNDS is a table (CSV, TSV, Parquet) with two or more rounds of annotation of the same
    items. The page needs nothing but itself.
    """
    from annostat.report import write_report

    target = Path(options["output"])
    if target.is_dir() or not target.parent.is_dir():
        raise AnnostatError(f"--output {str(target)!r} must name a file in a folder that exists")
    # What may be refused comes before what takes time.
    more = [another(ctx, text, options) for text in options["also"]]
    names = [name_of(given) if more else "" for given in (options, *more)]
    tables = [ready(given, name) for given, name in zip((options, *more), names, strict=True)]
    with progress_bar("masks, audit") as progress:
        others = folders(options, progress)
    chapters = [chapter for table in tables for chapter in table()] + others
    source = options["example"] or Path(options["source"]).name
    typed = shlex.join(["annostat", "report", *ctx.meta[TYPED]])
    title = options["title"] or f"Annotation noise of {source}"
    write_report(target, chapters, title=title, command=typed)
    say("\n".join(told(target, chapters, several=bool(more))))


def told(target: Path, chapters: list[Part], *, several: bool) -> list[str]:
    """Return what the page answers, and what was written, as lines of a screen."""
    width = shutil.get_terminal_size((80, 24)).columns
    answers = [line for chapter in chapters for line in chapter.answer]
    parts = dict.fromkeys(line.partition(":")[0] for line in answers)
    if several:  # the first of each
        answers = [next(a for a in answers if a.startswith(f"{part}:")) for part in parts]
    answers = answers[:MOST_ANSWERS]
    figures = sum(len(chapter.pictures) for chapter in chapters)
    wrote = (
        f"{target} ({counted(len(chapters), 'chapter')}, {counted(figures, 'figure')}, "
        f"{target.stat().st_size / 1000:,.0f} kB, needs no internet)."
    )
    lines = [line for text in answers[:1] for line in hang("Answer", printable(text), width)]
    lines += [line for text in answers[1:] for line in hang("", printable(text), width)]
    return [*lines, *hang("Wrote", printable(wrote), width)]


def name_of(options: dict[str, Any]) -> str:
    """Return the name of a table among several."""
    return str(options["example"] or Path(options["source"]).stem)


def another(ctx: click.Context, text: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of another table of the study, as `--also` has them."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise AnnostatError(f"--also {text!r} cannot be read: {error}") from None
    given: dict[str, Any] = report.make_context(
        "report", [*words, "--output", options["output"]], parent=ctx
    ).params
    for flag in ("also", "masks", "audit", "title"):
        if given[flag]:
            raise AnnostatError(f"--also {text!r}: --{flag} is of the page, not of a table")
    return {**given, **{key: options[key] for key in ("level", "seed", "n_jobs")}}


def ready(options: dict[str, Any], table: str) -> Callable[[], list[Part]]:
    """Read a table; return what computes its chapters, which are named after it."""
    if is_of_categories(options):
        return functools.partial(category_chapters, options, table)
    rounds, predictions = labels_and_models(options)

    def compute(name: str, part: tuple[Rounds, dict[str, np.ndarray]]) -> list[Part]:
        with progress_bar(name or "report") as progress:
            found = chapters_of(part[0], part[1], options, progress)
        return [of_stratum(chapter, named(table, name)) for chapter in found]

    def all_strata() -> list[Part]:
        parts = ((name, (part, f)) for name, part, f in strata_of(rounds, predictions))
        found = each_stratum(parts, compute, options["by"])
        return [chapter for chapters in found.values() for chapter in chapters]

    return all_strata


def named(*parts: str) -> str:
    """Return the name of a table, a stratum, or a stratum of a table."""
    return ", ".join(part for part in parts if part)


def category_chapters(options: dict[str, Any], table: str) -> list[Part]:
    """Return the chapters on labels that are categories or grades, and on models of them."""
    from annostat.report import part_of

    given = {**options, "metric": None, "proba": ()}
    labels = load_categories(given)
    results = category_results(given, labels)
    chapters = [of_stratum(c, table) for c in what_was_read(read_of(labels.without_models()))]
    chapters += [
        of_stratum(part_of(result), named(table, name)) for name, result in results.items()
    ]
    if options["models"]:
        scores = score_results(given, labels)
        chapters += [
            of_stratum(part_of(result), named(table, name)) for name, result in scores.items()
        ]
    return chapters


def chapters_of(
    rounds: Rounds, models: dict[str, np.ndarray], options: dict[str, Any], progress: Any
) -> list[Part]:
    """Return the chapters on one stratum."""
    from annostat.labels.kinds import kind_of
    from annostat.noise.ahead import compiled_ahead
    from annostat.report import part_of
    from annostat.study import study

    if kind_of(rounds, options["kind"]).picks:
        with compiled_ahead() as compiled:
            compiled()
    found = study(
        rounds,
        models,
        kind=options["kind"],
        physical=bool(options["period"] or options["fps"]),
        level=options["level"],
        rng=options["seed"],
        n_jobs=options["n_jobs"],
        progress=progress,
    )
    first = part_of(rounds)
    return [replace(first, checks=found.checks), *(part_of(r) for r in found.results)]


def folders(options: dict[str, Any], progress: Any) -> list[Part]:
    """Return the chapters on masks and on a data set, if they were asked for."""
    from annostat.report import part_of

    found: list[Part] = []
    common = {"level": options["level"], "n_jobs": options["n_jobs"], "progress": progress}
    if options["masks"]:
        from annostat.datasets import read_masks
        from annostat.truth import compare_masks

        rounds = read_masks(list(options["masks"]))
        found.append(part_of(compare_masks(rounds, rng=options["seed"], **common)))
    if options["audit"]:
        from annostat.datasets.audit import audit_folder

        found.append(part_of(audit_folder(options["audit"], **common)))
    return found
