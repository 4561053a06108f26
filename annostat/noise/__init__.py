"""The law of one annotator's error, from the differences between rounds.

Names are loaded when they are first used: what needs no likelihood does not wait for the compiler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.noise.abandonment import ABANDONMENT, ABANDONMENTS, Abandonment
    from annostat.noise.brackets import Bracket, bracket, lattice_floor
    from annostat.noise.compare import NoiseComparison, compare_noise
    from annostat.noise.families import FAMILIES, Family, Parameter, get_family
    from annostat.noise.fit import fit_noise
    from annostat.noise.model import NoiseModel
    from annostat.noise.planning import PlanResult, plan_rounds
    from annostat.noise.raters import RaterNoise, rater_biases
    from annostat.noise.result import NoiseFit
    from annostat.noise.skew import SkewFit, check_skew
    from annostat.noise.unimodal import UnimodalFit

__all__ = [
    "ABANDONMENT",
    "ABANDONMENTS",
    "FAMILIES",
    "Abandonment",
    "Bracket",
    "Family",
    "NoiseComparison",
    "NoiseFit",
    "NoiseModel",
    "Parameter",
    "PlanResult",
    "RaterNoise",
    "SkewFit",
    "UnimodalFit",
    "bracket",
    "check_skew",
    "compare_noise",
    "fit_noise",
    "get_family",
    "lattice_floor",
    "plan_rounds",
    "rater_biases",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "ABANDONMENT": "annostat.noise.abandonment",
        "ABANDONMENTS": "annostat.noise.abandonment",
        "FAMILIES": "annostat.noise.families",
        "Abandonment": "annostat.noise.abandonment",
        "Bracket": "annostat.noise.brackets",
        "Family": "annostat.noise.families",
        "NoiseComparison": "annostat.noise.compare",
        "NoiseFit": "annostat.noise.result",
        "NoiseModel": "annostat.noise.model",
        "Parameter": "annostat.noise.families",
        "PlanResult": "annostat.noise.planning",
        "RaterNoise": "annostat.noise.raters",
        "SkewFit": "annostat.noise.skew",
        "UnimodalFit": "annostat.noise.unimodal",
        "bracket": "annostat.noise.brackets",
        "check_skew": "annostat.noise.skew",
        "compare_noise": "annostat.noise.compare",
        "fit_noise": "annostat.noise.fit",
        "get_family": "annostat.noise.families",
        "lattice_floor": "annostat.noise.brackets",
        "plan_rounds": "annostat.noise.planning",
        "rater_biases": "annostat.noise.raters",
    },
    old={
        "check_rounds": "annostat.labels",
        "pair_mae": "annostat.labels",
    },
)
