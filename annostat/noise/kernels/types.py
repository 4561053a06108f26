"""The likelihood of differences between rounds, and its maximiser, compiled by numba.

Arrays of float64 and int64 go in and out; nothing is validated, nothing is random. Each kernel
has a plain twin in ``tests/naive.py``. All release the interpreter lock.

Words used here
---------------
cell
    A pattern of differences that occurs in the data: the picks of an item less their smallest one.
    With two rounds a cell is one |d|.
group
    Items that share a period and a clip length; each has its own law in frames.
u
    Coordinates of the maximiser: logarithms of the core's parameters, then the abandonment rate
    (if there is abandonment), then the logarithms of the raters' scales relative to the first.
spec
    int64 array: number of core parameters, whether there is an abandonment rate, number of raters
    with a law of their own, whether to normalise, tail index, whether abandoned picks follow the
    triangle of the clip's length (1) or the uniform law (0).
data
    What `pack` makes of `Parts`. Two arrays and not thirteen: handing them on is most of what the
    compiler would be busy with.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numba as nb
import numpy as np

from annostat.jit import first_class, njit

FLAGS: dict[str, Any] = {
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    "error_model": "numpy",
}
# Of kernels that one or two others call: compiled as part of their text, and not by themselves too.
INLINED: dict[str, Any] = {**FLAGS, "inline": "always"}
MAX_STEPS = 200
SCAN_GAIN = 1e-7  # log-likelihood to which each window is maximised; the best one further
PROFILE_GAIN = 1e-5  # a profile is maximised up to so much log-likelihood
TINY = 1e-300  # a probability never goes below this, so that its logarithm exists
FILL = nb.types.void(nb.float64[::1], nb.float64[::1], nb.float64[:, ::1])
_FUNCTION, _TUPLE, _NAMED = nb.types.FunctionType, nb.types.Tuple, nb.types.NamedTuple
NUMBERS, VECTOR, MATRIX = nb.int64[::1], nb.float64[::1], nb.float64[:, ::1]
DATA = _TUPLE([NUMBERS, VECTOR])


class Parts(NamedTuple):
    """What `data` is packed from."""

    z: Any  # int64, picks of all cells, from 0 up
    rater: Any  # int64, of each pick
    start: Any  # int64, first pick of each cell, and the end
    group: Any  # int64, of each cell
    count: Any  # float64, of each cell
    extra: Any  # float64, of each cell: see `evaluate`
    span: Any  # int64, largest z of each cell
    period: Any  # float64, of each group
    base: Any  # int64, of each group: 2W + 1, or the clip length
    share: Any  # float64, of the readings in each group
    support: Any  # int64, S of each group
    alone: float  # share of ε of raters who give up by themselves
    together: float  # share of ε of raters who give up together


class Cells(NamedTuple):
    """The cells of one group, and the constant part of their probabilities."""

    z: Any
    rater: Any
    start: Any
    count: Any
    constant: Any  # float64, added to each cell's probability
    slope: Any  # float64, its derivative by the abandonment rate
    logs: Any  # float64, room for the logarithm of each cell's probability
    first: int
    last: int


class Points(NamedTuple):
    """The core's law, the likelihood and E|X|, compiled, as kernels are handed them."""

    fill: Any
    like: Any
    size: Any


class Calls(NamedTuple):
    """The compiled functions of a problem: its points, and the maximiser."""

    points: Points
    climb: Any


class Space(NamedTuple):
    """Where the maximiser searches: settings, data, and the limits of the coordinates."""

    spec: Any
    data: Any
    low: Any
    high: Any


class Goal(NamedTuple):
    """What the maximiser searches for, and when it stops; see `maximise`."""

    target: float
    tolerance: float
    beat: float


class Walk(NamedTuple):
    """Which profile is walked along, from where, how far and down to what."""

    start: float
    step: float
    bottom: float
    held: int  # a coordinate, or −1 for log E|X|
    top: float
    half: float


class Warm(NamedTuple):
    """Solutions and metrics for each window, and the window that refits begin with (or −1)."""

    starts: Any
    metrics: Any
    windows: Any
    first: int


