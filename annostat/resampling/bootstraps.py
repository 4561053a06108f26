"""The one bootstrap.

Resamples are drawn as multiplicities ("how often each item was drawn"), in blocks of a fixed
size, so that memory grows with the block and not with the number of resamples. Those of the last
bootstrap stay, in 8 MB at most: one command asks for the same ones many times. Each resample has
random counters of its own: the seed says what it is, not the block or the worker that draws it.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat._names import renamed
from annostat.arrays import PIECE, Bytes, FloatArray
from annostat.errors import AnnostatError, check_choice, check_count, check_level, check_number
from annostat.resampling.clusters import count_clusters
from annostat.resampling.draws import draw_multiplicities
from annostat.resampling.generators import Rng, spawn
from annostat.resampling.intervals import quantiles
from annostat.resampling.parallel import Progress, map_parallel
from annostat.results.estimates import Interval

BLOCK_CELLS = 1 << 16  # multiplicities held at once by one worker: they fit its cache
KEPT_CELLS = 1 << 23  # multiplicities of the last bootstrap that are kept, a byte each
WORTH_COMPILING = 10_000_000  # draws; below, loading numba takes longer than they do
SERIAL_PRODUCT = 1 << 18  # multiplications up to which OpenBLAS starts no (busily waiting) threads
TILE_ROWS, TILE_COLUMNS = 32, 256
TASK_BLOCKS = 16  # blocks that a worker is handed at a time: handing over costs as much as one


@dataclass(frozen=True)
class Resamples:
    """Resamples that several bootstraps share, whether or not there is a seed to tell.

    Attributes
    ----------
    seed : uint64
        Where the counters begin.
    """

    seed: np.uint64

    @classmethod
    def of(cls, rng: Rng) -> Resamples:
        """Return those that a bootstrap by `rng` has."""
        return cls(_counter_of_seed(rng) if type(rng) is int else _counter(rng))


def _counter(rng: Rng) -> np.uint64:
    return spawn(rng, 1)[0].integers(2**64, dtype=np.uint64)


_counter_of_seed = functools.lru_cache(maxsize=16)(_counter)


@renamed(clusters="cluster")
def bootstrap(
    statistic: Callable[[FloatArray], Any],
    n: int,
    *,
    n_resamples: int = 2000,
    cluster: NDArray[np.int64] | None = None,
    rng: Rng | Resamples = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> FloatArray:
    """Return the statistic of `n_resamples` resamples of `n` items, drawn with replacement.

    Parameters
    ----------
    statistic : callable
        Takes multiplicities, float64 of shape (b, n) whose rows are resamples, and returns an
        array whose first axis has length b. A mean is ``lambda w: w @ x / w.sum(axis=1)``.
    n : int
        Number of items, at least 1.
    n_resamples : int
        Number of resamples.
    cluster : int64 array of shape (n,), optional
        Codes 0..C-1 of the cluster of each item; whole clusters are drawn.
    rng, n_jobs, progress
        As everywhere: `as_generator`, `map_parallel`; or `Resamples`.

    Returns
    -------
    float64 array of shape (n_resamples, ...)

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(10.0)
    >>> means = bootstrap(lambda w: w @ x / w.sum(axis=1), 10, n_resamples=500, rng=1)
    >>> means.shape, bool(abs(means.mean() - 4.5) < 0.2)
    ((500,), True)
    """
    n = check_count("n", n, low=1)
    n_resamples = check_count("n_resamples", n_resamples, low=1)
    units = n if cluster is None else count_clusters(cluster, n)
    block = max(1, min(n_resamples, BLOCK_CELLS // n))
    seed = (rng if isinstance(rng, Resamples) else Resamples.of(rng)).seed
    keep = n_resamples * units <= KEPT_CELLS
    if keep:  # here, so that threads find them; other processes make their own
        _kept(seed, n_resamples, units)

    def one_task(start: int) -> FloatArray:
        stop = min(start + TASK_BLOCKS * block, n_resamples)
        return np.concatenate(
            [one_block(i, min(block, stop - i)) for i in range(start, stop, block)]
        )

    def one_block(start: int, size: int) -> FloatArray:
        if keep:
            weights = _kept(seed, n_resamples, units)[start : start + size].astype(np.float64)
        else:
            weights = _draw(seed, start, size, units, n_resamples)
        return np.asarray(statistic(weights if cluster is None else weights[:, cluster]), float)

    starts = range(0, n_resamples, TASK_BLOCKS * block)
    found = map_parallel(one_task, starts, n_jobs=n_jobs, progress=progress)
    return found[0] if len(found) == 1 else np.concatenate(found)


def _draw(seed: np.uint64, start: int, size: int, units: int, n_resamples: int) -> FloatArray:
    """Return the multiplicities of resamples from `start` on, of so many in all."""
    draw = draw_multiplicities  # both draw the same
    if "numba" in sys.modules or n_resamples * units >= WORTH_COMPILING:
        from annostat.resampling.kernels import draw_multiplicities as compiled

        draw = compiled
    weights = np.empty((size, units))
    with np.errstate(over="ignore"):  # scalars that wrap around, in kernels run as plain Python
        draw(seed, start, weights)
    return weights


@functools.lru_cache(maxsize=1)
def _kept(seed: np.uint64, n_resamples: int, units: int) -> Bytes:
    """Return the multiplicities of all resamples: one command bootstraps many statistics of them.

    A byte holds them: that a unit is drawn 256 times has a chance below 1/256!.
    """
    found = np.empty((n_resamples, units), dtype=np.uint8)
    rows = max(1, BLOCK_CELLS // units)
    for start in range(0, n_resamples, rows):
        size = min(rows, n_resamples - start)
        found[start : start + size] = _draw(seed, start, size, units, n_resamples)
    found.flags.writeable = False
    return found


def bootstrap_sums(
    columns: FloatArray,
    *,
    n_resamples: int = 2000,
    rng: Rng | Resamples = 0,
    n_jobs: int | None = 1,
) -> FloatArray:
    """Return the sums of columns over the resamples of `bootstrap`, shape (n_resamples, p).

    Parameters
    ----------
    columns : float64 array of shape (n, p)
        What each item, or cluster of items, adds to the sums.
    n_resamples, rng, n_jobs
        As for `bootstrap`.
    """
    rows = np.ascontiguousarray(columns)  # in pieces of rows, as products take them
    return bootstrap(
        lambda w: serial_product(w, rows),
        len(rows),
        n_resamples=n_resamples,
        rng=rng,
        n_jobs=n_jobs,
    )


def serial_product(w: FloatArray, columns: FloatArray) -> FloatArray:
    """Return w @ columns in pieces for which OpenBLAS starts no threads."""
    n, p = columns.shape
    if p > TILE_COLUMNS:  # or hardly an item would go with so many columns
        parts = range(0, p, TILE_COLUMNS)
        return np.hstack([serial_product(w, columns[:, c : c + TILE_COLUMNS]) for c in parts])
    # Single rows would be bound by memory: tiles of a few rows take a third to a fifth of the time.
    rows = max(TILE_ROWS, SERIAL_PRODUCT // max(columns.size, 1))
    items = max(1, SERIAL_PRODUCT // (min(rows, max(len(w), 1)) * max(p, 1)))
    if min(len(w), p) == 1:  # a product of vectors
        items = min(items, PIECE)
    total = np.zeros((len(w), p))
    for i in range(0, len(w), rows):
        for j in range(0, n, items):
            total[i : i + rows] += w[i : i + rows, j : j + items] @ columns[j : j + items]
    return total


def bootstrap_interval(
    replicates: FloatArray,
    estimate: float,
    *,
    level: float = 0.95,
    method: str = "percentile",
    jackknife: FloatArray | None = None,
    standard_errors: FloatArray | None = None,
    standard_error: float | None = None,
) -> Interval:
    """Return an interval from bootstrap replicates.

    Parameters
    ----------
    replicates : float64 array of shape (B,)
        Values of the statistic on the resamples; values that are not finite are refused.
    estimate : float
        Value of the statistic on the data.
    level : float
        Confidence level.
    method : {"percentile", "basic", "bca", "t"}
        "bca" needs `jackknife` (leave-one-out values); "t" needs `standard_errors` of the
        replicates and `standard_error` of the estimate. Efron & Tibshirani (1993), ch. 12-14.

    Returns
    -------
    Interval
    """
    level = check_level(level)
    check_choice("method", method, ("percentile", "basic", "bca", "t"))
    estimate = check_number("estimate", estimate)
    values = np.asarray(replicates, dtype=np.float64)
    if values.ndim != 1 or values.size < 2:
        raise AnnostatError(f"replicates must be a list of two or more, got shape {values.shape}")
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise AnnostatError(f"{bad} of {values.size} bootstrap replicates are not finite")
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    name = {"bca": "BCa bootstrap", "t": "bootstrap-t"}.get(method, f"{method} bootstrap")
    if method == "t":
        if standard_errors is None or standard_error is None:
            raise AnnostatError("method 't' needs standard_errors and standard_error")
        errors = np.asarray(standard_errors, dtype=np.float64)
        if errors.shape != values.shape or not (np.isfinite(errors) & (errors > 0)).all():
            raise AnnostatError("standard_errors must be one positive number for each replicate")
        upper, lower = quantiles((values - estimate) / errors, tails)
        return Interval(
            estimate - lower * standard_error, estimate - upper * standard_error, level, name
        )
    if method == "bca":
        if jackknife is None:
            raise AnnostatError("method 'bca' needs the jackknife values")
        if not np.isfinite(jackknife).all():
            raise AnnostatError("method 'bca' needs jackknife values that are all finite")
        tails = _bca_tails(values, estimate, np.asarray(jackknife, float), tails)
    low, high = quantiles(values, tails)
    if method == "basic":
        low, high = 2 * estimate - high, 2 * estimate - low
    return Interval(low, high, level, name)


def _bca_tails(
    values: FloatArray, estimate: float, jackknife: FloatArray, tails: FloatArray
) -> FloatArray:
    below = (np.sum(values < estimate) + 0.5 * np.sum(values == estimate)) / values.size
    # A statistic at the edge of its replicates would give an infinite correction.
    below = min(max(below, 0.5 / values.size), 1 - 0.5 / values.size)
    bias = special.ndtri(below)
    pull = jackknife.mean() - jackknife
    scale = math.sqrt(float(np.sum(pull**2)))
    skew = 0.0 if scale == 0 else float(np.sum(pull**3)) / (6 * scale**3)
    shifted = bias + special.ndtri(tails)
    # Beyond the pole of the correction the limit is the end of the replicates.
    return np.asarray(special.ndtr(bias + shifted / np.maximum(1 - skew * shifted, 1e-12)))
