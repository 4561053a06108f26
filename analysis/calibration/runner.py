"""What suites of calibration share: repetitions of designs, and the command that runs them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

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
    rows: dict[str, list[Outcome]] = {}
    for rng in spawn(seed, repetitions):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnnostatWarning)
            for what, outcome in suites[suite][0](design, rng).items():
                rows.setdefault(what, []).append(outcome)
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
            "relative_width": round(float(np.median([o.width for o in seen])), 4),
        }
        for what, seen in rows.items()
    ]


def command_of(suites: Suites) -> click.Command:
    """Return the command that runs suites: names, --quick, --repetitions, --seed, --out."""

    @click.command()
    @click.argument("names", nargs=-1, type=click.Choice(list(suites)), metavar="[SUITE] ...")
    @click.option("--quick", is_flag=True, help="Few repetitions of every 13th design.")
    @click.option("--repetitions", default=200, show_default=True)
    @click.option("--seed", default=1, show_default=True)
    @click.option("--out", type=click.Path(), default=None, help="A CSV file for the results.")
    def main(
        names: tuple[str, ...], quick: bool, repetitions: int, seed: int, out: str | None
    ) -> None:
        """Run the suites that are named, or all of them."""
        found: list[dict[str, object]] = []
        for suite in names or suites:
            for design in suites[suite][1][:: 13 if quick else 1]:
                rows = run_suite(suites, suite, design, 5 if quick else repetitions, seed=seed)
                found += rows
                click.echo(f"{suite}: {design}")
                for row in rows:
                    click.echo(f"  {row['what']:44s}{row['rate']:7.3f}  ({row['relative_width']})")
                if out is not None:
                    pd.DataFrame(found).to_csv(out, index=False)

    return main
