"""Tables too large for memory, read batch by batch into counts (see `counts`)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annostat.errors import AnnostatError
from annostat.labels.frames import LOOKED_AT
from annostat.labels.layout import Layout, Roles
from annostat.labels.rounds import Rounds
from annostat.tables.counts import PatternCounts
from annostat.tables.files import is_parquet, open_parquet, reading, text_table

if TYPE_CHECKING:
    import pandas as pd


BATCH_ROWS = 1 << 20


def stream_rounds(path: Path, roles: Roles, units: dict[str, Any]) -> Rounds:
    """Read a wide file batch by batch and count the patterns of differences."""
    counts: PatternCounts | None = None
    with closing(_batches(path, roles)) as batches:
        for batch in batches:
            if counts is None:
                counts = PatternCounts(Layout.resolve(batch, roles))
            counts.add(batch)
    if counts is None:
        raise AnnostatError(f"{path.name} has no rows")
    return counts.rounds(path.name, units)


def _batches(path: Path, roles: Roles) -> Generator[pd.DataFrame, None, None]:
    """Yield the columns that matter, a batch of rows at a time."""
    wanted = [c for c in (roles.by, roles.period, roles.fps, roles.length) if isinstance(c, str)]
    chosen: list[str] | None = None
    pieces: Any
    with reading(path):
        if is_parquet(path):
            parquet = open_parquet(path)
            roles.check(parquet.schema_arrow.names, long=False)
            if roles.rounds is not None:
                first = next(parquet.iter_batches(batch_size=LOOKED_AT), None)
                layout = (
                    None
                    if first is None
                    else Layout.resolve(first.to_pandas(ignore_metadata=True), roles)
                )
                items = () if layout is None else layout.item
                chosen = list(dict.fromkeys([*roles.rounds, *wanted, *items]))
            pieces = _ahead(
                batch.to_pandas(split_blocks=True)
                for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=chosen)
            )
        else:
            text = text_table(path)
            roles.check([c.strip() for c in text.columns], long=False)
            pieces = text_batches(path, text.options([c for c in (*roles.items, roles.by) if c]))
    for frame in read_each(path, pieces):
        if chosen is None:
            yield frame
        elif frame.columns.isin(chosen).sum() == len(chosen):
            yield frame[chosen]
        else:  # some of them are in the index that pandas stored
            yield frame.reset_index()[chosen]


def read_each(
    path: Path, pieces: Generator[pd.DataFrame, None, None]
) -> Generator[pd.DataFrame, None, None]:
    """Yield the pieces of a table; what goes wrong while one is read is told of the file."""
    with closing(pieces):
        while True:
            with reading(path):  # not around the yield: its filters are not for the caller
                frame = next(pieces, None)
            if frame is None:
                return
            yield frame


def text_batches(
    path: Path, options: dict[str, Any], rows: int = BATCH_ROWS
) -> Generator[pd.DataFrame, None, None]:
    """Yield a table of text, a batch of rows at a time."""
    import pandas as pd

    with pd.read_csv(path, chunksize=rows, **options) as batches:
        for batch in batches:
            yield batch.rename(columns=str.strip)


def _ahead(pieces: Iterator[pd.DataFrame]) -> Generator[pd.DataFrame, None, None]:
    """Yield the pieces, the next one being read while the caller is busy with this one."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = pool.submit(next, pieces, None)
            yield piece
