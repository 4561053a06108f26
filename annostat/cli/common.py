"""What the commands share: the options that say what is in a table, loading, publishing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from annostat.cli.beside import beside
from annostat.cli.shares import SHARE
from annostat.cli.workers import job_options
from annostat.errors import UNPRINTABLE, AnnostatError, cut, shown
from annostat.results.markup import FORMS
from annostat.results.text import HELD, hang

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annostat.labels.categories import Categories
    from annostat.labels.findings import Findings
    from annostat.labels.points import Points
    from annostat.labels.read import Read
    from annostat.labels.rounds import Rounds

    Labels = TypeVar("Labels", Rounds, Categories, Points, Findings)

EXAMPLES = {
    "lidc": "largest_slice",
    "lidc-first": "first_slice",
    "lidc-last": "last_slice",
    "lidc-diameter": "diameter_mm",
}
RATINGS = ("lidc-malignancy", "lidc-texture", "vader")  # examples of grades


MOST_TOLD = 3  # strata that are left out of which each is told in a line of its own


json_option = click.option(
    "--json", "json_file", metavar="FILE|-", help="Write the result as JSON."
)
item_option = click.option(
    "--item", metavar="C ...", multiple=True, help="Columns that tell the items apart."
)
cluster_option = click.option("--cluster", metavar="C", help="Column of the cluster (patient).")
missing_option = click.option(
    "--missing", metavar="TEXT ...", multiple=True, help="Markers of a missing number."
)


def table_options(
    command: Callable[..., Any], examples: Iterable[str] = (*EXAMPLES, *RATINGS)
) -> Callable[..., Any]:
    """Add the options that say what is in the table."""
    return add(
        command,
        click.argument("source", metavar="ROUNDS", required=False),
        click.option("--example", type=click.Choice(list(examples)), help="Bundled data instead."),
        item_option,
        click.option(
            "--rounds",
            "rounds",
            metavar="A B ...",
            multiple=True,
            help="Columns of the rounds of a wide table, or raters of a long one.",
        ),
        click.option("--rater", metavar="C", help="Column of the rater (long table)."),
        click.option("--value", metavar="C", help="Column of the annotation (long table)."),
        click.option(
            "--model",
            "models",
            metavar="M ...",
            multiple=True,
            help="Columns (or raters) that are models, and no rounds.",
        ),
        by_option,
        click.option(
            "--period",
            metavar="C",
            help="Column or number: duration of a frame, spacing of a slice.",
        ),
        click.option("--fps", metavar="C", help="Column or number: frames per second."),
        click.option("--period-unit", default="", metavar="TEXT", help="Unit of --period."),
        click.option("--length", metavar="C", help="Column or number: frames of the clip."),
        cluster_option,
        missing_option,
        tidy_names_option,
        exclude_option,
    )


def by_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option of strata."""
    text = "Column of a stratum: one result for each."
    return click.option("--by", metavar="C", help=text)(command)


def tidy_names_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that joins names which look alike."""
    text = "Take names that differ only by case, spaces or .0 for one."
    return click.option("--tidy-names", is_flag=True, help=text)(command)


def exclude_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that leaves items out."""
    text = "Leave out the items of this table (corrupted.csv of annostat audit)."
    return click.option("--exclude", metavar="FILE.csv", help=text)(command)


def predictions_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option of predictions in files of their own."""
    text = "Table of predictions, joined by item: all its models, or those that --model names."
    return click.option(
        "--predictions", "prediction_files", metavar="FILE", multiple=True, help=text
    )(command)


def value_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of labels that are values."""
    return add(
        command,
        click.option("--unit", default="", metavar="TEXT", help="Unit of the values."),
        click.option("--exchangeable", is_flag=True, help="The order of the rounds means nothing."),
    )


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of everything that is computed."""
    return add(
        job_options(command),
        click.option(
            "--level",
            type=SHARE,
            default=0.95,
            show_default=True,
            help="Level of confidence.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Seed of everything random.",
        ),
    )


def input_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a command that reads a table and prints a result."""
    return table_options(run_options(json_option(command)))


def screen_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of what the screen shows."""
    return add(
        command,
        click.option(
            "--all", "everything", is_flag=True, help="Show everything: every model, every check."
        ),
        click.option(
            "--cite",
            type=click.Choice(FORMS),
            metavar="[text|markdown|latex]",
            help="Add a sentence for the methods and one for the results of a paper.",
        ),
    )


def add(command: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    """Apply click's decorators so that the help page keeps their order."""
    for option in reversed(options):
        command = option(command)
    return command


