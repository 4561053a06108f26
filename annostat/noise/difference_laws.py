r"""Symmetric laws of an error X with E|X| = 1, and those of the difference D of two such errors.

Four families, each a grid of shapes: exponential power (from heavier than Laplace, by Gauss, to
the uniform limit), Student t, logistic, and a core with rare give-ups (a uniform law far wider
than the core). For each, log q(e^t) is tabulated on a lattice of t = log d, q being the density of
D, so that the likelihood of all shapes at all scales is one cross-correlation with the counts of
log |d|: its cost does not depend on the number of items.

    q(d) = 2·∫_0^{d/2} f(x)·f(d − x) dx + 2·∫_0^∞ f(x)·f(x + d) dx

Both by double-exponential quadrature (Takahasi & Mori 1974); a core with give-ups is closed given
those of the core, (1−ε)²·q_cc + 2ε(1−ε)·[F(d + w) − F(d − w)]/(2w) + ε²·q_ww.

Integrating takes longer than all else that a short command does, so the integrals are in a file:
``np.save(FILE, integrated())`` makes it anew, after any change of the laws below.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from annostat.arrays import FloatArray

Density = Callable[[FloatArray], FloatArray]
STEP, REACH = 0.01, 900  # lattice of log d: 2·REACH + 1 points
COARSE, LEAST = 0.03, -700.0  # step of the quadratures; least log density
FAMILIES = {"exponential power": 2, "Student t": 2, "logistic": 1, "core with give-ups": 4}
UNIFORM = "uniform"
POWERS = np.geomspace(0.6, 18.0, 36)
FREEDOMS = np.concatenate([np.geomspace(2.1, 8.0, 16), np.geomspace(9.0, 30.0, 8)])
CORES, WIDE, RARE = (1.0, 1.5, 2.0), (4.0, 8.0, 16.0, 32.0, 64.0), (0.001, 0.004, 0.015, 0.04, 0.12)
NODES_H, INNER_H = 0.03, 0.06
FILE = Path(__file__).with_name("difference_laws.npy")


@dataclass(frozen=True, eq=False)
class Law:
    """One law of X with E|X| = 1.

    Attributes
    ----------
    family, shape : str
        Name of the family, and the shape in words.
    nodes, weights : float64 arrays
        Quadrature of the law of |X|; the weights sum to 1 − `rate`.
    rate, half_width : float
        Share and half-width of the uniform part, 0 where there is none.
    """

    family: str
    shape: str
    nodes: FloatArray
    weights: FloatArray
    rate: float = 0.0
    half_width: float = 1.0

    @property
    def sd(self) -> float:
        """SD of X, from three degrees of freedom on."""
        wide = self.rate * self.half_width**2 / 3
        return math.sqrt(float(self.weights @ self.nodes**2) + wide)

    def shifted(self, delta: ArrayLike) -> FloatArray:
        """Return E|X + δ| = E max(|X|, |δ|), δ in units of E|X|, for each δ."""
        d = np.abs(np.asarray(delta, dtype=np.float64))
        found = np.maximum(self.nodes, d[..., None]) @ self.weights
        if self.rate:
            w = self.half_width
            found = found + self.rate * np.where(d >= w, d, (w * w + d * d) / (2 * w))
        return np.asarray(found)


@dataclass(frozen=True, eq=False)
class Table:
    """All laws, with their log densities of D on the lattice of log d.

    Attributes
    ----------
    laws : tuple of Law
    family : int64 array of shape (n_laws,)
        Index into `FAMILIES`.
    log_density : float64 array of shape (n_laws, 2·REACH + 1)
    heavy, light : bool arrays of shape (n_laws,)
        Laws whose squares have no variance (t with at most 4 degrees of freedom), and those with
        tails no heavier than Laplace's or than t's with 6.
    """

    laws: tuple[Law, ...]
    family: NDArray[np.int64]
    log_density: FloatArray
    heavy: NDArray[np.bool_]
    light: NDArray[np.bool_]

    def cumulative(self, row: int) -> FloatArray:
        """Return P(|D| ≤ e^t) on the lattice of one law."""
        t = lattice()
        mass = np.exp(np.maximum(self.log_density[row] + t, LEAST)) * 2
        steps = (mass[1:] + mass[:-1]) / 2 * STEP
        # Below the lattice the density is flat.
        found = mass[0] + np.concatenate([[0.0], np.cumsum(steps)])
        return np.asarray(found / found[-1])


def lattice() -> FloatArray:
    """Return the lattice of log d."""
    return np.asarray(np.arange(-REACH, REACH + 1) * STEP, dtype=np.float64)


@functools.lru_cache(maxsize=1)
def table() -> Table:
    """Return the table, made once in a process."""
    densities = iter(np.load(FILE, allow_pickle=False))
    fine = lattice()
    laws, rows = [], []
    for power in POWERS:
        nodes, weights = nodes_of(exponential_power(float(power)))
        rows.append(_at(next(densities), fine))
        laws.append(Law("exponential power", f"power {power:.3g}", nodes, weights))
    d = np.exp(fine)
    rows.append(np.log(np.maximum((4 - d) / 16, 1e-300)).clip(LEAST))
    x = (np.arange(400) + 0.5) / 200
    laws.append(Law("exponential power", UNIFORM, x, np.full(400, 1 / 400)))
    for freedom in FREEDOMS:
        nodes, weights = nodes_of(student(float(freedom)))
        rows.append(_at(next(densities), fine))
        laws.append(Law("Student t", f"{freedom:.3g} degrees of freedom", nodes, weights))
    nodes, weights = nodes_of(logistic)
    rows.append(_at(next(densities), fine))
    laws.append(Law("logistic", "", nodes, weights))
    for power in CORES:
        nodes, weights = nodes_of(exponential_power(power))
        core = next(densities)
        for wide in WIDE:
            for rate in RARE:
                total = 1 - rate + rate * wide  # E|X| in units of the core's
                shape = f"core of power {power:g}, {100 * rate:g}% give-ups {wide:g} times as far"
                rows.append(_with_give_ups(core, power, rate, 2 * wide, total, fine))
                laws.append(
                    Law(
                        "core with give-ups",
                        shape,
                        nodes / total,
                        weights * (1 - rate),
                        rate,
                        2 * wide / total,
                    )
                )
    names = list(FAMILIES)
    family = np.array([names.index(law.family) for law in laws])
    # In the order in which they were made: powers, the uniform law, t, and the others.
    first = len(POWERS) + 1
    heavy, light = np.zeros((2, len(laws)), dtype=bool)
    heavy[first : first + len(FREEDOMS)] = FREEDOMS <= 4
    light[: first - 1] = POWERS >= 1
    light[first - 1] = True
    light[first : first + len(FREEDOMS)] = FREEDOMS >= 6
    light[first + len(FREEDOMS)] = True  # logistic
    return Table(tuple(laws), family, np.array(rows), heavy, light)


def integrated() -> FloatArray:
    """Return log q(d) of each law that has to be integrated, on a coarse lattice of log d.

    Exponential powers, t, the logistic law and the cores, in their order; shape (64, 601).
    """
    d = np.exp(np.arange(-REACH * STEP, REACH * STEP + COARSE / 2, COARSE))
    powers = [exponential_power(float(power)) for power in POWERS]
    ts = [student(float(freedom)) for freedom in FREEDOMS]
    cores = [exponential_power(power) for power in CORES]
    found = [difference_density(f, *nodes_of(f), d) for f in (*powers, *ts, logistic, *cores)]
    return np.array(found)


def exponential_power(power: float) -> Density:
    """Return the density exp(−|x/a|^β)/c with E|X| = 1."""
    a = float(special.gamma(1 / power) / special.gamma(2 / power))
    height = power / (2 * a * float(special.gamma(1 / power)))
    return lambda x: np.asarray(height * np.exp(-((np.abs(x) / a) ** power)))


def exponential_power_cdf(power: float, x: FloatArray) -> FloatArray:
    """Return P(X ≤ x) of that law."""
    a = float(special.gamma(1 / power) / special.gamma(2 / power))
    tail = special.gammaincc(1 / power, (np.abs(x) / a) ** power) / 2
    return np.asarray(np.where(x > 0, 1 - tail, tail))


def student(freedom: float) -> Density:
    """Return the density of Student's t with E|X| = 1."""
    log_beta = float(special.gammaln((freedom + 1) / 2) - special.gammaln(freedom / 2))
    mean = 2 * math.sqrt(freedom / math.pi) * math.exp(log_beta) / (freedom - 1)
    height = math.exp(log_beta) / math.sqrt(freedom * math.pi) * mean
    half = -(freedom + 1) / 2
    return lambda x: np.asarray(height * np.exp(half * np.log1p((mean * x) ** 2 / freedom)))


