"""NoiseModel: the law of one annotator's error, a core plus rare abandonment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_count, check_number
from annostat.noise.abandonment import ABANDONMENTS, Abandonment, get_abandonment
from annostat.noise.families import Family, get_family
from annostat.noise.kernels.law import pair_law
from annostat.resampling.generators import Rng, as_generator

__all__ = ["NoiseModel"]

TAIL = 1e-16  # mass beyond the support, both sides together
SUPPORT_CAP = 4096  # reached by power tails only; what is beyond stays missing
GUIDES = 1 << 14  # cells by which many numbers are inverted without a search


@dataclass(frozen=True)
class NoiseModel:
    """The law of an annotator's error on whole frames.

    With probability 1 − ε the error follows the core, with probability ε the annotator gave up
    and the error is uniform on −W..W (or, with a clip length L, follows the triangle of the
    distance between two uniform points of the clip).

    Parameters
    ----------
    core : str or Family
        Name of a registered family, or a family.
    parameters : dict
        Value of each parameter of the family.
    abandonment : {"none", "independent", "shared"} or Abandonment
        Whether raters give up independently, or all raters of an item together; or a way that is
        declared.
    abandonment_rate : float
        ε, in [0, 1].
    window : int, optional
        W; needed with abandonment unless `length` is given.
    length : int, optional
        Number of frames of the clip: abandoned picks are uniform on the clip.
    period : float
        Duration of one frame in the unit of the scale; 1 if the scale is in frames.

    Notes
    -----
    Symmetry of the law is an assumption: differences between rounds identify |φ|² only.

    Examples
    --------
    >>> model = NoiseModel("laplace", {"scale": 2.0}, "independent", 1 / 300, window=50)
    >>> round(model.core_mae, 3), round(model.mae, 3)
    (1.919, 1.997)
    """

    core: str | Family
    parameters: dict[str, float]
    abandonment: str | Abandonment = "none"
    abandonment_rate: float = 0.0
    window: int | None = None
    length: int | None = None
    period: float = 1.0
    family: Family = field(init=False, repr=False, compare=False)
    way: Abandonment = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        family = get_family(self.core)
        object.__setattr__(self, "family", family)
        way = get_abandonment(self.abandonment)
        object.__setattr__(self, "way", way)
        if ABANDONMENTS.get(way.name) is way:
            object.__setattr__(self, "abandonment", way.name)
        check_number("abandonment_rate", self.abandonment_rate, low=0.0, high=1.0)
        names = [p.name for p in family.parameters]
        if set(names) != set(self.parameters):
            raise AnnostatError(
                f"{family.name} has the parameters {', '.join(names)}, got "
                f"{', '.join(self.parameters) or 'none'}"
            )
        for p in family.parameters:
            check_number(p.name, self.parameters[p.name], low=0.0, open_ends=True)
        if self.way.rated and self.window is None and self.length is None:
            raise AnnostatError("abandonment needs a window (or the clip's length)")
        if self.window is not None:
            check_count("window", self.window, low=1)

    @classmethod
    def with_mae(cls, core: str | Family, mae: float, **settings: Any) -> NoiseModel:
        """Make a model of a given E|X|, with typical values of the core's other parameters.

        Examples
        --------
        >>> round(NoiseModel.with_mae("gaussian", 2.0).mae, 6)
        2.0
        """
        from scipy.optimize import brentq

        mae = check_number("mae", mae, low=0.0, open_ends=True)
        family = get_family(core)
        shape = {p.name: float(np.sqrt(p.typical[0] * p.typical[1])) for p in family.parameters}

        def at(log_scale: float) -> NoiseModel:
            shape[family.parameters[0].name] = float(np.exp(log_scale))
            return cls(core, dict(shape), **settings)

        low, high = np.log([family.parameters[0].low, 20 * mae + 1])
        if at(low).mae > mae:
            raise AnnostatError(f"mae={mae:g} is below what this law can have ({at(low).mae:g})")
        return at(brentq(lambda x: at(x).mae - mae, low, high, xtol=1e-12))

    @property
    def theta(self) -> NDArray[np.float64]:
        """Parameters in frames, in the family's order."""
        values = np.array([self.parameters[p.name] for p in self.family.parameters])
        values[0] /= self.period
        return values

    @cached_property
    def core_pmf(self) -> NDArray[np.float64]:
        """Probabilities of a core error of 0, 1, ..., S; what lies beyond S is below 1e-16."""
        return self.family.pmf(self.theta, find_support(self.family, self.theta))

    def abandoned_pmf(self) -> NDArray[np.float64]:
        """Return the probabilities of an abandoned error of 0, 1, ..."""
        if self.length is not None:
            return (self.length - np.arange(self.length)) / float(self.length) ** 2
        w = self.window or 0
        return np.full(w + 1, 1.0 / (2 * w + 1))

    @property
    def rate(self) -> float:
        """The abandonment rate, 0 without abandonment."""
        return self.abandonment_rate if self.way.rated else 0.0

    def noise_pmf(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the errors x, int64 of shape (2M + 1,), and their probabilities."""
        half = self._mixed(self.core_pmf, self.way.total(self.rate))
        return np.arange(1 - half.size, half.size), mirror(half)

    def difference_pmf(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the differences d of two rounds and their probabilities, d = −2M..2M.

        q(d) = (1 − t)·Σ f(x) f(x + d) + t·w(d): t is the probability of giving up together, w the
        law of the difference of two picks that are abandoned together, and f that of an error of
        who does not.
        """
        alone, together = self._rates()
        f = mirror(self._mixed(self.core_pmf, alone))
        q = (1 - together) * np.convolve(f, f)
        wide = mirror(self.abandoned_pmf())
        both = np.convolve(wide, wide)
        if self.rate > 0 and self.length is not None:
            # Two abandoned picks of one clip share its truth, also if each was given up alone.
            pairs = (1 - together) * alone**2
            q = add_centred(add_centred(q, (together + pairs) * wide), -pairs * both)
        elif together > 0:
            q = add_centred(q, together * both)
        half = (q.size - 1) // 2
        return np.arange(-half, half + 1), q

    def difference_counts_law(
        self, widest: int, *, support: int | None = None
    ) -> NDArray[np.float64]:
        """Return the probabilities of |d| = 0..widest, both signs together.

        With `support`, the core is cut off there: cheaper, for fits that are repeated.
        """
        half = self.core_pmf if support is None else self.family.pmf(self.theta, support)
        alone, together = self._rates()
        q = (1 - together) * pair_law(mirror(self._mixed(half, alone)), widest)
        if self.rate > 0 and self.length is not None:
            pairs = (1 - together) * alone**2
            one = self.abandoned_pmf()[: widest + 1]
            q[: one.size] += (together + pairs) * one
            if pairs > 0:
                q -= pairs * pair_law(mirror(self.abandoned_pmf()), widest)
        elif together > 0:
            q += together * pair_law(mirror(self.abandoned_pmf()), widest)
        q[1:] *= 2
        return np.asarray(q)

    @cached_property
    def core_mae(self) -> float:
        """E|X| of the core in the unit of the scale, with what a power tail hides."""
        p, index = self.core_pmf, self.family.tail_index
        value = 2.0 * float(np.arange(p.size) @ p)
        if index >= 0:
            exponent = float(self.theta[index])
            value += (1 - (2 * p.sum() - p[0])) * p.size * exponent / (exponent - 1)
        return value * self.period

    @cached_property
    def mae(self) -> float:
        """E|X|: mean absolute error of one annotation against the truth."""
        p = self.abandoned_pmf()
        wide = 2.0 * float(np.arange(p.size) @ p) * self.period
        lost = self.way.total(self.rate)
        return (1 - lost) * self.core_mae + lost * wide

    @cached_property
    def pair_mae(self) -> float:
        """E|D|: mean absolute difference between two rounds."""
        d, q = self.difference_pmf()
        return float(np.abs(d) @ q) * self.period

    @cached_property
    def noise_sd(self) -> float:
        """Standard deviation of one annotation."""
        x, f = self.noise_pmf()
        return float(np.sqrt(x**2 @ f)) * self.period

    def sample_errors(self, shape: tuple[int, int], *, rng: Rng = None) -> NDArray[np.int64]:
        """Draw errors for (n_items, n_rounds) picks; shared abandonment is drawn per item."""
        generator = as_generator(rng)
        half = self.core_pmf
        errors = draw(half, shape, generator)
        if self.rate > 0:
            alone, together = self._rates()
            gave_up = np.zeros((shape[0], 1), dtype=bool)
            if together > 0:
                gave_up = generator.random((shape[0], 1)) < together
            if alone > 0:
                gave_up = gave_up | (generator.random(shape) < alone)
            if self.length is not None:
                # Abandoned picks are uniform on the clip and so share the clip's truth.
                truth = generator.integers(0, self.length, size=(shape[0], 1))
                wide = generator.integers(0, self.length, size=shape) - truth
            else:
                wide = draw(self.abandoned_pmf(), shape, generator)
            errors = np.where(gave_up, wide, errors)
        return errors

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain data."""
        return {
            "core": self.family.name,
            "parameters": {k: float(v) for k, v in self.parameters.items()},
            "abandonment": self.way.name,
            "abandonment_rate": float(self.rate),
            "window": self.window,
            "length": self.length,
            "period": self.period,
        }

    def _rates(self) -> tuple[float, float]:
        """Return the probabilities that a rater gives up alone, and that all give up together."""
        return self.way.alone * self.rate, self.way.together * self.rate

    def _mixed(self, core: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
        """Return the law of an error that is abandoned with probability `rate`, on 0, 1, ..."""
        if rate == 0:
            return core
        wide = self.abandoned_pmf()
        half = np.zeros(max(core.size, wide.size))
        half[: core.size] += (1 - rate) * core
        half[: wide.size] += rate * wide
        return half


def mirror(half: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric law on −S..S from its probabilities on 0..S."""
    return np.concatenate([half[:0:-1], half])


def add_centred(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add two arrays of odd length that share their centre."""
    long, short = (a, b) if a.size >= b.size else (b, a)
    total = long.copy()
    start = (long.size - short.size) // 2
    total[start : start + short.size] += short
    return total


def draw(
    half: NDArray[np.float64], shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw from a symmetric law by inversion."""
    cumulative = np.cumsum(mirror(half))
    found = inverted(cumulative, rng.random(shape) * cumulative[-1])
    return np.asarray(found - (half.size - 1), dtype=np.int64)


def inverted(cumulative: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many of the cumulative weights are at most each number from 0 to their total.

    What ``numpy.searchsorted`` finds to the right. Of many numbers nearly all are in one of
    `GUIDES` equal cells that no weight divides, where there is nothing to be searched.
    """
    if at.size < 4 * GUIDES or not cumulative[-1] > 0:
        return np.asarray(np.searchsorted(cumulative, at, side="right"))
    edges = np.arange(GUIDES + 2) * (cumulative[-1] / GUIDES)
    slack = 1e-12 * cumulative[-1]  # whatever rounding does, a number is between its cell's edges
    low = np.searchsorted(cumulative, edges[:-1] - slack, side="right")
    high = np.searchsorted(cumulative, edges[1:] + slack, side="right")
    cell = (at * (GUIDES / cumulative[-1])).astype(np.int64)
    found: NDArray[np.int64] = low[cell]
    divided = np.nonzero((low != high)[cell])
    found[divided] = np.searchsorted(cumulative, at[divided], side="right")
    return np.asarray(found)


def find_support(
    family: Family, theta: NDArray[np.float64], *, tail: float = TAIL, cap: int = SUPPORT_CAP
) -> int:
    """Return the smallest S beyond which less than `tail` of the mass lies, at most `cap`."""
    if family.tail_index >= 0:  # a power tail never gets light
        return cap
    reach = 16
    while True:
        reach = min(reach, cap)
        p = family.pmf(theta, reach)
        beyond = 2 * np.cumsum(p[::-1])[::-1]
        inside = np.flatnonzero(beyond < tail)
        # The last weight must be small against the tolerance, else the sum is cut short.
        if inside.size and p[-1] * reach < tail:
            return max(int(inside[0]), 1)
        if reach == cap:
            return cap
        reach *= 2
