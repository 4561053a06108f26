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
import math
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


@njit(**FLAGS)
def digamma(x):
    """Return the logarithmic derivative of the gamma function, x > 0 (A&S 6.3.5, 6.3.18)."""
    value = 0.0
    while x < 8.0:
        value -= 1.0 / x
        x += 1.0
    y = 1.0 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
    return value + math.log(x) - 0.5 / x - series


@njit(**FLAGS)
def core_law(fill, spec, u, offset, period, support, pmf, slopes):
    """Write the core's pmf on 0..S and its derivatives by u; return E|X|, and its slopes.

    The mass of a power tail beyond S enters E|X| through its exponent.
    """
    n = spec[0]
    theta = np.empty(n)
    for j in range(n):
        theta[j] = math.exp(u[j])
    theta[0] *= math.exp(offset) / period
    fill(theta, pmf, slopes)
    total = pmf[0]
    for x in range(1, support + 1):
        total += 2.0 * pmf[x]
    if spec[3] == 1:
        for x in range(support + 1):
            pmf[x] /= total
    mae = 0.0
    for x in range(1, support + 1):
        mae += 2.0 * x * pmf[x]
    mae_slopes = np.empty(n)
    for j in range(n):
        moved = slopes[j, 0]
        for x in range(1, support + 1):
            moved += 2.0 * slopes[j, x]
        slope = 0.0
        for x in range(support + 1):
            if spec[3] == 1:
                slopes[j, x] = (slopes[j, x] / total - pmf[x] * moved / total) * theta[j]
            else:
                slopes[j, x] *= theta[j]
            slope += 2.0 * x * slopes[j, x]
        mae_slopes[j] = slope
        if spec[4] >= 0:
            exponent = theta[spec[4]]
            reach = (support + 1.0) * exponent / (exponent - 1.0)
            mae_slopes[j] -= moved * theta[j] * reach
            if j == spec[4]:
                mae_slopes[j] -= (1.0 - total) * reach / (exponent - 1.0)
    if spec[4] >= 0:
        exponent = theta[spec[4]]
        mae += (1.0 - total) * (support + 1.0) * exponent / (exponent - 1.0)
    return mae, mae_slopes


@njit(**FLAGS)
def abandoned_mae(base, triangle):
    """Return E|X| of an abandoned pick."""
    if triangle == 1:
        return (base * base - 1.0) / (3.0 * base)
    w = (base - 1) // 2
    return w * (w + 1.0) / (2.0 * w + 1.0)


@entry(POINT)
def mean_error(fill, spec, u, data, slopes):
    """Return E|X| over all readings in the periods' unit, and write its derivatives by u."""
    _, _, _, _, _, _, _, period, base, share, support = unpack(data)
    n, kind, raters = spec[0], spec[1], spec[2]
    rate = u[n] if kind > 0 else 0.0
    slopes[:] = 0.0
    mae = 0.0
    for g in range(period.size):
        for r in range(raters):
            weight = share[g] * period[g] / raters
            offset = u[n + (kind > 0) + r - 1] if r > 0 else 0.0
            pmf = np.zeros(support[g] + 1)
            d_pmf = np.zeros((n, support[g] + 1))
            core, d_core = core_law(fill, spec, u, offset, period[g], support[g], pmf, d_pmf)
            mae += weight * (1.0 - rate) * core
            for j in range(n):
                slopes[j] += weight * (1.0 - rate) * d_core[j]
            if r > 0:
                slopes[n + (kind > 0) + r - 1] += weight * (1.0 - rate) * d_core[0]
            if kind > 0:
                wide = abandoned_mae(base[g], spec[5])
                mae += weight * rate * wide
                slopes[n] += weight * (wide - core)
    return mae


@njit(**FLAGS)
def pair_probability(law, d):
    """Return sum_x f(x) f(x + d) of a law on −M..M."""
    # Views, so that the loops are over plain positions, which the compiler vectorises.
    left, right = law[: law.size - d], law[d:]
    total = 0.0
    for i in range(left.size):
        total += left[i] * right[i]
    return total


