"""A beating heart in the apical four-chamber plane: volume curve and shapes, in millimetres.

The left ventricle is a truncated, slightly deformed ellipse in coordinates that shrink with it,
revolved around its long axis: its volume is exactly proportional to width² × length, so that the
wanted volume curve is met exactly and masks, volumes and ejection fraction agree. All functions of
space are plain formulas on arrays of NumPy or torch (`xp`) of axes clips, frames, rows, columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import integrate

FloatArray = NDArray[np.float64]
LONG_AXIS_SHARE = 0.2  # of log volume: length falls as V^0.2, width as V^0.4
THICKENING = 0.35  # wall thickness grows as V^-0.35
BASE = 0.38  # the mitral plane lies this far beyond the centre, in units of the half length
LABELS = {"LV": 1, "RV": 2, "LA": 3, "MYO": 4}


def emptied_fraction(
    time: FloatArray, duration: FloatArray, ejection: float, early: float, share: float
) -> FloatArray:
    """Return how much of the stroke volume has left, from 0 (ED) to 1 (ES), at times of a beat.

    Parameters
    ----------
    time, duration : float64 arrays
        Seconds since the beat began, and the length of that beat.
    ejection, early : float
        Seconds from ED to ES, and of early filling.
    share : float
        Share of the stroke volume that returns in early filling; 4 % in diastasis, the rest in
        the atrial contraction.
    """
    slow = 0.04
    atrial = np.maximum(duration - 0.16, ejection + 0.75 * early)
    rapid = np.minimum(early, atrial - ejection)
    out = ramp(time / ejection)
    back = share * ramp((time - ejection) / rapid)
    back += slow * ramp((time - ejection) / (atrial - ejection))
    back += (1 - share - slow) * ramp((time - atrial) / (duration - atrial))
    return np.asarray(np.where(time < ejection, out, 1 - back))


def ramp(x: FloatArray) -> FloatArray:
    """Rise from 0 to 1 on [0, 1] with zero slope at both ends."""
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x - np.sin(2 * np.pi * x) / (2 * np.pi))


def opening(emptied: FloatArray, systole: NDArray[np.bool_]) -> FloatArray:
    """Return how far the mitral valve is open, 0 to 1, from the speed of filling."""
    rate = np.maximum(-np.gradient(emptied), 0.0)
    wide = np.sqrt(rate / max(float(rate.max()), 1e-9))
    return np.where(systole, 0.0, 0.25 + 0.75 * wide)


@dataclass(frozen=True)
class Outline:
    """The left ventricle's fixed shape in shrinking coordinates: radius 1 + Σ c_k cos/sin kψ."""

    c2: float
    c3: float
    s3: float
    bend: float

    def volume_constant(self) -> float:
        """Return K of V = K·W²·L, where W and L are the half axes: discs across the axis."""
        psi = np.linspace(-np.pi / 2, np.pi / 2, 2001)
        sides = []
        for sign in (1.0, -1.0):  # the right and the left boundary, from below upwards
            c, s = sign * np.cos(psi), np.sin(psi)
            radius = radius_of(self, c, s)
            sides.append((radius * s, radius * c))
        b = np.linspace(-BASE, min(side[0][-1] for side in sides), 2001)
        width = np.interp(b, *sides[0]) - np.interp(b, *sides[1])
        return float(math.pi / 4 * integrate.trapezoid(width**2, b))


def radius_of(shape: Any, c: Any, s: Any) -> Any:
    """Return R(ψ) of an outline from cos ψ and sin ψ."""
    radius = 1 + shape.c2 * (1 - 2 * s * s) + c * shape.c3 * (4 * c * c - 3)
    return radius + s * shape.s3 * (3 - 4 * s * s)


def wall_ratio(xp: Any, a: Any, b: Any, shape: Any) -> tuple[Any, Any, Any]:
    """Return ρ/R (below 1 inside the endocardium) and the direction (cos ψ, sin ψ).

    a, b are coordinates across and along the axis in units of the half width and half length,
    from the centre towards the lateral wall and towards the apex.
    """
    a = a - shape.bend * (1 - b * b)
    rho = xp.sqrt(a * a + b * b + 1e-12)
    c, s = a / rho, b / rho
    return rho / radius_of(shape, c, s), c, s


def locate(xp: Any, x: Any, y: Any, p: Any) -> Any:
    """Return where points (mm; x to the right, y down) lie with respect to the heart.

    `p` holds the parameters as arrays that broadcast over (clips, frames, rows, columns). The
    answer has: u, v (mm across and along the axis, from the apex), tau (0 at the endocardium, 1
    at the epicardium), the chambers' implicit functions (below 1 inside), and directions.
    """
    dx, dy = x - p.apex_x, y - p.apex_y
    u = dx * p.cos + dy * p.sin
    v = dy * p.cos - dx * p.sin
    up = p.half_length - v
    ratio, c, s = wall_ratio(xp, u / p.half_width, up / p.half_length, p)
    distance = xp.sqrt(u * u + up * up + 1e-12)
    thickness = p.wall * (1 - 0.45 * xp.clip(s, 0.0, None) ** 2)
    tau = distance * (1 - 1 / ratio) / thickness
    base = p.half_length * (1 + BASE)
    below = v - base
    # The right ventricle leans on the septum; the left one is cut out of it.
    side = -(p.half_width + p.wall)
    rv_u = u - side + 0.45 * p.rv_width + 0.16 * below
    rv = xp.sqrt((rv_u / p.rv_width) ** 2 + ((below + 4.0) / p.rv_length) ** 2)
    la_v = below - 0.62 * p.la_height
    la = xp.sqrt(((u - p.la_shift) / p.la_width) ** 2 + (la_v / p.la_height) ** 2)
    ra_u = u - side + 0.45 * p.ra_width + 5.0
    ra = xp.sqrt((ra_u / p.ra_width) ** 2 + ((below + 1.0 - 0.6 * p.ra_height) / p.ra_height) ** 2)
    septum = u + p.half_width + 0.6 * p.wall
    return Place(u, v, up, tau, distance, thickness, ratio, c, s, below, rv, la, ra, septum)


@dataclass(frozen=True)
class Place:
    """Where points lie; see `locate`. All arrays have the shape of the points."""

    u: Any
    v: Any
    up: Any
    tau: Any
    distance: Any
    thickness: Any
    ratio: Any
    c: Any
    s: Any
    below: Any
    rv: Any
    la: Any
    ra: Any
    septum: Any

    @property
    def regions(self) -> dict[str, Any]:
        """Boolean arrays of the four structures and of the right atrium; they do not overlap."""
        above = self.below < 0
        return {
            "LV": (self.tau < 0) & above,
            "RV": (self.rv < 1) & (self.below < -4.0) & (self.tau >= 1),
            "LA": (self.la < 1) & (self.below >= 1.5) & (self.septum > 1.5),
            "MYO": (self.tau >= 0) & (self.tau < 1) & above,
            "RA": (self.ra < 1) & (self.below >= -1.0) & (self.septum < -1.5),
        }
