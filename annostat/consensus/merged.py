"""One mask from several raters': majority, mean vote, mean boundary, STAPLE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from annostat.arrays import FloatArray
from annostat.consensus.staple_masks import staple
from annostat.errors import check_choice
from annostat.labels.mask_arrays import box_of
from annostat.labels.masks import MaskRounds, as_mask_rounds
from annostat.labels.packed_masks import refuse_many

METHODS = ("majority", "mean", "boundary", "staple")


@dataclass(frozen=True, eq=False)
class Consensus:
    """One mask per item, made of several raters' masks.

    Attributes
    ----------
    method : str
    labels : tuple of int
    mask : unsigned array of shape (n_items, H, W)
        0, or one of the labels.
    share : float32 array of shape (n_labels, n_items, H, W)
        How sure each label is: the share of votes ("majority", "mean"), the share of the pixel
        within the mean boundary ("boundary"), or the posterior probability ("staple").
    n_tied : int
        Pixels that are as much in as out; they are left out of the mask.
    raters : tuple of str
    """

    method: str
    labels: tuple[int, ...]
    mask: NDArray[Any]
    share: NDArray[np.float32]
    n_tied: int
    raters: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Consensus ({self.method}) of {len(self.raters)} raters: {len(self.mask)} items>"


def consensus(
    rounds: MaskRounds | Mapping[str, Any] | Sequence[Any],
    *,
    method: str = "boundary",
    region: str = "box",
) -> Consensus:
    """Return one mask per item from those of all raters who looked at it.

    Parameters
    ----------
    rounds : MaskRounds, mapping of rater to array, or list of arrays
    method : {"boundary", "majority", "mean", "staple"}
        "boundary": the mean of the outlines, as the mean of their signed distances: a pixel is
        in where the mean is positive. It needs no odd number of raters. "majority": more than
        half of the raters; of several labels the most frequent one, if it has more votes than
        any other. "mean": as "majority"; `share` is what it is for. "staple": most probable
        label by STAPLE.
    region : {"box", "all"}
        For STAPLE.

    Returns
    -------
    Consensus

    Notes
    -----
    A mask that is empty has no outline. By "boundary" an item is empty unless more than half of
    its raters drew something, and then the mean is that of those who did.

    The consensus of an even number of raters by majority is too small, since ties are left out.
    A consensus must never be scored against the raters that it is made of: see `dice_ceiling`.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat.consensus import consensus
    >>> from annostat.labels import MaskRounds
    >>> masks = np.zeros((3, 1, 5, 9), bool)
    >>> for rater, width in enumerate((3, 5, 8)):
    ...     masks[rater, 0, :, :width] = True
    >>> rounds = MaskRounds.from_arrays(dict(zip("abc", masks)))
    >>> consensus(rounds, method="majority").mask[0, 2].tolist()
    [1, 1, 1, 1, 1, 0, 0, 0, 0]
    """
    check_choice("method", method, METHODS)
    rounds = as_mask_rounds(rounds)
    n_labels, shape = len(rounds.labels), rounds.values.shape[1:]
    refuse_many(rounds)
    share = np.zeros((n_labels, *shape), dtype=np.float32)
    if method == "staple":
        found = staple(rounds, region=region)
        for i, label in enumerate(rounds.labels):
            share[i] = found.probability(label)
        mask = found.mask
        return Consensus(method, rounds.labels, mask, share, found.n_undecided, rounds.names)
    best = np.zeros(shape, dtype=np.uint8)  # place in labels, from 1
    n_tied = 0
    for item in range(rounds.n_items):
        seen = np.asarray(rounds.values[rounds.drawn[:, item], item])
        if method == "boundary":
            levels = np.stack([mean_boundary(seen == i + 1) for i in range(n_labels)])
            share[:, item] = np.clip(levels + 0.5, 0.0, 1.0)
            top = levels.max(axis=0)
            tied = (top == 0) | ((top > 0) & ((levels == top).sum(axis=0) > 1))
            inside = (top > 0) & ~tied
        else:
            votes = np.stack([(seen == i + 1).sum(axis=0) for i in range(n_labels)])
            share[:, item] = votes / len(seen)
            others = len(seen) - votes.sum(axis=0)
            all_votes = np.concatenate([others[None], votes])
            top = all_votes.max(axis=0)
            tied = (all_votes == top).sum(axis=0) > 1
            levels = votes
            inside = ~tied & (others < top)
        best[item] = np.where(inside, levels.argmax(axis=0) + 1, 0)
        n_tied += int(tied.sum())
    kind = np.uint8 if max(rounds.labels) < 256 else np.int64
    mask = np.asarray([0, *rounds.labels], dtype=kind)[best]
    return Consensus(method, rounds.labels, mask, share, n_tied, rounds.names)


def signed_distance(mask: Any) -> FloatArray:
    """Return how far inside its mask each pixel lies, in pixels; negative outside.

    The edge runs half-way between the centres of a marked and an unmarked pixel, so that pixels
    beside it have ±0.5. Beyond the image nothing is marked.

    Parameters
    ----------
    mask : bool array of shape (H, W) or (D, H, W)
        Not empty.

    Examples
    --------
    >>> signed_distance([[False, False, True, True, True, False]])[0].tolist()
    [-1.5, -0.5, 0.5, 0.5, 0.5, -0.5]
    """
    inside = np.pad(np.asarray(mask, dtype=bool), 1)
    d = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    d -= np.where(inside, 0.5, -0.5)
    return np.asarray(d[(slice(1, -1),) * inside.ndim], dtype=np.float64)


def mean_boundary(masks: NDArray[np.bool_]) -> FloatArray:
    """Return the mean signed distance of masks (m, H, W), −1 where nothing can be."""
    out = np.full(masks.shape[1:], -1.0)
    drawn = masks[masks.any(axis=tuple(range(1, masks.ndim)))]
    if 2 * len(drawn) <= len(masks):
        return out
    if (box := box_of(np.asarray(drawn.any(axis=0)))) is None:
        return out
    out[box] = np.mean([signed_distance(mask[box]) for mask in drawn], axis=0)
    return out


__all__ = ["Consensus", "consensus", "signed_distance"]
