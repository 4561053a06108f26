"""What suites of calibration share: repetitions of designs, and the command that runs them."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import click
import numpy as np
import pandas as pd

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, Suite
from annostat import AnnostatWarning
from annostat.resampling import spawn

Suites = Mapping[str, tuple[Suite, list[Design]]]


def run_suite(
    suites: Suites, suite: str, design: Design, repetitions: int, *, seed: int
) -> list[dict[str, object]]:
    """Return one row for each interval and test of a suite on one design."""
    rows = outcomes_of(suites[suite][0], design, repetitions, seed=seed)
    return [
        {
            "suite": suite,
            "what": what,
            "n": design.n,
            "law": design.law,
            "rounds": design.rounds,
            "missing": design.missing,
            "cluster_size": design.cluster_size,
            "repetitions": len(seen),
            "rate": round(float(np.mean([o.hit for o in seen])), 4),
            "relative_width": width(seen),
            **unwarned(seen),
        }
        for what, seen in rows.items()
    ]


def width(seen: Sequence[Outcome]) -> float:
    """Return the median width of the intervals that are printed; NaN where there is none."""
    widths = [o.width for o in seen if o.printed]
    return round(float(np.median(widths)), 4) if widths else math.nan


def unwarned(seen: Sequence[Outcome]) -> dict[str, float]:
    """Return in which share of sets an interval stands without a warning, and its rate there."""
    clear = [o.hit for o in seen if o.printed and not o.warned]
    return {
        "clear": round(len(clear) / len(seen), 4),
        "rate_clear": round(float(np.mean(clear)), 4) if clear else math.nan,
    }


def run_suites(
    suites: Suites,
    names: Sequence[str],
    quick: bool,
    repetitions: int,
    seed: int,
    *,
    every: int = 13,
    run: Callable[..., list[dict[str, object]]] | None = None,
) -> Iterator[list[dict[str, object]]]:
    """Run the suites that are named, or all of them; print and yield the rows of each design.

    A quick run has five repetitions of every 13th design, or as `every` says. `run` takes the place
    of `run_suite`: suite, design, repetitions and seed.
    """
    one = run or functools.partial(run_suite, suites)
    for suite in names or suites:
        for design in suites[suite][1][:: every if quick else 1]:
            rows = one(suite, design, 5 if quick else repetitions, seed=seed)
            click.echo(f"{suite}: {design}")
            for row in rows:
                line = f"  {row['what']:44s}{row['rate']:7.3f}  ({row['relative_width']})"
                if "clear" in row:
                    line += f"  clear {row['clear']:.2f}: {row['rate_clear']:.3f}"
                click.echo(line)
            yield rows


def outcomes_of(
    judge: Suite, design: Design, repetitions: int, *, seed: int
) -> dict[str, list[Outcome]]:
    """Return what sets of a design say, by interval and test."""
    found: dict[str, list[Outcome]] = {}
    for rng in spawn(seed, repetitions):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnnostatWarning)
            for what, outcome in judge(design, rng).items():
                found.setdefault(what, []).append(outcome)
    return found


def command_of(suites: Suites, *, every: int = 13) -> click.Command:
    """Return the command that runs suites: names, --quick, --repetitions, --seed, --out.

    `every` is how many designs a quick run goes on by.
    """

    @click.command()
    @click.argument("names", nargs=-1, type=click.Choice(list(suites)), metavar="[SUITE] ...")
    @click.option("--quick", is_flag=True, help=f"Few repetitions of every {every}th design.")
    @click.option("--repetitions", default=200, show_default=True)
    @click.option("--seed", default=1, show_default=True)
    @click.option("--out", type=click.Path(), default=None, help="A CSV file for the results.")
    def main(
        names: tuple[str, ...], quick: bool, repetitions: int, seed: int, out: str | None
    ) -> None:
        """Run the suites that are named, or all of them."""
        table: list[dict[str, object]] = []
        for rows in run_suites(suites, names, quick, repetitions, seed, every=every):
            table += rows
            if out is not None:
                pd.DataFrame(table).to_csv(out, index=False)

    return main
