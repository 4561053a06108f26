"""Profile-likelihood limits of a fit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray
from annostat.noise import kernels
from annostat.noise.problem import Problem
from annostat.results.estimates import Interval

MOST_WINDOWS = 12  # so many of those within the cutoff are walked along


class Profiler:
    """Profile-likelihood limits of E|X| and of single coordinates, windows profiled too."""

    def __init__(
        self,
        problem: Problem,
        value: float,
        u: FloatArray,
        window: int,
        profile: tuple[NDArray[np.int64], FloatArray, FloatArray],
        level: float,
    ) -> None:
        self.problem, self.value, self.u, self.window = problem, value, u, window
        self.level = level
        # Items of one cluster say less than as many independent ones: the cutoff is widened by
        # the design effect, as the variance would be (Rotnitzky & Jewell 1990).
        effect = problem.cells.effect
        self.half = effect * float(special.gammaincinv(0.5, level))  # half of a chi-square quantile
        self.method = "profile likelihood"
        # A window that is fitted too ends at the farthest give-up, where the likelihood is not
        # regular: twice its drop follows chi-square with 2 degrees of freedom, not 1.
        self.loose = problem.rated and profile[0].size > 1 and float(u[problem.n_core]) > 0.0
        self.wide = -effect * math.log1p(-level) if self.loose else self.half
        if effect > 1:
            self.method += f", widened by the clusters' design effect {effect:.2f}"
        # Only windows that come within the cutoff can carry a limit.
        near = profile[1] > value - self.wide if profile[1].size else np.zeros(0, bool)
        self.windows = profile[0][near] if profile[1].size else np.zeros(0, dtype=np.int64)
        if self.windows.size > MOST_WINDOWS:
            chosen = np.linspace(0, self.windows.size - 1, MOST_WINDOWS).round().astype(int)
            self.windows = np.unique(np.append(self.windows[chosen], window))

    def mae_interval(self, mae: float, spread: float | None) -> Interval:
        """Return the limits of E|X|."""
        start = math.log(max(mae, 1e-12))
        step = 2.0 * (spread / mae if spread and mae > 0 else 0.1)
        # A limit farther away than this is none: the data do not bound E|X| on that side.
        least, most = start - math.log(1e4), start + math.log(50)
        low = self._walk(-1, start, -step, bottom=least, half=self.wide)
        high = self._walk(-1, start, step, bottom=most, half=self.wide)
        return Interval(
            math.exp(low) if low > least else 0.0,
            math.exp(high) if high < most else math.inf,
            self.level,
            self.method + (", with the cut for a fitted window" if self.loose else ""),
        )

    def coordinate(self, i: int, error: float) -> Interval:
        """Return the limits of coordinate i."""
        problem = self.problem
        low_box, high_box = problem.box
        default = 0.005 if problem.rated and i == problem.n_core else 0.2
        step = 2.0 * error if math.isfinite(error) and error > 0 else default
        here, least, most = float(self.u[i]), float(low_box[i]), float(high_box[i])
        if i < problem.n_core:  # logarithms: as for E|X|, a limit far away is none
            least, most = max(least, here - math.log(1e4)), min(most, here + math.log(50))
        low = self._walk(i, here, -step, bottom=least, half=self.half)
        high = self._walk(i, here, step, bottom=most, half=self.half)
        if i < problem.n_core:
            low = low if low > least else -math.inf
            high = high if high < most else math.inf
        return Interval(low, high, self.level, self.method)

    def _walk(self, held: int, start: float, step: float, bottom: float, half: float) -> float:
        """Return where the profile has dropped by `half`, on the side of `step`.

        `held` is a coordinate, or −1 for log E|X|.
        """
        while True:
            p, u = self.problem, self.u.copy()
            walk = kernels.Walk(start, step, bottom, held, self.value, half)
            space = p.space(self.window)
            limit = kernels.profile_limit(walk, self.windows, p.calls, space, u)
            if not self._outgrown(u):
                return float(limit)

    def _outgrown(self, u: FloatArray) -> bool:
        """Widen the problem's support if the law at u would be cut short by it."""
        needed = self.problem.with_support(u)
        if (needed.support <= 1.25 * self.problem.support).all():
            return False
        self.problem = self.problem.with_support(u, 1.5)
        return True
