"""The characteristic function of the differences, which cannot be negative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annostat.arrays import FloatArray, IntArray, dot
from annostat.labels.pairs import ROUNDING, PairTable, counted_by
from annostat.labels.rounds import Rounds
from annostat.resampling.bootstraps import serial_product
from annostat.results.result import Check
from annostat.results.text import p_text

CF_POINTS, CF_REACH, CF_DRAWS = 48, 8.0, 2000  # grid of t, its end in 1/E|D|, Gaussian draws
CF_MIN_UNITS = 20
NOTHING_LEFT = 1e-6  # of a variance of 1
CHUNK_ROWS, IN_CACHE = 1 << 16, 1 << 12


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
    se = np.sqrt(np.maximum(np.diag(cov), 0.0) * units / (units - 1)) / total
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
    """Return first and second moments over units of Σ cos(tD), at t = step, ..., count·step.

    Σ over pairs of cos(tD) is (|Σ_j exp(itz_j)|² − k)/2, and powers replace the cosines.
    """
    w, codes, pairs, k = table.weights, table.codes, table.pairs, table.readings
    z = table.centred
    if codes is None and bool((k == 2).all()):
        size, inverse = np.unique(table.abs_sum, return_inverse=True)
        w = counted_by(inverse, w)
        z = np.column_stack([np.zeros_like(size), size])
        pairs, k = np.ones_like(size), np.full(size.size, 2)
    n_units = 0 if codes is None else int(codes.max()) + 1
    by_unit = np.zeros((CF_POINTS, n_units))
    y, yy, ym = np.zeros(CF_POINTS), np.zeros((CF_POINTS, CF_POINTS)), np.zeros(CF_POINTS)
    for begin in range(0, len(z), CHUNK_ROWS):
        part = slice(begin, begin + CHUNK_ROWS)
        sums = _sums_of_cosines(z[part], k[part], steps, count)
        weighted = sums * w[part]
        if codes is None:
            y += weighted.sum(axis=1)
            yy += serial_product(weighted, sums.T)
            ym += serial_product(weighted, pairs[part][:, None])[:, 0]
        else:
            first = int(codes[part].min())
            here = codes[part] - first
            for total, row in zip(by_unit[:, first:], weighted, strict=True):
                found = np.bincount(here, row)
                total[: found.size] += found
    if codes is None:
        return CosineMoments(int(w.sum()), y, dot(w, pairs), yy, ym, dot(w, pairs**2))
    m = np.bincount(codes, w * pairs, minlength=n_units).astype(np.float64)
    by_unit = np.ascontiguousarray(by_unit.T)
    return CosineMoments(
        int((m > 0).sum()),
        by_unit.sum(axis=0),
        float(m.sum()),
        serial_product(by_unit.T, by_unit),
        serial_product(by_unit.T, m[:, None])[:, 0],
        dot(m, m),
    )


def _sums_of_cosines(z: FloatArray, k: IntArray, steps: Sequence[float], count: int) -> FloatArray:
    """Return Σ cos(tD) over the pairs of each row, shape (CF_POINTS, n_rows)."""
    sums = np.empty((CF_POINTS, len(z)))
    for begin in range(0, len(z), IN_CACHE):
        part = slice(begin, begin + IN_CACHE)
        seen = np.isfinite(z[part])
        for g, step in enumerate(steps):
            # A round in each row: sums over a few rounds are then sums of long rows.
            turn = np.where(seen, np.exp(1j * step * np.where(seen, z[part], 0.0)), 0.0).T.copy()
            power = turn.copy()
            for j in range(g * count, (g + 1) * count):
                total = power.sum(axis=0)
                sums[j, part] = (total.real**2 + total.imag**2 - k[part]) / 2
                power *= turn
    return sums
