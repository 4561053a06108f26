"""The table of readers with habits in docs/interchange.md, from docs/studies/mask_places.csv.

``python -m analysis.calibration.habits "mask places" --out docs/studies/mask_places.csv`` makes the
results, ``python -m analysis.calibration.place_page`` the table.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.calibration.page import placed
from annostat.files import write_text

PAGE, STUDY = Path("docs/interchange.md"), Path("docs/studies/mask_places.csv")
TRUE, MORE = "true masks", "a fresh rater"
DESIGN = ["law", "n", "rounds"]


def words(law: str, n: int) -> str:
    """Return a design in words: "4 px, 10 items"."""
    noise, span, *rest = law.split(", ")
    parts = ["no habits" if span.startswith("0") else span, *rest]
    parts += ["Laplace noise"] if noise == "laplace" else []
    parts += [f"{n} items"] if n < 30 else []
    return ", ".join(parts)


def filled(page: str, table: pd.DataFrame) -> str:
    """Return the page with its table; cells are per cent of data sets."""
    lines = [
        "| outlines | readers | sets | γ as drawn holds: true masks, one more reader | in shape | "
        "one more reader “better” as drawn | in shape | check fails |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for _, part in table.groupby(DESIGN, sort=False):
        law, n, k = part.law.iloc[0], int(part.n.iloc[0]), int(part.rounds.iloc[0])
        rate = part.set_index("what").rate

        def share(*names: str, rate: pd.Series[float] = rate) -> str:
            return ", ".join(f"{100 * rate[x]:.0f}" if x in rate.index else "–" for x in names)

        # Without habits there is a change in shape only where they are seen by chance.
        seen = rate["given: shape"] >= 0.5

        def in_shape(*names: str, seen: bool = seen) -> str:
            return share(*names) if seen else "–"

        cells = [
            words(law, n),
            str(k),
            str(part.repetitions.max()),
            share(*(f"interval: γ, {m}" for m in (TRUE, MORE))),
            in_shape(*(f"interval: γ in shape, {m}" for m in (TRUE, MORE))),
            share(f"test: better, {MORE}"),
            in_shape(f"test: better in shape, {MORE}"),
            share("test: verdict rests on habits"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return placed(page, "habits", "\n".join(lines))


if __name__ == "__main__":
    write_text(PAGE, filled(PAGE.read_text(encoding="utf-8"), pd.read_csv(STUDY)))
