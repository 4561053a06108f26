"""What one more person drew on the clips of a store: masks in a folder, or a list of tracings.

A folder holds masks of whole clips, `CLIP.npz` (frames, height, width) or an image of several
frames, where the frames count on which something is drawn; or images of single frames:
`CLIP_FRAME.png` or `CLIP/FRAME.png`, with frames from 0, or ED or ES for the labelled ones. A name
may end in `_gt`, as those of CAMUS do. Masks are as high and wide as the frames of their clip.
Several structures have a folder each, named like them; CAMUS's label maps hold them together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.datasets import read_camus, read_echonet
from annostat.datasets.camus import CamusImage, read_image
from annostat.datasets.echonet import read_tracings
from annostat.datasets.video import clip_info
from annostat.errors import shown
from annostat.tables.image_files import SUFFIXES, read_header, read_picture
from annostat.tables.mask_folders import read_npz
from models.data.camus import LABELS
from models.data.echonet import TRACED
from models.data.images import squared
from models.data.settings import Data
from models.data.store import Bytes, Outline, Store, clips

TRACINGS = "VolumeTracings.csv"
STORED = (".npz", *SUFFIXES)


@dataclass(frozen=True)
class Geometry:
    """Height and width of a clip's frames as stored, the size of a pixel, and its file."""

    shape: tuple[int, int]
    spacing: tuple[float, float] | None = None
    image: Path | None = None

    def squared(self, mask: NDArray[np.bool_], size: int) -> Bytes:
        """Return a mask as the student sees it, uint8 of shape (size, size)."""
        values = 255 * mask.astype(np.uint8)
        if self.spacing is None:
            small: Bytes = squared(values[None], size)[0]
            return small
        return np.asarray(CamusImage(values, self.spacing).squared(size, mask=True))


@dataclass(frozen=True)
class Found:
    """What was drawn of one structure on one frame of a clip, in the clip's own geometry."""

    clip: str
    frame: int
    structure: str
    mask: NDArray[np.bool_]
    who: int = 0


def with_outlines(store: Store, data: Data, paths: Sequence[Path]) -> Store:
    """Return a store with the outlines of further people beside those that it holds.

    Parameters
    ----------
    store : Store
        Of a folder's clips. Where people's labels are its targets, they stand as the first person's
        outlines on the frames that others drew.
    data : Data
        Where the store's clips come from.
    paths : sequence of Path
        A folder for each person, or a list of tracings in the format of EchoNet's.

    Raises
    ------
    AnnostatError
        If a folder holds no outline of these clips, or a mask is not as high and wide as the frames
        of its clip, or of no clear structure.
    """
    geometry, number = geometry_of(data), {name: k for k, name in enumerate(store.names)}
    outlines = [list(own) for own in store.outlines] or [[] for _ in store.names]
    first = 1 + max((o.annotator for own in outlines for o in own), default=0)
    notes, who = list(store.notes), first
    known = first == 1  # else the folder's own people have no identity
    for path in paths:
        n, touched, last = 0, set(), who
        for found in _found(path, store, data, geometry):
            k, shape = number[found.clip], geometry(found.clip).shape
            if found.mask.shape != shape:
                raise AnnostatError(
                    f"{str(path)!r}: the mask of {found.clip!r}, frame {found.frame}, has "
                    f"{found.mask.shape} pixels, the frames of the clip {shape}"
                )
            if not 0 <= found.frame < store.lengths[k]:
                raise AnnostatError(
                    f"{str(path)!r}: {found.clip!r} has frames 0 to {store.lengths[k] - 1}, not "
                    f"{found.frame}"
                )
            small = geometry(found.clip).squared(found.mask, data.size)
            last = max(last, who + found.who)
            outlines[k].append(Outline(found.frame, found.structure, who + found.who, small))
            touched.add(k)
            n += 1
        if not n:
            raise AnnostatError(
                f"{str(path)!r} holds no outline of these clips: its files must be named CLIP.npz, "
                f"CLIP_FRAME.png or CLIP/FRAME.png, with the clips' names ({shown(store.names)})"
            )
        notes.append(f"{path.name}: {n} outlines of one more person, {clips(len(touched))}")
        known &= last == who
        who = last + 1
    if store.kind == "labels":
        for k, own in enumerate(outlines):
            own[:0] = _labels_under(store, data, k, own)
    people = ["folder", *(p.name for p in paths)] if known else []
    people = people if len(set(people)) == len(people) else []
    return replace(store, outlines=outlines, notes=notes, people=people)


def _labels_under(store: Store, data: Data, k: int, drawn: Sequence[Outline]) -> list[Outline]:
    """Return the labels of a clip on the frames that others drew, as outlines."""
    targets = store.clip(k).targets
    places = sorted({(o.frame, data.structures.index(o.structure)) for o in drawn})
    if targets is None:
        return []
    return [Outline(t, data.structures[s], 0, np.asarray(targets[t, s])) for t, s in places]


