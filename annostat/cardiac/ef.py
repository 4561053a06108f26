"""Ejection fractions from areas and from volumes, and what their correlation can reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat._version import __version__
from annostat.arrays import FloatArray
from annostat.cardiac.common import Resampling, digest_of, distance_row, mean_distance, render_rows
from annostat.cardiac.curves import DICE_THRESHOLD, as_vector, binary
from annostat.errors import AnnostatError, check_count, check_number, shown
from annostat.resampling.clusters import cluster_codes
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.sums import Sums
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import plain

if TYPE_CHECKING:
    import pandas as pd

FINE = 2  # parts of a pixel side; the area of each part is spread over what it projects to


def disc_volumes(
    masks: ArrayLike,
    *,
    spacing: float | tuple[float, float] = 1.0,
    n_discs: int = 20,
    threshold: float = DICE_THRESHOLD,
) -> FloatArray:
    r"""Return the volume of each mask by Simpson's single-plane method of discs.

    The long axis is the mask's principal axis (largest second moment) through its centroid, of
    length L from end to end. It is cut into N slabs of equal height; slab i of area A_i has the
    diameter d_i = A_i/(L/N), and :math:`V = \frac{\pi}{4} \sum_i d_i^2 L/N`.

    Parameters
    ----------
    masks : array-like of shape (n_frames, height, width)
        As in `mask_areas`.
    spacing : float or (row, column)
        Size of a pixel; in mm it gives mm³.
    n_discs : int
        N, 20 by convention.
    threshold : float
        Of soft masks: 80/255, as for Dice and EF.

    Returns
    -------
    float64 array of shape (n_frames,)
        Volume in cubes of the unit of `spacing`; 0 where a mask is empty.

    Notes
    -----
    A mask has no landmarks, so its own axis stands in for the line from the apex to the middle of
    the mitral plane; a mask that is wider than long is measured along its width.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[:80, :80]
    >>> ellipse = ((x - 40) / 15) ** 2 + ((y - 40) / 30) ** 2 < 1
    >>> exact = 4 / 3 * np.pi * 15**2 * 30
    >>> bool(abs(disc_volumes(ellipse[None])[0] / exact - 1) < 0.03)
    True
    """
    n_discs = check_count("n_discs", n_discs, low=1)
    sides = np.broadcast_to(np.asarray(spacing, dtype=np.float64), (2,))
    if not (np.isfinite(sides) & (sides > 0)).all():
        raise AnnostatError(f"spacing must be positive, got {spacing!r}")
    inside = binary(masks, threshold)
    return np.array([_disc_volume(mask, sides, n_discs) for mask in inside])


def _disc_volume(mask: NDArray[np.bool_], sides: FloatArray, n_discs: int) -> float:
    pixels = np.argwhere(mask).astype(np.float64)
    if not pixels.size:
        return 0.0
    steps = (np.arange(FINE) + 0.5) / FINE - 0.5
    offsets = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    points = ((pixels[:, None] + offsets).reshape(-1, 2) - pixels.mean(axis=0)) * sides
    _, vectors = np.linalg.eigh(points.T @ points)
    along = points @ vectors[:, -1]
    edge = float(np.abs(vectors[:, -1]) @ sides) / (2 * FINE)
    low, high = float(along.min()) - edge, float(along.max()) + edge
    height = (high - low) / n_discs
    cuts = low + height * np.arange(1, n_discs)
    before = [np.clip((cut - along) / (2 * edge) + 0.5, 0.0, 1.0).sum() for cut in cuts]
    part = float(sides.prod()) / FINE**2
    area = np.diff([0.0, *before, along.size]) * part
    return float(math.pi / 4 * np.sum((area / height) ** 2) * height)


def ejection_fraction(diastole: ArrayLike, systole: ArrayLike) -> FloatArray:
    """Return the ejection fraction in percent, 100·(1 − ES/ED).

    Parameters
    ----------
    diastole, systole : array-like of shape (n_clips,)
        Volumes (`disc_volumes`), or areas: the naive EF, which is lower than that of the
        volumes, since a volume shrinks by more than its section does.

    Returns
    -------
    float64 array of shape (n_clips,)
        Negative where the systolic size is the larger one: an exchanged ED and ES, say.

    Raises
    ------
    AnnostatError
        If a diastolic size is not positive or a systolic one negative.

    Examples
    --------
    >>> ejection_fraction([120.0, 100.0], [48.0, 60.0]).tolist()
    [60.0, 40.0]
    """
    large = as_vector("diastole", diastole)
    small = as_vector("systole", systole, large.size)
    if not (large > 0).all():
        raise AnnostatError(
            f"diastole must be positive; not so at clips {shown(np.flatnonzero(large <= 0))}"
        )
    if not (small >= 0).all():
        raise AnnostatError(
            f"systole must not be negative; it is at clips {shown(np.flatnonzero(small < 0))}"
        )
    return np.asarray(100.0 * (1.0 - small / large))


@dataclass(frozen=True, eq=False)
class EfScore(Result):
    """An ejection fraction against reference values.

    Attributes
    ----------
    correlation : Estimate
        Pearson's r with the reference.
    ceiling : Estimate or None
        √reliability: the r of a perfect model against one reading.
    mae, rmse, bias : Estimate
        Of predicted − reference, in percentage points.
    n_clips : int
    checks : tuple of Check
    provenance : Provenance
    """

    correlation: Estimate
    ceiling: Estimate | None
    mae: Estimate
    rmse: Estimate
    bias: Estimate
    n_clips: int
    checks: tuple[Check, ...]
    provenance: Provenance

    def rows(self) -> list[tuple[str, Estimate]]:
        """Return the estimates that there are, with their names."""
        named = [
            ("r with the reference", self.correlation),
            ("ceiling of r: a perfect model", self.ceiling),
            ("mean absolute error", self.mae),
            ("RMSE", self.rmse),
            ("bias (predicted − reference)", self.bias),
        ]
        return [(name, value) for name, value in named if value is not None]

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        table = render_rows("Ejection fraction", self.rows(), [f"{self.n_clips} clips"])
        return [table, check_section(self.checks)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        names = ("correlation", "ceiling", "mae", "rmse", "bias")
        return {
            "n_clips": self.n_clips,
            **{name: plain(getattr(self, name)) for name in names},
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate."""
        import pandas as pd

        return pd.DataFrame([distance_row(name, value) for name, value in self.rows()])


