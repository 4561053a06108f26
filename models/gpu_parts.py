"""The parts of `models.gpu_check`: each proves or refutes one claim about the GPU code.

A part takes a `Size` and a device, and returns plain rows. Each row has "what", figures, and where
there is something to be right or wrong about, "ok".
"""

from __future__ import annotations

import io
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.config import PRESETS
from models.data.batches import Batches, Sampling
from models.data.store import Store
from models.gpu_numbers import exact, fp16
from models.gpu_sizes import TINY, WHOLE, Part, Rows, Size
from models.measure import (
    Compilations,
    count_operations,
    make_step,
    on_device,
    profile_step,
    random_batch,
    shares_of_limits,
    times,
    wait,
    warm_steps,
)
from models.network.precision import autocast
from models.network.predict import CLIPS, predict, predict_many
from models.network.step import Step
from models.network.weights import make_student


def graph(size: Size, device: torch.device) -> Rows:
    """Compare captured steps with ordinary ones: losses, weights, batch norm, learning rate."""
    config = replace(size, batch=min(size.batch, 8)).config(min(size.sizes[-1], 32))
    ends = {}
    for name in ("eager", "graph", "eager again"):
        step = make_step(config, "graph" if name == "graph" else "auto", device)
        data = random_batch(config, device)
        losses = [step(data[0].roll(k, 1), data[1]).float() for k in range(size.steps)]
        wait(device)
        ends[name] = step, torch.stack(losses).cpu()
    first, wanted = ends["eager"]
    rows: Rows = []
    for name in ("graph", "eager again"):
        step, mine = ends[name]
        pairs = zip(step.net.state_dict().values(), first.net.state_dict().values(), strict=True)
        off = max(
            float((a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-9))
            for a, b in pairs
        )
        tracked = int(step.net.state_dict()["norms.0.0.num_batches_tracked"])
        rows.append(
            {
                "what": f"{name} against eager, {size.steps} steps",
                "captured": step.captured is not None and step.captured.graphs is not None,
                "losses_off": float((mine - wanted).abs().max()),
                "weights_off": off,
                "batches_tracked": tracked,
                "rate_off": abs(_rate(step) - _rate(first)),
            }
        )
    # What two ordinary runs differ by is what a graph may.
    limit = max(10 * rows[1]["weights_off"], 1e-2)
    captured = rows[0]["captured"] or device.type != "cuda"
    rows[0]["ok"] = (
        captured
        and rows[0]["weights_off"] < limit
        and rows[0]["batches_tracked"] == size.steps
        and rows[0]["rate_off"] < 1e-9
    )
    return rows


def _rate(step: Step) -> float:
    return float(step.optimiser.param_groups[0]["lr"])


def moves(size: Size, device: torch.device) -> Rows:
    """Move a state from CPU to GPU and back, and go on with the training there."""
    config = replace(size, batch=2, window=3).config(16, blocks=1, layers=1)
    cpu = torch.device("cpu")
    rows: Rows = []
    for here, there in ((cpu, device), (device, cpu), (device, device)):
        row: dict[str, Any] = {"what": f"{here.type} to {there.type}"}
        try:
            first = make_step(config, "graph", here)
            for _ in range(2):
                first(*random_batch(config, here))
            file = io.BytesIO()
            torch.save({"step": first.state_dict(), "net": first.net.state_dict()}, file)
            file.seek(0)
            state = torch.load(file, map_location=there, weights_only=True)
            second = make_step(config, "graph", there)
            second.net.load_state_dict(state["net"])
            second.load_state_dict(state["step"])
            losses = [float(second(*random_batch(config, there))) for _ in range(5)]
            row["ok"] = bool(np.isfinite(losses).all()) and losses[-1] < losses[0]
        except Exception as error:  # the part is to find out which
            row |= {"ok": False, "error": f"{type(error).__name__}: {str(error)[:200]}"}
        rows.append(row)
    return rows


