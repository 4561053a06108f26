"""Signs of a broken clip, measured while it is decoded: one pass, memory of one frame.

Signs are numbers, not verdicts: `verdicts` holds them against `Limits`. They are taken from every
k-th pixel of every k-th row, k such that the shorter side keeps about 56 of them: a clip that is
broken is broken there too, and the signs then cost a fraction of decoding.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIGNS_VERSION", "Meter"]

SIGNS_VERSION = 1  # a journal of another version is not resumed
SIDE = 56
CELLS = 14  # side of the thumbnails

BLACK_BELOW = 24  # no pixel of a black frame is brighter
FLAT_WITHIN = 8  # range of the grey values of a constant frame
SATURATED_SHARE = 0.3  # of the pixels are at least 250
STILL = 0.05  # mean grey levels that a repeated frame differs by, at most

Bytes = NDArray[np.uint8]
FloatArray = NDArray[np.float64]


class Meter:
    """Takes the frames of a clip one at a time, and returns its signs."""

    def __init__(self) -> None:
        from annostat.datasets.audit.kernels import add_frame

        self._add = add_frame
        self._facts: list[tuple[int, int, int, int]] = []
        self._row_steps: list[FloatArray] = []

    def add(self, frame: Bytes) -> None:
        """Take a frame, uint8 of shape (height, width); all frames have one shape."""
        if not self._facts:
            self._shape = frame.shape
            self._step = step = max(1, round(min(frame.shape) / SIDE))
            self._last = frame[::step, ::step].copy()
            self._new = np.empty_like(self._last)
            self._total, self._motion = np.zeros((2, *self._last.shape), np.int32)
        row_steps = np.empty(len(self._last) - 1)
        facts = self._add(
            frame, self._step, self._last, self._new, self._total, self._motion, row_steps
        )
        self._facts.append(facts)
        self._row_steps.append(row_steps)
        self._last, self._new = self._new, self._last

    def signs(self) -> dict[str, Any]:
        """Return the signs of the frames that were taken.

        Returns
        -------
        dict
            JSON-ready. n_frames; height, width; level (mean grey value); black, flat, saturated:
            [number of such frames, the first one]; frozen: [longest run of repeated frames, where
            it starts]; jump: [largest change between neighbours over their 90% quantile, its
            frame, grey levels]; torn: [excess of one row step over the clip's noise of row steps,
            frame, row]; thumb, motion: 14 × 14 bytes as hexadecimal digits, the mean frame and
            mean change.
        """
        if not self._facts:
            return {"n_frames": 0}
        n, n_pixels = len(self._facts), self._last.size
        low, high, bright, change = np.array(self._facts).T
        black = high < BLACK_BELOW
        flat = (high - low < FLAT_WITHIN) & ~black
        saturated = (bright > SATURATED_SHARE * n_pixels) & ~flat
        odd = black | flat | saturated
        levels = change[1:] / n_pixels
        still = levels < STILL
        run, start = longest_run(still & ~odd[1:])
        return {
            "n_frames": n,
            "height": self._shape[0],
            "width": self._shape[1],
            "level": round(float(self._total.mean()) / n, 3),
            "black": _count(black),
            "flat": _count(flat),
            "saturated": _count(saturated),
            "frozen": [run, start],
            "jump": _jump(levels, still, odd),
            "torn": _tear(np.array(self._row_steps), odd, self._step),
            "thumb": thumbnail(self._total / n),
            "motion": thumbnail(self._motion / max(n - 1, 1)),
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
    step has beyond its own mean over time is a tear where it stands alone in its frame: the
    largest excess less the next one that is not its neighbour, over the root mean square of all.
    """
    if len(steps) < 4 or steps.shape[1] < 8 or odd.all():
        return [0.0, 0, 0]
    n, n_rows = steps.shape
    excess = steps - steps.mean(axis=0)
    excess[odd] = 0.0
    frames = np.arange(n)
    row = excess.argmax(axis=1)
    top = excess[frames, row]
    rest = np.full((n, n_rows + 2), -np.inf)
    rest[:, 1:-1] = excess
    for shift in range(3):  # the row and its neighbours
        rest[frames, row + shift] = -np.inf
    alone = top - np.maximum(rest.max(axis=1), 0)
    k = int(alone.argmax())
    # Not a quantile: walls that move make a long tail, and one tear moves the mean by little.
    noise = math.sqrt(np.vdot(excess, excess) / excess.size) + 0.5
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
