"""How often each check fails without a cause, and with one.

``python -m analysis.calibration.checks``. Every check that is a test, or a threshold in place of
one, meets data in which nothing is wrong (its size) and data in which one thing is (its power),
with as many items and raters. Results go to `docs/studies/checks.csv`, and ``--table`` makes the
table of `docs/checks.md` from them.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pandas as pd

from analysis.calibration.check_cases import CASES, Case
from analysis.calibration.page import placed
from annostat.files import write_text
from annostat.resampling import spawn

PAGE, STUDY = Path("docs/checks.md"), Path("docs/studies/checks.csv")


def rows(case: Case, repetitions: int, *, seed: int) -> list[dict[str, object]]:
    """Return the share of data sets in which a check fails, without and with what is wrong."""
    many = max(repetitions // case.slow, 2)
    found: list[dict[str, object]] = []
    for wrong in (False, True):
        fails = [case.fails(rng, wrong) for rng in spawn(seed + wrong, many)]
        found.append(
            {
                "check": case.check,
                "where": case.where,
                "n": case.n,
                "rounds": case.rounds,
                "law": case.law,
                "wrong": case.wrong,
                "is_wrong": wrong,
                "repetitions": many,
                "rate": round(float(np.mean(fails)), 4),
            }
        )
    return found


def told(rate: float, repetitions: int) -> str:
    """Return a rate with its standard error, in percent."""
    return f"{100 * rate:.0f} ± {100 * (rate * (1 - rate) / repetitions) ** 0.5:.0f}%"


def filled(text: str, table: pd.DataFrame) -> str:
    """Return the page with its table."""
    lines = [
        "| check | printed by | items × raters | nothing is wrong | fails in | what is wrong | "
        "fails in |",
        "|---|---|---|---|---|---|---|",
    ]
    keys = ["check", "where", "n", "rounds", "law", "wrong"]
    for key, pair in table.groupby(keys, sort=False):
        check, where, n, k, law, wrong = key
        pair = pair.sort_values("is_wrong")
        size, power = (told(*of) for of in zip(pair.rate, pair.repetitions, strict=True))
        lines.append(f"| `{check}` | {where} | {n:,} × {k} | {law} | {size} | {wrong} | {power} |")
    return placed(text, "checks", "\n".join(lines))


@click.command()
@click.argument("names", nargs=-1, metavar="[CHECK] ...")
@click.option("--quick", is_flag=True, help="A few repetitions of the quicker checks.")
@click.option("--repetitions", default=400, show_default=True, help="Of the quickest checks.")
@click.option("--seed", default=1, show_default=True)
@click.option("--out", type=click.Path(), default=None, help="A CSV file for the results.")
@click.option("--table", is_flag=True, help="Make the table of the page from the results.")
def main(
    names: tuple[str, ...], quick: bool, repetitions: int, seed: int, out: str | None, table: bool
) -> None:
    """Let checks meet data in which nothing is wrong, and data in which one thing is."""
    if table:
        write_text(PAGE, filled(PAGE.read_text(encoding="utf-8"), pd.read_csv(STUDY)))
        return
    found: list[dict[str, object]] = []
    for case in CASES:
        if (names and case.check not in names) or (quick and case.slow > 1):
            continue
        found += rows(case, 10 if quick else repetitions, seed=seed)
        size, power = (row["rate"] for row in found[-2:])
        words = f"{case.check:26s}{case.n:6d} × {case.rounds:<3d}{case.law:14s}"
        click.echo(f"{words}{size:7.3f}{power:7.3f}")
        if out is not None:
            pd.DataFrame(found).to_csv(out, index=False)


if __name__ == "__main__":
    main()
