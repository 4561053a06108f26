"""`annostat merge`: one label for each item from those of several annotators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from annostat.cli.categories import class_options, load_categories, positive_of
from annostat.cli.command import Command
from annostat.cli.common import (
    add,
    by_option,
    cluster_option,
    each_stratum,
    exclude_option,
    item_option,
    json_option,
    missing_option,
    of_strata,
    publish,
    run_options,
    screen_options,
    tidy_names_option,
)
from annostat.cli.pages import report_option, write_page
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from annostat.labels.categories import Categories


def merge_options(command: Any) -> Any:
    """Add the options of a table of categories, and of its merged labels."""
    return add(
        run_options(command),
        click.argument("source", metavar="TABLE", required=False),
        click.option(
            "--example",
            type=click.Choice(["lidc-malignancy", "lidc-texture", "vader"]),
            help="Bundled data instead.",
        ),
        click.option(
            "--method",
            type=click.Choice(["majority", "dawid-skene"]),
            default="majority",
            show_default=True,
            help="The most frequent label, or the most probable one by Dawid and Skene's model.",
        ),
        item_option,
        click.option(
            "--rounds", metavar="A B ...", multiple=True, help="Columns of the annotators."
        ),
        click.option("--rater", metavar="C", help="Column of the rater (long table)."),
        click.option("--value", metavar="C", help="Column of the label (long table)."),
        by_option,
        cluster_option,
        missing_option,
        tidy_names_option,
        exclude_option,
        class_options,
        click.option("--exchangeable", is_flag=True, help="Annotators have no identity."),
        json_option,
        click.option(
            "--items", "items_file", metavar="FILE.csv", help="Write the label of each item."
        ),
        click.option(
            "--plot", "plot_file", metavar="FILE", help="Draw who confuses what (png, svg, pdf)."
        ),
    )


@click.command("merge", cls=Command)
@screen_options
@merge_options
@report_option
@click.pass_context
def merge(ctx: click.Context, /, **options: Any) -> None:
    """Merge the labels of several annotators into one for each item.

    TABLE holds categories or grades: a column for each annotator, a row for each label, or counts
    of each class. `dawid-skene` says how good each annotator is too, and what it presumes.
    """
    from annostat.consensus import merge_categories

    labels = load_categories({**options, "kind": "categories", "models": ()})
    positive = positive_of(options)

    def compute(name: str, part: Categories) -> Any:
        used = part if positive is None else part.binary(positive)
        return merge_categories(used, method=options["method"], level=options["level"])

    if options["plot_file"] and options["method"] != "dawid-skene":
        raise AnnostatError("--plot draws each annotator's quality: take --method dawid-skene")
    results = each_stratum(labels.strata().items(), compute, options["by"])
    if options["items_file"]:
        from annostat.files import write_text

        for name, target in of_strata(options["items_file"], results).items():
            text = results[name].to_frame().to_csv(index=False, lineterminator="\n")
            write_text(target, text)
    if options["plot_file"]:
        from annostat.plotting import save_figure

        for name, target in of_strata(options["plot_file"], results).items():
            save_figure(results[name].plot(), target)
    write_page(ctx, options["report_file"], results, labels.read, "One label for each item")
    publish(results, options, by=options["by"], read=labels.read)
