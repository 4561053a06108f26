"""What functions on rounds may be handed: rounds, or a table from which these are read."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds

P = ParamSpec("P")
R = TypeVar("R")

READING = (
    "item",
    "rounds",
    "rater",
    "value",
    "models",
    "by",
    "cluster",
    "period",
    "fps",
    "length",
    "missing",
    "tidy_names",
    "unit",
    "period_unit",
    "exchangeable",
)


def takes_rounds(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function of rounds to take a data frame too, with the options that read it.

    ``bounds(frame, rounds=["first", "second"])`` is
    ``bounds(Rounds.from_frame(frame, rounds=["first", "second"]))``.
    """
    own = set(inspect.signature(function).parameters) - {"rounds"}

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        given: dict[str, Any] = dict(options)
        source: Any = args[0] if args else given.pop("rounds", None)
        if source is None or isinstance(source, Rounds):
            return function(*args, **options)
        reading = {k: given.pop(k) for k in READING if k in given and k not in own}
        rounds = _rounds_of(source, reading, function.__name__)
        return function(rounds, *args[1:], **given)  # type: ignore[arg-type]

    return call


def _rounds_of(source: Any, reading: dict[str, Any], name: str) -> Rounds:
    if isinstance(source, (str, os.PathLike)):
        raise AnnostatError(
            f"{name} takes rounds, not a file: {name}(annostat.read_rounds({os.fspath(source)!r}))"
        )
    return Rounds.from_frame(source, **reading).without_models()
