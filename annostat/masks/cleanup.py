"""Clean-up of masks: one piece, no holes, no flicker; and what it does to the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from annostat.errors import AnnostatError, check_count
from annostat.labels.mask_arrays import as_masks, box_of, check_labels
from annostat.masks.scores import DISTANCES, Overlap, overlap
from annostat.resampling.bootstraps import bootstrap, bootstrap_interval, serial_product
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng
from annostat.results.estimates import Estimate
from annostat.results.result import Result
from annostat.results.sections import Section
from annostat.results.text import format_number

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("dice", "iou", "sensitivity", "specificity", *DISTANCES)


def clean_masks(
    masks: Any,
    *,
    largest: bool = True,
    holes: bool = True,
    window: int = 1,
    clips: Sequence[object] | None = None,
    labels: Sequence[int] | None = None,
) -> NDArray[Any]:
    """Return masks without stray pieces, holes and flicker.

    Parameters
    ----------
    masks : array-like of shape (H, W) or (N, H, W)
        Binary masks, or labels with `labels`. Of several labels each one is cleaned by itself.
    largest : bool
        Keep the largest connected piece (neighbours share a face) of each frame, the first one
        in reading order if two are equal.
    holes : bool
        Fill background that a frame's mask encloses.
    window : int
        Odd number of frames: a pixel takes the majority of the `window` frames around it (fewer
        at the ends of a clip, where a tie keeps the frame's own value). 1 changes nothing. It
        comes first, then holes, then the largest piece.
    clips : sequence of length N, optional
        Clip of each frame; frames of different clips do not mix. Frames are in order of time.
    labels : sequence of int, optional

    Returns
    -------
    bool array of the same shape, or unsigned labels with `labels`

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((5, 8), bool)
    >>> mask[1:4, 1:4], mask[2, 2], mask[0, 7] = True, False, True
    >>> int(mask.sum()), int(clean_masks(mask).sum())
    (9, 9)
    """
    width = check_count("window", window, low=1)
    if width % 2 == 0:
        raise AnnostatError(f"window must be an odd number of frames, got {width}")
    known = (1,) if labels is None else check_labels(labels)
    array = as_masks("masks", masks, labels)
    single = array.ndim == 2
    frames = array[None] if single else array
    starts = _clip_starts(clips, len(frames))
    out = np.zeros(frames.shape, dtype=np.uint8)
    for i in range(1, len(known) + 1):
        mine = frames == i
        if width > 1:
            for a, b in zip(starts, [*starts[1:], len(frames)], strict=True):
                mine[a:b] = _majority_in_time(mine[a:b], width)
        for k, mask in enumerate(mine):
            mine[k] = _clean(mask, largest, holes)
        out[mine & (out == 0)] = i
    if labels is None:
        result: NDArray[Any] = out.astype(bool)
    else:
        kind = np.uint8 if max(known) < 256 else np.int64
        result = np.asarray([0, *known], dtype=kind)[out]
    return result[0] if single else result


def _clean(mask: NDArray[np.bool_], largest: bool, holes: bool) -> NDArray[np.bool_]:
    box = box_of(mask)
    if box is None:
        return mask
    out = np.zeros_like(mask)
    inner = mask[box]
    if holes:
        inner = ndimage.binary_fill_holes(inner)
    if largest:
        pieces, n = ndimage.label(inner)
        if n > 1:
            inner = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    out[box] = inner
    return out


def _majority_in_time(frames: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    n, half = len(frames), width // 2
    total = np.concatenate([np.zeros((1, *frames.shape[1:]), int), np.cumsum(frames, axis=0)])
    t = np.arange(n)
    low, high = np.maximum(t - half, 0), np.minimum(t + half + 1, n)
    size = (high - low).reshape(-1, *(1,) * (frames.ndim - 1))
    votes = 2 * (total[high] - total[low])
    return np.asarray((votes > size) | ((votes == size) & frames))


def _clip_starts(clips: Sequence[object] | None, n: int) -> list[int]:
    if clips is None:
        return [0]
    names = [str(c) for c in clips]
    if len(names) != n:
        raise AnnostatError(f"clips has {len(names)} entries for {n} frames")
    starts = [i for i in range(n) if i == 0 or names[i] != names[i - 1]]
    if len(starts) != len(set(names)):
        raise AnnostatError("clips must hold the frames of a clip next to each other")
    return starts


@dataclass(frozen=True, eq=False)
class Cleanup(Result):
    """Scores of masks before and after clean-up.

    Attributes
    ----------
    masks : array
        The cleaned masks.
    before, after : Overlap
    change : dict of (label, metric) to Estimate
        Mean of after − before over the frames where both are defined.
    """

    masks: NDArray[Any]
    before: Overlap
    after: Overlap
    change: dict[tuple[int, str], Estimate]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per label and metric: before, after, change."""
        import pandas as pd

        rows = []
        for (label, metric), change in self.change.items():
            key = (label, metric, "mean")
            rows.append(
                {
                    "label": label,
                    "metric": metric,
                    "before": self.before.summary[key].value,
                    "after": self.after.summary[key].value,
                    "change": change.value,
                    "low": change.low,
                    "high": change.high,
                }
            )
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "change": [
                {"label": label, "metric": metric, **estimate.to_dict()}
                for (label, metric), estimate in self.change.items()
            ],
        }

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = []
        for (label, metric), change in self.change.items():
            key = (label, metric, "mean")
            first, second = self.before.summary[key], self.after.summary[key]
            signed = format_number(change.value, change.standard_uncertainty)
            rows.append([str(label), metric, first.short(), second.short(), signed, change.range()])
        columns = ("label", "metric", "before", "after", "change", "interval")
        return [Section("Clean-up: scores before and after", columns, rows)]


