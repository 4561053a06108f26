"""Speed of training steps: python -m models.bench [--preset phantom] [--set SECTION.NAME=VALUE].

The ways to run a student stand side by side: the plain loop over time ("plain"), the input
convolutions of the whole sequence at once with a backward pass of its own ("hoisted"), and on a GPU
the whole step as one CUDA graph ("graph"). Each is given in wall and CPU time, with the number of
operations that torch dispatches, and on a GPU the kernels launched and the shares of what the
device could do at most.
"""

from __future__ import annotations

import json
import platform
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from annostat.files import write_text
from models.command import pick_device, run_command
from models.config import Config, load_config
from models.network.step import WARM_UP, Step
from models.network.student import Student

# Peak of dense bf16 (FLOP/s) and of memory (byte/s), as the maker states them.
PEAKS = {"H100": (989e12, 3.35e12), "H200": (989e12, 4.8e12), "A100": (312e12, 2.04e12)}
NO_GPU = "No GPU is at hand: nothing is claimed about one."


class Counter(TorchDispatchMode):
    """Counts the operations that reach torch's dispatcher."""

    def __init__(self) -> None:
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += 1
        return func(*args, **(kwargs or {}))


def make(config: Config, engine: str, device: torch.device) -> tuple[Step, Any]:
    """Return a step and a batch of random frames and targets."""
    t, d, s = config.train, config.data, config.student
    torch.manual_seed(0)
    student = Student(
        s.blocks, s.layers, structures=len(d.structures), skip=s.skip, filters=s.filters,
        engine="plain" if engine == "plain" else "hoisted",
    ).to(device)  # fmt: skip
    if device.type == "cuda":
        student = student.to(memory_format=torch.channels_last)
    step = Step(student, replace(t, graph=engine == "graph"), device, 1000)
    shape = (t.batch, t.window, d.size, d.size)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
    targets = torch.randint(
        0, 256, (*shape[:2], len(d.structures), *shape[2:]), dtype=torch.uint8, device=device
    )
    return step, (frames, targets)


def measure(config: Config, engine: str, device: torch.device, repeats: int) -> dict[str, Any]:
    """Return the figures of one way to run a step."""
    step, batch = make(config, engine, device)
    on_gpu = device.type == "cuda"
    for _ in range(WARM_UP + 2 if on_gpu else 1):
        step(*batch)
    times = []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        step(*batch)
        if on_gpu:
            torch.cuda.synchronize(device)
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, cpu = (sorted(column)[len(column) // 2] for column in zip(*times, strict=True))
    found = {
        "engine": engine, "wall_s": wall, "cpu_s": cpu,
        "clips_per_s": config.train.batch / wall,
        "clips_per_cpu_s": config.train.batch / cpu if cpu else None,
    }  # fmt: skip
    if engine != "graph":
        with Counter() as counter:
            step(*batch)
        found["operations"] = counter.n
    if on_gpu:
        found |= gpu_figures(step, batch, wall, device)
    return found


def gpu_figures(step: Step, batch: Any, wall: float, device: torch.device) -> dict[str, Any]:
    """Return kernels per step and the share of the limits of compute and of memory."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as seen:
        step(*batch)
        torch.cuda.synchronize(device)
    events = list(seen.events())
    launches = sum(e.name.startswith(("cudaLaunch", "cuLaunch", "cudaGraphLaunch")) for e in events)
    kernels = sum(str(e.device_type).endswith("CUDA") for e in events)
    name = torch.cuda.get_device_name(device)
    found: dict[str, Any] = {"launches": launches, "kernels": kernels}
    peak = next((v for k, v in PEAKS.items() if k in name), None)
    if peak is not None:
        flops = count_flops(step.net, batch)
        traffic = least_bytes(step.net, batch[0].shape)
        found["share_of_compute"] = flops / wall / peak[0]
        found["share_of_bandwidth"] = traffic / wall / peak[1]
    return found


def count_flops(net: Any, batch: Any) -> int:
    """Return the floating-point operations of forward and backward."""
    with FlopCounterMode(display=False) as counter:
        net(batch[0]).sum().backward()
    return int(counter.get_total_flops())


def least_bytes(net: Any, shape: Any) -> float:
    """Return the bytes that a step must move if each layer's tensors cross memory once.

    For each of the B·T·F·H·W cells of a layer: the four gates written and read (bf16), the cell
    state written and read (float32), the hidden state written once and read by two convolutions
    and the norm, whose result is written and read. The backward pass moves twice as much.
    """
    b, t, h, w = shape
    total = 0.0
    for block, cells in enumerate(net.cells):
        pixels = b * t * (h >> block) * (w >> block)
        total += sum(pixels * cell.filters * (8 * 2 + 2 * 4 + 6 * 2) for cell in cells)
    return 3 * total


@click.command(context_settings={"show_default": True})
@click.option("--preset", help="Default: phantom.")
@click.option("--config", "file", type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="SECTION.NAME=VALUE")
@click.option("--repeats", type=click.IntRange(1), default=5, help="Steps; the median is given.")
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures.")
def main(
    preset: str | None, file: Path | None, settings: tuple[str, ...], repeats: int, device: str,
    json_file: Path | None,
) -> None:  # fmt: skip
    """Measure training steps, each way beside the plain loop, on this machine."""
    preset = preset or ("phantom" if file is None else None)
    config = load_config(preset=preset, file=file, settings=settings)
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    where = pick_device(device)
    on_gpu = where.type == "cuda"
    machine = torch.cuda.get_device_name(where) if on_gpu else platform.processor() or "CPU"
    engines = ("plain", "hoisted", "graph") if on_gpu else ("plain", "hoisted")
    rows = [measure(config, engine, where, repeats) for engine in engines]
    step, batch = make(config, "plain", where)
    flops = count_flops(step.net, batch)
    t, s = config.train, config.student
    click.echo(
        f"{machine}, torch {torch.__version__}, {torch.get_num_threads()} threads: B{s.blocks} "
        f"L{s.layers}, batch {t.batch}, {t.window} frames of {config.data.size}², "
        f"{flops / 1e9:.1f} GFLOP a step"
    )
    for row in rows:
        more = "".join(
            f"  {name} {row[name]:,}" for name in ("operations", "launches", "kernels")
            if name in row
        )  # fmt: skip
        more += "".join(
            f"  {name.replace('_', ' ')} {100 * row[name]:.1f}%"
            for name in ("share_of_compute", "share_of_bandwidth") if name in row
        )  # fmt: skip
        click.echo(
            f"{row['engine']:8s} {row['clips_per_s']:8.2f} clips/s  wall {row['wall_s']:.3f} s  "
            f"CPU {row['cpu_s']:.3f} s  {rows[0]['cpu_s'] / row['cpu_s']:.2f}× the plain loop by "
            f"CPU time, {rows[0]['wall_s'] / row['wall_s']:.2f}× by wall time{more}"
        )
    if not on_gpu:
        click.echo(NO_GPU)
    if json_file is not None:
        facts = {"machine": machine, "torch": torch.__version__, "flops": flops, "rows": rows,
                 "config": config.to_dict()}  # fmt: skip
        write_text(json_file, json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    run_command(main)