@njit(**FLAGS)
def pair_law(law, widest):
    """Return sum_x f(x) f(x + d) for d = 0..widest."""
    q = np.zeros(widest + 1)
    for d in range(min(widest + 1, law.size)):
        q[d] = pair_probability(law, d)
    return q


@njit(**FLAGS)
def pair_slopes(law, d, weight, slopes):
    """Add 2·weight·∂/∂f of `pair_probability`; both halves are equal by symmetry."""
    left, right = law[: law.size - d], slopes[d:]
    for i in range(left.size):
        right[i] += weight * left[i]


@njit(**FLAGS)
def cell_products(laws, z, rater, reach, before):
    """Write products of the first 1, ..., k − 1 factors f(z − y), for each y, into `before`.

    Returns sum_y prod_j f(z_j − y), the flat-prior likelihood of a cell.
    """
    # Rows and shifted laws are views, as in `pair_probability`.
    copy_into(laws[rater[0]][z[0] : z[0] + reach], before[1])
    for j in range(1, z.size - 1):
        law = laws[rater[j]][z[j] : z[j] + reach]
        row, product = before[j], before[j + 1]
        for i in range(reach):
            product[i] = row[i] * law[i]
    j = z.size - 1
    row, law, total = before[j], laws[rater[j]][z[j] : z[j] + reach], 0.0
    for i in range(reach):
        total += row[i] * law[i]
    return total


@njit(**FLAGS)
def cell_slopes(laws, z, rater, reach, before, weight, slopes):
    """Add weight·∂/∂f of `cell_products` to `slopes`, one row per rater."""
    after = before[0]  # weight times the product of the factors after the j-th
    after[:reach] = weight
    for j in range(z.size - 1, -1, -1):
        slope = slopes[rater[j]][z[j] : z[j] + reach]
        if j == 0:
            for i in range(reach):
                slope[i] += after[i]
        else:
            row, law = before[j], laws[rater[j]][z[j] : z[j] + reach]
            for i in range(reach):
                slope[i] += row[i] * after[i]
                after[i] *= law[i]


@njit(**FLAGS)
def mix_law(pmf, support, half, rate, base, triangle, law):
    """Write (1 − rate)·core + rate·abandoned on −half..half."""
    for x in range(half + 1):
        value = (1.0 - rate) * pmf[x] if x <= support else 0.0
        if rate > 0.0:
            value += rate * abandoned_pmf(x, base, triangle)
        law[half + x] = value
        law[half - x] = value


@njit(**FLAGS)
def abandoned_pmf(x, base, triangle):
    """Return the probability that an abandoned pick is off by x ≥ 0."""
    if triangle == 1:
        return max(base - x, 0) / (base * base)
    return 1.0 / base if 2 * x < base else 0.0


@njit(**FLAGS)
def law_slopes(law, data_cells, mixture, slopes):
    """Log-likelihood of cells under given laws, and its derivative by the laws.

    Parameters
    ----------
    law : float64 (raters, 2M + 1)
    data_cells : tuple
        z, rater, start, count, constant and the first and last cell of the group.
    mixture : tuple
        (a, b, a', b'): a cell has probability a·P(law) + b·constant; a', b' are derivatives by
        the abandonment rate.
    slopes : float64 (raters, 2M + 1)
        Receives the derivative by the laws.

    Returns
    -------
    log-likelihood, its derivative by the rate through a and b
    """
    z, rater, start, count, constant, first, last = data_cells
    a, b, da, db = mixture
    raters, width = law.shape
    longest = 2
    for c in range(first, last):
        longest = max(longest, start[c + 1] - start[c])
    simple = longest == 2 and raters == 1
    before = np.empty((1 if simple else longest, 1 if simple else width))
    total, rate_slope = 0.0, 0.0
    for c in range(first, last):
        if count[c] == 0.0:
            continue
        i, j = start[c], start[c + 1]
        low = z[i]
        d = z[i]
        for m in range(i, j):
            low = min(low, z[m])
            d = max(d, z[m])
        reach = width - d
        pair = j - i == 2 and raters == 1
        if reach <= 0:
            p_law = 0.0
        elif pair:
            p_law = pair_probability(law[0], d)
        else:
            p_law = cell_products(law, z[i:j], rater[i:j], reach, before)
        p = a * p_law + b * constant[c]
        floored = p < TINY
        total += count[c] * math.log(TINY if floored else p)
        if floored:
            continue
        rate_slope += count[c] * (da * p_law + db * constant[c]) / p
        if reach > 0:
            weight = count[c] * a / p
            if pair:
                pair_slopes(law[0], d, 2.0 * weight, slopes[0])
            else:
                cell_slopes(law, z[i:j], rater[i:j], reach, before, weight, slopes)
    return total, rate_slope


