"""Folders in the formats of EchoNet-Dynamic, EchoNet-Synthetic and CAMUS, of simulated hearts.

Clips hold several beats, people's outlines and picks are noisy, and the quirks of the real folders
are there: names with and without a suffix, ED and ES in no order, frames that are not square, a
clip that cannot be read, pixels twice as high as wide, sequences that begin at ES. What is true
lies beside as `teacher/`, masks of all frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError, NoiseModel, simulate_rounds
from annostat.errors import check_choice
from annostat.files import write_text, write_whole
from models.world.annotators import Noise, draw_outlines
from models.world.phantom import Clip, make_clip

SPLITS = ("TRAIN", "VAL", "TEST")
SUBGROUPS = ("training", "validation", "testing")
CAMUS_LABELS = {"LV": 1, "MYO": 2, "LA": 3}
SPACING_MM = (0.154, 0.308)  # of CAMUS's pixels, along y and x
LIST = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"


PEOPLE = Noise(0.8, NoiseModel.with_mae("laplace", 2.0), 5.0)


@dataclass(frozen=True)
class Made:
    """What is written: clips of each split, their frames and pixels, the people's noise, the seed.

    `noise.outline_px` is in pixels of the clips.
    """

    train: int = 24
    valid: int = 6
    test: int = 12
    frames: int = 150
    size: int = 48
    noise: Noise = PEOPLE
    seed: int = 0

    def clips(self) -> list[tuple[int, str, Clip]]:
        """Return number, split and clip of each."""
        splits = np.repeat(SPLITS, (self.train, self.valid, self.test)).tolist()
        # Of hearts that hardly beat people's outlines would tell ED and ES apart by chance.
        efs = np.random.default_rng([self.seed, 1]).uniform(35, 70, len(splits))
        return [
            (
                k,
                split,
                make_clip(self.seed, k, size=self.size, frames=self.frames, ef=float(efs[k])),
            )
            for k, split in enumerate(splits)
        ]


def write_folder(kind: str, path: Path, made: Made) -> None:
    """Write a folder "echonet", "synthetic" or "camus"; see the functions of these names.

    Raises
    ------
    AnnostatError
        If `path` holds something already, or a library that writes it is missing.
    """
    writers: dict[str, Callable[[Path, Made], None]] = {
        "echonet": write_echonet,
        "synthetic": write_synthetic,
        "camus": write_camus,
    }
    check_choice("kind", kind, list(writers))
    if path.exists() and any(path.iterdir()):
        raise AnnostatError(f"{str(path)!r} holds something already")
    writers[kind](path, made)


def write_echonet(path: Path, made: Made) -> None:
    """Write EchoNet-Dynamic's format, two people's tracings of each test clip in one file.

    Beside the folder `data` lie `teacher/`, and `rounds.csv`: what two people
    picked and read of the test clips.
    """
    rng = np.random.default_rng([made.seed, 2])
    listed, traced = [LIST], ["FileName,X1,Y1,X2,Y2,Frame"]
    rounds = Readings(made.noise, rng)
    for k, split, clip in made.clips():
        name, wide = f"0X{k:015X}", k % 5 == 4  # some frames are wider than high
        frames, truth = (padded(a, wide) for a in (clip.frames, clip.mask("LV")))
        write_avi(path / "data" / "Videos" / f"{name}.avi", frames, clip.fps)
        write_teacher(path / "teacher" / f"{name}.npz", truth)
        listed.append(row_of(name + (".avi" if k % 7 == 6 else ""), clip, split, frames.shape))
        people = 2 if split == "TEST" else 1
        for frame in (clip.es, clip.ed)[:: 1 if k % 2 else -1]:
            for _ in range(people):
                drawn = draw_outlines(truth[[frame]], noise_px=made.noise.outline_px, rng=rng)[0]
                for p, q in discs(drawn):
                    ends = f"{p[0]:.3f},{p[1]:.3f},{q[0]:.3f},{q[1]:.3f}"
                    traced.append(f"{name}.avi,{ends},{frame}")
        if split == "TEST":
            rounds.add(name, clip)
    broken = "0XBROKEN"
    write_text(path / "data" / "Videos" / f"{broken}.avi", "no video\n")
    listed.append(f"{broken},55,40,90,{made.size},{made.size},50,{made.frames},TRAIN")
    write_teacher(path / "teacher" / f"{broken}.npz", np.zeros((1, 8, 8), dtype=bool))
    write_lines(path / "data" / "FileList.csv", listed)
    write_lines(path / "data" / "VolumeTracings.csv", traced)
    rounds.write(path)


def write_synthetic(path: Path, made: Made) -> None:
    """Write EchoNet-Synthetic's format: whole EF, no volumes, no tracings.

    Beside the folder `data` lie `teacher/`, what two people drew of the test clips at ED and ES
    (`anna/CLIP_FRAME.png`, `ben/CLIP_FRAME.png`), and `rounds.csv`.
    """
    rng = np.random.default_rng([made.seed, 3])
    listed = [LIST]
    rounds = Readings(made.noise, rng)
    for k, split, clip in made.clips():
        name, truth = f"sample_{k:06d}", clip.mask("LV")
        write_avi(path / "data" / "Videos" / f"{name}.avi", clip.frames, clip.fps)
        write_teacher(path / "teacher" / f"{name}.npz", truth)
        listed.append(row_of(name, clip, split, clip.frames.shape, volumes=False))
        if split != "TEST":
            continue
        rounds.add(name, clip)
        for person, frame in itertools.product(("anna", "ben"), (clip.ed, clip.es)):
            drawn = draw_outlines(truth[[frame]], noise_px=made.noise.outline_px, rng=rng)[0]
            write_png(path / person / f"{name}_{frame}.png", drawn)
    write_lines(path / "data" / "FileList.csv", listed)
    rounds.write(path)


def write_camus(path: Path, made: Made) -> None:
    """Write CAMUS's format: NIfTI of the frames between ED and ES, with one person's labels.

    Pixels are half as high as wide, odd patients begin at ES. Beside the folder `data` lie
    `second/`, what another person drew of the test clips at ED and ES in the same format,
    `teacher/` with a folder for each structure, and `rounds.csv`.
    """
    rng = np.random.default_rng([made.seed, 4])
    patients: dict[str, list[str]] = {name: [] for name in SUBGROUPS}
    rounds = Readings(made.noise, rng)
    for k, split, clip in made.clips():
        patient = f"patient{k + 1:04d}"
        patients[SUBGROUPS[SPLITS.index(split)]].append(patient)
        item, home = f"{patient}_4CH", path / "data" / "database_nifti" / patient
        part = slice(clip.ed, clip.es + 1)
        frames, n = clip.frames[part], clip.es + 1 - clip.ed
        truth = {s: clip.mask(s)[part] for s in CAMUS_LABELS}
        one = labelled(truth, made.noise.outline_px, rng)
        two = labelled({s: m[[0, -1]] for s, m in truth.items()}, made.noise.outline_px, rng)
        ed, es = 0, n - 1
        if k % 2 == 0:  # patient0001 and so on
            frames, one, two, ed, es = frames[::-1], one[::-1], two[::-1], es, ed
            truth = {s: m[::-1] for s, m in truth.items()}
        facts = {
            "ED": ed + 1,
            "ES": es + 1,
            "NbFrame": n,
            "Sex": "F",
            "Age": 56,
            "ImageQuality": ("Good", "Medium", "Poor")[k % 3],
            "EF": f"{clip.ef:.0f}",
            "FrameRate": clip.fps,
        }
        write_lines(home / "Info_4CH.cfg", [f"{name}: {v}" for name, v in facts.items()])
        write_nifti(home / f"{item}_half_sequence.nii.gz", frames)
        write_nifti(home / f"{item}_half_sequence_gt.nii.gz", one)
        for phase, t in (("ED", ed), ("ES", es)):
            write_nifti(home / f"{item}_{phase}.nii.gz", frames[t])
            write_nifti(home / f"{item}_{phase}_gt.nii.gz", one[t])
            if split == "TEST":
                second = two[0 if t == 0 else -1]
                write_nifti(path / "second" / patient / f"{item}_{phase}_gt.nii.gz", second)
        for structure, masks in truth.items():
            write_teacher(path / "teacher" / structure / f"{item}.npz", masks.repeat(2, axis=1))
        if split == "TEST":
            rounds.add(item, clip)
    for name, kept in patients.items():
        write_lines(path / "data" / "database_split" / f"subgroup_{name}.txt", kept)
    rounds.write(path, kinds=("ef",))


class Readings:
    """What two people pick and read of clips, to be written as a table."""

    def __init__(self, noise: Noise, rng: np.random.Generator) -> None:
        self.noise, self.rng = noise, rng
        self.rows: list[tuple[str, dict[str, str]]] = []

    def add(self, name: str, clip: Clip) -> None:
        """Let both look at a clip."""
        row = {}
        for what, true in (("es", clip.es), ("ed", clip.ed)):
            drawn = simulate_rounds(self.noise.picks, 1, 2, truth=[true], rng=self.rng).values[0]
            picks = np.clip(drawn, 0, len(clip.frames) - 1)
            row[what] = f"{picks[0]:.0f},{picks[1]:.0f}"
        ef = clip.ef + self.rng.normal(0, self.noise.ef_points, 2)
        self.rows.append((name, {**row, "ef": f"{ef[0]:.2f},{ef[1]:.2f}"}))

    def write(self, path: Path, kinds: Sequence[str] = ("es", "ed", "ef")) -> None:
        """Write the table."""
        head = ["clip", *(f"{kind}_first,{kind}_second" for kind in kinds)]
        lines = [[name, *(row[kind] for kind in kinds)] for name, row in self.rows]
        write_lines(path / "rounds.csv", [",".join(line) for line in (head, *lines)])


def row_of(name: str, clip: Clip, split: str, shape: Sequence[int], *, volumes: bool = True) -> str:
    """Return a clip's row of FileList.csv."""
    edv, esv = (float(clip.volumes_ml[t]) if volumes else 0 for t in (clip.ed, clip.es))
    ef = f"{clip.ef:.6f}" if volumes else f"{clip.ef:.0f}"
    n, height, width = shape
    return f"{name},{ef},{esv:g},{edv:g},{height},{width},{clip.fps:g},{n},{split}"


