"""Probabilities that a model gives to categories: what is taken, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from annostat.arrays import FloatArray
from annostat.errors import AnnostatError
from annostat.labels.categories import Categories
from annostat.labels.looks import plain_name
from annostat.labels.taking import in_order
from annostat.results.result import Check

SUM = 1e-6  # how far probabilities may be from a sum of 1
MOST_DECIMALS = 6  # beyond these numbers are not taken for rounded


class Proba(NamedTuple):
    """Probabilities of one model.

    Attributes
    ----------
    given : float64 array of shape (n_items, n_classes)
        Each row sums to 1.
    checks : tuple of Check
        Says that probabilities were rounded, where they were.
    """

    given: FloatArray
    checks: tuple[Check, ...]


def proba_of(
    name: str, given: ArrayLike, labels: Categories, positive: np.ndarray[Any, Any] | None = None
) -> Proba:
    """Return checked probabilities in the order of the items.

    Parameters
    ----------
    name : str
    given : array_like of shape (n_items, n_classes), or (n_items,)
        One column is the probability of the second of two classes, or of the positive ones.
        Columns of a data frame that are named after the classes may stand in any order.
    labels : Categories
    positive : bool array of shape (n_classes,), optional
        Classes that count as one, the second of two.

    Raises
    ------
    AnnostatError
        If the shape is another, one is missing or beyond 0 and 1, or a sum is not 1 by more than
        rounding to the decimals that the probabilities have can do.
    """
    columns = getattr(given, "columns", None)
    if columns is not None:
        place = places_of_classes([str(c) for c in columns], labels.classes)
        given = given if place is None else given.iloc[:, np.argsort(place)]  # type: ignore[union-attr]
    f = np.asarray(in_order(name, given, labels.items), dtype=np.float64)
    two = labels.n_classes == 2 or positive is not None
    alone = f.ndim == 1 and two
    if alone:
        f = np.column_stack([1 - f, f])
    n, n_classes = len(labels.codes), 2 if alone else labels.n_classes
    if f.shape != (n, n_classes):
        raise AnnostatError(
            f"probabilities of {name!r} have shape {f.shape}, expected {(n, labels.n_classes)}"
        )
    absent = np.flatnonzero(~np.isfinite(f).all(axis=1))
    if len(absent):
        raise AnnostatError(
            f"probabilities of {name!r} must be there for every item, and "
            f"{_item(labels, int(absent[0]))} has none ({len(absent)} in all): leave these out"
        )
    outside = (f < 0) | (f > 1 + SUM)
    if outside.any():
        row = int(np.flatnonzero(outside.any(axis=1))[0])
        worst = f[row].max() if f[row].max() > 1 + SUM else f[row].min()
        raise AnnostatError(
            f"probabilities of {name!r} must lie between 0 and 1, and {_item(labels, row)} has "
            f"{worst:g}" + (": divide percentages by 100" if worst > 1 else "")
        )
    sums = f.sum(axis=1)
    far = np.abs(sums - 1)
    checks: tuple[Check, ...] = ()
    if far.max() > SUM:
        decimals = _decimals(f)
        if decimals is None or far.max() > 0.5 * n_classes * 10.0**-decimals + SUM:
            row = int(far.argmax())
            raise AnnostatError(
                f"probabilities of {name!r} must sum to 1; those of {_item(labels, row)} sum to "
                f"{sums[row]:g}"
            )
        text = (
            f"Probabilities of {name} are rounded to {decimals} decimals and sum to "
            f"{sums.min():g} to {sums.max():g}: they were divided by their sums."
        )
        f, checks = f / sums[:, None], (Check("rounded", True, text),)
    if positive is not None and not alone:
        f = np.column_stack([f[:, ~positive].sum(axis=1), f[:, positive].sum(axis=1)])
    return Proba(f, checks)


def places_of_classes(columns: Sequence[str], classes: Sequence[str]) -> list[int] | None:
    """Return the place of the class that each column is named after: "p_low" is of "low".

    None where the names do not tell: one names no class or several, or two name the same one.

    Examples
    --------
    >>> places_of_classes(["p_low", "p_high"], ["high", "low"])
    [1, 0]
    """
    plain = [plain_name(c) for c in classes]
    found = []
    for column in (plain_name(c) for c in columns):
        at = [
            j
            for j, name in enumerate(plain)
            if name
            and (column == name or column.endswith(f"_{name}") or column.startswith(f"{name}_"))
        ]
        if len(at) > 1:  # "not_sure" ends as "sure" does: the longer one is meant
            longest = max(len(plain[j]) for j in at)
            at = [j for j in at if len(plain[j]) == longest]
        if len(at) != 1:
            return None
        found += at
    return found if len(set(found)) == len(found) else None


def _decimals(f: FloatArray) -> int | None:
    """Return how many decimals numbers have, two at least; None if there are many."""
    for d in range(2, MOST_DECIMALS):
        if np.allclose(np.round(f, d), f, rtol=0, atol=1e-9):
            return d
    return None


def _item(labels: Categories, row: int) -> str:
    return f"item {row + 1}" if labels.items is None else f"item {labels.items[row]!r}"
