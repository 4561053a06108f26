"""CAMUS: two views of the heart with masks, as NIfTI or in the older MHD release.

Leclerc et al. (2019), IEEE Trans Med Imaging 38:2198. None of it is shipped with annostat.
A mask comes with the axes of its image: one that another tool saved mirrored, with an affine that
says so, is the same mask.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.errors import AnnostatError, check_choice, check_count, printable, shown
from annostat.files import reading
from annostat.tables.folders import is_inside, open_folder
from annostat.tables.image_files import (
    MAX_OFFSET,
    Picture,
    directions,
    read_header,
    read_picture,
    turned,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Camus", "CamusImage", "read_camus", "read_image"]

LABELS = {1: "left ventricle", 2: "myocardium", 3: "left atrium"}
VIEWS = ("2CH", "4CH")
KINDS = ("ED", "ES", "sequence")


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
        return read_image(path, like=self.path(item, kind) if labels else None)


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
        if printable(patient.name) != patient.name:
            problems.append((printable(patient.name), "its name holds what cannot be shown"))
            continue
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
            rows.append(
                {"item": item, "patient": patient.name, "view": view, **facts, "split": split}
            )
    columns = [
        "item",
        "patient",
        "view",
        "ed_frame",
        "es_frame",
        "n_frames",
        "ef",
        "edv_ml",
        "esv_ml",
        "fps",
        "quality",
        "sex",
        "age",
        "split",
    ]
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


def read_image(path: Path, *, like: Path | None = None) -> CamusImage:
    """Read a NIfTI or MHD file with its axes as (y, x) or (t, y, x).

    Parameters
    ----------
    path : Path
    like : Path, optional
        The image of a mask: the mask comes with the axes of that image, whichever way it was saved.

    Raises
    ------
    AnnostatError
        If it cannot be read, or lies elsewhere than that image.
    """
    picture = _plane(read_picture(path))
    if like is not None and picture.affine is not None:
        picture = _laid_on(path, picture, like)
    height, width = picture.spacing or (1.0, 1.0)
    return CamusImage(picture.values, (height, width))


def image_shape(path: Path) -> tuple[int, ...]:
    """Return the shape that a file's header states, as ([t,] y, x), without reading pixels."""
    return read_header(path).shape


def _plane(picture: Picture) -> Picture:
    """Return a stack as a sequence: the third axis of CAMUS is time, whatever its header says."""
    if picture.axis != "z":
        return picture
    spacing = None if picture.spacing is None else picture.spacing[1:]
    return replace(picture, axis="t", spacing=spacing)


def _laid_on(path: Path, mask: Picture, like: Path) -> Picture:
    """Return a mask with the axes of its image; both must then begin at the same place."""
    try:
        image = read_header(like)
    except AnnostatError:  # which is told of the image itself
        return mask
    if image.affine is None or mask.affine is None:
        return mask
    if directions(mask.affine) == directions(image.affine):
        return mask
    found = turned(mask, image.affine)
    step = float(np.linalg.norm(mask.affine[:3, 0]))
    if found.affine is None or np.abs(found.affine - image.affine)[:3, 3].max() > step / 2:
        raise AnnostatError(
            f"{path.name} lies elsewhere than {like.name}: their affines differ; save the mask "
            "with the affine of its image"
        )
    return found
