"""Which frames are seen when: a function of seed, epoch and clip, and of nothing else.

So neither a restart nor the number of processes changes the data.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from annostat import AnnostatError
from models.data.augment import Augmentation, augment, uniform
from models.data.store import Store

Item = TypeVar("Item")


def window_start(seed: int, epoch: int | str, name: str, choices: int) -> int:
    """Return the first frame of a clip's window: uniform on 0..choices − 1, by a hash."""
    text = f"{seed}/{epoch}/{name}".encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
    return number * choices >> 64


def window_frames(
    seed: int,
    epoch: int | str,
    name: str,
    length: int,
    window: int,
    stride: int,
    tempo: float = 0.0,
) -> NDArray[np.int64]:
    """Return the frames of a clip's window; a clip that is too short swings back and forth.

    With `tempo` the steps from frame to frame are exp(u) times as long, u uniform between −tempo
    and tempo: the nearest frames are taken, as of a clip of another frame rate.
    """
    steps = stride * np.arange(window)
    if tempo:
        factor = np.exp(tempo * uniform(f"{seed}/{epoch}/{name}/tempo")[0])
        steps = np.rint(factor * steps).astype(np.int64)
    start = window_start(seed, epoch, name, max(length - int(steps[-1]), 1))
    return swinging(start + steps, length)


