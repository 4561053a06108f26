"""Results as one self-contained HTML page, which a person reads and nothing leaves."""

from __future__ import annotations

<<<<<<< HEAD
import annostat.report.masks
import annostat.report.models  # noqa: F401 (registers its chapters)
=======
import annostat.report.models
import annostat.report.values  # noqa: F401 (they register their chapters)
>>>>>>> e59ed08 (Bounds: schema, tests of degenerate tables, chapter of the report)
from annostat.report.page import make_report, write_report
from annostat.report.parts import Part, Picture, part_of

__all__ = ["Part", "Picture", "make_report", "part_of", "write_report"]
