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
from annostat.noise.abandonment import Abandonment, get_abandonment
from annostat.noise.cells import FAR, Cells
from annostat.noise.families import Family
from annostat.noise.model import find_support
from annostat.results.text import counted

MAX_RATE = 0.5  # beyond this the "abandonment" would be the rule and the core the exception
FULL_SCAN = 80  # up to this many windows, all of them are tried
WIDE = 4 * FAR  # a power tail up to here is cheap: it is followed as far as the data go
MANY_PERIODS, SCALE_STEP = 64, 0.02  # beyond so many periods supports are found for scales in steps


@dataclass(frozen=True, eq=False)
class Problem:
    """Data and settings of one model, in the form that the kernels take."""

    rounds: Rounds
    cells: Cells
    family: Family
    abandonment: Abandonment
    raters: int
    windows: NDArray[np.int64]  # empty without abandonment or if the clip's length is used
    by_length: bool
    support: NDArray[np.int64]
    physical: bool = False  # whether the scale is in the unit of the periods

    @property
    def n_core(self) -> int:
        """Number of parameters of the core."""
        return len(self.family.parameters)

    @property
    def rated(self) -> bool:
        """Whether there is an abandonment rate to be fitted."""
        return self.abandonment.rated

    @property
    def calls(self) -> kernels.Calls:
        """The core's law, the likelihood, E|X| and the maximiser, as the kernels call them."""
        like, size = kernels.evaluate.compiled, kernels.mean_error.compiled
        points = kernels.Points(self.family.kernel, like, size)
        return kernels.Calls(points, kernels.maximise.compiled)

    def space(self, window: int = 0, count: FloatArray | None = None) -> kernels.Space:
        """Return where the kernels search, for a window."""
        return kernels.Space(self.spec, self.data(window, count), *self.box)

    def without_abandonment(self) -> Problem:
        """Return the problem of the core alone."""
        no_windows = np.zeros(0, dtype=np.int64)
        never = get_abandonment("none")
        return replace(self, abandonment=never, windows=no_windows, by_length=False)

    def __getstate__(self) -> dict[str, Any]:
        # What is derived is derived again: compiled functions do not travel between processes.
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @cached_property
    def spec(self) -> NDArray[np.int64]:
        """The kernels' `spec`."""
        family = self.family
        values = [self.n_core, self.rated, self.raters, family.normalise, family.tail_index]
        return np.array([*values, self.by_length], dtype=np.int64)

    @cached_property
    def box(self) -> tuple[FloatArray, FloatArray]:
        """Limits of the coordinates."""
        low = [math.log(p.low) for p in self.family.parameters]
        high = [math.log(p.high) for p in self.family.parameters]
        low[0] += math.log(self.cells.period.min())
        high[0] += math.log(self.cells.period.max())
        rate = int(self.rated)
        low += [0.0] * rate + [-4.0] * (self.raters - 1)
        high += [MAX_RATE] * rate + [4.0] * (self.raters - 1)
        return np.array(low), np.array(high)

    @cached_property
    def extra(self) -> FloatArray:
        """Correction for two abandoned picks of one clip, which share its truth (order ε²)."""
        c = self.cells
        if not (self.abandonment.alone > 0 and self.by_length):
            return np.zeros(c.group.size)
        d, length = c.span.astype(np.float64), c.length[c.group].astype(np.float64)
        # Two picks of one clip: the law of a difference of two uniform points. Of two clips: the
        # sum of four such points, whose ways are counted by inclusion and exclusion.
        once = np.maximum(length - d, 0.0) / length**2
        m = 2 * (length - 1) - d
        twice = (_triples(m) - 4 * _triples(m - length)) / length**4
        return np.where(c.readings == 2, once - twice, 0.0)

    def data(self, window: int = 0, count: FloatArray | None = None) -> tuple[Any, Any]:
        """Return the kernels' `data` for a window."""
        c = self.cells
        base = c.length if self.by_length else np.full(c.period.size, 2 * window + 1)
        parts = kernels.Parts(
            z=c.z,
            rater=c.rater,
            start=c.start,
            group=c.group,
            count=c.count if count is None else count,
            extra=self.extra,
            span=c.span,
            period=c.period,
            base=base,
            share=c.share,
            support=self.support,
            alone=self.abandonment.alone,
            together=self.abandonment.together,
        )
        return kernels.pack(parts)

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
        space = self.space(window)
        u = start.copy()
        if fixed is not None:
            low, high = space.low.copy(), space.high.copy()
            low[fixed[0]] = high[fixed[0]] = u[fixed[0]] = fixed[1]
            space = space._replace(low=low, high=high)
        metric = np.zeros((u.size, u.size)) if metric is None else metric
        goal = kernels.Goal(target, tolerance, -math.inf)
        value, fine = kernels.call_climb(self.calls, space, u, metric, goal)
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
        near = c.near_span * c.period[c.group]
        typical = float(c.count @ (near / pairs) / c.count.sum())
        typical = max(typical, 0.05 * float(c.period.min()))
        widest = float(spans.max())
        first = [math.log(math.sqrt(p.typical[0] * p.typical[1])) for p in self.family.parameters]
        scales = [0.7 * typical]
        if self.family.kinked:
            scales += [factor * typical for factor in (0.25, 1.0, 1.6, 2.5, 4.0)]
            if not self.rated:  # the base must reach half of the widest difference
                scales.append(widest / 2 + float(c.period.max()))
        elif widest / 40 > scales[0] and 2 * self.first_window < c.span.max():
            scales.append(widest / 40)
        found = []
        for scale in scales:
            u = np.zeros(low.size)
            u[: self.n_core] = first
            u[0] = math.log(scale)
            if self.rated:
                u[self.n_core] = 0.01
            found.append(np.clip(u, low, high))
        return found

    @property
    def first_window(self) -> int:
        """The window that a search begins with: the middle one, or one that carries a far pick."""
        if not self.windows.size:
            return 0
        widest, middle = int(self.cells.span.max()), self.windows.size // 2
        if self.cells.far:
            middle = max(middle, int(np.searchsorted(self.windows, widest / 2)))
        return int(self.windows[min(middle, self.windows.size - 1)])

    def theta(self, u: FloatArray) -> dict[str, float]:
        """Return the core's parameters by name."""
        values = np.exp(u[: self.n_core])
        return {p.name: float(v) for p, v in zip(self.family.parameters, values, strict=True)}

    def with_support(self, u: FloatArray, slack: float = 1.0) -> Problem:
        """Return the problem with the support that the law at u needs.

        What no abandonment explains is left to the core, however improbable: a law that is cut
        off where its tail is light would make it impossible.
        """
        widest = float(np.exp(u[self.n_core + self.rated :]).max()) if self.raters > 1 else 1.0
        theta = np.exp(u[: self.n_core])
        theta[0] *= slack * max(widest, 1.0)
        spans = np.zeros(self.cells.period.size, dtype=np.int64)
        np.maximum.at(spans, self.cells.group, self.cells.span)
        cap = light = max(64, 4 * int(spans.max()))
        carried = self.by_length or 2 * self.windows.max(initial=0) >= spans.max()
        if carried and cap > WIDE:
            # One pick that is far off is the give-ups' to explain: the power tail of the core goes
            # as far as all but 5% of the items need, else a typo would set the cost of each law.
            cap = min(cap, max(FAR, 16 * self.cells.bulk))
        scales = theta[0] / self.cells.period
        if scales.size > MANY_PERIODS:  # a support that is a little too wide does no harm
            scales = np.exp(np.ceil(np.log(scales) / SCALE_STEP) * SCALE_STEP)
        tail_cap = cap if self.family.tail_index >= 0 else max(light, 4096)
        distinct, of = np.unique(scales, return_inverse=True)
        found = []
        for scale in distinct:
            scaled = np.concatenate([[scale], theta[1:]])
            found.append(find_support(self.family, scaled, tail=1e-13, cap=tail_cap))
        support = np.array(found, dtype=np.int64)[of]
        if not carried:
            support = np.maximum(support, spans + support // 2)
        return replace(self, support=support)

    def of_sets(self, cells: Cells, u: FloatArray) -> Problem:
        """Return the problem of sets drawn from the law at u, with the cells of all of them.

        They need less of a power tail, and narrower windows, than data whose widest difference is
        far off.
        """
        within = self.windows[self.windows <= max(WIDE, 2 * int(cells.span.max()))]
        drawn = replace(self, cells=cells, windows=within if within.size else self.windows)
        if self.family.tail_index < 0 or self.support.max() <= WIDE:
            return drawn
        return replace(drawn, support=np.minimum(self.support, drawn.with_support(u).support))


def _triples(m: FloatArray) -> FloatArray:
    """Return the number of ways to write m as a sum of four whole numbers, 0 for negative m."""
    return np.where(m >= 0, (m + 1) * (m + 2) * (m + 3) / 6, 0.0)


def cell_log_likelihoods(problem: Problem, u: FloatArray, window: int) -> FloatArray:
    """Return the log-likelihood of each cell, one item each."""
    one = np.ones(problem.cells.count.size)
    found = np.empty(u.size + one.size)  # the gradient, and what stands beyond it
    kernels.evaluate(problem.family.kernel, problem.spec, u, problem.data(window, one), found)
    return found[u.size :]


def window_grid(problem_cells: Cells, typical: float) -> NDArray[np.int64]:
    """Return the windows to try: from four typical differences to twice the widest one.

    A window narrower than that would not be abandonment but a second core.
    """
    widest = int(problem_cells.span.max())
    low = min(max(3, math.ceil(4 * typical)), max(widest, 1))
    high = max(2 * widest, low + 1)
    if high - low <= FULL_SCAN:
        return np.arange(low, high + 1)
    tried = FULL_SCAN if high <= WIDE else FULL_SCAN // 2  # the search looks closer at the best
    return np.unique(np.geomspace(low, high, tried).round().astype(np.int64))


def make_problem(
    rounds: Rounds,
    family: Family,
    abandonment: str | Abandonment,
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
    way = get_abandonment(abandonment)
    by_length = way.rated and window == "length"
    if by_length and rounds.length is None:
        raise AnnostatError("window='length' needs the length of each clip")
    if by_length and (cells.span >= cells.length[cells.group]).any():
        raise AnnostatError("some picks differ by more than the clip's length; check the lengths")
    windows = np.zeros(0, dtype=np.int64)
    if way.rated and not by_length:
        if isinstance(window, str):
            check_choice("window", window, ("auto", "length"))
            k = np.maximum(cells.readings - 1, 1)
            typical = float(cells.count @ (cells.near_span / k) / cells.count.sum())
            windows = window_grid(cells, typical)
            if rounds.length is not None:
                windows = windows[windows < max(int(rounds.length.max()), 2)]
        else:
            windows = np.array([check_count("window", window, low=1)], dtype=np.int64)
    return Problem(
        rounds=rounds,
        cells=cells,
        family=family,
        abandonment=way,
        raters=rounds.n_rounds if by_rater else 1,
        windows=windows,
        by_length=by_length,
        support=np.full(cells.period.size, 64, dtype=np.int64),
        physical=in_units,
    )


def warn_of_window(window: str | int, cells: Cells) -> None:
    """Warn of a given window that no abandonment within it could carry the data over."""
    if isinstance(window, str):
        return
    check_count("window", window, low=1)
    beyond = float(cells.count[cells.span > 2 * window].sum())
    if beyond:
        warnings.warn(
            f"window={window}: {counted(int(beyond), 'item')} with picks that differ by more than "
            f"{2 * window}, up to {int(cells.span.max())}, which two abandoned picks within it "
            "never do, so the core has to explain them; give a wider window, or 'auto'",
            AnnostatWarning,
            stacklevel=3,
        )
