"""A model in an annotator's place: whether it is as good as one."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from annostat._names import attach

if TYPE_CHECKING:
    from annostat.interchange.alternative import AlternativeTest
    from annostat.interchange.distances import DISTANCES, Distance
    from annostat.interchange.measure import interchange
    from annostat.interchange.places import Difference, ModelPlace, Place
    from annostat.interchange.planning import InterchangePlan, plan_interchange
    from annostat.interchange.result import Interchange
    from annostat.interchange.verdicts import Standing

__all__ = [
    "DISTANCES",
    "AlternativeTest",
    "Difference",
    "Distance",
    "Interchange",
    "InterchangePlan",
    "ModelPlace",
    "Place",
    "Standing",
    "interchange",
    "plan_interchange",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "DISTANCES": "annostat.interchange.distances",
        "AlternativeTest": "annostat.interchange.alternative",
        "Difference": "annostat.interchange.places",
        "Distance": "annostat.interchange.distances",
        "Interchange": "annostat.interchange.result",
        "InterchangePlan": "annostat.interchange.planning",
        "ModelPlace": "annostat.interchange.places",
        "Place": "annostat.interchange.places",
        "Standing": "annostat.interchange.verdicts",
        "interchange": "annostat.interchange.measure",
        "plan_interchange": "annostat.interchange.planning",
    },
)


class _Room(ModuleType):
    """The room and the function that it is for have one name: `annostat.interchange(...)`."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        from annostat.interchange.measure import interchange

        return interchange(*args, **options)


sys.modules[__name__].__class__ = _Room