CELLS = _NAMED([NUMBERS] * 3 + [VECTOR] * 4 + [nb.int64] * 2, Cells)
# Of `evaluate` and `mean_error`: fill, spec, u, data and the gradient to write.
POINT = nb.float64(_FUNCTION(FILL), NUMBERS, VECTOR, DATA, VECTOR)
POINTS = _NAMED([_FUNCTION(FILL), _FUNCTION(POINT), _FUNCTION(POINT)], Points)
SPACE = _NAMED([NUMBERS, DATA, VECTOR, VECTOR], Space)
GOAL = nb.types.NamedUniTuple(nb.float64, 3, Goal)  # as numba calls three of one type
# Of `maximise`: points, space, u, metric, goal.
CLIMB = _TUPLE([nb.float64, nb.boolean])(POINTS, SPACE, VECTOR, MATRIX, GOAL)
CALLS = _NAMED([POINTS, _FUNCTION(CLIMB)], Calls)
WALK = _NAMED([nb.float64, nb.float64, nb.float64, nb.int64, nb.float64, nb.float64], Walk)
WARM = _NAMED([MATRIX, nb.float64[:, :, ::1], NUMBERS, nb.int64], Warm)


@njit(**FLAGS)
def call_fill(fill, theta, w, dw):
    """Run a compiled `fill`; called from Python directly, it would run uncompiled."""
    fill(theta, w, dw)


@njit(**FLAGS)
def call_point(function, fill, spec, u, data, slopes):
    """Run a compiled function of the signature `POINT`."""
    return function(fill, spec, u, data, slopes)


@njit(**FLAGS)
def call_climb(calls, space, u, metric, goal):
    """Run a compiled function of the signature `CLIMB`."""
    return calls.climb(calls.points, space, u, metric, goal)


class Entry:
    """A kernel that others are handed as an argument, compiled when first used.

    Linked into each function above it, it would be optimised half a dozen times.
    """

    def __init__(self, signature: Any, function: Any) -> None:
        self.signature, self.function = signature, function
        functools.update_wrapper(self, function)

    @functools.cached_property
    def compiled(self) -> Any:
        """What kernels are handed."""
        return first_class(self.signature, **FLAGS)(self.function)

    def __call__(self, *arguments: Any) -> Any:
        """Call one of the signature `POINT` from Python."""
        return call_point(self.compiled, *arguments)


def entry(signature: Any) -> Any:
    """Decorate a function to be an `Entry` of a signature."""
    return functools.partial(Entry, signature)


def pack(parts: Parts) -> tuple[Any, Any]:
    """Return the kernels' `data`: all whole numbers after their sizes, and all others."""
    p = parts
    sizes = [p.z.size, p.group.size, p.period.size]
    whole = [sizes, p.z, p.rater, p.start, p.group, p.span, p.base, p.support]
    real = [p.count, p.extra, p.period, p.share, [p.alone, p.together]]
    return np.concatenate(whole, dtype=np.int64), np.concatenate(real, dtype=np.float64)


@njit(**FLAGS)
def unpack(data):
    """Return `Parts` whose arrays are views of `data`."""
    whole, real = data
    n, m, g = whole[0], whole[1], whole[2]
    z, rater = whole[3 : 3 + n], whole[3 + n : 3 + 2 * n]
    at = 3 + 2 * n
    start = whole[at : at + m + 1]
    at += m + 1
    group, span = whole[at : at + m], whole[at + m : at + 2 * m]
    at += 2 * m
    base, support = whole[at : at + g], whole[at + g : at + 2 * g]
    count, extra = real[:m], real[m : 2 * m]
    period, share = real[2 * m : 2 * m + g], real[2 * m + g : 2 * m + 2 * g]
    alone, together = real[2 * m + 2 * g], real[2 * m + 2 * g + 1]
    return Parts(
        z, rater, start, group, count, extra, span, period, base, share, support, alone, together
    )


@njit(**FLAGS)
def set_window(data, window):
    """Set the base of every group to that of a window, in place."""
    whole, groups = data[0], data[0][2]
    for i in range(whole.size - 2 * groups, whole.size - groups):
        whole[i] = 2 * window + 1


@njit(**FLAGS)
def copy_into(source, target):
    """Copy a vector; assigning slices would compile the text of a shape error each time."""
    for i in range(source.size):
        target[i] = source[i]


@njit(**FLAGS)
def set_diagonal(matrix, value):
    """Set a matrix to a multiple of the identity."""
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            matrix[i, j] = value if i == j else 0.0
