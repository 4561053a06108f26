"""One image file: NIfTI, MHD, MHA, NRRD, PNG, TIFF; its pixels, their size, and which way it lies.

Arrays have the axes (y, x), (t, y, x) or (z, y, x) whatever library read them: nibabel gives
(x, y, t) and SimpleITK (t, y, x), which is a silent transpose for those who mix them.

A file is foreign data. What a header promises is held against the limits before memory is taken
for it, and what is compressed is decompressed to its end, where its check sum is, before a pixel of
it counts: the libraries stop at the last pixel.
"""

from __future__ import annotations

import gzip
import importlib
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError
from annostat.files import reading
from annostat.tables.meta_files import check_meta, check_nrrd

__all__ = ["LPS", "SUFFIXES", "Picture", "library", "read_header", "read_picture", "turned"]

NIFTI = (".nii.gz", ".nii")
META = (".mhd", ".mha", ".nrrd")
DRAWN = (".png", ".tif", ".tiff")
SUFFIXES = (*NIFTI, *META, *DRAWN)
MAX_BYTES = 1 << 30
MAX_OFFSET = 1 << 20  # bytes of NIfTI header extensions
MAX_TAIL = 1 << 26  # bytes after the pixels, of compressed files
CHUNK = 1 << 20
# To the patient's left, to the back, to the head: slices lie as a viewer shows them.
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """An image as it is stored, with what its header says.

    Attributes
    ----------
    values : array of shape (y, x), (t, y, x) or (z, y, x)
    spacing : tuple of float or None
        Size of a pixel in mm, one for each of z, y, x that there is; None if nothing states it.
    affine : float64 array of shape (4, 4) or None
        Where the index (x, y, z, 1) lies, in mm to the right, the front and the head; None if the
        file does not say.
    axis : str
        What the first of three axes is, "t" or "z"; "" for one image.
    shape : tuple of int
        That of `values`, known before they are read.
    """

    values: NDArray[Any]
    spacing: tuple[float, ...] | None
    affine: NDArray[np.float64] | None
    axis: str
    shape: tuple[int, ...] = ()


def read_picture(path: Path) -> Picture:
    """Read an image as it is stored.

    Raises
    ------
    AnnostatError
        If the library for it is missing, or the file is broken, no image, of colours, or promises
        more than 1 GiB.
    """
    reading(path)
    kind = _kind_of(path)
    if kind in DRAWN:
        return _read_drawn(path)
    return _read_nifti(path) if kind in NIFTI else _read_meta(path)


def read_header(path: Path) -> Picture:
    """Read all of an image but its pixels: `values` is empty, `shape` is known."""
    reading(path)
    kind = _kind_of(path)
    if kind in DRAWN:
        found = _read_drawn(path)
        return replace(found, values=np.empty(0))
    return _nifti_facts(path)[0] if kind in NIFTI else _meta_facts(path)[1]


def _kind_of(path: Path) -> str:
    """Return the suffix of an image that is read; any other file is refused."""
    kind = suffix_of(path)
    if not kind:
        raise AnnostatError(f"{path.name} is no image that is read ({', '.join(SUFFIXES)})")
    return kind


def suffix_of(path: Path) -> str:
    """Return the suffix of an image that is read, in lower case, else ""."""
    name = path.name.lower()
    return next((s for s in SUFFIXES if name.endswith(s)), "")


