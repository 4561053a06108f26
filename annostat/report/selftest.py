"""The chapter on the self-test: its tables are its checks, so that only those that fail follow."""

from __future__ import annotations

from dataclasses import replace

from annostat.report.parts import Part, part_of
from annostat.selftest import SelfTest


@part_of.register
def _selftest(result: SelfTest) -> Part:
    part = Part.of(result, title=result.title)
    return replace(part, checks=[check for check in part.checks if not check.passed])
