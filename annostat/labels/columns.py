"""Columns of a table as text, labels or numbers; what is neither is shown and refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError, cut, option, shown
from annostat.once import once
from annostat.results.text import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_labels", "as_names", "as_numbers", "as_text", "canonical_order"]

# What spreadsheets and statistics programs write for a number that is not there. As text they may
# be names (initials, North America), so that they are looked for among numbers alone.
MISSING_MARKERS = frozenset(
    (
        "",
        "NA",
        "N/A",
        "n/a",
        "<NA>",
        "#N/A",
        "#NA",
        "NaN",
        "nan",
        "-nan",
        "-NaN",
        "NULL",
        "null",
        "None",
        "#DIV/0!",
        "#VALUE!",
        "#NUM!",
        "#REF!",
    )
)
# Among names of categories, "NA" and "None" may be classes.
MANY = 1000  # names that are looked at all together first
TIDY = re.compile(r"[a-z0-9_-]+")  # names that `tidy` leaves alone: most, and it takes a while
MOST_TOLD = 3  # columns whose text is shown
NO_LABEL = MISSING_MARKERS - {"NA", "None"}
DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
# 1.515,77 and 1,515.77 and 1 515,77
GROUPED = re.compile(r"[-+]?\d{1,3}(?:(?:\.\d{3})+(?:,\d+)?|(?:[,'\s]\d{3})+(?:[.,]\d+)?)")
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")
DIGITS = re.compile(r"\d+")
LETTERS = 4  # letters that names must have so that one that differs may be a typing error
FEW_TEXTS = 20  # different texts at most that may be categories
WIDTH = 20  # digits that numbers in names are padded to
EXACT = 2**53  # whole numbers beyond this are not exact in float64


def _stripped(column: pd.Series[Any]) -> NDArray[Any]:
    if str(column.dtype) in ("str", "string"):  # a fifth of the time
        return np.asarray(column.str.strip().to_numpy(dtype=object))
    return np.array([str(v).strip() for v in column], dtype=object)


def as_text(column: pd.Series[Any]) -> NDArray[Any]:
    """Return the identifiers of a column as text without spaces around it; empty ones are refused.

    Whole numbers that are stored as decimals lose their ".0".
    """
    if column.dtype.kind == "f" and bool(((column % 1 == 0) & (column.abs() < EXACT)).all()):
        column = column.astype(np.int64)
    refuse_bytes(column, str(column.name))
    text = _stripped(column)
    missing = column.isna().to_numpy() | (text == "")
    if missing.any():
        raise AnnostatError(
            f"column {column.name!r} has no item identifier in "
            f"{counted(int(missing.sum()), 'row')}; "
            f"first: row {int(np.flatnonzero(missing)[0]) + 1}"
        )
    return text


def as_names(frame: pd.DataFrame, columns: Sequence[str]) -> NDArray[Any]:
    """Return the names of items that one column, or several together ("clip:phase"), tell apart."""
    parts = [as_text(frame[c]) for c in columns]
    if len(parts) == 1:
        return parts[0]
    return np.array([":".join(row) for row in zip(*parts, strict=True)], dtype=object)


def as_labels(column: pd.Series[Any], name: str, items: NDArray[Any] | RowNames) -> NDArray[Any]:
    """Return the labels of a column as text without spaces around it; empty ones are refused."""
    refuse_bytes(column, name)
    text = _stripped(column)
    missing = np.flatnonzero(column.isna().to_numpy() | (text == ""))
    if missing.size:
        raise AnnostatError(
            f"column {name!r} is empty in {counted(missing.size, 'row')}; "
            f"first: {items[missing[0]]!r}"
        )
    return text


class NotNumbers(AnnostatError):
    """A column holds text that is no number: which, where, and what may be done."""

    told = ""
    cells: Sequence[str] = ()
    all_text = False

    @classmethod
    def of(cls, told: str, cells: Sequence[str], *, all_text: bool = False) -> NotNumbers:
        """Return the error whose message ends with what may be done about the cells."""
        error = cls(f"{told}{_cure(cells, all_text=all_text)}")
        error.told, error.cells, error.all_text = told, cells, all_text
        return error


class RowNames:
    """Names of the rows of a batch, made only when a message needs one."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self.numbers = numbers

    def __getitem__(self, i: Any) -> str:
        return f"row {self.numbers[i] + 1}"


