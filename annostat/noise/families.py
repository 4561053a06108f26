"""The laws of one annotator's error on whole frames, each declared once.

A family is a name, its parameters, and one `fill` function that writes the weights w(0..S) of the
symmetric law and their derivatives. Everything else (pmf, difference pmf, moments, gradient,
sampling, the choices of the command line, the table in the docs, the contract tests) follows.

The first parameter of every family is a scale in the unit of the errors, so that a law in
milliseconds becomes the law in frames of a clip by dividing the scale by the clip's period.
"Rounded" families are P(x − ½ < T ≤ x + ½) of a continuous law T; "discrete" ones are weights on
the whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_choice
from annostat.jit import first_class
from annostat.noise.kernels.law import digamma
from annostat.noise.kernels.types import FILL, call_fill

__all__ = ["FAMILIES", "Family", "Parameter", "get_family"]

Fill = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], None]


@dataclass(frozen=True)
class Parameter:
    """A positive parameter: its name, its domain, and the range that tests draw from."""

    name: str
    low: float
    high: float
    typical: tuple[float, float]
    meaning: str = ""


@dataclass(frozen=True, eq=False)
class Family:
    """One family of symmetric laws on the whole numbers.

    Attributes
    ----------
    name, label : str
        Identifier, and the words for a plot.
    formula : str
        Weight of x ≥ 0, for the docs.
    parameters : tuple of Parameter
        The first one is the scale.
    fill : callable
        ``fill(theta, w, dw)`` writes w[x] for x = 0..S and dw[j, x] = ∂w[x]/∂theta[j]. Written
        in the subset of Python that numba compiles.
    normalise : bool
        True if w is a weight to be divided by its sum over −S..S; False if w is the probability
        itself, so that what lies beyond S stays missing.
    tail_index : int
        Position of the parameter that is the exponent of a power tail, or −1.
    log_concave : bool
        True if every member is log-concave, at least up to the rounding to whole frames.
    kinked : bool
        True if the likelihood has corners, so that fits start from several scales.
    """

    name: str
    label: str
    formula: str
    parameters: tuple[Parameter, ...]
    fill: Fill
    normalise: bool = True
    tail_index: int = -1
    log_concave: bool = False
    kinked: bool = False

    @cached_property
    def kernel(self) -> Any:
        """The compiled `fill`; compiled when first used and cached on disk where possible."""
        return first_class(FILL, error_model="numpy")(self.fill)

    def __reduce__(self) -> tuple[Any, ...]:
        # Compiled code stays behind; a registered family is itself again in another process.
        if FAMILIES.get(self.name) is self:
            return get_family, (self.name,)
        return Family, tuple(getattr(self, f.name) for f in fields(self))

    def pmf(self, theta: NDArray[np.float64] | list[float], support: int) -> NDArray[np.float64]:
        """Return the probabilities of x = 0..support, float64 of shape (support + 1,)."""
        w, _ = self.weights(theta, support)
        return w / (w[0] + 2 * w[1:].sum()) if self.normalise else w

    def weights(
        self, theta: NDArray[np.float64] | list[float], support: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return w and dw as `fill` writes them, of shapes (S + 1,) and (n_parameters, S + 1)."""
        parameters = np.asarray(theta, dtype=np.float64)
        if parameters.shape != (len(self.parameters),) or not (parameters > 0).all():
            names = ", ".join(p.name for p in self.parameters)
            raise AnnostatError(f"{self.name} needs positive parameters ({names}), got {theta!r}")
        w = np.zeros(support + 1)
        dw = np.zeros((len(self.parameters), support + 1))
        call_fill(self.kernel, parameters, w, dw)
        return w, dw


def _discrete_laplace(theta, w, dw):  # type: ignore[no-untyped-def]
    b = theta[0]
    p = math.exp(-1.0 / b)
    weight = 1.0
    for x in range(w.size):
        w[x] = weight
        dw[0, x] = weight * x / (b * b)
        weight *= p


