"""Files of tables: their kind, their encoding, their header, and what is wrong in one line."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import os
import re
import select
import stat
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from annostat.errors import AnnostatError, shown
from annostat.files import reading as note_input
from annostat.labels.columns import DECIMAL_COMMA
from annostat.labels.looks import is_item_name

if TYPE_CHECKING:
    import pandas as pd

HEAD = 1 << 16  # bytes that are looked at before a table is read
PATIENCE = 10.0  # seconds that a pipe without a writer is waited for
SEPARATORS = (",", ";", "\t", "|")
MOST_COLUMNS = 20_000
LONGEST_HEADER = 4 << 20  # bytes
BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
THOUSANDS = re.compile(r"-?\d{1,3}(\.\d{3})+")


@dataclass(frozen=True)
class TextTable:
    """How a table of text is to be read.

    Attributes
    ----------
    separator, encoding, decimal : str
    columns : tuple of str
        Names in the header, as they stand there.
    skip : int
        Lines before the header.
    notes : tuple of str
        What a reader of results should know of it.
    """

    separator: str
    encoding: str
    decimal: str
    columns: tuple[str, ...]
    skip: int
    notes: tuple[str, ...] = ()

    def options(self, keep_text: Sequence[str]) -> dict[str, Any]:
        """Return what `pandas.read_csv` needs to know; columns in `keep_text` stay text."""
        kept = {c.strip() for c in keep_text}
        dtype = {c: "str" for c in self.columns if c.strip() in kept or is_item_name(c)}
        return {
            "sep": self.separator,
            "dtype": dtype,
            "skipinitialspace": True,
            "encoding": self.encoding,
            "decimal": self.decimal,
            "skiprows": self.skip,
            "index_col": False,
            # "NA" may be a name: what is missing among numbers is found where they are read.
            "keep_default_na": False,
            "na_values": [""],
        }


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what pandas and pyarrow raise, of many kinds, into the one line that a user needs."""
    import pandas as pd

    before = _written(path)
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
    if _written(path) != before:
        raise AnnostatError(
            f"{path.name} was written while it was read: try again when it is complete"
        )


def _written(path: Path) -> tuple[int, int] | None:
    """Return the size of a file and when it was last written, None for what is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


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


def is_workbook(path: Path) -> bool:
    """Return whether a file is a workbook of Excel (xlsx)."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "xl/workbook.xml" in archive.namelist()


def read_workbook(path: Path, keep_text: Sequence[str], *, rows: int | None = None) -> pd.DataFrame:
    """Read the one sheet of a workbook that holds a table, or its first rows."""
    import pandas as pd

    try:
        import openpyxl  # noqa: F401
    except ImportError:
        raise AnnostatError(
            f"{path.name} is an Excel workbook: save it as CSV, or pip install 'annostat[excel]'"
        ) from None
    # Cells keep their kinds: "007" is text there, and 7 a number.
    options: dict[str, Any] = {"dtype": object, "keep_default_na": False, "na_values": [""]}
    sheets = pd.read_excel(path, sheet_name=None, nrows=rows, **options)
    full = {name: sheet for name, sheet in sheets.items() if not sheet.empty}
    if len(full) != 1:
        raise AnnostatError(
            f"{path.name} has {len(full)} sheets with tables ({shown(full)}): keep one, or save it "
            "as CSV"
        )
    ((_, frame),) = full.items()
    return frame.infer_objects()