def as_numbers(
    column: pd.Series[Any],
    name: str,
    items: NDArray[Any] | RowNames,
    missing: Collection[str] = (),
) -> FloatArray:
    """Return a column as float64; text that is no number is shown and refused.

    `missing` are markers of cells without a number, beside the usual ones.
    """
    import pandas as pd

    if column.dtype.kind in "mMc":
        raise AnnostatError(f"column {name!r} must hold numbers, but holds {column.dtype}")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if column.dtype.kind in "iuf":
        refuse_inexact(column, name, items)
        values = column.to_numpy(np.float64, na_value=np.nan)
        codes = [float(mark) for mark in missing if NUMBER.fullmatch(mark)]
        return np.where(np.isin(values, codes), np.nan, values) if codes else values
    if column.dtype.kind != "b":
        refuse_bytes(column, name)
        text = column.astype(str).str.strip()
        absent = column.isna() | text.isin(MISSING_MARKERS) | text.isin(list(missing))
        column = text.where(~absent)
    numbers = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero((numbers.isna() & column.notna()).to_numpy())
    if bad.size:
        cells = column.iloc[bad].astype(str).unique().tolist()
        places = "; ".join(f"{cut(items[i])}: {_short(column.iloc[i])}" for i in bad[:3])
        told = f"column {name!r} holds text in {counted(bad.size, 'row')}; first: {places}"
        raise NotNumbers.of(told, cells, all_text=bool(numbers.isna().all()))
    refuse_inexact(numbers, name, items)
    return np.asarray(numbers.to_numpy(np.float64, na_value=np.nan))


def as_table(
    frame: pd.DataFrame, names: Sequence[str], items: NDArray[Any], missing: Collection[str] = ()
) -> FloatArray:
    """Return columns as float64 of shape (n_items, n_columns); as `as_numbers`.

    An error speaks of the cells of all columns, so that its cure is the whole one.
    """
    found, refused = [], []
    for name in names:
        try:
            found.append(as_numbers(frame[name], name, items, missing))
        except NotNumbers as error:
            refused.append(error)
    if not refused:
        return np.column_stack(found)
    cells = [cell for error in refused for cell in error.cells]
    text = all(error.all_text for error in refused)
    told = "; ".join(error.told for error in refused[:MOST_TOLD])
    if len(refused) > MOST_TOLD:
        told += f"; and {len(refused) - MOST_TOLD} more columns"
    raise NotNumbers.of(told, cells, all_text=text)


def refuse_bytes(column: pd.Series[Any], name: str) -> None:
    """Refuse a column of bytes (binary in Parquet), which are neither text nor numbers."""
    if column.dtype == object and any(isinstance(v, (bytes, bytearray)) for v in column):
        raise AnnostatError(f"column {name!r} holds bytes: store text or numbers")


def refuse_inexact(column: pd.Series[Any], name: str, items: NDArray[Any] | RowNames) -> None:
    """Refuse whole numbers so large that neighbours are one number in float64."""
    if column.dtype.kind not in "iu":
        return
    bad = np.flatnonzero(((column >= EXACT) | (column <= -EXACT)).fillna(False).to_numpy(bool))
    if bad.size:
        raise AnnostatError(
            f"column {name!r} holds whole numbers of 2^53 or more in "
            f"{counted(bad.size, 'row')}, which are not exact: take a constant off; "
            f"first: {cut(items[bad[0]])}: {column.iloc[bad[0]]}"
        )


def canonical_order(items: NDArray[Any]) -> NDArray[np.int64]:
    """Return the positions of items in the order of their names, numbers in them by size.

    What is drawn at random is drawn in this order, so that no result depends on the order of rows.
    """
    return once("order", (items,), lambda: _in_order(list(map(str, items))))


def _in_order(names: list[str]) -> NDArray[np.int64]:
    numbers = _numbers_alone(names)
    if numbers is not None:
        order = np.argsort(numbers, kind="stable")
        if (np.diff(numbers[order]) > 0).all():
            return np.asarray(order, dtype=np.int64)
    keys = [DIGITS.sub(lambda m: m[0].lstrip("0").rjust(WIDTH, "0"), name) for name in names]
    return np.asarray(sorted(range(len(keys)), key=lambda i: (keys[i], names[i])), np.int64)


