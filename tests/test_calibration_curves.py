"""A thin slice of the calibrations of few sizes and of unlike rounds: what is printed holds."""

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.calibration import sizes, unlike
from analysis.calibration.designs import Design
from analysis.calibration.runner import run_suite

SLICE = {
    "few sizes": (sizes.SUITES, Design(5, "floor 20%, 2%, 2 decades", 1), 40),
}


@pytest.mark.parametrize("suite", list(SLICE))
def test_a_slice_of_each_suite_holds(suite):
    suites, design, repetitions = SLICE[suite]
    rows = run_suite(suites, suite, design, repetitions, seed=5)
    intervals = [r for r in rows if str(r["what"]).startswith("interval")]
    assert intervals
    for row in intervals:
        # The chance of fewer hits at a true coverage of 92% is below 1 in 1,000.
        worst = 0.92 - 3.5 * (0.92 * 0.08 / row["repetitions"]) ** 0.5
        assert row["rate"] >= worst, row


def test_a_heavy_round_is_no_excess():
    design = Design(100, "first t3")
    rows = run_suite(unlike.SUITES, "unlike rounds", design, 12, seed=5)
    rate = {row["what"]: row["rate"] for row in rows}
    assert rate["test: excess, noise alone"] <= 3 / 12  # more: 1 in 500 at a true 5%
    assert rate["test: excess, 5% planted"] >= 0.75
    errors, patient = unlike.noise(
        Design(4000, "first t3", cluster_size=4), np.random.default_rng(1)
    )
    assert len(set(patient)) == 1000 and errors.shape == (4000, 2)


def test_series_are_what_their_names_say():
    rng = np.random.default_rng(1)
    size, loss, truth = sizes.series(Design(5, "floor 20%, 0%, 2 decades", 1), rng)
    assert size[-1] / size[0] == pytest.approx(100) and truth["floor"] == 0.2
    assert loss[0] == pytest.approx(1) and loss[-1] == pytest.approx(0.2 + 0.8 * 100**-0.35)


def test_the_command_writes_its_results(tmp_path):
    out = tmp_path / "rows.csv"
    done = CliRunner().invoke(sizes.main, ["few sizes", "--quick", "--out", str(out)])
    assert done.exit_code == 0 and "interval: exponent" in done.output
    assert out.read_text(encoding="utf-8").startswith("suite,what,n,law")
