"""What readers marked, made from the bundled outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annostat.labels import Findings, Points


def lidc_centres() -> Points:
    """Return the centres of the outlines of 100 lung nodules by four radiologists, in mm.

    Centres of gravity on the slice that is bundled, about a corner of a window around the nodule:
    where a nodule lies in the chest is not known from these data, nor is the third coordinate, as
    all four outlines are of one slice.

    Returns
    -------
    Points
        100 items (nodules, one for each patient) × 4 readings × 1 landmark × 2 coordinates. The
        readings are exchangeable: their order is not the identity of a reader.

    Notes
    -----
    See `lidc_masks`.

    Examples
    --------
    >>> from annostat.datasets import lidc_centres
    >>> lidc_centres().values.shape
    (100, 4, 1, 2)
    """
    from dataclasses import replace

    import numpy as np

    from annostat.datasets.lidc_tables import lidc_masks
    from annostat.labels import Points
    from annostat.labels.columns import canonical_order
    from annostat.labels.read import Read

    masks = lidc_masks()
    inside = np.asarray(masks.values) > 0
    area = inside.sum(axis=(2, 3))
    row, column = (np.arange(n) for n in inside.shape[2:])
    y = (inside.sum(axis=3) * row).sum(axis=2) / area
    x = (inside.sum(axis=2) * column).sum(axis=2) / area
    xy = np.stack([x, y], axis=2).transpose(1, 0, 2)[:, :, None, :]
    xy = xy * np.asarray(masks.spacing)[:, None, None, ::-1]
    read = Read(
        "LIDC-IDRI, centres of outlines on one slice",
        len(xy),
        ("nodule_id",),
        tuple(masks.names),
        cluster="patient_id",
        n_clusters=len(xy),
        notes=("Readers are anonymous.",),
    )
    found = Points(
        xy,
        tuple(masks.names),
        ("centre",),
        "mm",
        masks.items,
        masks.cluster,
        exchangeable=True,
    )
    return replace(found.take(canonical_order(masks.items)), read=read)


DEALT = 0  # seed by which readings are dealt to columns
SAME_NODULE = 200.0  # mm: whatever was grouped by touching outlines is one nodule


def lidc_findings() -> Findings:
    """Return who marked which lung nodule of 3 mm or more on 1,018 CT scans.

    Nodules that one reader alone marked are among them, and so are scans on which nobody marked any
    (all four readers saw every scan). Which readings are one nodule is settled by their outlines,
    those that touch, before this table: nodules stand as classes, and `match="distance 200"` joins
    what they hold.

    Returns
    -------
    Findings
        6,778 points (centres of the boxes around the outlines, x, y, z in mm) of 2,637 nodules.
        Readers are exchangeable: of each nodule, its readings are dealt at random to four columns.

    Notes
    -----
    Readers saw each other's marks before they made these (the second, unblinded phase). Fourteen
    groups of five to eight readings, which nothing parts, are left out. See `lidc_table` for the
    source and its licence.

    Examples
    --------
    >>> from annostat.datasets import lidc_findings
    >>> lidc_findings()
    <Findings: 6,778 points on 1,018 images by 4 readers (reader_1, reader_2, reader_3, reader_4)>
    """
    import gzip
    from importlib.resources import files
    from io import BytesIO

    import numpy as np
    import pandas as pd

    from annostat.labels import Findings
    from annostat.labels.long_tables import positions
    from annostat.labels.read import Read

    data = files("annostat.datasets").joinpath("data", "lidc_findings.csv.gz").read_bytes()
    table = pd.read_csv(BytesIO(gzip.decompress(data)))
    scans = table.drop_duplicates("scan")
    marks = table[table["nodule_id"].notna()]
    items = scans["scan"].to_numpy(dtype=object)
    code, nodules = pd.factorize(marks["nodule_id"])
    rng = np.random.default_rng(DEALT)
    seats = rng.permuted(np.tile(np.arange(4), (len(nodules), 1)), axis=1)
    reading = marks["reading"].str.rsplit("_", n=1).str[1].astype(int).to_numpy() - 1
    names = tuple(f"reader_{j + 1}" for j in range(4))
    patients = scans["patient_id"].to_numpy(dtype=object)
    read = Read(
        "LIDC-IDRI (bundled), nodules of 3 mm or more",
        len(items),
        ("scan",),
        names,
        cluster="patient_id",
        n_clusters=len(set(patients)),
        notes=("Readers are anonymous.", "Outlines that touch are one nodule."),
        noun="scan",
    )
    return Findings(
        "point",
        marks[["x_mm", "y_mm", "z_mm"]].to_numpy(dtype=np.float64),
        positions(marks["scan"], items),
        seats[code, reading],
        names,
        items,
        np.ones((len(items), 4), dtype=bool),
        marks["nodule_id"].to_numpy(dtype=object),
        patients,
        exchangeable=True,
        read=read,
    )
