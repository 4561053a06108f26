"""What a column of a table looks like, by its name and by what it holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from annostat.arrays import all_whole
from annostat.errors import shown
from annostat.labels.columns import GROUPED, MISSING_MARKERS

if TYPE_CHECKING:
    import pandas as pd

# Names of columns that tell items apart, the likeliest first; also with "_id" or "id" behind.
ITEM_NAMES = (
    "item",
    "id",
    "filename",
    "file",
    "name",
    "case",
    "clip",
    "image",
    "video",
    "study",
    "exam",
    "accession",
    "scan",
    "series",
    "nodule",
    "patient",
    "pid",
    "subject",
    "participant",
    "mrn",
    "sample",
    "key",
    "uid",
    "row",
    "index",
)
# Names of columns of whom items belong to, where they are not the items themselves.
PATIENT_NAMES = ("patient", "patientid", "subject", "subjectid", "case_id", "participant", "pid")
LONG_RATER_NAMES = (
    "rater",
    "round",
    "reader",
    "annotator",
    "observer",
    "session",
    "expert",
    "radiologist",
    "cardiologist",
)
LONG_VALUE_NAMES = ("value", "pick", "frame", "label", "score", "rating", "measurement", "reading")
# Names of what is measured beside the labels: never a round unless it is named.
OTHER_NAMES = (
    "age",
    "sex",
    "gender",
    "year",
    "height",
    "weight",
    "bmi",
    "fps",
    "period",
    "frames",
    "length",
    "spacing",
    "thickness",
    "hr",
    "heart_rate",
    "quality",
    "site",
    "center",
    "centre",
    "split",
    "fold",
    "n",
    "count",
    "duration",
)
# Words in the names of models: never an annotator unless one says so.
MODEL_WORDS = (
    "ai",
    "algorithm",
    "auto",
    "automatic",
    "cnn",
    "dl",
    "ensemble",
    "model",
    "modele",
    "modell",
    "modelo",
    "net",
    "network",
    "nnunet",
    "pred",
    "predicted",
    "prediction",
    "software",
    "transformer",
    "unet",
    "vit",
)
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
RATER_WORDS = (
    *LONG_RATER_NAMES,
    "obs",
    "r",
    "a",
    "rd",
    "reading",
    "annotation",
    "label",
    "t",
    "repeat",
    "z",
    "x",
    "y",
    "m",
    "measure",
    "measurement",
    "ef",
)
DATE = re.compile(r"\d{4}-\d\d?-\d\d?([ T]\d\d?:\d\d.*)?|\d\d?[./]\d\d?[./]\d{2,4}")
FEW = 6  # different values at most of a column with few of them


DIGIT = re.compile(r"[-+]?\d")


def plain_name(name: object) -> str:
    """Return a name in lower case, with one underscore for what is no letter or digit."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name).strip())
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def is_item_name(name: object) -> bool:
    """Return whether a column of this name tells items apart: "patient", "StudyID", "case_no"."""
    plain = plain_name(name)
    bare = re.sub(r"_?(id|no|nr|number|uid|name|code)$", "", plain)
    return plain in ITEM_NAMES or (bare != plain and (bare == "" or bare in ITEM_NAMES))


def is_model_name(name: object) -> bool:
    """Return whether a name is that of a model: "AI", "model_a", "UNet", "ef pred"."""
    return any(re.sub(r"\d+$", "", word) in MODEL_WORDS for word in re.split("_", plain_name(name)))


def is_patient_name(name: object) -> bool:
    """Return whether a column is by its name that of the patients."""
    plain = plain_name(name)
    return plain in PATIENT_NAMES or plain.removesuffix("_id") in PATIENT_NAMES


def item_rank(name: object) -> int:
    """Return the place of an item's name among `ITEM_NAMES`, for the likeliest of several."""
    plain = re.sub(r"_?(id|no|nr|number|uid|name|code)$", "", plain_name(name)) or "id"
    return ITEM_NAMES.index(plain) if plain in ITEM_NAMES else len(ITEM_NAMES)


