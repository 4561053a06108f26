"""How two sets of masks overlap: Dice, IoU, sensitivity, specificity and surface distances."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray, digest
from annostat.errors import AnnostatError, check_level, check_number
from annostat.labels.mask_arrays import as_masks, check_labels, check_same_shape, check_spacing
from annostat.masks.counts import chunks_of, measured, overlap_counts, scores_of
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.intervals import exp
from annostat.resampling.parallel import map_parallel
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate
from annostat.results.result import Provenance, Result
from annostat.results.sections import Section

if TYPE_CHECKING:
    import pandas as pd

DISTANCES = ("surface_distance", "hausdorff", "hausdorff_95")


@dataclass(frozen=True, eq=False)
class Overlap(Result):
    """Two sets of masks compared, frame by frame, by clip and over all frames.

    Attributes
    ----------
    labels : tuple of int
        The structures, (1,) for binary masks.
    counts : int64 array of shape (n_labels, n_frames, 3)
        Pixels in both, in `a`, in `b`.
    n_pixels : int
        Pixels of one frame.
    distances : float64 array of shape (n_labels, n_frames, 3) or None
        Mean, Hausdorff and 95th-percentile surface distance; NaN where a mask is empty.
    clips : object array of shape (n_frames,) or None
    empty : float
        What two empty masks score.
    unit : str
        Of the distances.
    summary : dict
        Estimates by (label, metric, "pooled" or "mean").
    """

    labels: tuple[int, ...]
    counts: NDArray[np.int64]
    n_pixels: int
    distances: FloatArray | None
    clips: NDArray[Any] | None
    empty: float
    unit: str
    # A field of that name is older than the method, which `to_text` stands for here.
    summary: dict[tuple[int, str, str], Estimate] = field()  # type: ignore[assignment]
    provenance: Provenance

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.counts.shape[1])

    @property
    def dice(self) -> Estimate:
        """Mean Dice of the frames, of the first label."""
        return self.summary[self.labels[0], "dice", "mean"]

    def per_frame(self) -> pd.DataFrame:
        """Return one row per label and frame."""
        import pandas as pd

        parts = []
        for i, label in enumerate(self.labels):
            table = pd.DataFrame({"label": label, "frame": np.arange(self.n_frames)})
            if self.clips is not None:
                table["clip"] = self.clips
            scores = scores_of(self.counts[i], self.n_pixels, self.empty)
            for name, values in scores.items():
                table[name] = values
            if self.distances is not None:
                for name, values in zip(DISTANCES, self.distances[i].T, strict=True):
                    table[name] = values
            parts.append(table)
        return pd.concat(parts, ignore_index=True)

    def per_clip(self) -> pd.DataFrame:
        """Return one row per label and clip: pooled counts, mean and largest distances."""
        import pandas as pd

        if self.clips is None:
            raise AnnostatError("per_clip needs clips=, the clip of each frame")
        codes, names = pd.factorize(self.clips)
        parts = []
        for i, label in enumerate(self.labels):
            sums = np.zeros((len(names), 3), dtype=np.int64)
            np.add.at(sums, codes, self.counts[i])
            frames = np.bincount(codes, minlength=len(names))
            scores = scores_of(sums, self.n_pixels * frames, self.empty)
            table = pd.DataFrame({"label": label, "clip": names, "n_frames": frames, **scores})
            if self.distances is not None:
                rows = pd.DataFrame(self.distances[i], columns=list(DISTANCES)).groupby(codes)
                means, largest = rows.mean(), rows.max()
                means["hausdorff"] = largest["hausdorff"]
                table = pd.concat([table, means.reset_index(drop=True)], axis=1)
            parts.append(table)
        return pd.concat(parts, ignore_index=True)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per label, metric and way of averaging."""
        import pandas as pd

        rows = [
            {"label": label, "metric": metric, "over": how, **estimate.to_dict()}
            for (label, metric, how), estimate in self.summary.items()
        ]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        labels: dict[str, Any] = {}
        for (label, metric, how), estimate in self.summary.items():
            labels.setdefault(str(label), {}).setdefault(metric, {})[how] = estimate.to_dict()
        return {
            "n_frames": self.n_frames,
            "empty": self.empty,
            "unit": self.unit,
            "labels": labels,
            "provenance": self.provenance.to_dict(),
        }

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        n_empty = int((self.counts[:, :, 1:].sum(axis=2) == 0).sum())
        lines = [f"{self.n_frames} frames of {self.n_pixels:,} pixels."]
        if n_empty:
            lines.append(f"{n_empty} times both masks are empty; they score {self.empty:g}.")
        rows = [
            [str(label), metric, how, e.short() + (f" {e.unit}" if e.unit else ""), e.range()]
            for (label, metric, how), e in self.summary.items()
        ]
        columns = ("label", "metric", "over frames", "value", "interval")
        return [Section("Overlap", columns, rows, lines)]