def _numbers_alone(names: list[str]) -> NDArray[np.int64] | None:
    """Return the numbers of names that are the same text around one number each, else None."""
    if not names:
        return None
    first, last = min(names), max(names)
    alike = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    )
    before = first[:alike].rstrip("0123456789")
    after = DIGITS.split(names[0])[-1]
    begin, end = len(before), -len(after) or None
    inner = [name[begin:end] for name in names] if before or after else names
    together = "".join(inner)
    ended = not after or all(name.endswith(after) for name in names)
    if not (ended and together.isascii() and together.isdigit()):
        return None
    if not 0 < min(map(len, inner)) <= max(map(len, inner)) < WIDTH - 1:
        return None
    return np.array(list(map(int, inner)), dtype=np.int64)


def _short(cell: object) -> str:
    text = repr(str(cell))
    return text if len(text) <= 60 else f"{text[:40]}…' ({len(str(cell)):,} characters)"


def _cure(cells: Sequence[str], *, all_text: bool = False) -> str:
    """Return what to do about cells that are no numbers."""
    if any("\n" in cell for cell in cells):
        return "; lines of the file are one cell: is a quotation mark not closed?"
    if all(DECIMAL_COMMA.fullmatch(cell) for cell in cells):
        return "; decimal commas: write points, or separate cells by semicolons"
    if all(GROUPED.fullmatch(cell) for cell in cells):
        return "; write numbers without thousands separators"
    different = list(dict.fromkeys(cells))
    if all_text and 1 < len(different) <= FEW_TEXTS:
        return (
            f"; if these are categories, say {option('kind', 'categories')}, if grades, their "
            f"order ({option('order', *different[:2], '...')})"
        )
    if len(different) <= 3 and all(len(cell) <= 12 for cell in different):
        return f"; if that means missing: {option('missing', *different)}"
    return "; write plain numbers, or take it for something else"


def refuse_duplicates(items: NDArray[Any]) -> None:
    """Refuse identifiers that stand in more than one row."""
    if len(set(items.tolist())) == len(items):  # a tenth of the time that sorting them takes
        return
    seen, counts = np.unique(items.astype(str), return_counts=True)
    if (counts > 1).any():
        twice = seen[counts > 1]
        raise AnnostatError(
            f"{counted(len(twice), 'item stands', 'items stand')} in more than one row; "
            f"first: {shown(twice, 3)} (name all columns that tell them apart by "
            f"{option('item')}, or a long table's rater and value)"
        )


def refuse_repeated(items: NDArray[Any]) -> None:
    """Refuse names of items, given beside an array, of which one stands twice."""
    if len(set(items.tolist())) < len(items):
        seen, counts = np.unique(items.astype(str), return_counts=True)
        twice = counts > 1
        raise AnnostatError(
            f"names of items must differ, but {str(seen[twice][0])!r} stands "
            f"{counts[twice][0]} times ({int(twice.sum())} such in all): number items without "
            f"names (items=None), and say what they share by {option('cluster')}"
        )


def tidy(name: str) -> str:
    """Return a name as it is compared: Unicode form, spaces, case and a trailing ".0" aside."""
    if TIDY.fullmatch(name):
        return name
    text = unicodedata.normalize("NFKC", name)
    return re.sub(r"\s+", " ", text).strip().casefold().removesuffix(".0")


def alike(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return groups of names that differ only by what `tidy` takes away."""
    import pandas as pd

    if len(names) > MANY and pd.Series(names, dtype="str").str.fullmatch(TIDY.pattern).all():
        return []  # none has anything to take away
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(tidy(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def looks_like(name: str, other: str) -> bool:
    """Return whether two names are one to `tidy`, or differ by a letter as a slip does.

    A letter is wanting, too many, another one, or two have changed places. Names of fewer than
    four letters are too short to tell; other digits are another name ("grade 1", "grade 2").
    """
    a, b = sorted((tidy(name), tidy(other)), key=len)
    if a == b:
        return True
    if len(a) < LETTERS or len(b) - len(a) > 1 or re.findall(r"\d", a) != re.findall(r"\d", b):
        return False
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return a[at:] == b[at + 1 :]
    swapped = a[at : at + 2] == b[at : at + 2][::-1] and a[at + 2 :] == b[at + 2 :]
    return a[at + 1 :] == b[at + 1 :] or swapped


def tidied(names: NDArray[Any]) -> NDArray[Any]:
    """Return names of which those that are `alike` are one: the form that stands first."""
    first: dict[str, str] = {}
    return np.array([first.setdefault(tidy(str(n)), str(n)) for n in names], dtype=object)
