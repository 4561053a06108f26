"""What suites of calibration share: repetitions of designs, and the command that runs them."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
import pandas as pd

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, Suite
from annostat import AnnostatWarning
from annostat.files import write_text
from annostat.resampling import spawn

DESIGN = ["suite", "n", "law", "rounds", "missing", "cluster_size"]
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
    out: Path | None = None,
    lacking: bool = False,
    every: int = 13,
    run: Callable[..., list[dict[str, object]]] | None = None,
) -> None:
    """Run the suites that are named, or all of them; print the rows of each design.

    A quick run has five repetitions of every 13th design, or as `every` says.
    Rows take the place of those of the same design in `out`, all others stay; with
    `lacking`, designs that have their repetitions there are not run. `run` takes the place of
    `run_suite`: suite, design, repetitions and seed.
    """
    one = run or functools.partial(run_suite, suites)
    table = pd.read_csv(out) if out is not None and out.exists() else pd.DataFrame()
    for suite in names or suites:
        for design in suites[suite][1][:: every if quick else 1]:
            if lacking and _most(table, suite, design) >= repetitions:
                continue
            rows = one(suite, design, 5 if quick else repetitions, seed=seed)
            click.echo(f"{suite}: {design}")
            for row in rows:
                line = f"  {row['what']:44s}{row['rate']:7.3f}  ({row['relative_width']})"
                if "clear" in row:
                    line += f"  clear {row['clear']:.2f}: {row['rate_clear']:.3f}"
                click.echo(line)
            if out is not None:
                table = replaced(table, suite, design, rows)
                write_text(out, table.to_csv(index=False))


def _most(table: pd.DataFrame, suite: str, design: Design) -> int:
    """Return the repetitions of a suite's design; 0 where the table has none."""
    rows = table[_of_design(table, suite, design)] if len(table) else table
    return int(rows.repetitions.max()) if len(rows) else 0


def _of_design(table: pd.DataFrame, suite: str, design: Design) -> pd.Series:
    key = pd.Series({"suite": suite, **asdict(design)})
    return pd.Series((table[DESIGN] == key[DESIGN]).all(axis=1))


def replaced(
    table: pd.DataFrame, suite: str, design: Design, rows: Sequence[Mapping[str, object]]
) -> pd.DataFrame:
    """Return the table with the rows of a suite's design in the place of those that it had."""
    new = pd.DataFrame(list(rows))
    if table.empty:
        return new
    same = _of_design(table, suite, design).to_numpy()
    last = int(np.flatnonzero(same)[0]) if same.any() else len(table)
    parts = [table[:last][~same[:last]], new, table[last:][~same[last:]]]
    return pd.concat([p for p in parts if len(p)], ignore_index=True)


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
    """Return the command that runs suites: names, --quick, --lacking, --repetitions, --seed, --out.

    `every` is how many designs a quick run goes on by.
    """

    @click.command()
    @click.argument("names", nargs=-1, type=click.Choice(list(suites)), metavar="[SUITE] ...")
    @click.option("--quick", is_flag=True, help=f"Few repetitions of every {every}th design.")
    @click.option("--lacking", is_flag=True, help="Only designs that the file lacks.")
    @click.option("--repetitions", default=200, show_default=True)
    @click.option("--seed", default=1, show_default=True)
    @click.option("--out", type=Path, default=None, help="A CSV file for the results.")
    def main(
        names: tuple[str, ...],
        quick: bool,
        lacking: bool,
        repetitions: int,
        seed: int,
        out: Path | None,
    ) -> None:
        """Run the suites that are named, or all of them."""
        run_suites(suites, names, quick, repetitions, seed, out=out, lacking=lacking, every=every)

    return main