def geometry_of(data: Data) -> Callable[[str], Geometry]:
    """Return a function that gives the geometry of a clip's stored frames.

    Raises
    ------
    AnnostatError
        For the phantom, whose annotators are simulated.
    """
    if data.kind == "phantom":
        raise AnnostatError("outlines of further people are of real clips, not of the phantom's")
    kept: dict[str, Geometry] = {}
    folder: Any = {"echonet": read_echonet, "camus": read_camus}[data.kind](data.path)

    def look(name: str) -> Geometry:
        if data.kind == "echonet":
            info = clip_info(folder.videos.files[name])
            return Geometry((info.height, info.width))
        path = folder.path(name, "sequence")
        header = read_header(path)
        height, width = header.shape[-2:]
        y, x = (header.spacing or (1.0, 1.0))[-2:]
        return Geometry((height, width), (y, x), path)

    def geometry(name: str) -> Geometry:
        if name not in kept:
            kept[name] = look(name)
        return kept[name]

    return geometry


def _found(
    path: Path, store: Store, data: Data, geometry: Callable[[str], Geometry]
) -> Iterator[Found]:
    """Yield all outlines of these clips that a folder or a list of tracings holds."""
    table = path / TRACINGS if path.is_dir() else path
    if table.is_file():
        if TRACED not in data.structures:
            raise AnnostatError(f"{str(table)!r} holds {TRACED} only, not {shown(data.structures)}")
        for trace in read_tracings(table):
            if trace.clip in store.names:
                shape = geometry(trace.clip).shape
                mask = trace.mask(*shape)
                yield Found(trace.clip, trace.frame, TRACED, mask, trace.annotator)
        return
    if not path.is_dir():
        raise AnnostatError(f"there is no folder of masks {str(path)!r}, nor a list of tracings")
    files = [f for f in sorted(path.rglob("*")) if f.name.lower().endswith(STORED)]
    labels = [f for f in files if _stem(f).endswith("_gt")]  # images lie beside them
    for file in labels or files:
        place = _place(file, path, store)
        if place is not None:
            yield from _drawn(file, place, _structure(file, path, data), data, store, geometry)


def _stem(path: Path) -> str:
    name = path.name.lower()
    suffix = max((s for s in STORED if name.endswith(s)), key=len)
    return path.name[: len(name) - len(suffix)]


def _place(file: Path, root: Path, store: Store) -> tuple[str, int | None] | None:
    """Return the clip of a file and its frame, None for all of them; None if it is of no clip."""
    stem = _stem(file).removesuffix("_gt")
    texts = [stem] if file.parent == root else [stem, f"{file.parent.name}_{stem}"]
    for text in texts:
        if text in store.names:
            return text, None
        found = re.fullmatch(r"(.+?)_(\d+|ED|ES|half_sequence|sequence)", text)
        if not found or found[1] not in store.names:
            continue
        clip, what = found[1], found[2]
        if what.isdecimal():
            return clip, int(what)
        if what.endswith("sequence"):
            return clip, None
        frame = store.facts[store.names.index(clip)].get(what.lower())
        if isinstance(frame, (int, float)) and np.isfinite(frame):
            return clip, int(frame)
    return None


def _structure(file: Path, root: Path, data: Data) -> str | None:
    """Return the structure that a folder between is named after."""
    between = file.relative_to(root).parts[:-1]
    return next((part for part in between if part in data.structures), None)


def _drawn(
    file: Path,
    place: tuple[str, int | None],
    structure: str | None,
    data: Data,
    store: Store,
    geometry: Callable[[str], Geometry],
) -> Iterator[Found]:
    """Yield what one file holds."""
    clip, frame = place
    values = _read(file, geometry(clip))
    if frame is not None and values.ndim == 3 and len(values) == 1:
        values = values[0]
    if values.ndim != (3 if frame is None else 2):
        what = "frames, height, width" if frame is None else "height, width"
        raise AnnostatError(f"{file.name} has the shape {values.shape}, not ({what})")
    n = int(store.lengths[store.names.index(clip)])
    if frame is None and len(values) != n:
        raise AnnostatError(f"{file.name} has {len(values)} masks, its clip {n} frames")
    for name, inside in _inside(file, values, structure, data).items():
        if frame is not None:
            yield Found(clip, frame, name, inside)
            continue
        for t in np.flatnonzero(inside.any(axis=(1, 2))):
            yield Found(clip, int(t), name, inside[t])


def _read(file: Path, of: Geometry) -> NDArray[Any]:
    if file.suffix.lower() == ".npz":
        return read_npz(file)
    if of.image is not None and file.name.lower().endswith((".nii", ".nii.gz")):
        return np.asarray(read_image(file, like=of.image).values)
    return np.asarray(read_picture(file).values)


def _inside(
    file: Path, values: NDArray[Any], structure: str | None, data: Data
) -> dict[str, NDArray[np.bool_]]:
    """Return what is inside of each structure that the numbers of a file speak of."""
    low, high = float(values.min()), float(values.max())
    if data.kind == "camus" and structure is None and values.dtype.kind in "iu" and high <= 3:
        return {s: values == LABELS[s] for s in data.structures}
    name = structure or data.structures[0]
    if values.dtype == bool or (values.dtype.kind in "iu" and low >= 0 and high <= 1):
        return {name: values > 0}
    if values.dtype == np.uint8 and high >= 128:
        return {name: values >= 128}
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return {name: values >= 0.5}
    raise AnnostatError(
        f"{file.name} holds {values.dtype} from {low:g} to {high:g}: a mask holds 0 and 1, 0 to "
        "255, or probabilities"
    )
