"""Findings from COCO JSON: one file for each reader, or one whose annotations name the reader.

An annotation is a box, x, y, width and height from the upper left corner; without one it is the
box around its segmentation: polygons, or run lengths down the columns, also in COCO's compressed
text. Where masks are asked for it is the segmentation itself. The list of images is what the reader
saw, so that empty ones count. Across files an image is known by its file name, as numbers differ
between files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray, IntArray
from annostat.errors import AnnostatError, option, shown
from annostat.labels.finding_shapes import BOX, MASK, box_around
from annostat.labels.runs import Runs
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd

READER_FIELDS = ("reader", "rater", "annotator", "annotator_id", "scorer", "user", "created_by")
OUTSIDE = 0.05  # of an image's side, by which a box may leave it
STANDARD = ("id", "file_name", "license", "flickr_url", "coco_url", "date_captured")


class Coco(NamedTuple):
    """What COCO files hold, as tables.

    Attributes
    ----------
    marks : DataFrame
        image, reader, x1, y1, x2, y2, category, and the other fields of the image.
    seen : DataFrame
        image, reader, and the other fields of the image.
    notes : tuple of str
    """

    marks: pd.DataFrame
    seen: pd.DataFrame
    notes: tuple[str, ...]


def is_coco(path: Path) -> bool:
    """Return whether a file is called .json."""
    return path.suffix.lower() == ".json"


def read_coco(paths: Sequence[Path], *, rater: str | None = None, masks: bool = False) -> Coco:
    """Read COCO files.

    Parameters
    ----------
    paths : sequence of Path
        One file for each reader, called like its reader, or one with a field of the reader. A list
        of results without images, as detectors write them, has the images and the names of
        categories of the first file.
    rater : str, optional
        Field of the annotations that names the reader; found by its usual names.
    masks : bool
        Keep segmentations, in a column "mask" (begin, end, height). A pixel is in a polygon if its
        centre is.

    Raises
    ------
    AnnostatError
        If a file is no COCO JSON, an annotation has neither box nor segmentation or is on an image
        that is not listed, a box leaves its image, or files disagree on the size of an image.
    """
    import pandas as pd

    known: dict[str, tuple[float, float, str]] = {}
    marks: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    crowds = from_masks = 0
    first: dict[Any, Mapping[str, Any]] = {}
    named: dict[Any, str] = {}
    for path in paths:
        images, annotations, names = _parts(path, first)
        names = names or named
        if not first:
            first, named = images, names
        field = _reader_field(annotations, rater, path) if len(paths) == 1 else None
        readers: set[str] = set() if field else {path.stem}
        for at, one in enumerate(annotations):
            where = f"{path.name}, annotation {one.get('id', at + 1)}"
            if one.get("iscrowd"):
                crowds += 1
                continue
            image = images.get(one.get("image_id"))
            if image is None:
                raise AnnostatError(
                    f"{where}: image_id {one.get('image_id')!r} is not among the images"
                )
            reader = path.stem if field is None else _field(one, field, where)
            readers.add(reader)
            box, masked = _box(one, where)
            from_masks += masked
            _check_inside(box, image, where)
            category = names.get(one.get("category_id"), str(one.get("category_id", "")))
            row = {"reader": reader, **dict(zip(BOX, box, strict=True)), "category": category}
            if _is_number(one.get("score")):
                row["score"] = float(one["score"])
            if masks:
                row[MASK] = segmentation(one, _size(image), where)
            marks.append(_about(image) | row)
        for image in images.values():
            _check_size(image, path.name, known)
            seen += [{**_about(image), "reader": r} for r in sorted(readers)]
    notes = []
    if crowds:
        notes.append(f"{counted(crowds, 'crowd region')} left out.")
    if from_masks and not masks:
        notes.append(
            f"{counted(from_masks, 'mask')} taken as the box around it "
            f"({option('kind', 'mask')} keeps the masks)."
        )
    classes = {m["category"] for m in marks}
    if len(classes) > 1:
        notes.append(f"{len(classes)} categories ({shown(sorted(classes), 4)}).")
    columns = ["image", "reader", *BOX, "category", *([MASK] if masks else [])]
    frame = pd.DataFrame(marks) if marks else pd.DataFrame(columns=columns)
    return Coco(frame, pd.DataFrame(seen), tuple(notes))


def _parts(
    path: Path, first: dict[Any, Mapping[str, Any]]
) -> tuple[dict[Any, Mapping[str, Any]], list[Mapping[str, Any]], dict[Any, str]]:
    """Return the images by their numbers, the annotations, and the names of categories."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise AnnostatError(f"{path.name} is no JSON: {str(error).splitlines()[0]}") from None
    if isinstance(data, list):
        if not first:
            raise AnnostatError(
                f"{path.name} is a list of results without images: name a file with images first"
            )
        return first, _mappings(data, path, "results"), {}
    if not isinstance(data, dict) or "images" not in data or "annotations" not in data:
        raise AnnostatError(f"{path.name} is no COCO JSON: it lacks the lists images, annotations")
    images: dict[Any, Mapping[str, Any]] = {}
    for image in _mappings(data["images"], path, "images"):
        number = image.get("id")
        if number is None or number in images:
            why = "without an id" if number is None else f"with the id {number!r} twice"
            raise AnnostatError(f"{path.name} has an image {why}")
        images[number] = image
    categories = _mappings(data.get("categories") or [], path, "categories")
    names = {c.get("id"): str(c.get("name", c.get("id"))) for c in categories}
    return images, _mappings(data["annotations"], path, "annotations"), names


