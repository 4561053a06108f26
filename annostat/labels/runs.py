"""Masks of marks as runs of pixels: as small as COCO's, and their overlap without any image.

Pixels are numbered down the columns, from 0, as in COCO's run lengths. A mask is the runs of
pixels that it holds, begin to end (not included), in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, IntArray
from annostat.errors import AnnostatError

PIECE = 2_000_000  # runs that are compared at once


@dataclass(frozen=True, eq=False)
class Runs:
    """The masks of marks, one after the other.

    Attributes
    ----------
    begin, end : int64 arrays of shape (n_runs,)
    first : int64 array of shape (n_marks + 1,)
        Where the runs of each mask begin, and where the last one's end.
    """

    begin: IntArray
    end: IntArray
    first: IntArray

    @classmethod
    def of(cls, masks: Sequence[tuple[IntArray, IntArray]]) -> Runs:
        """Return the masks whose begins and ends are given.

        Examples
        --------
        >>> import numpy as np
        >>> square = np.array([0, 10]), np.array([2, 12])
        >>> Runs.of([square]).areas.tolist()
        [4]
        """
        none = [np.zeros(0, dtype=np.int64)]
        begin, end = (np.concatenate([m[at] for m in masks] or none) for at in (0, 1))
        count = np.array([len(m[0]) for m in masks], dtype=np.int64)
        return cls(
            begin.astype(np.int64),
            end.astype(np.int64),
            np.r_[0, np.cumsum(count)].astype(np.int64),
        )

    @classmethod
    def of_image(cls, mask: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
        """Return begins and ends of one mask of shape (height, width)."""
        flat = np.asarray(mask, dtype=bool).ravel(order="F").astype(np.int8)
        edge = np.diff(np.r_[0, flat, 0])
        return np.flatnonzero(edge > 0), np.flatnonzero(edge < 0)

    def __len__(self) -> int:
        return len(self.first) - 1

    @cached_property
    def areas(self) -> IntArray:
        """Pixels of each mask."""
        total = np.r_[0, np.cumsum(self.end - self.begin)]
        return np.asarray(total[self.first[1:]] - total[self.first[:-1]])

    def take(self, rows: IntArray) -> Runs:
        """Return some of the masks."""
        count = np.diff(self.first)[rows]
        ends = np.cumsum(count)
        at = np.repeat(self.first[rows] - (ends - count), count) + np.arange(int(count.sum()))
        return Runs(self.begin[at], self.end[at], np.r_[0, ends].astype(np.int64))

    def joined(self, other: Runs) -> Runs:
        """Return these masks and those of another one behind them."""
        return Runs(
            np.r_[self.begin, other.begin],
            np.r_[self.end, other.end],
            np.r_[self.first, self.first[-1] + other.first[1:]],
        )

    def shared(self, i: IntArray, j: IntArray) -> IntArray:
        """Return how many pixels two masks of a pair have in common, for many pairs."""
        count = np.diff(self.first)[i]
        found = np.zeros(len(i), dtype=np.int64)
        total = np.cumsum(count)
        below = self._below
        start = 0
        while start < len(i):  # in pieces, so that memory stays small
            done = int(total[start - 1]) if start else 0
            stop = max(int(np.searchsorted(total, done + PIECE, side="right")), start + 1)
            n = count[start:stop]
            pair = np.repeat(np.arange(stop - start), n)
            at = np.repeat(self.first[i[start:stop]] - (np.cumsum(n) - n), n) + np.arange(len(pair))
            of = j[start:stop][pair]
            inside = below(of, self.end[at]) - below(of, self.begin[at])
            found[start:stop] = np.rint(np.bincount(pair, inside, stop - start))
            start = stop
        return found

    @cached_property
    def _below(self) -> Callable[[IntArray, IntArray], IntArray]:
        """Return a function of masks and pixels: how many pixels of each come before it."""
        wide = int(self.end.max(initial=0)) + 1
        key = np.repeat(np.arange(len(self)), np.diff(self.first)) * wide + self.begin
        total = np.r_[0, np.cumsum(self.end - self.begin)]

        def below(of: IntArray, pixel: IntArray) -> IntArray:
            # Runs that begin before the pixel count, but for what the last has beyond it.
            last = np.searchsorted(key, of * wide + pixel, side="left")
            beyond = np.maximum(self.end[last - 1] - pixel, 0)
            beyond = np.where(last > self.first[of], beyond, 0)
            return np.asarray(total[last] - total[self.first[of]] - beyond)

        return below

    @property
    def moments(self) -> IntArray:
        """Numbers that differ between masks, int64 of shape (n_marks, 3)."""
        parts = np.column_stack([self.end - self.begin, self.begin, self.begin * self.end % 104729])
        total = np.vstack([np.zeros((1, 3), dtype=np.int64), np.cumsum(parts, axis=0)])
        return np.asarray(total[self.first[1:]] - total[self.first[:-1]])

    def arrays(self) -> tuple[IntArray, IntArray, IntArray]:
        """Return what a hash is made of."""
        return self.begin, self.end, self.first

    def check(self, n_marks: int) -> None:
        """Refuse masks that are not as many as the marks, or one without a pixel."""
        if len(self) != n_marks:
            raise AnnostatError(f"masks must be {n_marks}, one for each mark, got {len(self)}")
        if (self.areas <= 0).any():
            raise AnnostatError(f"mask {int(np.flatnonzero(self.areas <= 0)[0])} has no pixel")


def overlap_distance(runs: Runs, i: IntArray, j: IntArray) -> FloatArray:
    """Return 1 − IoU of the masks of pairs."""
    areas, both = runs.areas, runs.shared(i, j)
    return np.asarray(1 - both / (areas[i] + areas[j] - both))
