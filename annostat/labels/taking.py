"""What functions on rounds may be handed: rounds, or a table from which these are read."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.labels.vocabulary import LabelSet

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
    return _taking(function, lambda source: isinstance(source, Rounds))


def takes_labels(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function of labels of any kind to take a data frame too, as `takes_rounds`.

    Containers of labels and arrays are handed on as they are.
    """
    return _taking(function, _are_labels)


def _are_labels(source: Any) -> bool:
    plain = isinstance(source, np.ndarray) and source.dtype.names is None
    return plain or isinstance(source, LabelSet)


def _taking(function: Callable[P, R], handed_on: Callable[[Any], bool]) -> Callable[P, R]:
    own = set(inspect.signature(function).parameters) - {"rounds"}

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        given: dict[str, Any] = dict(options)
        source: Any = args[0] if args else given.pop("rounds", None)
        if source is None or handed_on(source):
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
