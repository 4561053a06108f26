"""A thin slice of the calibration of picks whose assumptions are broken: what is printed holds."""

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.calibration.designs import Design
from analysis.calibration.pickers import SUITES, main, parts, skew_errors
from analysis.calibration.runner import run_suite

SLICE = {
    "far": (Design(200, "laplace, independent, W 800, rate 0.02"), 25),
    "shared": (Design(50, "gaussian, spread 0.6"), 8),
    "biased": (Design(50, "laplace, bias 2.5"), 15),
    "skewed": (Design(300, "lateness", 3), 8),
}


@pytest.mark.parametrize("suite", list(SUITES))
def test_a_slice_of_each_suite_holds(suite):
    design, repetitions = SLICE[suite]
    rows = run_suite(SUITES, suite, design, repetitions, seed=5)
    intervals = [
        r for r in rows if str(r["what"]).startswith("interval") and "best" not in str(r["what"])
    ]
    assert intervals
    for row in intervals:
        # The chance of fewer hits at a true coverage of 92% is below 1 in 1,000.
        worst = 0.92 - 3.5 * (0.92 * 0.08 / row["repetitions"]) ** 0.5
        assert row["rate"] >= worst, row
        assert row["relative_width"] > 0
    if suite == "skewed":
        assert next(r["rate"] for r in rows if r["what"] == "test: skew") == 1
    if suite == "far":
        assert next(r["rate"] for r in rows if "stuck" in str(r["what"])) == 0


def test_designs_are_what_their_names_say():
    assert parts(Design(9, "laplace, shared, W 50, rate 0.02")) == (
        ["laplace", "shared"],
        {"W": 50, "rate": 0.02},
    )
    rng = np.random.default_rng(0)
    third = {}
    for law in ("lateness", "gamma", "split-normal", "late-give-ups", "laplace", "unequal"):
        x = skew_errors(law, (100_000, 3), rng)
        assert (x == np.round(x)).all()
        third[law] = np.mean((x - x.mean(axis=0)) ** 3)
    assert min(third[law] for law in list(third)[:4]) > 1
    assert abs(third["laplace"]) < 5 and abs(third["unequal"]) < 5


def test_the_command_writes_its_results(tmp_path):
    out = tmp_path / "rows.csv"
    done = CliRunner().invoke(main, ["far", "--quick", "--out", str(out)])
    assert done.exit_code == 0 and "interval: mae" in done.output
    assert out.read_text(encoding="utf-8").startswith("suite,what,n,law")