def score_ef(
    predicted: ArrayLike,
    reference: ArrayLike,
    *,
    reliability: Estimate | float | None = None,
    cluster: Sequence[object] | NDArray[Any] | None = None,
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> EfScore:
    """Compare ejection fractions with reference values, and with what noise allows.

    Parameters
    ----------
    predicted, reference : array-like of shape (n_clips,)
        EF in percent.
    reliability : Estimate or float, optional
        Correlation of two readings of the reference, ρ, as an ICC of two rounds; a perfect
        model then correlates with one reading at √ρ, and no model at more.
    cluster : sequence of n_clips labels, optional
        Patients; resampled whole.
    level, n_resamples, rng, n_jobs
        As everywhere.

    Returns
    -------
    EfScore
        Intervals are bootstrap-t over clips: of r on Fisher's z, of MAE and RMSE on the
        logarithm; that of the bias is t.

    Raises
    ------
    AnnostatError
        If lengths differ, there are fewer than three clips, or one of the two is constant.

    Examples
    --------
    >>> score = score_ef([58, 41, 66, 30, 52], [60, 45, 63, 28, 50], reliability=0.81)
    >>> round(score.correlation.value, 3), round(score.ceiling.value, 3)
    (0.977, 0.9)
    """
    how = Resampling(level, n_resamples, rng, n_jobs)
    x = as_vector("predicted", predicted)
    y = as_vector("reference", reference, x.size)
    n = x.size
    if n < 3:
        raise AnnostatError(f"at least three clips are needed for a correlation, got {n}")
    for name, values in (("predicted", x), ("reference", y)):
        if float(np.ptp(values)) <= 1e-12 * float(np.abs(values).max(initial=0.0)):
            raise AnnostatError(f"{name} is the same for all clips: it has no correlation")
    codes = cluster_codes(cluster)
    if codes is not None and codes.size != n:
        raise AnnostatError(f"cluster must have one label per clip ({n}), got {codes.size}")
    a, b = x - x.mean(), y - y.mean()
    sums = Sums.of(np.column_stack([np.ones(n), a, b, a * a, b * b, a * b]), codes)

    def fisher(t: NDArray[Any]) -> NDArray[Any]:
        m, sa, sb, saa, sbb, sab = (t[..., i] for i in range(6))
        r = (sab - sa * sb / m) / np.sqrt((saa - sa * sa / m) * (sbb - sb * sb / m))
        return np.asarray(np.log((1 + r) / (1 - r)) / 2)

    r = float(np.clip(a @ b / math.sqrt(float(a @ a) * float(b @ b)), -1.0, 1.0))
    if 1 - abs(r) < 1e-12:
        correlation = Estimate(r, None, None, "", "no interval: the relation is exact")
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            found = sums.interval(
                fisher,
                level=level,
                n_resamples=n_resamples,
                rng=rng,
                n_jobs=n_jobs,
                scale="Fisher's z",
            )
        if found is not None:
            low, high = math.tanh(found.low), math.tanh(found.high)
            found = Interval(low, high, found.level, found.method)
        correlation = Estimate(r, sums.standard_error(fisher) * (1 - r**2), found)
    delta = x - y
    mae = mean_distance(np.abs(delta), "points", codes, how)
    square = mean_distance(delta**2, "", codes, how)
    root = math.sqrt(square.value)
    limits = square.interval
    if limits is not None:
        low, high = math.sqrt(limits.low), math.sqrt(limits.high)
        limits = Interval(low, high, limits.level, limits.method)
    spread = square.standard_uncertainty
    rmse = Estimate(root, spread / (2 * root) if spread else None, limits, "points", square.note)
    ceiling = _ceiling(reliability)
    checks = [_negative_check(x)]
    if ceiling is not None:
        checks.append(_ceiling_check(correlation, ceiling))
    return EfScore(
        correlation=correlation,
        ceiling=ceiling,
        mae=mae,
        rmse=rmse,
        bias=mean_distance(delta, "points", codes, how, signed=True),
        n_clips=n,
        checks=tuple(checks),
        provenance=Provenance(
            __version__,
            digest_of(x, y),
            n,
            seed_of(rng),
            {"level": level, "n_resamples": n_resamples},
        ),
    )


def _ceiling(reliability: Estimate | float | None) -> Estimate | None:
    """Return √ρ, with the limits of ρ carried over."""
    if reliability is None:
        return None
    given = reliability if isinstance(reliability, Estimate) else Estimate(float(reliability))
    value = math.sqrt(check_number("reliability", given.value, low=0.0, high=1.0))
    spread = given.standard_uncertainty
    limits = given.interval
    if limits is not None:
        low, high = (math.sqrt(min(max(v, 0.0), 1.0)) for v in (limits.low, limits.high))
        limits = Interval(low, high, limits.level, limits.method)
    return Estimate(value, spread / (2 * value) if spread and value else None, limits)


def _negative_check(ef: FloatArray) -> Check:
    bad = np.flatnonzero(ef < 0)
    if not bad.size:
        return Check("negative_ef", True, "No predicted EF is negative.", 0.0)
    text = (
        f"{bad.size} predicted EFs are negative (clips {shown(bad)}): ED and ES may be exchanged; "
        "let the larger area be ED."
    )
    return Check("negative_ef", False, text, float(bad.size))


def _ceiling_check(r: Estimate, ceiling: Estimate) -> Check:
    low = r.low if r.low is not None else r.value
    top = ceiling.high if ceiling.high is not None else ceiling.value
    if low > top:
        text = (
            f"r ({r.short()}) is above its ceiling ({ceiling.short()}): the reliability is of "
            "another range of patients, or the model has seen these readings."
        )
        return Check("ceiling", False, text, r.value - ceiling.value)
    text = f"r ({r.short()}) is not above its ceiling ({ceiling.short()})."
    return Check("ceiling", True, text, r.value - ceiling.value)
