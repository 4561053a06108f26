"""What a training step costs: time, operations, kernels, layouts, compilations, memory.

Operations and memory layouts are seen by torch's dispatcher on any device; kernels, launches and
memory by the profiler and the allocator of a GPU.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from models.config import Config
from models.network import gates
from models.network.step import WARM_UP, Step
from models.network.student import Student
from models.network.weights import make_student

# Peak of dense bf16 (FLOP/s) and of memory (byte/s), as the maker states them.
PEAKS = {"H100": (989e12, 3.35e12), "H200": (989e12, 4.8e12), "A100": (312e12, 2.04e12)}
# Operations that launch nothing: they give another view of the same memory, or only allocate.
NO_KERNEL = {
    "view",
    "_unsafe_view",
    "_reshape_alias",
    "select",
    "split",
    "unsqueeze",
    "expand",
    "transpose",
    "permute",
    "detach",
    "alias",
    "slice",
    "as_strided",
    "squeeze",
    "t",
    "unbind",
    "empty",
    "empty_like",
    "empty_strided",
    "new_empty",
    "is_same_size",
    "unflatten",
}
LAUNCHES = ("cudaLaunch", "cuLaunch", "cudaGraphLaunch")
TRANSPOSES = ("nchwToNhwc", "nhwcToNchw")

Batch = tuple[torch.Tensor, torch.Tensor]


def on_device(student: Student, device: torch.device, *, channels_last: bool = False) -> Student:
    """Return a student as training puts it on a device: on a GPU with channels last."""
    student.to(device)
    if device.type == "cuda" or channels_last:
        student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return student


def random_batch(config: Config, device: torch.device, *, size: int | None = None) -> Batch:
    """Return frames and targets of random bytes, of the settings' shape."""
    t, d = config.train, config.data
    side = size or d.size
    g = torch.Generator().manual_seed(1)
    shape = (t.batch, t.window, side, side)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8, generator=g)
    whole = (*shape[:2], len(d.structures), side, side)
    targets = torch.randint(0, 256, whole, dtype=torch.uint8, generator=g)
    return frames.to(device), targets.to(device)


def make_step(config: Config, engine: str, device: torch.device) -> Step:
    """Return a new step; engine "graph" is "auto" captured, the others run as they are."""
    torch.manual_seed(0)
    kind = "auto" if engine == "graph" else engine
    student = make_student(config.student, len(config.data.structures), engine=kind)
    train = replace(config.train, graph=engine == "graph")
    # A CPU stands in for a GPU in what only GPUs do well.
    last = engine in ("hoisted", "compiled")
    return Step(on_device(student, device, channels_last=last), train, device, 1000)


def wait(device: torch.device) -> None:
    """Wait until a device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def times(
    function: Callable[[], Any], device: torch.device, *, repeats: int, warm: int
) -> tuple[float, float]:
    """Return the median wall and CPU seconds of a call."""
    for _ in range(warm):
        function()
    wait(device)
    found = []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        function()
        wait(device)
        found.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, cpu = (sorted(column)[len(column) // 2] for column in zip(*found, strict=True))
    return wall, cpu


def warm_steps(device: torch.device) -> int:
    """Return how many steps come before one is measured: a graph is captured by then."""
    return WARM_UP + 2 if device.type == "cuda" else 1


def layout(x: torch.Tensor) -> str:
    """Return NHWC, NCHW or the strides of a tensor of four axes; of one channel, they are one."""
    if x.is_contiguous(memory_format=torch.channels_last):
        return "NHWC"
    return "NCHW" if x.is_contiguous() else str(tuple(x.stride()))


class Operations(TorchDispatchMode):
    """Counts what would be kernels, and the memory layouts of what convolutions read and write.

    Attributes
    ----------
    kernels : Counter
        By operation. Within `gates_apart` the operations of the gates are in "gates", and their
        calls, one kernel each when compiled, in "gate calls".
    layouts : Counter
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernels: collections.Counter[str] = collections.Counter()
        self.layouts: collections.Counter[str] = collections.Counter()
        self.within = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count it."""
        out = func(*args, **(kwargs or {}))
        name = str(func).removeprefix("aten.").split(".")[0]
        if name not in NO_KERNEL:
            self.kernels["gates" if self.within else name] += 1
        if name in ("convolution", "convolution_backward"):
            results = out if isinstance(out, (tuple, list)) else [out]
            for x in [*args[:3], *results]:
                if isinstance(x, torch.Tensor) and x.ndim == 4:
                    self.layouts[layout(x)] += 1
        return out

    @property
    def launched(self) -> int:
        """Kernels, a gate's call being one of them."""
        return sum(self.kernels.values()) - self.kernels["gates"]

    @contextmanager
    def gates_apart(self) -> Iterator[Operations]:
        """Count the gates by themselves: a dispatch mode does not see what is compiled."""
        plain = gates.gate

        def gate(function: Callable[..., Any], *, compile: bool) -> Callable[..., Any]:
            def counted(*args: Any) -> Any:
                self.within += 1
                try:
                    return function(*args)
                finally:
                    self.within -= 1
                    self.kernels["gate calls"] += 1

            return counted

        gates.gate = gate
        try:
            with self:
                yield self
        finally:
            gates.gate = plain


