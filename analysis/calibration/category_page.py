"""The table of several classes in docs/suites.md, from docs/studies/categories.csv alone.

    python -m analysis.calibration.category_page

The file is what ``python -m analysis.calibration.categories classes dawid-skene --out`` writes.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from analysis.calibration.page import placed

PAGE = Path("docs/suites.md")
RESULTS = Path("docs/studies/categories.csv")
CLASSES = {
    "agreement": "interval: agreement",
    "Fleiss' κ": "interval: fleiss",
    "quadratic κ": "interval: fleiss, quadratic",
    "best accuracy": "ceiling: accuracy",
    "best quadratic κ": "ceiling: quadratic_kappa",
    "best F1 of the last class": "ceiling: f1",
}
LEAST = 0.93  # of 95% intervals, less two standard errors; what is below stands in bold


def cell(rows: pd.DataFrame, what: str) -> str:
    """Return how often an interval held, in percent; bold where it is less than promised."""
    found = rows[rows["what"] == what]
    if found.empty or math.isnan(found["rate"].iloc[0]):
        return "–"
    rate, n = float(found["rate"].iloc[0]), int(found["repetitions"].iloc[0])
    low = rate < LEAST - 2 * math.sqrt(LEAST * (1 - LEAST) / n)
    text = f"{100 * rate:.0f}"
    return f"**{text}**" if low else text


def table(results: pd.DataFrame) -> str:
    """Return the table: a row for each design."""
    lines = [
        f"| law of p | items | labels | {' | '.join(CLASSES)} |",
        f"|---|---|---|{'---|' * len(CLASSES)}",
    ]
    of_classes = results[results["suite"] == "classes"]
    keys = ["law", "n", "rounds", "missing", "cluster_size"]
    for _, rows in of_classes.groupby(keys, sort=False):
        law, n, k, missing, size = rows[keys].iloc[0]
        words = f"{law}, {missing:.0%} missing" if missing else str(law)
        words += f", clusters of {size}" if size > 1 else ""
        cells = " | ".join(cell(rows, what) for what in CLASSES.values())
        lines.append(f"| {words} | {n:,} | {k} | {cells} |")
    return "\n".join(lines)


def filled(page: str, results: pd.DataFrame) -> str:
    """Return the page with its table made anew."""
    return placed(page, "classes", table(results))


def main() -> None:
    """Write the table into the page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(filled(page, pd.read_csv(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
