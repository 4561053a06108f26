"""Limits of agreement with the mean: of any number of rounds, with an identity or without."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat._version import __version__
from annostat.agreement.noise_sd import noise_estimate
from annostat.agreement.small import chosen
from annostat.agreement.variances import Variances
from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, check_level
from annostat.labels.rounds import Rounds
from annostat.labels.taking import takes_rounds
from annostat.resampling.generators import Rng, seed_of
from annostat.resampling.intervals import NORMAL_95
from annostat.results.estimates import Estimate
from annostat.results.result import Provenance, Result
from annostat.results.sections import Section

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class MeanLimits(Result):
    """Limits of agreement of a reading with the mean of its item.

    Attributes
    ----------
    sd : Estimate
        s: SD of one reading, biases between rounds included.
    limits : mapping of int to Estimate
        Half-width ±1.96·s·√((k − 1)/k) for items with k readings: the fewest and the most.
    means : float64 array of shape (n_items,)
        Mean of the readings of each item.
    deviations : float64 array of shape (n_items, n_rounds)
        Reading − mean of its item, NaN where missing.
    inside : float
        Share of the readings within the limits of their item.
    provenance : Provenance
    """

    sd: Estimate
    limits: dict[int, Estimate]
    means: FloatArray
    deviations: FloatArray
    inside: float
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "sd": self.sd.to_dict(),
            "limits": [{"readings": k, **e.to_dict()} for k, e in self.limits.items()],
            "share_within": self.inside,
            "provenance": self.provenance.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per number of readings."""
        import pandas as pd

        return pd.DataFrame(self.to_dict()["limits"])

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        rows = [e.row(f"an item with {k} readings, ±") for k, e in self.limits.items()]
        n = int(np.isfinite(self.deviations).sum())
        lines = [f"{self.inside:.1%} of {n:,} readings are within the limits of their item."]
        columns = ("limits of", "estimate", "interval", "method")
        return [Section("Limits of agreement with the mean", columns, rows, lines)]


@takes_rounds
def limits_with_mean(
    rounds: Rounds,
    *,
    interval: str = "auto",
    level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = 0,
    n_jobs: int | None = 1,
) -> MeanLimits:
    r"""Return the limits of agreement with the mean (Jones, Dobson & O'Brian 2011).

    Parameters
    ----------
    rounds : Rounds
        Values of shape (n_items, n_rounds), NaN for missing; items with fewer than two readings
        are left out.
    interval : {"auto", "log-t", "bootstrap-t", "bonett", "chi-square", "t", "percentile", "bca"}
        Interval of s, as in `annostat.agreement.repeatability`.
    level : float
        Confidence level.
    n_resamples, rng, n_jobs
        For the bootstraps; whole clusters are drawn.

    Returns
    -------
    MeanLimits
        ±1.96·s·√((k − 1)/k) for items with k readings, where s is the SD of one reading, biases
        between rounds included (Int J Epidemiol 40:1308-1313). For Gaussian readings 95% are within
        them. Without an interval where none covers; the note says why.

    Raises
    ------
    AnnostatError
        If no item has two readings, or only counts of differences are there.

    Examples
    --------
    >>> from annostat import simulate_values
    >>> found = limits_with_mean(simulate_values(300, noise_sd=4.0, truth_sd=11.0, rng=1))
    >>> 1.96 * 4.0 / 2**0.5 in found.limits[2].interval
    True
    """
    level = check_level(level)
    if rounds.weights is not None:
        raise AnnostatError("deviations from the mean need every item (collapse=False)")
    used = rounds.usable().without_identity()
    v = Variances.of(used)
    sd = noise_estimate(
        v,
        unit=used.unit,
        interval=interval,
        level=level,
        n_resamples=n_resamples,
        rng=rng,
        n_jobs=n_jobs,
    )
    k = used.readings
    means = np.asarray(np.nanmean(used.values, axis=1))
    deviations = used.values - means[:, None]
    reach = NORMAL_95 * sd.value * np.sqrt((k - 1) / k)
    inside = np.abs(deviations) <= reach[:, None]
    counts = sorted({int(k.min()), int(k.max())})
    return MeanLimits(
        sd,
        {m: sd.scaled(NORMAL_95 * math.sqrt((m - 1) / m)) for m in counts},
        means,
        deviations,
        float(inside[np.isfinite(deviations)].mean()),
        Provenance(
            __version__,
            used.digest(),
            used.n_items,
            seed_of(rng),
            {"interval": chosen(interval, v, "log-t"), "level": level, "n_resamples": n_resamples},
        ),
    )
