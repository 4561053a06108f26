"""Skewed errors: the test that three rounds allow, and the floor about the median.

Differences of two rounds are symmetric whatever the law of an error, so that two rounds cannot see
skew. Of three and more the law is identified up to a shift (Kotlarski 1967).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from annostat.arrays import FloatArray
from annostat.labels.pairs import design_effect, ratio_of_sums
from annostat.labels.rounds import Rounds
from annostat.noise.cells import unique_rows
from annostat.noise.kernels.skewed import scan_skewed
from annostat.resampling.clusters import cluster_codes, renumbered
from annostat.results.estimates import Estimate, Interval
from annostat.results.result import Check
from annostat.results.text import p_text, plain

SHAPES = (0.5, 0.65, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 2.3, 2.7, 3.1, 3.5)
GRID = 15  # scales of each side, in each round of the search
SLACK = (8.0, 3.0, 1.0)  # log-likelihood beyond the cut that each round keeps
NAME = "skew"


@dataclass(frozen=True, eq=False)
class SkewFit:
    """The two-piece exponential power law of skewed errors on whole numbers.

    Attributes
    ----------
    mae : Estimate
        min_c E|X − c|: the least mean absolute error of any model against one annotation.
    shift : Estimate
        Mean less median of one annotation: positive if the far picks are late ones.
    late, early, shape : float
        f(x) ∝ exp(−(x/late)^shape) for x ≥ 0, exp(−(−x/early)^shape) for x < 0.
    log_likelihood : float
    """

    mae: Estimate
    shift: Estimate
    late: float
    early: float
    shape: float
    log_likelihood: float

    @property
    def aic(self) -> float:
        """Akaike's criterion of three parameters."""
        return 6 - 2 * self.log_likelihood

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the promised JSON."""
        return {
            "mae": self.mae.to_dict(),
            "shift": self.shift.to_dict(),
            "late": plain(self.late),
            "early": plain(self.early),
            "shape": self.shape,
            "log_likelihood": plain(self.log_likelihood),
        }

    def line(self) -> str:
        """Return the fit in one sentence for people."""
        level = "" if self.mae.interval is None else f"{100 * self.mae.interval.level:g}% "
        way = "late" if self.shift.value > 0 else "early"
        return (
            f"The errors are skewed ({way} picks are the far ones): the best possible model, which "
            f"says the median, is off by {self.mae.short()} {self.mae.unit} on average against one "
            f"annotation ({level}interval {self.mae.range()}); the mean pick is "
            f"{abs(self.shift.value):.2g} {self.mae.unit} {way}r than the median one."
        )


def third_moments(rounds: Rounds) -> tuple[FloatArray, FloatArray]:
    """Return Σ c³/Σ c² of each item with three picks or more, and which items these are.

    c are the picks less the means of raters and of items. The ratio has mean 0 for symmetric noise,
    also of unequal and biased raters and of items that differ in difficulty; dividing by Σ c² once
    keeps it from being ruled by the widest items (too careful) or the tightest (too bold with
    whole numbers).
    """
    values = rounds.values
    seen = np.isfinite(values)
    enough = seen.sum(axis=1) >= 3
    c = np.where(seen, values, np.nan)[enough]
    if not c.size:
        return np.empty(0), enough
    c = c - np.nanmean(c, axis=1, keepdims=True)
    weights = rounds.row_weights[enough].astype(np.float64)
    if not rounds.exchangeable:
        there = np.isfinite(c)
        total = np.maximum(weights @ there, 1.0)
        c = c - (weights @ np.where(there, c, 0.0)) / total
        c = c - np.nanmean(c, axis=1, keepdims=True)
    square = np.nansum(c * c, axis=1)
    cube = np.nansum(c * c * c, axis=1)
    # Rounded, so that what is symmetric up to arithmetic is exactly so.
    return np.where(square > 1e-9, np.round(cube, 9) / np.maximum(square, 1e-9), 0.0), enough


def check_skew(rounds: Rounds, *, alpha: float = 0.05) -> Check:
    """Test the symmetry of errors by third moments within items; whole clusters are units.

    Parameters
    ----------
    rounds : Rounds
        Items with three annotations or more count; of others nothing can be seen.

    alpha : float
        Size of the test: two-sided t of the mean of Σ c³/Σ c² over items.

    Returns
    -------
    Check
        passed is None where no item has three annotations.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat import Rounds
    >>> late = 40 + np.random.default_rng(1).geometric(0.3, (200, 3))
    >>> check_skew(Rounds.from_array(late)).passed
    False
    """
    t, enough = third_moments(rounds)
    if not t.size:
        text = (
            "Two annotations of an item cannot show whether errors are skewed (late picks farther "
            "off than early ones, say); three can. E|X| takes them for symmetric."
        )
        return Check(NAME, None, text)
    codes = cluster_codes(rounds.cluster)
    mine = None if codes is None else renumbered(codes[enough])
    weights = rounds.row_weights[enough].astype(np.float64)
    mean, se, units = ratio_of_sums(t, np.ones_like(t), weights, mine)
    if units < 3 or not se > 0:
        return Check(NAME, None, "Skew of the errors cannot be looked at: too few items.")
    ratio = mean / se
    p = 2 * float(special.stdtr(units - 1, -abs(ratio)))
    facts = f"(third moments within items, t = {ratio:.1f}, {p_text(p)})"
    if p >= alpha:
        return Check(NAME, True, f"No skew of the errors is visible {facts}.", ratio, p)
    way = "late" if mean > 0 else "early"
    text = (
        f"The errors are not symmetric: {way} picks are farther off {facts}; E|X| is that of a "
        "skewed law, about its median."
    )
    return Check(NAME, False, text, ratio, p)


def signed_cells(rounds: Rounds) -> tuple[Any, Any, FloatArray]:
    """Return picks from 0 up, first picks and counts of the patterns of picks of an item."""
    values = rounds.values
    seen = np.isfinite(values)
    mine = seen.sum(axis=1) >= 2
    z = np.where(seen, values, np.inf)[mine]
    z = np.sort(z - z.min(axis=1, keepdims=True), axis=1)
    table = np.where(np.isfinite(z), z + 1, 0).astype(np.int64)
    rows, of = unique_rows(table)
    count = np.bincount(of, weights=rounds.row_weights[mine], minlength=len(rows))
    there = rows > 0
    start = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int64)
    return np.ascontiguousarray(rows[there] - 1), start, count.astype(np.float64)


def fit_skewed(rounds: Rounds, *, level: float, period: float, unit: str) -> SkewFit:
    """Fit the skewed law, and the range of its floor over all parameters within the cut.

    The cut is half of the quantile of chi-square with 2 degrees of freedom: with 1 the interval is
    too short, since one side may vanish and shapes are on a grid.

    Parameters
    ----------
    rounds : Rounds
        Whole-number picks.
    period : float
        Duration of a frame in `unit`.
    """
    cells = signed_cells(rounds)
    half = -design_effect(rounds) * math.log1p(-level)
    typical = max(float(cells[2] @ cells[0][cells[1][1:] - 1]) / float(cells[2].sum()), 0.3)
    boxes = {s: np.log([[0.004, 4.0]] * 2) + math.log(typical) for s in SHAPES}
    rows, kept = np.empty((0, 6)), np.empty(0)
    for slack in (*SLACK, 0.0):
        found = []
        for shape, box in boxes.items():
            side = [np.exp(np.linspace(low, high, GRID)) for low, high in box]
            a, b = (m.ravel() for m in np.meshgrid(*side))
            points = np.column_stack([a, b, np.full(a.size, shape)])
            values = np.empty((a.size, 3))
            scan_skewed(cells, points, values)
            found.append(np.column_stack([points, values]))
        rows = np.concatenate([rows, *found])
        top = float(rows[:, 3].max())
        kept = rows[rows[:, 3] >= top - half - slack]
        narrower = {}
        for shape, box in boxes.items():
            near = np.log(kept[kept[:, 2] == shape][:, :2])
            if len(near):
                step = (box[:, 1] - box[:, 0]) / (GRID - 1)
                lower, upper = near.min(axis=0) - step, near.max(axis=0) + step
                narrower[shape] = np.column_stack(
                    [np.maximum(lower, box[:, 0]), np.minimum(upper, box[:, 1])]
                )
        boxes = narrower
    best = rows[int(np.argmax(rows[:, 3]))]
    method = "range over skewed laws within the cut for two parameters"

    def over(column: int) -> Estimate:
        low, high = period * float(kept[:, column].min()), period * float(kept[:, column].max())
        limits = Interval(low, high, level, method)
        return Estimate(period * float(best[column]), None, limits, unit)

    late, early = period * float(best[0]), period * float(best[1])
    return SkewFit(over(4), over(5), late, early, float(best[2]), float(best[3]))
