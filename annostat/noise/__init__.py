"""The law of one annotator's error, from the differences between rounds.

Names are loaded when they are first used: what needs no likelihood (`pair_mae`, `check_rounds`)
does not wait for the compiler.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from annostat.noise.compare import NoiseComparison, compare_noise
    from annostat.noise.diagnostics import Bracket, bracket, check_rounds, lattice_floor, pair_mae
    from annostat.noise.families import FAMILIES, Family, Parameter, get_family
    from annostat.noise.fit import NoiseFit, fit_noise
    from annostat.noise.model import ABANDONMENT, NoiseModel
    from annostat.noise.planning import PlanResult, plan_rounds
    from annostat.noise.unimodal import UnimodalFit

_HOME = {
    "ABANDONMENT": "model",
    "FAMILIES": "families",
    "Bracket": "diagnostics",
    "Family": "families",
    "NoiseComparison": "compare",
    "NoiseFit": "fit",
    "NoiseModel": "model",
    "Parameter": "families",
    "PlanResult": "planning",
    "UnimodalFit": "unimodal",
    "bracket": "diagnostics",
    "check_rounds": "diagnostics",
    "compare_noise": "compare",
    "fit_noise": "fit",
    "get_family": "families",
    "lattice_floor": "diagnostics",
    "pair_mae": "diagnostics",
    "plan_rounds": "planning",
}

__all__ = [
    "ABANDONMENT",
    "FAMILIES",
    "Bracket",
    "Family",
    "NoiseComparison",
    "NoiseFit",
    "NoiseModel",
    "Parameter",
    "PlanResult",
    "UnimodalFit",
    "bracket",
    "check_rounds",
    "compare_noise",
    "fit_noise",
    "get_family",
    "lattice_floor",
    "pair_mae",
    "plan_rounds",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"annostat.noise.{_HOME[name]}"), name)
    raise AttributeError(f"module 'annostat.noise' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
