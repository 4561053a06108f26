"""Lengths between two landmarks: their noise, as that of values, and what their ends say of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annostat.agreement import repeatability
from annostat.ceilings.mae_hull import mae_floor
from annostat.ceilings.point_result import Ellipse, PointLength
from annostat.errors import AnnostatError
from annostat.labels.points import Points
from annostat.resampling.generators import Rng


def lengths_of(
    points: Points,
    wanted: Sequence[tuple[str, str]],
    ellipses: Sequence[Ellipse],
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
) -> tuple[PointLength, ...]:
    """Return the noise of lengths between two landmarks.

    Parameters
    ----------
    points : Points
        Readers alone.
    wanted : sequence of pairs of str
        Landmarks at the ends.
    ellipses : sequence of Ellipse
        Noise of one reader at each landmark.
    level, n_resamples, rng
        As in `annostat.agreement.repeatability`.

    Raises
    ------
    AnnostatError
        If there is no such landmark, or no item has the length from two readers.
    """
    noise = {e.landmark: e.covariance for e in ellipses}
    found = []
    for first, second in wanted:
        rounds = points.lengths(first, second)
        z = rounds.values
        if not (np.isfinite(z).sum(axis=1) >= 2).any():
            raise AnnostatError(
                f"no item has the length {first}:{second} from two readers: each must have put "
                "both ends"
            )
        sd = repeatability(rounds, level=level, n_resamples=n_resamples, rng=rng).noise_sd
        a, b = (points.landmarks.index(name) for name in (first, second))
        away = points.values[:, :, b] - points.values[:, :, a]
        along = away / np.maximum(np.sqrt((away**2).sum(axis=2)), 1e-300)[..., None]
        # One reader's length moves by the noise of its ends along the line between them.
        both = noise[first] + noise[second]
        variance = np.einsum("nki,ij,nkj->nk", along, both, along)
        seen = np.isfinite(variance)
        per_item = np.where(seen, variance, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        kept = seen.sum(axis=1) >= 2
        found.append(
            PointLength(
                first,
                second,
                float(np.nanmean(z[kept])),
                sd,
                mae_floor(rounds, level=level).unbiased,
                float(np.sqrt(per_item[kept].mean())),
            )
        )
    return tuple(found)