def _mappings(found: Any, path: Path, what: str) -> list[Mapping[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(x, dict) for x in found):
        raise AnnostatError(f"{path.name}: {what} must be a list of objects")
    return found


def _reader_field(
    annotations: Sequence[Mapping[str, Any]], rater: str | None, path: Path
) -> str | None:
    fields = (rater,) if rater else READER_FIELDS
    for name in fields:
        if any(_lookup(one, name) is not None for one in annotations):
            return name
    raise AnnostatError(
        f"{path.name}: no annotation has a field of the reader ({', '.join(fields)}): name it "
        "(--rater F), or give one file for each reader"
    )


def _lookup(one: Mapping[str, Any], name: str) -> Any:
    more = one.get("attributes")
    return one.get(name, more.get(name) if isinstance(more, dict) else None)


def _field(one: Mapping[str, Any], name: str, where: str) -> str:
    value = _lookup(one, name)
    if value is None or str(value).strip() == "":
        raise AnnostatError(f"{where} has no {name}")
    return str(value).strip()


def _about(image: Mapping[str, Any]) -> dict[str, Any]:
    name = str(image.get("file_name") or image["id"])
    more = {
        k: v
        for k, v in image.items()
        if k not in STANDARD and isinstance(v, (str, int, float)) and k not in BOX
    }
    return {**more, "image": name}


def _box(one: Mapping[str, Any], where: str) -> tuple[tuple[float, ...], bool]:
    """Return the corners of an annotation, and whether they are around a segmentation."""
    box, mask = one.get("bbox"), one.get("segmentation")
    if box:
        if not isinstance(box, list) or len(box) != 4 or not all(_is_number(v) for v in box):
            raise AnnostatError(f"{where}: bbox must be [x, y, width, height], got {box!r}")
        x, y, width, height = map(float, box)
        return (x, y, x + width, y + height), False
    if not mask:
        raise AnnostatError(f"{where} has neither bbox nor segmentation")
    if isinstance(mask, dict):
        return box_around(*runs_of(mask, where)), True
    xy = np.concatenate(_polygons(mask, where))
    return (*xy.min(axis=0).tolist(), *xy.max(axis=0).tolist()), True


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def runs_of(mask: Mapping[str, Any], where: str) -> tuple[IntArray, IntArray, int]:
    """Return begins and ends of the pixels of run lengths, down the columns, and the height."""
    size, counts = mask.get("size"), mask.get("counts")
    if isinstance(counts, str):
        counts = run_lengths(counts)
    whole = isinstance(counts, list) and all(isinstance(c, int) and c >= 0 for c in counts)
    if not isinstance(size, list) or len(size) != 2 or not whole:
        raise AnnostatError(f"{where}: run lengths need size [height, width] and counts")
    height, width = size
    ends = np.cumsum(np.asarray(counts, dtype=np.int64))
    if not len(ends) or ends[-1] != height * width:
        raise AnnostatError(f"{where}: run lengths must add up to {height} × {width} pixels")
    end = ends[1::2]
    begin = ends[:-1:2][: len(end)]
    used = end > begin
    if not used.any():
        raise AnnostatError(f"{where}: the mask is empty")
    return begin[used], end[used], int(height)


def segmentation(
    one: Mapping[str, Any], size: tuple[float, float] | None, where: str
) -> tuple[IntArray, IntArray, int]:
    """Return the mask of an annotation: begins and ends of its pixels, and the height.

    Raises
    ------
    AnnostatError
        If it has none, it is of another size than its image, or no pixel's centre is in it.
    """
    mask = one.get("segmentation")
    if not mask:
        raise AnnostatError(f"{where} has no segmentation: leave out {option('kind', 'mask')}")
    if isinstance(mask, dict):
        begin, end, height = runs_of(mask, where)
        if size is not None and mask["size"] != [size[1], size[0]]:
            raise AnnostatError(
                f"{where}: its mask has {mask['size'][1]} × {mask['size'][0]} pixels, its image "
                f"{size[0]:g} × {size[1]:g}"
            )
        return begin, end, height
    if size is None:
        raise AnnostatError(f"{where}: a polygon needs the width and height of its image")
    width, height = (round(v) for v in size)
    inside = np.zeros((height, width), dtype=bool)
    for polygon in _polygons(mask, where):
        inside |= filled(polygon, height, width)
    begin, end = Runs.of_image(inside)
    if not len(begin):
        raise AnnostatError(f"{where}: no pixel's centre is in its polygon")
    return begin, end, height


def filled(polygon: FloatArray, height: int, width: int) -> NDArray[np.bool_]:
    """Return which pixels' centres are in a polygon (even and odd crossings).

    Examples
    --------
    >>> wide = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    >>> filled(wide, 2, 3).astype(int).tolist()
    [[1, 1, 0], [0, 0, 0]]
    """
    found = np.zeros((height, width), dtype=bool)
    x, y = polygon.T
    x2, y2 = np.roll(x, -1), np.roll(y, -1)
    columns = np.arange(width) + 0.5
    top, bottom = max(math.floor(y.min()), 0), min(math.ceil(y.max()), height)
    for row in range(top, bottom):
        crosses = (y <= row + 0.5) != (y2 <= row + 0.5)
        at = x[crosses] + (row + 0.5 - y[crosses]) / (y2 - y)[crosses] * (x2 - x)[crosses]
        found[row] = np.searchsorted(np.sort(at), columns, side="right") % 2 == 1
    return found


def _polygons(mask: Any, where: str) -> list[FloatArray]:
    try:
        return [np.asarray(p, dtype=np.float64).reshape(-1, 2) for p in mask]
    except (ValueError, TypeError):
        raise AnnostatError(f"{where}: a polygon must be [x1, y1, x2, y2, ...]") from None


def run_lengths(text: str) -> list[int]:
    """Return the run lengths of COCO's compressed text.

    Five bits a character from 48 on, a sixth says that more follow, the last has the sign; from the
    fourth run on each is less the one two before (`rleFrString` of the COCO API).

    Examples
    --------
    >>> run_lengths("52203")
    [5, 2, 2, 2, 5]
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def _check_inside(box: Sequence[float], image: Mapping[str, Any], where: str) -> None:
    size = _size(image)
    if size is None:
        return
    width, height = size
    x1, y1, x2, y2 = box
    x_out = x1 < -OUTSIDE * width or x2 > (1 + OUTSIDE) * width
    y_out = y1 < -OUTSIDE * height or y2 > (1 + OUTSIDE) * height
    if x_out or y_out:
        corners = ", ".join(f"{v:g}" for v in box)
        raise AnnostatError(
            f"{where}: its box ({corners}) leaves the image of {width:g} × {height:g} pixels: are "
            "its numbers corners, or of another image's size?"
        )


def _check_size(
    image: Mapping[str, Any], file: str, known: dict[str, tuple[float, float, str]]
) -> None:
    """Refuse files that disagree on the size of an image."""
    size = _size(image)
    if size is None:
        return
    name = _about(image)["image"]
    before = known.setdefault(name, (*size, file))
    if before[:2] != size:
        raise AnnostatError(
            f"image {name!r} has {before[0]:g} × {before[1]:g} pixels in {before[2]}, "
            f"{size[0]:g} × {size[1]:g} in {file}: boxes on images of other sizes never match"
        )


def _size(image: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return width and height of an image, if it has them."""
    width, height = image.get("width", "?"), image.get("height", "?")
    return (float(width), float(height)) if _is_number(width) and _is_number(height) else None