def padded(values: NDArray[Any], wide: bool) -> NDArray[Any]:
    """Return frames or masks with a quarter more columns, if they are to be wide."""
    if not wide:
        return values
    more = values.shape[2] // 4 // 2 * 2
    return np.pad(values, ((0, 0), (0, 0), (more // 2, more // 2)))


def labelled(
    truth: dict[str, NDArray[np.bool_]], noise_px: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return label maps as one person draws them; the ventricle lies over the myocardium."""
    out = np.zeros(truth["LV"].shape, dtype=np.uint8)
    for structure in ("MYO", "LA", "LV"):
        masks = truth[structure]
        if structure == "MYO":  # outlines are those of the epicardium
            masks = masks | truth["LV"]
        out[draw_outlines(masks, noise_px=noise_px, rng=rng)] = CAMUS_LABELS[structure]
    return out


def discs(mask: NDArray[np.bool_], n: int = 20) -> NDArray[np.float64]:
    """Return the long axis of a mask and n chords across it, shape (1 + n, 2, 2) of x, y."""
    y, x = np.nonzero(mask)
    points = np.column_stack([x, y]).astype(float)
    centre = points.mean(axis=0)
    axis = np.linalg.svd(points - centre, full_matrices=False)[2][0]
    axis *= np.sign(axis[1]) or 1.0  # from the apex, which is up, to the base
    across = np.array([-axis[1], axis[0]])
    along, side = (points - centre) @ axis, (points - centre) @ across
    edges = np.linspace(along.min(), along.max(), n + 1)
    found = [np.stack([centre + edges[0] * axis, centre + edges[-1] * axis])]
    for low, high in itertools.pairwise(edges):
        inside = side[(along >= low - 0.5) & (along <= high + 0.5)]
        foot = centre + (low + high) / 2 * axis
        found.append(np.stack([foot + inside.min() * across, foot + inside.max() * across]))
    return np.stack(found)


def write_avi(path: Path, frames: NDArray[np.uint8], fps: float) -> None:
    """Write grey frames as EchoNet stores them: motion JPEG in AVI."""
    try:
        import av
    except ImportError:
        raise AnnostatError('writing clips needs PyAV: pip install "annostat[video]"') from None
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=round(fps))
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuvj420p"
        stream.codec_context.qmin = stream.codec_context.qmax = 2
        for grey in frames:
            frame = av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, axis=2), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_png(path: Path, mask: NDArray[np.bool_]) -> None:
    """Write a mask, 255 inside."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(255 * mask.astype(np.uint8)).save(path)


def write_nifti(path: Path, values: NDArray[np.uint8]) -> None:
    """Write ([t,] y, x) as CAMUS does, (x, y[, t]), each row twice: pixels are half as high."""
    nibabel: Any = import_module("nibabel")
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(np.ascontiguousarray(values.repeat(2, axis=-2).T), np.eye(4))
    image.header.set_zooms([*SPACING_MM[::-1], 0.02][: values.ndim])
    image.to_filename(path)


def write_teacher(path: Path, masks: NDArray[np.bool_]) -> None:
    """Write masks as teachers do, 255 for certain."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = 255 * masks.astype(np.uint8)
    write_whole(path, lambda stream: np.savez_compressed(stream, values))


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join(lines) + "\n")
