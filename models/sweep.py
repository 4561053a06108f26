"""Train B × L students in one command: python -m models.sweep --preset phantom-tiny.

Each student has a folder of its own, so that the same command goes on where it was stopped, also
within a student. At the end `sweep.csv`, `sweep.md` and `sweep.png` hold mean Dice and IoU of the
unseen clips for each number of blocks and layers, `scaling.png` and `scaling.json` how Dice goes
with the size of the student. With `data.tests` the students are scored on other folders, too, also
when they are trained already.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from annostat import AnnostatError, Estimate
from annostat.files import write_text
from annostat.results import plain
from models.command import run_command, say, setting_options
from models.config import load_config
from models.history import as_csv
from models.scaling import fit_laws, gflop_of, mean_ceiling, plot_laws, read_ceiling
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


def rows_of(blocks: int, layers: int, result: dict[str, Any], gflop: float) -> list[dict[str, Any]]:
    """Return one line of the table for each set of test clips: the means over structures too."""
    rows = []
    for text, found in {"": result, **result["tests"]}.items():
        row: dict[str, Any] = {
            "tested_on": text,
            "against": found["against"],
            "blocks": blocks,
            "layers": layers,
            "parameters": result["parameters"],
            "gflop": gflop,
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
@click.option(
    "--ceiling",
    type=click.Path(path_type=Path),
    help="evaluation.json with what a perfect model scores on these test clips.",
)
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
    ceiling: Path | None,
    quiet: bool,
) -> None:
    """Train a student for each number of blocks and layers, or go on with them."""
    base = load_config(preset=preset, file=file, settings=settings)
    structures = base.data.structures
    given = None if ceiling is None else read_ceiling(ceiling, structures)
    ceilings: dict[str, Estimate | None] = {"": given}
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
                rows += rows_of(b, n, result, gflop_of(config))
                for text, part in {"": result, **result["tests"]}.items():
                    known = mean_ceiling(part.get("ceiling") or {}, structures)
                    ceilings[text] = ceilings.get(text) or known
                write_text(out / "sweep.csv", as_csv(rows))
    if rows:
        write_summary(out, rows, ceilings)


def write_summary(
    out: Path, rows: list[dict[str, Any]], ceilings: Mapping[str, Estimate | None]
) -> None:
    """Write the table and the figures of a sweep that is done."""
    from annostat.plotting import save_figure
    from models.figures import plot_sweep

    write_text(out / "sweep.md", as_markdown(rows))
    first = rows[0]["tested_on"]
    part = [row for row in rows if row["tested_on"] == first]
    save_figure(plot_sweep(part, ceilings.get(first)), out / "sweep.png")
    click.echo(as_markdown(rows), nl=False)
    found, lines = fit_laws(rows, ceilings)
    for line in lines:
        click.echo(line)
    if found:
        save_figure(plot_laws(found), out / "scaling.png")
        each = {t: {k: law.to_dict() for k, law in laws.items()} for t, laws in found.items()}
        write_text(out / "scaling.json", json.dumps(plain(each), indent=2) + "\n")


if __name__ == "__main__":
    run_command(main)
