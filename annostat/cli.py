"""The command line: parse, call, print."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from annostat._version import __version__
from annostat.errors import AnnostatError, AnnostatWarning

EXAMPLES = ("lidc", "lidc-first", "lidc-last")
ABANDONMENT = ("none", "independent", "shared", "all")


class Command(click.Command):
    """A command whose option --rounds takes as many values as follow it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Turn ``--rounds A B`` into ``--rounds A --rounds B`` before click parses it."""
        spread: list[str] = []
        rest = iter(range(len(args)))
        for i in rest:
            if args[i] != "--rounds":
                spread.append(args[i])
                continue
            values: list[str] = []
            while i + 1 + len(values) < len(args) and not args[i + 1 + len(values)].startswith(
                "--"
            ):
                values.append(args[i + 1 + len(values)])
                next(rest)
            if not values:
                raise click.UsageError("--rounds needs the names of two or more columns", ctx)
            has_input = any(not a.startswith("-") for a in spread[:1]) or "--example" in args
            if not has_input and len(values) > 2 and Path(values[-1]).is_file():
                spread.append(values.pop())
            for value in values:
                spread += ["--rounds", value]
        return super().parse_args(ctx, spread)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="annostat")
def cli() -> None:
    """Say how noisy annotations are, and how good any model can look against them."""


def input_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what is in the table."""
    for option in reversed(
        [
            click.argument("source", metavar="ROUNDS", required=False),
            click.option("--example", type=click.Choice(EXAMPLES), help="Bundled data instead."),
            click.option("--item", metavar="C", help="Column of the item identifiers."),
            click.option("--rounds", "rounds", metavar="A B ...", multiple=True,
                         help="Columns of the rounds of a wide table."),
            click.option("--rater", metavar="C", help="Column of the rater (long table)."),
            click.option("--value", metavar="C", help="Column of the annotation (long table)."),
            click.option("--by", metavar="C", help="Column of a stratum: one result for each."),
            click.option("--period", metavar="C",
                         help="Column or number: duration of a frame, spacing of a slice."),
            click.option("--fps", metavar="C", help="Column or number: frames per second."),
            click.option("--length", metavar="C", help="Column or number: frames of the clip."),
            click.option("--cluster", metavar="C", help="Column of the cluster (patient)."),
            click.option("--level", type=float, default=0.95, show_default=True,
                         help="Level of confidence."),
            click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
                         help="Seed of everything random."),
            click.option("--n-jobs", type=int, default=-1, show_default=True,
                         help="Workers; -1 for all cores."),
            click.option("--json", "json_file", metavar="FILE|-", help="Write the result as JSON."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


@cli.command("fit-afd", cls=Command)
@input_options
@click.option(
    "--core",
    default="all",
    show_default=True,
    metavar="NAME|all",
    help="Family of the core of the noise.",
)
@click.option(
    "--abandonment",
    type=click.Choice(ABANDONMENT),
    default="all",
    show_default=True,
    help="How annotators give up.",
)
@click.option(
    "--window",
    default="auto",
    show_default=True,
    metavar="auto|length|N",
    help="Half-width of an abandoned pick; 'length' uses each clip's own.",
)
@click.option(
    "--ci",
    type=click.Choice(["profile", "bootstrap"]),
    default="profile",
    show_default=True,
    help="Kind of interval.",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Bootstrap resamples (2000) and simulated sets of each test (199).",
)
@click.option("--plot", "plot_file", metavar="FILE", help="Draw the fit (png, svg, pdf).")
@click.option(
    "--items",
    "items_file",
    metavar="FILE.csv",
    help="Rank the items by the probability that somebody gave up.",
)
def fit_afd(**options: Any) -> None:
    """Fit the noise of picked frames, and say how good any model can look against them.

    ROUNDS is a table (CSV, TSV, Parquet) with two or more rounds of whole-number picks of the
    same items.
    """  # fmt: skip
    from annostat.noise import compare_noise

    rounds = load(options)
    window = options["window"]
    if window not in ("auto", "length"):
        if not window.isdecimal():
            raise AnnostatError(f"--window must be auto, length or a whole number, got {window!r}")
        window = int(window)
    if options["items_file"] and rounds.items is None:
        raise AnnostatError("--items needs items, but the file was streamed into counts")
    physical = bool(options["period"] or options["fps"])
    results = {}
    strata = rounds.strata()
    for name, part in strata.items():
        with progress_bar(name or "fitting") as progress:
            results[name] = compare_noise(
                part,
                cores=options["core"],
                abandonment=options["abandonment"],
                window=window,
                physical=physical,
                ci=options["ci"],
                level=options["level"],
                n_resamples=options["resamples"] or 2000,
                n_tests=options["resamples"] or 199,
                rng=options["seed"],
                n_jobs=options["n_jobs"],
                progress=progress,
            )
    publish(results, options, by=options["by"])
    if options["plot_file"]:
        from annostat.plotting import plot_noise, save_figure

        for name, result in results.items():
            save_figure(plot_noise(result), with_stratum(options["plot_file"], name))
    if options["items_file"]:
        import io

        for name, result in results.items():
            giving_up = next((f for f in result.fits if f.model.abandonment != "none"), None)
            if giving_up is None:
                raise AnnostatError("--items needs a model with abandonment")
            from annostat.files import write_text

            text = io.StringIO()
            giving_up.abandonment_posterior().to_csv(text, index=False)
            write_text(with_stratum(options["items_file"], name), text.getvalue())


@cli.command("plan", cls=Command)
@input_options
@click.option(
    "--half-width",
    type=float,
    default=0.05,
    show_default=True,
    help="Wanted half-width of the interval of the mae, relative to the mae.",
)
@click.option("--core", metavar="NAME", help="Plan from a law instead of pilot data.")
@click.option("--mae", type=float, metavar="X", help="E|X| of that law, in frames.")
@click.option(
    "--abandonment-rate",
    type=float,
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
def plan(**options: Any) -> None:
    """Say how many double annotations a wanted width of the interval of the mae needs.

    ROUNDS is a table of pilot data; without it, name a law by --core and --mae.
    """  # fmt: skip
    from annostat.noise import NoiseModel, plan_rounds

    source: Any
    if options["core"] is not None:
        if options["source"] or options["example"]:
            raise AnnostatError("give either pilot data or --core, not both")
        if options["mae"] is None:
            raise AnnostatError("--core needs --mae, the mean absolute error of one annotation")
        rate = options["abandonment_rate"]
        kind = "independent" if rate > 0 else "none"
        source = NoiseModel.with_mae(
            options["core"], options["mae"], abandonment=kind, abandonment_rate=rate,
            window=options["window"],
        )  # fmt: skip
    else:
        source = load(options)
        if options["by"]:
            raise AnnostatError("plan has no strata: leave out --by")
    result = plan_rounds(
        source,
        half_width=options["half_width"],
        level=options["level"],
        rng=options["seed"],
        n_jobs=options["n_jobs"],
    )
    publish({"": result}, options, by=None)


def load(options: dict[str, Any]) -> Any:
    """Read the rounds that the options name."""
    if options["example"]:
        if options["source"]:
            raise AnnostatError("give either ROUNDS or --example, not both")
        from annostat.datasets import lidc

        part = {"lidc": "largest_slice", "lidc-first": "first_slice", "lidc-last": "last_slice"}
        return lidc(part[options["example"]])
    if not options["source"]:
        raise AnnostatError("no input: give a table of rounds, or --example lidc")
    from annostat.rounds import read_rounds

    return read_rounds(
        options["source"],
        item=options["item"],
        rounds=list(options["rounds"]) or None,
        rater=options["rater"],
        value=options["value"],
        by=options["by"],
        period=column_or_number(options["period"]),
        fps=column_or_number(options["fps"]),
        length=column_or_number(options["length"]),
        cluster=options["cluster"],
        unit="frames",
    )


def column_or_number(text: str | None) -> str | float | None:
    """Return a number if the text is one, else the name of a column."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def publish(results: dict[str, Any], options: dict[str, Any], *, by: str | None) -> None:
    """Print the results as text, or write them as JSON."""
    target = options["json_file"]
    if target:
        parts = {name: result.to_dict() for name, result in results.items()}
        shape = {"strata": parts} if by else parts[""]
        text = json.dumps(shape, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        if target == "-":
            click.echo(text, nl=False)
            return
        from annostat.files import write_text

        write_text(target, text)
    for name, result in results.items():
        if by:
            click.echo(f"== {by}: {name} ==\n")
        click.echo(str(result))
        click.echo()


def with_stratum(path: str, name: str) -> Path:
    """Return the path with the stratum's name before its suffix."""
    target = Path(path)
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    return target.with_name(f"{target.stem}-{safe}{target.suffix}") if name else target


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; errors become one line and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    warnings.simplefilter("default", AnnostatWarning)
    warnings.showwarning = lambda message, *_: click.echo(f"annostat: warning: {message}", err=True)
    try:
        cli.main(args=None if args is None else list(args), prog_name="annostat",
                 standalone_mode=False)  # fmt: skip
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        click.echo("annostat: stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        click.echo(f"annostat: error: {error.format_message()}", err=True)
        sys.exit(2)
    except AnnostatError as error:
        click.echo(f"annostat: error: {error}", err=True)
        sys.exit(2)
    except MemoryError:
        click.echo("annostat: error: not enough memory for this input", err=True)
        sys.exit(2)
