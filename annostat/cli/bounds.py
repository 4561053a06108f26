"""`annostat bounds`: floors and ceilings of a perfect model, for values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from annostat.agreement.conventions import CONVENTIONS, INTERVALS
from annostat.cli.categories import (
    category_options,
    category_results,
    draw_categories,
    is_of_categories,
    load_categories,
    published_result,
)
from annostat.cli.command import Command
from annostat.cli.common import (
    each_stratum,
    input_options,
    load,
    of_strata,
    progress_bar,
    publish,
    read_of,
    screen_options,
    value_options,
)
from annostat.cli.pages import report_option, write_page
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from annostat.labels.rounds import Rounds


TITLE = "How good any model can look"


@click.command("bounds", cls=Command)
@screen_options
@input_options
@value_options
@category_options
@click.option(
    "--mean-of",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="M",
    help="Annotations that a test label is the mean of.",
)
@click.option(
    "--sd-of-labels",
    type=float,
    metavar="X",
    help="SD of one annotation's labels in another population: ceilings there.",
)
@click.option(
    "--interval",
    type=click.Choice(INTERVALS),
    default="auto",
    show_default=True,
    help="Interval of the SD; auto: log-t below 30 items, then bootstrap-t.",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=100),
    default=2000,
    show_default=True,
    metavar="N",
    help="Bootstrap resamples.",
)
@click.option("--sd", type=float, metavar="X", help="Published SD, instead of ROUNDS.")
@click.option(
    "--convention",
    type=click.Choice(list(CONVENTIONS)),
    help="What the published numbers are of; without it all readings are shown.",
)
@click.option("--correlation", type=float, metavar="R", help="Published correlation of sessions.")
@click.option("--n", type=int, metavar="N", help="Items behind the published numbers.")
@click.option(
    "--sessions",
    type=click.IntRange(min=2),
    default=2,
    show_default=True,
    metavar="K",
    help="Sessions behind the published numbers.",
)
@click.option("--kurtosis", type=float, metavar="X", help="Kurtosis of published differences.")
@click.option("--score-rmse", type=float, metavar="X", help="A model's reported RMSE: possible?")
@click.option("--score-correlation", type=float, metavar="R", help="Its reported correlation.")
@click.option("--score-n", type=int, metavar="N", help="Items that it was scored on.")
@click.option(
    "--score-kurtosis",
    type=float,
    default=3.0,
    show_default=True,
    metavar="X",
    help="Kurtosis of its errors.",
)
@click.option(
    "--plot",
    "plot_file",
    metavar="FILE",
    help="Draw the differences, or deviations from the mean, with their limits, and the noise by "
    "the value where it grows (png, svg, pdf).",
)
@report_option
@click.pass_context
def bounds(ctx: click.Context, /, **options: Any) -> None:
    """Say how good any model can look against noisy labels: values, categories, grades.

    ROUNDS is a table (CSV, TSV, Parquet) with two or more rounds of annotation of the same items.
    Published numbers will do instead: --sd, --correlation and --n of values; --kappa, --f1 or
    --agreement of categories.
    """
    if is_of_categories(options):
        _of_categories(ctx, options)
        return
    summary = options["sd"] is not None or options["correlation"] is not None
    read = None
    if summary:
        results = {"": _from_summary(options)}
    else:
        given = [
            f"--{k.replace('_', '-')}"
            for k in ("convention", "n", "kurtosis", "score_rmse", "score_correlation", "score_n")
            if options[k] is not None
        ]
        if given:
            raise AnnostatError(
                f"{given[0]} goes with published numbers: give --sd or --correlation"
            )
        rounds = _rounds(options)
        read = read_of(rounds)
        results = _from_rounds(rounds, options)
    if options["sd_of_labels"] is not None:
        results = {k: b.at(sd_of_labels=options["sd_of_labels"]) for k, b in results.items()}
    if options["plot_file"]:
        from annostat.plotting import plot_bounds, save_figure

        for name, result in results.items():
            figure = result.plot() if summary else plot_bounds(result)
            save_figure(figure, of_strata(options["plot_file"], results)[name])
    write_page(ctx, options["report_file"], results, read, TITLE)
    publish(results, options, by=None if summary else options["by"], read=read)


def _of_categories(ctx: click.Context, options: dict[str, Any]) -> None:
    published = published_result(options)
    if published is not None:
        results, read = {"": published}, None
    else:
        labels = load_categories(options)
        results, read = category_results(options, labels), read_of(labels.without_models())
        if options["plot_file"]:
            draw_categories(results, labels, options)
    write_page(ctx, options["report_file"], results, read, TITLE)
    publish(results, options, by=None if published else options["by"], read=read)


def _rounds(options: dict[str, Any]) -> Rounds:
    unit: dict[str, Any] = {"unit": options["unit"], "exchangeable": options["exchangeable"]}
    return load(options, collapse=False, **unit)


def _from_rounds(rounds: Rounds, options: dict[str, Any]) -> dict[str, Any]:
    from annostat.ceilings import bounds as bounds_of

    def compute(name: str, part: Rounds) -> Any:
        with progress_bar(name or "bounds") as progress:
            return bounds_of(
                part,
                m=options["mean_of"],
                interval=options["interval"],
                level=options["level"],
                n_resamples=options["resamples"],
                rng=options["seed"],
                n_jobs=options["n_jobs"],
                progress=progress,
            )

    return each_stratum(rounds.strata().items(), compute, options["by"])


def _from_summary(options: dict[str, Any]) -> Any:
    from annostat.ceilings import bounds_from_summary, compare_published
    from annostat.ceilings.published import Judged

    if options["source"] or options["example"]:
        raise AnnostatError("give either ROUNDS (or --example) or published numbers, not both")
    known = {
        "sd": options["sd"],
        "convention": options["convention"],
        "n": options["n"],
        "correlation": options["correlation"],
        "n_rounds": options["sessions"],
        "m": options["mean_of"],
        "level": options["level"],
    }
    found = bounds_from_summary(**known, kurtosis=options["kurtosis"], unit=options["unit"])
    if options["score_rmse"] is None and options["score_correlation"] is None:
        return found
    if options["n"] is None or options["score_n"] is None:
        raise AnnostatError("a reported score needs --score-n, and --n of the published agreement")
    kurtosis = options["kurtosis"]
    published = compare_published(
        score_rmse=options["score_rmse"],
        score_correlation=options["score_correlation"],
        score_n=options["score_n"],
        score_kurtosis=options["score_kurtosis"],
        kurtosis=3.0 if kurtosis is None else kurtosis,
        **known,
    )
    return Judged(found, published)
