"""Beating-heart ultrasound clips whose truth is known.

`draw_clip` draws everything random of one clip with NumPy; `render` turns such draws into frames
and exact masks with NumPy or with torch, on any device, with the same formulas. Clip `index` of
`seed` is the same clip whoever makes it and in any order.

Examples
--------
>>> from models.world.phantom import make_clip
>>> clip = make_clip(seed=1, index=0, size=56, frames=24)
>>> clip.frames.shape, clip.masks.shape, clip.ed < clip.es
((24, 56, 56), (24, 56, 56), True)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.errors import check_choice, check_count
from models.world.heart import BASE, LABELS, Outline, emptied_fraction, locate, opening
from models.world.ultrasound import TEXTURE, point_spread, polar_image, scan_convert

CORRUPTIONS = ("frozen", "noise", "dark", "shuffled", "flipped")
CHUNK = 4  # frames at once on a CPU: what fits the cache is fastest


@dataclass(frozen=True)
class Clip:
    """One clip and its truth.

    Attributes
    ----------
    frames : uint8 array of shape (T, size, size)
    masks : uint8 array of shape (T, size, size)
        0 background, 1 LV, 2 RV, 3 LA, 4 myocardium (`heart.LABELS`), within the sector.
    volumes_ml : float64 array of shape (T,)
        True volume of the LV.
    ed, es : int
        Frames of the largest and the smallest volume of one beat; `beat` holds the first frame of
        that beat and the one after its last.
    ef : float
        Ejection fraction in percent, of the volumes at `ed` and `es`.
    fps, mm_per_pixel : float
    quality : float
        1 for a perfect window, towards 0 for a poor one.
    corruption : str
        What was planted, empty if nothing.
    """

    name: str
    frames: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    volumes_ml: NDArray[np.float64]
    ed: int
    es: int
    beat: tuple[int, int]
    fps: float
    mm_per_pixel: float
    quality: float
    corruption: str = ""

    @property
    def ef(self) -> float:
        """Ejection fraction in percent."""
        return float(100 * (1 - self.volumes_ml[self.es] / self.volumes_ml[self.ed]))

    def mask(self, structure: str) -> NDArray[np.bool_]:
        """Return the mask (T, size, size) of "LV", "RV", "LA" or "MYO"."""
        label = LABELS[check_choice("structure", structure, list(LABELS))]
        return np.asarray(self.masks == label)


@dataclass(frozen=True)
class Draw:
    """Everything random of one clip; `p` and `fields` feed the formulas of `ultrasound`."""

    name: str
    size: int
    p: dict[str, NDArray[np.float32]]
    scatterers: NDArray[np.float32]
    noise: NDArray[np.float32]
    offsets: NDArray[np.int64]
    line_gain: NDArray[np.float32]
    depth: float
    half_angle: float
    axial: float
    lateral: float
    volumes_ml: NDArray[np.float64]
    beat: tuple[int, int]
    ed: int
    es: int
    fps: float
    quality: float


def make_clip(seed: int = 0, index: int = 0, *, corruption: str = "", **options: Any) -> Clip:
    """Return clip `index` of `seed`; options as in `draw_clip`."""
    clip = render([draw_clip(seed, index, **options)])[0]
    return corrupt(clip, corruption, seed, index) if corruption else clip


def draw_clip(
    seed: int,
    index: int,
    *,
    size: int = 112,
    frames: int = 64,
    fps: float | None = None,
    ef: float | None = None,
) -> Draw:
    """Draw one clip.

    Parameters
    ----------
    seed, index : int
    size : int
        Height and width in pixels, at least 16.
    frames : int
        Number of frames, at least 8.
    fps : float, optional
        Frames per second; by default drawn so that at least one whole beat is in the clip.
    ef : float, optional
        Ejection fraction in percent; by default drawn.
    """
    size, n = check_count("size", size, low=16), check_count("frames", frames, low=8)
    g = np.random.default_rng([check_count("seed", seed), check_count("index", index)])
    bad = g.beta(1.4, 2.6)  # how poor the window is
    anatomy, motion = _anatomy(g, ef), _motion(g, n, fps)
    foreshortening = g.uniform(0, 0.3) * bad
    volume = anatomy.edv * (1 - anatomy.ef / 100 * motion.emptied)
    share = volume / anatomy.edv
    width, length = anatomy.width * share**0.4, anatomy.length * share**0.2
    wall = anatomy.wall * share**-0.35
    t = np.arange(n) / motion.fps
    breath = np.sin(2 * np.pi * (t / g.uniform(2.5, 5) + g.random()))
    angle = np.radians(g.uniform(-16, 3)) + 0.03 * motion.emptied + 0.01 * breath
    apex_x = g.uniform(-8, 4) + 1.2 * breath
    apex_y = g.uniform(15, 28) + 1.0 * breath
    back = motion.emptied  # the atria fill while the ventricles empty
    rv = 1 - g.uniform(0.12, 0.2) * back
    la = 1 + g.uniform(0.10, 0.3) * back - 0.1
    lost = g.uniform(-1.2, 1.2)
    ray = {
        "apex_x": apex_x,
        "apex_y": apex_y,
        "cos": np.cos(angle),
        "sin": np.sin(angle),
        "half_width": width,
        "half_length": length * (1 - foreshortening),
        "wall": wall,
        "opening": motion.opening,
        "rv_width": anatomy.rv * rv,
        "rv_length": 0.82 * length * (1 + BASE),
        "la_width": anatomy.la * la,
        "la_height": 1.05 * anatomy.la * la,
        "ra_width": 0.85 * anatomy.la * la,
        "ra_height": 0.9 * anatomy.la * la,
    }
    scalar = {
        "width_0": anatomy.width,
        "length_0": anatomy.length * (1 - foreshortening),
        "wall_0": anatomy.wall,
        "la_shift": g.uniform(-3, 4),
        "c2": anatomy.shape.c2,
        "c3": anatomy.shape.c3,
        "s3": anatomy.shape.s3,
        "bend": anatomy.shape.bend,
        "dropout": bad * g.uniform(0.3, 1.0),
        "lost_cos": math.cos(lost),
        "lost_sin": math.sin(lost),
        "lost_width": g.uniform(0.1, 0.5),
        "blood": g.uniform(0.004, 0.012),
        "papillary": g.uniform(0, 1),
        "papillary_u": g.uniform(0.45, 0.65),
        "papillary_v": g.uniform(-0.1, 0.35),
        "haze": g.uniform(0.05, 0.25) + 0.3 * bad,
        "noise": 0.006 + 0.05 * bad * g.random(),
        "slope": g.uniform(0, 10),
        "tilt": g.uniform(-5, 3),
        "gain": g.uniform(-15, -4),
        "dynamic_range": g.uniform(46, 60),
    }
    p = {k: np.asarray(v, np.float32).reshape(-1, 1, 1) for k, v in {**ray, **scalar}.items()}
    whole = anatomy.length * (1 + BASE)
    depth = float(apex_y.max() + whole + g.uniform(0.6, 1.1) * 2.1 * anatomy.la)
    half_angle = max(np.radians(g.uniform(33, 42)), _needed_angle(p))
    rows, lines = _polar_size(size)
    gain, shadow = _line_gain(g, n, lines, bad)
    p["outside"] = _outside(g, rows, lines)
    scatterers = _scatterers(g)
    noise = g.standard_normal((2, rows + 128, lines + 128), dtype=np.float32)
    offsets = g.integers(0, 128, size=(n, 2))
    a, b = motion.beat
    es = a + int(np.argmin(volume[a:b]))
    quality = 1 - (
        0.35 * float(scalar["dropout"])
        + 0.25 * (float(scalar["noise"]) - 0.006) / 0.05
        + 0.2 * shadow
        + 0.2 * foreshortening / 0.3
    )
    return Draw(
        name=f"phantom-{seed}-{index:05d}",
        size=size,
        p=p,
        scatterers=scatterers,
        noise=noise,
        offsets=offsets,
        line_gain=gain,
        depth=depth,
        half_angle=float(half_angle),
        axial=g.uniform(0.5, 0.9),
        lateral=math.radians(g.uniform(0.8, 1.4)),
        volumes_ml=volume,
        beat=(a, b),
        ed=a + int(np.argmax(volume[a : es + 1])),
        es=es,
        fps=motion.fps,
        quality=float(np.clip(quality, 0, 1)),
    )


def render(draws: Sequence[Draw], *, device: Any = None) -> list[Clip]:
    """Return the clips of draws of one size and length, with NumPy, or with torch on `device`.

    Grey levels of the two differ by rounding, by one level at most; masks do not.
    """
    if len({(d.size, len(d.volumes_ml)) for d in draws}) != 1:
        raise AnnostatError("draws must have one size and one number of frames to make a batch")
    n, size = len(draws[0].volumes_ml), draws[0].size
    xp: Any = np
    if device is not None:
        import torch

        xp = torch

    def put(array: Any) -> Any:
        return array if device is None else xp.as_tensor(np.ascontiguousarray(array)).to(device)

    p, grid, fields, pixels = _batch(draws, put)
    step = n if device is not None and xp.device(device).type == "cuda" else CHUNK
    frames, masks = [], []
    for start in range(0, n, step):
        cut = slice(start, min(start + step, n))
        now = _cut(p, cut, n)
        polar = polar_image(xp, _cut(grid, cut, n), now, fields)
        frames.append(_host(scan_convert(xp, polar, grid)))
        masks.append(_host(_labels(xp, pixels, now)))
    images, labels = np.concatenate(frames, 1), np.concatenate(masks, 1)
    return [
        Clip(
            d.name,
            images[k],
            labels[k],
            d.volumes_ml,
            d.ed,
            d.es,
            d.beat,
            d.fps,
            _extent(d) / size,
            d.quality,
        )
        for k, d in enumerate(draws)
    ]


def corrupt(clip: Clip, kind: str, seed: int, index: int) -> Clip:
    """Plant a defect in the frames; the masks stay those of the clip as it was."""
    check_choice("corruption", kind, CORRUPTIONS)
    g = np.random.default_rng([seed, index, 1])
    frames = clip.frames
    if kind == "frozen":
        frames = np.repeat(frames[:1], len(frames), axis=0)
    elif kind == "noise":
        frames = g.integers(0, 256, frames.shape, dtype=np.uint8)
    elif kind == "dark":
        frames = (frames // 16).astype(np.uint8)
    elif kind == "shuffled":
        frames = frames[g.permutation(len(frames))]
    else:
        frames = frames[:, ::-1, ::-1]
    return replace(clip, frames=np.ascontiguousarray(frames), corruption=kind)


def _anatomy(g: np.random.Generator, ef: float | None) -> SimpleNamespace:
    shape = Outline(
        c2=g.uniform(-0.04, 0.04),
        c3=g.uniform(-0.03, 0.03),
        s3=g.uniform(-0.03, 0.03),
        bend=g.uniform(-0.02, 0.10),
    )
    edv = float(np.clip(np.exp(g.normal(math.log(115), 0.28)), 55, 230))
    drawn = g.normal(62, 6) if g.random() < 0.7 else g.uniform(20, 55)
    ratio = g.uniform(1.5, 2.1)  # length from apex to base over width
    constant = shape.volume_constant()
    width = (edv * 1000 / (constant * 2 * ratio / (1 + BASE))) ** (1 / 3)
    return SimpleNamespace(
        shape=shape,
        edv=edv,
        ef=float(np.clip(drawn if ef is None else ef, 5, 85)),
        width=width,
        length=2 * width * ratio / (1 + BASE),
        wall=g.uniform(8, 11.5),
        rv=g.uniform(16, 24),
        la=g.uniform(17, 24),
    )


def _motion(g: np.random.Generator, n: int, fps: float | None) -> SimpleNamespace:
    """Draw heart beats; a whole one is always in the clip (short clips get fewer fps)."""
    beat = 60 / float(np.clip(g.normal(68, 12), 45, 110))
    fps = min(g.uniform(30, 60), (n - 2) / (1.35 * beat)) if fps is None else float(fps)
    if not fps > 0 or (n - 2) / fps < beat * 1.1:
        beat = (n - 2) / max(fps, 1e-9) / 1.15
        if not 0.3 < beat:
            raise AnnostatError(f"{n} frames at {fps:g} fps hold no whole beat; take more frames")
    count = 4 + math.ceil(n / fps / beat)
    lengths = beat * (1 + 0.04 * np.clip(g.standard_normal(count), -2, 2))
    first = g.uniform(0.0, 0.2) * beat  # the clip's first whole beat begins here
    starts = first - lengths[0] + np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    t = np.arange(n) / fps
    which = np.searchsorted(starts, t, side="right") - 1
    depth = 1 - 0.03 * g.random(count)  # beats do not all empty to the same volume
    depth[1] = 1.0  # the labelled one does, so that its ejection fraction is the one asked for
    ejection = 0.34 * math.sqrt(beat / 0.9) * g.uniform(0.92, 1.08)
    early = min(g.uniform(0.2, 0.28), 0.3 * beat)
    now = t - starts[which]
    shape = emptied_fraction(now, lengths[which], ejection, early, g.uniform(0.55, 0.75))
    return SimpleNamespace(
        emptied=shape * depth[which],
        fps=float(fps),
        opening=opening(shape, now < ejection + 0.03),
        beat=(int(np.searchsorted(t, starts[1])), int(np.searchsorted(t, starts[2]))),
    )


def _needed_angle(p: dict[str, NDArray[np.float32]]) -> float:
    """Return the half angle of the sector that holds the cavity at end-diastole."""
    psi = np.linspace(0, 2 * np.pi, 90)
    u, up = p["width_0"].max() * 1.12 * np.cos(psi), p["length_0"].max() * 1.02 * np.sin(psi)
    v = p["length_0"].max() - up
    c, s = p["cos"].mean(), p["sin"].mean()
    x, y = p["apex_x"].mean() + u * c - v * s, p["apex_y"].mean() + u * s + v * c
    return float(np.abs(np.arctan2(x, y)).max() + 0.03)


def _line_gain(
    g: np.random.Generator, n: int, lines: int, bad: float
) -> tuple[NDArray[np.float32], float]:
    """Draw the gain of each line in each frame: edges, shadows, drop-outs that come and go."""
    at = np.linspace(-1, 1, lines)
    gain = 1 - 0.6 * np.clip((np.abs(at) - 0.85) / 0.15, 0, 1) ** 2
    rows = np.repeat(gain[None], n, axis=0)
    t = np.arange(n)[:, None] / n
    shadow = 0.0
    for _ in range(int(g.integers(0, 3))):
        centre, width = g.choice([-1, 1]) * g.uniform(0.45, 1.0), g.uniform(0.05, 0.16)
        depth = g.uniform(0.3, 1.0) * bad
        drift = 0.05 * np.sin(2 * np.pi * (t * g.uniform(0.3, 1.5) + g.random()))
        rows *= 1 - depth * np.exp(-(((at - centre - drift) / width) ** 2))
        shadow = max(shadow, depth)
    for _ in range(2):
        phase = 2 * np.pi * (t * g.uniform(0.5, 3) + at * g.uniform(0.5, 3) + g.random())
        rows *= 1 - 0.25 * bad * (0.5 + 0.5 * np.sin(phase))
    return rows[:, None, :].astype(np.float32), shadow


def _outside(g: np.random.Generator, rows: int, lines: int) -> NDArray[np.float32]:
    """Draw the echo strength of what surrounds the heart, smooth over the sector."""
    waves = g.standard_normal((6, 5))
    down = np.cos(np.pi * np.outer(np.linspace(0, 1, rows), np.arange(6)))
    across = np.cos(np.pi * np.outer(np.linspace(0, 1, lines), np.arange(5)))
    decay = 1 / (1 + np.add.outer(np.arange(6), np.arange(5)))
    return (0.10 * np.exp(0.95 * down @ (waves * decay) @ across.T)).astype(np.float32)


def _scatterers(g: np.random.Generator) -> NDArray[np.float32]:
    """Draw a periodic complex-Gaussian field, a little smooth, of Gamma-varying strength."""
    white = g.standard_normal((3, TEXTURE, TEXTURE), dtype=np.float32)
    wave = np.fft.rfftfreq(TEXTURE)[None, :] ** 2 + np.fft.fftfreq(TEXTURE)[:, None] ** 2
    sd = np.array([0.7, 0.7, 3.0]).reshape(3, 1, 1)
    field = np.fft.irfft2(
        np.fft.rfft2(white) * np.exp(-2 * (np.pi * sd) ** 2 * wave), s=white.shape[1:]
    )
    field /= field.std(axis=(1, 2), keepdims=True)
    return np.asarray(field[:2] * np.exp(0.35 * field[2]), dtype=np.float32)


def _polar_size(size: int) -> tuple[int, int]:
    return round(1.7 * size), round(0.9 * size)


def _extent(d: Draw) -> float:
    """Return the height and width of the image in mm: the whole sector is in it."""
    return max(d.depth, 2 * d.depth * math.sin(d.half_angle))


def _batch(draws: Sequence[Draw], put: Any) -> tuple[Any, Any, Any, Any]:
    """Stack draws into arrays of shape (clips, frames or 1, rows or 1, columns or 1)."""
    size = draws[0].size
    rows, lines = _polar_size(size)
    names = list(draws[0].p)

    def by_frame(array: NDArray[Any]) -> NDArray[Any]:
        # Scalars and maps have one entry for all frames: their frame axis has length 1.
        return array.reshape(1, *array.shape) if array.ndim == 2 else array

    p = SimpleNamespace(**{k: put(np.stack([by_frame(d.p[k]) for d in draws])) for k in names})
    polar = [_polar_points(d, rows, lines) for d in draws]
    x, y, r = (put(np.stack(a)[:, None]) for a in zip(*polar, strict=True))
    sampled = [_scan_weights(d, rows, lines) for d in draws]
    offsets = np.stack([d.offsets for d in draws])
    axial = [point_spread(rows, d.axial / (d.depth / rows)) for d in draws]
    lateral = [point_spread(lines, d.lateral / (2 * d.half_angle / lines)) for d in draws]
    grid = SimpleNamespace(
        x=x,
        y=y,
        r=r,
        size=size,
        axial=put(np.stack(axial)[:, None]),
        lateral=put(np.stack(lateral)[:, None]),
        line_gain=put(np.stack([d.line_gain for d in draws])),
        noise_row=put((offsets[:, :, 0, None] + np.arange(rows))[..., None]),
        noise_column=put((offsets[:, :, 1, None] + np.arange(lines))[:, :, None, :]),
        index=put(np.stack([s[0] for s in sampled])),
        weights=put(np.stack([s[1] for s in sampled])),
    )
    clip = np.arange(len(draws)).reshape(-1, 1, 1, 1)
    noise = np.stack([d.noise for d in draws], axis=1)
    fields = SimpleNamespace(
        scatterers=put(np.stack([d.scatterers for d in draws], axis=1)),
        noise=put(noise),
        clip=put(clip * TEXTURE * TEXTURE),
        noise_clip=put(clip * noise.shape[2] * noise.shape[3]),
        noise_width=noise.shape[3],
    )
    seen = [(s[1].sum(axis=0) > 0).astype(np.uint8).reshape(size, size) for s in sampled]
    pixels = [(*_pixel_points(d), inside) for d, inside in zip(draws, seen, strict=True)]
    return p, grid, fields, tuple(put(np.stack(a)[:, None]) for a in zip(*pixels, strict=True))


def _polar_points(d: Draw, rows: int, lines: int) -> tuple[NDArray[np.float32], ...]:
    r = (np.arange(rows) + 0.5) * d.depth / rows
    theta = ((np.arange(lines) + 0.5) / lines * 2 - 1) * d.half_angle
    x, y = np.outer(r, np.sin(theta)), np.outer(r, np.cos(theta))
    return x.astype(np.float32), y.astype(np.float32), np.hypot(x, y).astype(np.float32)


def _pixel_points(d: Draw) -> tuple[NDArray[np.float32], ...]:
    pixel = _extent(d) / d.size
    at = (np.arange(d.size) + 0.5) * pixel
    x, y = np.meshgrid(at - _extent(d) / 2, at)
    return x.astype(np.float32), y.astype(np.float32)


def _scan_weights(d: Draw, rows: int, lines: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the four polar neighbours of each pixel and their bilinear weights; 0 outside."""
    x, y = (a.astype(np.float64).ravel() for a in _pixel_points(d))
    i = np.hypot(x, y) / d.depth * rows - 0.5
    j = (np.arctan2(x, y) / d.half_angle + 1) / 2 * lines - 0.5
    inside = (i < rows - 0.5) & (j > -0.5) & (j < lines - 0.5)
    i, j = np.clip(i, 0, rows - 1.001), np.clip(j, 0, lines - 1.001)
    i0, j0 = i.astype(np.int64), j.astype(np.int64)
    a, b = i - i0, j - j0
    index = np.stack([(i0 + di) * lines + j0 + dj for di in (0, 1) for dj in (0, 1)])
    weights = np.stack([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b]) * inside
    return index, weights.astype(np.float32)


def _labels(xp: Any, pixels: tuple[Any, ...], p: Any) -> Any:
    x, y, inside = pixels
    regions = locate(xp, x, y, p).regions
    return inside * sum(label * whole8(xp, regions[name]) for name, label in LABELS.items())


def whole8(xp: Any, x: Any) -> Any:
    """Return booleans as uint8."""
    return x.astype(xp.uint8) if hasattr(x, "astype") else x.to(xp.uint8)


def _cut(group: Any, cut: slice, n: int) -> Any:
    """Return the frames `cut` of every array that has a frame axis."""

    def framed(v: Any) -> bool:
        return getattr(v, "ndim", 0) == 4 and v.shape[1] == n and n > 1

    return SimpleNamespace(**{k: v[:, cut] if framed(v) else v for k, v in vars(group).items()})


def _host(array: Any) -> NDArray[np.uint8]:
    return array if isinstance(array, np.ndarray) else array.cpu().numpy()