@contextmanager
def local(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a file that can be read again: standard input and pipes are copied whole.

    "-" is standard input. A pipe that nobody writes to ends in an error.
    """
    name = os.fspath(path)
    if name != "-":
        check_readable(Path(name))
        note_input(name)
        if stat.S_ISREG(os.stat(name).st_mode):
            yield Path(name)
            return
    with tempfile.TemporaryDirectory(prefix="annostat-") as folder:
        copy = Path(folder) / name_of(name)
        with _stream(name) as source, copy.open("wb") as target:
            for piece in iter(lambda: source.read(1 << 20), b""):
                target.write(piece)
        yield copy


def name_of(path: str | os.PathLike[str]) -> str:
    """Return what a file is called where results speak of it."""
    text = os.fspath(path)
    return "standard input" if text == "-" else Path(text).name


@contextmanager
def _stream(name: str) -> Iterator[IO[bytes]]:
    """Open standard input or a pipe, once somebody writes to it."""
    if name == "-":
        yield sys.stdin.buffer
        return
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        ready, _, _ = select.select([stream], [], [], PATIENCE)
        if not ready or not _has_writer(descriptor):
            raise AnnostatError(f"nobody writes to the pipe {name!r}: waited {PATIENCE:g} s")
        os.set_blocking(descriptor, True)
        yield stream


def _has_writer(descriptor: int) -> bool:
    """Return whether there is something, or somebody, behind a pipe that select lets through."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    events = poll.poll(int(1000 * PATIENCE))
    return any(event & select.POLLIN for _, event in events)


def open_text(path: Path) -> IO[bytes]:
    """Open a text table, compressed or not, by the end of its name."""
    opener = OPENERS.get(path.suffix.lower())
    if opener is not None:
        opened: IO[bytes] = opener(path, "rb")
        return opened
    if path.suffix.lower() == ".zip":
        archive = zipfile.ZipFile(path)
        members = [m for m in archive.namelist() if not m.endswith("/")]
        if len(members) != 1:
            raise AnnostatError(f"{path.name} holds {len(members)} files, and not one table")
        return archive.open(members[0])
    return path.open("rb")


def text_table(path: Path) -> TextTable:
    """Look at the head of a table of text: encoding, separator, names of columns, decimals."""
    text, encoding = _head_of(path)
    notes: list[str] = []
    lines = text.splitlines()
    skip = 0
    while lines and not lines[0].strip():
        lines, skip = lines[1:], skip + 1
    separator = ""
    if lines[0].lower().startswith("sep=") and len(lines) > 1:
        separator = lines[0].strip()[4:] or ","
        lines, skip = lines[1:], skip + 1
    separator = separator or _separator_of(lines)
    columns = next(csv.reader([lines[0]], delimiter=separator, skipinitialspace=True), [])
    if len(columns) > MOST_COLUMNS:
        raise AnnostatError(
            f"{path.name} has {len(columns):,} columns, of which at most {MOST_COLUMNS:,} are read"
        )
    seen: set[str] = set()
    for name in (c.strip() for c in columns):
        if name in seen:
            raise AnnostatError(f"{path.name} names the column {name!r} twice")
        seen.add(name)
    decimal = _decimal_of(path, separator, lines)
    if decimal == ",":
        notes.append("Numbers have decimal commas.")
    if any(c != c.strip() for c in columns):
        notes.append("Spaces around names of columns were taken off.")
    return TextTable(separator, encoding, decimal, tuple(columns), skip, tuple(notes))


def _separator_of(lines: Sequence[str]) -> str:
    """Return what separates the cells: what makes the most columns of the header."""
    counts = {}
    for separator in SEPARATORS:
        with suppress(csv.Error):
            counts[separator] = len(next(csv.reader(lines[:1], delimiter=separator), []))
    return max(counts, key=lambda s: (counts[s], -SEPARATORS.index(s)))


def _decimal_of(path: Path, separator: str, lines: Sequence[str]) -> str:
    """Return the decimal mark; what may be a thousands separator is refused."""
    if separator == ",":
        return "."
    rows = list(csv.reader(lines[1:], delimiter=separator, skipinitialspace=True))
    cells = [cell.strip() for row in rows for cell in row]
    commas = any(DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    points = [cell for cell in cells if re.fullmatch(r"-?\d+\.\d+", cell)]
    for j in range(max(map(len, rows), default=0)):
        column = [row[j].strip() for row in rows if j < len(row)]
        grouped = [c for c in column if THOUSANDS.fullmatch(c)]
        plain = [c for c in column if re.fullmatch(r"-?\d{3,}", c)]
        others = [c for c in column if "." in c and not THOUSANDS.fullmatch(c)]
        if grouped and plain and not others:
            raise AnnostatError(
                f"{path.name} mixes numbers such as {grouped[0]} and {plain[0]} in one column: is "
                f"{grouped[0]} a thousand and more? Write numbers without thousands separators"
            )
    if commas and points and not all(THOUSANDS.fullmatch(p) for p in points):
        return "."  # the reader of the column shows what is no number
    return "," if commas else "."


def _head_of(path: Path) -> tuple[str, str]:
    """Return the beginning of a table as text, and its encoding; what is no text is refused."""
    try:
        with open_text(path) as stream:
            head = stream.read(HEAD)
            while len(head) < LONGEST_HEADER and not _has_header(head):
                more = stream.read(HEAD)
                if not more:
                    break
                head += more
    except AnnostatError:
        raise
    except Exception as error:
        raise AnnostatError(f"{path.name} cannot be read: {one_line(error)}") from None
    if not head.strip():
        raise AnnostatError(f"{path.name} is empty")
    encoding = next((e for mark, e in BOMS.items() if head.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in head:
        raise AnnostatError(f"{path.name} is a binary file, not a table of text or Parquet")
    whole = len(head) < HEAD
    if not whole and len(head) >= LONGEST_HEADER and not _has_header(head):
        raise AnnostatError(f"{path.name} has no end of a line in its first {len(head):,} bytes")
    if encoding == "utf-16" and len(head) % 2:
        head = head[:-1]
    try:
        text = head.decode(encoding, errors="strict" if whole else "ignore")
    except UnicodeDecodeError:
        raise AnnostatError(
            f"{path.name} is not UTF-8 text; if it is of Windows (Latin-1), save it as UTF-8"
        ) from None
    if not text.strip():
        raise AnnostatError(f"{path.name} is empty")
    if not whole:
        cut = text.rfind("\n")
        text = text[:cut] if cut > 0 else text
    return io.StringIO(text, newline=None).read(), encoding


def _has_header(head: bytes) -> bool:
    """Return whether the end of the line of names is there: not behind a line "sep=" alone."""
    first, _, rest = head.lstrip(b"\r\n").replace(b"\r", b"\n").partition(b"\n")
    rest = rest if first[:8].lower().replace(b"\0", b"").find(b"sep=") >= 0 else head[len(first) :]
    return b"\n" in rest or b"\r" in rest


def check_readable(path: Path) -> None:
    """Refuse what is not there, a folder, or a file that cannot be opened."""
    if not path.exists():
        raise AnnostatError(f"there is no file {str(path)!r}")
    if path.is_dir():
        raise AnnostatError(f"{str(path)!r} is a folder, not a table")
    if not os.access(path, os.R_OK):
        raise AnnostatError(f"{str(path)!r} cannot be opened: Permission denied")


def check_quotes(frame: pd.DataFrame, name: str) -> None:
    """Refuse cells that hold several lines: a quotation mark that was not closed swallows rows."""
    for column in frame.columns[[t.kind == "O" for t in frame.dtypes]]:
        broken = frame[column].astype(str).str.contains("\n", regex=False)
        if broken.any():
            row = int(broken.to_numpy().argmax()) + 1
            raise AnnostatError(
                f"{name}: a cell of column {column!r} (row {row}) holds several lines of the file: "
                "a quotation mark is not closed"
            )


def one_line(error: Exception) -> str:
    """Return the message of an error as one line."""
    return " ".join(str(error).split())[:200]
