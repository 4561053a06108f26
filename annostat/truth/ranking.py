"""Ranks of many models: where each may stand, and which of them cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annostat.results.cite import TOOL, Cited
from annostat.results.estimates import Estimate
from annostat.results.result import Result
from annostat.results.sections import Section
from annostat.results.text import counted, percent

if TYPE_CHECKING:
    import pandas as pd

ROWS = 12  # of a table that is not asked for whole
HEAD = 10  # of them the best; the last one stands below
TIED = "group"


@dataclass(frozen=True, slots=True)
class Ranked:
    """Where one model stands among the others.

    Attributes
    ----------
    name : str
    value : Estimate
        What the models are ordered by.
    rank : int
        By the values alone; equal values share the best.
    low, high : int
        Its rank with simultaneous confidence: 1 + the models shown to be better, to the number of
        models − those shown to be worse.
    group : str
        Letters; models that share one cannot be told apart.
    """

    name: str
    value: Estimate
    rank: int
    low: int
    high: int
    group: str

    def span(self) -> str:
        """Return the ranks that are possible, as "2-5"."""
        return f"{self.low}" if self.low == self.high else f"{self.low}-{self.high}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "model": self.name,
            "rank": self.rank,
            "rank_low": self.low,
            "rank_high": self.high,
            "group": self.group,
            "value": self.value.to_dict(),
        }


@dataclass(frozen=True)
class Ranking(Result):
    """Models in their order, the best first.

    Attributes
    ----------
    models : tuple of Ranked
    what : str
        What they are ordered by.
    level : float
        Of all pairs together.
    n_pairs : int
        Pairs that were compared.
    left_out : tuple of str
        Models that have no rank: those that have seen the labels.
    """

    models: tuple[Ranked, ...]
    what: str
    level: float
    n_pairs: int
    left_out: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Ranked:
        """Return a model's place by its name."""
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(name)

    @property
    def best(self) -> tuple[str, ...]:
        """The models of which none is shown to be better."""
        return tuple(m.name for m in self.models if m.low == 1)

    def answer(self) -> str:
        """Return which models may be the best."""
        if not self.models:
            return "No model has a rank."
        n = len(self.models)
        first = self.models[0]
        if n == 1:
            return f"{first.name} is the only model with a rank."
        if first.low == first.high:
            return f"{first.name} is the best of {n} models."
        return (
            f"{first.name} leads, its rank is {first.low} to {first.high} of {n}: "
            f"{counted(len(self.best), 'model')} may be the best."
        )

    def quote(self) -> str:
        """Return the ranks of the first three models."""
        told = ", ".join(f"{m.name} {m.span()}" for m in self.models[:3])
        return f"Ranks by {self.what} ({percent(self.level)} for all pairs together): {told}."

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        methods = (
            f"Models were ranked by {self.what} with {TOOL}: each pair was compared on the same "
            "items, p-values were adjusted for all pairs by the step-down of the largest |t| in a "
            "bootstrap-t, and a rank runs from one more than the models shown to be better to the "
            "number of models less those shown to be worse."
        )
        return Cited(methods, self.quote())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "by": self.what,
            "level": self.level,
            "n_pairs": self.n_pairs,
            "models": [m.to_dict() for m in self.models],
            "left_out": list(self.left_out),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model, the best first."""
        import pandas as pd

        rows = [
            {
                "model": m.name,
                "rank": m.rank,
                "rank_low": m.low,
                "rank_high": m.high,
                "group": m.group,
                **m.value.to_dict(),
            }
            for m in self.models
        ]
        return pd.DataFrame(rows)

    def note(self) -> str:
        """Return the line below a table of ranks."""
        text = (
            f"Ranks: {percent(self.level)} for all {counted(self.n_pairs, 'pair')} together; "
            "models that share a letter cannot be told apart."
        )
        if self.left_out:
            text += f" Not ranked: {', '.join(self.left_out)}."
        return text

    def rows(
        self, cells: Mapping[str, Sequence[str]], *, everything: bool = False
    ) -> list[list[str]]:
        """Return the rows of a table: rank, model, its cells, letters; the middle of many folded.

        Parameters
        ----------
        cells : mapping of name to sequence of str
            The columns between the name and the letters.
        everything : bool
            Whether all rows are wanted.
        """
        told = [[m.span(), m.name, *cells[m.name], m.group] for m in self.models]
        if everything or len(told) <= ROWS:
            return told
        folded = self.models[HEAD:-1]
        low, high = min(m.low for m in folded), max(m.high for m in folded)
        width = len(told[0])
        middle = [f"{low}-{high}", f"… {len(folded)} more", *[""] * (width - 2)]
        return [*told[:HEAD], middle, told[-1]]

    def tables(
        self, title: str, columns: Sequence[str], cells: Mapping[str, Sequence[str]]
    ) -> list[Section]:
        """Return the table of ranks: at most twelve rows, and the whole one where it is longer."""
        head, lines = ("rank", "model", *columns, TIED), [self.note()]
        if len(self.models) <= ROWS:
            return [Section(title, head, self.rows(cells), lines)]
        return [
            Section(title, head, self.rows(cells), lines, when="brief"),
            Section(title, head, self.rows(cells, everything=True), lines, when="all"),
        ]

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        cells = {m.name: [m.value.cell()] for m in self.models}
        return [self.opening(), *self.tables("Ranks", (self.what,), cells)]


def rank_models(
    values: Mapping[str, Estimate],
    better: Iterable[tuple[str, str]],
    *,
    what: str,
    level: float = 0.95,
    higher_is_better: bool = False,
    left_out: Iterable[str] = (),
) -> Ranking:
    """Return the ranks of models from the pairs that are shown to differ.

    Parameters
    ----------
    values : mapping of name to Estimate
        What the models are ordered by; models without a value come last.
    better : iterable of (str, str)
        Pairs of which the first is shown to be better, at simultaneous confidence.
    what : str
        Names the values.
    level : float
        The confidence for all pairs together.
    higher_is_better : bool
    left_out : iterable of str
        Models that have no rank.

    Returns
    -------
    Ranking

    Notes
    -----
    If no pair is wrongly shown to differ, each model's true rank lies within its limits: with
    probability `level` all of them do (Mogstad, Romano, Shaikh and Wilhelm 2024). Letters are
    those of Piepho (2004): the largest sets of models of which no two are shown to differ.

    Examples
    --------
    >>> from annostat.results.estimates import Estimate
    >>> errors = {"a": Estimate(1.0), "b": Estimate(1.2), "c": Estimate(3.0)}
    >>> found = rank_models(errors, [("a", "c"), ("b", "c")], what="error")
    >>> [(m.name, m.span(), m.group) for m in found.models]
    [('a', '1-2', 'a'), ('b', '1-2', 'a'), ('c', '3', 'b')]
    """
    out = set(left_out)
    kept = {name: e for name, e in values.items() if name not in out}
    sign = -1.0 if higher_is_better else 1.0
    key = {n: math.inf if math.isnan(e.value) else sign * e.value for n, e in kept.items()}
    order = sorted(kept, key=lambda name: key[name])
    shown = {(a, b) for a, b in better if a in kept and b in kept}
    letters = _letters(order, shown)
    n = len(order)
    models = tuple(
        Ranked(
            name,
            kept[name],
            1 + sum(key[other] < key[name] for other in order),
            1 + sum((other, name) in shown for other in order),
            n - sum((name, other) in shown for other in order),
            letters[name],
        )
        for name in order
    )
    gone = tuple(name for name in values if name in out)
    return Ranking(models, what, level, n * (n - 1) // 2, gone)


def _letters(order: Sequence[str], shown: set[tuple[str, str]]) -> dict[str, str]:
    """Return the letters of each model by insertion and absorption (Piepho 2004)."""
    sets = [frozenset(order)] if order else []
    for a, b in sorted(shown, key=lambda pair: (order.index(pair[0]), order.index(pair[1]))):
        split: list[frozenset[str]] = []
        for group in sets:
            split += [group - {a}, group - {b}] if a in group and b in group else [group]
        # A group within another one says nothing more.
        split = list(dict.fromkeys(split))
        sets = [g for g in split if not any(g < other for other in split)]
    place = {name: i for i, name in enumerate(order)}
    sets.sort(key=lambda group: sorted(place[name] for name in group))
    return {
        name: ("" if len(sets) <= 26 else " ").join(
            _letter(i) for i, group in enumerate(sets) if name in group
        )
        for name in order
    }


def _letter(i: int) -> str:
    """Return a to z, then aa, ab and so on."""
    head, last = divmod(i, 26)
    return (_letter(head - 1) if head else "") + chr(ord("a") + last)


__all__ = ["Ranked", "Ranking", "rank_models"]
