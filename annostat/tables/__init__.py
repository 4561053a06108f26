"""Files that become labels: tables, mask files and folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.tables.marks import read_findings, read_points
    from annostat.tables.reading import read_categories, read_rounds, read_table

__all__ = [
    "read_categories",
    "read_findings",
    "read_points",
    "read_rounds",
    "read_table",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "read_categories": "annostat.tables.reading",
        "read_findings": "annostat.tables.marks",
        "read_points": "annostat.tables.marks",
        "read_rounds": "annostat.tables.reading",
        "read_table": "annostat.tables.reading",
    },
)
