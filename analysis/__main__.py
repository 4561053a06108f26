"""Write every figure and number: python -m analysis [--out DIR] [--seed N] [NAME ...]."""

from __future__ import annotations

import importlib
import inspect
import time
from pathlib import Path

import click

from annostat.errors import AnnostatError

# Each has main(out, *, seed, quick), which writes NAME.json, NAME.svg and NAME.png; those that can
# use real data or a trained student have a parameter for its folder.
SCRIPTS = (
    "sampling_rates",
    "corrupted",
    "prompts",
    "bounds",
    "afd",
    "error_concentration",
    "scaling_laws",
    "first_frames",
    "two_ventricles",
    "camus_table",
    "lidc",
    "floor_regression",
    "theory",
    "house",
    "gallery",
)


@click.command()
@click.argument("names", nargs=-1)
@click.option("--out", type=Path, default=Path("analysis/output"), show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--quick", is_flag=True, help="Small data and few repetitions, to see that it runs.")
@click.option("--echonet", type=Path, help="Folder of EchoNet-Dynamic, in place of a phantom's.")
@click.option("--prompts", type=Path, help="Prompt responses of its clips: a table or a folder.")
@click.option("--student", type=Path, help="Folder of a trained student (best.safetensors).")
@click.option("--sweep", type=Path, help="Folder of a sweep over blocks and layers (sweep.csv).")
def main(names: tuple[str, ...], out: Path, seed: int, quick: bool, **sources: Path | None) -> None:
    """Write the figures and numbers of the paper, and of the studies around it."""
    for name in names or SCRIPTS:
        if name not in SCRIPTS:
            raise AnnostatError(f"no script {name!r}; there are {', '.join(SCRIPTS)}")
        start = time.perf_counter()
        script = importlib.import_module(f"analysis.{name}").main
        known = inspect.signature(script).parameters
        given = {k: v for k, v in sources.items() if k in known and v is not None}
        script(out, seed=seed, quick=quick, **given)
        click.echo(f"{name:20s} {time.perf_counter() - start:6.1f} s")


if __name__ == "__main__":
    main()
