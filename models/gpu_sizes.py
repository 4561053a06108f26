"""How large the parts of `models.gpu_check` are, and what they return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from models.config import Config
from models.data.settings import Data
from models.network.settings import Net, Train

Rows = list[dict[str, Any]]
Part = Callable[["Size", torch.device], Rows]


@dataclass(frozen=True)
class Size:
    """How large the parts are: a whole student, or one that a CPU checks in seconds."""

    blocks: int
    layers: int
    batch: int
    window: int
    sizes: tuple[int, ...]
    repeats: int
    steps: int
    clips: int
    length: int

    def config(self, size: int | None = None, *, blocks: int = 0, layers: int = 0) -> Config:
        """Return the settings of a student of this size."""
        return Config(
            Data(size=size or self.sizes[0]),
            Net(blocks=blocks or self.blocks, layers=layers or self.layers),
            Train(batch=self.batch, window=self.window, schedule="cosine"),
        )


WHOLE = Size(3, 3, 32, 25, (112, 56), 12, 40, 512, 100)
TINY = Size(2, 1, 2, 3, (16,), 1, 6, 8, 12)