@entry(POINT)
def evaluate(fill, spec, u, data, grad):
    """Return the log-likelihood at u and write its gradient.

    Independent abandonment: every error is drawn from (1−ε)·core + ε·abandoned. Two abandoned
    picks of one clip of known length share the truth, which `extra` (a correction of order ε²)
    accounts for. Shared abandonment: all picks of an item are abandoned together, with
    probability ε; k picks uniform on `base` frames span r with probability (base − r)₊ / base^k.
    """
    z, rater, start, group, count, extra, span, period, base, _, support = unpack(data)
    n, kind, raters, triangle = spec[0], spec[1], spec[2], spec[5]
    rate = u[n] if kind > 0 else 0.0
    grad[:] = 0.0
    total = 0.0
    first = np.int64(0)  # a literal 0 would compile `law_slopes` once more
    n_cells = group.size
    constant = np.empty(n_cells)
    for g in range(period.size):
        last = first
        while last < n_cells and group[last] == g:
            if kind == 2:
                k = start[last + 1] - start[last]
                constant[last] = max(base[g] - span[last], 0) / float(base[g]) ** k
            else:
                constant[last] = extra[last]
            last += 1
        s = support[g]
        half = s
        if kind == 1:
            half = max(s, base[g] - 1 if triangle == 1 else (base[g] - 1) // 2)
        law = np.empty((raters, 2 * half + 1))
        slopes = np.zeros((raters, 2 * half + 1))
        pmf = np.zeros((raters, s + 1))
        d_pmf = np.zeros((raters, n, s + 1))
        for r in range(raters):
            offset = u[n + (kind > 0) + r - 1] if r > 0 else 0.0
            core_law(fill, spec, u, offset, period[g], s, pmf[r], d_pmf[r])
            mix_law(pmf[r], s, half, rate if kind == 1 else 0.0, base[g], triangle, law[r])
        if kind == 1:
            mixture = (1.0, rate * rate, 0.0, 2.0 * rate)
        elif kind == 2:
            mixture = (1.0 - rate, rate, -1.0, 1.0)
        else:
            mixture = (1.0, 0.0, 0.0, 0.0)
        cells = (z, rater, start, count, constant, first, last)
        value, rate_slope = law_slopes(law, cells, mixture, slopes)
        total += value
        keep = 1.0 - rate if kind == 1 else 1.0
        for r in range(raters):
            for j in range(n):
                slope = slopes[r, half] * d_pmf[r, j, 0]
                for x in range(1, s + 1):
                    slope += (slopes[r, half + x] + slopes[r, half - x]) * d_pmf[r, j, x]
                grad[j] += keep * slope
                if j == 0 and r > 0:
                    grad[n + (kind > 0) + r - 1] += keep * slope
            if kind == 1:
                for x in range(-half, half + 1):
                    y = abs(x)
                    wide = abandoned_pmf(y, base[g], triangle)
                    rate_slope += slopes[r, half + x] * (wide - (pmf[r, y] if y <= s else 0.0))
        if kind > 0:
            grad[n] += rate_slope
        first = last
    return total


@njit(**FLAGS)
def objective(fill, like, size, spec, u, data, target, grad, d_mae, low, high):
    """Return the log-likelihood at u, or on the surface E|X| = target if target > 0.

    On the surface the first coordinate (log scale) is solved for and overwritten, and the
    gradient is the one along the surface. Where no scale reaches the target: minus infinity.
    """
    if target > 0.0:
        log_target = math.log(target)
        a, b = low[0], high[0]
        reached = False
        u[0] = min(max(u[0], a), b)
        for _ in range(60):
            mae = size(fill, spec, u, data, d_mae)
            miss = math.log(max(mae, TINY)) - log_target
            if abs(miss) < 1e-11:
                reached = True
                break
            if miss > 0.0:
                b = u[0]
            else:
                a = u[0]
            if d_mae[0] * (b - a) > abs(miss) * mae:  # else it would leave the bracket, or overflow
                step = u[0] - miss * mae / d_mae[0]
            else:
                step = a
            previous = u[0]
            u[0] = step if a < step < b else 0.5 * (a + b)
            if abs(u[0] - previous) < 1e-14:
                reached = abs(miss) < 1e-6
                break
        if not reached:
            grad[:] = 0.0
            return -np.inf
    value = like(fill, spec, u, data, grad)
    if target > 0.0:
        size(fill, spec, u, data, d_mae)
        if d_mae[0] <= 0.0:  # the scale no longer moves E|X|: not on the surface
            grad[:] = 0.0
            return -np.inf
        for i in range(1, u.size):
            grad[i] -= grad[0] * d_mae[i] / d_mae[0]
        grad[0] = 0.0
    return value


@njit(**FLAGS)
def invert(matrix, size, inverse):
    """Invert a symmetric positive definite matrix; return False if it is not."""
    work = matrix.copy()
    set_diagonal(inverse, 1.0)
    for i in range(size):
        pivot = work[i, i]
        if not pivot > 1e-12 * (abs(matrix[i, i]) + 1e-12):
            return False
        for j in range(size):
            work[i, j] /= pivot
            inverse[i, j] /= pivot
        for k in range(size):
            if k != i:
                factor = work[k, i]
                for j in range(size):
                    work[k, j] -= factor * work[i, j]
                    inverse[k, j] -= factor * inverse[i, j]
    return True


@njit(**FLAGS)
def curvature(fill, like, size, spec, u, data, target, low, high, hessian):
    """Write minus the Hessian at u, by central differences of the exact gradient."""
    n = u.size
    up, down, d_mae = np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n):
        if low[i] == high[i]:  # held fixed by the caller
            continue
        step = 1e-4
        moved = u.copy()
        moved[i] = min(u[i] + step, high[i])
        right = moved[i]
        objective(fill, like, size, spec, moved, data, target, up, d_mae, low, high)
        moved = u.copy()
        moved[i] = max(u[i] - step, low[i])
        objective(fill, like, size, spec, moved, data, target, down, d_mae, low, high)
        for j in range(n):
            hessian[i, j] = -(up[j] - down[j]) / (right - moved[i])
    for i in range(n):
        for j in range(i):
            mean = 0.5 * (hessian[i, j] + hessian[j, i])
            if low[i] == high[i] or low[j] == high[j]:
                mean = 0.0
            hessian[i, j] = mean
            hessian[j, i] = mean
        if low[i] == high[i]:
            hessian[i, i] = 1.0