def dice(a: Any, b: Any, *, label: int | None = None, empty: float = 1.0) -> Any:
    """Return the Dice coefficient 2|a ∩ b| / (|a| + |b|) of masks, one number per frame.

    Parameters
    ----------
    a, b : array-like of shape (H, W) or (N, ...)
        Masks of any array type: booleans, {0, 1}, {0, 255}, torch tensors on the CPU. The first
        axis of three or more counts the frames; give a volume as ``volume[None]``.
    label : int, optional
        Compare the pixels of this value; the masks may then hold any whole numbers from 0 to 255.
    empty : float
        What two empty masks score: 1, as they agree, or NaN to leave such frames out.

    Returns
    -------
    float, or float64 array of shape (N,)

    Examples
    --------
    >>> from annostat.masks import dice
    >>> dice([[0, 1], [1, 1]], [[0, 1], [0, 1]])
    0.8
    """
    counts, single, _ = overlap_counts(a, b, label)
    with np.errstate(invalid="ignore"):
        total = counts[:, 1] + counts[:, 2]
        values = np.where(total == 0, empty, 2.0 * counts[:, 0] / np.maximum(total, 1))
    return float(values[0]) if single else values


def iou(a: Any, b: Any, *, label: int | None = None, empty: float = 1.0) -> Any:
    """Return the intersection over union (Jaccard) of masks: `dice`'s D gives D / (2 − D).

    Parameters and result are those of `dice`.

    Examples
    --------
    >>> from annostat.masks import iou
    >>> round(iou([[0, 1], [1, 1]], [[0, 1], [0, 1]]), 4)
    0.6667
    """
    counts, single, _ = overlap_counts(a, b, label)
    union = counts[:, 1] + counts[:, 2] - counts[:, 0]
    values = np.where(union == 0, empty, counts[:, 0] / np.maximum(union, 1))
    return float(values[0]) if single else values


