"""One clip from one file, or from a folder of images: grey frames, and the size of a pixel.

Videos, .npy, NIfTI (and MHD, NRRD), DICOM of several frames, folders of PNG or JPEG. Files are
foreign data: what a header promises is held against a limit before memory is taken for it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from annostat import AnnostatError
from annostat.datasets import read_clip
from annostat.datasets.camus import CamusImage, read_image
from annostat.datasets.video import MAX_CLIP_BYTES, SUFFIXES
from annostat.tables.image_files import library
from models.data.images import squared, unsquared

Bytes = NDArray[np.uint8]
VIDEOS = SUFFIXES
NIFTI = (".nii.gz", ".nii")
VOLUMES = (*NIFTI, ".mhd", ".mha", ".nrrd")
DICOM = (".dcm", ".dicom")
IMAGES = (".png", ".jpg", ".jpeg")
CLIPS = (*VIDEOS, ".npy", *VOLUMES, *DICOM)
MAGIC = slice(128, 132)  # where a DICOM file says that it is one


@dataclass(frozen=True)
class Whole:
    """A clip as it is stored.

    Attributes
    ----------
    frames : array of shape (T, H, W)
        Grey levels from 0 to 255.
    image : CamusImage or None
        Where pixels need not be square: the frames with their spacing.
    nifti : Path or None
        The NIfTI file that they come from, whose place in space masks are to keep.
    """

    frames: NDArray[Any]
    image: Any = None
    nifti: Path | None = None

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


def suffix_of(path: Path) -> str:
    """Return the suffix of a clip's file in lower case, ".dcm" for DICOM without one, else ""."""
    name = path.name.lower()
    found = next((s for s in CLIPS if name.endswith(s)), "")
    if not found and "." not in name and path.is_file():
        with path.open("rb") as stream:
            return ".dcm" if stream.read(MAGIC.stop)[MAGIC] == b"DICM" else ""
    return found


def name_of(path: Path) -> str:
    """Return a clip's name: that of its file or folder without the suffix of a clip."""
    suffix = "" if path.is_dir() else suffix_of(path)
    ended = suffix if path.name.lower().endswith(suffix) else ""
    return path.name[: len(path.name) - len(ended)]


def images_of(folder: Path) -> list[Path]:
    """Return the PNG and JPEG images of a folder; frame 2 comes before frame 10."""
    found = [f for f in folder.iterdir() if f.suffix.lower() in IMAGES and f.is_file()]
    return sorted(found, key=lambda f: [_part(p) for p in re.split(r"(\d+)", f.name)])


def _part(text: str) -> tuple[int, int, str]:
    return (0, int(text), text) if text.isdecimal() else (1, 0, text)


def read_whole(path: Path) -> Whole:
    """Read one clip.

    Parameters
    ----------
    path : Path
        A video; a .npy file of uint8 frames (T, H, W); NIfTI, MHD, MHA or NRRD with time (or depth)
        as the third axis; DICOM of several frames; a folder of images. Colours become their luma.

    Raises
    ------
    AnnostatError
        If it cannot be read, is larger than 4 GiB, has frames of several sizes, or grey levels
        that are not whole numbers from 0 to 255 (DICOM states its bits, and is scaled).
    """
    if path.is_dir():
        return Whole(_stacked(path))
    suffix = suffix_of(path)
    if suffix in VOLUMES:
        image = read_image(path)
        values = _bytes(path.name, image.values.reshape(-1, *image.values.shape[-2:]))
        whole = CamusImage(values, image.spacing_mm)
        return Whole(values, whole, path if suffix in NIFTI else None)
    if suffix in DICOM:
        return _read_dicom(path)
    return Whole(_read_array(path) if suffix == ".npy" else read_clip(path))


def _read_array(path: Path) -> Bytes:
    try:
        frames = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise AnnostatError(f"{path.name} cannot be read: {error}") from None
    if frames.dtype != np.uint8 or frames.ndim != 3 or 0 in frames.shape:
        raise AnnostatError(
            f"{path.name} must hold uint8 frames (T, H, W), got {frames.dtype} {frames.shape}"
        )
    return np.asarray(frames)


