"""CAMUS: two views of the heart with masks, as NIfTI or in the older MHD release.

Leclerc et al. (2019), IEEE Trans Med Imaging 38:2198. None of it is shipped with annostat.
Arrays have the axes (y, x) or (t, y, x) whatever library read them: nibabel gives (x, y, t) and
SimpleITK (t, y, x), which is a silent transpose for those who mix them.
"""

from __future__ import annotations

import gzip
import importlib
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.datasets.folders import is_inside, open_folder
from annostat.errors import AnnostatError, check_choice, check_count, shown
from annostat.files import reading

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Camus", "CamusImage", "read_camus"]

LABELS = {1: "left ventricle", 2: "myocardium", 3: "left atrium"}
VIEWS = ("2CH", "4CH")
KINDS = ("ED", "ES", "sequence")
MAX_BYTES = 1 << 30
MAX_OFFSET = 1 << 20  # bytes of NIfTI header extensions


@dataclass(frozen=True, eq=False, slots=True)
class CamusImage:
    """An image, a mask, or a sequence of them, with its axes and its pixel size stated.

    Attributes
    ----------
    values : array of shape (y, x) or (t, y, x)
        As stored; masks hold 0 background, 1 left ventricle, 2 myocardium, 3 left atrium.
    spacing_mm : tuple of float
        Distance of neighbouring pixels along y and along x, in millimetres.
    """

    values: NDArray[Any]
    spacing_mm: tuple[float, float]

    @property
    def axes(self) -> str:
        """Names of the axes: "yx" or "tyx"."""
        return "tyx" if self.values.ndim == 3 else "yx"

    def area_mm2(self, label: int = 1) -> NDArray[np.float64]:
        """Return the area of a label in mm²: a scalar array, or one value per frame."""
        inside = (self.values == label).sum(axis=(-2, -1))
        return np.asarray(inside * self.spacing_mm[0] * self.spacing_mm[1], dtype=np.float64)

    def squared(self, size: int = 112, *, mask: bool = False) -> NDArray[Any]:
        """Return the image in a square of `size` × `size` isotropic pixels.

        The square holds the whole image, centred; its side is the longer side of the image in
        millimetres, so that a round heart stays round: the spacing is resampled before squaring.

        Parameters
        ----------
        size : int
            Pixels along a side.
        mask : bool
            True takes the nearest label; False interpolates linearly after a Gaussian blur of
            σ = (step − 1)/2 source pixels along each axis that shrinks.

        Returns
        -------
        array of shape ([t,] size, size), of the dtype of `values`; 0 outside the image.
        """
        from scipy import ndimage

        size = check_count("size", size, low=1)
        shape = self.values.shape[-2:]
        side = max(n * s for n, s in zip(shape, self.spacing_mm, strict=True))
        # Centres of the new pixels, in units of the old ones.
        offsets = ((np.arange(size) + 0.5) / size - 0.5) * side
        grid = [offsets / s + (n - 1) / 2 for n, s in zip(shape, self.spacing_mm, strict=True)]
        where = np.meshgrid(*grid, indexing="ij")
        frames = self.values.reshape(-1, *shape)
        out = np.zeros((len(frames), size, size), dtype=self.values.dtype)
        blur = [max(0.0, (side / size / s - 1) / 2) for s in self.spacing_mm]
        for frame, target in zip(frames, out, strict=True):
            if mask:
                target[:] = ndimage.map_coordinates(frame, where, order=0, cval=0)
                continue
            smooth = ndimage.gaussian_filter(frame.astype(np.float64), blur)
            drawn = ndimage.map_coordinates(smooth, where, order=1, cval=0)
            target[:] = np.rint(drawn) if self.values.dtype.kind in "iu" else drawn
        return out.reshape(*self.values.shape[:-2], size, size)


@dataclass(frozen=True, eq=False)
class Camus:
    """A folder of CAMUS.

    Attributes
    ----------
    folder : Path
        Resolved path of the folder that holds the patients.
    table : DataFrame
        One row for each patient and view: item ("patient0001_2CH"), patient, view, ed_frame and
        es_frame (from 0), n_frames, ef (percent), edv_ml, esv_ml, fps, quality, sex, age, split
        ("" if not listed). Either of ED and ES may come first. NaN where the file says nothing.
    splits : dict of str to tuple of str
        Patients of each `subgroup_*.txt`, as listed.
    problems : tuple of (str, str)
        Item and text: a configuration that could not be read, a link that leaves the folder.
    """

    folder: Path
    table: pd.DataFrame
    splits: dict[str, tuple[str, ...]]
    problems: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"<Camus: {self.table['patient'].nunique()} patients, {len(self.table)} views>"

    def path(self, item: str, kind: str, *, labels: bool = False) -> Path | None:
        """Return the file of an image, or None if there is none inside the folder."""
        check_choice("kind", kind, KINDS)
        patient = item.rsplit("_", 1)[0]
        gt = "_gt" if labels else ""
        names = (kind,) if kind != "sequence" else ("half_sequence", "sequence")
        for name in names:
            for suffix in (".nii.gz", ".nii", ".mhd"):
                path = self.folder / patient / f"{item}_{name}{gt}{suffix}"
                if path.is_file() and is_inside(self.folder, path):
                    reading(path)
                    return path
        return None

    def image(self, item: str, kind: str = "ED", *, labels: bool = False) -> CamusImage:
        """Read one image, mask or sequence.

        Parameters
        ----------
        item : str
            Such as "patient0001_4CH".
        kind : {"ED", "ES", "sequence"}
        labels : bool
            True for the mask.

        Returns
        -------
        CamusImage
            Axes (y, x), or (t, y, x) for a sequence.
        """
        path = self.path(item, kind, labels=labels)
        if path is None:
            what = f"{kind} mask" if labels else kind
            raise AnnostatError(f"item: there is no {what} of {item!r} in {str(self.folder)!r}")
        return read_image(path)


