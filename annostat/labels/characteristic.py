"""The characteristic function of the differences, which cannot be negative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annostat.arrays import FloatArray, IntArray, dot, order_of
from annostat.labels.pairs import ROUNDING, PairTable, counted_by
from annostat.labels.rounds import Rounds
from annostat.resampling.bootstraps import serial_product
from annostat.results.result import Check
from annostat.results.text import p_text

CF_POINTS, CF_REACH, CF_DRAWS = 48, 8.0, 2000  # grid of t, its end in 1/E|D|, Gaussian draws
CF_MIN_UNITS = 20
NOTHING_LEFT = 1e-6  # of a variance of 1
NOTHING_VARIES = 1e-10  # of a mean square
# Items whose sums are added up at once, numbers that are turned at once, and rounds up to which
# there are no more pairs than it pays to turn one by one.
CHUNK_ROWS, IN_CACHE, FEW_ROUNDS = 1 << 12, 1 << 14, 5


def check_characteristic_function(
    rounds: Rounds, table: PairTable, alpha: float, rng: np.random.Generator
) -> Check:
    """Check that the characteristic function of the differences is nowhere negative."""
    name = "characteristic_function"
    cannot = "Whether the errors of two rounds are alike and independent cannot be looked at: "
    scale = dot(table.weights, table.abs_sum) / dot(table.weights, table.pairs)
    if scale == 0:
        return Check(name, None, cannot + "all differences are zero.")
    # A fine grid where the law has its width; for whole numbers a coarse one up to π as well.
    ends = [min(CF_REACH / scale, math.pi) if table.whole else CF_REACH / scale]
    if ends[0] < math.pi and table.whole:
        ends.append(math.pi)
    count = CF_POINTS // len(ends)
    grid = np.concatenate([end / count * np.arange(1, count + 1) for end in ends])
    moments = cosine_moments(table, [end / count for end in ends], count)
    if moments.units < CF_MIN_UNITS:
        what = "items" if table.codes is None else "clusters"
        return Check(name, None, cannot + f"it takes {CF_MIN_UNITS} {what} or more.")
    # One unit of no difference is added: it keeps SE above 0 and leans towards passing.
    m = moments.m / moments.units
    units = moments.units + 1
    y, total = moments.y + m, moments.m + m
    yy, ym, mm = moments.yy + m * m, moments.ym + m * m, moments.mm + m * m
    phi = y / total
    cov = yy - np.outer(phi, ym) - np.outer(ym, phi) + np.outer(phi, phi) * mm
    # On whole numbers cosines may be alike in all units: what is left of them then is rounding.
    spread = np.where(np.diag(cov) > NOTHING_VARIES * np.diag(yy), np.diag(cov), 0.0)
    se = np.sqrt(spread * units / (units - 1)) / total
    good = se > ROUNDING
    if not good.any():
        return Check(name, None, cannot + "the differences do not vary.")
    z = np.where(good, phi / np.where(good, se, 1.0), np.inf)
    at = int(np.argmin(z))
    sub = cov[np.ix_(good, good)]
    root = np.sqrt(np.diag(sub))
    factor = _factor_of(sub / np.outer(root, root))
    lowest = serial_product(rng.standard_normal((CF_DRAWS, factor.shape[1])), factor.T).min(axis=1)
    p = (1 + int((lowest <= z[at]).sum())) / (CF_DRAWS + 1)
    if p >= alpha:
        text = (
            "Nothing speaks against errors that are alike and independent between rounds "
            f"(characteristic function of the differences, {p_text(p)})."
        )
        return Check(name, True, text, float(z[at]), p)
    text = (
        "The errors of two rounds are not independent copies of one law: the characteristic "
        f"function of the differences is {phi[at]:.2f} at t = {grid[at]:.2f}, where it "
        f"cannot be negative ({p_text(p)}); look for bias, picks on every other frame, or raters "
        "who knew each other's picks, and trust the symmetric bracket only."
    )
    return Check(name, False, text, float(z[at]), p)


def _factor_of(correlations: FloatArray) -> FloatArray:
    """Return L of shape (p, r) with L·Lᵀ = correlations, by Cholesky's method with pivots.

    Eigenvectors of points that are nearly the same hang on the last digit, and with them p, and
    LAPACK's start threads, which then wait busily. Pivots that are nearly the same are taken in
    their order, so that no last digit chooses.
    """
    rest, columns = correlations.copy(), []
    for _ in range(len(rest)):
        left = rest.diagonal()
        pivot = int(np.argmax(np.round(left, 6)))
        if left[pivot] < NOTHING_LEFT:
            break
        column = rest[:, pivot] / math.sqrt(left[pivot])
        rest -= np.outer(column, column)
        columns.append(column)
    return np.column_stack(columns)


@dataclass(frozen=True)
class CosineMoments:
    """First and second moments over units of the sums of cosines."""

    units: int
    y: FloatArray
    m: float
    yy: FloatArray
    ym: FloatArray
    mm: float


def cosine_moments(table: PairTable, steps: Sequence[float], count: int) -> CosineMoments:
    """Return first and second moments over units of Σ cos(tD), at t = step, ..., count·step."""
    z, w, codes, pairs, k = table.shifted, table.weights, table.codes, table.pairs, table.readings
    if codes is None and bool((k == 2).all()):
        size, inverse = np.unique(table.abs_sum, return_inverse=True)
        w = counted_by(inverse, w)
        z = np.stack([np.zeros_like(size), size])
        pairs, k = np.ones_like(size), np.full(size.size, 2)
    elif codes is not None and (codes[1:] < codes[:-1]).any():
        order = order_of(codes)
        z, w, codes, pairs, k = z[:, order], w[order], codes[order], pairs[order], k[order]
    n, units = z.shape[1], 0.0
    open_unit = np.zeros((CF_POINTS + 1, 1))
    total, square = np.zeros(CF_POINTS + 1), np.zeros((CF_POINTS + 1, CF_POINTS + 1))
    for begin in range(0, n, CHUNK_ROWS):
        part = slice(begin, begin + CHUNK_ROWS)
        sums = np.empty((CF_POINTS + 1, len(k[part])))
        _sums_of_cosines(z[:, part], k[part], steps, count, sums[:-1])
        sums[-1] = pairs[part]  # one sum more
        weighted = sums * w[part]
        if codes is None:
            units += float(w[part].sum())
        else:
            here = codes[part] - codes[max(begin - 1, 0)]
            found = np.array([np.bincount(here, row) for row in weighted])
            found[:, :1] += open_unit
            closed = found.shape[1] - (part.stop < n)  # the last one may go on in the next part
            sums = weighted = found[:, :closed]
            open_unit = found[:, closed:]
            units += int((sums[-1] > 0).sum())
        total += weighted.sum(axis=1)
        square += serial_product(weighted, sums.T)
    return CosineMoments(
        int(units), total[:-1], float(total[-1]), square[:-1, :-1], square[:-1, -1], square[-1, -1]
    )


def _sums_of_cosines(
    z: FloatArray, k: IntArray, steps: Sequence[float], count: int, out: FloatArray
) -> None:
    """Write Σ cos(tD) over the pairs of each column of labels, shape (CF_POINTS, n)."""
    few = len(z) <= FEW_ROUNDS
    one, other = np.triu_indices(len(z), 1)
    size = max(IN_CACHE // len(z), 1)
    for begin in range(0, z.shape[1], size):
        part = slice(begin, begin + size)
        for g, step in enumerate(steps):
            rows = out[g * count : (g + 1) * count, part]
            if few:
                _from_pairs(step * (z[one, part] - z[other, part]), rows)
            else:
                _from_labels(step * z[:, part], k[part], rows)


def _from_pairs(x: FloatArray, out: FloatArray) -> None:
    """Write Σ cos(jx) of each column: cos(j + 1)x = 2·cos x·cos jx − cos(j − 1)x."""
    seen = np.isfinite(x)
    cosine = np.where(seen, np.cos(x), 0.0)
    before, now, twice = seen.astype(np.float64), cosine.copy(), 2 * cosine
    for total in out:
        np.add.reduce(now, axis=0, out=total)
        before, now = now, np.subtract(twice * now, before, out=before)


def _from_labels(x: FloatArray, k: IntArray, out: FloatArray) -> None:
    """Write the same of many labels as (|Σ exp(ijx)|² − k)/2: powers replace the cosines."""
    seen = np.isfinite(x)
    turn = np.where(seen, np.exp(1j * np.where(seen, x, 0.0)), 0.0)
    power = turn.copy()
    for total in out:
        found = power.sum(axis=0)
        total[:] = (found.real**2 + found.imag**2 - k) / 2
        power *= turn
