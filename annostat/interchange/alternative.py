"""The alternative-annotator test, a published procedure that stands here as a reference only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from annostat.arrays import FloatArray
from annostat.interchange.spread import across
from annostat.results.text import plain

EPSILON = 0.2
FEWEST = 30  # items of a reader below which the published test takes no t test
WARNING = (
    "The alternative-annotator test forgives a model {epsilon} of the items: with 3 annotators who "
    "err in 30% of 100 items it passed 43% (four categories) to 81% (two) of models that err in "
    "40%, in simulation. It stands here for comparison, the verdict does not rest on it."
)


@dataclass(frozen=True, slots=True)
class AlternativeTest:
    """Winning rate and average advantage probability of a model.

    Attributes
    ----------
    omega : float
        Share of annotators that the model beats by the test; 0.5 or more passes. NaN where no
        annotator shares enough items with others.
    rho : float
        Mean share of items on which the model is at least as near to the other annotators as the
        one whose place it takes.
    epsilon : float
        How much more often an annotator may be nearer than the model.
    n_tested : int
        Annotators with 30 items or more; the others are in no ω.
    """

    omega: float
    rho: float
    epsilon: float
    n_tested: int

    @property
    def passed(self) -> bool:
        """Whether the published rule says that the model may take the annotators' place."""
        return self.omega >= 0.5

    @property
    def warning(self) -> str:
        """Why no verdict rests on it."""
        return WARNING.format(epsilon=f"{100 * self.epsilon:g} points in 100")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "omega": plain(self.omega),
            "rho": plain(self.rho),
            "epsilon": self.epsilon,
            "n_tested": self.n_tested,
            "passed": None if math.isnan(self.omega) else self.passed,
        }


def alternative_test(
    to_model: FloatArray,
    among: FloatArray,
    seen: NDArray[np.bool_],
    *,
    epsilon: float = EPSILON,
    q: float = 0.05,
) -> AlternativeTest:
    """Return ω and ρ of the alternative-annotator test (Calderon, Reichart & Dror 2025).

    For annotator j and an item that he shares with others, the model scores −mean d(f, z_l) and
    he −mean d(z_j, z_l) over the others l. W is 1 where the one is at least as good as the other;
    "the model is not nearer, W_j − W_f ≥ ε" is tested by a one-sided t test over items, and the
    p-values go through Benjamini & Yekutieli's procedure at `q`.

    Parameters
    ----------
    to_model : float64 array of shape (n_items, n_readers)
        d(f, z_j), 0 where there is no label.
    among : float64 array of the same shape
        Σ_l d(z_j, z_l), 0 where there is no label.
    seen : bool array of the same shape
        Where there is a label; at least two in each item.
    """
    others = across(seen) - 1
    total = across(to_model)
    p_values, shares = [], []
    for j in range(seen.shape[1]):
        here = seen[:, j]
        if not here.any():
            continue
        # Both are sums over the same others, compared up to rounding.
        rows = slice(None) if here.all() else here
        mine = among[rows, j] / others[rows]
        its = (total[rows] - to_model[rows, j]) / others[rows]
        near = 1e-12 * (mine + its + total[rows])
        model_wins, annotator_wins = its <= mine + near, mine <= its + near
        shares.append(float(model_wins.mean()))
        if here.sum() >= FEWEST:
            p_values.append(
                _p_value(np.subtract(annotator_wins, model_wins, dtype=np.float64), epsilon)
            )
    omega = sum(yekutieli(p_values, q)) / len(p_values) if p_values else math.nan
    rho = float(np.mean(shares)) if shares else math.nan
    return AlternativeTest(omega, rho, epsilon, len(p_values))


def _p_value(d: FloatArray, epsilon: float) -> float:
    """Return the one-sided p-value of mean d ≥ ε."""
    error = float(d.std(ddof=1)) / math.sqrt(d.size)
    gap = float(d.mean()) - epsilon
    if error == 0:
        return 0.0 if gap < 0 else 1.0
    return float(special.stdtr(d.size - 1, gap / error))


def yekutieli(p_values: Sequence[float], q: float) -> list[bool]:
    """Return which hypotheses fall at a false discovery rate of `q` under any dependence."""
    m = len(p_values)
    harmonic = sum(1 / i for i in range(1, m + 1))
    ranked = sorted(range(m), key=lambda i: p_values[i])
    last = max(
        (r for r, i in enumerate(ranked, 1) if p_values[i] <= r * q / (m * harmonic)), default=0
    )
    rejected = set(ranked[:last])
    return [i in rejected for i in range(m)]