def count_operations(step: Step, batch: Batch) -> Operations:
    """Return what one step dispatches, a compiled gate counted as one operation."""
    seen = Operations()
    with seen.gates_apart():
        step(*batch)
    return seen


def profile_step(step: Step, batch: Batch, device: torch.device) -> dict[str, Any]:
    """Return what the profiler of a GPU sees of one step.

    Launches, kernels, milliseconds busy, and the shares of that time in transposes of layout and in
    copies; the ten kernels that take longest.
    """
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as seen:
        step(*batch)
        wait(device)
    events = list(seen.events() or ())
    kernels = [e for e in events if str(e.device_type).endswith("CUDA")]
    spent: collections.Counter[str] = collections.Counter()
    for e in kernels:
        spent[e.name[:80]] += e.self_device_time_total
    total = sum(spent.values()) or 1

    def share(words: tuple[str, ...]) -> float:
        return sum(t for name, t in spent.items() if any(w in name for w in words)) / total

    return {
        "launches": sum(e.name.startswith(LAUNCHES) for e in events),
        "kernels": len(kernels),
        "busy_ms": total / 1e3,
        "share_of_transposes": share(TRANSPOSES),
        "share_of_copies": share(("copy", "Copy", "CatArray")),
        "longest": {name: t / total for name, t in spent.most_common(10)},
    }


def shares_of_limits(step: Step, batch: Batch, wall: float, name: str) -> dict[str, float]:
    """Return a step's shares of a GPU's peaks of compute and of memory, if they are known."""
    peak = next((v for k, v in PEAKS.items() if k in name), None)
    if peak is None:
        return {}
    return {
        "share_of_compute": count_flops(step.net, batch) / wall / peak[0],
        "share_of_bandwidth": least_bytes(step.net, batch[0].shape) / wall / peak[1],
    }


def count_flops(net: Any, batch: Batch) -> int:
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


class Compilations:
    """What Dynamo compiles, and whether it gave something up."""

    @staticmethod
    def forget() -> None:
        """Begin anew."""
        import torch._dynamo

        torch._dynamo.reset()
        gates.compiled.cache_clear()
        torch._dynamo.utils.counters.clear()

    @staticmethod
    def count() -> int:
        """Return how many graphs were compiled since."""
        from torch._dynamo.utils import counters

        return int(counters["stats"].get("unique_graphs", 0))

    @staticmethod
    @contextmanager
    def given_up() -> Iterator[list[str]]:
        """Collect what is said when compiled variants are dropped for good."""
        import logging

        found: list[str] = []

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                text = record.getMessage()
                if "recompile_limit" in text or "cache_size_limit" in text:
                    found.append(text.splitlines()[0][:200])

        handler, log = Handler(), logging.getLogger("torch._dynamo")
        log.addHandler(handler)
        try:
            yield found
        finally:
            log.removeHandler(handler)
