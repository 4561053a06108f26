"""annostat: the metrology of annotation noise.

Names are loaded when they are first used, so that ``import annostat`` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from annostat._names import attach
from annostat._version import __version__

if TYPE_CHECKING:
    from annostat import (
        agreement,
        cardiac,
        ceilings,
        concentration,
        consensus,
        datasets,
        labels,
        masks,
        noise,
        planning,
        plotting,
        report,
        results,
        scaling,
        simulate,
        study,
        tables,
        truth,
    )
    from annostat.ceilings import Bounds, bounds, bounds_from_summary, compare_published
    from annostat.errors import AnnostatError, AnnostatWarning
    from annostat.interchange import interchange
    from annostat.labels import Rounds
    from annostat.noise import (
        NoiseComparison,
        NoiseFit,
        NoiseModel,
        compare_noise,
        fit_noise,
        plan_rounds,
    )
    from annostat.results import Check, Estimate, Interval, Provenance
    from annostat.simulate import simulate_masks, simulate_rounds, simulate_values
    from annostat.tables import read_rounds
    from annostat.truth import score_models

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
    "agreement",
    "bounds",
    "bounds_from_summary",
    "cardiac",
    "ceilings",
    "compare_noise",
    "compare_published",
    "concentration",
    "consensus",
    "datasets",
    "fit_noise",
    "interchange",
    "labels",
    "masks",
    "noise",
    "plan_rounds",
    "planning",
    "plotting",
    "read_rounds",
    "report",
    "results",
    "scaling",
    "score_models",
    "simulate",
    "simulate_masks",
    "simulate_rounds",
    "simulate_values",
    "study",
    "tables",
    "truth",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "AnnostatError": "annostat.errors",
        "AnnostatWarning": "annostat.errors",
        "Bounds": "annostat.ceilings",
        "Check": "annostat.results",
        "Estimate": "annostat.results",
        "Interval": "annostat.results",
        "NoiseComparison": "annostat.noise",
        "NoiseFit": "annostat.noise",
        "NoiseModel": "annostat.noise",
        "Provenance": "annostat.results",
        "Rounds": "annostat.labels",
        "agreement": "annostat.agreement",
        "bounds": "annostat.ceilings",
        "bounds_from_summary": "annostat.ceilings",
        "cardiac": "annostat.cardiac",
        "ceilings": "annostat.ceilings",
        "compare_noise": "annostat.noise",
        "compare_published": "annostat.ceilings",
        "concentration": "annostat.concentration",
        "consensus": "annostat.consensus",
        "datasets": "annostat.datasets",
        "interchange": "annostat.interchange",
        "fit_noise": "annostat.noise",
        "labels": "annostat.labels",
        "masks": "annostat.masks",
        "noise": "annostat.noise",
        "plan_rounds": "annostat.noise",
        "planning": "annostat.planning",
        "plotting": "annostat.plotting",
        "read_rounds": "annostat.tables",
        "report": "annostat.report",
        "results": "annostat.results",
        "scaling": "annostat.scaling",
        "score_models": "annostat.truth",
        "simulate": "annostat.simulate",
        "simulate_masks": "annostat.simulate",
        "simulate_rounds": "annostat.simulate",
        "simulate_values": "annostat.simulate",
        "study": "annostat.study",
        "tables": "annostat.tables",
        "truth": "annostat.truth",
    },
)