@njit(**FLAGS)
def set_metric(fill, like, size, spec, u, data, target, low, high, metric):
    """Set the maximiser's metric to the inverse curvature, or to its diagonal if indefinite."""
    n = u.size
    hessian = np.zeros((n, n))
    curvature(fill, like, size, spec, u, data, target, low, high, hessian)
    if target > 0.0:
        for i in range(n):
            hessian[0, i] = 0.0
            hessian[i, 0] = 0.0
        hessian[0, 0] = 1.0
    if not invert(hessian, n, metric):
        set_diagonal(metric, 0.0)
        for i in range(n):
            metric[i, i] = 1.0 / max(abs(hessian[i, i]), 1e-3)


@njit(**FLAGS)
def ascent(metric, grad, u, low, high, begin, direction):
    """Write metric·gradient over the coordinates free to move; return its slope."""
    n = u.size
    free = np.zeros(n, dtype=np.bool_)
    for i in range(begin, n):
        free[i] = (u[i] > low[i] or grad[i] > 0.0) and (u[i] < high[i] or grad[i] < 0.0)
    slope = 0.0
    for i in range(n):
        direction[i] = 0.0
        if free[i]:
            for j in range(begin, n):
                if free[j]:
                    direction[i] += metric[i, j] * grad[j]
            slope += direction[i] * grad[i]
    return slope


