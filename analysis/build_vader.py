"""Build the bundled VADER ratings from the wheel of vaderSentiment.

    python -m analysis.build_vader WHEEL [--out annostat/datasets/data]

WHEEL is `vaderSentiment-3.3.2-py2.py3-none-any.whl`. The lexicon's fourth column holds ten human
ratings of each term. The same input gives the same file, byte for byte. What it is stands in
`VADER-README.md` beside the data.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from annostat.files import write_whole

MEMBER = "vaderSentiment/vader_lexicon.txt"
FILE_NAME = "vader_ratings.csv.gz"
N_RATINGS = 10


def rows_of(lexicon: str) -> list[tuple[str, list[int]]]:
    """Return each term with its ratings, -4 to 4."""
    found = []
    for number, line in enumerate(lexicon.splitlines(), 1):
        term, _, _, ratings = line.split("\t")
        values = json.loads(ratings)
        if len(values) != N_RATINGS or not all(-4 <= v <= 4 for v in values):
            raise SystemExit(f"line {number} of the lexicon does not hold ten ratings")
        found.append((term, [int(v) for v in values]))
    return found


def packed(rows: Sequence[tuple[str, Sequence[int]]]) -> bytes:
    """Return the ratings as a compressed table; terms stand in quotation marks."""
    head = "term," + ",".join(f"rating_{j + 1}" for j in range(N_RATINGS))
    lines = [head]
    for term, values in rows:
        quoted = term.replace('"', '""')
        lines.append(f'"{quoted}",' + ",".join(map(str, values)))
    text = "\n".join(lines) + "\n"
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Build the bundled VADER ratings.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=Path("annostat/datasets/data"))
    options = parser.parse_args(args)
    with zipfile.ZipFile(options.wheel) as wheel:
        rows = rows_of(wheel.read(MEMBER).decode("utf-8"))
    data = packed(rows)
    write_whole(options.out / FILE_NAME, lambda stream: stream.write(data))
    print(f"{len(rows)} terms, {N_RATINGS} ratings each, {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
