"""Tiny folders in the exact formats of public data sets, written to read and audit them."""

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import ndimage

COLUMNS = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"
CODECS = {"mjpeg": "yuvj420p", "rawvideo": "bgr24", "mpeg4": "yuv420p", "ffv1": "gray"}


def write_clip(path, frames, *, codec="mjpeg", fps=50):
    """Write grey frames, uint8 of shape (T, H, W), as a video file."""
    import av

    with av.open(str(path), "w") as container:
        options = {"qmin": "2", "qmax": "2"} if codec == "mjpeg" else {}
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = CODECS[codec]
        if codec == "mjpeg":
            stream.codec_context.qmin = stream.codec_context.qmax = 2
            stream.codec_context.bit_rate = 20_000_000
        for values in frames:
            rgb = np.repeat(values[:, :, None], 3, axis=2)
            for packet in stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@dataclass
class Heart:
    """A beating ventricle whose outline is known, in a sector of speckle."""

    rng: np.random.Generator
    n_frames: int = 30
    size: int = 112
    ef: float = 0.6
    frames: np.ndarray = field(init=False)
    radii: np.ndarray = field(init=False)  # long and short semi-axis of each frame

    def __post_init__(self):
        n, t = self.size, np.arange(self.n_frames)
        self.ed, self.es = 2, 2 + self.n_frames // 2
        beat = 0.5 - 0.5 * np.cos(2 * np.pi * (t - self.ed) / (self.n_frames - 2))
        self.tilt = self.rng.uniform(-0.15, 0.15)
        self.centre = np.array([n / 2, n * 0.52]) + self.rng.uniform(-0.03, 0.03, 2) * n
        long0, short0 = n * self.rng.uniform(0.24, 0.28), n * self.rng.uniform(0.13, 0.16)
        shrink = (1 - self.ef * beat) ** (1 / 3)
        self.radii = np.column_stack([long0 * shrink, short0 * shrink])
        y, x = np.mgrid[:n, :n]
        angle, radius = np.arctan2(x - n / 2, y + 1e-9), np.hypot(y, x - n / 2)
        self.sector = (np.abs(angle) < self.rng.uniform(0.66, 0.74)) & (radius < 0.97 * n)
        speckle = ndimage.gaussian_filter(self.rng.normal(size=(n, n)), 1.2)
        shade = ndimage.gaussian_filter(self.rng.normal(size=(n, n)), 12)
        speckle, shade = speckle / speckle.std(), shade / shade.std()
        along, across = self.local(x, y)
        far = np.hypot(along / long0, across / short0)
        frames = []
        for a, b in self.radii:
            # The tissue follows the wall and rests far away from it.
            pull = 1 + (long0 / a - 1) * np.exp(-np.maximum(far - 1, 0))
            where = [
                (y - self.centre[1]) * pull + self.centre[1],
                (x - self.centre[0]) * pull + self.centre[0],
            ]
            moved = ndimage.map_coordinates(speckle, where, order=1, mode="reflect")
            inside = np.hypot(along / a, across / b) < 1
            level = np.where(inside, 14, 75) * (1 + 0.35 * shade)
            noise = ndimage.gaussian_filter(self.rng.normal(size=(n, n)), 0.7)
            frames.append(np.clip(level * (1 + 0.4 * moved) + 8 * noise, 0, 235) * self.sector)
        self.frames = np.array(frames).astype(np.uint8)

    def local(self, x, y):
        """Return coordinates along and across the long axis."""
        dx, dy = x - self.centre[0], y - self.centre[1]
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        return dy * c + dx * s, dx * c - dy * s

    def trace(self, frame, *, scale=1.0, shift=(0, 0), rng=None):
        """Return the 21 segments (long axis, then chords from apex to base), shape (21, 2, 2)."""
        a, b = self.radii[frame] * scale
        height = np.linspace(-0.97, 0.97, 20)
        half = b * np.sqrt(1 - height**2)
        if rng is not None:
            half = half * (1 + 0.02 * rng.normal())
        ends = np.array(
            [
                [[-a, 0], [a, 0]],
                *([[a * h, -w], [a * h, w]] for h, w in zip(height, half, strict=True)),
            ]
        )
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        along, across = ends[..., 0], ends[..., 1]
        xy = np.stack([across * c + along * s, along * c - across * s], axis=-1)
        return xy + self.centre + np.asarray(shift)

    def volume(self, frame):
        """Return the volume of the discs, in pixels³."""
        axis, *chords = self.trace(frame)
        squares = sum(float(((q - p) ** 2).sum()) for p, q in chords)
        return np.pi / 4 * float(np.hypot(*(axis[1] - axis[0]))) / 20 * squares