def _rounded_laplace(theta, w, dw):  # type: ignore[no-untyped-def]
    b = theta[0]
    left, dleft = 0.5, 0.0
    for x in range(w.size):
        t = x + 0.5
        right = 0.5 * math.exp(-t / b)
        dright = right * t / (b * b)
        w[x] = left - right
        dw[0, x] = dleft - dright
        left, dleft = right, dright
    w[0] *= 2.0
    dw[0, 0] *= 2.0


def _rounded_gaussian(theta, w, dw):  # type: ignore[no-untyped-def]
    s = theta[0]
    left, dleft = 0.5, 0.0
    for x in range(w.size):
        t = (x + 0.5) / s
        right = 0.5 * math.erfc(t / math.sqrt(2.0))
        dright = math.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi) * t / s
        w[x] = left - right
        dw[0, x] = dleft - dright
        left, dleft = right, dright
    w[0] *= 2.0
    dw[0, 0] *= 2.0


def _rounded_logistic(theta, w, dw):  # type: ignore[no-untyped-def]
    s = theta[0]
    left, dleft = 0.5, 0.0
    for x in range(w.size):
        t = (x + 0.5) / s
        decay = math.exp(-t)
        right = decay / (1.0 + decay)
        dright = right / (1.0 + decay) * t / s
        w[x] = left - right
        dw[0, x] = dleft - dright
        left, dleft = right, dright
    w[0] *= 2.0
    dw[0, 0] *= 2.0


def _rounded_triangular(theta, w, dw):  # type: ignore[no-untyped-def]
    a = theta[0]
    left, dleft = 0.5, 0.0
    for x in range(w.size):
        t = x + 0.5
        rest = max(1.0 - t / a, 0.0)
        right = 0.5 * rest * rest
        dright = rest * t / (a * a)
        w[x] = left - right
        dw[0, x] = dleft - dright
        left, dleft = right, dright
    w[0] *= 2.0
    dw[0, 0] *= 2.0


def _rounded_uniform(theta, w, dw):  # type: ignore[no-untyped-def]
    a = theta[0]
    left, dleft = 0.5, 0.0
    for x in range(w.size):
        t = x + 0.5
        right = 0.5 * max(1.0 - t / a, 0.0)
        dright = 0.5 * t / (a * a) if t < a else 0.0
        w[x] = left - right
        dw[0, x] = dleft - dright
        left, dleft = right, dright
    w[0] *= 2.0
    dw[0, 0] *= 2.0


# Gauss-Legendre nodes and weights on (−½, ½), for laws whose distribution function has no
# closed derivative in the shape. The cell at 0, where they may be sharp, is the complement.
# Four nodes do beyond x = 8, where the laws bend little within a cell; an exponential power with a
# steep edge needs 32 in the first two. Power tails bend less and less: three nodes beyond 32 and
# two beyond 256 keep each probability to 1e-12.
_RULES = [np.polynomial.legendre.leggauss(n) for n in (10, 4, 32, 3, 2)]
_NODES, _WEIGHTS = (np.concatenate([rule[i] / 2 for rule in _RULES]) for i in (0, 1))


def _rounded_student_t(theta, w, dw):  # type: ignore[no-untyped-def]
    s, nu = theta[0], theta[1]
    constant = math.exp(math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu))
    constant /= s * math.sqrt(nu * math.pi)
    dconstant = 0.5 * (digamma(0.5 * (nu + 1.0)) - digamma(0.5 * nu) - 1.0 / nu)
    mass, dmass_s, dmass_nu = 0.0, 0.0, 0.0
    last = w.size
    for x in range(1, last + 1):
        total, total_s, total_nu = 0.0, 0.0, 0.0
        first, end = (0, 10) if x <= 8 else (10, 14) if x <= 32 else (46, 49)
        if x > 256:
            first, end = 49, 51
        for i in range(first, end if x < last else first + 1):
            z = (x + _NODES[i]) / s if x < last else (x - 0.5) / s
            q = z * z / nu
            log_term = math.log1p(q)
            density = constant * math.exp(-0.5 * (nu + 1.0) * log_term)
            # One more turn of the loop gives what lies beyond S, as a power tail.
            weight = _WEIGHTS[i] if x < last else (x - 0.5) / nu
            pull = (nu + 1.0) * q / (1.0 + q)
            total += weight * density
            total_s += weight * density * (pull - 1.0) / s
            total_nu += weight * density * (dconstant - 0.5 * log_term + 0.5 * pull / nu)
        if x < last:
            w[x] = total
            dw[0, x] = total_s
            dw[1, x] = total_nu
        else:
            total_nu -= total / nu
        mass += total
        dmass_s += total_s
        dmass_nu += total_nu
    w[0] = 1.0 - 2.0 * mass
    dw[0, 0] = -2.0 * dmass_s
    dw[1, 0] = -2.0 * dmass_nu


