"""How concentrated the loss of pure noise is, for a given law of one annotation's error.

Closed forms for Gaussian, Laplace and uniform errors and mixtures of Gaussians; sums for every
`NoiseModel`. Shares are free of scale, so a law's shape is all that matters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import integrate, optimize, special

from annostat.arrays import FloatArray
from annostat.concentration.curve import Curve
from annostat.errors import AnnostatError, check_choice, check_number, check_numbers
from annostat.noise.model import NoiseModel

SHAPES = ("gaussian", "laplace", "uniform")
STEPS = 24.0  # lattice steps in the SD of a continuous law that is simulated


@dataclass(frozen=True)
class Gaussians:
    """A mixture of Gaussian errors of mean zero.

    Parameters
    ----------
    weights, sds : sequence of float
        Share and standard deviation of each component; the shares sum to 1.

    Examples
    --------
    >>> mixture = Gaussians((0.9, 0.1), (1.0, 3.0))
    >>> round(float(law_share(mixture, 0.15)), 3)
    0.702
    """

    weights: Sequence[float]
    sds: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.sds) or not self.weights:
            raise AnnostatError("a mixture needs one standard deviation for each weight")
        for value in (*self.weights, *self.sds):
            check_number(
                "a weight or standard deviation of a mixture", value, low=0.0, open_ends=True
            )
        if abs(sum(self.weights) - 1) > 1e-9:
            raise AnnostatError(f"the weights of a mixture must sum to 1, got {sum(self.weights)}")


Law = str | Gaussians | NoiseModel


def law_share(law: Law, p: ArrayLike, *, loss: str = "squared") -> FloatArray:
    """Return the share of the total loss in the worst fraction p of pure noise.

    Parameters
    ----------
    law : {"gaussian", "laplace", "uniform"}, Gaussians or NoiseModel
        Law of one error.
    p : array-like of float in [0, 1]
    loss : {"squared", "absolute"}

    Returns
    -------
    float64 array of the shape of p

    Notes
    -----
    With t the point that X² exceeds with probability p, and Q_k the survival function of χ²_k:
    Gaussian Q_3(t) and, for absolute errors, exp(−t/2); Laplace p(1 − ln p + ½ln²p) and
    p(1 − ln p); uniform 1 − (1 − p)³ and 1 − (1 − p)²; mixtures Σπσ²Q_3(t/σ²)/Σπσ² and
    Σπσ·exp(−t/2σ²)/Σπσ with Σπ·Q_1(t/σ²) = p.

    Raises
    ------
    AnnostatError
        If the law or the loss is unknown or p is not a fraction.

    Examples
    --------
    >>> [round(float(law_share(law, 0.15)), 3) for law in ("gaussian", "laplace", "uniform")]
    [0.558, 0.704, 0.386]
    """
    check_choice("loss", loss, ("squared", "absolute"))
    at = check_numbers("p", p)
    if not ((at >= 0) & (at <= 1)).all():
        raise AnnostatError(f"p must be fractions in [0, 1], got {p!r}")
    if isinstance(law, NoiseModel):
        return Lattice.of(law).curve(loss).share(at)
    squared = loss == "squared"
    if isinstance(law, Gaussians):
        flat = np.array([_mixture_share(law, float(v), squared) for v in at.ravel()])
        return flat.reshape(at.shape)
    check_choice("law", law, SHAPES)
    if law == "uniform":
        return np.asarray(1 - (1 - at) ** (3 if squared else 2))
    if law == "laplace":
        log = np.log(np.where(at > 0, at, 1.0))
        return np.asarray(at * (1 - log + (log**2 / 2 if squared else 0.0)))
    t = special.chdtri(1, at)
    return np.asarray(special.chdtrc(3, t) if squared else np.exp(-t / 2))


def law_gini(law: Law, *, loss: str = "squared") -> float:
    """Return the Gini of the loss of pure noise: 2/π, ¾, ½ for squared Gaussian, Laplace, uniform.

    For absolute errors √2 − 1, ½ and ⅓; mixtures by quadrature of `law_share`, a `NoiseModel` by
    its sums. Parameters as in `law_share`.

    Examples
    --------
    >>> round(law_gini("gaussian"), 4), law_gini("laplace"), law_gini("uniform")
    (0.6366, 0.75, 0.5)
    """
    squared = check_choice("loss", loss, ("squared", "absolute")) == "squared"
    if isinstance(law, NoiseModel):
        return Lattice.of(law).curve(loss).gini
    if isinstance(law, Gaussians):
        area = integrate.quad(lambda p: _mixture_share(law, p, squared), 0, 1, epsabs=1e-10)[0]
        return float(2 * area - 1)
    check_choice("law", law, SHAPES)
    known = {
        "gaussian": (2 / math.pi, math.sqrt(2) - 1),
        "laplace": (0.75, 0.5),
        "uniform": (0.5, 1 / 3),
    }
    return known[law][0 if squared else 1]


def law_half(law: Law, *, loss: str = "squared") -> float:
    """Return the fraction of pure noise that holds half of its loss."""
    if isinstance(law, NoiseModel):
        return Lattice.of(law).curve(loss).fraction(0.5)
    return float(
        optimize.brentq(lambda p: float(law_share(law, p, loss=loss)) - 0.5, 0.0, 1.0, xtol=1e-12)
    )


def _mixture_share(law: Gaussians, p: float, squared: bool) -> float:
    if p in (0.0, 1.0):
        return p
    weights, sds = np.array(law.weights, float), np.array(law.sds, float)
    top = float(sds.max())
    widest = 2 * top * math.sqrt(float(special.chdtri(1, p * 1e-3)))

    def beyond(x: float) -> float:
        return float(weights @ special.erfc(x / (sds * math.sqrt(2)))) - p

    x = optimize.brentq(beyond, 0.0, widest, xtol=1e-13 * top)
    t = (x / sds) ** 2
    if squared:
        v = weights * sds**2
        return float(v @ special.chdtrc(3, t) / v.sum())
    v = weights * sds
    return float(v @ np.exp(-t / 2) / v.sum())


@dataclass(frozen=True, eq=False)
class Lattice:
    """The law of |X| on whole steps 0, 1, ..., S: what is summed and simulated.

    Attributes
    ----------
    pmf : float64 array of shape (S + 1,)
        Probabilities of |x|, both signs together.
    """

    pmf: FloatArray

    @classmethod
    def of(cls, law: Law) -> Lattice:
        """Return the lattice of a law; continuous ones are rounded to steps fine enough."""
        if isinstance(law, NoiseModel):
            x, f = law.noise_pmf()
            half = f[x >= 0]
        elif isinstance(law, Gaussians):
            low = min(law.sds)
            parts = [
                w * Lattice.of(NoiseModel("gaussian", {"sd": STEPS * s / low})).pmf
                for w, s in zip(law.weights, law.sds, strict=True)
            ]
            half = np.zeros(max(part.size for part in parts))
            for part in parts:
                half[: part.size] += part
            return cls(half / half.sum())
        else:
            known = {
                "gaussian": ("gaussian", {"sd": STEPS}),
                "laplace": ("rounded-laplace", {"scale": STEPS / math.sqrt(2)}),
                "uniform": ("uniform", {"half_width": 4 * STEPS}),
            }
            return cls.of(NoiseModel(*known[law]))
        return cls.of_half(half)

    @classmethod
    def of_half(cls, half: FloatArray) -> Lattice:
        """Return the lattice of the probabilities of x = 0, 1, ..., S of a symmetric law."""
        both = half.copy()
        both[1:] *= 2
        return cls(both / both.sum())

    def curve(self, loss: str) -> Curve:
        """Return the concentration curve of the law."""
        seen = self.pmf > 0
        return Curve.of(step_losses(self.pmf.size, loss)[seen], self.pmf[seen])


def step_losses(size: int, loss: str) -> FloatArray:
    """Return the losses of |x| = 0, 1, ..., size − 1."""
    x = np.arange(size, dtype=np.float64)
    return x**2 if loss == "squared" else x