@entry(CLIMB)
def maximise(fill, like, size, spec, u, data, target, low, high, metric, tolerance, beat):
    """Maximise `objective` from u, in place, by BFGS within a box.

    Parameters
    ----------
    metric : float64 (n, n)
        Inverse of minus the Hessian, or zeros to have it computed; overwritten.
    tolerance : float
        The search ends when a Newton step would gain less log-likelihood than this.
    beat : float
        It also ends, short of the maximum, where not even forty times what a Newton step would
        gain reaches this log-likelihood.

    Returns
    -------
    log-likelihood, whether it converged
    """
    n = u.size
    grad, new_grad, d_mae = np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n):
        u[i] = min(max(u[i], low[i]), high[i])
    value = objective(fill, like, size, spec, u, data, target, grad, d_mae, low, high)
    fresh = metric[0, 0] == 0.0
    if fresh:
        set_metric(fill, like, size, spec, u, data, target, low, high, metric)
    steps = 0
    begin = 1 if target > 0.0 else 0
    direction = np.zeros(n)
    for _ in range(MAX_STEPS):
        slope = ascent(metric, grad, u, low, high, begin, direction)
        if slope >= 0.0 and value + 20.0 * slope < beat:  # a Newton step gains half the slope
            return value, False
        if slope < tolerance:
            # A metric handed in is believed once a few steps have shaped it; a search for the
            # last digit computes it anew.
            shaped = steps > 0 and tolerance > 1e-9
            if (fresh or shaped) and slope >= 0.0:
                return value, True
            set_metric(fill, like, size, spec, u, data, target, low, high, metric)
            fresh = True
            slope = ascent(metric, grad, u, low, high, begin, direction)
            if 0.0 <= slope < 10.0 * tolerance:
                return value, True
            if slope < 0.0:
                set_diagonal(metric, 1e-3)
                slope = ascent(metric, grad, u, low, high, begin, direction)
        longest = 0.0
        for i in range(begin, n):
            # Steps of more than a factor of four in a scale, or 0.1 in a rate, are too bold.
            limit = 0.1 if (spec[1] > 0 and i == spec[0]) else 1.4
            longest = max(longest, abs(direction[i]) / limit)
        step = 1.0 if longest <= 1.0 else 1.0 / longest
        improved = False
        for _halving in range(40):
            trial = u.copy()
            predicted = 0.0
            for i in range(begin, n):
                trial[i] = min(max(u[i] + step * direction[i], low[i]), high[i])
                predicted += (trial[i] - u[i]) * grad[i]
            new_value = objective(
                fill, like, size, spec, trial, data, target, new_grad, d_mae, low, high
            )
            if new_value > value + 1e-4 * predicted or (
                predicted < 100.0 * tolerance and new_value >= value
            ):
                improved = True
                break
            step *= 0.5
        if not improved:
            if fresh:
                return value, slope < 1e-6 * (1.0 + abs(value) * 1e-3)
            set_metric(fill, like, size, spec, u, data, target, low, high, metric)
            fresh = True
            continue
        update(metric, u, trial, grad, new_grad, begin)
        steps += 1
        fresh = False
        for i in range(n):
            u[i] = trial[i]
            grad[i] = new_grad[i]
        value = new_value
    return value, False


@njit(**FLAGS)
def update(metric, old, new, old_grad, new_grad, begin):
    """Update the inverse Hessian from one step (Broyden-Fletcher-Goldfarb-Shanno)."""
    n = old.size
    moved, bent = np.empty(n), np.empty(n)
    along = 0.0
    for i in range(begin, n):
        moved[i] = new[i] - old[i]
        bent[i] = old_grad[i] - new_grad[i]
        if moved[i] == 0.0:  # held at a limit: its gradient says nothing about the others
            bent[i] = 0.0
        along += moved[i] * bent[i]
    if along <= 1e-14:
        return
    image = np.zeros(n)
    for i in range(begin, n):
        for j in range(begin, n):
            image[i] += metric[i, j] * bent[j]
    squared = 0.0
    for i in range(begin, n):
        squared += bent[i] * image[i]
    for i in range(begin, n):
        for j in range(begin, n):
            metric[i, j] += (1.0 + squared / along) * moved[i] * moved[j] / along
            metric[i, j] -= (image[i] * moved[j] + moved[i] * image[j]) / along


