"""MHD, MHA and NRRD before SimpleITK reads them: one file and no other, and whole if compressed.

These headers may name further files, and where pixels are lacking or broken the library makes some
up: it looks at no check sum. Both functions return a check that is made once the size is known.
"""

from __future__ import annotations

import bz2
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from annostat.errors import AnnostatError
from annostat.files import reading
from annostat.tables.folders import is_inside

MAX_HEADER = 1 << 20
CHUNK = 1 << 20
NUMBERS = re.compile(r"met_(u?(char|short|int|long|long_long)|float|double)")
TRUE = ("t", "1")
ORDERS = ("elementbyteordermsb", "binarydatabyteordermsb")
# Takes the bytes of the pixels; returns them where it had to decompress them, with their order.
Check = Callable[[int], tuple[bytes, str] | None]


def check_meta(path: Path) -> Check:
    """Refuse what leaves the folder; return the check of its pixels."""
    head = _start(path)
    if path.suffix.lower() == ".mha":
        field = rb"^[ \t]*elementdatafile[ \t]*=[ \t]*local[ \t]*(\r?\n|$)"
        named = re.search(field, head, re.IGNORECASE | re.MULTILINE)
        if named is None:
            raise AnnostatError(f"{path.name}: ElementDataFile must be LOCAL in an MHA file")
        head, data, start = head[: named.end()], path, named.end()
    elif path.stat().st_size > MAX_HEADER:
        raise AnnostatError(f"{path.name} is too large for an MHD header")
    else:
        data, start = _beside(path, head), 0
    given = _meta_fields(path, head.decode("latin-1").lower())
    packed = given.get("compresseddata", "").startswith(TRUE)
    skip = given.get("headersize", "0")
    if packed and skip not in ("0", "-1"):
        raise AnnostatError(f"{path.name}: HeaderSize must be 0 where pixels are compressed")
    order = ">" if any(given.get(k, "").startswith(TRUE) for k in ORDERS) else "<"

    def check(size: int) -> tuple[bytes, str] | None:
        reading(data)
        if not data.is_file():
            raise AnnostatError(f"{path.name} cannot be read: there is no file {data.name!r}")
        if not packed:
            _check_room(path, data, start + (int(skip) if skip.isdigit() else 0), size)
            return None
        with data.open("rb") as stream:
            stream.seek(start)
            return _whole(path, _inflated(stream), size), order

    return check


def _meta_fields(path: Path, text: str) -> dict[str, str]:
    """Return the fields of a header that is sound; the library talks of others on its own."""
    # It makes room for as many axes as a header promises.
    axes = set(re.findall(r"ndims\s*[=:]\s*(\S*)", text))
    if len(axes) != 1 or not axes <= {"2", "3", "4"}:
        raise AnnostatError(f"{path.name} cannot be read: NDims must be 2, 3 or 4")
    given = dict(re.findall(r"^[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t\r]*$", text, re.MULTILINE))
    sizes = given.get("dimsize", "").split()
    if len(sizes) != int(*axes) or not all(re.fullmatch(r"\d{1,9}", n) for n in sizes):
        raise AnnostatError(f"{path.name} cannot be read: DimSize must be {int(*axes)} numbers")
    if not NUMBERS.fullmatch(given.get("elementtype", "")):
        raise AnnostatError(f"{path.name} cannot be read: ElementType must be a kind of number")
    return given


def _beside(path: Path, head: bytes) -> Path:
    """Return the one file beside a header that holds its pixels."""
    names = [
        line.split("=", 1)[1].strip()
        for line in head.decode("latin-1").splitlines()
        if line.split("=", 1)[0].strip().lower() == "elementdatafile" and "=" in line
    ]
    data = path.parent / names[-1] if names else path.parent
    plain = len(names) == 1 and Path(names[0]).name == names[0] and names[0] not in ("LIST", "..")
    if (
        not plain
        or "%" in names[0]
        or " " in names[0]
        or not is_inside(path.parent.resolve(), data)
    ):
        raise AnnostatError(f"{path.name}: ElementDataFile must name one file beside it")
    return data


def check_nrrd(path: Path) -> Check:
    """Refuse what names another file; return the check of its pixels, as `check_meta` does."""
    head = _start(path)
    end = re.search(rb"\r?\n\r?\n", head)
    if not head.startswith(b"NRRD") or end is None:
        raise AnnostatError(f"{path.name} cannot be read: it is no NRRD file")
    start, text = end.end(), head[: end.start()].decode("latin-1").lower()
    found = re.findall(r"^([a-z ]+):[ \t]*(.*?)[ \t\r]*$", text, re.MULTILINE)
    fields = {name.strip(): value for name, value in found}
    if "data file" in fields or "datafile" in fields:
        raise AnnostatError(f"{path.name}: the pixels must stand in the file, not in another")
    if fields.get("dimension") not in ("2", "3", "4"):
        raise AnnostatError(f"{path.name} cannot be read: dimension must be 2, 3 or 4")
    how = fields.get("encoding", "raw")

    def check(size: int) -> tuple[bytes, str] | None:
        with path.open("rb") as stream:
            stream.seek(start)
            if how in ("gz", "gzip"):
                _whole(path, _chunks(gzip.GzipFile(fileobj=stream)), size)
            elif how in ("bz2", "bzip2"):
                _whole(path, _chunks(bz2.BZ2File(stream)), size)
        if how == "raw":
            _check_room(path, path, start, size)
        return None

    return check


def _check_room(path: Path, data: Path, start: int, size: int) -> None:
    """Refuse a file that ends before its pixels do; the library would make some up."""
    there = max(data.stat().st_size - start, 0)
    if there < size:
        raise AnnostatError(f"{path.name} promises {size:,} bytes of pixels and holds {there:,}")


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MAX_HEADER)


def _chunks(stream: gzip.GzipFile | bz2.BZ2File) -> Iterator[bytes]:
    while data := stream.read(CHUNK):
        yield data


def _inflated(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what is decompressed, zlib or gzip; raise if the end is not there."""
    inflate = zlib.decompressobj(wbits=47)
    data = stream.read(CHUNK)
    while data and not inflate.eof:
        yield inflate.decompress(data, CHUNK)
        data = inflate.unconsumed_tail or stream.read(CHUNK)
    while not inflate.eof and (more := inflate.decompress(b"", CHUNK)):
        yield more
    if not inflate.eof:
        raise EOFError("it ends before its pixels do")


def _whole(path: Path, parts: Iterator[bytes], size: int) -> bytes:
    """Return all that is compressed, whose end holds its check sum."""
    data = bytearray()
    try:
        for part in parts:
            data += part
            if len(data) > size:
                break
    except (OSError, EOFError, ValueError, zlib.error) as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise AnnostatError(f"{path.name} cannot be read: {text}") from None
    if len(data) != size:
        there = "more" if len(data) > size else f"{len(data):,}"
        raise AnnostatError(f"{path.name} promises {size:,} bytes of pixels and holds {there}")
    return bytes(data)