def logistic(x: FloatArray) -> FloatArray:
    """Return the logistic density with E|X| = 1."""
    s = 1 / (2 * math.log(2))
    e = np.exp(-np.abs(x) / s)
    return np.asarray(e / (s * (1 + e) ** 2))


def nodes_of(f: Density) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights of the law of |X|, the weights summing to 1."""
    w = np.arange(-2.9, 2.8, NODES_H)
    x = np.exp(np.pi / 2 * np.sinh(w))
    weights = 2 * f(x) * x * (np.pi / 2) * np.cosh(w) * NODES_H
    kept = weights > 1e-18
    return x[kept], weights[kept] / weights[kept].sum()


def difference_density(
    f: Density, nodes: FloatArray, weights: FloatArray, d: FloatArray
) -> FloatArray:
    """Return log q(d) for d > 0, at least `LEAST`."""
    w = np.arange(-3.2, 3.2, INNER_H)
    sinh = np.pi / 2 * np.sinh(w)
    s = 1 / (1 + np.exp(-2 * sinh))
    inner = np.pi / 2 * np.cosh(w) / (2 * np.cosh(sinh) ** 2) * INNER_H
    x = d[:, None] / 2 * s
    near = (f(x) * f(d[:, None] - x)) @ inner * d  # 2·(d/2)
    far = f(nodes + d[:, None]) @ weights  # the weights are those of both sides
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(np.log(near + far), LEAST))


def _at(values: FloatArray, at: FloatArray) -> FloatArray:
    """Return what is tabulated on the coarse lattice at other points, by Lagrange's cubic."""
    place = (at + REACH * STEP) / COARSE
    i = np.clip(np.floor(place).astype(np.int64), 1, len(values) - 3)
    u = place - i
    found = (
        -u * (u - 1) * (u - 2) / 6 * values[i - 1]
        + (u + 1) * (u - 1) * (u - 2) / 2 * values[i]
        - (u + 1) * u * (u - 2) / 2 * values[i + 1]
        + (u + 1) * u * (u - 1) / 6 * values[i + 2]
    )
    return np.asarray(np.maximum(found, LEAST))


def _with_give_ups(
    core: FloatArray, power: float, rate: float, w: float, total: float, fine: FloatArray
) -> FloatArray:
    d = np.exp(fine) * total
    inside = np.clip(fine + math.log(total), -REACH * STEP, REACH * STEP)
    both = np.exp(_at(core, inside))
    one = (exponential_power_cdf(power, d + w) - exponential_power_cdf(power, d - w)) / (2 * w)
    none = np.maximum(2 * w - d, 0.0) / (4 * w * w)
    q = (1 - rate) ** 2 * both + 2 * rate * (1 - rate) * one + rate**2 * none
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(np.log(q * total), LEAST))
