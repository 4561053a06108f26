"""What readers marked, made from the bundled outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annostat.labels import Points


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
