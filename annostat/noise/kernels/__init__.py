"""The likelihood of differences between rounds, and its maximiser, compiled by numba.

Arrays of float64 and int64 go in and out; nothing is validated, nothing is random. Each kernel
has a plain twin in ``tests/naive.py``. All release the interpreter lock. `types` says what the
words and the packed arrays mean.
"""

from __future__ import annotations

from annostat.noise.kernels.law import abandoned_pmf, core_law, digamma, mean_error, pair_law
from annostat.noise.kernels.likelihood import evaluate, law_slopes, objective
from annostat.noise.kernels.maximise import ascent, curvature, invert, maximise, set_metric, update
from annostat.noise.kernels.profile import profile_limit, scan_windows
from annostat.noise.kernels.refit import refit_counts
from annostat.noise.kernels.types import (
    CALLS,
    CELLS,
    CLIMB,
    DATA,
    FILL,
    GOAL,
    MATRIX,
    NUMBERS,
    POINT,
    POINTS,
    SPACE,
    TINY,
    VECTOR,
    WALK,
    WARM,
    Calls,
    Cells,
    Goal,
    Parts,
    Points,
    Space,
    Walk,
    Warm,
    call_climb,
    call_fill,
    call_point,
    pack,
)

__all__ = [
    "CALLS",
    "CELLS",
    "CLIMB",
    "DATA",
    "FILL",
    "GOAL",
    "MATRIX",
    "NUMBERS",
    "POINT",
    "POINTS",
    "SPACE",
    "TINY",
    "VECTOR",
    "WALK",
    "WARM",
    "Calls",
    "Cells",
    "Goal",
    "Parts",
    "Points",
    "Space",
    "Walk",
    "Warm",
    "abandoned_pmf",
    "ascent",
    "call_climb",
    "call_fill",
    "call_point",
    "core_law",
    "curvature",
    "digamma",
    "evaluate",
    "invert",
    "law_slopes",
    "maximise",
    "mean_error",
    "objective",
    "pack",
    "pair_law",
    "profile_limit",
    "refit_counts",
    "scan_windows",
    "set_metric",
    "update",
]