@njit(**FLAGS)
def scan_windows(
    fill, like, size, climb, spec, start, data, windows, low, high, tolerance, u, values
):
    """Maximise for each window, from its neighbour's solution or, if that has no rate, from start.

    Writes the coordinates (windows, n) and, per window, the log-likelihood, E|X| and whether the
    search converged.
    """
    n = start.size
    metric = np.zeros((n, n))
    slopes, fresh = np.empty(n), np.empty(n)
    for i in range(windows.size):
        set_window(data, windows[i])
        copy_into(start if i == 0 else u[i - 1], u[i])
        value, fine = climb(
            fill, like, size, spec, u[i], data, 0.0, low, high, metric, tolerance, -np.inf
        )
        if u[i, spec[0]] == 0.0:
            copy_into(start, fresh)
            fresh[spec[0]] = max(start[spec[0]], 0.01)
            set_diagonal(metric, 0.0)
            again, fine_again = climb(
                fill, like, size, spec, fresh, data, 0.0, low, high, metric, tolerance, -np.inf
            )
            if again > value:
                value, fine = again, fine_again
                copy_into(fresh, u[i])
            set_diagonal(metric, 0.0)
        values[i, 0] = value
        values[i, 1] = size(fill, spec, u[i], data, slopes)
        values[i, 2] = fine


@njit(**FLAGS)
def profile_miss(x, held, top, half, fill, like, size, climb, spec, u, data, low, high, metric):
    """Return √drop − √half of the profile log-likelihood with one quantity held at x.

    The signed root is nearly linear in x, which is what root finders like. `held` is a
    coordinate, or −1 for log E|X|. Where there is no likelihood, u is left as it was.
    """
    v, a, b, target = u.copy(), low.copy(), high.copy(), 0.0
    if held < 0:
        target = math.exp(x)
    else:
        v[held] = x
        a[held] = x
        b[held] = x
    value, _ = climb(fill, like, size, spec, v, data, target, a, b, metric, PROFILE_GAIN, -np.inf)
    if not value > -np.inf:
        return 1e3
    copy_into(v, u)
    return math.sqrt(max(top - value, 0.0)) - math.sqrt(half)


@njit(**FLAGS)
def profile_limit(
    start, step, bottom, held, top, half, windows, fill, like, size, climb, spec, u, data, low, high
):
    """Return where the profile log-likelihood has dropped by `half` below `top`.

    For one window: walks from `start` in growing steps to a bracket, and closes that by the
    Anderson–Björck secant (1973) to a thousandth of the step. If another one of `windows` has
    dropped by less there, the walk goes on from there with that one. Returns `bottom` if the
    profile does not drop so far before it. `u` follows the profile.
    """
    v, metric = np.empty(u.size), np.zeros((u.size, u.size))
    miss_start = -math.sqrt(half)
    for turn in range(4):
        set_diagonal(metric, 0.0)
        a, miss_a, b, miss_b = start, miss_start, start, -1.0
        limit = bottom
        for _ in range(40):
            b = start + step if b == start else b + (b - start)
            b = min(b, bottom) if step > 0.0 else max(b, bottom)
            miss_b = profile_miss(
                b, held, top, half, fill, like, size, climb, spec, u, data, low, high, metric
            )
            if miss_b > 0.0 or b == bottom:
                break
            a, miss_a = b, miss_b
        if miss_b > 0.0:
            limit = b
            for _ in range(60):
                c = b - miss_b * (b - a) / (miss_b - miss_a)
                miss_c = profile_miss(
                    c, held, top, half, fill, like, size, climb, spec, u, data, low, high, metric
                )
                limit = c
                # What a secant through c would still move.
                left = abs(miss_c * (b - a) / (miss_b - miss_a))
                if left < 1e-3 * abs(step) or abs(b - a) < 1e-3 * abs(step):
                    break
                if (miss_c > 0.0) == (miss_b > 0.0):
                    shrink = 1.0 - miss_c / miss_b
                    miss_a *= shrink if shrink > 0.0 else 0.5
                else:
                    a, miss_a = b, miss_b
                b, miss_b = c, miss_c
        if turn > 0 and abs(limit - start) < 2e-3 * abs(step):
            return start
        if turn == 3 or limit == bottom or windows.size < 2:
            return limit
        set_diagonal(metric, 0.0)
        miss_start, window = np.inf, windows[0]
        for w in windows:
            set_window(data, w)
            copy_into(u, v)
            miss = profile_miss(
                limit, held, top, half, fill, like, size, climb, spec, v, data, low, high, metric
            )
            if miss < miss_start:
                miss_start, window = miss, w
        if miss_start > -1e-3:
            return limit
        set_window(data, window)
        start = limit
    return limit


