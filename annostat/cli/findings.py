"""`annostat findings`: how good any detector can look against the marks of one reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from annostat.cli.command import Command
from annostat.cli.common import (
    by_option,
    each_stratum,
    of_strata,
    publish,
    run_options,
    screen_options,
    without,
)
from annostat.cli.pages import report_option, write_page
from annostat.cli.points import listed, numbers_of, readers_options
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from annostat.labels.findings import Findings


@click.command("findings", cls=Command)
@screen_options
@run_options
@click.argument("sources", metavar="TABLE ...", nargs=-1)
@click.option("--example", type=click.Choice(["lidc-findings"]), help="Bundled data instead.")
@click.option(
    "--match",
    metavar="RULE",
    help="When marks are one finding: 'iou 0.5' (boxes), 'overlap 0.2' (intervals), 'distance 5'.",
)
@click.option("--seen", metavar="FILE", help="Images that readers saw, so that empty ones count.")
@click.option(
    "--kind", type=click.Choice(["box", "interval", "point", "mask"]), help="What a mark is."
)
@click.option(
    "--geometry", metavar="C,C...", help="Columns of the marks: x1,y1,x2,y2 or start,end."
)
@click.option("--sizes", is_flag=True, help="The last half of --geometry is a size, or a duration.")
@click.option("--score", metavar="C", help="Column of a model's scores: its FROC beside the best.")
@click.option("--cut", type=float, metavar="T", help="Leave out a model's marks that score less.")
@click.option("--classes", metavar="C", help="Column of the class: other classes never match.")
@by_option
@click.option(
    "--froc",
    metavar="S,S...",
    multiple=True,
    default=("0.125,0.5,1,2",),
    show_default=True,
    help="False positives per image at which the best sensitivity is sought; none: no FROC.",
)
@readers_options
@report_option
@click.pass_context
def findings(ctx: click.Context, /, **options: Any) -> None:
    """Say how good any detector can look against the marks of one reader.

    TABLE is long: one row for each mark, with columns of the image, the reader, and a box (x1, y1,
    x2, y2), an interval (start, end) or a point (x, y). A row without a mark: seen, and empty.
    Several tables are one for each reader, and so is COCO JSON, or a field names the reader.
    """
    from annostat.ceilings import finding_bounds

    labels = load(options)
    if options["example"] and options["match"] is None:
        from annostat.datasets.marks import SAME_NODULE

        options["match"] = f"distance {SAME_NODULE:g}"
    if options["cut"] is not None:
        labels = labels.cut(options["cut"])
    asked = options["froc"]
    none = any(text.strip().lower() == "none" for text in asked)
    rates: tuple[float, ...] = ()
    if not none:
        rates = tuple(s for text in asked for s in numbers_of("--froc", text) or ())

    if labels.models:
        from annostat.truth import score_findings

    def compute(name: str, part: Findings) -> Any:
        held = score_findings if part.models else finding_bounds
        return held(part, options["match"], false_positives=rates, level=options["level"])

    results = each_stratum(labels.strata().items(), compute, options["by"])
    if options["plot_file"]:
        draw(results, options["plot_file"])
    write_page(ctx, options["report_file"], results, labels.read, "Marks of several readers")
    publish(results, options, by=options["by"], read=labels.read)


def load(options: dict[str, Any]) -> Findings:
    """Read the findings that the options name."""
    if options["example"]:
        if options["sources"]:
            raise AnnostatError("give either TABLE or --example, not both")
        from annostat.datasets import lidc_findings

        return lidc_findings()
    if not options["sources"]:
        raise AnnostatError("no input: give a table of marks, or --example lidc-findings")
    from annostat.tables import read_findings

    found = read_findings(
        list(options["sources"]),
        item=options["item"] or None,
        rater=options["rater"],
        kind=options["kind"],
        geometry=listed(options["geometry"]),
        size=True if options["sizes"] else None,
        classes=options["classes"],
        score=options["score"],
        seen=options["seen"],
        rounds=list(options["rounds"]) or None,
        models=options["models"],
        by=options["by"],
        cluster=options["cluster"],
        missing=options["missing"],
        exchangeable=options["exchangeable"],
    )
    return without(found, options["exclude"]) if options["exclude"] else found


def draw(results: dict[str, Any], path: str) -> None:
    """Draw who marked what and the FROC, side by side."""
    from annostat.plotting import plot_findings, plot_froc, save_figure
    from annostat.plotting.figures import new_figure

    for name, target in of_strata(path, results).items():
        figure, ax = new_figure((7.2, 3.4))
        ax.remove()
        first, second = figure.subplots(1, 2)
        plot_findings(getattr(results[name], "bounds", results[name]), ax=first)
        plot_froc(results[name], ax=second)
        save_figure(figure, target)