def library(name: str, files: str) -> Any:
    """Return a library of the extra `masks`, or say how it is installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise AnnostatError(
            f"reading {files} needs {name.partition('.')[0]}: pip install 'annostat[masks]'"
        ) from None


def unreadable(path: Path, error: Exception) -> AnnostatError:
    """Return what a library said of a file, in one line."""
    text = " ".join(str(error).split())
    text = re.sub(r".*itk::ERROR: (\w+\(0x\w+\): )?", "", text)  # where in memory and in its source
    return AnnostatError(f"{path.name} cannot be read: {text[:200] or type(error).__name__}")


# NIfTI


def _nifti_facts(path: Path) -> tuple[Picture, Any, int]:
    """Return the header, nibabel's class and the bytes up to the last pixel, within the limits."""
    nibabel = library("nibabel", "NIfTI")
    try:
        # A few bytes only: a compressed file may hold any number of them.
        with _opened(path) as stream:
            head = stream.read(nibabel.Nifti2Header.sizeof_hdr)
        second = len(head) > 3 and 540 in (
            int.from_bytes(head[:4], "little"),
            int.from_bytes(head[:4], "big"),
        )
        kind = nibabel.Nifti2Image if second else nibabel.Nifti1Image
        with _quiet(nibabel):
            header = kind.header_class(head[: kind.header_class.sizeof_hdr])
        shape = [int(n) for n in header.get_data_shape()]
        offset = float(header["vox_offset"])
        dtype = np.dtype(header.get_data_dtype())
        zooms = [float(z) for z in header.get_zooms()]
        stated = bool(header["sform_code"] or header["qform_code"])
        affine = np.asarray(header.get_best_affine(), dtype=np.float64) if stated else None
    except Exception as error:  # nibabel and gzip raise many kinds for broken files
        raise unreadable(path, error) from None
    size = int(dtype.itemsize)
    for n in shape:
        size *= max(n, 1)
    if size > MAX_BYTES or not 0 <= offset <= MAX_OFFSET or len(shape) > 7:
        raise AnnostatError(
            f"{path.name} promises {size:,} bytes of pixels {offset:,.0f} bytes into the file; "
            f"the limits are {MAX_BYTES:,} and {MAX_OFFSET:,}"
        )
    if dtype.kind not in "buif":
        raise AnnostatError(f"{path.name} holds {dtype}: colours or complex numbers are no image")
    shape, axis = _stored_axes(path, shape)
    if affine is not None and not np.isfinite(affine).all():
        raise AnnostatError(f"{path.name} states a place that is not finite")
    spacing = tuple(zooms[: 3 if axis == "z" else 2][::-1])
    header_only = Picture(np.empty(0), _positive(path, spacing), affine, axis, tuple(shape[::-1]))
    return header_only, kind, max(int(offset), kind.header_class.single_vox_offset) + size


@contextmanager
def _quiet(nibabel: Any) -> Iterator[None]:
    """Keep nibabel from printing what it thinks of a header: what matters becomes an error."""
    logger = nibabel.imageglobals.logger
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _stored_axes(path: Path, shape: list[int]) -> tuple[list[int], str]:
    """Return the shape without needless axes of length 1, and what a third axis is."""
    kept = [n for i, n in enumerate(shape) if i < 3 or n > 1]
    if len(kept) == 3:
        return (kept, "z") if kept[2] > 1 else (kept[:2], "")
    if len(kept) == 4 and kept[2] == 1:  # a writer that kept an axis of depth
        return [kept[0], kept[1], kept[3]], "t"
    if len(kept) == 2:
        return kept, ""
    raise AnnostatError(
        f"{path.name} has the shape {tuple(shape)}: not (x, y), (x, y, z) or (x, y, 1, t)"
    )


def _read_nifti(path: Path) -> Picture:
    header, kind, needed = _nifti_facts(path)
    try:
        packed = path.name.lower().endswith(".gz")
        with _quiet(library("nibabel", "NIfTI")):
            image = kind.from_bytes(_unpacked(path, needed)) if packed else kind.from_filename(path)
        values = np.asanyarray(image.dataobj)  # scaled, where the header says so
    except AnnostatError:
        raise
    except Exception as error:  # nibabel and gzip raise many kinds for broken files
        raise unreadable(path, error) from None
    # Scaled numbers are those of a slope that was rounded to 32 bits: 0.1 × 10 is 1.00000001.
    return _checked(path, header, values.reshape(header.shape[::-1]).T)


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


def _unpacked(path: Path, needed: int) -> bytes:
    """Return the first bytes of a compressed file, after going on to its end and check sum."""
    with gzip.open(path) as stream:
        data = stream.read(needed)
        left = MAX_TAIL
        while more := len(stream.read(CHUNK)):
            left -= more
            if left < 0:
                raise AnnostatError(
                    f"{path.name} goes on for more than {MAX_TAIL:,} bytes after its pixels"
                )
    return data


# MHD, MHA, NRRD


