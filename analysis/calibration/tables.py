"""How a table is written from the results."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace

import pandas as pd

from analysis.calibration.designs import Design
from analysis.calibration.results import DESIGN
from analysis.calibration.suites import SUITES

PROMISED = (0.93, 0.97)  # of 95% intervals
NOTHING = "–"


def noise(design: Design) -> list[str]:
    """Return the law of the noise with what else is not plain about the design, and n."""
    words = [design.law.replace("|", "\\|")]
    if design.rounds != 2:
        words.append(f"{design.rounds} rounds")
    if design.missing:
        words.append(f"{design.missing:.0%} missing")
    if design.cluster_size > 1:
        words.append(f"clusters of {design.cluster_size}")
    return [", ".join(words), f"{design.n:,}"]


def series(design: Design) -> list[str]:
    """Return the truth of a scaling law and its sizes."""
    return [design.law, f"{design.n} × {design.rounds}"]


def raters(design: Design) -> list[str]:
    """Return the law of an outline's noise and the number of raters."""
    return [design.law, str(design.rounds)]


def votes(design: Design) -> list[str]:
    """Return the law of errors of masks, the items and the raters."""
    return [design.law, str(design.n), str(design.rounds)]


def drawn(design: Design) -> list[str]:
    """Return the law of an outline's noise, the items and the raters."""
    return [noise(replace(design, rounds=2))[0], str(design.n), str(design.rounds)]


def study(design: Design) -> list[str]:
    """Return the law of a gauge study's repeats, and its size."""
    missing = f", {design.missing:.0%} missing" if design.missing else ""
    return [design.law + missing, f"{design.n} × {design.rounds}"]


def curve(design: Design) -> list[str]:
    """Return the curve of a beat and its noise."""
    shape, _, noise = design.law.rpartition(", ")
    return [shape, noise]


def coverage(row: pd.Series) -> str:
    """Return a rate; bold outside 93–97% by more than two standard errors."""
    low, high = PROMISED
    out = row.rate + 2 * row.rate_se < low or row.rate - 2 * row.rate_se > high
    return bold(percent(row), out)


def size(row: pd.Series) -> str:
    """Return the share of false alarms; bold above 5% by more than two standard errors."""
    return bold(percent(row), row.rate - 2 * row.rate_se > 0.05)


def percent(row: pd.Series) -> str:
    """Return a rate in percent with its standard error."""
    return f"{100 * row.rate:.1f}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{100 * row.rate_se:.1f}"


def share(row: pd.Series) -> str:
    """Return a rate in percent."""
    return f"{100 * row.rate:.0f}"


def width(row: pd.Series) -> str:
    """Return the median width, in percent of the truth."""
    return NOTHING if pd.isna(row.relative_width) else f"{100 * row.relative_width:.0f}"


def bias(row: pd.Series) -> str:
    """Return the bias in percent of the truth."""
    return NOTHING if pd.isna(row.relative_bias) else f"{100 * row.relative_bias:+.1f}"


def mean(row: pd.Series) -> str:
    """Return the mean of what was said, in percent."""
    return f"{100 * row.relative_bias:.1f}"


def count(row: pd.Series) -> str:
    """Return the mean of a number that was said."""
    return NOTHING if pd.isna(row.relative_bias) else f"{row.relative_bias:,.0f}"


def thousandths(row: pd.Series) -> str:
    """Return the bias in thousandths of the truth."""
    return NOTHING if pd.isna(row.relative_bias) else f"{1000 * row.relative_bias:+.1f}"


def points(row: pd.Series) -> str:
    """Return a bias in percentage points."""
    return NOTHING if pd.isna(row.relative_bias) else f"{row.relative_bias:+.1f}"


def points_wide(row: pd.Series) -> str:
    """Return a median width in percentage points."""
    return NOTHING if pd.isna(row.relative_width) else f"{row.relative_width:.1f}"


def frames(row: pd.Series) -> str:
    """Return a bias in frames."""
    return f"{row.relative_bias:+.1f}"


def frames_wide(row: pd.Series) -> str:
    """Return half of the median width, in frames."""
    return f"{row.relative_width / 2:.1f}"


def root(row: pd.Series) -> str:
    """Return the root of a mean square, in frames."""
    return f"{math.sqrt(row.relative_bias):.1f}"


def bold(text: str, yes: bool) -> str:
    """Return the text, in bold type if so."""
    return f"**{text}**" if yes else text


Cell = Callable[[pd.Series], str]
NOISE = (("noise", "n"), noise)


@dataclass(frozen=True)
class Table:
    """One table: a suite's designs down, and what is said of which interval or test across."""

    suite: str
    columns: tuple[tuple[Cell, dict[str, str]], ...]  # how it is written; headings and whats
    head: tuple[tuple[str, ...], Callable[[Design], list[str]]] = NOISE

    def lines(self, results: pd.DataFrame) -> list[str]:
        """Return the table in Markdown; `results` pooled."""
        names, cells = self.head
        titles = [*names, "data sets", *(h for _, whats in self.columns for h in whats)]
        lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
        asked = [(write, what) for write, whats in self.columns for what in whats.values()]
        mine = results[(results.suite == self.suite) & results.what.isin([w for _, w in asked])]
        found = dict(list(mine.groupby(DESIGN)))
        for design in SUITES[self.suite][1]:
            if astuple(design) not in found:
                continue
            rows = found[astuple(design)].set_index("what")
            line = [*cells(design), f"{rows.repetitions.max():,}"]
            for write, what in asked:
                line.append(write(rows.loc[what]) if what in rows.index else NOTHING)
            lines.append("| " + " | ".join(line) + " |")
        return lines
