"""What one simulated data set said."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

import annostat
from analysis.calibration.designs import Design

LEVEL = 0.95


@dataclass(frozen=True)
class Outcome:
    """What one data set said: whether the interval held the truth, or the test rejected.

    `printed`: whether there was an interval; `warned`: whether a check that concerns it failed.
    """

    hit: bool
    width: float = math.nan
    error: float = math.nan
    printed: bool = True
    warned: bool = False


Suite = Callable[[Design, np.random.Generator], dict[str, Outcome]]


def held(estimate: annostat.Estimate, truth: float) -> Outcome:
    """Return the outcome of an interval; one that is not given counts as not holding."""
    if estimate.interval is None:
        return Outcome(False, printed=False)
    interval = estimate.interval
    return Outcome(
        truth in interval, (interval.high - interval.low) / truth, estimate.value / truth - 1
    )


def covered(estimate: annostat.Estimate, truth: float, unit: float) -> Outcome:
    """Return the outcome of an interval of what may be 0; width and error in `unit`."""
    if estimate.interval is None:
        return Outcome(False, printed=False)
    interval = estimate.interval
    width = (interval.high - interval.low) / unit
    return Outcome(truth in interval, width, (estimate.value - truth) / unit)


def warned(
    outcomes: dict[str, Outcome], checks: Iterable[annostat.Check | None]
) -> dict[str, Outcome]:
    """Return the outcomes with whether one of the checks that concern their intervals failed."""
    failed = any(check is not None and check.passed is False for check in checks)
    return {
        what: replace(o, warned=failed) if what.startswith("interval") else o
        for what, o in outcomes.items()
    }
