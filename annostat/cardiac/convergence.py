"""How a recurrent model's error falls over the first frames of a clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.cardiac.common import Resampling, digest_of, distance_row, render_rows
from annostat.errors import AnnostatError, check_choice, check_count, check_numbers
from annostat.resampling.bootstraps import bootstrap, bootstrap_interval, serial_product
from annostat.resampling.clusters import cluster_codes, renumbered
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.intervals import t_interval, t_reach
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import plain

if TYPE_CHECKING:
    import pandas as pd

GRID = 10  # hinges tried per frame
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class FirstFrames(Result):
    """The mean error at each of the first frames, and the frame from which it is flat.

    Attributes
    ----------
    mean : float64 array of shape (n_frames,)
        Mean error over the clips that have this frame.
    low, high : float64 array of shape (n_frames,)
        Simultaneous band (bootstrap-t): it holds the whole curve with probability `level`.
    counts : int64 array of shape (n_frames,)
        Clips that have the frame.
    hinge : Estimate
        Frame from which the error is flat; 0 if it does not fall.
    start, flat : Estimate
        Fitted error at frame 0 and from the hinge on.
    padded : FirstFrames or None
        The same of the clips that were padded in front.
    gain : Estimate or None
        Mean error over the frames before the hinge, without padding less with it, clip by clip.
    checks : tuple of Check
    provenance : Provenance
    """

    mean: FloatArray
    low: FloatArray
    high: FloatArray
    counts: NDArray[np.int64]
    hinge: Estimate
    start: Estimate
    flat: Estimate
    padded: FirstFrames | None
    gain: Estimate | None
    checks: tuple[Check, ...]
    provenance: Provenance

    def fitted(self) -> FloatArray:
        """Return the piecewise linear curve at each frame, float64 of shape (n_frames,)."""
        t = np.arange(self.mean.size, dtype=np.float64)
        if self.hinge.value <= 0:
            return np.full(t.size, self.flat.value)
        rest = np.maximum(1 - t / self.hinge.value, 0.0)
        return np.asarray(self.flat.value + (self.start.value - self.flat.value) * rest)

    def rows(self) -> list[tuple[str, Estimate]]:
        """Return the estimates that there are, with their names."""
        rows = [
            ("flat from frame", self.hinge),
            ("error at frame 0", self.start),
            ("error when flat", self.flat),
        ]
        if self.padded is not None:
            rows += [(f"padded: {name}", value) for name, value in self.padded.rows()]
        if self.gain is not None:
            rows.append(("gain of padding before the hinge", self.gain))
        return rows

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        head = [f"{int(self.counts[0])} clips, the first {self.mean.size} frames"]
        return [render_rows("First frames", self.rows(), head), check_section(self.checks)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "hinge": self.hinge.to_dict(),
            "start": self.start.to_dict(),
            "flat": self.flat.to_dict(),
            "mean": plain(self.mean),
            "low": plain(self.low),
            "high": plain(self.high),
            "counts": plain(self.counts),
            "padded": plain(self.padded),
            "gain": plain(self.gain),
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate."""
        import pandas as pd

        return pd.DataFrame([distance_row(name, value) for name, value in self.rows()])


