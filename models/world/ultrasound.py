"""An ultrasound image of the heart: echo strengths, scatterers that move with the tissue, PSF.

Everything up to the grey levels happens in polar space (depth × lines), where the point spread is
separable: two small matrices. The same formulas run on NumPy and on torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.world.heart import BASE, Place, locate

TEXTURE_MM = 0.6  # spacing of the scatterers
TEXTURE = 256  # the field of scatterers repeats after this many


def material(xp: Any, at: Place, p: Any) -> tuple[Any, Any]:
    """Return where the tissue at each point stood at end-diastole (mm, heart's own axes).

    The wall is carried along rays from the ventricle's centre; beyond the epicardium the motion
    dies out within centimetres, so that the far field stands still.
    """
    a0, b0 = at.u / p.half_width * p.width_0, at.up / p.half_length * p.length_0
    long = xp.sqrt(a0 * a0 + b0 * b0 + 1e-12)
    depth = xp.clip(at.tau, 0.0, 1.0) * at.thickness * (p.wall_0 / p.wall)
    scale = xp.where(at.tau > 0, 1 / at.ratio + depth / long, 1.0 + 0 * long)
    x, y = a0 * scale, b0 * scale
    beyond = xp.clip((at.tau - 1) * at.thickness, 0.0, None)
    edge = 1 - beyond / at.distance
    fade = xp.exp(-beyond / 25.0)
    outside = at.tau > 1
    rest_y = at.up - p.half_length + p.length_0
    edge_y = at.up * edge - p.half_length + p.length_0
    x = xp.where(outside, at.u + (x - at.u * edge) * fade, x)
    y = xp.where(outside, rest_y + (y - edge_y) * fade, y)
    return x, y


def sample(xp: Any, field: Any, clip: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return both parts of the periodic scatterer field, bilinearly, at material positions."""
    x, y = x / TEXTURE_MM, y / TEXTURE_MM
    x0, y0 = xp.floor(x), xp.floor(y)
    fx, fy = x - x0, y - y0
    ix, iy = whole(xp, x0), whole(xp, y0)
    top, bottom = clip + (iy % TEXTURE) * TEXTURE, clip + ((iy + 1) % TEXTURE) * TEXTURE
    left, right = ix % TEXTURE, (ix + 1) % TEXTURE
    parts = []
    weights = ((1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy)
    index = (top + left, top + right, bottom + left, bottom + right)
    for part in field:
        flat = part.reshape(-1)
        parts.append(sum(w * flat[i] for w, i in zip(weights, index, strict=True)))
    return parts[0], parts[1]


def whole(xp: Any, x: Any) -> Any:
    """Return whole numbers as an index."""
    return x.astype(xp.int64) if hasattr(x, "astype") else x.to(xp.int64)


def segment(xp: Any, at: Place, ends: tuple[Any, Any, Any, Any], width: float) -> Any:
    """Return a ridge of height 1 along the segment (u0, v0)–(u1, v1), `width` mm wide."""
    u0, v0, u1, v1 = ends
    du, dv = u1 - u0, v1 - v0
    t = xp.clip(((at.u - u0) * du + (at.v - v0) * dv) / (du * du + dv * dv + 1e-6), 0.0, 1.0)
    ru, rv = at.u - u0 - t * du, at.v - v0 - t * dv
    return xp.exp(-(ru * ru + rv * rv) / (width * width))


def valves(xp: Any, at: Place, p: Any) -> Any:
    """Return the mitral and tricuspid leaflets and the annulus as ridges."""
    base = p.half_length * (1 + BASE)
    hinge = 0.93 * p.half_width
    lift = 4.0 + 13.0 * p.opening
    gap = hinge * (0.45 * p.opening + 0.02)
    ridge = segment(xp, at, (hinge, base, gap, base - lift), 1.2)
    ridge = ridge + segment(xp, at, (-hinge, base, -gap, base - 1.2 * lift), 1.2)
    side = -(p.half_width + p.wall)
    far = side - 1.3 * p.rv_width
    middle = (side + far) / 2
    ridge = ridge + segment(xp, at, (side, base - 4, middle + gap / 2, base - 4 - 0.8 * lift), 1.2)
    ridge = ridge + segment(xp, at, (far, base - 4, middle - gap / 2, base - 4 - 0.8 * lift), 1.2)
    crux = segment(xp, at, (-hinge - 1, base, side, base - 2), 2.2)
    return ridge + 0.7 * crux + 0.7 * segment(xp, at, (hinge, base, hinge + 4, base - 1), 2.2)


def strengths(xp: Any, at: Place, x: Any, y: Any, r: Any, p: Any) -> Any:
    """Return the echo amplitude of the tissue at each point."""
    where = at.regions
    blood = where["LV"] | where["RV"] | where["LA"] | where["RA"]
    # Walls parallel to the beam send little back: the lateral wall fades.
    nu, nv = at.c / p.half_width, -at.s / p.half_length
    bu, bv = (x * p.cos + y * p.sin) / r, (y * p.cos - x * p.sin) / r
    facing = xp.abs(nu * bu + nv * bv) / xp.sqrt(nu * nu + nv * nv + 1e-12)
    lost = p.dropout * xp.exp((at.c * p.lost_cos + at.s * p.lost_sin - 1) / p.lost_width)
    wall = (0.30 + 0.35 * facing * facing) * (1 - lost)
    endo = 0.35 * facing * xp.exp(-((at.tau - 0.06) ** 2) / 0.012)
    peri = 1.1 * xp.exp(-((at.tau - 1.06) ** 2) / 0.010) * xp.clip(at.c + 0.55, 0.0, 1.0)
    tissue = xp.where(where["MYO"], wall + endo * (1 - lost), p.outside + 0 * wall)
    tissue = tissue + xp.where(
        at.below < 6, peri * (0.35 + 0.65 * facing) * (1 - 0.8 * lost), 0 * peri
    )
    shells = (
        shell(xp, at.rv, p.rv_width, 3.0, at.below < -2)
        + shell(xp, at.la, p.la_width, 2.5, at.below > 0)
        + shell(xp, at.ra, p.ra_width, 2.5, at.below > -2)
    )
    septum = xp.exp(-(at.septum * at.septum) / 2.5)
    shells = shells + xp.where((at.below > 0) & (at.la < 1.6), septum, 0 * septum)
    tissue = tissue + 0.45 * shells
    amplitude = xp.where(blood, p.blood + 0 * tissue, tissue)
    inside = where["LV"]
    for k in (-1.0, 1.0):  # papillary muscles belong to the cavity, as in tracing
        du = at.u / p.half_width - k * p.papillary_u
        dv = at.up / p.half_length - p.papillary_v
        blob = xp.exp(-(du * du / 0.030 + dv * dv / 0.020))
        amplitude = amplitude + xp.where(inside, 0.22 * p.papillary * blob, 0 * blob)
    return amplitude + 0.55 * valves(xp, at, p)


def shell(xp: Any, f: Any, size: Any, thickness: float, where: Any) -> Any:
    """Return a ridge just outside of the boundary f = 1 of an ellipse of the given half width."""
    depth = (f - 1) * size / thickness
    ridge = xp.exp(-((depth - 0.6) ** 2) / 0.25)
    return xp.where(where, ridge, 0 * ridge)


def polar_image(xp: Any, grid: Any, p: Any, fields: Any) -> Any:
    """Return grey levels 0–255 (float) on the polar grid, shape (clips, frames, depths, lines)."""
    x, y, r = grid.x, grid.y, grid.r
    at = locate(xp, x, y, p)
    real, imaginary = sample(xp, fields.scatterers, fields.clip, *material(xp, at, p))
    amplitude = strengths(xp, at, x, y, r, p) * grid.line_gain
    haze = p.haze * xp.exp(-r / 9.0)
    floor = p.noise * 10 ** (p.slope * (r - 80.0) / 20 / 60)
    rows, columns = grid.noise_row, grid.noise_column
    parts = []
    for tissue, noise in zip((real, imaginary), fields.noise, strict=True):
        random = noise.reshape(-1)[fields.noise_clip + rows * fields.noise_width + columns]
        signal = amplitude * tissue + (floor + haze) * random
        parts.append(xp.matmul(xp.matmul(grid.axial, signal), grid.lateral))
    energy = parts[0] * parts[0] + parts[1] * parts[1]
    decibel = 10 * xp.log10(energy + 1e-9) + p.gain + p.tilt * (r - 80.0) / 60
    return xp.clip(255 * (1 + decibel / p.dynamic_range), 0.0, 255.0)


def scan_convert(xp: Any, polar: Any, grid: Any) -> Any:
    """Return uint8 frames (clips, frames, size, size) from the polar image; 0 outside."""
    clips, frames = polar.shape[:2]
    flat = polar.reshape(clips, frames, -1)
    out = []
    for k in range(clips):
        value = sum(w * flat[k][:, i] for w, i in zip(grid.weights[k], grid.index[k], strict=True))
        out.append(value.reshape(frames, grid.size, grid.size))
    stacked = xp.stack(out) + 0.5
    return stacked.astype(xp.uint8) if hasattr(stacked, "astype") else stacked.to(xp.uint8)


def point_spread(n: int, sd: float) -> NDArray[np.float32]:
    """Return a Gaussian point spread as a matrix; white noise keeps its variance."""
    gap = np.arange(n)[:, None] - np.arange(n)
    kernel = np.exp(-(gap**2) / (2 * sd**2))
    return np.asarray(kernel / np.sqrt((kernel**2).sum(axis=0).max()), dtype=np.float32)