def _meta_facts(path: Path) -> tuple[Any, Picture, Callable[[], NDArray[Any] | None]]:
    """Return SimpleITK's reader, the header, and what checks the pixels, within the limits."""
    simpleitk = library("SimpleITK", "MHD, MHA and NRRD")
    nrrd = path.suffix.lower() == ".nrrd"
    try:
        check = check_nrrd(path) if nrrd else check_meta(path)
    except OSError as error:
        raise unreadable(path, error) from None
    reader = simpleitk.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if nrrd else "MetaImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        shape = [int(n) for n in reader.GetSize()]
        components = int(reader.GetNumberOfComponents())
        spacing = [float(s) for s in reader.GetSpacing()]
        direction = np.array(reader.GetDirection(), dtype=np.float64)
        origin = [float(v) for v in reader.GetOrigin()]
        kind = simpleitk.GetPixelIDValueAsString(reader.GetPixelID())
    except (RuntimeError, ValueError) as error:
        raise unreadable(path, error) from None
    size = components
    for n in shape:
        size *= max(n, 1)
    if 8 * size > MAX_BYTES:
        raise AnnostatError(
            f"{path.name} promises {tuple(shape[::-1])} pixels; the limit is {MAX_BYTES:,} bytes"
        )
    if components > 1:
        raise AnnostatError(f"{path.name} has {components} numbers in a pixel: it is no image")
    found = re.fullmatch(r"(8|16|32|64)-bit (unsigned|signed|float).*", kind)
    if found is None:
        raise AnnostatError(f"{path.name} holds {kind}, not numbers")
    dtype = f"{found[2][0].replace('s', 'i')}{int(found[1]) // 8}"

    def pixels() -> NDArray[Any] | None:
        data = check(size * int(found[1]) // 8)
        return None if data is None else np.frombuffer(data[0], data[1] + dtype)

    n = len(shape)
    affine = np.eye(4)
    if n <= 3:
        affine[:n, :n] = direction.reshape(n, n) * spacing
        affine[:n, 3] = origin
    kept, axis = _stored_axes(path, shape)
    place = LPS @ affine if n <= 3 and np.isfinite(affine).all() else None
    steps = _positive(path, tuple(spacing[: 3 if axis == "z" else 2][::-1]))
    return reader, Picture(np.empty(0), steps, place, axis, tuple(kept[::-1])), pixels


def _read_meta(path: Path) -> Picture:
    reader, header, pixels = _meta_facts(path)
    values = pixels()
    if values is None:
        try:
            image = reader.Execute()
        except (RuntimeError, ValueError) as error:
            raise unreadable(path, error) from None
        values = library("SimpleITK", "MHD").GetArrayFromImage(image)
    return _checked(path, header, values.reshape(header.shape))


# PNG, TIFF


def _read_drawn(path: Path) -> Picture:
    image_module = library("PIL.Image", "PNG and TIFF")
    frames: list[NDArray[Any]] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", image_module.DecompressionBombWarning)
            if path.suffix.lower() == ".png":
                with image_module.open(path, formats=["PNG"]) as image:
                    image.verify()  # the check sums of all chunks
            with image_module.open(path, formats=["PNG", "TIFF"]) as image:
                n = int(getattr(image, "n_frames", 1))
                size = image.size
                if 4 * n * size[0] * size[1] > MAX_BYTES:
                    raise AnnostatError(
                        f"{path.name} promises {n} × {size[1]} × {size[0]} pixels; the limit is "
                        f"{MAX_BYTES:,} bytes"
                    )
                _check_pages(path, image, n)
                for k in range(n):
                    image.seek(k)
                    frames.append(_grey(path, image))
    except AnnostatError:
        raise
    except image_module.UnidentifiedImageError:
        raise AnnostatError(
            f"{path.name} cannot be read: it is no PNG, and no TIFF of 8, 16 or 32 bits"
        ) from None
    except Exception as error:  # Pillow raises many kinds for broken files
        raise unreadable(path, error) from None
    if len({f.shape for f in frames}) > 1:
        raise AnnostatError(f"{path.name} holds pages of different sizes")
    values = np.stack(frames) if len(frames) > 1 else frames[0]
    header = Picture(values, None, None, "t" if len(frames) > 1 else "", values.shape)
    return _checked(path, header, values)


def _check_pages(path: Path, image: Any, n: int) -> None:
    """Refuse a TIFF of several images that lists only the first, as large ones of ImageJ do."""
    tags = getattr(image, "tag_v2", {})
    told = str(tags.get(270, ""))[:2000]
    found = re.search(r"images=(\d+)", told) or re.search(r'"shape": \[(\d+), \d+, \d+\]', told)
    if found and int(found[1]) > n:
        raise AnnostatError(
            f"{path.name} says that it holds {found[1]} images and lists {n}; save it as an "
            "ordinary TIFF, or as NIfTI"
        )


def _grey(path: Path, image: Any) -> NDArray[Any]:
    """Return the one number of each pixel, as stored: palettes are numbers, equal colours one."""
    page, mode = np.array(image), image.mode
    if mode == "P":
        colours = np.array(image.getpalette() or [], dtype=np.uint8).reshape(-1, 3)
        if int(page.max()) < len(colours):
            used = colours[np.unique(page)]
            if (used == used[:, :1]).all():  # of greys: they are the numbers, in any order
                return np.asarray(colours[page, 0])
        return page
    if page.ndim == 2:
        # Where 0 is white the library turns the numbers around, as for the eye; labels are numbers.
        if getattr(image, "tag_v2", {}).get(262) == 0 and mode in ("1", "L"):
            return ~page
        return page
    if mode in ("LA", "RGBA", "PA"):
        if (page[..., -1] != 255).any():
            raise AnnostatError(f"{path.name} is in part transparent; save it as numbers, one each")
        page = page[..., :-1]
    if (page != page[..., :1]).any():
        raise AnnostatError(
            f"{path.name} is a picture in colours, which name no structure; save the mask as "
            "numbers (grey or palette)"
        )
    return page[..., 0]


# Of all formats


def _positive(path: Path, spacing: tuple[float, ...]) -> tuple[float, ...]:
    if not all(np.isfinite(s) and s > 0 for s in spacing):
        raise AnnostatError(f"{path.name} states a pixel spacing of {spacing} mm")
    return spacing


def _checked(path: Path, header: Picture, values: NDArray[Any]) -> Picture:
    if values.size == 0:
        raise AnnostatError(f"{path.name} holds no pixel")
    if values.dtype.kind == "f" and np.isfinite(values).all():
        whole = np.rint(values)
        low, high = float(whole.min()), float(whole.max())
        # Grey values and labels that passed through floats, or a slope of 32 bits.
        if low >= 0 and high <= 255 and np.allclose(values, whole, rtol=1e-6, atol=1e-9):
            values = whole.astype(np.uint8)
    return replace(header, values=np.ascontiguousarray(values))


def directions(affine: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    """Return for x, y, z of an array the axis of space that it runs along, and which way (±1)."""
    from itertools import permutations

    steps = affine[:3, :3] / np.maximum(np.linalg.norm(affine[:3, :3], axis=0), 1e-300)
    best = max(permutations(range(3)), key=lambda p: sum(abs(steps[p[i], i]) for i in range(3)))
    return tuple((w, -1 if steps[w, i] < 0 else 1) for i, w in enumerate(best))


def turned(picture: Picture, like: NDArray[np.float64]) -> Picture:
    """Return a picture with its axes in the order and direction of another affine's.

    Axes are exchanged and reversed, nothing is interpolated: an oblique image keeps its angle.
    A picture that does not say how it lies comes back as it is.
    """
    if picture.affine is None:
        return picture
    own, other = directions(picture.affine), directions(like)
    order = [next(i for i in range(3) if own[i][0] == w) for w, _ in other]
    flips = [own[order[j]][1] != other[j][1] for j in range(3)]
    if order == [0, 1, 2] and not any(flips):
        return picture
    values = picture.values.T  # x, y, z or x, y, t or x, y
    if picture.axis != "z":
        values = values[:, :, None]
    values = values.transpose(*order, *range(3, values.ndim))
    values = np.flip(values, tuple(j for j in range(3) if flips[j]))
    back = np.zeros((4, 4))
    back[3, 3] = 1.0
    sizes = [(*picture.shape[::-1], 1)[i] if i < 2 or picture.axis == "z" else 1 for i in order]
    for j, i in enumerate(order):
        back[i, j] = -1.0 if flips[j] else 1.0
        back[i, 3] = sizes[j] - 1 if flips[j] else 0.0
    steps = (*(picture.spacing or (1.0, 1.0))[::-1], 1.0)
    steps = tuple(steps[i] for i in order)
    if picture.axis != "z":
        depth = order.index(2)
        values = values.squeeze(depth)
        steps = tuple(s for j, s in enumerate(steps) if j != depth)
    values = np.ascontiguousarray(values.T)
    spacing = None if picture.spacing is None else steps[::-1]
    return replace(
        picture,
        values=values,
        spacing=spacing,
        affine=picture.affine @ back,
        shape=values.shape,
    )
