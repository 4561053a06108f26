r"""Forms of σ²(y), the noise variance as a function of the value, fitted by quasi-likelihood.

An item with ν_i + 1 labels and their variance s_i² says of μ_i = σ²(m_i), m_i being the mean of its
labels, −½·ν_i·(log μ_i + s_i²/μ_i): the gamma quasi-likelihood, exact for Gaussian noise, and a
weighted moment method for any other (McCullagh & Nelder 1989, section 9).

    constant       μ = a²
    proportional   μ = b²·m²
    two-component  μ = a² + b²·m²               (Rocke & Lorenzato 1995)
    power          μ = c·m^(2p)
    smooth         log μ a natural cubic spline in log m, knots at the 10, 50 and 90% quantiles

Values that are not all positive have no proportional form, and powers and splines are in m itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray

FORMS = ("constant", "proportional", "two-component", "power", "smooth")
KNOTS = (0.1, 0.5, 0.9)
TINY, NONE = 1e-100, 1e-12


@dataclass(frozen=True, eq=False)
class Spread:
    """What the items say: variances on ν degrees of freedom at means, and which unit they are of.

    Attributes
    ----------
    mean, square, freedom : float64 arrays of shape (n_items,)
        Means and values in units of `scale`, variances in its square.
    units : int64 array of shape (n_items,)
    positive : bool
        Whether all labels are above 0.
    scale : float
    """

    mean: FloatArray
    square: FloatArray
    freedom: FloatArray
    units: NDArray[np.int64]
    positive: bool
    scale: float

    @property
    def n_units(self) -> int:
        """Number of independent units."""
        return int(self.units.max()) + 1

    @cached_property
    def log_density_slopes(self) -> tuple[FloatArray, FloatArray] | None:
        """A grid and (log f)' on it, f being the density of the means, or of their logarithms.

        By a Gaussian kernel; None if all are equal.
        """
        x = np.log(self.mean) if self.positive else self.mean
        width = 1.3 * float(np.std(x)) * len(x) ** (-1 / 7)
        if width <= 0:
            return None
        grid = np.linspace(x.min() - 3 * width, x.max() + 3 * width, 801)
        place = np.clip(((x - grid[0]) / (grid[1] - grid[0])).astype(np.int64), 0, 799)
        counts = np.bincount(place, minlength=801).astype(float)
        u = np.arange(-800, 801) * ((grid[1] - grid[0]) / width)  # of all two points of the grid
        kernel = np.exp(-(u**2) / 2)
        density = np.convolve(kernel, counts, "valid")
        slopes = np.convolve(-u / width * kernel, counts, "valid")
        return grid, slopes / np.maximum(density, 1e-300)


@dataclass(frozen=True, eq=False)
class FormFit:
    """One fitted form.

    Attributes
    ----------
    name : str
    parameters : float64 array of shape (p,)
        a²; b²; (a², b²); or coefficients of log μ on the basis.
    knots : float64 array
        Of the spline, empty for the others.
    quasi : float
        Quasi-log-likelihood.
    inverse, sandwich : float64 arrays of shape (p, p)
        Covariances of the parameters for Gaussian noise, and robust over units.
    positive : bool
    """

    name: str
    parameters: FloatArray
    knots: FloatArray
    quasi: float
    inverse: FloatArray
    sandwich: FloatArray
    positive: bool

    def variance(self, y: FloatArray) -> FloatArray:
        """Return σ² at values, in the units of `Spread`."""
        if self.name in ("power", "smooth"):
            eta = basis(y, self.knots, self.positive) @ self.parameters
            return np.asarray(np.exp(np.clip(eta, -150.0, 150.0)))
        return np.asarray(_linear(y, self.name) @ self.parameters)

    def slopes(self, y: FloatArray) -> FloatArray:
        """Return ∂log σ²/∂parameters at values, shape (n, p)."""
        if self.name in ("power", "smooth"):
            return basis(y, self.knots, self.positive)
        # A value of 0 has no noise in proportion, and no slope to speak of.
        mu = self.variance(y)
        return np.asarray(_linear(y, self.name) / np.maximum(mu, NONE * mu.max() + TINY)[:, None])

    def log_error(self, slope: FloatArray, dispersion: float) -> FloatArray:
        """Return the standard error of a log variance with that slope by the parameters.

        The larger of the robust one and of the Gaussian one times the dispersion.
        """
        robust = np.einsum("...i,ij,...j->...", slope, self.sandwich, slope)
        model = dispersion * np.einsum("...i,ij,...j->...", slope, self.inverse, slope)
        return np.asarray(np.sqrt(np.maximum(np.maximum(robust, model), 0.0)))


def fit_form(name: str, data: Spread) -> FormFit:
    """Return a form fitted to items, some of which differ."""
    y, s, w = data.mean, data.square, data.freedom
    knots: FloatArray = np.zeros(0)
    if name in ("power", "smooth"):
        if name == "smooth":
            knots = np.quantile(_abscissa(y, data.positive), KNOTS)
        theta = _log_linear(basis(y, knots, data.positive), s, w)
    elif name == "two-component":
        theta = _two(y, s, w)
    else:
        column = _linear(y, name)[:, 0]
        theta = np.array([np.sum(w * s / column) / np.sum(w)])
    rough = FormFit(name, theta, knots, 0.0, np.zeros((0, 0)), np.zeros((0, 0)), data.positive)
    mu = np.maximum(rough.variance(y), TINY)
    jacobian = rough.slopes(y)
    # A component that is estimated as 0 has no slope to speak of: it is left as it is.
    live = theta > 0 if name == "two-component" else np.ones(len(theta), dtype=bool)
    information = (jacobian * w[:, None]).T @ jacobian / 2
    inverse = np.zeros((len(theta), len(theta)))
    inverse[np.ix_(live, live)] = np.linalg.pinv(information[np.ix_(live, live)])
    score = (w / 2 * (s / mu - 1))[:, None] * jacobian
    total = np.zeros((data.n_units, len(theta)))
    np.add.at(total, data.units, score)
    n = data.n_units
    sandwich = inverse @ (n / max(n - 1, 1) * total.T @ total) @ inverse
    quasi = -float(np.sum(w * (np.log(mu) + s / mu))) / 2
    return FormFit(name, theta, knots, quasi, inverse, sandwich, data.positive)


def basis(y: FloatArray, knots: FloatArray, positive: bool) -> FloatArray:
    """Return 1, x and, with three knots, the natural spline's bend; x is log y or y itself."""
    x = _abscissa(y, positive)
    columns = [np.ones_like(x), x]
    if knots.size:
        a, b, c = knots

        def cube(t: float) -> FloatArray:
            return np.asarray(np.maximum(x - t, 0.0) ** 3)

        bend = (cube(a) - cube(c)) / (c - a) - (cube(b) - cube(c)) / (c - b)
        columns.append(bend / (c - a) ** 2)
    return np.column_stack(columns)