@njit(**FLAGS)
def refit_counts(
    fill, like, size, climb, spec, starts, metrics, data, counts, windows, first, low, high,
    best_u, best,
):  # fmt: skip
    """Refit every row of `counts` (replicates, cells), the window included.

    `starts` and `metrics` hold the solution for each window on the data. With first >= 0 rows are
    taken to be like the data: after that window each begins at the best solution so far (a rate
    of 0 knows no window: at the data's then), and is left where it cannot become the best. With
    first < 0 all windows are climbed. Writes the best coordinates, and per row: log-likelihood,
    window and E|X|.
    """
    drawn = (data[0].copy(), data[1].copy())
    count = drawn[1][: counts.shape[1]]  # set in place
    u, slopes = np.empty(low.size), np.empty(low.size)
    for b in range(counts.shape[0]):
        copy_into(counts[b], count)
        best[b, 0] = -np.inf
        for k in range(windows.size):
            i = (max(first, 0) + k) % windows.size
            if windows[i] > 0:
                set_window(drawn, windows[i])
            warm = first >= 0 and k > 0 and best_u[b, spec[0]] > 0.0
            beat = best[b, 0] if first >= 0 else -np.inf
            copy_into(best_u[b] if warm else starts[i], u)
            metric = metrics[i].copy()
            value, _ = climb(fill, like, size, spec, u, drawn, 0.0, low, high, metric, 1e-8, beat)
            if value > best[b, 0]:
                best[b, 0] = value
                best[b, 1] = windows[i]
                best[b, 2] = size(fill, spec, u, drawn, slopes)
                copy_into(u, best_u[b])


@njit(**FLAGS)
def fit_unimodal(cells, weights, law, max_steps, tolerance):
    """Fit a mixture of uniforms on ±0, ±1, ..., ±M by the EM algorithm, in place.

    A symmetric unimodal law on the whole numbers is such a mixture (Khintchine). The directional
    derivative of the likelihood towards each uniform is at most 1 at a maximum (Lindsay 1983).

    Returns
    -------
    log-likelihood, largest directional derivative, number of steps
    """
    start, count = cells[2], cells[3]
    readings = 0.0
    for c in range(count.size):
        readings += count[c] * (start[c + 1] - start[c])
    m = weights.size - 1
    slopes = np.zeros((1, 2 * m + 1))
    value, largest = -np.inf, np.inf
    for step in range(max_steps):
        height = 0.0
        for w in range(m, -1, -1):
            height += weights[w] / (2.0 * w + 1.0)
            law[0, m + w] = height
            law[0, m - w] = height
        slopes[:] = 0.0
        value, _ = law_slopes(law, cells, (1.0, 0.0, 0.0, 0.0), slopes)
        ahead = slopes[0, m]
        largest = 0.0
        for w in range(m + 1):
            if w > 0:
                ahead += slopes[0, m + w] + slopes[0, m - w]
            ratio = ahead / (2.0 * w + 1.0) / readings
            largest = max(largest, ratio)
            weights[w] *= ratio
        if largest < 1.0 + tolerance:
            return value, largest, step
    return value, largest, max_steps
