"""Data and settings of one model, in the form that the kernels take."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, AnnostatWarning, check_choice, check_count
from annostat.labels.rounds import Rounds
from annostat.noise import kernels
from annostat.noise.cells import Cells
from annostat.noise.families import Family
from annostat.noise.model import ABANDONMENT, find_support, mirror
from annostat.results.text import counted

KINDS = {name: i for i, name in enumerate(ABANDONMENT)}
MAX_RATE = 0.5  # beyond this the "abandonment" would be the rule and the core the exception
FULL_SCAN = 80  # up to this many windows, all of them are tried


@dataclass(frozen=True, eq=False)
class Problem:
    """Data and settings of one model, in the form that the kernels take."""

    rounds: Rounds
    cells: Cells
    family: Family
    kind: int
    raters: int
    windows: NDArray[np.int64]  # empty without abandonment or if the clip's length is used
    by_length: bool
    support: NDArray[np.int64]

    @property
    def n_core(self) -> int:
        """Number of parameters of the core."""
        return len(self.family.parameters)

    @property
    def calls(self) -> tuple[Any, Any, Any, Any]:
        """The core's law, the likelihood, E|X| and the maximiser, as the kernels call them."""
        entries = kernels.evaluate, kernels.mean_error, kernels.maximise
        return self.family.kernel, *(entry.compiled for entry in entries)

    def __getstate__(self) -> dict[str, Any]:
        # What is derived is derived again: compiled functions do not travel between processes.
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @cached_property
    def spec(self) -> NDArray[np.int64]:
        """The kernels' `spec`."""
        family = self.family
        values = [self.n_core, self.kind, self.raters, family.normalise, family.tail_index]
        return np.array([*values, self.by_length], dtype=np.int64)

    @cached_property
    def box(self) -> tuple[FloatArray, FloatArray]:
        """Limits of the coordinates."""
        low = [math.log(p.low) for p in self.family.parameters]
        high = [math.log(p.high) for p in self.family.parameters]
        low[0] += math.log(self.cells.period.min())
        high[0] += math.log(self.cells.period.max())
        rate = int(self.kind > 0)
        low += [0.0] * rate + [-4.0] * (self.raters - 1)
        high += [MAX_RATE] * rate + [4.0] * (self.raters - 1)
        return np.array(low), np.array(high)

    @cached_property
    def extra(self) -> FloatArray:
        """Correction for two abandoned picks of one clip, which share its truth (order ε²)."""
        c = self.cells
        values = np.zeros(c.group.size)
        if self.kind == KINDS["independent"] and self.by_length:
            for g, length in enumerate(c.length):
                half = (length - np.arange(length)) / float(length) ** 2
                both = np.convolve(mirror(half), mirror(half))[2 * (length - 1) :]
                mine = (c.group == g) & (c.readings == 2)
                d = c.span[mine]
                once = np.where(d < length, half[np.minimum(d, length - 1)], 0.0)
                twice = np.where(d < both.size, both[np.minimum(d, both.size - 1)], 0.0)
                values[mine] = once - twice
        return values

    def data(self, window: int = 0, count: FloatArray | None = None) -> tuple[Any, ...]:
        """Return the kernels' `data` for a window."""
        c = self.cells
        base = c.length if self.by_length else np.full(c.period.size, 2 * window + 1)
        return kernels.pack(
            c.z, c.rater, c.start, c.group, c.count if count is None else count, self.extra,
            c.span, c.period, base, c.share, self.support,
        )  # fmt: skip

    def maximise(
        self,
        start: FloatArray,
        window: int = 0,
        *,
        target: float = 0.0,
        fixed: tuple[int, float] | None = None,
        metric: FloatArray | None = None,
        tolerance: float = 1e-11,
    ) -> tuple[float, FloatArray, bool]:
        """Return the largest log-likelihood, where it is, and whether the search converged."""
        low, high = self.box
        u = start.copy()
        if fixed is not None:
            low, high = low.copy(), high.copy()
            low[fixed[0]] = high[fixed[0]] = u[fixed[0]] = fixed[1]
        metric = np.zeros((u.size, u.size)) if metric is None else metric
        value, fine = kernels.call_climb(
            *self.calls, self.spec, u, self.data(window), target, low, high, metric,
            tolerance,
        )  # fmt: skip
        return float(value), u, bool(fine)

    def mae(self, u: FloatArray, window: int) -> tuple[float, FloatArray]:
        """Return E|X| and its derivatives."""
        slopes = np.empty(u.size)
        value = kernels.mean_error(self.family.kernel, self.spec, u, self.data(window), slopes)
        return float(value), slopes

    def starts(self) -> list[FloatArray]:
        """Return points to start from: scales that explain the typical and the widest difference.

        Where the widest one is all but impossible, the likelihood is flat, and a search that
        starts there would pass the item over.
        """
        c = self.cells
        low, high = self.box
        pairs = np.maximum(c.readings - 1, 1)
        spans = c.span * c.period[c.group]
        typical = float(c.count @ (spans / pairs) / c.count.sum())
        typical = max(typical, 0.05 * float(c.period.min()))
        widest = float(spans.max())
        first = [math.log(math.sqrt(p.typical[0] * p.typical[1])) for p in self.family.parameters]
        scales = [0.7 * typical]
        if self.family.kinked:
            scales += [factor * typical for factor in (0.25, 1.0, 1.6, 2.5, 4.0)]
            if self.kind == 0:  # the base must reach half of the widest difference
                scales.append(widest / 2 + float(c.period.max()))
        elif widest / 40 > scales[0]:
            scales.append(widest / 40)
        found = []
        for scale in scales:
            u = np.zeros(low.size)
            u[: self.n_core] = first
            u[0] = math.log(scale)
            if self.kind > 0:
                u[self.n_core] = 0.01
            found.append(np.clip(u, low, high))
        return found

    def theta(self, u: FloatArray) -> dict[str, float]:
        """Return the core's parameters by name."""
        values = np.exp(u[: self.n_core])
        return {p.name: float(v) for p, v in zip(self.family.parameters, values, strict=True)}

    def with_support(self, u: FloatArray, slack: float = 1.0) -> Problem:
        """Return the problem with the support that the law at u needs.

        What no abandonment explains is left to the core, however improbable: a law that is cut
        off where its tail is light would make it impossible.
        """
        widest = float(np.exp(u[self.n_core + (self.kind > 0) :]).max()) if self.raters > 1 else 1.0
        theta = np.exp(u[: self.n_core])
        theta[0] *= slack * max(widest, 1.0)
        spans = np.zeros(self.cells.period.size, dtype=np.int64)
        np.maximum.at(spans, self.cells.group, self.cells.span)
        cap = max(64, 4 * int(spans.max()))
        carried = self.by_length or 2 * self.windows.max(initial=0) >= spans.max()
        support = []
        for period, span in zip(self.cells.period, spans, strict=True):
            scaled = theta.copy()
            scaled[0] /= period
            tail_cap = cap if self.family.tail_index >= 0 else max(cap, 4096)
            reach = find_support(self.family, scaled, tail=1e-13, cap=tail_cap)
            support.append(reach if carried else max(reach, span + reach // 2))
        return replace(self, support=np.array(support, dtype=np.int64))


def cell_log_likelihoods(problem: Problem, u: FloatArray, window: int) -> FloatArray:
    """Return the log-likelihood of each cell, one item each."""
    grad = np.empty(u.size)
    n = problem.cells.count.size
    values = np.empty(n)
    for i in range(n):
        count = np.zeros(n)
        count[i] = 1.0
        data = problem.data(window, count)
        values[i] = kernels.evaluate(problem.family.kernel, problem.spec, u, data, grad)
    return values


def window_grid(problem_cells: Cells, typical: float) -> NDArray[np.int64]:
    """Return the windows to try: from four typical differences to twice the widest one.

    A window narrower than that would not be abandonment but a second core.
    """
    widest = int(problem_cells.span.max())
    low = min(max(3, math.ceil(4 * typical)), max(widest, 1))
    high = max(2 * widest, low + 1)
    if high - low <= FULL_SCAN:
        return np.arange(low, high + 1)
    return np.unique(np.geomspace(low, high, FULL_SCAN).round().astype(np.int64))


def problem_is_physical(problem: Problem) -> bool:
    """Return whether the scale is in the unit of the periods."""
    return bool((problem.cells.period != 1.0).any())


def make_problem(
    rounds: Rounds,
    family: Family,
    abandonment: str,
    window: str | int,
    physical: bool | None,
    by_rater: bool,
    cells: Cells | None,
) -> Problem:
    """Check the settings and collect the counts."""
    in_units = rounds.period is not None if physical is None else physical
    if in_units and rounds.period is None:
        raise AnnostatError("physical needs a period (or fps) for each item")
    if by_rater and rounds.n_rounds < 3:
        raise AnnostatError(
            "one scale per rater needs three or more rounds: two give only the average"
        )
    if cells is None:
        cells = Cells.from_rounds(rounds, physical=in_units, by_rater=by_rater)
    kind = KINDS[abandonment]
    by_length = kind > 0 and window == "length"
    if by_length and rounds.length is None:
        raise AnnostatError("window='length' needs the length of each clip")
    if by_length and (cells.span >= cells.length[cells.group]).any():
        raise AnnostatError("some picks differ by more than the clip's length; check the lengths")
    windows = np.zeros(0, dtype=np.int64)
    if kind > 0 and not by_length:
        if isinstance(window, str):
            check_choice("window", window, ("auto", "length"))
            k = np.maximum(cells.readings - 1, 1)
            typical = float(cells.count @ (cells.span / k) / cells.count.sum())
            windows = window_grid(cells, typical)
            if rounds.length is not None:
                windows = windows[windows < max(int(rounds.length.max()), 2)]
        else:
            windows = np.array([check_count("window", window, low=1)], dtype=np.int64)
    return Problem(
        rounds=rounds,
        cells=cells,
        family=family,
        kind=kind,
        raters=rounds.n_rounds if by_rater else 1,
        windows=windows,
        by_length=by_length,
        support=np.full(cells.period.size, 64, dtype=np.int64),
    )


def warn_of_window(window: str | int, cells: Cells) -> None:
    """Warn of a given window that no abandonment within it could carry the data over."""
    if isinstance(window, str):
        return
    beyond = float(cells.count[cells.span > 2 * window].sum())
    if beyond:
        warnings.warn(
            f"window={window}: {counted(int(beyond), 'item')} with picks that differ by more than "
            f"{2 * window}, up to {int(cells.span.max())}, which two abandoned picks within it "
            "never do, so the core has to explain them; give a wider window, or 'auto'",
            AnnostatWarning,
            stacklevel=3,
        )