def _rounded_exponential_power(theta, w, dw):  # type: ignore[no-untyped-def]
    s, beta = theta[0], theta[1]
    constant = beta / (2.0 * s) / math.exp(math.lgamma(1.0 / beta))
    dconstant = 1.0 / beta + digamma(1.0 / beta) / (beta * beta)
    mass, dmass_s, dmass_beta = 0.0, 0.0, 0.0
    for x in range(1, w.size):
        total, total_s, total_beta = 0.0, 0.0, 0.0
        first, last = (14, 46) if x <= 2 else (0, 10) if x <= 8 else (10, 14)
        for i in range(first, last):
            log_z = math.log((x + _NODES[i]) / s)
            power = math.exp(beta * log_z)
            density = _WEIGHTS[i] * constant * math.exp(-power)
            total += density
            total_s += density * (beta * power - 1.0) / s
            if density > 0.0:
                total_beta += density * (dconstant - power * log_z)
        w[x] = total
        dw[0, x] = total_s
        dw[1, x] = total_beta
        mass += total
        dmass_s += total_s
        dmass_beta += total_beta
    w[0] = 1.0 - 2.0 * mass
    dw[0, 0] = -2.0 * dmass_s
    dw[1, 0] = -2.0 * dmass_beta


def _discrete_gaussian(theta, w, dw):  # type: ignore[no-untyped-def]
    s = theta[0]
    for x in range(w.size):
        square = (x / s) * (x / s)
        w[x] = math.exp(-0.5 * square)
        dw[0, x] = w[x] * square / s


def _skellam(theta, w, dw):  # type: ignore[no-untyped-def]
    # Ratios of Bessel functions I_x(s²) by the backward recurrence, which is stable.
    z = theta[0] * theta[0]
    ratio, dratio = 0.0, 0.0
    for x in range(w.size + 16 + int(12.0 * theta[0]), 0, -1):
        step = 1.0 / (2.0 * x / z + ratio)
        dratio = step * step * (2.0 * x / (z * z) - dratio)
        ratio = step
        if x < w.size:
            w[x] = ratio
            dw[0, x] = dratio
    w[0] = 1.0
    dw[0, 0] = 0.0
    slope = 0.0
    for x in range(1, w.size):
        slope += dw[0, x] / w[x]
        w[x] *= w[x - 1]
        dw[0, x] = w[x] * slope * 2.0 * theta[0]


def _symmetric_nb(theta, w, dw):  # type: ignore[no-untyped-def]
    # Difference of two negative binomials (r, p): from its generating function,
    # (1 + p²) x f(x) = p (x − 1 + r) f(x − 1) + p (x + 1 − r) f(x + 1), solved backwards.
    s, r = theta[0], theta[1]
    v = s * s
    p = v / (v + r + math.sqrt(r * (2.0 * v + r)))
    slope_v = 2.0 * r * (1.0 + p) / (1.0 - p) ** 3
    dp_ds = 2.0 * s / slope_v
    dp_dr = -(v / r) / slope_v
    top = w.size + 16
    ratio = min(p * (1.0 + (r - 1.0) / (top + 1.0)), 0.999999)
    ratio_p, ratio_r = 0.0, 0.0
    for x in range(top, 0, -1):
        bottom = (1.0 + p * p) * x - p * (x + 1.0 - r) * ratio
        bottom_p = 2.0 * p * x - (x + 1.0 - r) * (ratio + p * ratio_p)
        bottom_r = p * ratio - p * (x + 1.0 - r) * ratio_r
        ratio = p * (x - 1.0 + r) / bottom
        ratio_p = (x - 1.0 + r - ratio * bottom_p) / bottom
        ratio_r = (p - ratio * bottom_r) / bottom
        if x < w.size:
            w[x] = ratio
            dw[0, x] = ratio_p
            dw[1, x] = ratio_r
    w[0] = 1.0
    dw[0, 0] = 0.0
    dw[1, 0] = 0.0
    slope_p, slope_r = 0.0, 0.0
    for x in range(1, w.size):
        slope_p += dw[0, x] / w[x]
        slope_r += dw[1, x] / w[x]
        w[x] *= w[x - 1]
        dw[0, x] = w[x] * slope_p * dp_ds
        dw[1, x] = w[x] * (slope_r + slope_p * dp_dr)