def look_of(column: pd.Series[Any]) -> str:
    """Return what a column looks like, in a word or two.

    One of "empty", "constant", "0/1", "few values", "row numbers", "identifier", "dates", "text",
    "numbers", "bytes".
    """
    import pandas as pd

    kind = column.dtype.kind
    if kind in "mM":
        return "dates"
    seen = column.dropna()
    if column.dtype == object and any(isinstance(v, (bytes, bytearray)) for v in seen):
        return "bytes"
    if kind not in "iufb":
        counts = seen.value_counts()  # what differs is looked at once
        text = pd.Series(counts.index, dtype=object).astype(str).str.strip()
        named = ~text.isin(MISSING_MARKERS)
        text, weight = text[named], counts.to_numpy()[named]
        if text.empty:
            return "empty"
        if text.map(lambda v: DATE.fullmatch(v) is not None).all():
            return "dates"
        numbers = pd.to_numeric(text.str.replace(",", ".", regex=False), errors="coerce")
        if weight[numbers.isna()].sum() > 0.5 * weight.sum():
            unique = text.nunique() == len(column) or is_item_name(column.name)
            return "identifier" if unique else "text"
        cells = seen.astype(str).str.strip().str.replace(",", ".", regex=False)
        seen = pd.to_numeric(cells, errors="coerce").dropna()
    values = np.asarray(seen.to_numpy(np.float64, na_value=np.nan))
    if not values.size:
        return "empty"
    if is_item_name(column.name):
        return "identifier"
    different = np.unique(values)
    if different.size == 1:
        return "constant" if len(column) > 1 else "numbers"
    whole = all_whole(values)
    unnamed = plain_name(column.name) in ("", "unnamed_0", "level_0")
    counted = whole and values.size == len(column) and bool((np.diff(values) == 1).all())
    if counted and values[0] in (0, 1) and (unnamed or values.size > 2):
        return "row numbers"
    if set(different.tolist()) <= {0.0, 1.0}:
        return "0/1"
    if whole and different.size <= FEW and values.size >= 5 * different.size:
        return "few values"
    return "numbers"


def no_numbers(frame: pd.DataFrame, columns: Sequence[str]) -> str:
    """Return what columns hold that a person reads as numbers or dates, and the cure; else ""."""
    found = {}
    for name in columns:
        if is_item_name(name):
            continue
        cells = frame[name].dropna().astype(str).str.strip()
        cells = cells[~cells.isin(MISSING_MARKERS)]
        if look_of(frame[name]) in ("text", "identifier", "dates") and cells.str.match(DIGIT).all():
            found[name] = next(iter(cells), "")
    if not found:
        return ""
    cell = next(iter(found.values()))
    if all(DATE.fullmatch(c) for c in found.values()):
        cure = "dates are no labels: write numbers, such as days since a first one"
    elif all(GROUPED.fullmatch(c) for c in found.values()):
        plain = re.sub(r"[.,'\s](?=\d{3})", "", cell).replace(",", ".")
        cure = f"write numbers without thousands separators ({plain})"
    else:
        cure = "write plain numbers"
    hold = "holds" if len(found) == 1 else "hold"
    return f"; {shown(found)} {hold} text such as {cell!r}, which is not taken for a number: {cure}"


def are_series(names: Sequence[str]) -> bool:
    """Return whether names are those of rounds or raters: first, second; reader_1, reader_2; a, b.

    Such names leave no other reading: they count the same thing.
    """
    plain = [plain_name(name) for name in names]
    if all(name in ORDINALS for name in (re.sub(r"_.*", "", p) for p in plain)):
        return True
    stems = {re.sub(r"_?(\d+|[a-z])$", "", name) for name in plain}
    ends = [re.search(r"(\d+|[a-z])$", name) for name in plain]
    if len(stems) != 1 or any(end is None for end in ends):
        return False
    (stem,) = stems
    marks = [end.group(0) for end in ends if end is not None]
    if stem == "" or re.sub(r"\d", "", stem).strip("_") in RATER_WORDS:
        return len(set(marks)) == len(marks)
    numbers = sorted(int(m) for m in marks if m.isdigit())
    return len(numbers) == len(marks) and numbers == list(
        range(numbers[0], numbers[0] + len(marks))
    )


def may_be_category(name: str, look: str) -> bool:
    """Return whether a column may hold categories or grades that nobody named."""
    held = look in ("text", "few values", "constant", "0/1", "numbers")
    return held and plain_name(name) not in OTHER_NAMES


def may_be_round(name: str, look: str) -> bool:
    """Return whether a column may hold labels, or predictions, that nobody named."""
    numeric = look in ("numbers", "few values", "constant", "0/1")
    return numeric and plain_name(name) not in OTHER_NAMES
