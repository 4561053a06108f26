"""A thin slice of the size and power of checks, and the table of their page."""

import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.calibration.check_cases import CASES
from analysis.calibration.checks import KEYS, PAGE, SEEN, STUDY, filled, main, rows, told

# Whether the study found that a check sees what is wrong.
POWER = pd.read_csv(STUDY).query("is_wrong").set_index(KEYS).rate
QUICK = [
    c
    for c in CASES
    if c.slow == 1 and POWER[c.check, c.where, c.n, c.rounds, c.law, c.wrong] >= SEEN
]


@pytest.mark.parametrize("case", QUICK, ids=lambda c: f"{c.check}-{c.where}-{c.n}-{c.law}")
def test_a_check_fails_with_a_cause_more_often_than_without(case):
    size, power = (row["rate"] for row in rows(case, 12, seed=3))
    # At a size of 5% five failures of twelve have a chance below 1 in 1,000.
    assert size <= 4 / 12
    assert power > size or power == 1


def test_the_table_is_that_of_the_results():
    page, table = PAGE.read_text(encoding="utf-8"), pd.read_csv(STUDY)
    assert filled(page, table) == page
    assert [*table[KEYS].drop_duplicates().itertuples(index=False, name=None)] == [
        (c.check, c.where, c.n, c.rounds, c.law, c.wrong) for c in CASES
    ]
    assert told(0.05, 400) == "5 ± 1%"


def test_what_is_no_test_at_a_level_is_not_far_from_one():
    table = pd.read_csv(STUDY)
    null = table[~table.is_wrong]
    error = (0.05 * 0.95 / null.repetitions) ** 0.5
    assert (null.rate <= 0.07 + 3 * error).all()
    power = table[table.is_wrong].rate.to_numpy()
    assert ((power > null.rate.to_numpy()) | (power < SEEN)).all()


def test_the_command_writes_its_results(tmp_path):
    out = tmp_path / "rows.csv"
    done = CliRunner().invoke(main, ["bias", "--repetitions", "4", "--out", str(out)])
    assert done.exit_code == 0 and "bias" in done.output
    assert list(pd.read_csv(out).is_wrong) == [False, True] * sum(c.check == "bias" for c in CASES)
