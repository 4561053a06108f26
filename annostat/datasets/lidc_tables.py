"""LIDC-IDRI: lung nodules outlined by up to four radiologists each.

The table is built by `analysis/build_lidc.py` from the annotations of the Lung Image Database
Consortium; `data/LIDC-README.md` says how, and under which licence.
"""

from __future__ import annotations

import csv
import gzip
from importlib.resources import files
from io import BytesIO, StringIO
from typing import TYPE_CHECKING

import numpy as np

from annostat.errors import check_choice

if TYPE_CHECKING:
    import pandas as pd

    from annostat.labels import MaskRounds
    from annostat.labels.rounds import Rounds

__all__ = ["lidc", "lidc_masks", "lidc_table"]

# What a reader picked or judged, and its unit.
MEASURES = {
    "largest_slice": "slices",
    "first_slice": "slices",
    "last_slice": "slices",
    "diameter_mm": "mm",
    "volume_mm3": "mm³",
    "subtlety": "",
    "internal_structure": "",
    "calcification": "",
    "sphericity": "",
    "margin": "",
    "lobulation": "",
    "spiculation": "",
    "texture": "",
    "malignancy": "",
}


def lidc_table() -> pd.DataFrame:
    """Return the LIDC-IDRI readings: one row per reading of a nodule.

    Every nodule with two, three or four readings is there: 1,868 nodules of 790 patients.

    Returns
    -------
    DataFrame of shape (6009, 21)
        Sorted by patient, nodule and reading; a fresh copy at every call.

        nodule_id : str
            Patient and a running number, such as "LIDC-IDRI-0001/1".
        patient_id, series_instance_uid : str
            Patient and DICOM series of the scan.
        reading : int64
            1 to 4: the order in the source. It is *not* the identity of a reader.
        largest_slice, first_slice, last_slice : int64
            Slice of the reading's largest outline, its first and its last one: ranks, from 0,
            of the slice among the slices of the scan in the order of increasing z.
        largest_z_mm : float64
            Position of `largest_slice` in millimetres.
        diameter_mm : float64
            Largest distance between two points of one outline, in millimetres.
        volume_mm3 : float64
            Summed area of the outlines less holes, times the slice spacing, in mm³.
        subtlety, internal_structure, calcification, sphericity, margin, lobulation, spiculation, \
texture, malignancy : int64
            Ratings, 1 to 5 (`internal_structure` 1 to 4, `calcification` 1 to 6).
        slice_thickness_mm, slice_spacing_mm : float64
            Thickness of a slice, and the median distance between slices, in millimetres.

    Notes
    -----
    Armato et al. (2011), Med Phys 38(2):915-931, doi:10.1118/1.3528204 (CC BY 3.0); by way of
    Hancock & Magnan (2016), J Med Imaging 3(4):044504, doi:10.1117/1.JMI.3.4.044504.

    Examples
    --------
    >>> from annostat.datasets import lidc_table
    >>> table = lidc_table()
    >>> table["nodule_id"].nunique()
    1868
    >>> table.groupby("nodule_id").size().value_counts().sort_index().to_dict()
    {2: 491, 3: 481, 4: 896}
    """
    import pandas as pd

    # Named, because a column of floats could hold whole numbers only.
    floats = ("largest_z_mm", "diameter_mm", "volume_mm3", "slice_thickness_mm", "slice_spacing_mm")
    return pd.read_csv(BytesIO(_readings()), dtype=dict.fromkeys(floats, "float64"))


