"""The maximum-likelihood law that is symmetric and unimodal: a cross-check without a family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from annostat.arrays import FloatArray
from annostat.noise import kernels
from annostat.noise.cells import Cells
from annostat.results.estimates import Estimate
from annostat.results.text import plain


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
    weights = np.full(m + 1, 1.0 / (m + 1))
    law = np.zeros((1, 2 * m + 1))
    n = cells.count.size
    nothing = np.zeros(n)
    whole = kernels.Cells(
        cells.z, cells.rater * 0, cells.start, cells.count, nothing, nothing, 0, n
    )
    value, largest, _ = kernels.fit_unimodal(whole, weights, law, 2000, 1e-4)
    half = law[0, m:].copy()
    mae = 2.0 * float(np.arange(m + 1) @ half) * float(cells.period[0])
    note = "cross-check: no interval is known to cover"
    return UnimodalFit(Estimate(mae, unit=unit, note=note), float(value), half, largest - 1.0)