_TINY, _HUGE = 0.02, 1e5
_SCALE = Parameter("scale", _TINY, _HUGE, (0.6, 6.0), "scale of the law, in the errors' unit")
_SD = Parameter("sd", _TINY, _HUGE, (0.6, 6.0), "standard deviation")
_WIDTH = Parameter("half_width", 0.5, _HUGE, (1.0, 9.0), "half of the width of the base")

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "laplace",
            "discrete Laplace",
            "exp(−x/scale)",
            (_SCALE,),
            _discrete_laplace,
            log_concave=True,
        ),
        Family(
            "rounded-laplace",
            "rounded Laplace",
            "P(x−½ < T ≤ x+½), T Laplace(scale)",
            (_SCALE,),
            _rounded_laplace,
            normalise=False,
            log_concave=True,
        ),
        Family(
            "gaussian",
            "rounded Gaussian",
            "P(x−½ < T ≤ x+½), T normal(sd)",
            (_SD,),
            _rounded_gaussian,
            normalise=False,
            log_concave=True,
        ),
        Family(
            "logistic",
            "rounded logistic",
            "P(x−½ < T ≤ x+½), T logistic(scale)",
            (_SCALE,),
            _rounded_logistic,
            normalise=False,
            log_concave=True,
        ),
        Family(
            "student-t",
            "rounded Student t",
            "P(x−½ < T ≤ x+½), T = scale · t(df)",
            (_SCALE, Parameter("df", 2.0, 200.0, (2.5, 30.0), "degrees of freedom")),
            _rounded_student_t,
            normalise=False,
            tail_index=1,
        ),
        Family(
            "exponential-power",
            "rounded exponential power",
            "P(x−½ < T ≤ x+½), density of T ∝ exp(−|t/scale|^shape)",
            (_SCALE, Parameter("shape", 0.5, 8.0, (0.7, 4.0), "1 Laplace, 2 Gaussian")),
            _rounded_exponential_power,
            normalise=False,
        ),
        Family(
            "discrete-gaussian",
            "discrete Gaussian",
            "exp(−x²/2scale²)",
            (_SCALE,),
            _discrete_gaussian,
            log_concave=True,
        ),
        Family(
            "skellam",
            "Skellam",
            "difference of two Poisson counts of variance sd²/2",
            (_SD,),
            _skellam,
            log_concave=True,
        ),
        Family(
            "symmetric-nb",
            "symmetric negative binomial",
            "difference of two negative binomials (r, p), 2rp/(1−p)² = sd²",
            (_SD, Parameter("r", 0.05, 1000.0, (0.3, 20.0), "1 Laplace, ∞ Skellam")),
            _symmetric_nb,
        ),
        Family(
            "triangular",
            "rounded triangular",
            "P(x−½ < T ≤ x+½), T triangular(±half_width)",
            (_WIDTH,),
            _rounded_triangular,
            normalise=False,
            log_concave=True,
            kinked=True,
        ),
        Family(
            "uniform",
            "rounded uniform",
            "P(x−½ < T ≤ x+½), T uniform(±half_width)",
            (_WIDTH,),
            _rounded_uniform,
            normalise=False,
            log_concave=True,
            kinked=True,
        ),
    )
}


def get_family(core: str | Family) -> Family:
    """Return a registered family by name; a `Family` of one's own comes back as it is."""
    if isinstance(core, Family):
        return core
    return FAMILIES[check_choice("core", core, tuple(FAMILIES))]
