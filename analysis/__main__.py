"""Write every figure and number: python -m analysis [--out DIR] [--seed N] [NAME ...]."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

import click

from annostat.errors import AnnostatError

# Each has main(out, *, seed, quick), which writes NAME.json and mostly NAME.svg and NAME.png.
SCRIPTS = ("theory", "afd", "lidc")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--out", type=Path, default=Path("analysis/output"), show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quick", is_flag=True, help="Small data and few repetitions, to see that it runs.")
def main(names: tuple[str, ...], out: Path, seed: int, quick: bool) -> None:
    """Write the figures and numbers of the paper, and of the studies around it."""
    for name in names or SCRIPTS:
        if name not in SCRIPTS:
            raise AnnostatError(f"no script {name!r}; there are {', '.join(SCRIPTS)}")
        start = time.perf_counter()
        importlib.import_module(f"analysis.{name}").main(out, seed=seed, quick=quick)
        click.echo(f"{name:20s} {time.perf_counter() - start:6.1f} s")


if __name__ == "__main__":
    main()
