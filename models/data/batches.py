"""Which frames are seen when: a function of seed, epoch and clip, and of nothing else.

So neither a restart nor the number of processes changes the data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from annostat import AnnostatError
from models.data.store import Store


def window_start(seed: int, epoch: int | str, name: str, choices: int) -> int:
    """Return the first frame of a clip's window: uniform on 0..choices − 1, by a hash."""
    text = f"{seed}/{epoch}/{name}".encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    return number * choices >> 64


def window_frames(
    seed: int, epoch: int | str, name: str, length: int, window: int, stride: int
) -> NDArray[np.int64]:
    """Return the frames of a clip's window; a clip that is too short swings back and forth."""
    span = (window - 1) * stride + 1
    start = window_start(seed, epoch, name, max(length - span + 1, 1))
    frames = start + stride * np.arange(window)
    if length == 1:
        return np.zeros(window, dtype=np.int64)
    around = frames % (2 * length - 2)
    return np.minimum(around, 2 * length - 2 - around)


class Batches:
    """The batches of a store, for one process of several.

    Parameters
    ----------
    store : Store
    batch : int
        Clips per batch of all processes together; a store with fewer clips is one batch.
    window, stride, seed : int
    device : torch.device
        Frames and targets are moved there as uint8 if they fit, else fetched for each batch.
    rank, world : int
        This process, and how many there are.
    fixed : bool
        Validation: all clips, in order, the same windows in each epoch.
    """

    def __init__(
        self, store: Store, *, batch: int, window: int, stride: int, seed: int, device: Any = "cpu",
        rank: int = 0, world: int = 1, fixed: bool = False,
    ) -> None:  # fmt: skip
        if len(store) == 0:
            raise AnnostatError("there are no clips to train on or to validate with")
        self.store, self.window, self.stride, self.seed = store, window, stride, seed
        self.rank, self.world, self.fixed = rank, world, fixed
        self.batch = min(batch, len(store))
        if not fixed and self.batch % world:
            raise AnnostatError(
                f"train.batch must be a multiple of the {world} processes, got {self.batch} clips"
            )
        self.device = torch.device(device)
        self.frames, self.targets = self._place()

    def _place(self) -> tuple[Any, Any]:
        frames, targets = self.store.frames, self.store.targets
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info(self.device)[0]
            if frames.nbytes + targets.nbytes < 0.5 * free:
                return tuple(
                    torch.from_numpy(np.array(a)).to(self.device) for a in (frames, targets)
                )
        return frames, targets

    def __len__(self) -> int:
        """Batches in an epoch; clips that do not fill one wait for another epoch."""
        n = len(self.store)
        return -(-n // self.batch) if self.fixed else n // self.batch

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this process's share of the batches: frames (b, T, H, W), targets (b, T, K, H, W).

        Both uint8. `first` leaves out as many batches at the beginning.
        """
        n = len(self.store)
        order = np.arange(n)
        if not self.fixed:
            order = np.random.default_rng([self.seed, epoch]).permutation(n)
        for k in range(first, len(self)):
            mine = order[k * self.batch : (k + 1) * self.batch][self.rank :: self.world]
            if mine.size:
                yield self._gather(self._rows(mine, "valid" if self.fixed else epoch))

    def _rows(self, clips: NDArray[np.int64], epoch: int | str) -> NDArray[np.int64]:
        s = self.store
        return np.stack(
            [
                s.offsets[c]
                + window_frames(
                    self.seed, epoch, s.names[c], int(s.lengths[c]), self.window, self.stride
                )
                for c in clips
            ]
        )

    def _gather(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        if isinstance(self.frames, Tensor):
            index = torch.from_numpy(rows).to(self.device)
            return self.frames[index], self.targets[index]
        pair = (torch.from_numpy(a[rows]) for a in (self.frames, self.targets))
        if self.device.type == "cuda":
            pair = (a.pin_memory().to(self.device, non_blocking=True) for a in pair)
        frames, targets = pair
        return frames, targets