def lidc(measure: str = "largest_slice") -> Rounds:
    """Return one measurand of LIDC-IDRI as rounds: nodules × readings.

    Parameters
    ----------
    measure : str
        What the readers gave. Picks, as slice indices: "largest_slice", "first_slice",
        "last_slice". Sizes: "diameter_mm", "volume_mm3". Ratings: "subtlety",
        "internal_structure", "calcification", "sphericity", "margin", "lobulation",
        "spiculation", "texture", "malignancy". See `lidc_table` for what they mean.

    Returns
    -------
    Rounds
        `values` is float64 of shape (1868, 4), NaN where a nodule has fewer than four readings;
        rounds "reading_1" to "reading_4"; `items` are the nodules, `cluster` the patients,
        `period`, of picks only, the slice spacing in millimetres. The rounds are exchangeable:
        the order of the readings is not the identity of a reader.

    Raises
    ------
    AnnostatError
        If there is no such measure.

    Examples
    --------
    >>> from annostat.datasets import lidc
    >>> rounds = lidc("largest_slice")
    >>> rounds.n_items, rounds.n_rounds, rounds.n_pairs
    (1868, 4, 7310)
    >>> rounds.names
    ('reading_1', 'reading_2', 'reading_3', 'reading_4')
    """
    from annostat.labels.read import Read
    from annostat.labels.rounds import Rounds

    check_choice("measure", measure, list(MEASURES))
    # What `rounds_of` makes of `lidc_table`, without pandas, which takes 0.4 s to load.
    header, *rows = csv.reader(StringIO(_readings().decode("utf-8")))
    nodule, reading, patient, distance, measured = (
        header.index(c) for c in ("nodule_id", "reading", "patient_id", "slice_spacing_mm", measure)
    )
    of = {name: i for i, name in enumerate(dict.fromkeys(row[nodule] for row in rows))}
    values = np.full((len(of), 4), np.nan)
    patients, spacing = np.empty(len(of), dtype=object), np.empty(len(of))
    for row in rows:
        i = of[row[nodule]]
        values[i, int(row[reading]) - 1] = float(row[measured] or "nan")
        patients[i], spacing[i] = row[patient], float(row[distance])
    names = tuple(f"reading_{r}" for r in range(1, 5))
    picked = MEASURES[measure] == "slices"
    read = Read(
        f"LIDC-IDRI, {measure}",
        len(of),
        ("nodule_id",),
        names,
        cluster="patient_id",
        n_clusters=len(set(patients)),
        unused=() if picked else ("slice_spacing_mm",),
    )
    return Rounds(
        values,
        names,
        items=np.array(list(of), dtype=object),
        cluster=patients,
        period=spacing if picked else None,
        period_unit="mm" if picked else "",
        unit=MEASURES[measure],
        exchangeable=True,
        read=read,
    )


def _readings() -> bytes:
    data = files("annostat.datasets").joinpath("data", "lidc_readings.csv.gz").read_bytes()
    return gzip.decompress(data)


def rounds_of(table: pd.DataFrame, measure: str) -> Rounds:
    """Return one measurand of a table of readings as rounds."""
    from annostat.labels.layout import Roles
    from annostat.labels.rounds import Rounds

    check_choice("measure", measure, list(MEASURES))
    columns = ["nodule_id", "round", measure, "patient_id", "slice_spacing_mm"]
    picked = MEASURES[measure] == "slices"
    table = table.assign(round="reading_" + table["reading"].astype(str))
    roles = Roles(
        item="nodule_id",
        rater="round",
        value=measure,
        cluster="patient_id",
        period="slice_spacing_mm" if picked else None,
    )
    return Rounds.from_roles(
        table[columns],
        roles,
        source=f"LIDC-IDRI, {measure}",
        period_unit="mm" if picked else "",
        unit=MEASURES[measure],
        exchangeable=True,
    )


def lidc_masks() -> MaskRounds:
    """Return the masks that four radiologists drew of 100 lung nodules, on one slice each.

    Returns
    -------
    MaskRounds
        Four readings of 100 items, one nodule for each of 100 patients; `spacing` is the pixel
        size in millimetres. The raters are exchangeable: the order of the readings is not the
        identity of a reader.

    Notes
    -----
    Armato et al. (2011), Med Phys 38(2):915-931, doi:10.1118/1.3528204 (CC BY 3.0); by way of
    Hancock & Magnan (2016), J Med Imaging 3(4):044504, doi:10.1117/1.JMI.3.4.044504.

    Examples
    --------
    >>> from annostat.datasets import lidc_masks
    >>> rounds = lidc_masks()
    >>> rounds.n_raters, rounds.n_items
    (4, 100)
    """
    import numpy as np

    from annostat.labels import MaskRounds

    data = files("annostat.datasets").joinpath("data", "lidc_masks.npz").read_bytes()
    with np.load(BytesIO(data), allow_pickle=False) as stored:
        shape = tuple(int(n) for n in stored["shape"])
        masks = np.unpackbits(stored["masks"], axis=-1, count=shape[-1]).reshape(shape)
        return MaskRounds.from_arrays(
            {f"reading_{r + 1}": masks[r] for r in range(shape[0])},
            items=stored["nodule_id"].tolist(),
            cluster=stored["patient_id"].tolist(),
            spacing=stored["pixel_mm"],
            spacing_unit="mm",
            exchangeable=True,
        )
