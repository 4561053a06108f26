"""How long a frame takes: a student and its exported programs, side by side on this machine."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.network.student import Student
from models.one_frame import begin

Program = Callable[[Tensor, list[Tensor]], tuple[Tensor, list[Tensor]]]
ROUNDS, FRAMES = 15, 8  # every program has its turn in each round


@dataclass(frozen=True)
class Latency:
    """Milliseconds per frame of a program.

    Attributes
    ----------
    name : str
    ms : float
        Median over rounds.
    low, high : float
        The fastest and the slowest round.
    ratio : float
        How many times as fast as the first program, median over rounds.
    """

    name: str
    ms: float
    low: float
    high: float
    ratio: float


@torch.no_grad()
def measure_latency(
    programs: Mapping[str, Program], student: Student, size: int, *, rounds: int = ROUNDS
) -> list[Latency]:
    """Return how long a frame takes, one after the other as in a live image.

    Parameters
    ----------
    programs : mapping of str to callable
        Each takes a frame (1, 1, H, W) and the states, and returns masks and new states. They take
        turns, so that a machine that slows down slows all of them.
    student : Student
        Whose states they take.
    size : int
    rounds : int
        After one that is not counted.
    """
    rng = np.random.default_rng(0)
    frames = [
        torch.from_numpy(f)[None, None]
        for f in rng.integers(0, 256, (FRAMES, size, size)).astype(np.uint8)
    ]
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for k in range(rounds + 1):
        for name, program in programs.items():
            states = begin(student, size)
            start = time.perf_counter()
            for frame in frames:
                _, states = program(frame, states)
            if k:
                taken[name].append(1000 * (time.perf_counter() - start) / FRAMES)
    first = next(iter(taken.values()))
    return [
        Latency(
            name,
            median(ms),
            min(ms),
            max(ms),
            median(a / b for a, b in zip(first, ms, strict=True)),
        )
        for name, ms in taken.items()
    ]


def latency_lines(rows: list[Latency], student: Student, size: int) -> list[str]:
    """Return the figures as lines of text."""
    s: Any = student
    head = (
        f"{platform.processor() or platform.machine()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads: B{s.blocks} L{s.layers}, "
        f"one frame of {size}² at a time"
    )
    width = max(len(row.name) for row in rows)
    return [
        head,
        *(
            f"{row.name:{width}s}  {row.ms:7.2f} ms a frame ({row.low:.2f} to {row.high:.2f})  "
            f"{row.ratio:.2f}× {rows[0].name}"
            for row in rows
        ),
    ]