def first_frames(
    errors: ArrayLike | Sequence[ArrayLike],
    *,
    padded: ArrayLike | Sequence[ArrayLike] | None = None,
    n_frames: int = 50,
    min_clips: int = 8,
    unit: str = "",
    cluster: Sequence[object] | NDArray[Any] | None = None,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> FirstFrames:
    """Say from which frame on a model's error is flat, and what padding in front changes.

    The hinge τ minimises Σ_t n_t·(m_t − a − b·max(τ − t, 0))² over τ (a tenth of a frame apart)
    and b ≥ 0, where m_t is the mean error at frame t over n_t clips. Errors of neighbouring
    frames are alike, so all intervals come from resampling clips, never frames.

    Parameters
    ----------
    errors : array-like of shape (n_clips, n_frames), or a sequence of 1-D array-likes
        Error of each frame (1 − Dice, |area − area of the reference|); NaN where a clip has
        ended or has no reference.
    padded : like errors, optional
        Errors of the same clips and frames, from a run on clips padded in front (`pre_pad`), the
        frames of the padding removed.
    n_frames : int
        How many of the first frames to look at.
    min_clips : int
        Frames that fewer clips have are left out.
    unit : str
        Unit of the errors.
    cluster, level, n_resamples, rng, n_jobs
        As everywhere.

    Returns
    -------
    FirstFrames

    Raises
    ------
    AnnostatError
        If fewer than eight clips or four frames remain, an error is negative or infinite, or
        the padded errors are of other clips.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> t = np.arange(40)
    >>> mean = 0.1 + 0.02 * np.maximum(12 - t, 0)
    >>> result = first_frames(mean * rng.gamma(20, 1 / 20, (100, 40)), n_resamples=200)
    >>> 11 < result.hinge.value < 13, 12.0 in result.hinge.interval
    (True, True)
    """
    how = Resampling(level, n_resamples, rng, n_jobs)
    n_frames = check_count("n_frames", n_frames, low=4)
    min_clips = check_count("min_clips", min_clips, low=1)
    table = _table("errors", errors, n_frames)
    codes = cluster_codes(cluster)
    if codes is not None and codes.size != len(table):
        raise AnnostatError(
            f"cluster must have one label per clip ({len(table)}), got {codes.size}"
        )
    result = _one(table, min_clips, unit, codes, how)
    if padded is None:
        return result
    second = _table("padded", padded, n_frames)
    if len(second) != len(table):
        raise AnnostatError(
            f"padded must hold the same clips as errors ({len(table)}), got {len(second)}"
        )
    after = _one(second, min_clips, unit, codes, how)
    return replace(result, padded=after, gain=_gain(table, second, result, codes, level))


def pre_pad(frames: ArrayLike, n: int, *, how: str = "mirror") -> NDArray[Any]:
    """Return a clip with `n` frames put in front, for a model that needs to converge.

    Parameters
    ----------
    frames : array-like of shape (n_frames, ...)
        Any dtype, which is kept.
    n : int
        Frames to put in front; drop the first n of the model's output again.
    how : {"mirror", "repeat", "loop"}
        The clip played backwards up to its first frame, the first frame again and again, or the
        clip's own last frames, as if it were played in a loop.

    Examples
    --------
    >>> [pre_pad([1, 2, 3, 4], 2, how=how).tolist() for how in ("mirror", "repeat", "loop")]
    [[3, 2, 1, 2, 3, 4], [1, 1, 1, 2, 3, 4], [3, 4, 1, 2, 3, 4]]
    """
    n = check_count("n", n)
    check_choice("how", how, ("mirror", "repeat", "loop"))
    clip = np.asarray(frames)
    if clip.ndim < 1 or not len(clip):
        raise AnnostatError(f"frames must hold one frame or more, got shape {clip.shape}")
    widths = [(n, 0), *[(0, 0)] * (clip.ndim - 1)]
    if len(clip) == 1 or how == "repeat":
        return np.pad(clip, widths, mode="edge")
    return np.pad(clip, widths, mode="reflect" if how == "mirror" else "wrap")


def _table(name: str, errors: Any, n_frames: int) -> FloatArray:
    """Return errors as float64 of shape (n_clips, at most n_frames), NaN where there is none."""
    clips = list(errors)
    if not clips:
        raise AnnostatError(f"{name} is empty: give one row per clip")
    rows = []
    for i, clip in enumerate(clips):
        row = check_numbers(f"{name}: clip {i}", clip)
        if row.ndim != 1:
            raise AnnostatError(f"{name}: clip {i} must be one number per frame, got {row.shape}")
        rows.append(row[:n_frames])
    table = np.full((len(rows), max(r.size for r in rows)), math.nan)
    for i, row in enumerate(rows):
        table[i, : row.size] = row
    if np.isinf(table).any() or (table < 0).any():
        bad = np.argwhere(np.isinf(table) | (table < 0))[0]
        raise AnnostatError(
            f"{name} must be finite and not negative, got {table[tuple(bad)]} "
            f"at clip {bad[0]}, frame {bad[1]}"
        )
    return table


def _one(
    table: FloatArray,
    min_clips: int,
    unit: str,
    codes: NDArray[np.int64] | None,
    how: Resampling,
) -> FirstFrames:
    seen = np.isfinite(table)
    enough = seen.sum(axis=0) >= min_clips
    last = int(np.argmin(enough)) if not enough.all() else enough.size
    table, seen = table[:, :last], seen[:, :last]
    if last < 4 or len(table) < 8:
        raise AnnostatError(
            f"at least 8 clips and 4 frames are needed, got {len(table)} clips and {last} frames "
            f"that {min_clips} clips or more have"
        )
    counts = seen.sum(axis=0)
    filled, present = np.where(seen, table, 0.0), seen.astype(np.float64)
    sums, sizes = (Sums.of(columns, codes).columns for columns in (filled, present))
    n_units, units = len(sums), (sizes > 0).sum(axis=0)
    mean = filled.sum(axis=0) / counts
    hinges = Hinges(counts)
    squares, products, sizes_squared = sums**2, sums * sizes, sizes**2

    def error_of(mean: FloatArray, count: FloatArray, parts: tuple[FloatArray, ...]) -> FloatArray:
        """Return the standard error of a mean of clips, from sums of squares over the units."""
        square = parts[0] - 2 * mean * parts[1] + mean**2 * parts[2]
        wide = units / np.maximum(units - 1, 1)
        return np.asarray(np.sqrt(np.maximum(square, 0.0) * wide) / count)

    every = np.hstack([sizes, sums, squares, products, sizes_squared])

    def refit(w: FloatArray) -> FloatArray:
        count, total, *parts = np.split(serial_product(w, every), 5, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = total / count
            errors = error_of(means, count, (parts[0], parts[1], parts[2]))
        # A frame that none of the drawn clips has keeps its mean.
        means = np.where(np.isfinite(means), means, mean)
        return np.hstack([hinges.fit(means), means, errors])

    drawn = bootstrap(refit, n_units, n_resamples=how.n_resamples, rng=how.rng, n_jobs=how.n_jobs)
    fits, means, errors = np.split(drawn, [3, 3 + last], axis=1)
    found = hinges.fit(mean[None])[0]
    error = error_of(
        mean, counts, (squares.sum(axis=0), products.sum(axis=0), sizes_squared.sum(axis=0))
    )
    # Studentised: a band of plain spreads holds 75% with 20 clips, 90% with 60.
    usable = np.isfinite(errors) & (errors > 1e-9 * error) & (error > 0)
    scaled = np.abs(means - mean) / np.where(usable, errors, np.inf)
    reach = float(np.quantile(scaled.max(axis=1), how.level)) * error
    # The percentile's tails, widened as those of t are (Hesterberg 2015, Am Stat 69:371-386).
    df = max(n_units - 1, 1)
    wide = t_reach(df, how.level) * math.sqrt(1 + 1 / df)
    wide = 1 - 2 * float(special.ndtr(-wide))
    estimates = []
    for i, of in enumerate(("frames", unit, unit)):
        limits = bootstrap_interval(fits[:, i], float(found[i]), level=wide)
        where = "clips" if codes is None else "clusters"
        name = f"expanded percentile bootstrap over {where}"
        limits = Interval(limits.low, limits.high, how.level, name)
        estimates.append(Estimate(float(found[i]), float(fits[:, i].std(ddof=1)), limits, of))
    return FirstFrames(
        mean=mean,
        low=np.maximum(mean - reach, 0.0),
        high=mean + reach,
        counts=counts,
        hinge=estimates[0],
        start=estimates[1],
        flat=estimates[2],
        padded=None,
        gain=None,
        checks=_checks(estimates, last),
        provenance=Provenance(
            __version__,
            digest_of(np.where(seen, table, -1.0)),
            len(table),
            seed_of(how.rng),
            {
                "level": how.level,
                "n_resamples": how.n_resamples,
                "n_frames": last,
                "min_clips": min_clips,
            },
        ),
    )


class Hinges:
    """Least squares of a falling line that turns flat, for every hinge of a grid at once."""

    def __init__(self, counts: NDArray[np.int64]) -> None:
        t = np.arange(counts.size, dtype=np.float64)
        # At least one frame before the hinge, and two frames beyond it.
        self.grid = np.arange(GRID, GRID * (counts.size - 2) + 1) / GRID
        self.weight = counts / counts.sum()
        self.x = np.maximum(self.grid[:, None] - t, 0.0)
        self.centre = self.x @ self.weight
        off = self.x - self.centre[:, None]
        self.size = (off**2) @ self.weight
        self.off = off * self.weight

    def fit(self, means: FloatArray) -> FloatArray:
        """Return hinge, error at frame 0 and flat error; means (b, n_frames), result (b, 3)."""
        level = means @ self.weight
        cross = np.maximum(means @ self.off.T, 0.0)
        best = np.argmax(cross**2 / self.size, axis=1)
        slope = cross[np.arange(len(means)), best] / self.size[best]
        # A fall that is rounding only, of a curve that is constant, has no hinge.
        slope = np.where(slope * self.grid[best] > ROUNDING * np.abs(level), slope, 0.0)
        hinge = np.where(slope > 0, self.grid[best], 0.0)
        flat = level - slope * self.centre[best]
        return np.column_stack([hinge, flat + slope * hinge, flat])


def _checks(estimates: Sequence[Estimate], n_frames: int) -> tuple[Check, ...]:
    hinge, start, flat = estimates
    late = (hinge.high or 0.0) >= n_frames - 2
    fall = start.value - flat.value
    scale = math.hypot(start.standard_uncertainty or 0.0, flat.standard_uncertainty or 0.0)
    falls = fall > 2 * scale
    text = (
        f"The error is flat within the {n_frames} frames looked at."
        if not late
        else f"The hinge may lie beyond the {n_frames} frames looked at: give more (n_frames)."
    )
    again = (
        "The error falls over the first frames."
        if falls
        else "The error does not clearly fall: the hinge says little, and padding is not needed."
    )
    return (
        Check("flat_within", not late, text, hinge.high),
        Check("falls", True if falls else None, again, fall),
    )


def _gain(
    first: FloatArray,
    second: FloatArray,
    result: FirstFrames,
    codes: NDArray[np.int64] | None,
    level: float,
) -> Estimate:
    """Return the paired difference over the frames before the hinge, with a t interval."""
    early = max(1, math.ceil(result.hinge.value))
    width = min(first.shape[1], second.shape[1], early)
    gap = first[:, :width] - second[:, :width]
    has = np.isfinite(gap).any(axis=1)
    if not has.any():
        raise AnnostatError("padded has no frame in common with errors before the hinge")
    each = np.nanmean(gap[has], axis=1)
    if codes is not None:
        inner = renumbered(codes[has])
        each = np.bincount(inner, weights=each) / np.bincount(inner)
    mean, n = float(each.mean()), each.size
    unit = result.start.unit
    if n < 2:
        return Estimate(mean, None, None, unit, "no interval: it takes two clips or more")
    error = float(each.std(ddof=1)) / math.sqrt(n)
    where = "clips" if codes is None else "clusters"
    limits = t_interval(mean, error, n - 1, level, f"paired t over {where}")
    return Estimate(mean, error, limits, unit)