def speed(size: Size, device: torch.device) -> Rows:
    """Measure time, kernels, launches, transposes, memory and compilations of every engine."""
    rows: Rows = []
    for side in size.sizes:
        plain = 0.0
        config = size.config(side)
        for engine in ("plain", "hoisted", "compiled", "graph"):
            Compilations.forget()
            row: dict[str, Any] = {"what": f"{engine}, {side}²"}
            if device.type == "cuda":
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats(device)
            step, data = make_step(config, engine, device), random_batch(config, device)
            start = time.perf_counter()
            step(*data)
            wait(device)
            row["first_s"] = time.perf_counter() - start
            wall, _ = times(
                lambda step=step, data=data: step(*data),  # type: ignore[misc]
                device,
                repeats=size.repeats,
                warm=warm_steps(device),
            )
            plain = plain or wall
            row |= {
                "step_ms": 1e3 * wall,
                "clips_per_s": size.batch / wall,
                "times_plain": plain / wall,
                "compilations": Compilations.count(),
            }
            if device.type == "cuda":
                row["peak_GiB"] = torch.cuda.max_memory_allocated(device) / 2**30
                row |= profile_step(step, data, device)
                row |= shares_of_limits(step, data, wall, torch.cuda.get_device_name(device))
            if engine != "graph":
                seen = count_operations(step, data)
                row["operations"] = seen.launched
                row["layouts"] = dict(seen.layouts)
            if engine in ("hoisted", "compiled"):
                row["ok"] = set(seen.layouts) == {"NHWC"}
            rows.append(row)
    return rows


