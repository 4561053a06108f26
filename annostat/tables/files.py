"""Files of tables: their kind, their header, and what is wrong with them in one line."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError
from annostat.labels.layout import ITEM_NAMES

if TYPE_CHECKING:
    pass


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what pandas and pyarrow raise, of many kinds, into the one line that a user needs."""
    import pandas as pd

    try:
        with warnings.catch_warnings():
            # Rows longer than the header would be cut, or shift the columns, with a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            yield
    except AnnostatError:
        raise
    except pd.errors.ParserWarning:
        raise AnnostatError(
            f"{path.name} has rows with more cells than its header: name every column, and "
            "remove separators at the ends of lines"
        ) from None
    except Exception as error:
        raise AnnostatError(f"{path.name} cannot be read as a table: {one_line(error)}") from None


def open_parquet(path: Path) -> Any:
    """Open a Parquet file, mapped into memory."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise AnnostatError(
            "reading Parquet needs pyarrow: pip install 'annostat[parquet]'"
        ) from None
    try:
        return pq.ParquetFile(path, memory_map=True)
    except Exception as error:
        raise AnnostatError(f"{path.name} is not a Parquet file: {one_line(error)}") from None


def is_parquet(path: Path) -> bool:
    """Return whether a file begins as Parquet does."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PAR1"


def header_of(path: Path) -> tuple[str, list[str]]:
    """Return the separator of a text table and the names of its columns."""
    head = _first_line(path)
    separator = "\t" if "\t" in head and "," not in head else ","
    if ";" in head and "," not in head:
        separator = ";"
    columns = next(csv.reader([head], delimiter=separator, skipinitialspace=True), [])
    for i, name in enumerate(columns):
        if name in columns[:i]:
            raise AnnostatError(f"{path.name} names the column {name!r} twice")
    return separator, columns


def csv_options(path: Path, keep_text: Sequence[str]) -> dict[str, Any]:
    """Return what `pandas.read_csv` needs to know; columns in `keep_text` stay text."""
    separator, columns = header_of(path)
    dtype = {c: "str" for c in columns if c in keep_text or c.lower() in ITEM_NAMES}
    return {
        "sep": separator,
        "dtype": dtype,
        "skipinitialspace": True,
        "encoding": "utf-8-sig",
        "index_col": False,
    }


def _first_line(path: Path) -> str:
    """Return the header line; refuse what is empty or no text."""
    from pandas.io.common import get_handle  # type: ignore[import-not-found]

    try:
        with get_handle(path, "rb", compression="infer", is_text=False) as handles:
            head = handles.handle.read(1 << 16)
    except Exception as error:
        raise AnnostatError(f"{path.name} cannot be read: {one_line(error)}") from None
    assert isinstance(head, bytes)
    if not head.strip():
        raise AnnostatError(f"{path.name} is empty")
    if b"\0" in head:
        raise AnnostatError(f"{path.name} is a binary file, not a table of text or Parquet")
    try:
        lines = head.decode("utf-8-sig", errors="strict" if len(head) < 1 << 16 else "ignore")
    except UnicodeDecodeError:
        raise AnnostatError(f"{path.name} is not UTF-8 text") from None
    if not lines.strip():
        raise AnnostatError(f"{path.name} is empty")
    return lines.lstrip("\r\n").splitlines()[0]


def check_readable(path: Path) -> None:
    """Refuse what is not there, a folder, or a file that cannot be opened."""
    if not path.exists():
        raise AnnostatError(f"there is no file {str(path)!r}")
    if path.is_dir():
        raise AnnostatError(f"{str(path)!r} is a folder, not a table")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise AnnostatError(f"{str(path)!r} cannot be opened: {error.strerror}") from None


def one_line(error: Exception) -> str:
    """Return the message of an error as one line."""
    return " ".join(str(error).split())[:200]