def load(options: dict[str, Any], *, unit: str = "frames", **reading: Any) -> Rounds:
    """Read the rounds that the options name, without models and the items that are excluded.

    `reading` goes to `read_rounds`.
    """
    return load_all(options, unit=unit, **reading).without_models()


def load_all(options: dict[str, Any], *, unit: str = "frames", **reading: Any) -> Rounds:
    """Read the rounds and the models that the options name, in one table."""
    if options["exclude"] or options["models"]:
        reading.setdefault("collapse", False)
    rounds = _read(options, unit, reading)
    return without(rounds, options["exclude"]) if options["exclude"] else rounds


def without(rounds: Labels, path: str) -> Labels:
    """Return the labels without the items that a table names, and say how many those are."""
    if rounds.items is None:
        raise AnnostatError("--exclude needs items, but the file was streamed into counts")
    left = rounds.take(rows_left(rounds.items, path))
    n = len(rounds.present) - len(left.present)
    if rounds.read is None or not n:
        return left
    read = replace(rounds.read, left_out={**rounds.read.left_out, "excluded": n})
    return replace(left, read=read)


def read_of(rounds: Rounds | Categories) -> Read | None:
    """Return what was read, with the items that results leave out."""
    return rounds.usable().read


def rows_left(items: Iterable[object], path: str) -> NDArray[np.int64]:
    """Return the positions of the items that a table does not name, and say how many it does.

    An item is named with or without the suffix of a video; "CLIP" also names "CLIP:FRAME".
    """
    import numpy as np

    from annostat.datasets.audit.prompts import read_item_column
    from annostat.datasets.video import without_suffix

    named = set(read_item_column(Path(path), "exclude"))
    clips = [without_suffix(str(item)) for item in items]
    kept = [c not in named and c.rsplit(":", 1)[0] not in named for c in clips]
    if not any(kept):
        raise AnnostatError(f"--exclude {path!r} leaves no item of {len(kept)}")
    found = {c for c in clips if c in named} | {c.rsplit(":", 1)[0] for c in clips} & named
    if named and not found:
        raise AnnostatError(f"--exclude {path!r} names no item of the table: {shown(named, 3)}")
    text = f"{len(kept) - sum(kept)} of {len(kept)} items excluded"
    if len(found) < len(named):
        text += f"; {len(named - found)} names of {path} match none: {shown(named - found, 3)}"
    beside(text)
    return np.flatnonzero(kept)


def _read(options: dict[str, Any], unit: str, reading: dict[str, Any]) -> Rounds:
    if options["example"]:
        if options["source"]:
            raise AnnostatError("give either ROUNDS or --example, not both")
        from annostat.datasets import lidc

        if options["example"] in RATINGS:
            raise AnnostatError(f"--example {options['example']} holds grades, for bounds")
        return lidc(EXAMPLES[options["example"]])
    if not options["source"]:
        raise AnnostatError("no input: give a table of rounds, or --example lidc")
    from annostat.tables.reading import read_rounds

    return read_rounds(
        options["source"],
        item=options["item"] or None,
        rounds=list(options["rounds"]) or None,
        rater=options["rater"],
        value=options["value"],
        models=options["models"],
        by=options["by"],
        period=column_or_number(options["period"]),
        fps=column_or_number(options["fps"]),
        length=column_or_number(options["length"]),
        cluster=options["cluster"],
        missing=options["missing"],
        tidy_names=options["tidy_names"],
        period_unit=options["period_unit"],
        unit=unit,
        **reading,
    )


