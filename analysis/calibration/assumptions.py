"""The table of docs/assumptions.md, from the results files and nothing else.

``python -m analysis.calibration.assumptions``: what raters do, how it shows, what is printed, and
how often a 95% interval held the truth (the mean over designs, and the least and the most). Of
masks, scaling and concentration the rates are those of the tables of docs/suites.md and of
docs/studies/checks.csv.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.calibration.checks import STUDY, told
from analysis.calibration.page import placed
from annostat.files import write_text

PAGE, OF_SUITES = Path("docs/assumptions.md"), Path("docs/suites.md")
STUDIES = Path("docs/studies")
GAUSS, HEAVY, SKEW, SHARED = r"gauss|laplace", "t3", "skew", "shared"
ALIKE = r"(?!.*(bias|ratio))"


OFTEN = 0.3  # share of sets from which their rate is told: it is of few otherwise


def spread(rates: pd.Series[float]) -> str:
    """Return the mean of rates, the least and the most."""
    low, mean, high = (round(100 * v) for v in (rates.min(), rates.mean(), rates.max()))
    return f"{mean}%" + (f" ({low} to {high})" if low < high else "")


@dataclass(frozen=True)
class Held:
    """A rate over the designs of a suite whose law matches.

    `what` is the outcome, `law` a pattern of the law from its beginning, `least` the fewest items,
    `rounds` the fewest rounds; `missing` takes designs with gaps only; `clear` the sets alone in
    which the interval is printed and no check that concerns it fails, and says how many those are.
    """

    words: str
    suite: str
    what: str
    law: str = ""
    least: int = 0
    missing: bool = False
    rounds: int = 0
    clear: bool = False

    def told(self, table: pd.DataFrame) -> str:
        """Return the rate in words: its mean over designs, the least and the most."""
        seen = table[
            (table.suite == self.suite)
            & (table.what == self.what)
            & table.law.str.match(self.law)
            & (table.n >= self.least)
            & ((table.missing > 0) | (not self.missing))
            & (table.rounds >= self.rounds)
        ]
        if seen.empty:
            raise KeyError(f"no design of {self}")
        if not self.clear:
            return f"{self.words} {spread(seen.rate)}"
        if seen.clear.isna().any():
            raise KeyError(f"not known of each set of {self} whether a check failed")
        often = seen[seen.clear >= OFTEN]
        told = f"{spread(often.rate_clear)}, " if len(often) else ""
        return f"{self.words} {told}printed so in {round(100 * seen.clear.mean())}%"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    raters: str
    shows: str
    printed: str
    holds: tuple[Held, ...]


ROWS = (
    Row(
        "Equally noisy, not biased, Gaussian or Laplace",
        "no check fails",
        "floors and ceilings as they stand; the floor of the MAE from the hull of families",
        (
            Held(
                "σ, RMSE", "values", "interval: noise_sd, bootstrap-t", r"(gaussian|laplace)$", 30
            ),
            Held("ρ, R², r", "values", "interval: reliability", r"(gaussian|laplace)$", 30),
            Held("MAE", "mae", "interval: mae_floor, hull", f"{ALIKE}({GAUSS})"),
        ),
    ),
    Row(
        "Few items, below 30",
        "`few_items`",
        "log-t for σ, F with fewer degrees of freedom for ρ",
        (
            Held("σ, RMSE", "few", "interval: noise_sd, log-t", f"{GAUSS}|{SKEW}|{SHARED}"),
            Held("ρ, R², r", "few", "interval: reliability, F", f"{GAUSS}|{SKEW}|{SHARED}"),
        ),
    ),
    Row(
        "Biased against each other (1 to 2 SD)",
        "`bias`, `rater_bias`",
        "bias is taken off σ and its floors; floors by label, and the perfect model of `score`, "
        "count it",
        (
            Held("RMSE, one of them", "unequal", "interval: one of them", f"({GAUSS}).*bias"),
            Held("MAE, one of them", "mae", "interval: one of them", f"({GAUSS}).*bias"),
        ),
    ),
    Row(
        "Not equally noisy (ratio 3)",
        "`equal_noise`, `equal_raters`",
        "floors against a label of each; two rounds have the MAE of all unimodal laws",
        (
            Held(
                "RMSE, quiet of two or three",
                "unequal",
                "interval: noise of the quiet rater",
                f"({GAUSS}).*ratio",
            ),
            Held("noisy", "unequal", "interval: noise of the noisy rater", f"({GAUSS}).*ratio"),
            Held(
                "three to six by the hierarchy, quiet",
                "hierarchy",
                "interval: noise of the quiet rater",
                f"({GAUSS}).*ratio",
            ),
            Held("noisy", "hierarchy", "interval: noise of the noisy rater", f"({GAUSS}).*ratio"),
            Held("MAE", "mae", "interval: mae_floor, hull", f"({GAUSS}|uniform).*ratio"),
            Held("the check fails in", "unequal", "test: equal noise", f"({GAUSS}).*ratio", 300),
        ),
    ),
    Row(
        "Label some items only (30 to 60% missing)",
        "`rater_bias`",
        "the hierarchy, as long as shared items link all raters",
        (
            Held(
                "σ of the quiet",
                "hierarchy",
                "interval: noise of the quiet rater",
                GAUSS,
                missing=True,
            ),
            Held(
                "of the noisy",
                "hierarchy",
                "interval: noise of the noisy rater",
                GAUSS,
                missing=True,
            ),
            Held("bias", "hierarchy", "interval: bias", GAUSS, missing=True),
            Held("R²", "hierarchy", "interval: R² against one rater", GAUSS, missing=True),
        ),
    ),
    Row(
        "Are a sample of more like them",
        "from three raters on",
        "the floor against a new one: limits from five raters on, of three and four the lower one",
        (Held("RMSE", "new rater", "interval: new rater"),),
    ),
    Row(
        "Are noisier where the value is large",
        "`constant_noise`, `dependence_on_value`",
        "the precision profile; RMSE floor averaged over the labels at hand, ρ, R² and r from it",
        (
            Held("RMSE", "profile", "interval: floor", f"({GAUSS}), (?!constant)"),
            Held(
                "ρ, R², r", "profile", "interval: reliability, profile", f"({GAUSS}), (?!constant)"
            ),
            Held(
                "another test set",
                "profile",
                "interval: floor of a test set",
                f"({GAUSS}), (?!constant)",
            ),
            Held(
                "σ at the 90% quantile",
                "profile",
                "interval: σ at the 90% quantile",
                f"({GAUSS}), (?!constant)",
                clear=True,
            ),
            Held(
                "at the 10% quantile",
                "profile",
                "interval: σ at the 10% quantile",
                f"({GAUSS}), (?!constant)",
                clear=True,
            ),
            Held(
                "the check fails in", "profile", "test: constant", f"({GAUSS}), (?!constant)", 300
            ),
            Held("without cause in", "profile", "test: constant", f"({GAUSS}), constant"),
        ),
    ),
    Row(
        "Find the same items hard",
        "`shared_difficulty`, from four labels on; never with two or three",
        "the MAE's upper end holds it; the hierarchy takes it in where it is seen",
        (
            Held("MAE", "mae", "interval: mae_floor, hull", SHARED),
            Held("σ of one, hierarchy", "hierarchy", "interval: noise of the noisy rater", SHARED),
            Held("RMSE of the profile", "profile", "interval: floor", SHARED),
            Held(
                "the check fails in", "hierarchy", "test: shared difficulty", SHARED, 300, rounds=4
            ),
        ),
    ),
    Row(
        "Err more to one side (exponential errors)",
        "never, with two rounds",
        "floors stand; the profile has limits that hold skew to either side, or none where it "
        "would move σ² by half",
        (
            Held("RMSE, one of them", "unequal", "interval: one of them", SKEW),
            Held("MAE", "mae", "interval: mae_floor, hull", SKEW),
            Held("RMSE of the profile", "profile", "interval: floor", SKEW),
            Held(
                "σ at the 10% quantile",
                "profile",
                "interval: σ at the 10% quantile",
                SKEW,
                clear=True,
            ),
        ),
    ),
    Row(
        "Have heavy tails (Student t, 3 degrees of freedom)",
        "`heavy_tails`",
        "limits by label are widened to heavy-tailed laws that the data do not rule out, so is the "
        "profile where no tails show, and the first σ and ρ and the limits of agreement where "
        "tails show or are apparent; else these say that they are not for heavy tails; where "
        "tails show, the MAE is the first "
        "sentence",
        (
            Held("first σ", "printed", "interval: σ", HEAVY, clear=True),
            Held("first ρ", "printed", "interval: ρ", HEAVY, clear=True),
            Held(
                "limits of agreement",
                "limits",
                "interval: upper limit of agreement",
                HEAVY,
                clear=True,
            ),
            Held("MAE", "mae", "interval: mae_floor, hull", HEAVY),
            Held("RMSE, one of them", "unequal", "interval: one of them", HEAVY),
            Held("RMSE of the profile", "profile", "interval: floor", HEAVY),
            Held("σ of one, hierarchy", "hierarchy", "interval: noise of the noisy rater", HEAVY),
            Held(
                "without a warning RMSE, one of them",
                "unequal",
                "interval: one of them",
                HEAVY,
                clear=True,
            ),
            Held("RMSE of the profile", "profile", "interval: floor", HEAVY, clear=True),
            Held(
                "σ of one, hierarchy",
                "hierarchy",
                "interval: noise of the noisy rater",
                HEAVY,
                clear=True,
            ),
            Held("the check fails in", "mae", "test: heavy_tails", HEAVY, 300),
        ),
    ),
    Row(
        "Blunder once in 300",
        "`influence`; `heavy_tails`, which passes in 0 to 5%",
        "where a few differences carry the variance no interval of squares is printed; those of "
        "E\\|D\\| and of the MAE are",
        (
            Held("E\\|D\\|", "values", "interval: pair_mae", r"laplace \+ 1/300"),
            Held(
                "σ, where it is printed",
                "values",
                "interval: noise_sd, bootstrap-t",
                r"laplace \+ 1/300",
            ),
        ),
    ),
    Row(
        "Taught the model (one of two rounds)",
        "`leakage`",
        'its error by Grubbs\' moments, cut to what is possible; "not resolved by two rounds"',
        (
            Held("E(f−Y)², share 0", "trained", "interval: square error, share 0"),
            Held(
                "share 0.9",
                "trained",
                "interval: square error, share 0.9",
                f"{GAUSS}|{SKEW}|{SHARED}",
            ),
            Held("honest models are said to have learned in", "trained", "test: learned, share 0"),
        ),
    ),
)


@dataclass(frozen=True)
class Seen:
    """Rates of a table of docs/suites.md: columns of the rows whose first cell matches.

    `columns` is a pattern of the heads of the columns.
    """

    words: str
    section: str
    columns: str
    rows: str = ""

    def told(self, page: str) -> str:
        """Return the rates in words: their mean, the least and the most."""
        part = page.split(f"## {self.section}\n")[1].split("\n## ")[0]
        lines = [[c.strip(" *") for c in x.split("|")[1:-1]] for x in part.splitlines() if "|" in x]
        heads, body = lines[0], lines[2:]
        found, section = [], ""
        for cells in body:
            section = section if cells[0] in ("the same", "") else cells[0]
            if re.match(self.rows, section):
                kept = zip(heads, cells, strict=True)
                found += [float(c) for head, c in kept if re.fullmatch(self.columns, head)]
        if not found:
            raise KeyError(f"no row or column of {self}")
        return f"{self.words} {spread(pd.Series(found) / 100)}"


@dataclass(frozen=True)
class Fails:
    """How often a check fails without a cause and with one, from docs/studies/checks.csv."""

    check: str
    where: str

    def told(self, _: str) -> str:
        """Return both rates in words."""
        table = pd.read_csv(STUDY)
        here = table[(table.check == self.check) & (table["where"] == self.where)]
        if here.empty:
            raise KeyError(f"no case of {self}")
        size, power = (
            told(r.rate.iloc[0], r.repetitions.iloc[0])
            for _, r in here.sort_values("is_wrong").groupby("is_wrong")
        )
        return f"`{self.check}` fails in {power}, without cause in {size}"


@dataclass(frozen=True)
class Other:
    """One line of the table of masks, scaling and concentration."""

    raters: str
    shows: str
    printed: str
    holds: tuple[Seen | Fails, ...]


HABITS, SIZES, UNLIKE = "Outlines with habits", "Few sizes", "Rounds that are not alike"
OTHERS = (
    Other(
        "Draw outlines alike, but for noise",
        "no check fails",
        "the ceiling of Dice against one rater at random",
        (Seen("Dice, two to five raters", HABITS, r"\d raters", "no habits"),),
    ),
    Other(
        "Draw larger or smaller than each other, by 1 to 4 px",
        "`habit_size`",
        "how much larger each draws; ceilings against one at random and against each",
        (
            Seen("Dice, two to five raters", HABITS, r"\d raters", r"\d px(, \d+ items|, small)?$"),
            Seen("taken for noise", HABITS, ".*noise", r"\d px(, \d+ items|, small)?$"),
            Fails("habit_size", "masks"),
        ),
    ),
    Other(
        "And are not equally noisy (1:2), or have Laplace noise",
        "`habit_size`",
        "the same",
        (
            Seen("Dice, two to five raters", HABITS, r"\d raters", r".*(noise)"),
            Seen("taken for noise", HABITS, ".*as noise", r".*(noise)"),
        ),
    ),
    Other(
        "Draw alike in size, but not all around",
        "`habit_place`",
        "a failed check: the ceilings take habits of size out, and no others",
        (Fails("habit_place", "masks"),),
    ),
    Other(
        "Taught the model half of their outlines",
        "a verdict on what outlines have in common",
        "the model is said to be made of a rater's outlines, whatever its Dice",
        (Fails("copies", "masks"),),
    ),
    Other(
        "Train models of five to twelve sizes, by a law that nobody knows",
        "`law`, `lack_of_fit`",
        "the union of the laws that are not refuted; no weights below nine sizes",
        (
            Seen("exponent", SIZES, "exponent, union"),
            Seen("floor", SIZES, "floor, union"),
            Seen("the law of least AICc alone", SIZES, ".*AICc"),
        ),
    ),
    Other(
        "Are heavy-tailed in one of two rounds only",
        "`rounds_alike`",
        "the larger of two exact p-values; no interval of the excess",
        (
            Seen("noise alone exceeds itself in", UNLIKE, "noise alone, printed", r"t in (the|a)"),
            Seen("by the first test alone", UNLIKE, ".*dealt anew", "t in the first"),
            Seen("a planted excess is seen in", UNLIKE, "planted.*", r"t in (the|a)"),
            Fails("rounds_alike", "concentration"),
        ),
    ),
    Other(
        "Share patients' difficulty (clusters of four)",
        "`--cluster`",
        "clusters are paired anew as wholes",
        (
            Seen("noise alone exceeds itself in", UNLIKE, "noise alone, printed", ".*clusters"),
            Seen("a planted excess is seen in", UNLIKE, "planted.*", ".*clusters"),
        ),
    ),
)


def filled(text: str, table: pd.DataFrame) -> str:
    """Return the page with its table."""
    lines = ["| what raters do | how it shows | what is printed | how well it holds |"]
    lines.append("|---|---|---|---|")
    for row in ROWS:
        held = "; ".join(h.told(table) for h in row.holds)
        lines.append(f"| {row.raters} | {row.shows} | {row.printed} | {held} |")
    text = placed(text, "raters", "\n".join(lines))
    page = OF_SUITES.read_text(encoding="utf-8")
    others = lines[:2]
    for other in OTHERS:
        held = "; ".join(h.told(page) for h in other.holds)
        others.append(f"| {other.raters} | {other.shows} | {other.printed} | {held} |")
    return placed(text, "others", "\n".join(others))


def results() -> pd.DataFrame:
    """Return the results of both studies, one row for each outcome of a design."""
    return pd.concat(
        [pd.read_csv(STUDIES / f"{name}.csv") for name in ("calibration", "raters")],
        ignore_index=True,
    )


if __name__ == "__main__":
    write_text(PAGE, filled(PAGE.read_text(encoding="utf-8"), results()))