def overlap(
    a: Any,
    b: Any,
    *,
    labels: Sequence[int] | None = None,
    surface: bool = True,
    spacing: Any = None,
    unit: str = "pixels",
    clips: Sequence[object] | None = None,
    cluster: Sequence[object] | None = None,
    empty: float = 1.0,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Overlap:
    """Compare masks `a` with reference masks `b`, per frame, per clip and pooled.

    Parameters
    ----------
    a, b : array-like of shape (H, W) or (N, H, W) (or N × volumes)
        Masks as in `dice`; `b` is the reference of sensitivity |a ∩ b| / |b| and specificity.
    labels : sequence of int, optional
        Structures to compare; 0 is background, other values are refused. None: binary masks.
    surface : bool
        Whether to measure surface distances, which take most of the time.
    spacing : float, or array-like of shape (ndim,) or (N, ndim)
        Size of a pixel along each axis, for the distances; `unit` is its unit.
    clips : sequence of length N, optional
        Clip of each frame (`Overlap.per_clip`).
    cluster : sequence of length N, optional
        What the bootstrap draws: patients; by default the clips, else the frames.
    empty : float
        Dice and IoU of two empty masks: 1 (they agree), or NaN (such frames are left out).
    level, n_resamples, rng, n_jobs, progress
        As everywhere. `n_resamples=0` gives no intervals.

    Returns
    -------
    Overlap

    Notes
    -----
    One empty mask of two: Dice and IoU are 0. Sensitivity is NaN where `b` is empty, specificity
    where `b` is full, distances where either is empty; means leave such frames out. "pooled" adds
    up the pixels of all frames before dividing. Intervals are bootstrap-t of the logarithm of
    1 − score, or of a distance. The surface is every marked pixel with an unmarked
    face neighbour, or at the edge of the image. The mean distance runs over the points of both
    surfaces; `hausdorff_95` is the larger one of the two directed 95th percentiles. Of clips and
    of the whole, distances are means over frames, except a clip's `hausdorff`, its largest.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat.masks import overlap
    >>> a = np.zeros((2, 8, 8), bool)
    >>> b = a.copy()
    >>> a[:, 2:6, 2:6], b[:, 2:6, 3:7] = True, True
    >>> result = overlap(a, b, spacing=0.5, unit="mm", n_resamples=0)
    >>> result.dice.value, result.summary[1, "hausdorff", "mean"].value
    (0.75, 0.5)
    """
    if not np.isnan(empty):
        check_number("empty", empty, low=0, high=1)
    level = check_level(level)
    names = (1,) if labels is None else check_labels(labels)
    first, second = as_masks("a", a, labels), as_masks("b", b, labels)
    check_same_shape(first, second)
    if first.ndim == 2:
        first, second = first[None], second[None]
    n = len(first)
    pixel = check_spacing(spacing, first.ndim - 1, n)
    of_clips = _column("clips", clips, n)
    of_clusters = cluster_codes(_column("cluster", cluster, n))
    if of_clusters is None:
        of_clusters = cluster_codes(of_clips)
    return overlap_of(
        first,
        second,
        labels=names,
        pixel=pixel if surface else None,
        unit=unit,
        clips=of_clips,
        units=of_clusters,
        empty=empty,
        level=level,
        n_resamples=n_resamples,
        rng=rng,
        n_jobs=n_jobs,
        progress=progress,
    )


def overlap_of(
    first: Any,
    second: Any,
    *,
    labels: tuple[int, ...],
    pixel: FloatArray | None,
    unit: str,
    clips: NDArray[Any] | None,
    units: NDArray[np.int64] | None,
    empty: float,
    level: float,
    n_resamples: int,
    rng: Rng,
    n_jobs: int | None,
    progress: Callable[[int, int], None] | None = None,
) -> Overlap:
    """Return `overlap` of masks that hold i for the i-th label, bytes or packed.

    `pixel` are sizes for the distances of surfaces, float64 of shape (n, n_axes), or None;
    `units` the codes of what is resampled.
    """
    n, n_pixels = len(first), int(np.prod(first.shape[1:]))
    tasks = [
        (first[c], second[c], None if pixel is None else pixel[c]) for c in chunks_of(n, n_pixels)
    ]

    def measure(task: tuple[Any, Any, Any]) -> tuple[NDArray[np.int64], FloatArray]:
        return measured(task[0], task[1], len(labels), task[2])

    found = map_parallel(measure, tasks, n_jobs=n_jobs, progress=progress)
    counts = np.concatenate([c for c, _ in found], axis=1)
    distances = None if pixel is None else np.concatenate([d for _, d in found], axis=1)
    summary: dict[tuple[int, str, str], Estimate] = {}
    for i, label in enumerate(labels):
        columns = scores_of(counts[i], n_pixels, empty)
        if distances is not None:
            columns |= dict(zip(DISTANCES, distances[i].T, strict=True))
        estimates = _averages(
            counts[i], n_pixels, columns, empty, units, level, n_resamples, rng, unit
        )
        summary |= {(label, metric, how): e for (metric, how), e in estimates.items()}
    hashed = digest(first, second)
    options = {"labels": list(labels), "empty": empty, "level": level, "n_resamples": n_resamples}
    return Overlap(
        labels,
        counts,
        n_pixels,
        distances,
        clips,
        float(empty),
        unit,
        summary,
        Provenance(__version__, hashed, n, seed_of(rng), options),
    )


def _averages(
    counts: NDArray[np.int64],
    n_pixels: int,
    columns: dict[str, FloatArray],
    empty: float,
    clusters: NDArray[np.int64] | None,
    level: float,
    n_resamples: int,
    rng: Rng,
    unit: str,
) -> dict[tuple[str, str], Estimate]:
    """Return the pooled and mean scores, with bootstrap intervals."""
    options: dict[str, Any] = {"level": level, "n_resamples": n_resamples, "rng": rng}
    out = {}
    for metric, values in columns.items():
        there = np.isfinite(values)
        value = float(values[there].mean()) if there.any() else math.nan
        distance = metric in DISTANCES
        wrong = np.where(there, values if distance else 1 - values, 0.0)
        out[metric, "mean"] = _estimate(
            value, wrong, there, clusters, unit if distance else None, **options
        )
    both, a, b = counts.T.astype(np.float64)
    size, union = np.full(len(counts), float(n_pixels)), a + b - both
    pooled = scores_of(counts.sum(axis=0), n_pixels * len(counts), empty)
    # The wrong pixels of each frame, and all that they are a share of.
    losses = {
        "dice": (a + b - 2 * both, a + b),
        "iou": (union - both, union),
        "sensitivity": (b - both, b),
        "specificity": (a - both, size - b),
    }
    for metric, (wrong, of) in losses.items():
        value = float(pooled[metric])
        out[metric, "pooled"] = _estimate(value, wrong, of, clusters, None, **options)
    return out


def _estimate(
    value: float,
    wrong: FloatArray,
    of: NDArray[Any],
    clusters: NDArray[np.int64] | None,
    unit: str | None,
    **options: Any,
) -> Estimate:
    """Return a value, Σ wrong/Σ of or (a score, without a unit) 1 less that, with its interval."""
    name = unit or ""
    if math.isnan(value):
        return Estimate(value, None, None, name, "undefined: empty masks")
    sums = Sums.of(np.column_stack([wrong, of]).astype(np.float64), clusters)
    if not sums.totals.all():
        return Estimate(value, None, None, name, "no interval: all masks are equal")

    def log_ratio(t: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(t[..., 0] / t[..., 1]))

    found = None
    if options["n_resamples"] and sums.n_units > 1:
        scale = "log(1 − score)" if unit is None else "log distance"
        found = sums.interval(log_ratio, scale=scale, **options)
    if found is None:
        return Estimate(value, None, None, name)
    low, high = exp(found.low), exp(found.high)
    if unit is None:
        low, high = max(0.0, 1 - high), 1 - low
    error = math.exp(sums.value(log_ratio)) * sums.standard_error(log_ratio)
    return Estimate(value, error, replace(found, low=low, high=high), name)


def _column(name: str, values: Sequence[object] | None, n: int) -> NDArray[Any] | None:
    if values is None:
        return None
    column = np.asarray([str(v) for v in values], dtype=object)
    if len(column) != n:
        raise AnnostatError(f"{name} has {len(column)} entries for {n} frames")
    return column


__all__ = ["Overlap", "dice", "iou", "overlap"]
