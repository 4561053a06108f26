"""Several models on the same items: their curves side by side, and whether they fail together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from annostat._names import renamed
from annostat.concentration.lists import Overlap, overlap
from annostat.concentration.measure import Noise, concentration
from annostat.concentration.result import Concentration
from annostat.errors import AnnostatError
from annostat.labels.rounds import Rounds
from annostat.resampling.generators import Rng
from annostat.resampling.parallel import Progress
from annostat.results.cite import Cited
from annostat.results.result import Check, Provenance, Result, check_section
from annostat.results.sections import Section
from annostat.results.text import format_p, percent

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ConcentrationComparison(Result):
    """Where the error of several models sits.

    Attributes
    ----------
    models : dict of str to Concentration
    overlaps : tuple of Overlap
        Of the worst items of each two models.
    """

    models: Mapping[str, Concentration]
    overlaps: tuple[Overlap, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks of all models, each once."""
        return tuple({c.message: c for m in self.models.values() for c in m.checks}.values())

    @property
    def provenance(self) -> Provenance:
        """The provenance of the first model."""
        return next(iter(self.models.values())).provenance

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "models": {name: model.to_dict() for name, model in self.models.items()},
            "overlap": [o.to_dict() for o in self.overlaps],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per model."""
        import pandas as pd

        rows = [
            {
                "model": name,
                "gini": m.gini.value,
                "worst_share": m.worst_share.value,
                "half_of_error": m.half_of_error.value,
                "null": None if m.null is None else m.null.expected["worst_share"].value,
                "p_value": None if m.excess is None else m.excess.p_value,
                "exact_p_value": None if m.swaps is None else m.swaps.p_value,
            }
            for name, m in self.models.items()
        ]
        return pd.DataFrame(rows)

    def answer(self) -> str:
        """Return each model's finding."""
        return " ".join(f"{name}: {m.answer()}" for name, m in self.models.items())

    def quote(self) -> str:
        """Return each model's share of the worst items."""
        return " ".join(f"{name}: {m.quote()}" for name, m in self.models.items())

    def cited(self) -> Cited:
        """Return the sentences for a paper: methods of the first model, results of each."""
        found = [m.cited() for m in self.models.values()]
        return Cited(found[0].methods, " ".join(part.results for part in found))

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        first = next(iter(self.models.values()))
        rows = []
        for name, m in self.models.items():
            row = [
                name,
                m.worst_share.short(),
                m.worst_share.range(),
                m.gini.short(),
                m.half_of_error.short(),
            ]
            if m.null is not None and m.excess is not None:
                row += [m.null.expected["worst_share"].short(), format_p(m.excess.p_value)]
            if any(other.swaps is not None for other in self.models.values()):
                row.append("–" if m.swaps is None else format_p(m.swaps.p_value))
            rows.append(row)
        columns = ["model", f"worst {percent(first.top)} hold", "interval", "Gini", "half is in"]
        if first.null is not None:
            columns += ["noise alone", "p of the excess"]
        if any(m.swaps is not None for m in self.models.values()):
            columns.append("exact p")
        lines = [o.line() for o in (*self.overlaps, *_lists(self.models))]
        exact = [f"{n}: {m.swaps.line()}" for n, m in self.models.items() if m.swaps is not None]
        return [
            self.opening(),
            Section("Concentration of the error", columns, rows, exact),
            Section("Overlap of the worst items", lines=lines),
            check_section(self.checks, when="all"),
        ]


def _lists(models: Mapping[str, Concentration]) -> list[Overlap]:
    from dataclasses import replace

    return [
        replace(o, names=(f"{name}, {o.names[0]}", o.names[1]))
        for name, m in models.items()
        for o in m.overlaps
    ]


@renamed(clusters="cluster", n_simulated="n_resamples")
def compare_concentration(
    errors: Mapping[str, ArrayLike],
    *,
    loss: str = "squared",
    noise: Noise | None = None,
    rounds: Rounds | None = None,
    top: float = 0.15,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    predictions: Mapping[str, ArrayLike] | None = None,
    items: ArrayLike | None = None,
    lists: Mapping[str, ArrayLike] | None = None,
    unit: str = "",
    level: float = 0.95,
    n_resamples: int | None = None,
    rng: Rng = 0,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
) -> ConcentrationComparison:
    """Return `concentration` of several models on the same items, and how their worst overlap.

    Parameters
    ----------
    errors : mapping of str to array-likes of shape (n,)
        Errors of each model, the same items in the same order.
    predictions : mapping of str to array-likes of shape (n,), optional
        Values of some or all models, by name.
    loss, noise, rounds, top, weights, cluster, items, lists, unit
        As in `concentration`.
    level, n_resamples, rng, n_jobs, progress
        As in `concentration`.

    Returns
    -------
    ConcentrationComparison

    Raises
    ------
    AnnostatError
        If there are fewer than two models or they differ in their number of items.

    Examples
    --------
    >>> import numpy as np
    >>> from annostat.concentration import compare_concentration
    >>> shared = np.random.default_rng(1).laplace(size=200)
    >>> found = compare_concentration({"a": shared, "b": 2 * shared})
    >>> found.overlaps[0].shared
    30
    """
    if len(errors) < 2:
        raise AnnostatError("a comparison needs two or more models")
    models = {
        name: concentration(
            values,
            loss=loss,
            noise=noise,
            rounds=rounds,
            top=top,
            weights=weights,
            cluster=cluster,
            predictions=(predictions or {}).get(name),
            items=items,
            lists=lists,
            name=name,
            unit=unit,
            level=level,
            n_resamples=n_resamples,
            rng=rng,
            n_jobs=n_jobs,
            progress=progress,
        )
        for name, values in errors.items()
    }
    sizes = {m.n_items for m in models.values()}
    if len(sizes) > 1:
        raise AnnostatError(f"models must have the same items, got {sorted(sizes)} of them")
    pairs = [
        overlap(models[a].in_worst, models[b].in_worst, names=(a, b), cluster=cluster, rng=rng)
        for a, b in combinations(models, 2)
    ]
    return ConcentrationComparison(models, tuple(pairs))
