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

from analysis.calibration.check_cases import CASES
from analysis.calibration.check_draws import Case
from analysis.calibration.page import placed
from annostat.files import write_text
from annostat.resampling import spawn

SEEN = 0.2  # power below which the page says that a check does not see it
MANY = 100  # sets from which on their number goes without saying
KEYS = ["check", "where", "n", "rounds", "law", "wrong"]
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
    """Return the page with its tables: of what is seen, and of what is not."""
    head = (
        "| check | printed by | items × raters | nothing is wrong | fails in | what is wrong | "
        "fails in |"
    )
    lines = {seen: [head, "|---|---|---|---|---|---|---|"] for seen in (True, False)}
    for key, pair in table.groupby(KEYS, sort=False):
        check, where, n, k, law, wrong = key
        pair = pair.sort_values("is_wrong")
        size, power = (told(*of) for of in zip(pair.rate, pair.repetitions, strict=True))
        many = "" if pair.repetitions.iloc[0] >= MANY else f" ({pair.repetitions.iloc[0]:.0f} sets)"
        row = f"| `{check}` | {where} | {n:,} × {k} | {law} | {size} | {wrong} | {power}{many} |"
        lines[bool(pair.rate.iloc[1] >= SEEN)].append(row)
    text = placed(text, "checks", "\n".join(lines[True]))
    return placed(text, "unseen", "\n".join(lines[False]))


def joined(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return results in the order of the cases, new ones in place of old ones."""
    both = new if old.empty else pd.concat([old, new], ignore_index=True)
    both = both.drop_duplicates([*KEYS, "is_wrong"], keep="last", ignore_index=True)
    keys = list(both[KEYS].itertuples(index=False, name=None))
    order = [(c.check, c.where, c.n, c.rounds, c.law, c.wrong) for c in CASES]
    rows = [i for case in order for i, key in enumerate(keys) if key == case]
    return both.loc[sorted(rows, key=lambda i: (order.index(keys[i]), both.is_wrong[i]))]


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
    old = pd.DataFrame(columns=[*KEYS, "is_wrong"])
    if out is not None and Path(out).exists():  # what other cases found stays
        old = pd.read_csv(out)
    for case in CASES:
        if (names and case.check not in names) or (quick and case.slow > 1):
            continue
        found += rows(case, 10 if quick else repetitions, seed=seed)
        size, power = (row["rate"] for row in found[-2:])
        words = f"{case.check:26s}{case.n:6d} × {case.rounds:<3d}{case.law:14s}"
        click.echo(f"{words}{size:7.3f}{power:7.3f}")
        if out is not None:
            joined(old, pd.DataFrame(found)).to_csv(out, index=False)


if __name__ == "__main__":
    main()
