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
    int64 array: number of core parameters, abandonment (0 none, 1 independent, 2 shared), number
    of raters with a law of their own, whether to normalise, tail index, whether abandoned
    picks follow the triangle of the clip's length (1) or the uniform law (0).
data
    What `pack` makes of: z (picks of all cells, from 0 up), rater (of each pick), start (first pick
    of each cell, and the end), group (of each cell), count, extra (see `evaluate`), span (largest
    z of each cell), period, base (2W + 1, or the clip length), share (of the readings) and
    support (S) of each group. Two arrays and not eleven: handing them on is most of what the
    compiler would be busy with.
"""

from __future__ import annotations

import functools
from typing import Any

import numba as nb
import numpy as np

from annostat.jit import first_class, njit

FLAGS: dict[str, Any] = {
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    "error_model": "numpy",
}
MAX_STEPS = 200
PROFILE_GAIN = 1e-5  # a profile is maximised up to so much log-likelihood
TINY = 1e-300  # a probability never goes below this, so that its logarithm exists
FILL = nb.types.void(nb.float64[::1], nb.float64[::1], nb.float64[:, ::1])
_FUNCTION, _TUPLE = nb.types.FunctionType, nb.types.Tuple
NUMBERS, VECTOR, MATRIX = nb.int64[::1], nb.float64[::1], nb.float64[:, ::1]
DATA = _TUPLE([NUMBERS, VECTOR])
CELLS = _TUPLE([NUMBERS, NUMBERS, NUMBERS, VECTOR, VECTOR, nb.int64, nb.int64])
# Of `evaluate` and `mean_error`: fill, spec, u, data and the gradient to write.
POINT = nb.float64(_FUNCTION(FILL), NUMBERS, VECTOR, DATA, VECTOR)
# Of `maximise`: fill, like, size, spec, u, data, target, low, high, metric, tolerance, beat.
CLIMB = _TUPLE([nb.float64, nb.boolean])(
    _FUNCTION(FILL), _FUNCTION(POINT), _FUNCTION(POINT), NUMBERS, VECTOR, DATA,
    nb.float64, VECTOR, VECTOR, MATRIX, nb.float64, nb.float64,
)  # fmt: skip


@njit(**FLAGS)
def call_fill(fill, theta, w, dw):
    """Run a compiled `fill`; called from Python directly, it would run uncompiled."""
    fill(theta, w, dw)


@njit(**FLAGS)
def call_point(function, fill, spec, u, data, slopes):
    """Run a compiled function of the signature `POINT`."""
    return function(fill, spec, u, data, slopes)


@njit(**FLAGS)
def call_climb(fill, like, size, climb, spec, u, data, target, low, high, metric, tolerance):
    """Run a compiled function of the signature `CLIMB`."""
    return climb(fill, like, size, spec, u, data, target, low, high, metric, tolerance, -np.inf)


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


def pack(
    z: Any, rater: Any, start: Any, group: Any, count: Any, extra: Any, span: Any, period: Any,
    base: Any, share: Any, support: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Return the kernels' `data`: all whole numbers after their sizes, and all others."""
    sizes = [z.size, group.size, period.size]
    whole = np.concatenate([sizes, z, rater, start, group, span, base, support], dtype=np.int64)
    return whole, np.concatenate([count, extra, period, share], dtype=np.float64)


@njit(**FLAGS)
def unpack(data):
    """Return views of the parts of `data`, in the order of the arguments of `pack`."""
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
    return z, rater, start, group, count, extra, span, period, base, share, support


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
