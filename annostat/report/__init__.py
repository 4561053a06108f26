"""Results as one self-contained HTML page, which a person reads and nothing leaves."""

from __future__ import annotations

import annostat.report.categories
import annostat.report.findings
import annostat.report.interchange
import annostat.report.masks
import annostat.report.models
import annostat.report.plans
import annostat.report.points
import annostat.report.selftest
import annostat.report.values  # noqa: F401 (they register their chapters)
from annostat.report.page import make_report, write_report
from annostat.report.parts import Part, Picture, part_of

__all__ = ["Part", "Picture", "make_report", "part_of", "write_report"]
