"""All suites: what is simulated and judged, and on which designs."""

from __future__ import annotations

from analysis.calibration import (
    audit,
    beats,
    compare,
    concentration,
    gauge,
    masks,
    picks,
    planning,
    scaling,
    staple,
    truth,
    values,
)
from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Suite

SUITES: dict[str, tuple[Suite, list[Design]]] = {
    **picks.SUITES,
    **planning.SUITES,
    **values.SUITES,
    **gauge.SUITES,
    **beats.SUITES,
    **truth.SUITES,
    **concentration.SUITES,
    **scaling.SUITES,
    **masks.SUITES,
    **staple.SUITES,
    **compare.SUITES,
    **audit.SUITES,
}
