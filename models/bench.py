"""Speed of training steps: python -m models.bench [--preset phantom] [--set SECTION.NAME=VALUE].

The ways to run a student stand side by side: the plain loop over time ("plain"), the input
convolutions of the whole sequence at once with a backward pass of its own ("hoisted"), and on a GPU
with compiled gates ("compiled"), and as CUDA graphs ("graph"). Each is given in wall and CPU time,
with the number of operations that torch dispatches (a compiled gate is one), and on a GPU the
kernels launched, the memory, and the shares of what the device could do at most.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import click
import torch

from annostat.files import write_text
from models.command import pick_device, run_command, setting_options
from models.config import Config, load_config
from models.measure import (
    count_flops,
    count_operations,
    make_step,
    profile_step,
    random_batch,
    shares_of_limits,
    times,
    warm_steps,
)

NO_GPU = "No GPU is at hand: nothing is claimed about one."
CPU_ENGINES = ("plain", "hoisted")
GPU_ENGINES = ("plain", "hoisted", "compiled", "graph")


def measure(config: Config, engine: str, device: torch.device, repeats: int) -> dict[str, Any]:
    """Return the figures of one way to run a step."""
    step, batch = make_step(config, engine, device), random_batch(config, device)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    wall, cpu = times(lambda: step(*batch), device, repeats=repeats, warm=warm_steps(device))
    found: dict[str, Any] = {
        "engine": engine,
        "wall_s": wall,
        "cpu_s": cpu,
        "clips_per_s": config.train.batch / wall,
        "clips_per_cpu_s": config.train.batch / cpu if cpu else None,
    }
    if on_gpu:
        found["peak_GiB"] = torch.cuda.max_memory_allocated(device) / 2**30
        found |= profile_step(step, batch, device)
        found |= shares_of_limits(step, batch, wall, torch.cuda.get_device_name(device))
    if engine != "graph":
        seen = count_operations(step, batch)
        compiled = engine == "compiled"
        found["operations"] = seen.launched if compiled else sum(seen.kernels.values())
    return found


def line(row: dict[str, Any], plain: dict[str, Any]) -> str:
    """Return a row of figures as text, beside those of the plain loop."""
    counts = ("operations", "launches", "kernels")
    shares = ("share_of_compute", "share_of_bandwidth", "share_of_transposes")
    more = "".join(f"  {name} {row[name]:,}" for name in counts if name in row)
    more += "".join(
        f"  {name.replace('_', ' ')} {100 * row[name]:.1f}%" for name in shares if name in row
    )
    more += f"  peak {row['peak_GiB']:.1f} GiB" if "peak_GiB" in row else ""
    return (
        f"{row['engine']:8s} {row['clips_per_s']:8.2f} clips/s  wall {row['wall_s']:.3f} s  "
        f"CPU {row['cpu_s']:.3f} s  {plain['cpu_s'] / row['cpu_s']:.2f}× the plain loop by "
        f"CPU time, {plain['wall_s'] / row['wall_s']:.2f}× by wall time{more}"
    )


@click.command(context_settings={"show_default": True})
@setting_options
@click.option("--repeats", type=click.IntRange(1), default=5, help="Steps; the median is given.")
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures.")
def main(
    preset: str | None,
    file: Path | None,
    settings: tuple[str, ...],
    repeats: int,
    device: str,
    json_file: Path | None,
) -> None:
    """Measure training steps, each way beside the plain loop, on this machine."""
    preset = preset or ("phantom" if file is None else None)
    config = load_config(preset=preset, file=file, settings=settings)
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    where = pick_device(device)
    on_gpu = where.type == "cuda"
    machine = torch.cuda.get_device_name(where) if on_gpu else platform.processor() or "CPU"
    engines = GPU_ENGINES if on_gpu else CPU_ENGINES
    rows = [measure(config, engine, where, repeats) for engine in engines]
    flops = count_flops(make_step(config, "plain", where).net, random_batch(config, where))
    t, s = config.train, config.student
    click.echo(
        f"{machine}, torch {torch.__version__}, {torch.get_num_threads()} threads: B{s.blocks} "
        f"L{s.layers}, batch {t.batch}, {t.window} frames of {config.data.size}², "
        f"{flops / 1e9:.1f} GFLOP a step"
    )
    for row in rows:
        click.echo(line(row, rows[0]))
    if not on_gpu:
        click.echo(NO_GPU)
    if json_file is not None:
        facts = {
            "machine": machine,
            "torch": torch.__version__,
            "flops": flops,
            "rows": rows,
            "config": config.to_dict(),
        }
        write_text(json_file, json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    run_command(main)
