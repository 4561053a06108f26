"""Train B × L students in one command: python -m models.sweep --preset phantom-tiny.

Each student has a folder of its own, so that the same command goes on where it was stopped, also
within a student. At the end `sweep.csv`, `sweep.md` and `sweep.png` hold mean Dice and IoU of the
unseen clips for each number of blocks and layers. With `data.tests` the students are scored on
other folders, too, also when they are trained already.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from annostat import AnnostatError
from annostat.files import write_text
from models.command import run_command, say, setting_options
from models.config import load_config
from models.history import as_csv
from models.train import STOPPED, train
from models.trainer import Stopped


def numbers(text: str) -> list[int]:
    """Return the whole numbers of a text such as "1,2,4"."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise AnnostatError(f"give numbers of at least 1 such as 1,2,3, got {text!r}")
    return sorted(set(found))


def rows_of(blocks: int, layers: int, result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one line of the table for each set of test clips: the means over structures too."""
    rows = []
    for text, found in {"": result, **result["tests"]}.items():
        row: dict[str, Any] = {
            "tested_on": text,
            "against": found["against"],
            "blocks": blocks,
            "layers": layers,
            "parameters": result["parameters"],
            "clips": found["n_test_clips"],
        }
        for metric in ("dice", "iou"):
            values = {s: score[metric]["value"] for s, score in found["test"].items()}
            row[f"mean_{metric}"] = sum(values.values()) / len(values)
            for structure, score in found["test"].items():
                for part in ("value", "low", "high"):
                    name = f"{metric}_{structure}_{part}".removesuffix("_value")
                    row[name] = score[metric][part]
        rows.append(
            row | {k: result[k] for k in ("epochs", "best_epoch", "wall_s", "cpu_s", "device")}
        )
    return rows


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """Return mean IoU / mean Dice with a row for each B and a column for each L.

    One table for each set of test clips.
    """
    lines: list[str] = []
    sets = list(dict.fromkeys(row["tested_on"] for row in rows))
    for text in sets:
        part = [row for row in rows if row["tested_on"] == text]
        layers = sorted({row["layers"] for row in part})
        if len(sets) > 1:
            what = text or "test clips of the training's folder"
            lines += [f"{what}, against {part[0]['against']}:", ""]
        lines.append("| mean IoU / mean Dice | " + " | ".join(f"L = {n}" for n in layers) + " |")
        lines.append("|---" * (len(layers) + 1) + "|")
        for b in sorted({row["blocks"] for row in part}):
            cells = {
                r["layers"]: f"{r['mean_iou']:.3f} / {r['mean_dice']:.3f}"
                for r in part
                if r["blocks"] == b
            }
            lines.append(f"| B = {b} | " + " | ".join(cells.get(n, "") for n in layers) + " |")
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


@click.command(context_settings={"show_default": True})
@setting_options
@click.option("--blocks", default="1,2,3,4", help="Numbers of blocks B.")
@click.option("--layers", default="1,2,3,4", help="Numbers of ConvLSTM layers L of a block.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/sweep"))
@click.option("--cache", type=click.Path(path_type=Path), default=Path("out/clips"))
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--quiet", is_flag=True)
def main(
    preset: str | None,
    file: Path | None,
    settings: tuple[str, ...],
    blocks: str,
    layers: str,
    out: Path,
    cache: Path,
    device: str,
    quiet: bool,
) -> None:
    """Train a student for each number of blocks and layers, or go on with them."""
    base = load_config(preset=preset, file=file, settings=settings)
    rows = []
    for b in numbers(blocks):
        for n in numbers(layers):
            config = base.changed([f"student.blocks={b}", f"student.layers={n}"])
            folder = out / f"B{b}L{n}"
            say(f"B = {b}, L = {n}", quiet=quiet)
            try:
                result = train(config, folder, cache=cache, device=device, quiet=quiet)
            except Stopped:
                say(f"Stopped in {os.fspath(folder)}; the same command goes on.", quiet=quiet)
                sys.exit(STOPPED)
            if result:  # the first of several processes
                rows += rows_of(b, n, result)
                write_text(out / "sweep.csv", as_csv(rows))
    if rows:
        from annostat.plotting import save_figure
        from models.figures import plot_sweep

        write_text(out / "sweep.md", as_markdown(rows))
        first = rows[0]["tested_on"]
        save_figure(
            plot_sweep([row for row in rows if row["tested_on"] == first]), out / "sweep.png"
        )
        click.echo(as_markdown(rows), nl=False)


if __name__ == "__main__":
    run_command(main)
