"""`annostat points`: how near any model can come to the points of one reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from annostat.cli.command import Command
from annostat.cli.common import (
    add,
    by_option,
    cluster_option,
    column_or_number,
    each_stratum,
    exclude_option,
    item_option,
    json_option,
    missing_option,
    publish,
    run_options,
    screen_options,
    without,
)
from annostat.cli.pages import report_option, write_page
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    from annostat.labels.points import Points


def readers_options(command: Any) -> Any:
    """Add the options of a long table of what readers marked."""
    return add(
        command,
        item_option,
        click.option("--rater", metavar="C", help="Column of the reader."),
        click.option(
            "--rounds", metavar="A B ...", multiple=True, help="Readers that count; all by default."
        ),
        click.option(
            "--model",
            "models",
            metavar="M ...",
            multiple=True,
            help="Readers that are models, and are scored.",
        ),
        cluster_option,
        missing_option,
        exclude_option,
        click.option("--exchangeable", is_flag=True, help="Readers have no identity."),
        json_option,
        click.option(
            "--plot", "plot_file", metavar="FILE", help="Draw the result (png, svg, pdf)."
        ),
    )


TITLE = "Points of several readers"


@click.command("points", cls=Command)
@screen_options
@run_options
@click.argument("source", metavar="TABLE", required=False)
@click.option("--example", type=click.Choice(["lidc-centres"]), help="Bundled data instead.")
@click.option("--landmark", metavar="C", help="Column of the landmark.")
@click.option("--coordinates", metavar="X,Y[,Z]", help="Columns of the coordinates.")
@click.option(
    "--spacing",
    metavar="S[,S...]",
    help="Size of a pixel: numbers or columns, for all axes or each.",
)
@click.option("--size", metavar="W,H[,D]", help="Size of the images: points outside are refused.")
@click.option("--unit", default="", metavar="TEXT", help="Unit of the coordinates.")
@by_option
@click.option(
    "--threshold",
    "thresholds",
    type=float,
    metavar="T",
    multiple=True,
    help="Distance within which a point counts as found; may be given again.",
)
@click.option(
    "--oks",
    metavar="K",
    help="Ceiling of OKS: a constant, 'coco', or name=k,name=k; with --scale.",
)
@click.option("--scale", metavar="C", help="Size of the object, √area: a column or a number.")
@click.option(
    "--length",
    "lengths",
    metavar="A:B",
    multiple=True,
    help="Noise of the distance between two landmarks; may be given again.",
)
@click.option("--mre", type=float, metavar="X", help="Published mean distance of two readers.")
@click.option("--sd", type=float, metavar="X", help="SD of that distance.")
@click.option("--n", type=int, metavar="N", help="Items behind --mre.")
@readers_options
@report_option
@click.pass_context
def points(ctx: click.Context, /, **options: Any) -> None:
    """Say how near any model can come to the points of one reader.

    TABLE is long: one row for each point, with columns of the item, the reader, the landmark (if
    there are several), and x, y, or x, y, z.
    """
    from annostat.ceilings import point_bounds, published_points

    if options["mre"] is not None:
        if options["source"] or options["example"]:
            raise AnnostatError("give either TABLE (or --example) or --mre, not both")
        given = [n for n in ("plot_file", "lengths", "thresholds", "oks", "models") if options[n]]
        if given:
            flag = given[0].removesuffix("_file").removesuffix("s")
            raise AnnostatError(f"--{flag.replace('ok', 'oks')} needs points: --mre is a number")
        found = published_points(
            mre=options["mre"],
            sd=options["sd"],
            n=options["n"],
            unit=options["unit"],
            level=options["level"],
        )
        write_page(ctx, options["report_file"], {"": found}, None, TITLE)
        publish({"": found}, options, by=None)
        return
    labels = load(options)

    if labels.models:
        from annostat.truth import score_points

    asked: dict[str, Any] = {
        "thresholds": options["thresholds"] or None,
        "oks": constants_of(options["oks"]),
        "lengths": [ends_of(text) for text in options["lengths"]],
        "level": options["level"],
        "rng": options["seed"],
    }

    def compute(name: str, part: Points) -> Any:
        return (score_points if part.models else point_bounds)(part, **asked)

    results = each_stratum(labels.strata().items(), compute, options["by"])
    if options["plot_file"]:
        draw(results, options["plot_file"])
    write_page(ctx, options["report_file"], results, labels.read, TITLE)
    publish(results, options, by=options["by"], read=labels.read)


def load(options: dict[str, Any]) -> Points:
    """Read the points that the options name."""
    if options["example"]:
        if options["source"]:
            raise AnnostatError("give either TABLE or --example, not both")
        from annostat.datasets import lidc_centres

        return lidc_centres()
    if not options["source"]:
        raise AnnostatError("no input: give a table of points, or --example lidc-centres")
    from annostat.tables import read_points

    found = read_points(
        options["source"],
        item=options["item"] or None,
        rater=options["rater"],
        landmark=options["landmark"],
        coordinates=listed(options["coordinates"]),
        spacing=spacing_of(options["spacing"]),
        size=numbers_of("--size", options["size"]),
        scale=None if options["scale"] is None else column_or_number(options["scale"]),
        rounds=list(options["rounds"]) or None,
        models=options["models"],
        by=options["by"],
        cluster=options["cluster"],
        missing=options["missing"],
        unit=options["unit"],
        exchangeable=options["exchangeable"],
    )
    return without(found, options["exclude"]) if options["exclude"] else found


def draw(results: dict[str, Any], path: str) -> None:
    """Draw success rates and, in two dimensions, ellipses."""
    from annostat.cli.common import of_strata
    from annostat.plotting import plot_ellipses, plot_success, save_figure
    from annostat.plotting.figures import new_figure

    for name, target in of_strata(path, results).items():
        noise = getattr(results[name], "bounds", results[name])
        flat = any(len(e.covariance) == 2 for e in noise.ellipses)
        figure, ax = new_figure((7.2, 3.6) if flat else (4.4, 3.6))
        if flat:
            ax.remove()
            first, second = figure.subplots(1, 2)
            plot_success(results[name], ax=first)
            plot_ellipses(noise, ax=second)
        else:
            plot_success(results[name], ax=ax)
        save_figure(figure, target)


def listed(text: str | None) -> list[str] | None:
    """Return the names of a list with commas."""
    return [part.strip() for part in text.split(",")] if text else None


def constants_of(text: str | None) -> Any:
    """Return what --oks says: a number, a name, or constants by landmark."""
    if text is None or "=" not in text:
        return None if text is None else column_or_number(text)
    found = {}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise AnnostatError(
                f"--oks must be a number, 'coco', or such as left=0.1,right=0.1, got {part!r}"
            ) from None
    return found


def ends_of(text: str) -> tuple[str, str]:
    """Return the two landmarks of --length."""
    first, colon, second = (part.strip() for part in text.partition(":"))
    if not (first and colon and second):
        raise AnnostatError(f"--length must name two landmarks, such as apex:base, got {text!r}")
    return first, second


def spacing_of(text: str | None) -> Any:
    """Return numbers and columns of a list with commas."""
    parts = listed(text)
    return None if parts is None else [column_or_number(p) for p in parts]


def numbers_of(flag: str, text: str | None) -> list[float] | None:
    """Return the numbers of a list with commas."""
    try:
        return None if not text else [float(part) for part in text.split(",")]
    except ValueError:
        raise AnnostatError(f"{flag} must be numbers, such as 512,512, got {text!r}") from None
