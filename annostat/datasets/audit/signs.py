"""Signs of a broken clip, measured while it is decoded: one pass, memory of one frame.

Signs are numbers, not verdicts: `verdicts` holds them against `Limits`. They are taken from every
k-th pixel of every k-th row, k such that the shorter side keeps about 56 of them: a clip that is
broken is broken there too, and the signs then cost a fraction of decoding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import Bytes, FloatArray

__all__ = ["SIGNS_VERSION", "Meter"]

SIGNS_VERSION = 3  # a journal of another version is not resumed
SIDE = 56
CELLS = 14  # side of the thumbnails

ROOM = 32  # frames that are looked at together

IntArray = NDArray[np.int32]


class Meter:
    """Takes the frames of a clip one at a time, and returns its signs."""

    def __init__(self) -> None:
        from annostat.datasets.audit import kernels

        self._kernels = kernels
        self._n = self._waiting = 0
        self._facts: list[IntArray] = []
        self._row_steps: list[IntArray] = []

    def add(self, frame: Bytes) -> None:
        """Take a frame, uint8 of shape (height, width); all frames have one shape."""
        if self._n == 0:
            self._begin(frame)
        self._n += 1
        self._waiting += 1
        self._stack[self._waiting] = frame[:: self._step, :: self._step]
        if self._waiting == ROOM:
            self._look()

    def _begin(self, frame: Bytes) -> None:
        self._shape = frame.shape
        self._step = step = max(1, round(min(frame.shape) / SIDE))
        first = frame[::step, ::step]
        self._stack = np.empty((ROOM + 1, *first.shape), np.uint8)  # the last frame, and new ones
        self._stack[0] = first
        self._sums = np.zeros((2, *first.shape), np.int32)  # of grey values, of their changes

    def _look(self) -> None:
        facts, row_steps = self._kernels.add_frames(self._stack, self._waiting, self._sums)
        self._facts.append(facts)
        self._row_steps.append(row_steps)
        self._stack[0] = self._stack[self._waiting]
        self._waiting = 0

    def signs(self) -> dict[str, Any]:
        """Return the signs of the frames that were taken.

        Returns
        -------
        dict
            JSON-ready. n_frames; height, width; black, flat, saturated:
            [number of such frames, the first one]; frozen: [longest run of repeated frames, where
            it starts]; jump: [largest change between neighbours over their 90% quantile, its
            frame, grey levels]; torn: [excess of one row step over the clip's noise of row steps,
            frame, row]; thumb, motion: 14 × 14 bytes as hexadecimal digits, the mean frame and
            mean change.
        """
        n = self._n
        if n == 0:
            return {"n_frames": 0}
        if self._waiting:
            self._look()
        facts, row_steps = np.concatenate(self._facts), np.concatenate(self._row_steps)
        rows, columns = self._sums.shape[1:]
        odd, still, counts, firsts, *frozen = self._kernels.find_odd(facts, rows * columns)
        ratio, changed, size = self._kernels.find_jump(facts, odd, still)
        tear, broken, row, noise = self._kernels.find_tear(row_steps, odd)
        mean, motion = cell_means(self._sums) / np.array([[[n]], [[max(n - 1, 1)]]])
        black, flat, saturated = zip(counts.tolist(), firsts.tolist(), strict=True)
        return {
            "n_frames": n,
            "height": self._shape[0],
            "width": self._shape[1],
            "black": list(black),
            "flat": list(flat),
            "saturated": list(saturated),
            "frozen": frozen,
            "jump": [round(ratio, 3), changed, round(size / (rows * columns), 3)],
            "torn": [round(tear / (noise + columns / 2), 3), broken, row * self._step],
            "thumb": write_thumbnail(mean),
            "motion": write_thumbnail(motion),
        }


def cell_means(images: NDArray[Any]) -> FloatArray:
    """Return the means of 14 × 14 cells of each image; all cells have the same area."""
    rows, columns = (_averages(n) for n in images.shape[1:])
    return np.asarray(rows @ images.astype(np.float64) @ columns.T)


def write_thumbnail(cells: FloatArray) -> str:
    """Return cells from 0 to 255, rounded to bytes, as hexadecimal digits."""
    return np.rint(cells).astype(np.uint8).tobytes().hex()


_WEIGHTS: dict[int, FloatArray] = {}


def _averages(n: int) -> FloatArray:
    """Return weights of n pixels in 14 cells: a pixel that lies in two is shared out."""
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
