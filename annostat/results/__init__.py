"""What annostat answers with: estimates, checks, tables, and how they are said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.results.cite import Cited
    from annostat.results.estimates import Estimate, Interval
    from annostat.results.quantities import Measured, Quantity
    from annostat.results.result import Check, Provenance, Result
    from annostat.results.sections import Section
    from annostat.results.text import plain

__all__ = [
    "Check",
    "Cited",
    "Estimate",
    "Interval",
    "Measured",
    "Provenance",
    "Quantity",
    "Result",
    "Section",
    "plain",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Check": "annostat.results.result",
        "Cited": "annostat.results.cite",
        "Estimate": "annostat.results.estimates",
        "Interval": "annostat.results.estimates",
        "Measured": "annostat.results.quantities",
        "Provenance": "annostat.results.result",
        "Quantity": "annostat.results.quantities",
        "Result": "annostat.results.result",
        "Section": "annostat.results.sections",
        "plain": "annostat.results.text",
    },
)
