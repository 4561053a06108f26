"""Clips in folders as they are stored, and masks in their geometry."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from annostat import AnnostatError
from annostat.datasets import read_camus, read_clip
from annostat.errors import shown
from annostat.files import write_whole
from models.data.images import squared, unsquared

Bytes = NDArray[np.uint8]
VIDEOS = (".avi", ".mp4", ".mov", ".mkv", ".webm")


@dataclass(frozen=True)
class Whole:
    """A clip as it is stored.

    Attributes
    ----------
    frames : array of shape (T, H, W)
        Grey levels from 0 to 255.
    image : CamusImage or None
        Where pixels are not square: the frames with their spacing.
    """

    frames: NDArray[Any]
    image: Any = None

    def squared(self, size: int) -> Bytes:
        """Return the frames as a student sees them, uint8 of shape (T, size, size)."""
        if self.image is not None:
            return np.asarray(self.image.squared(size), dtype=np.uint8)
        return squared(self.frames, size)

    def unsquared(self, masks: Bytes) -> Bytes:
        """Return masks (T, size, size) of these frames in their own geometry, (T, H, W)."""
        shape = self.frames.shape[1:]
        if self.image is None:
            return unsquared(masks, (shape[0], shape[1]))
        spacing = self.image.spacing_mm
        size = masks.shape[-1]
        side = max(n * s for n, s in zip(shape, spacing, strict=True))
        # Centres of the clip's own pixels, in units of the square's.
        at = [
            (np.arange(n) - (n - 1) / 2) * s / side * size + (size - 1) / 2
            for n, s in zip(shape, spacing, strict=True)
        ]
        where = np.meshgrid(*at, indexing="ij")
        drawn = [ndimage.map_coordinates(m.astype(np.float32), where, order=1) for m in masks]
        return np.asarray(np.rint(np.stack(drawn)), dtype=np.uint8)


def clips_in(path: Path) -> dict[str, Callable[[], Whole]]:
    """Return the clips of a folder, or one file, by name; each is read when it is called.

    A folder holds videos or .npy files of uint8 frames (T, H, W), or a folder `Videos` of them, or
    is one of CAMUS.

    Raises
    ------
    AnnostatError
        If there are none; and by a call, if that clip cannot be read.
    """
    if path.is_file():
        return {path.stem: lambda: Whole(read_frames(path))}
    if not path.is_dir():
        raise AnnostatError(f"there are no clips {str(path)!r}")
    if _is_camus(path):
        return _camus_clips(path)
    folder = path / "Videos" if (path / "Videos").is_dir() else path
    suffixes = (*VIDEOS, ".npy")
    found = [f for f in sorted(folder.iterdir()) if f.suffix.lower() in suffixes]
    if not found:
        raise AnnostatError(f"{str(folder)!r} holds no clip ({', '.join(suffixes)})")
    names = [f.stem for f in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AnnostatError(
            f"{str(folder)!r} holds several files of the same name ({shown(twice)}): their masks "
            "would have one name"
        )
    return {f.stem: _reader(f) for f in found}


def _reader(path: Path) -> Callable[[], Whole]:
    return lambda: Whole(read_frames(path))


def _is_camus(path: Path) -> bool:
    homes = (path, path / "database_nifti", path / "training")
    return any(
        re.fullmatch(r"patient\d+", child.name) and child.is_dir()
        for home in homes
        if home.is_dir()
        for child in home.iterdir()
    )


def _camus_clips(path: Path) -> dict[str, Callable[[], Whole]]:
    folder = read_camus(path)

    def reader(item: str) -> Callable[[], Whole]:
        def read() -> Whole:
            image = folder.image(item, "sequence")
            return Whole(image.values, image)

        return read

    return {str(item): reader(str(item)) for item in folder.table["item"]}


def read_frames(path: Path) -> Bytes:
    """Return the grey frames (T, H, W) of a video or of a .npy file."""
    if path.suffix != ".npy":
        return read_clip(path)
    try:
        frames = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise AnnostatError(f"{path.name} cannot be read: {error}") from None
    if frames.dtype != np.uint8 or frames.ndim != 3 or 0 in frames.shape:
        raise AnnostatError(
            f"{path.name} must hold uint8 frames (T, H, W), got {frames.dtype} {frames.shape}"
        )
    return np.asarray(frames)


def write_masks(path: Path, masks: Bytes) -> None:
    """Write the masks (T, H, W) of one clip in the format of `annostat.datasets.MaskFolder`."""
    write_whole(path, lambda stream: np.savez_compressed(stream, masks))


def stored_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of the masks in a file that `write_masks` wrote, without reading them."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("arr_0.npy") as file:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, _, _ = read(file)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise AnnostatError(f"{str(path)!r} holds no masks: {error}") from None
    return tuple(shape)
