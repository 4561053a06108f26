"""NoiseModel: the law of one annotator's error, a core plus rare abandonment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_choice, check_count, check_number
from annostat.noise.families import Family, get_family
from annostat.noise.kernels.law import pair_law
from annostat.resampling.generators import Rng, as_generator

__all__ = ["ABANDONMENT", "NoiseModel"]

ABANDONMENT = ("none", "independent", "shared")
TAIL = 1e-16  # mass beyond the support, both sides together
SUPPORT_CAP = 4096  # reached by power tails only; what is beyond stays missing


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
    abandonment : {"none", "independent", "shared"}
        Whether raters give up independently, or all raters of an item together.
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
    abandonment: str = "none"
    abandonment_rate: float = 0.0
    window: int | None = None
    length: int | None = None
    period: float = 1.0
    family: Family = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        family = get_family(self.core)
        object.__setattr__(self, "family", family)
        check_choice("abandonment", self.abandonment, ABANDONMENT)
        check_number("abandonment_rate", self.abandonment_rate, low=0.0, high=1.0)
        names = [p.name for p in family.parameters]
        if set(names) != set(self.parameters):
            raise AnnostatError(
                f"{family.name} has the parameters {', '.join(names)}, got "
                f"{', '.join(self.parameters) or 'none'}"
            )
        for p in family.parameters:
            check_number(p.name, self.parameters[p.name], low=0.0, open_ends=True)
        if self.abandonment != "none" and self.window is None and self.length is None:
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
        return 0.0 if self.abandonment == "none" else self.abandonment_rate

    def noise_pmf(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the errors x, int64 of shape (2M + 1,), and their probabilities."""
        half = self._half_pmf(self.core_pmf)
        return np.arange(1 - half.size, half.size), mirror(half)

    def difference_pmf(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the differences d of two rounds and their probabilities, d = −2M..2M.

        q(d) = Σ f(x) f(x + d); with shared abandonment (1−ε)·core⋆core + ε·U⋆U.
        """
        core, wide = mirror(self.core_pmf), mirror(self.abandoned_pmf())
        if self.abandonment == "shared":
            q = (1 - self.rate) * np.convolve(core, core)
            both = wide if self.length is not None else np.convolve(wide, wide)
            q = add_centred(q, self.rate * both)
        else:
            f = mirror(self._half_pmf(self.core_pmf))
            q = np.convolve(f, f)
            if self.length is not None:
                q = add_centred(q, self.rate**2 * wide)
                q = add_centred(q, -(self.rate**2) * np.convolve(wide, wide))
        half = (q.size - 1) // 2
        return np.arange(-half, half + 1), q

    def difference_counts_law(
        self, widest: int, *, support: int | None = None
    ) -> NDArray[np.float64]:
        """Return the probabilities of |d| = 0..widest, both signs together.

        With `support`, the core is cut off there: cheaper, for fits that are repeated.
        """
        half = self.core_pmf if support is None else self.family.pmf(self.theta, support)
        core, wide = mirror(half), mirror(self.abandoned_pmf())
        if self.rate == 0:
            q = pair_law(core, widest)
        elif self.abandonment == "shared":
            both = self.abandoned_pmf() if self.length is not None else pair_law(wide, widest)
            q = (1 - self.rate) * pair_law(core, widest)
            q[: both.size] += self.rate * both[: widest + 1]
        else:
            q = pair_law(mirror(self._half_pmf(half)), widest)
            if self.length is not None:
                both = self.abandoned_pmf()[: widest + 1]
                q[: both.size] += self.rate**2 * both
                q -= self.rate**2 * pair_law(wide, widest)
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
        return (1 - self.rate) * self.core_mae + self.rate * wide

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
            flags = (shape[0], 1) if self.abandonment == "shared" else shape
            gave_up = generator.random(flags) < self.rate
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
            "abandonment": self.abandonment,
            "abandonment_rate": float(self.rate),
            "window": self.window,
            "length": self.length,
            "period": self.period,
        }

    def _half_pmf(self, core: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.rate == 0:
            return core
        wide = self.abandoned_pmf()
        half = np.zeros(max(core.size, wide.size))
        half[: core.size] += (1 - self.rate) * core
        half[: wide.size] += self.rate * wide
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
    found = np.searchsorted(cumulative, rng.random(shape) * cumulative[-1], side="right")
    return np.asarray(found - (half.size - 1), dtype=np.int64)


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