def read_camus(folder: str | os.PathLike[str]) -> Camus:
    """Read a folder of CAMUS, NIfTI or MHD.

    Parameters
    ----------
    folder : path
        The folder that holds `patient0001` and so on, or one above it (`database_nifti` or
        `training`); `database_split/subgroup_*.txt` may lie beside them.

    Returns
    -------
    Camus
        The configurations; images are read when they are asked for (nibabel or SimpleITK).

    Raises
    ------
    AnnostatError
        If there is no patient.
    """
    import pandas as pd

    root = open_folder(folder)
    homes = [root, *(root / n for n in ("database_nifti", "training", "testing", "CAMUS_public"))]
    home = next((h for h in homes if is_inside(root, h) and _patients(h)), None)
    if home is None:
        raise AnnostatError(f"folder: {str(folder)!r} holds no patient0001, ...: is it CAMUS?")
    splits: dict[str, tuple[str, ...]] = {}
    for place in (root / "database_split", root.parent / "database_split"):
        for path in sorted(place.glob("subgroup_*.txt")) if place.is_dir() else ():
            # The lists lie beside the folder or in it, and nowhere else.
            if is_inside(place.parent, path) and path.stat().st_size < MAX_OFFSET:
                words = path.read_text(encoding="utf-8", errors="replace").split()
                splits.setdefault(path.stem.removeprefix("subgroup_"), tuple(words))
    split_of = {p: name for name, patients in splits.items() for p in patients}
    rows, problems = [], []
    for patient in _patients(home):
        if not is_inside(root, patient):
            problems.append((patient.name, "is a link that leaves the folder"))
            continue
        for view in VIEWS:
            path = patient / f"Info_{view}.cfg"
            item = f"{patient.name}_{view}"
            if not is_inside(root, path):
                problems.append((item, f"{path.name} is a link that leaves the folder"))
                continue
            if not path.is_file():
                problems.append((item, f"{path.name} is missing"))
                continue
            reading(path)
            facts, bad = _read_config(path)
            problems += [(item, f"{path.name}: {text}") for text in bad]
            split = split_of.get(patient.name, "")
            rows.append({"item": item, "patient": patient.name, "view": view, **facts,
                         "split": split})  # fmt: skip
    columns = ["item", "patient", "view", "ed_frame", "es_frame", "n_frames", "ef", "edv_ml",
               "esv_ml", "fps", "quality", "sex", "age", "split"]  # fmt: skip
    return Camus(home, pd.DataFrame(rows, columns=columns), splits, tuple(problems))


def _patients(home: Path) -> list[Path]:
    return sorted(home.glob("patient[0-9]*")) if home.is_dir() else []


