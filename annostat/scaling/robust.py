"""Huber's loss by reweighting: outlying scores count for less, never for nothing."""

from __future__ import annotations

import math

import numpy as np

from annostat.arrays import FloatArray
from annostat.scaling.laws import Law
from annostat.scaling.solve import TINY, Points, Prior

K = 1.345  # 95% efficiency for Gaussian errors (Huber 1981)


def reweighted(law: Law, kind: type[Law], prior: Prior | None) -> Law:
    """Return the law under Huber's loss, its scale from the median absolute residual.

    The law that comes back holds the points with their final weights: its profiles are those of
    the reweighted least squares.
    """
    points = law.points
    factor = np.ones(points.n)
    for _ in range(50):
        r = residuals(law, points)
        scale = mad_scale(r, law.dof)
        if scale <= math.sqrt(TINY):
            break  # more than half of the points lie on the law
        new = np.minimum(1.0, K * scale / np.maximum(np.abs(r), 1e-300))
        if np.abs(new - factor).max() < 1e-6:
            break
        factor = new
        law = kind(Points(points.v, points.y, points.w * factor), prior=prior, near=law)
    return law


def inflation_of(law: Law, points: Points) -> float:
    """Return by how much reweighted least squares understates the variance of Huber's estimate.

    The variance factor of an M-estimate, Σψ²/ν / mean(ψ')² (Huber 1981, 7.6), over the one that
    least squares with the final weights would give.
    """
    r = residuals(law, points)
    factor = law.points.w / points.w
    huber = float(np.sum((factor * r) ** 2)) / law.dof / max(float((factor >= 1).mean()), 0.1) ** 2
    plain = float(np.sum(factor * r**2)) / law.dof / float(factor.mean())
    return huber / plain if plain > 0 else 1.0


def log_likelihood(law: Law, points: Points, robust: bool) -> float:
    """Return the log-likelihood of log losses at the fit, up to the weights' own constant.

    Gaussian; or, if robust, the density whose likelihood is Huber's loss (Huber 1964), with the
    scale that makes it largest, so that laws can be compared.
    """
    r = residuals(law, points)
    n = points.n
    scale = math.sqrt(max(float(r @ r) / n, TINY))
    if not robust:
        return -n * (math.log(scale) + 0.5 * math.log(2 * math.pi) + 0.5)
    for _ in range(100):  # the score equation of the scale: Σ r ψ(r/s)/s = n
        u = np.abs(r) / scale
        new = scale * math.sqrt(max(float(np.sum(np.where(u <= K, u * u, K * u))) / n, TINY))
        if abs(new / scale - 1) < 1e-12:
            break
        scale = max(new, math.sqrt(TINY))
    u = np.abs(r) / scale
    rho = float(np.sum(np.where(u <= K, 0.5 * u * u, K * u - 0.5 * K * K)))
    inside = math.sqrt(2 * math.pi) * math.erf(K / math.sqrt(2))
    return -n * math.log(scale) - rho - n * math.log(inside + 2 * math.exp(-0.5 * K * K) / K)


def residuals(law: Law, points: Points) -> FloatArray:
    """Return residuals of log loss in units that make their variances equal."""
    return np.sqrt(points.w) * (points.y - law.curve(points.v))


def mad_scale(r: FloatArray, dof: int) -> float:
    """Return the SD that the median absolute residual implies, for what the fit used up."""
    return 1.4826 * float(np.median(np.abs(r))) * math.sqrt(r.size / dof)
