"""`annostat fit-afd`: the noise of picked frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from annostat.cli.command import SEVERAL, Command
from annostat.cli.common import (
    each_stratum,
    input_options,
    load,
    of_strata,
    progress_bar,
    publish,
    read_of,
    screen_options,
)
from annostat.cli.pages import report_option, write_page
from annostat.errors import AnnostatError
from annostat.noise.abandonment import ABANDONMENT

if TYPE_CHECKING:
    from annostat.labels.rounds import Rounds
    from annostat.noise import NoiseComparison


class FitCommand(Command):
    """A command whose option --core takes as many values as follow it, too."""

    several = (*SEVERAL, "--core")


@click.command("fit-afd", cls=FitCommand)
@screen_options
@input_options
@click.option(
    "--core",
    "cores",
    default=("all",),
    show_default=True,
    multiple=True,
    metavar="NAME ...",
    help="Families of the core of the noise; all of them by default.",
)
@click.option(
    "--abandonment",
    type=click.Choice([*ABANDONMENT, "all"]),
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
    "--by-rater",
    is_flag=True,
    help="Take each rater's bias away, and say what holds against whose label.",
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
@report_option
@click.pass_context
def fit_afd(ctx: click.Context, /, **options: Any) -> None:
    """Fit the noise of picked frames, and say how good any model can look against them.

    ROUNDS is a table (CSV, TSV, Parquet) with two or more rounds of whole-number picks of the
    same items.
    """
    from annostat.noise.ahead import compiled_ahead

    with compiled_ahead() as compiled:
        from annostat.noise import compare_noise

        rounds = load(options)
        compiled()
    window = options["window"]
    if window not in ("auto", "length"):
        if not window.isdecimal():
            raise AnnostatError(f"--window must be auto, length or a whole number, got {window!r}")
        window = int(window)
    if options["items_file"] and rounds.items is None:
        raise AnnostatError("--items needs items, but the file was streamed into counts")
    physical = bool(options["period"] or options["fps"])

    def compute(name: str, part: Rounds) -> NoiseComparison:
        with progress_bar(name or "fitting") as progress:
            return compare_noise(
                part,
                cores="all" if options["cores"] == ("all",) else options["cores"],
                abandonment=options["abandonment"],
                window=window,
                physical=physical,
                by_rater=options["by_rater"],
                ci=options["ci"],
                level=options["level"],
                n_resamples=options["resamples"] or 2000,
                n_tests=options["resamples"] or 199,
                rng=options["seed"],
                n_jobs=options["n_jobs"],
                progress=progress,
            )

    strata = rounds.strata()
    results = each_stratum(strata.items(), compute, options["by"])
    if options["plot_file"]:
        from annostat.plotting import plot_noise, save_figure

        for name, result in results.items():
            save_figure(plot_noise(result), of_strata(options["plot_file"], results)[name])
    if options["items_file"]:
        for name, result in results.items():
            giving_up = next((f for f in result.fits if f.model.way.rated), None)
            if giving_up is None:
                raise AnnostatError("--items needs a model with abandonment")
            from annostat.files import write_text

            table = giving_up.abandonment_posterior()
            part = strata[name]
            if options["by_rater"] and part.items is not None:
                # The picks as they were given, not less the raters' biases.
                rows = {item: i for i, item in enumerate(part.items)}
                table[list(part.names)] = part.values[[rows[item] for item in table["item"]]]
            text = table.to_csv(index=False, lineterminator="\n")
            write_text(of_strata(options["items_file"], results)[name], text)
    write_page(ctx, options["report_file"], results, read_of(rounds), "The noise of picks")
    publish(results, options, by=options["by"], read=read_of(rounds))
