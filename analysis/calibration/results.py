"""The results file: one row for each interval and test, design and seed."""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome
from analysis.calibration.suites import SUITES
from annostat.errors import AnnostatWarning
from annostat.resampling import map_parallel, spawn

RESULTS = Path("docs/studies/calibration.csv")
SEVERAL = 0  # in the column of seeds: several of 1 to 9
DESIGN = ["n", "law", "rounds", "missing", "cluster_size"]
KEY = ["suite", "what", *DESIGN]


def run(
    suite: str, design: Design, repetitions: int, *, seed: int, n_jobs: int
) -> list[dict[str, object]]:
    """Return one row for each interval and test of a suite on one design."""

    def one(rng: np.random.Generator) -> dict[str, Outcome]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnnostatWarning)
            return SUITES[suite][0](design, rng)

    done = map_parallel(one, spawn(seed, repetitions), n_jobs=n_jobs)
    rows = []
    for name in dict.fromkeys(name for outcomes in done for name in outcomes):
        seen = [outcomes[name] for outcomes in done if name in outcomes]
        rate = float(np.mean([o.hit for o in seen]))
        rows.append(
            {
                "suite": suite,
                "what": name,
                **asdict(design),
                "seed": seed,
                "repetitions": len(seen),
                "rate": round(rate, 5),
                "rate_se": round(math.sqrt(rate * (1 - rate) / len(seen)), 5),
                "relative_width": round(float(np.median([o.width for o in seen])), 5),
                "relative_bias": round(float(np.mean([o.error for o in seen])), 5),
            }
        )
    return rows


def is_done(table: pd.DataFrame, suite: str, design: Design, seed: int) -> bool:
    """Return whether the table holds a suite's design of this seed."""
    if table.empty:
        return False
    same = (table[["suite", *DESIGN]] == pd.Series({"suite": suite, **asdict(design)})).all(axis=1)
    seeds = table.seed[same]
    return bool(((seeds == seed) | ((seeds == SEVERAL) & (seed < 10))).any())


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each interval and test on each design: its runs put together.

    Rates and biases are weighted by repetitions, and so are widths, which are medians of each run.
    """
    sums = pd.DataFrame({"repetitions": table.repetitions, "rate": table.rate * table.repetitions})
    for column in ("relative_width", "relative_bias"):
        sums[column] = table[column] * table.repetitions
        sums[f"{column}, of"] = table.repetitions.where(table[column].notna())
    sums = sums.groupby([table[k] for k in KEY], sort=False).sum(min_count=1).reset_index()
    sums["rate"] /= sums.repetitions
    sums["rate_se"] = (sums.rate * (1 - sums.rate) / sums.repetitions) ** 0.5
    for column in ("relative_width", "relative_bias"):
        sums[column] /= sums.pop(f"{column}, of")
    return sums
