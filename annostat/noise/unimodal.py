"""The maximum-likelihood law that is symmetric and unimodal: a cross-check without a family."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from annostat.arrays import FloatArray
from annostat.noise import kernels
from annostat.noise.cells import Cells
from annostat.results.estimates import Estimate
from annostat.results.text import plain

STEPS, TOLERANCE = 2000, 1e-4  # of the EM algorithm; how far a directional derivative is above 1


@dataclass(frozen=True, eq=False)
class UnimodalFit:
    """Nonparametric maximum-likelihood symmetric unimodal law: a cross-check of E|X|.

    Attributes
    ----------
    mae : Estimate
        E|X|, without an interval: the bootstrap covers only 83-90% here.
    log_likelihood : float
    pmf : float64 array
        Probabilities of 0, 1, ..., M.
    gap : float
        Bound on how far the log-likelihood per item is from its maximum (0 at the maximum).
    """

    mae: Estimate
    log_likelihood: float
    pmf: FloatArray
    gap: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as plain data."""
        return {
            "mae": self.mae.to_dict(),
            "log_likelihood": self.log_likelihood,
            "gap": plain(self.gap),
        }


def fit_unimodal(cells: Cells, unit: str) -> UnimodalFit | None:
    """Fit the nonparametric law; None with several periods or very wide differences."""
    m = int(cells.span.max())
    if cells.period.size > 1 or m > 2000:
        return None
    value, largest, half = _by_em(cells, m)
    mae = 2.0 * float(np.arange(m + 1) @ half) * float(cells.period[0])
    note = "cross-check: no interval is known to cover"
    return UnimodalFit(Estimate(mae, unit=unit, note=note), value, half, largest - 1.0)


def _by_em(cells: Cells, m: int) -> tuple[float, float, FloatArray]:
    """Return the log-likelihood, the largest directional derivative, and the law on 0..m.

    A symmetric unimodal law on the whole numbers is a mixture of uniforms on ±0, ±1, ..., ±m
    (Khintchine), which is fitted by the EM algorithm. The directional derivative of the likelihood
    towards each uniform is at most 1 at a maximum (Lindsay 1983).
    """
    width, readings = 2.0 * np.arange(m + 1) + 1.0, float(cells.count @ cells.readings)
    weights = np.full(m + 1, 1.0 / (m + 1))
    law, slopes = np.empty((1, 2 * m + 1)), np.empty((1, 2 * m + 1))
    n = cells.count.size
    rater, nothing, logs = cells.rater * 0, np.zeros(n), np.empty(n)
    whole = kernels.Cells(cells.z, rater, cells.start, cells.count, nothing, nothing, logs, 0, n)
    value, largest = -math.inf, math.inf
    for _ in range(STEPS):
        half = np.cumsum((weights / width)[::-1])
        law[0, : m + 1], law[0, m:] = half, half[::-1]
        slopes[:] = 0.0
        value, _ = kernels.law_slopes(law, whole, 1.0, 0.0, -1, slopes)
        ahead = slopes[0, m:] + slopes[0, m::-1]
        ahead[0] = slopes[0, m]
        ratio = np.cumsum(ahead) / width / readings
        largest = float(ratio.max())
        weights *= ratio
        if largest < 1.0 + TOLERANCE:
            break
    return float(value), largest, law[0, m:].copy()
