"""Profile-likelihood limits of a fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from annostat.estimates import Interval
from annostat.noise.diagnostics import design_effect

if TYPE_CHECKING:
    from annostat.noise.fit import Problem

FloatArray = NDArray[np.float64]


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
        self.reached = u
        # Items of one cluster say less than as many independent ones: the cutoff is widened by
        # the design effect, as the variance would be (Rotnitzky & Jewell 1990).
        effect = design_effect(problem.rounds)
        self.half = effect * float(special.gammaincinv(0.5, level))  # half of a chi-square quantile
        self.method = "profile likelihood"
        if effect > 1:
            self.method += f", widened by the clusters' design effect {effect:.2f}"
        # Only windows that come within the cutoff can carry a limit.
        near = profile[1] > value - self.half if profile[1].size else np.zeros(0, bool)
        self.windows = profile[0][near] if profile[1].size else np.zeros(0, dtype=np.int64)
        if self.windows.size > 6:
            chosen = np.linspace(0, self.windows.size - 1, 6).round().astype(int)
            self.windows = np.unique(np.append(self.windows[chosen], window))

    def mae_interval(self, mae: float, spread: float | None) -> Interval:
        """Return the limits of E|X|."""
        start = math.log(max(mae, 1e-12))
        step = 2.0 * (spread / mae if spread and mae > 0 else 0.1)

        metric = np.zeros((self.u.size, self.u.size))

        def drop(x: float, window: int, guess: FloatArray) -> tuple[float, FloatArray]:
            value, u, _ = self.problem.maximise(
                guess, window, target=math.exp(x), metric=metric, tolerance=1e-5
            )
            return self.value - value, u

        # A limit farther away than this is none: the data do not bound E|X| on that side.
        least, most = start - math.log(1e4), start + math.log(50)
        low = self._walk(drop, start, -step, bottom=least)
        high = self._walk(drop, start, step, bottom=most)
        return Interval(
            math.exp(low) if low > least else 0.0,
            math.exp(high) if high < most else math.inf,
            self.level,
            self.method,
        )

    def coordinate(self, i: int, error: float) -> Interval:
        """Return the limits of coordinate i."""
        problem = self.problem
        low_box, high_box = problem.box

        metric = np.zeros((self.u.size, self.u.size))

        def drop(x: float, window: int, guess: FloatArray) -> tuple[float, FloatArray]:
            value, u, _ = self.problem.maximise(
                guess, window, fixed=(i, x), metric=metric, tolerance=1e-5
            )
            return self.value - value, u

        default = 0.005 if problem.kind and i == problem.n_core else 0.2
        step = 2.0 * error if math.isfinite(error) and error > 0 else default
        here, least, most = float(self.u[i]), float(low_box[i]), float(high_box[i])
        if i < problem.n_core:  # logarithms: as for E|X|, a limit far away is none
            least, most = max(least, here - math.log(1e4)), min(most, here + math.log(50))
        low = self._walk(drop, here, -step, bottom=least)
        high = self._walk(drop, here, step, bottom=most)
        if i < problem.n_core:
            low = low if low > least else -math.inf
            high = high if high < most else math.inf
        return Interval(low, high, self.level, self.method)

    def _walk(
        self,
        drop: Callable[[float, int, FloatArray], tuple[float, FloatArray]],
        start: float,
        step: float,
        bottom: float,
    ) -> float:
        """Return where the profile has dropped by the cutoff, on the side of `step`."""
        limit = self._solve(drop, self.window, start, step, bottom)
        for _ in range(3):
            if limit == bottom or self.windows.size < 2:
                break
            drops = [(drop(limit, int(w), self.reached)[0], int(w)) for w in self.windows]
            best, window = min(drops)
            if best > self.half - 1e-3:
                break
            further = self._solve(drop, window, limit, step, bottom)
            if abs(further - limit) < 2e-3 * abs(step):
                break
            limit = further
        return limit

    def _solve(
        self,
        drop: Callable[[float, int, FloatArray], tuple[float, FloatArray]],
        window: int,
        start: float,
        step: float,
        bottom: float,
    ) -> float:
        guess = self.u
        seen: dict[float, float] = {}

        def miss(x: float) -> float:
            # The signed root is nearly linear, which is what the root finder likes.
            nonlocal guess
            if x not in seen:
                value, found = drop(x, window, guess)
                if math.isfinite(value):
                    guess = self.reached = found
                    seen[x] = math.sqrt(max(value, 0.0)) - math.sqrt(self.half)
                else:
                    seen[x] = 1e3
            return seen[x]

        inner = start
        outer = start + step
        for _ in range(40):
            outer = min(outer, bottom) if step > 0 else max(outer, bottom)
            above = miss(outer)
            while self._outgrown(self.reached):
                seen.clear()
                above = miss(outer)
            if above > 0:
                break
            if outer == bottom:
                return bottom
            inner, outer = outer, outer + (outer - start)
        else:
            return bottom
        if miss(inner) >= 0:
            return inner
        return float(optimize.brentq(miss, inner, outer, xtol=1e-3 * abs(step)))

    def _outgrown(self, u: FloatArray) -> bool:
        """Widen the problem's support if the law at u would be cut short by it."""
        needed = self.problem.with_support(u)
        if (needed.support <= 1.25 * self.problem.support).all():
            return False
        self.problem = self.problem.with_support(u, 1.5)
        return True