def swinging(frames: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return frames from 0 on, those beyond the clip's end turned back into it."""
    if length == 1:
        return np.zeros_like(frames)
    around = frames % (2 * length - 2)
    return np.minimum(around, 2 * length - 2 - around)


def window_around(frame: int, length: int, window: int, stride: int) -> tuple[Any, int]:
    """Return a window's frames, (window,), and which of them is the wanted one.

    Two thirds of the window come before it where the clip has them, for the states to settle.
    """
    before = max(2 * window // 3, window - 1 - (length - 1 - frame) // stride)
    before = min(before, frame // stride, window - 1)
    start = frame - before * stride
    return swinging(start + stride * np.arange(window), length), before


@dataclass(frozen=True)
class Sampling:
    """Which windows are taken: frames of one, every how many-th, the seed, clips of a batch.

    `batch` is that of all `world` processes together, of which this is number `rank`. `tempo` is
    how much the frame rate is changed at random.
    """

    batch: int
    window: int
    stride: int = 1
    seed: int = 0
    rank: int = 0
    world: int = 1
    tempo: float = 0.0


class Batches:
    """The batches of a store, for one process of several.

    Parameters
    ----------
    store : Store
        A store with fewer clips than `sampling.batch` is one batch.
    sampling : Sampling
    device : torch.device
        Frames and targets are moved there as uint8 if they fit, else fetched for each batch.
    fixed : bool
        Validation: all clips, in order, the same windows in each epoch.
    augmentation : Augmentation, optional
        Not of validation.
    """

    def __init__(
        self,
        store: Store,
        sampling: Sampling,
        *,
        device: Any = "cpu",
        fixed: bool = False,
        augmentation: Augmentation | None = None,
    ) -> None:
        if len(store) == 0:
            raise AnnostatError("there are no clips to train on or to validate with")
        if store.targets is None:
            raise AnnostatError("these clips have no targets to train on: give data.teachers")
        self.store, self.sampling, self.fixed = store, sampling, fixed
        self.augmentation = None if fixed else augmentation
        self.batch = min(sampling.batch, len(store))
        if not fixed and self.batch % sampling.world:
            raise AnnostatError(
                f"train.batch must be a multiple of the {sampling.world} processes, got "
                f"{self.batch} clips"
            )
        self.device = torch.device(device)
        self.frames, self.targets = self._place(store.frames, store.targets)

    def _place(self, *arrays: Any) -> tuple[Any, ...]:
        if self.device.type != "cuda":
            return arrays
        index = self.device.index
        free = torch.cuda.mem_get_info(torch.cuda.current_device() if index is None else index)[0]
        if sum(a.nbytes for a in arrays) >= 0.5 * free:
            return arrays
        return tuple(moved(a, self.device) for a in arrays)

    def __len__(self) -> int:
        """Batches in an epoch; clips that do not fill one wait for another epoch."""
        n = len(self.store)
        return -(-n // self.batch) if self.fixed else n // self.batch

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this process's share of the batches: frames (b, T, H, W), targets (b, T, K, H, W).

        Both uint8. `first` leaves out as many batches at the beginning.
        """
        n, s = len(self.store), self.sampling
        order = np.arange(n)
        if not self.fixed:
            order = np.random.default_rng([s.seed, epoch]).permutation(n)
        parts = [order[k * self.batch : (k + 1) * self.batch] for k in range(first, len(self))]
        shares = [part[s.rank :: s.world] for part in parts]
        shares = [clips for clips in shares if clips.size]
        if shares:
            clips = np.concatenate(shares)
            rows = self._rows(clips, "valid" if self.fixed else epoch)
            ends = np.cumsum([part.size for part in shares])[:-1]
            found = self._fetched(rows, ends)
            if self.augmentation:
                found = self._changed(found, self.augmentation, clips, ends, epoch)
            yield from found

    def _changed(
        self,
        batches: Iterator[tuple[Tensor, Tensor]],
        augmentation: Augmentation,
        clips: NDArray[np.int64],
        ends: NDArray[np.int64],
        epoch: int,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches with their random changes."""
        names = [self.store.names[c] for c in clips]
        drawn = torch.from_numpy(augmentation.draw(self.sampling.seed, epoch, names))
        parts = torch.tensor_split(drawn.to(self.device), ends.tolist())
        for (frames, targets), part in zip(batches, parts, strict=True):
            yield augment(frames, targets, part, sector=augmentation.sector > 0)

    def _fetched(
        self, rows: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield frames and targets of rows cut at `ends`."""
        if isinstance(self.frames, Tensor) and isinstance(self.targets, Tensor):
            # One copy for the whole epoch: one for each batch would wait for the GPU each time.
            index = torch.from_numpy(rows).to(self.device)
            for part in torch.tensor_split(index, ends.tolist()):
                yield self.frames[part], self.targets[part]
            return
        # Reading from disk goes on while the GPU works.
        host: Iterator[tuple[Tensor, Tensor]] = map(self._read, np.split(rows, ends))
        for frames, targets in ahead(host) if self.device.type == "cuda" else host:
            yield (
                frames.to(self.device, non_blocking=True),
                targets.to(self.device, non_blocking=True),
            )

    def _read(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        frames, targets = (torch.from_numpy(a[rows]) for a in (self.frames, self.targets))
        if self.device.type == "cuda":
            with torch.cuda.device(self.device):  # a thread begins on the first GPU
                return frames.pin_memory(), targets.pin_memory()
        return frames, targets

    def _rows(self, clips: NDArray[np.int64], epoch: int | str) -> NDArray[np.int64]:
        s, by = self.store, self.sampling
        shape = by.window, by.stride, by.tempo
        return np.stack(
            [
                s.offsets[c] + window_frames(by.seed, epoch, s.names[c], int(s.lengths[c]), *shape)
                for c in clips
            ]
        )

    def _fetch(self, array: Any, rows: NDArray[np.int64]) -> Tensor:
        if isinstance(array, Tensor):
            return array[torch.from_numpy(rows).to(self.device)]
        found = torch.from_numpy(array[rows])
        if self.device.type == "cuda":
            return found.pin_memory().to(self.device, non_blocking=True)
        return found

    def traced(self) -> Iterator[Traced]:
        """Yield this process's share of the frames that people drew on, in windows of their own."""
        s, by = self.store, self.sampling
        every = [(k, o) for k, outlines in enumerate(s.outlines) for o in outlines]
        mine = every[by.rank :: by.world]
        share = max(self.batch // by.world, 1)
        for start in range(0, len(mine), share):
            part = mine[start : start + share]
            found = [
                window_around(o.frame, int(s.lengths[k]), by.window, by.stride) for k, o in part
            ]
            rows = np.stack([s.offsets[k] + f for (k, _), (f, _) in zip(part, found, strict=True)])
            masks = torch.from_numpy(np.stack([o.mask for _, o in part])).to(self.device)
            yield Traced(
                self._fetch(self.frames, rows),
                masks,
                [at for _, at in found],
                [o.structure for _, o in part],
            )


def moved(array: NDArray[np.uint8], device: torch.device, piece: int = 1 << 28) -> Tensor:
    """Return an array on a device, copied in pieces of some bytes.

    So the host never holds all of it, however many processes do the same.
    """
    out = torch.empty(array.shape, dtype=torch.uint8, device=device)
    rows = max(1, piece // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        out[start : start + rows] = torch.from_numpy(np.array(array[start : start + rows]))
    return out


def ahead(items: Iterator[Item], depth: int = 2) -> Iterator[Item]:
    """Yield what an iterator yields, made by a thread that is a few items ahead."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Any]] = deque()
        end = object()

        def ask() -> None:
            waiting.append(pool.submit(next, items, end))

        for _ in range(depth):
            ask()
        while (found := waiting.popleft().result()) is not end:
            ask()
            yield found


@dataclass(frozen=True)
class Traced:
    """Windows around frames that people drew on.

    Attributes
    ----------
    frames : uint8 tensor of shape (b, T, H, W)
    masks : uint8 tensor of shape (b, H, W)
        What was drawn, 255 inside.
    at : list of int
        Which frame of the window it is.
    structures : list of str
    """

    frames: Tensor
    masks: Tensor
    at: list[int]
    structures: list[str]
