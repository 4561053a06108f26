"""One row of results for each interval and test of a suite on one design."""

from __future__ import annotations

import warnings

import numpy as np

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, Suite
from annostat.errors import AnnostatWarning
from annostat.resampling import spawn


def rows_of(
    suite: str, judge: Suite, design: Design, repetitions: int, *, seed: int
) -> list[dict[str, object]]:
    """Judge as many sets of a design, and return one row for each interval and test."""
    rows: dict[str, list[Outcome]] = {}
    for rng in spawn(seed, repetitions):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnnostatWarning)
            for what, outcome in judge(design, rng).items():
                rows.setdefault(what, []).append(outcome)
    return [
        {
            "suite": suite,
            "what": what,
            "n": design.n,
            "law": design.law,
            "rounds": design.rounds,
            "missing": design.missing,
            "repetitions": len(seen),
            "rate": round(float(np.mean([o.hit for o in seen])), 4),
            "relative_width": round(float(np.median([o.width for o in seen])), 4),
        }
        for what, seen in rows.items()
    ]
