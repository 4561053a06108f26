"""The tables of findings and points in docs/suites.md, from docs/studies/marks.csv alone.

    python -m analysis.calibration.mark_page

The file is what ``python -m analysis.calibration.findings --out`` and that of points write.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from analysis.calibration.page import placed

PAGE = Path("docs/suites.md")
RESULTS = Path("docs/studies/marks.csv")
MOST = 0.9  # of sets: limits that are given in fewer have their share behind them
LEAST = 0.93  # of 95% intervals, less two standard errors; what is below stands in bold
KEYS = ["law", "missing", "cluster_size"]


class Wanted(NamedTuple):
    """One table: the suites it is of, and the heading of each interval or test."""

    name: str
    whats: dict[tuple[str, str], str]


TABLES = (
    Wanted(
        "findings",
        {
            ("f1", "interval: two readers"): "F1 of two readers",
            ("f1", "interval: ceiling"): "its ceiling",
            ("froc", "interval: sensitivity at 0.5"): "sensitivity at 0.5",
            ("froc", "interval: sensitivity at 1"): "sensitivity at 1",
            ("appetites", "interval: ceiling against one at random"): "ceiling, one at random",
            ("named", "interval: against the one who marks least"): "against who marks least",
            ("named", "interval: against the one who marks most"): "against who marks most",
            ("detectors", "interval: F1 of a detector"): "F1 of a detector",
            ("detectors", "interval: difference"): "difference of two",
            ("detectors", "interval: difference of equals"): "difference of equals",
            ("curves", "interval: sensitivity, cut at 0.5"): "sensitivity, cut at 0.5",
            ("curves", "interval: sensitivity, cut at 1"): "sensitivity, cut at 1",
        },
    ),
    Wanted(
        "checks of findings",
        {
            ("appetites", "test: appetites differ"): "appetite, false alarms",
            ("appetites", "power: appetites differ"): "appetite, odds ½, 1, 2",
            ("named", "test: more than odds"): "odds, false alarms",
            ("named", "power: more than odds"): "odds, one noisy reader",
            ("detectors", "power: difference"): "difference of two detectors",
        },
    ),
    Wanted(
        "points",
        {
            ("floors", "interval: mean"): "mean radial error",
            ("floors", "interval: rms"): "RMS radial error",
            ("floors", "interval: success at 1"): "share within the median",
            ("floors", "interval: success at 2"): "within twice that",
            ("oks", "interval: oks"): "OKS",
            ("lengths", "interval: SD of a length"): "SD of a length",
            ("lengths", "interval: floor of its MAE"): "floor of its MAE",
            ("models", "interval: truth"): "E\\|f − Y\\|², f = Y",
            ("models", "interval: off"): "E\\|f − Y\\|², off by 1.5",
        },
    ),
    Wanted(
        "checks of points",
        {
            ("biases", "test: no bias"): "bias, false alarms",
            ("biases", "power: bias of 0.5"): "bias of 0.5",
            ("models", "test: truth is above"): "the truth is above the floor",
            ("models", "test: off is above"): "off by 1.5 is above",
        },
    ),
)


def cell(rows: pd.DataFrame, *, test: bool) -> str:
    """Return rates in percent by number of items; limits in bold where they are less than promised.

    Limits that are not given are left out; where they are given in less than nine of ten sets, in
    how many stands behind.
    """
    found = []
    for _, row in rows.sort_values("n").iterrows():
        rate, given = (row["rate"], 1.0) if test else (row["rate_clear"], row["clear"])
        if math.isnan(rate):
            found.append("–")
            continue
        n = max(row["repetitions"] * given, 1)
        low = not test and rate < LEAST - 2 * math.sqrt(LEAST * (1 - LEAST) / n)
        text = f"{100 * rate:.0f}"
        text = f"**{text}**" if low else text
        found.append(f"{text} ({100 * given:.0f})" if given < 0.9 else text)
    return " / ".join(found)


def table(results: pd.DataFrame, wanted: Wanted) -> str:
    """Return a table: a row for each interval or test and kind of design, readers across."""
    suites = {suite for suite, _ in wanted.whats}
    readers = sorted(int(k) for k in results[results["suite"].isin(suites)]["rounds"].unique())
    lines = [
        f"| what | law | n | {' | '.join(f'{k} readers' for k in readers)} | sets |",
        f"|---|---|---|{'---|' * len(readers)}---|",
    ]
    for (suite, what), heading in wanted.whats.items():
        rows = results[(results["suite"] == suite) & (results["what"] == what)]
        for key, part in rows.groupby(KEYS, sort=False):
            law, missing, size = key
            words = f"{law}, {missing:.0%} missing" if missing else str(law)
            words += f", clusters of {size}" if int(str(size)) > 1 else ""
            sizes = " / ".join(f"{n:,}" for n in sorted(part["n"].unique().tolist()))
            test = not what.startswith("interval")
            rates = [cell(part[part["rounds"] == k], test=test) or "–" for k in readers]
            sets = int(part["repetitions"].min())
            lines.append(f"| {heading} | {words} | {sizes} | {' | '.join(rates)} | {sets} |")
    return "\n".join(lines)


def filled(page: str, results: pd.DataFrame) -> str:
    """Return the page with its tables made anew."""
    for wanted in TABLES:
        page = placed(page, wanted.name, table(results, wanted))
    return page


def main() -> None:
    """Write the tables into the page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(filled(page, pd.read_csv(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