@dataclass
class EchoFolder:
    """An EchoNet folder before it is written: change what you like, then write it."""

    hearts: dict = field(default_factory=dict)
    clips: dict = field(default_factory=dict)  # name: frames
    rows: list = field(default_factory=list)  # of FileList.csv, as dicts
    traces: list = field(default_factory=list)  # (name, frame, segments)

    @classmethod
    def make(cls, n=12, *, seed=0, n_frames=30, fps=50, size=112):
        rng = np.random.default_rng(seed)
        folder = cls()
        for i in range(n):
            name = f"0X{int(rng.integers(2**60)):015X}"
            heart = Heart(rng, n_frames, size, float(rng.uniform(0.45, 0.7)))
            folder.hearts[name], folder.clips[name] = heart, heart.frames
            big, small = heart.volume(heart.ed), heart.volume(heart.es)
            folder.rows.append(
                dict(
                    zip(
                        COLUMNS.split(","),
                        (
                            name,
                            100 * (1 - small / big),
                            small / 400,
                            big / 400,
                            size,
                            size,
                            fps,
                            n_frames,
                            ("TRAIN", "VAL", "TEST")[(0, 0, 0, 1, 2)[i % 5]],
                        ),
                        strict=True,
                    )
                )
            )
            for frame in (heart.es, heart.ed):
                folder.traces.append((name, frame, heart.trace(frame)))
        return folder

    @property
    def names(self):
        return [row["FileName"] for row in self.rows]

    def row(self, name):
        return next(row for row in self.rows if row["FileName"] == name)

    def retrace(self, name, frame, segments):
        """Replace what was traced on one frame by one or more sets of segments."""
        at = next(i for i, t in enumerate(self.traces) if t[:2] == (name, frame))
        self.traces[at : at + 1] = [(name, frame, s) for s in segments]

    def write(self, path, *, codec="mjpeg", tracings=True):
        path = Path(path)
        (path / "Videos").mkdir(parents=True)
        for name, frames in self.clips.items():
            write_clip(path / "Videos" / f"{name}.avi", frames, codec=codec)
        columns = list(self.rows[0])
        lines = [",".join(columns)]
        lines += [",".join(str(row.get(c, "")) for c in columns) for row in self.rows]
        (path / "FileList.csv").write_text("\n".join(lines) + "\n")
        if tracings:
            lines = ["FileName,X1,Y1,X2,Y2,Frame"]
            for name, frame, segments in self.traces:
                lines += [f"{name}.avi,{p[0]},{p[1]},{q[0]},{q[1]},{frame}" for p, q in segments]
            (path / "VolumeTracings.csv").write_text("\n".join(lines) + "\n")
        return path


def synthetic(folder):
    """Turn a folder into the form of EchoNet-Synthetic: no volumes, whole EF, no tracings."""
    for row in folder.rows:
        row.update(ESV=0, EDV=0, EF=round(row["EF"]))
    folder.traces.clear()
    return folder


def write_pediatric(folder, path):
    """Write a folder in the form of EchoNet-Pediatric: outlines as points, folds, words."""
    path = folder.write(path, tracings=False)
    lines = ["FileName,EF,Sex,Age,Weight,Height,Split"]
    lines += [
        f"{r['FileName']}.avi,{r['EF']},F,9,30.5,130,{i % 10}" for i, r in enumerate(folder.rows)
    ]
    (path / "FileList.csv").write_text("\n".join(lines) + "\n")
    lines = ["FileName,X,Y,Frame"]
    for name, frame, segments in folder.traces:
        outline = np.concatenate([segments[1:, 0], segments[:0:-1, 1]])
        lines += [f"{name}.avi,{x},{y},{frame}" for x, y in outline]
    lines.append(f"{folder.names[0]}.avi,0,0,No Systolic")
    (path / "VolumeTracings.csv").write_text("\n".join(lines) + "\n")
    return path


