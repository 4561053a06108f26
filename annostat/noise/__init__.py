"""The law of one annotator's error, from the differences between rounds."""

from annostat.noise.compare import NoiseComparison, compare_noise
from annostat.noise.diagnostics import Bracket, bracket, check_rounds, lattice_floor, pair_mae
from annostat.noise.families import FAMILIES, Family, Parameter, get_family
from annostat.noise.fit import NoiseFit, fit_noise
from annostat.noise.model import ABANDONMENT, NoiseModel
from annostat.noise.planning import PlanResult, plan_rounds
from annostat.noise.unimodal import UnimodalFit

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