def compare_cleanup(
    masks: Any,
    reference: Any,
    *,
    largest: bool = True,
    holes: bool = True,
    window: int = 1,
    labels: Sequence[int] | None = None,
    clips: Sequence[object] | None = None,
    cluster: Sequence[object] | None = None,
    spacing: Any = None,
    unit: str = "pixels",
    surface: bool = True,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> Cleanup:
    """Clean masks and say what that does to their scores against a reference.

    Parameters
    ----------
    masks, reference : array-like of shape (N, H, W)
    largest, holes, window
        As in `clean_masks`.
    labels, clips, cluster, spacing, unit, surface, level, n_resamples, rng, n_jobs
        As in `overlap`.

    Returns
    -------
    Cleanup

    Examples
    --------
    >>> import numpy as np
    >>> reference = np.zeros((2, 12, 12), bool)
    >>> reference[:, 3:9, 3:9] = True
    >>> masks = reference.copy()
    >>> masks[:, 0, 0] = True
    >>> table = compare_cleanup(masks, reference, n_resamples=0).to_frame().set_index("metric")
    >>> table.loc["dice", ["before", "after"]].round(3).tolist()
    [0.986, 1.0]
    """
    cleaned = clean_masks(
        masks, largest=largest, holes=holes, window=window, clips=clips, labels=labels
    )
    options: dict[str, Any] = {
        "labels": labels,
        "clips": clips,
        "cluster": cluster,
        "spacing": spacing,
        "unit": unit,
        "surface": surface,
        "level": level,
        "n_resamples": n_resamples,
        "rng": rng,
        "n_jobs": n_jobs,
    }
    before, after = (overlap(m, reference, **options) for m in (masks, cleaned))
    first, second = before.per_frame(), after.per_frame()
    codes = cluster_codes(None if cluster is None else [str(c) for c in cluster])
    if codes is None and clips is not None:
        codes = cluster_codes([str(c) for c in clips])
    change = {}
    for label in before.labels:
        mine = (first["label"] == label).to_numpy()
        for metric in METRICS:
            if metric not in first.columns:
                continue
            delta = (second[metric] - first[metric]).to_numpy(dtype=np.float64)[mine]
            change[label, metric] = _mean_change(
                delta, codes, level, n_resamples, rng, unit if metric in DISTANCES else ""
            )
    return Cleanup(cleaned, before, after, change)


def _mean_change(
    delta: NDArray[np.float64],
    codes: NDArray[np.int64] | None,
    level: float,
    n_resamples: int,
    rng: Rng,
    unit: str,
) -> Estimate:
    there = np.isfinite(delta)
    if not there.any():
        return Estimate(np.nan, None, None, unit, "undefined: empty masks")
    value = float(delta[there].mean())
    if not n_resamples or delta.size < 2:
        return Estimate(value, None, None, unit)
    both = np.column_stack([np.where(there, delta, 0.0), there])

    def mean(w: NDArray[np.float64]) -> NDArray[np.float64]:
        total = serial_product(w, both)
        with np.errstate(invalid="ignore"):
            return np.asarray(total[:, 0] / total[:, 1])

    drawn = bootstrap(mean, delta.size, n_resamples=n_resamples, cluster=codes, rng=rng)
    kept = drawn[np.isfinite(drawn)]
    if kept.size < 0.99 * drawn.size or kept.size < 2:
        return Estimate(value, None, None, unit)
    interval = bootstrap_interval(kept, value, level=level)
    return Estimate(value, float(kept.std(ddof=1)), interval, unit)


__all__ = ["Cleanup", "clean_masks", "compare_cleanup"]