def compile_life(size: Size, device: torch.device) -> Rows:
    """Run a sweep with its validation and inference in one process; little may be compiled."""
    Compilations.forget()
    sweep = ((1, 1), (2, 1), (size.blocks, size.layers), (4, 1))
    rows: Rows = []
    alone = 0.0
    with Compilations.given_up() as told:
        for blocks, layers in ((size.blocks, size.layers), *sweep):
            config = size.config(blocks=blocks, layers=layers)
            step, data = make_step(config, "compiled", device), random_batch(config, device)
            wall, _ = times(
                lambda step=step, data=data: step(*data),  # type: ignore[misc]
                device,
                repeats=min(size.repeats, 5),
                warm=1,
            )
            net = step.net.eval()
            part = max(size.batch // 3, 1)
            with torch.no_grad(), autocast(device, step.half):
                net(data[0][:part])
            predict(net, data[0][0].cpu().numpy())  # type: ignore[arg-type]
            row = {
                "what": f"B{blocks} L{layers}",
                "step_ms": 1e3 * wall,
                "compilations": Compilations.count(),
            }
            if (blocks, layers) == (size.blocks, size.layers):
                alone = alone or wall
                row["times_alone"] = wall / alone
            rows.append(row)
    rows.append(
        {
            "what": "given up by Dynamo",
            "times": len(told),
            "ok": not told and rows[-1]["compilations"] <= 8,
        }
    )
    return rows


def feed(size: Size, device: torch.device) -> Rows:
    """Compare batches and step together with the bare step; count what waits for the GPU."""
    rng, side = np.random.default_rng(0), size.sizes[0]
    lengths = np.full(size.clips, size.length, dtype=np.int64)
    frames = rng.integers(0, 256, (int(lengths.sum()), side, side), dtype=np.uint8)
    names = [f"clip-{k}" for k in range(size.clips)]
    store = Store(names, lengths, frames, frames[:, None], [{} for _ in names])
    config = size.config()
    rows: Rows = []
    for place in ("device", "host"):
        batches = Batches(store, Sampling(size.batch, size.window), device=device)
        if place == "host":
            batches.frames, batches.targets = store.frames, store.targets
        step = make_step(config, "graph", device)
        for pair in list(batches.epoch(0))[: warm_steps(device)]:
            step(*pair)
        wait(device)
        start, n = time.perf_counter(), 0
        for epoch in (1, 2):
            for pair in batches.epoch(epoch):
                step(*pair)
                n += 1
        wait(device)
        wall = (time.perf_counter() - start) / n
        data = random_batch(config, device)
        bare, _ = times(
            lambda step=step, data=data: step(*data),  # type: ignore[misc]
            device,
            repeats=min(size.repeats, 10),
            warm=1,
        )
        row: dict[str, Any] = {
            "what": f"clips on the {place}",
            "step_ms": 1e3 * wall,
            "bare_ms": 1e3 * bare,
            "idle_share": max(0.0, 1 - bare / wall),
        }
        if device.type == "cuda":
            row["waits"] = _waits(batches, step)
            # The first batch uploads the epoch's indices.
            row["ok"] = row["waits"] <= 1 if place == "device" else None
        rows.append(row)
    return rows


def _waits(batches: Batches, step: Step) -> int:
    """Return how often the host waits for the GPU in four batches and steps."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            for _, pair in zip(range(4), batches.epoch(9), strict=False):
                step(*pair)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(w.message) for w in seen)


def infer(size: Size, device: torch.device) -> Rows:
    """Measure the masks of whole clips, one at a time and several."""
    net = on_device(make_student(size.config().student, 1), device).eval()
    n = 176 if size is WHOLE else size.length
    frames = np.random.default_rng(0).integers(0, 256, (n, size.sizes[0], size.sizes[0]))
    clip = frames.astype(np.uint8)
    start = time.perf_counter()
    predict(net, clip)
    first = time.perf_counter() - start
    rows: Rows = []
    for clips in (1, CLIPS):
        wall, _ = times(
            lambda clips=clips: predict_many(net, [clip] * clips),  # type: ignore[misc]
            device,
            repeats=min(size.repeats, 5),
            warm=1,
        )
        rows.append(
            {
                "what": f"{clips} clips at once, {n} frames of {size.sizes[0]}²",
                "clip_ms": 1e3 * wall / clips,
                "frame_ms": 1e3 * wall / clips / n,
                "clips_per_minute": 60 * clips / wall,
            }
        )
    rows[0]["first_s"] = first
    return rows


def growth(size: Size, device: torch.device) -> Rows:
    """Train the phantom cut down: memory after each epoch, and the Dice at its end."""
    from models.train import train

    if size is TINY:
        changes = [
            "data.n_train=4",
            "data.n_valid=2",
            "data.n_test=2",
            "train.epochs=2",
            "data.size=16",
            "data.frames=16",
            "train.window=4",
        ]
        config = PRESETS["phantom-tiny"].changed(changes)
    else:
        changes = [
            "data.n_train=192",
            "data.n_valid=40",
            "data.n_test=8",
            "data.frames=60",
            "train.epochs=4",
            "train.ema=0.99",
            "data.structures=[LV, RV]",
        ]
        config = PRESETS["phantom"].changed(changes)
    memory: list[float] = []

    def watch(row: dict[str, Any]) -> None:
        if device.type == "cuda":
            memory.append(torch.cuda.memory_allocated(device) / 2**30)

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        out = Path(folder)
        result = train(
            config, out / "run", cache=out / "clips", device=device.type, quiet=True, watch=watch
        )
        wall = time.perf_counter() - start
    dice = {name: scores["dice"]["value"] for name, scores in result["test"].items()}
    row: dict[str, Any] = {"what": "phantom, cut down", "wall_s": wall, "memory_GiB": memory}
    row |= {f"dice_{name}": value for name, value in dice.items()}
    row["ok"] = not memory or memory[-1] < 1.05 * memory[1]
    return [row]


PARTS: dict[str, tuple[Part, int]] = {  # the part, and its limit in seconds
    "exact": (exact, 50),
    "fp16": (fp16, 30),
    "moves": (moves, 30),
    "graph": (graph, 45),
    "speed": (speed, 110),
    "compile": (compile_life, 60),
    "feed": (feed, 45),
    "infer": (infer, 30),
    "growth": (growth, 80),
}
