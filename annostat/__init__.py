"""annostat: the metrology of annotation noise.

Names are loaded when they are first used, so that ``import annostat`` stays fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from annostat._version import __version__

if TYPE_CHECKING:
    from annostat import datasets
    from annostat.ceilings import Bounds, bounds, bounds_from_summary, compare_published
    from annostat.errors import AnnostatError, AnnostatWarning
    from annostat.estimates import Check, Estimate, Interval, Provenance
    from annostat.noise import (
        NoiseComparison,
        NoiseFit,
        NoiseModel,
        compare_noise,
        fit_noise,
        plan_rounds,
    )
    from annostat.rounds import Rounds, read_rounds
    from annostat.simulate import simulate_masks, simulate_rounds, simulate_values
    from annostat.truth import score_models

_HOME = {
    "AnnostatError": "errors",
    "AnnostatWarning": "errors",
    "Bounds": "ceilings",
    "Check": "estimates",
    "Estimate": "estimates",
    "Interval": "estimates",
    "NoiseComparison": "noise",
    "NoiseFit": "noise",
    "NoiseModel": "noise",
    "Provenance": "estimates",
    "Rounds": "rounds",
    "bounds": "ceilings",
    "bounds_from_summary": "ceilings",
    "compare_noise": "noise",
    "compare_published": "ceilings",
    "fit_noise": "noise",
    "plan_rounds": "noise",
    "read_rounds": "rounds",
    "score_models": "truth",
    "simulate_masks": "simulate",
    "simulate_rounds": "simulate",
    "simulate_values": "simulate",
}

__all__ = [
    "AnnostatError",
    "AnnostatWarning",
    "Bounds",
    "Check",
    "Estimate",
    "Interval",
    "NoiseComparison",
    "NoiseFit",
    "NoiseModel",
    "Provenance",
    "Rounds",
    "__version__",
    "bounds",
    "bounds_from_summary",
    "compare_noise",
    "compare_published",
    "datasets",
    "fit_noise",
    "plan_rounds",
    "read_rounds",
    "score_models",
    "simulate_masks",
    "simulate_rounds",
    "simulate_values",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"annostat.{_HOME[name]}"), name)
    if name in (
        "datasets",
        "plotting",
        "agreement",
        "ceilings",
        "truth",
        "concentration",
        "scaling",
        "masks",
        "cardiac",
    ):
        return importlib.import_module(f"annostat.{name}")
    raise AttributeError(f"module 'annostat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