CONFIG = {
    "nifti": "ED: {ed}\nES: {es}\nNbFrame: {n}\nSex: F\nAge: 56\nImageQuality: Good\n"
    "EF: {ef}\nFrameRate: 50.0\n",
    "mhd": "ED: {ed}\nES: {es}\nNbFrame: {n}\nSex: F\nAge: 56\nImageQuality: Good\n"
    "LVedv: 94.2\nLVesv: 37.7\nLVef: {ef}\n",
}


def write_camus(path, *, n=2, seed=0, release="nifti", n_frames=12, splits=True):
    """Write a CAMUS folder; pixels are 0.308 mm wide and 0.154 mm high, odd patients start at ES.

    Returns the folder and the label sequences by item, (t, y, x).
    """
    path, rng = Path(path), np.random.default_rng(seed)
    home = path / ("database_nifti" if release == "nifti" else "training")
    truth = {}
    for i in range(1, n + 1):
        patient = f"patient{i:04d}"
        (home / patient).mkdir(parents=True)
        for view in ("2CH", "4CH"):
            heart = Heart(rng, 2 * n_frames, 64)
            # The half that runs from ED to ES, on a grid of twice the height.
            frames = heart.frames[heart.ed : heart.ed + n_frames].repeat(2, axis=1)
            y, x = np.mgrid[:64, :64]
            labels = np.zeros_like(frames)
            for t, (a, b) in enumerate(heart.radii[heart.ed : heart.ed + n_frames]):
                far = np.hypot(*(d / r for d, r in zip(heart.local(x, y), (a, b), strict=True)))
                mask = np.select([far < 1, far < 1.35], [1, 2], 0)
                mask[(mask == 0) & (y > heart.centre[1] + 1.2 * a) & (far < 1.9)] = 3
                labels[t] = mask.repeat(2, axis=0)
            ed, es = 1, n_frames
            if i % 2:
                frames, labels, (ed, es) = frames[::-1], labels[::-1], (es, ed)
            item = f"{patient}_{view}"
            truth[item] = labels
            (home / patient / f"Info_{view}.cfg").write_text(
                CONFIG[release].format(ed=ed, es=es, n=n_frames, ef=60)
            )
            sequence = "half_sequence" if release == "nifti" else "sequence"
            for kind, values in ((sequence, slice(None)), ("ED", ed - 1), ("ES", es - 1)):
                for suffix, array in (("", frames), ("_gt", labels)):
                    target = home / patient / f"{item}_{kind}{suffix}"
                    (write_nifti if release == "nifti" else write_mhd)(target, array[values])
    if splits and release == "nifti":
        (path / "database_split").mkdir()
        for k, name in enumerate(("training", "validation", "testing")):
            chosen = [f"patient{i:04d}" for i in range(1, n + 1) if (i - 1) % 3 == k]
            (path / "database_split" / f"subgroup_{name}.txt").write_text("\n".join(chosen) + "\n")
    return path, truth


def write_nifti(target, values, spacing=(0.154, 0.308)):
    """Write ([t,] y, x) as nibabel's (x, y[, t])."""
    import nibabel

    image = nibabel.Nifti1Image(np.ascontiguousarray(values.T), np.eye(4))
    image.header.set_zooms([spacing[1], spacing[0], 0.02][: values.ndim])
    image.to_filename(f"{target}.nii.gz")


def write_mhd(target, values, spacing=(0.154, 0.308)):
    """Write ([t,] y, x) as SimpleITK does; single images get a depth of 1, as released."""
    import SimpleITK

    stack = values if values.ndim == 3 else values[None]
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(stack))
    image.SetSpacing((spacing[1], spacing[0], 1.0))
    SimpleITK.WriteImage(image, f"{target}.mhd")


def bomb_avi(source, target, *, height=60000, width=60000):
    """Copy an AVI file with another frame size in its headers."""
    data = bytearray(Path(source).read_bytes())
    avih = data.index(b"avih") + 8
    struct.pack_into("<II", data, avih + 32, width, height)
    strf = data.index(b"strf") + 8
    struct.pack_into("<ii", data, strf + 4, width, height)
    Path(target).write_bytes(data)


def bomb_jpeg(source, target, *, size=60000):
    """Copy an MJPEG file whose frames themselves promise another size."""
    data = bytearray(Path(source).read_bytes())
    at = data.find(b"\xff\xc0")
    while at >= 0:
        struct.pack_into(">HH", data, at + 5, size, size)
        at = data.find(b"\xff\xc0", at + 1)
    Path(target).write_bytes(data)
