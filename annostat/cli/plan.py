"""`annostat plan`: how many double annotations are needed."""

from __future__ import annotations

from typing import Any

import click

from annostat.cli.common import Command, input_options, load, publish, read_of
from annostat.errors import AnnostatError


@click.command("plan", cls=Command)
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
    """
    from annostat.noise import NoiseModel, plan_rounds

    source: Any
    read = None
    if options["core"] is not None:
        if options["source"] or options["example"]:
            raise AnnostatError("give either pilot data or --core, not both")
        if options["mae"] is None:
            raise AnnostatError("--core needs --mae, the mean absolute error of one annotation")
        rate = options["abandonment_rate"]
        kind = "independent" if rate > 0 else "none"
        source = NoiseModel.with_mae(
            options["core"],
            options["mae"],
            abandonment=kind,
            abandonment_rate=rate,
            window=options["window"],
        )
    else:
        source = load(options)
        read = read_of(source)
        if options["by"]:
            raise AnnostatError("plan has no strata: leave out --by")
    result = plan_rounds(
        source,
        half_width=options["half_width"],
        level=options["level"],
        rng=options["seed"],
        n_jobs=options["n_jobs"],
    )
    publish({"": result}, options, by=None, read=read)