def column_or_number(text: str | None) -> str | float | None:
    """Return a number if the text is one, else the name of a column."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def publish(
    results: dict[str, Any], options: dict[str, Any], *, by: str | None, read: Read | None = None
) -> None:
    """Print what was read and the results as text, or write them as JSON."""
    target = options["json_file"]
    if target:
        parts = {name: with_headline(result) for name, result in results.items()}
        shape = {"strata": parts} if by else parts[""]
        shape = {"read": None if read is None else read.to_dict(), **shape}
        text = json.dumps(shape, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        text = escaped(text)
        if target == "-":
            click.echo(text, nl=False)
            return
        from annostat.files import write_text

        write_text(target, text)
    width, everything = shutil.get_terminal_size((80, 24)).columns, options.get("everything", False)
    fit = width if has_width() else None
    form = options.get("cite")
    cited = {name: result.cite(form) for name, result in results.items()} if form else {}
    if read is not None:
        say("\n".join(read.lines(width)))
    for name, result in results.items():
        if by:
            click.echo(f"\n== {by}: {name} ==\n")
        elif read is not None and not result.answer():
            click.echo()
        say(result.to_text(width=fit, everything=everything))
        click.echo()
        if name in cited:
            click.echo(f"{cited[name]}\n")
    if any(result.answer() for result in results.values()):
        say("\n".join(hang("More", more(options), width)))


WORDS = re.compile(r"^(?:Read|Answer|Quote|Checks|More)(?=  )", re.MULTILINE)
FAILED, UNKNOWN = (re.compile(rf"^ *{mark}(?=  )", re.MULTILINE) for mark in ("!!", r"\?\?"))


def has_width() -> bool:
    """Return whether there is a screen to fit: a terminal, or COLUMNS; a file or pipe has none."""
    return "COLUMNS" in os.environ or sys.stdout.isatty()


def say(text: str) -> None:
    """Print text, the words in the gutter bold and marks coloured where a terminal has colours.

    NO_COLOR (not empty), TERM=dumb, a file or a pipe: none.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty():
        click.echo(text)
        return
    text = WORDS.sub(lambda found: click.style(found[0], bold=True), text)
    text = FAILED.sub(lambda found: click.style(found[0], fg="red", bold=True), text)
    click.echo(UNKNOWN.sub(lambda found: click.style(found[0], fg="yellow"), text))


# What a screen points to, in this order, where the command has it and it was not given.
MORE = {
    "readers": "--readers these|sample",
    "everything": "--all every model and check",
    "plot_file": "--plot FILE",
    "items_file": "--items FILE.csv",
    "report_file": "--report FILE.html",
    "cite": "--cite sentences for a paper",
    "json_file": "--json FILE",
    "by": "--by COLUMN",
}


def more(options: Mapping[str, Any]) -> str:
    """Return the options that show the rest; only those that this command has."""
    given = [text for name, text in MORE.items() if name in options and not options[name]]
    if options.get("readers") is not None:  # the default may be wanted otherwise
        given.insert(0, MORE["readers"])
    return " · ".join(text.replace(" ", HELD) for text in given)


def with_headline(result: Any) -> dict[str, Any]:
    """Return a result as plain data, with what is said and quoted first if it has a headline."""
    if not result.answer():
        found: dict[str, Any] = result.to_dict()
        return found
    return {"answer": result.answer(), "quote": result.quote(), **result.to_dict()}


def escaped(text: str) -> str:
    r"""Return JSON in which what a terminal obeys is written as \u009b."""
    return UNPRINTABLE.sub(
        lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text
    )


def each_stratum(
    strata: Iterable[tuple[str, Any]], compute: Callable[[str, Any], Any], by: str | None
) -> dict[str, Any]:
    """Return the result of each stratum; one that cannot be computed is reported and left out."""
    results: dict[str, Any] = {}
    left: dict[str, AnnostatError] = {}
    for name, part in strata:
        try:
            results[name] = compute(name, part)
        except AnnostatError as error:
            if not by:
                raise
            left[name] = error
    if len(left) > MOST_TOLD:
        (first, why), told = next(iter(left.items())), ", ".join(map(cut, [*left][:MOST_TOLD]))
        beside(f"{len(left):,} strata of {by} are left out ({told}, ...), {first} since {why}")
    else:
        for name, why in left.items():
            beside(f"{by} {name} is left out: {why}")
    if not results:
        raise AnnostatError(f"no {by} has a result: --by takes groups of many items")
    return results


def of_strata(path: str, results: Mapping[str, Any]) -> dict[str, Path]:
    """Return a path for each stratum: its name before the suffix, a number behind alike names."""
    target = Path(path)
    paths: dict[str, Path] = {}
    taken: set[str] = set()
    for name in results:
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
        for mark in ("", *map("-{}".format, range(2, len(results) + 2))):
            if f"{safe}{mark}".casefold() not in taken:  # some disks do not tell cases apart
                break
        taken.add(f"{safe}{mark}".casefold())
        paths[name] = (
            target.with_name(f"{target.stem}-{safe}{mark}{target.suffix}") if name else target
        )
    return paths


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress on standard error, if that is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:  # older releases of rich print an empty line even if disabled
        yield lambda done, total: None
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
