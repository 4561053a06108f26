"""The command: run suites, or write the page from the results."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

from analysis.calibration.figure import FIGURE, draw
from analysis.calibration.page import PAGE, filled
from analysis.calibration.results import RESULTS, is_done, pooled, run
from analysis.calibration.suites import SUITES
from annostat.files import write_text


@click.command()
@click.argument("suites", nargs=-1, type=click.Choice(list(SUITES)))
@click.option("--quick", is_flag=True, help="Few repetitions of small designs; writes nothing.")
@click.option("--repetitions", default=400, show_default=True)
@click.option("--seed", default=1, show_default=True, help="Another seed adds to what is there.")
@click.option("--n-jobs", default=-1, show_default=True)
@click.option("--out", type=Path, default=RESULTS, show_default=True)
@click.option("--table", is_flag=True, help="Write the page's tables and figure from the file.")
def main(
    suites: tuple[str, ...],
    quick: bool,
    repetitions: int,
    seed: int,
    n_jobs: int,
    out: Path,
    table: bool,
) -> None:
    """Run the suites that are named, or all of them."""
    found = pd.read_csv(out) if out.exists() and not quick else pd.DataFrame()
    if table:
        write_text(PAGE, filled(PAGE.read_text(encoding="utf-8"), pooled(found)))
        draw(out, FIGURE)
        return
    for suite in suites or SUITES:
        for design in SUITES[suite][1][:: 13 if quick else 1]:
            if is_done(found, suite, design, seed):
                continue
            rows = run(suite, design, 5 if quick else repetitions, seed=seed, n_jobs=n_jobs)
            found = pd.concat([found, pd.DataFrame(rows)], ignore_index=True)
            if not quick:
                out.parent.mkdir(parents=True, exist_ok=True)
                write_text(out, found.to_csv(index=False))
            click.echo(f"{suite}: {design}")
            for row in rows:
                click.echo(f"  {row['what']:42s}{row['rate']:7.3f} ± {row['rate_se']:.3f}")


if __name__ == "__main__":
    main()
