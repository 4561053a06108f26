"""Linear programmes that are solved again and again for other costs, each from the last solution.

HiGHS solves them (the package highspy). A search for a limit solves about ten programmes that
differ in their costs alone: begun anew, each takes ten times the work, most of which is not
solving.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from annostat.arrays import FloatArray

# Silence comes first, else HiGHS prints its name. Presolve costs more than it saves here.
OPTIONS = {"output_flag": False, "presolve": "off", "threads": 1}
WAYS = ("simplex", "simplex", "ipm")  # of HiGHS: from the last solution, anew, by inner points


class Solution(NamedTuple):
    """A solution of a programme.

    Attributes
    ----------
    x : float64 array of shape (n_unknowns,)
    multipliers : float64 array of shape (n_rows,)
        Change of the least cost for each unit of the right-hand sides.
    """

    x: FloatArray
    multipliers: FloatArray


class Programme:
    """The least cost·x with matrix·x = equals and low ≤ x ≤ high.

    Parameters
    ----------
    matrix : float64 array of shape (n_rows, n_unknowns)
    equals : float64 array of shape (n_rows,)
    low, high : float64 arrays of shape (n_unknowns,)
        Ends may be infinite.
    """

    def __init__(
        self, matrix: FloatArray, equals: FloatArray, low: FloatArray, high: FloatArray
    ) -> None:
        import highspy  # takes a while, and few commands need it

        self._kit = highspy
        self._solver = highspy.Highs()
        for option, value in OPTIONS.items():
            self._solver.setOptionValue(option, value)
        rows, unknowns = matrix.shape
        model = highspy.HighsLp()
        model.num_row_, model.num_col_ = rows, unknowns
        model.col_cost_ = np.zeros(unknowns)
        model.col_lower_, model.col_upper_ = low, high
        model.row_lower_ = model.row_upper_ = equals
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        used = matrix != 0
        model.a_matrix_.start_ = np.r_[0, np.cumsum(used.sum(axis=1))].astype(np.int32)
        model.a_matrix_.index_ = np.nonzero(used)[1].astype(np.int32)
        model.a_matrix_.value_ = matrix[used]
        self._solver.passModel(model)
        self.n_unknowns = unknowns

    def add(self, column: FloatArray) -> None:
        """Add an unknown of at least 0, the last one."""
        used = np.flatnonzero(column).astype(np.int32)
        self._solver.addCol(0.0, 0.0, np.inf, len(used), used, column[used])
        self.n_unknowns += 1

    def forget(self) -> None:
        """Begin anew: the next solution does not depend on what was solved before."""
        self._solver.clearSolver()

    def solve(self, cost: FloatArray) -> Solution | None:
        """Return a solution for these costs, or None where no way finds one."""
        solver = self._solver
        solver.changeColsCost(self.n_unknowns, np.arange(self.n_unknowns, dtype=np.int32), cost)
        for attempt, way in enumerate(WAYS):
            if attempt:
                self.forget()
            solver.setOptionValue("solver", way)
            solver.run()
            if solver.getModelStatus() == self._kit.HighsModelStatus.kOptimal:
                found = solver.getSolution()
                return Solution(np.array(found.col_value), np.array(found.row_dual))
        return None
