"""Whether this installation gives the numbers that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.selftest.result import Row, SelfTest
    from annostat.selftest.run import selftest

__all__ = ["Row", "SelfTest", "selftest"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Row": "annostat.selftest.result",
        "SelfTest": "annostat.selftest.result",
        "selftest": "annostat.selftest.run",
    },
)
