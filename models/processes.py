"""One process or several: who this one is, and how they speak to each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class World:
    """One process among those that torchrun started; alone without it."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether it is the one that writes the files."""
        return self.rank == 0

    def sum(self, x: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(x)
        return x

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Let the first process do what is within, while the others wait for it.

        If it fails, the others end too, and say nothing: one message is enough.
        """
        failed = torch.ones(1, device=self.device)
        try:
            yield
            failed.zero_()
        finally:
            # Only the first process tells; the others add nothing.
            self.sum(failed if self.first else failed.zero_())
        if failed.item():
            raise SystemExit(2)

    def mean(self, x: Tensor) -> None:
        """Replace a tensor by its mean over all processes."""
        if self.size > 1:
            distributed.all_reduce(x)
            x /= self.size

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def join(device: torch.device) -> Iterator[World]:
    """Join the processes of torchrun (its environment variables), or be alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(0, 1, device)
        return
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    if device.type == "cuda":
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    # The first process may draw clips for hours while the others wait.
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        rank=rank,
        world_size=size,
        timeout=timedelta(hours=12),
    )
    try:
        yield World(rank, size, device)
    finally:
        distributed.destroy_process_group()
