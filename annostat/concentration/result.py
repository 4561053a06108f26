"""Where the error sits: the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annostat.arrays import FloatArray
from annostat.concentration.curve import Curve
from annostat.concentration.lists import Overlap
from annostat.concentration.null import Simulated
from annostat.concentration.swaps import SwapTest
from annostat.results.cite import TOOL, Cited
from annostat.results.estimates import Estimate
from annostat.results.result import Check, Provenance, Result, check_section, told_failed
from annostat.results.sections import Section
from annostat.results.text import counted, format_number, percent, plain

if TYPE_CHECKING:
    import pandas as pd


FEW_ITEMS = 20  # as for picks; the coverage of intervals was simulated from 50 items on
GRID = 200  # points of the curves that are kept


def grid_of(top: float) -> FloatArray:
    """Return the fractions at which curves are kept: evenly spaced, finer at the worst, and top."""
    return np.append((np.arange(GRID + 1) / GRID) ** 2, top)


def few_check(n_items: int) -> list[Check]:
    """Return a failed check where items are so few that no interval is known to cover."""
    if n_items >= FEW_ITEMS:
        return []
    text = f"{counted(n_items, 'item')}: intervals from so few are not known to cover; take more."
    return [Check("sample_size", False, text, float(n_items))]


@dataclass(frozen=True, eq=False)
class Null:
    """What pure noise would give on as many items.

    Attributes
    ----------
    law : str
        Name of the law of one annotation's error.
    source : str
        Where the law comes from, in words.
    population : dict of str to float
        "gini", "worst_share" and "half_of_error" of the law itself.
    expected : dict of str to Estimate
        The same, as expected on this number of items, with the range of the simulated sets.
    simulated : Simulated
    """

    law: str
    source: str
    population: Mapping[str, float]
    expected: Mapping[str, Estimate]
    simulated: Simulated = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "law": self.law,
            "source": self.source,
            "population": dict(self.population),
            **{name: value.to_dict() for name, value in self.expected.items()},
            "n_simulated": len(self.simulated.gaps),
        }


@dataclass(frozen=True, eq=False)
class Excess:
    """How far the observed concentration is above that of noise.

    Attributes
    ----------
    worst_share, gini : Estimate
        Observed less expected.
    p_value, p_value_gini : float
        One-sided: how often noise alone exceeds the law fitted to it by as much. With rounds,
        `p_value` is the larger of that and of `p_value_pairing`.
    verdict : str
    p_value_pairing : float or None
        Of the exact test that lets rounds differ and items of a cluster err together (errors of
        the second round paired anew with the first's); None without rounds, or with weights.
    """

    worst_share: Estimate
    gini: Estimate
    p_value: float
    p_value_gini: float
    verdict: str
    p_value_pairing: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "worst_share": self.worst_share.to_dict(),
            "gini": self.gini.to_dict(),
            "p_value": self.p_value,
            "p_value_gini": self.p_value_gini,
            "p_value_pairing": self.p_value_pairing,
            "verdict": self.verdict,
        }


@dataclass(frozen=True, eq=False)
class Concentration(Result):
    """Where one model's error sits.

    Attributes
    ----------
    name : str
    loss : str
    top : float
        The worst fraction that is looked at.
    gini, worst_share, half_of_error : Estimate
        Gini of the losses; share of the loss in the worst `top`; fraction that holds half of it.
        Corrected for small-sample bias; what these items show as they are is in `observed`.
    observed : dict of str to float
    null : Null or None
        What pure noise would give.
    excess : Excess or None
        The verdict over it.
    worst : int64 array
        Positions of the worst `top` of the items, worst first.
    items : object array of shape (n,)
        Names of the items.
    curve : Curve
    overlaps : tuple of Overlap
        With the lists of items that were given.
    swaps : SwapTest or None
        The exact test against both rounds, if the model's predictions were given.
    """

    name: str
    loss: str
    top: float
    gini: Estimate
    worst_share: Estimate
    half_of_error: Estimate
    observed: Mapping[str, float]
    null: Null | None
    excess: Excess | None
    worst: NDArray[np.int64]
    items: NDArray[Any] = field(repr=False)
    curve: Curve = field(repr=False)
    overlaps: tuple[Overlap, ...]
    checks: tuple[Check, ...]
    provenance: Provenance
    unit: str = ""
    swaps: SwapTest | None = None

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.items.size

    @property
    def few(self) -> str:
        """That the items are too few for any interval, in words; empty if they are not."""
        return f"{self.n_items:,} items are too few" if self.n_items < FEW_ITEMS else ""

    @property
    def in_worst(self) -> NDArray[np.bool_]:
        """Which items are among the worst, bool array of shape (n,)."""
        chosen = np.zeros(self.items.size, dtype=bool)
        chosen[self.worst] = True
        return chosen

    def to_dict(self) -> dict[str, Any]:
        """Return the promised JSON object."""
        return {
            "n_items": self.n_items,
            "loss": self.loss,
            "top": self.top,
            "gini": self.gini.to_dict(),
            "worst_share": self.worst_share.to_dict(),
            "half_of_error": self.half_of_error.to_dict(),
            "observed": dict(self.observed),
            "null": None if self.null is None else self.null.to_dict(),
            "excess": None if self.excess is None else self.excess.to_dict(),
            "swaps": None if self.swaps is None else self.swaps.to_dict(),
            "items": plain(self.worst_items().to_dict("records")),
            "curve": plain(self.to_frame().to_dict("list")),
            "overlap": [o.to_dict() for o in self.overlaps],
            "checks": [c.to_dict() for c in self.checks],
            "provenance": self.provenance.to_dict(),
        }

    def worst_items(self) -> pd.DataFrame:
        """Return the worst items: item, loss, its share of the total, the cumulative share."""
        import pandas as pd

        c, k = self.curve, self.worst.size
        share = c.loss[:k] * c.weight[:k] / c.total[-1]
        return pd.DataFrame(
            {
                "item": [str(v) for v in self.items[self.worst]],
                "loss": c.loss[:k],
                "share": share,
                "cumulative": c.total[1 : k + 1] / c.total[-1],
            }
        )

    def to_frame(self, *, level: float = 0.95) -> pd.DataFrame:
        """Return the curve, worst first: fraction, share, and the null's with its band.

        The best-first curve is 1 − share(1 − fraction).
        """
        import pandas as pd

        grid = grid_of(self.top)
        frame = pd.DataFrame({"fraction": grid, "share": self.curve.share(grid)})
        if self.null is not None:
            low, high = self.null.simulated.band(level)
            frame["null"] = self.null.simulated.expected[: grid.size]
            frame["null_low"], frame["null_high"] = low[: grid.size], high[: grid.size]
        return frame.sort_values("fraction", kind="stable").reset_index(drop=True)

    def sections(self) -> list[Section]:
        """Return what a person should read."""
        top = percent(self.top)
        rows = []
        labels = {
            "worst_share": f"share of the error in the worst {top}",
            "gini": "Gini",
            "half_of_error": "fraction of items that holds half",
        }
        for key, label in labels.items():
            value: Estimate = getattr(self, key)
            spread = value.standard_uncertainty or 0.01
            row = [label, format_number(self.observed[key], spread), value.short(), value.range()]
            if self.null is not None:
                row += [self.null.expected[key].short(), self.null.expected[key].range()]
            rows.append(row)
        limits = "range, not known to cover" if self.few else "interval"
        columns = ["what", "observed", "corrected", limits]
        if self.null is not None:
            columns += ["noise alone", "its range"]
        notes = sorted({e.note for e in (self.gini, self.worst_share) if e.note})
        if self.null is not None:
            notes.append(f"Noise: {self.null.law}, {self.null.source}.")
        notes += [] if self.swaps is None else [self.swaps.line()]
        worst = self.worst_items().head(10)
        unit = f" ({self.unit})" if self.unit else ""
        listed = [
            [str(r.item), format_number(float(r.loss)), percent(round(float(r.cumulative), 4))]  # type: ignore[arg-type]
            for r in worst.itertuples()
        ]
        more = self.worst.size - len(worst)
        return [
            self.opening(),
            Section(
                f"Concentration of the error{self.name and ': ' + self.name}", columns, rows, notes
            ),
            Section(
                "Worst items",
                ("item", f"loss{unit}", "share so far"),
                listed,
                [f"... and {more:,} more in the worst {top}"] if more > 0 else [],
            ),
            *(
                [Section("Overlap", lines=[o.line() for o in self.overlaps])]
                if self.overlaps
                else []
            ),
            check_section(self.checks, when="all"),
        ]

    def answer(self) -> str:
        """Return the finding in a sentence, and the verdict over noise, if that is known."""
        share = self.observed["worst_share"]
        half = self.observed["half_of_error"]
        found = "" if self.excess is None else f" {self.excess.verdict}."
        held = (
            f"worst {percent(self.top)} of {self.n_items:,} items hold {100 * share:.1f}% of "
            f"the {WORDS[self.loss]}; half of it is in the worst {100 * half:.1f}%.{found}"
        )
        if self.few:
            return f"{self.few} to tell where the error sits: the {held}"
        return f"The {held}"

    def quote(self) -> str:
        """Return the share of the worst items, beside what noise alone would put there."""
        seen, found = self.observed["worst_share"], self.worst_share
        shown = f"{100 * seen:.1f}%"
        if self.few:
            text = f"{shown} in the worst {percent(self.top)} of {self.n_items:,} items"
            held = ", too few for an interval"
        elif found.interval is None:
            text = f"{shown} in the worst {percent(self.top)} of items"
            held = f" (corrected for few items {100 * found.value:.1f}%, no interval)"
        else:
            text = (
                f"{100 * found.value:.1f}% in the worst {percent(self.top)} of items "
                f"({percent(found.interval.level)} {_range(found)}, corrected for few items)"
            )
            held = "" if self.null is None else f"; these items {shown}"
        if self.null is None:
            return f"{text}{held}."
        alone = self.null.expected["worst_share"]
        noise = f"noise alone {100 * alone.value:.1f}%"
        if alone.interval is not None and len(set(_ends(alone))) > 1:
            noise += f" (range {_range(alone)})"
        return f"{text}{held}; {noise}."

    def cited(self) -> Cited:
        """Return the sentences for a paper."""
        alone = "" if self.null is None else f"; noise alone: {self.null.law}, {self.null.source}"
        named = f" of `{self.name}`" if self.name else ""
        results = f"The errors{named}: {self.quote()}"
        if self.excess is not None:
            results += f" {self.excess.verdict}."
        return Cited(
            f"How far errors sit in a few of {counted(self.n_items, 'item')} was measured by the "
            f"share of the {WORDS[self.loss]} in the worst {percent(self.top)} of them, with {TOOL}"
            f"{alone}.",
            results + told_failed(self.checks),
        )


def _ends(share: Estimate) -> list[str]:
    """Return the limits of a share in percent."""
    return [f"{100 * (v or 0.0):.1f}" for v in (share.low, share.high)]


def _range(share: Estimate) -> str:
    """Return the interval of a share in percent."""
    return f"{' to '.join(_ends(share))}%"


WORDS = {
    "squared": "squared error",
    "absolute": "absolute error",
    "asis": "loss",
    "disagreement": "disagreement",
}
