"""Clips in folders as they are stored, and masks in their geometry."""

from __future__ import annotations

import gzip
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annostat import AnnostatError
from annostat.datasets import read_camus
from annostat.errors import shown
from annostat.files import write_whole
from models.data.clip_files import (
    CLIPS,
    IMAGES,
    NIFTI,
    Whole,
    images_of,
    name_of,
    read_whole,
    suffix_of,
)

Bytes = NDArray[np.uint8]


def clips_in(path: Path) -> dict[str, Callable[[], Whole]]:
    """Return the clips of a folder, or one file, by name; each is read when it is called.

    A folder holds files of clips (see `read_whole`), folders of images, one for each clip, or both;
    or a folder `Videos` of them, or images of one clip; or it is one of CAMUS.

    Raises
    ------
    AnnostatError
        If there are none; and by a call, if that clip cannot be read.
    """
    if path.is_file():
        return {name_of(path): _reader(path)}
    if not path.is_dir():
        raise AnnostatError(f"there are no clips {str(path)!r}")
    if _is_camus(path):
        return _camus_clips(path)
    folder = path / "Videos" if (path / "Videos").is_dir() else path
    inside = sorted(f for f in folder.iterdir() if not f.name.startswith("."))
    found = [f for f in inside if (images_of(f) if f.is_dir() else suffix_of(f))]
    if not found and images_of(folder):
        found = [folder]
    if not found:
        raise AnnostatError(
            f"{str(folder)!r} holds no clip ({', '.join(CLIPS)}, or folders of {', '.join(IMAGES)})"
        )
    names = [name_of(f) for f in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AnnostatError(
            f"{str(folder)!r} holds several files of the same name ({shown(twice)}): their masks "
            "would have one name"
        )
    return {name: _reader(f) for name, f in zip(names, found, strict=True)}


def _reader(path: Path) -> Callable[[], Whole]:
    return lambda: read_whole(path)


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
            stored = folder.path(item, "sequence")
            nifti = stored if stored and stored.name.endswith(NIFTI) else None
            return Whole(image.values, image, nifti)

        return read

    return {str(item): reader(str(item)) for item in folder.table["item"]}


def write_masks(path: Path, masks: Bytes) -> None:
    """Write the masks (T, H, W) of one clip in the format of `annostat.datasets.MaskFolder`."""
    write_whole(path, lambda stream: np.savez_compressed(stream, masks))


def write_nifti(path: Path, masks: Bytes, like: Path) -> None:
    """Write masks (T, H, W) as NIfTI with the axes and the place in space of the clip's file."""
    import nibabel

    source: Any = nibabel.load(like)
    header = source.header.copy()
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0  # the grey levels that a viewer was to show
    image = source.__class__(masks.T.reshape(source.shape), None, header)
    packed = gzip.compress(image.to_bytes(), mtime=0)
    write_whole(path, lambda stream: stream.write(packed))


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
