"""Masks and images of CAMUS, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from annostat.datasets.camus import LABELS, image_shape, read_image
from annostat.errors import AnnostatError


def measure_masks(paths: tuple[Path | None, ...]) -> list[dict[str, Any]]:
    """Measure masks, and the images that they belong to, which follow them in the same order."""
    half = len(paths) // 2
    images = paths[half:]
    pairs = zip(paths[:half], images, strict=True)
    return [measure_mask(m, i) for m, i in pairs] + [measure_mask(i) for i in images]


def measure_mask(path: Path | None, like: Path | None = None) -> dict[str, Any]:
    """Return the shape of an image and, of a mask, its labels and the area of the ventricle."""
    if path is None:
        return {"error": "there is no such file"}
    try:
        if "_gt" not in path.name:
            return {"error": None, "shape": list(image_shape(path))}
        image = read_image(path, like=like)
    except AnnostatError as error:
        return {"error": str(error)}
    known = np.isin(image.values, [0, *LABELS])
    return {
        "error": None,
        "shape": list(image.values.shape),
        "strange": sorted({float(v) for v in image.values[~known].ravel()[:100]})[:5],
        "area_mm2": float(image.area_mm2()),
    }