def _bytes(name: str, values: NDArray[Any]) -> Bytes:
    """Return grey levels as uint8; others than whole numbers from 0 to 255 are refused."""
    if values.dtype == np.uint8:
        return values
    low, high = float(values.min()), float(values.max())
    found = values.astype(np.uint8) if low >= 0 and high <= 255 else None
    if found is None or not np.array_equal(found, values):
        raise AnnostatError(
            f"{name} holds {values.dtype} from {low:g} to {high:g}: frames are grey levels, whole "
            "numbers from 0 to 255"
        )
    return found


# Folders of images


def _stacked(folder: Path) -> Bytes:
    """Return the images of a folder as frames."""
    frames: list[Bytes] = []
    for path in images_of(folder):
        frames.append(_read_image(path))
        if frames[-1].shape != frames[0].shape:
            raise AnnostatError(
                f"{folder.name}: {path.name} has {frames[-1].shape} pixels, the images before it "
                f"{frames[0].shape}"
            )
        if len(frames) * frames[0].size > MAX_CLIP_BYTES:
            raise AnnostatError(f"{folder.name} takes more than {MAX_CLIP_BYTES:,} bytes")
    if not frames:
        raise AnnostatError(f"{folder.name} holds no image ({', '.join(IMAGES)})")
    return np.stack(frames)


def _read_image(path: Path) -> Bytes:
    pillow = library("PIL.Image", "PNG and JPEG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            with pillow.open(path, formats=["PNG", "JPEG"]) as image:
                if image.mode.startswith(("I", "F")):
                    raise AnnostatError(f"{path.name} has more than 8 bits a pixel; save it as 8")
                return np.array(image.convert("L"))
    except AnnostatError:
        raise
    except Exception as error:  # Pillow raises many kinds for broken files
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> AnnostatError:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    return AnnostatError(f"{path.name} cannot be read: {text}")


# DICOM


def _read_dicom(path: Path) -> Whole:
    """Return the frames of a DICOM file as grey levels of 8 bits, colours as their luma."""
    try:
        pydicom, pixels = (import_module(n) for n in ("pydicom", "pydicom.pixels"))
    except ImportError:
        raise AnnostatError('reading DICOM needs pydicom: pip install "annostat[dicom]"') from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that break the standard and do not matter here
        try:
            head = pydicom.dcmread(path, stop_before_pixels=True)
            shape = [int(head.get(n) or 1) for n in ("NumberOfFrames", "Rows", "Columns")]
            samples, bits = int(head.get("SamplesPerPixel", 1)), int(head.get("BitsStored", 8))
            size = int(np.prod(shape)) * samples * (2 if bits > 8 else 1)
            if size > MAX_CLIP_BYTES:
                raise AnnostatError(f"{path.name} promises {size:,} bytes of pixels")
            values = pixels.pixel_array(path)  # of colours: as RGB
        except AnnostatError:
            raise
        except Exception as error:  # pydicom and its decoders raise many kinds for broken files
            raise _unreadable(path, error) from None
    values = values.reshape(*shape, *([samples] if samples > 1 else []))
    if samples > 1:
        values = np.rint(values[..., :3] @ np.array([0.299, 0.587, 0.114]))
    if int(head.get("PixelRepresentation", 0)) or bits > 8:
        values = np.maximum(values, 0) >> max(bits - 8, 0)
    if str(head.get("PhotometricInterpretation", "")) == "MONOCHROME1":
        values = 255 - values  # where 0 is white
    frames = _bytes(path.name, values)
    spacing = next(_spacings(head), (1.0, 1.0))
    if abs(spacing[0] / spacing[1] - 1) < 1e-3:
        return Whole(frames)
    return Whole(frames, CamusImage(frames, spacing))


def _spacings(head: Any) -> Iterator[tuple[float, float]]:
    """Yield what the header says of the size of a pixel along y and x, the best first."""
    for region in head.get("SequenceOfUltrasoundRegions") or ():
        yield _pair(region.get("PhysicalDeltaY"), region.get("PhysicalDeltaX"))
        break
    for name in ("PixelSpacing", "PixelAspectRatio"):
        if head.get(name):
            yield _pair(*head.get(name))


def _pair(y: Any, x: Any) -> tuple[float, float]:
    """Return two sizes; what is no size counts as square."""
    try:
        found = abs(float(y)), abs(float(x))
    except (TypeError, ValueError):
        return 1.0, 1.0
    return found if min(found) > 0 and np.isfinite(found).all() else (1.0, 1.0)
