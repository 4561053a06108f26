"""Functions of an item's counts that lie below a metric's gain for every law: certificates.

At each θ a function φ of the counts with Σ_x φ(x) P(x | p) ≤ g_θ(p) for every p is chosen on one
half of the units and certified on a fine grid; E φ > 0 then proves E g_θ > 0, for any law of p.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from annostat.arrays import FloatArray
from annostat.ceilings.programme import Programme

REACH = 6.0  # bound on the values of φ
PENALTY = 1.25  # of φ's spread, in half-widths of the interval
LOOSE = 1e4  # bound on the multipliers of a bracket


class Grids(NamedTuple):
    """P(cell | p) on the grid where φ is chosen, and on the one where it is certified.

    Attributes
    ----------
    coarse, fine : float64 arrays of shape (n_cells, n_points)
    """

    coarse: FloatArray
    fine: FloatArray


def certificate_programme(
    law: FloatArray, h: FloatArray, penalty: float, *, centred: bool
) -> Programme:
    """Return the programme whose multipliers are the best certificate φ at counts h.

    φ has the largest h·φ − penalty·h|φ − c| with Σ φ P ≤ g and |φ| ≤ REACH, for the best c if it is
    `centred`, else for c = 0. The dual of that programme has a row for each cell in place of one
    for each point of the grid, and holds g in its costs alone: h is made of laws at the cost g, of
    a spread within the penalty, and of what is left at the cost REACH (see `certificate_costs`).
    """
    m, points = law.shape
    unit = np.eye(m)
    matrix, equals = np.hstack([law, unit, unit, -unit]), h
    if centred:
        total = np.r_[np.zeros(points), np.ones(m), np.zeros(2 * m)]
        matrix, equals = np.vstack([matrix, total]), np.r_[h, 0.0]
    low = np.r_[np.zeros(points), -penalty * h, np.zeros(2 * m)]
    high = np.r_[np.full(points, np.inf), penalty * h, np.full(2 * m, np.inf)]
    return Programme(matrix, equals, low, high)


def certificate_costs(g: FloatArray, n_cells: int) -> FloatArray:
    """Return the costs of `certificate_programme` for g on the grid."""
    return np.asarray(np.r_[g, np.zeros(n_cells), np.full(2 * n_cells, REACH)])


class Certificates:
    """The best certificates at the fitted counts of each half.

    Parameters
    ----------
    grids : Grids
    halves : tuple of float64 array of shape (n_cells,)
        Fitted probabilities of cells for each half, from the other half.
    penalty : float
    """

    def __init__(self, grids: Grids, halves: tuple[FloatArray, FloatArray], penalty: float) -> None:
        self.grids = grids
        self.programmes = [
            certificate_programme(grids.coarse, h, penalty, centred=True) for h in halves
        ]

    def forget(self) -> None:
        """Begin a search anew: its result does not depend on those before."""
        for programme in self.programmes:
            programme.forget()

    def best(self, g: FloatArray, fine: FloatArray) -> FloatArray:
        """Return φ for each half, of shape (2, n_cells), certified on the fine grid.

        Parameters
        ----------
        g, fine : float64 arrays of shape (n_points,)
            g_θ on the grids.
        """
        m = len(self.grids.coarse)
        found = [programme.solve(certificate_costs(g, m)) for programme in self.programmes]
        # A constant below g says nothing, and is valid.
        nothing = np.full(m, float(fine.min()))
        phi = np.array([nothing if s is None else s.multipliers[:m] for s in found])
        miss = np.maximum((phi @ self.grids.fine - fine).max(axis=1), 0.0)
        return np.asarray(phi - miss[:, None])


class CertificatesByReach:
    """The certificates of each reach that a search asks for; they are kept for the next value of θ.

    Parameters
    ----------
    grids : Grids
    n_units : int
        Independent units: the penalty of φ's spread falls with the root of them.
    """

    def __init__(self, grids: Grids, n_units: int) -> None:
        self.grids, self.n_units = grids, n_units
        self._kept: dict[float, Certificates] = {}

    def of(self, reach: float, halves: tuple[FloatArray, FloatArray]) -> Certificates:
        """Return the certificates of a reach; `halves` are those of `Certificates`."""
        if reach not in self._kept:
            penalty = PENALTY * reach / math.sqrt(self.n_units)
            self._kept[reach] = Certificates(self.grids, halves, penalty)
        return self._kept[reach]


class Extreme:
    """The law of least expected cost that gives the probabilities of cells.

    Parameters
    ----------
    law : float64 array of shape (n_cells, n_points)
        P(cell | p).
    whole : float64 array of shape (n_cells,)
        What the law is to give; what it misses costs LOOSE for each unit.
    """

    def __init__(self, law: FloatArray, whole: FloatArray) -> None:
        m, points = law.shape
        unit = np.eye(m)
        n = points + 2 * m
        self.missed = np.full(2 * m, LOOSE)
        self.programme = Programme(
            np.hstack([unit, -unit, law]), whole, np.zeros(n), np.full(n, np.inf)
        )

    def add(self, column: FloatArray) -> None:
        """Add a point, the last one, with its P(cell | p)."""
        self.programme.add(column)

    def weights(self, cost: FloatArray) -> FloatArray | None:
        """Return the weights of the points for their costs, or None where nothing is found."""
        found = self.programme.solve(np.r_[self.missed, cost])
        return None if found is None else np.maximum(found.x[len(self.missed) :], 0.0)