def _abscissa(y: FloatArray, positive: bool) -> FloatArray:
    return np.asarray(np.log(np.maximum(y, TINY)) if positive else y)


def _linear(y: FloatArray, name: str) -> FloatArray:
    columns = {"constant": [np.ones_like(y)], "proportional": [y * y]}
    return np.column_stack(columns.get(name, [np.ones_like(y), y * y]))


def _log_linear(x: FloatArray, s: FloatArray, w: FloatArray) -> FloatArray:
    """Return the coefficients of log μ: the quasi-likelihood is concave in them (Newton)."""
    theta = np.zeros(x.shape[1])
    theta[0] = math.log(max(float(np.sum(w * s) / np.sum(w)), TINY))

    def value(t: FloatArray) -> float:
        eta = np.clip(x @ t, -600.0, 600.0)
        return float(np.sum(w * (eta + s * np.exp(-eta)))) / 2

    best = value(theta)
    for _ in range(100):
        eta = np.clip(x @ theta, -600.0, 600.0)
        pull = s * np.exp(-eta)
        gradient = x.T @ (w * (1 - pull)) / 2
        curve = (x * (w * np.maximum(pull, 1e-3))[:, None]).T @ x / 2
        step = np.linalg.lstsq(curve, gradient, rcond=None)[0]
        size = 1.0
        while size > 1e-8 and not value(theta - size * step) <= best + 1e-12 * abs(best):
            size /= 2
        theta = theta - size * step
        best = value(theta)
        if size * np.abs(step).max() < 1e-12 * (1 + np.abs(theta).max()):
            break
    return theta


def _two(y: FloatArray, s: FloatArray, w: FloatArray) -> FloatArray:
    """Return (a², b²), neither negative: the share of a² is searched, their sum is closed."""
    middle = float(np.mean(y * y))

    def at(share: float) -> tuple[float, float]:
        shape = np.maximum(share + (1 - share) * y * y / middle, TINY)
        size = float(np.sum(w * s / shape) / np.sum(w))
        return float(np.sum(w * np.log(shape * max(size, TINY)))), size

    grid = np.concatenate(
        [[0.0], np.geomspace(1e-4, 0.5, 40), 1 - np.geomspace(0.5, 1e-4, 40), [1]]
    )
    values = [at(float(g))[0] for g in grid]
    i = int(np.argmin(values))
    low, high = float(grid[max(i - 1, 0)]), float(grid[min(i + 1, len(grid) - 1)])
    bend = 1 - y * y / middle

    def slope(share: float) -> float:
        shape = np.maximum(share + (1 - share) * y * y / middle, TINY)
        pull = w * s / shape
        return float(
            np.sum(w * bend / shape) - np.sum(w) * np.sum(pull * bend / shape) / np.sum(pull)
        )

    share = float(grid[i])
    if slope(low) < 0 < slope(high):
        from scipy.optimize import brentq  # as in `location_scale`

        share = float(brentq(slope, low, high, xtol=1e-15))
    size = at(share)[1]
    return np.array([share * size, (1 - share) * size / middle])
