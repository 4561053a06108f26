"""The mask with the largest expected Dice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat.errors import AnnostatError
from annostat.labels.mask_arrays import as_array, as_masks

__all__ = ["BayesMask", "bayes_mask"]


@dataclass(frozen=True, eq=False)
class BayesMask:
    """The mask that scores best on average.

    Attributes
    ----------
    mask : bool array of shape (H, W)
    dice : float
        Its expected Dice.
    threshold : float
        The least probability of a pixel within it; about dice / 2.
    """

    mask: NDArray[np.bool_]
    dice: float
    threshold: float


def bayes_mask(draws: Any = None, *, probability: ArrayLike | None = None) -> BayesMask:
    """Return the mask with the largest expected Dice, and that Dice.

    Parameters
    ----------
    draws : array-like of shape (R, H, W)
        Equally likely masks, such as those of R raters or samples of a model. The maximum is
        exact. Two empty masks score 1.
    probability : array-like of shape (H, W)
        Instead of draws: the probability of each pixel. Dice is then 2 Σ_S p / (|S| + Σ p), its
        limit for many pixels that err independently.

    Returns
    -------
    BayesMask

    Notes
    -----
    Expected Dice is largest for pixels whose probability exceeds about half of it (Lipton, Elkan
    & Naryanaswamy 2014), so the best mask is larger than the truth when raters disagree; the same
    mask is about best for the IoU. The gain over the truth's own outline is small. For the draws
    themselves the score is in-sample: no ceiling (`dice_ceiling`).

    Examples
    --------
    >>> best = bayes_mask(probability=[[0.9, 0.6, 0.45, 0.1]])
    >>> best.mask.tolist(), round(best.dice, 3)
    ([[True, True, True, False]], 0.772)
    """
    if (draws is None) == (probability is None):
        raise AnnostatError("give either draws or probability")
    if probability is not None:
        p = as_array("probability", probability).astype(np.float64)
        if not ((p >= 0) & (p <= 1)).all():
            raise AnnostatError("probability must be in [0, 1]")
        order = np.argsort(-p, axis=None, kind="stable")
        total = float(p.sum())
        if total == 0:
            return BayesMask(np.zeros(p.shape, dtype=bool), 1.0, math.inf)
        scores = 2 * np.cumsum(p.ravel()[order]) / (np.arange(1, p.size + 1) + total)
        n = int(np.argmax(scores)) + 1
        mask = np.zeros(p.size, dtype=bool)
        mask[order[:n]] = True
        return BayesMask(
            mask.reshape(p.shape), float(scores[n - 1]), float(p.ravel()[order[n - 1]])
        )
    masks = as_masks("draws", draws).astype(bool)
    if masks.ndim < 3:
        raise AnnostatError(f"draws must be several masks (R × H × W), got shape {masks.shape}")
    r = len(masks)
    flat = masks.reshape(r, -1)
    sizes = flat.sum(axis=1).astype(np.float64)
    patterns, inverse, counts = np.unique(flat, axis=1, return_inverse=True, return_counts=True)
    empty_score = float((sizes == 0).mean())
    best, best_n, best_order = empty_score, 0, np.arange(counts.size)
    votes = patterns.astype(np.float64)  # (R, P)
    # For a given size n, the pixels of the largest Σ_r 1/(n + |Y_r|) are best; whole patterns
    # are taken in that order, and a part of the last one.
    for n in range(1, int(flat.any(axis=0).sum()) + 1):
        gain = (2 / (n + sizes)) @ votes
        order = np.argsort(-gain, kind="stable")
        taken = np.minimum(np.cumsum(counts[order]), n)
        score = float(gain[order] @ np.diff(taken, prepend=0)) / r
        if score > best + 1e-15:
            best, best_n, best_order = score, n, order
    mask = np.zeros(flat.shape[1], dtype=bool)
    left = best_n
    for pattern in best_order:
        here = np.flatnonzero(np.asarray(inverse).reshape(-1) == pattern)[:left]
        mask[here] = True
        left -= here.size
        if not left:
            break
    share = flat.mean(axis=0)
    threshold = float(share[mask].min()) if best_n else math.inf
    return BayesMask(mask.reshape(masks.shape[1:]), best, threshold)
