"""Signs of a broken clip, measured while it is decoded: one pass, memory of one block of frames.

Signs are numbers, not verdicts: `verdicts` holds them against `Limits`. They are taken from every
k-th pixel of every k-th row, k such that the shorter side keeps about 56 of them: a clip that is
broken is broken there too, and the signs then cost a fraction of decoding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIGNS_VERSION", "measure_frames"]

SIGNS_VERSION = 1  # a journal of another version is not resumed
SIDE = 56
CELLS = 14  # side of the thumbnails
BLOCK = 64  # frames held at once
BLOCK_BYTES = 1 << 24

BLACK_BELOW = 24  # no pixel of a black frame is brighter
FLAT_WITHIN = 8  # range of the grey values of a constant frame
SATURATED_FROM, SATURATED_SHARE = 250, 0.3
STILL = 0.05  # mean grey levels that a repeated frame differs by, at most

Bytes = NDArray[np.uint8]
FloatArray = NDArray[np.float64]


@dataclass
class _Series:
    """What is kept of each frame."""

    low: list[Bytes] = field(default_factory=list)
    high: list[Bytes] = field(default_factory=list)
    saturated: list[FloatArray] = field(default_factory=list)
    change: list[FloatArray] = field(default_factory=list)
    tear: list[FloatArray] = field(default_factory=list)
    total: Any = 0
    motion: Any = 0
    last: Bytes | None = None


def measure_frames(frames: Iterable[NDArray[Any]]) -> dict[str, Any]:
    """Return the signs of a clip.

    Parameters
    ----------
    frames : iterable of uint8 arrays of shape (height, width)
        Taken one at a time.

    Returns
    -------
    dict
        JSON-ready. n_frames; height, width; level (mean grey value); black, flat, saturated:
        [number of such frames, the first one]; frozen: [longest run of repeated frames, where it
        starts]; jump: [largest change between neighbours over their 90% quantile, its frame, grey
        levels]; torn: [excess of one row step over the clip's noise of row steps, frame, row];
        thumb, motion: 14 × 14 bytes as hexadecimal digits, the mean frame and mean change.
    """
    series = _Series()
    block: Bytes | None = None
    used = count = 0
    height = width = step = 0
    for frame in frames:
        if block is None:
            height, width = frame.shape
            step = max(1, round(min(height, width) / SIDE))
            shape = frame[::step, ::step].shape
            depth = max(2, min(BLOCK, BLOCK_BYTES // (shape[0] * shape[1])))
            block = np.empty((depth, *shape), np.uint8)
        if used == len(block):
            _digest(series, block)
            used = 0
        block[used] = frame[::step, ::step]
        used += 1
        count += 1
    if block is None:
        return {"n_frames": 0}
    _digest(series, block[:used])
    return {"n_frames": count, "height": height, "width": width, **_summary(series, count, step)}


def _digest(series: _Series, block: Bytes) -> None:
    """Add a block of frames, uint8 of shape (n, rows, columns), to the series."""
    n, rows, columns = block.shape
    flat = block.reshape(n, -1)
    series.low.append(flat.min(axis=1))
    series.high.append(flat.max(axis=1))
    bright = np.zeros(n)
    # Most clips hold no saturated pixel at all, which the maximum tells.
    for i in np.flatnonzero(series.high[-1] >= SATURATED_FROM):
        bright[i] = np.count_nonzero(flat[i] >= SATURATED_FROM) / flat.shape[1]
    series.saturated.append(bright)
    if series.last is not None:
        both = np.concatenate([series.last[None], block])
    else:
        both = block
    change = _gap(both[1:], both[:-1])
    series.change.append(change.reshape(len(change), -1).sum(axis=1, dtype=np.uint32) / rows
                         / columns)  # fmt: skip
    series.motion = series.motion + change.sum(axis=0, dtype=np.uint32)
    series.total = series.total + block.sum(axis=0, dtype=np.uint32)
    series.tear.append(_gap(block[:, 1:], block[:, :-1]).sum(axis=2, dtype=np.uint32) / columns)
    series.last = block[-1].copy()


def _gap(a: Bytes, b: Bytes) -> Bytes:
    """Return |a − b| without leaving uint8."""
    larger = np.maximum(a, b)
    larger -= np.minimum(a, b)
    return larger


def _summary(series: _Series, count: int, step: int) -> dict[str, Any]:
    low, high = np.concatenate(series.low).astype(int), np.concatenate(series.high).astype(int)
    black = high < BLACK_BELOW
    flat = (high - low < FLAT_WITHIN) & ~black
    saturated = (np.concatenate(series.saturated) > SATURATED_SHARE) & ~flat
    odd = black | flat | saturated
    change = np.concatenate(series.change)
    still = change < STILL
    run, start = longest_run(still & ~odd[1:])
    cells = series.total / count
    return {
        "level": round(float(cells.mean()), 3),
        "black": _count(black),
        "flat": _count(flat),
        "saturated": _count(saturated),
        "frozen": [run, start],
        "jump": _jump(change, still, odd),
        "torn": _tear(np.concatenate(series.tear), odd, step),
        "thumb": thumbnail(cells),
        "motion": thumbnail(series.motion / max(count - 1, 1)),
    }


def _count(which: NDArray[np.bool_]) -> list[int]:
    return [int(which.sum()), int(which.argmax())]


def longest_run(which: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the length and the start of the longest run of True; (0, 0) if there is none."""
    edges = np.flatnonzero(np.diff(which.astype(np.int8), prepend=0, append=0))
    if not edges.size:
        return 0, 0
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    k = int(lengths.argmax())
    return int(lengths[k]), int(starts[k])


def _jump(change: FloatArray, still: NDArray[np.bool_], odd: NDArray[np.bool_]) -> list[float]:
    """Return the largest change over the 90% quantile, the frame after it, and its size."""
    # A change to or from a black frame, and the one that ends a standstill, are told elsewhere.
    plain = ~(still | odd[1:] | odd[:-1])
    after_still = np.zeros_like(still)
    after_still[1:] = still[:-1]
    candidates = np.flatnonzero(plain & ~after_still)
    if candidates.size < 4:
        return [0.0, 0, 0.0]
    values = change[candidates]
    k = int(values.argmax())
    # Not the median: the key frames of a codec, and the beat, make a tenth of changes large.
    ratio = float(values[k] / np.quantile(values, 0.9))
    return [round(ratio, 3), int(candidates[k]) + 1, round(float(values[k]), 3)]


def _tear(steps: FloatArray, odd: NDArray[np.bool_], step: int) -> list[float]:
    """Return by how much one row step of one frame stands out, its frame and its row.

    `steps` holds the mean change from each row to the next, shape (frames, rows − 1). What a row
    step has beyond its own median over time is a tear where it stands alone in its frame: the
    largest excess less the next one that is not its neighbour, over the root mean square of all.
    """
    if len(steps) < 4 or steps.shape[1] < 8 or odd.all():
        return [0.0, 0, 0]
    excess = steps - np.median(steps, axis=0)
    excess[odd] = 0.0
    frames = np.arange(len(steps))
    row = excess.argmax(axis=1)
    top = excess[frames, row]
    rest = excess.copy()
    for shift in (-1, 0, 1):
        rest[frames, np.clip(row + shift, 0, steps.shape[1] - 1)] = -np.inf
    alone = top - np.maximum(rest.max(axis=1), 0)
    k = int(alone.argmax())
    # Not the median: walls that move make a long tail, and one tear moves the mean by little.
    noise = float(np.sqrt((excess**2).mean())) + 0.5
    return [round(float(alone[k]) / noise, 3), k, (int(row[k]) + 1) * step]


def thumbnail(image: FloatArray) -> str:
    """Return the means of 14 × 14 cells, rounded to bytes, as hexadecimal digits."""
    # Rows and columns are spread over the cells as evenly as whole pixels allow.
    rows, columns = (_averages(n) for n in image.shape)
    cells = rows @ image @ columns.T
    return bytes(np.clip(np.rint(cells), 0, 255).astype(np.uint8)).hex()


_WEIGHTS: dict[int, FloatArray] = {}


def _averages(n: int) -> FloatArray:
    if n not in _WEIGHTS:
        position = np.arange(CELLS * n).reshape(CELLS, n) // CELLS
        weights = np.zeros((CELLS, n))
        for cell in range(CELLS):
            np.add.at(weights[cell], position[cell], 1.0 / n)
        _WEIGHTS[n] = weights
    return _WEIGHTS[n]


def read_thumbnail(text: str) -> NDArray[np.float32]:
    """Return a thumbnail as float32 of shape (14, 14)."""
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(CELLS, CELLS).astype(np.float32)
