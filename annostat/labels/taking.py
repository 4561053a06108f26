"""What functions on rounds may be handed: rounds, or a table from which these are read."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annostat.errors import AnnostatError, shown
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
    ``bounds(Rounds.from_frame(frame, rounds=["first", "second"]))``. Models that were read with the
    rounds are the predictions where the function takes some, else they are left out.
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
    scores = "predictions" in own

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        given: dict[str, Any] = dict(options)
        source: Any = args[0] if args else given.pop("rounds", None)
        if source is None or (handed_on(source) and not (scores and _models_of(source))):
            return function(*args, **options)
        rest = args[1:]
        if not handed_on(source):
            reading = {k: given.pop(k) for k in READING if k in given and k not in own}
            source = _rounds_of(source, reading, function.__name__)
        if scores and (models := _models_of(source)):
            told = rest[0] if rest else given.pop("predictions", None)
            rest = (_joined(models, told), *rest[1:])
        return function(source.without_models(), *rest, **given)  # type: ignore[arg-type]

    return call


def _rounds_of(source: Any, reading: dict[str, Any], name: str) -> Rounds:
    if isinstance(source, (str, os.PathLike)):
        raise AnnostatError(
            f"{name} takes rounds, not a file: {name}(annostat.read_rounds({os.fspath(source)!r}))"
        )
    return Rounds.from_frame(source, **reading)


def _models_of(source: Any) -> dict[str, Any]:
    """Return the predictions of models that were read with rounds or classes, if there are some.

    Points and findings keep theirs: functions of these look for them there.
    """
    if isinstance(source, Rounds):
        return {name: source.values[:, source.names.index(name)] for name in source.models}
    from annostat.labels.categories import Categories

    if isinstance(source, Categories):
        return {name: source.answers(name) for name in source.models}
    return {}


def _joined(models: dict[str, Any], predictions: Any) -> Any:
    """Return the models of a table and those that are given beside it."""
    if predictions is None:
        return models
    if hasattr(predictions, "to_frame") and not hasattr(predictions, "columns"):  # a series
        predictions = predictions.to_frame(predictions.name or "model")
    if not hasattr(predictions, "items"):
        return predictions  # which the function refuses
    beside = {str(name): given for name, given in predictions.items()}
    twice = sorted(set(beside) & set(models))
    if twice:
        raise AnnostatError(f"{shown(twice)}: among models and predictions; name it once")
    return {**models, **beside}


def aligned(name: str, column: Any, rounds: Rounds) -> ArrayLike:
    """Return a column of numbers in the order of the rounds' items; see `in_order`."""
    return _numbers(in_order(name, column, rounds.items))


def all_aligned(columns: Mapping[str, Any], rounds: Rounds) -> dict[str, ArrayLike]:
    """Return `aligned` of each column; those of one table share an index, which is read once."""
    found: dict[str, ArrayLike] = {}
    last: Any = None
    rows: list[int] | None = None
    for name, column in columns.items():
        index = _index_of(column)
        if index is not None and (last is None or not index.equals(last)):
            rows, last = _rows(name, index, rounds.items), index
        found[name] = _numbers(column if index is None or rows is None else column.iloc[rows])
    return found


def in_order(name: str, column: Any, items: NDArray[Any] | None) -> Any:
    """Return predictions in the order of the labels' items.

    Parameters
    ----------
    name : str
        The model.
    column : Series, DataFrame or array-like
        One whose index holds the items' names is put in their order; one whose index is neither
        these nor 0, 1, ... is refused. What has no index stays as it is.
    items : object array or None
        Names of the items.
    """
    index = _index_of(column)
    rows = None if index is None else _rows(name, index, items)
    return column if rows is None else column.iloc[rows]


def _numbers(found: Any) -> ArrayLike:
    if hasattr(found, "to_numpy") and hasattr(found, "index"):
        return found.to_numpy(np.float64, na_value=np.nan)  # type: ignore[no-any-return]
    return found  # type: ignore[no-any-return]


def _index_of(column: Any) -> Any:
    index = getattr(column, "index", None)
    return None if callable(index) else index


def _rows(name: str, index: Any, items: NDArray[Any] | None) -> list[int] | None:
    """Return the place of each item in an index, None where the rows stand in their order."""
    names = list(map(str, index.tolist()))
    if index.dtype.kind not in "iu":
        names = [name.strip() for name in names]
    if items is not None and names == items.tolist():
        return None
    known = None if items is None else list(map(str, items.tolist()))
    if known is not None and len(set(names)) == len(names) and set(names) == set(known):
        place = {n: i for i, n in enumerate(names)}
        return [place[item] for item in known]
    if names != [str(i) for i in range(len(names))]:
        raise AnnostatError(
            f"predictions of {name!r} have an index ({shown(names, 3)}) that is neither the items' "
            "names nor 0, 1, ... in order: set the index to the items, or reset it "
            "(reset_index(drop=True)) if the rows are in the order of the labels"
        )
    return None