def _read_config(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return what `Info_*.cfg` says, and what of it is no number."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.stat().st_size < 65536 else ""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    given = {key.strip().lower(): value.strip() for key, value in pairs}
    bad: list[str] = []

    def number(*keys: str) -> float:
        key = next((k for k in keys if k in given), None)
        if key is None:
            return np.nan
        try:
            return float(given[key])
        except ValueError:
            bad.append(f"{key} is no number: {shown([given[key]])}")
            return np.nan

    bad += [f"{key} is missing" for key in ("ed", "es") if key not in given]
    return {
        "ed_frame": number("ed") - 1,
        "es_frame": number("es") - 1,
        "n_frames": number("nbframe"),
        "ef": number("ef", "lvef"),
        "edv_ml": number("edv", "lvedv"),
        "esv_ml": number("esv", "lvesv"),
        "fps": number("framerate"),
        "quality": given.get("imagequality", ""),
        "sex": given.get("sex", ""),
        "age": number("age"),
    }, bad


def read_image(path: Path) -> CamusImage:
    """Read a NIfTI or MHD file with its axes as (y, x) or (t, y, x)."""
    return _read_mhd(path) if path.suffix == ".mhd" else _read_nifti(path)


def image_shape(path: Path) -> tuple[int, ...]:
    """Return the shape that a file's header states, as ([t,] y, x), without reading pixels."""
    if path.suffix == ".mhd":
        return _mhd_reader(path)[1]
    return tuple(int(n) for n in _nifti_header(path).get_data_shape()[::-1])


def _library(name: str, files: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise AnnostatError(
            f"reading {files} needs {name}: pip install 'annostat[camus]'"
        ) from None


def _nifti_header(path: Path) -> Any:
    """Return the header after refusing one that promises more than the limits."""
    nibabel = _library("nibabel", "NIfTI")
    try:
        # A few bytes only: a compressed file may hold any number of them.
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            head = stream.read(nibabel.Nifti1Header.sizeof_hdr)
        header = nibabel.Nifti1Header(head)
        shape = [int(n) for n in header.get_data_shape()]
        offset = float(header["vox_offset"])
    except Exception as error:
        raise _unreadable(path, error) from None
    size = int(np.dtype(header.get_data_dtype()).itemsize)
    for n in shape:
        size *= max(n, 1)
    if size > MAX_BYTES or not 0 <= offset <= MAX_OFFSET or len(shape) > 7:
        raise AnnostatError(
            f"{path.name} promises {size:,} bytes of pixels {offset:,.0f} bytes into the file; "
            f"the limits are {MAX_BYTES:,} and {MAX_OFFSET:,}"
        )
    return header


def _read_nifti(path: Path) -> CamusImage:
    header = _nifti_header(path)
    nibabel = _library("nibabel", "NIfTI")
    try:
        image = nibabel.Nifti1Image.from_filename(path)
        values = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error, nibabel.spatialimages.HeaderDataError,
            nibabel.filebasedimages.ImageFileError) as error:  # fmt: skip
        raise _unreadable(path, error) from None
    zooms = [float(z) for z in header.get_zooms()]
    # (x, y, 1) or (x, y, 1, t) where a writer kept an axis of depth.
    keep = [i for i, n in enumerate(values.shape) if i < 2 or n > 1]
    values = values.reshape([values.shape[i] for i in keep])
    if values.ndim not in (2, 3):
        raise AnnostatError(f"{path.name} has the shape {values.shape}: not (x, y) or (x, y, t)")
    return _checked(path, values.T, (zooms[1], zooms[0]))


def _mhd_reader(path: Path) -> tuple[Any, tuple[int, ...]]:
    """Return SimpleITK's reader and the shape, after refusing what leaves the folder or limits."""
    library = _library("SimpleITK", "MHD")
    if path.stat().st_size > MAX_OFFSET:
        raise AnnostatError(f"{path.name} is too large for an MHD header")
    text = path.read_text(encoding="latin-1")
    names = [
        line.split("=", 1)[1].strip()
        for line in text.splitlines()
        if line.split("=", 1)[0].strip().lower() == "elementdatafile" and "=" in line
    ]
    data = path.parent / names[-1] if names else path.parent
    plain = len(names) == 1 and Path(names[0]).name == names[0] and names[0] not in ("LIST", "..")
    if not plain or "%" in names[0] or " " in names[0] or not is_inside(path.parent, data):
        raise AnnostatError(f"{path.name}: ElementDataFile must name one file beside it")
    # The library makes room for as many axes as a header promises.
    if not set(re.findall(r"ndims\s*[=:]\s*(\S*)", text, re.IGNORECASE)) <= {"2", "3", "4"}:
        raise AnnostatError(f"{path.name} cannot be read: NDims must be 2, 3 or 4")
    reader = library.ImageFileReader()
    reader.SetImageIO("MetaImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        shape = tuple(int(n) for n in reader.GetSize()[::-1])
        components = int(reader.GetNumberOfComponents())
    except (RuntimeError, ValueError) as error:
        raise _unreadable(path, error) from None
    size = 8 * components
    for n in shape:
        size *= max(n, 1)
    if size > MAX_BYTES:
        raise AnnostatError(
            f"{path.name} promises {shape} pixels; the limit is {MAX_BYTES:,} bytes"
        )
    return reader, shape


def _read_mhd(path: Path) -> CamusImage:
    reader, _ = _mhd_reader(path)
    try:
        image = reader.Execute()
    except (RuntimeError, ValueError) as error:
        raise _unreadable(path, error) from None
    values = _library("SimpleITK", "MHD").GetArrayFromImage(
        image
    )  # (t, y, x), in the older release (1, y, x)
    if values.ndim == 3 and len(values) == 1:
        values = values[0]
    if values.ndim not in (2, 3):
        raise AnnostatError(f"{path.name} has the shape {values.shape}: not (y, x) or (t, y, x)")
    spacing = image.GetSpacing()
    return _checked(path, values, (float(spacing[1]), float(spacing[0])))


def _checked(path: Path, values: NDArray[Any], spacing: tuple[float, float]) -> CamusImage:
    if not all(np.isfinite(s) and s > 0 for s in spacing):
        raise AnnostatError(f"{path.name} states a pixel spacing of {spacing} mm")
    if values.size == 0:
        raise AnnostatError(f"{path.name} holds no pixel")
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.rint(values)).all():
        low, high = float(values.min()), float(values.max())
        if low >= 0 and high <= 255:  # grey values and labels that passed through floats
            values = values.astype(np.uint8)
    return CamusImage(np.ascontiguousarray(values), spacing)


def _unreadable(path: Path, error: Exception) -> AnnostatError:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    return AnnostatError(f"{path.name} cannot be read: {text}")
