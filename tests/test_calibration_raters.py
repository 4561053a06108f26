"""A thin slice of the calibration of raters who differ: it runs, and what is printed holds."""

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.calibration.assumptions import PAGE, Held, filled, results
from analysis.calibration.designs import Design
from analysis.calibration.outcomes import Outcome, warned
from analysis.calibration.raters import SUITES, drawn, main, mean_size, parts
from analysis.calibration.runner import run_suite, unwarned, width
from annostat import Check

SLICE = {
    "unequal": (Design(50, "laplace, bias 1, ratio 3"), 40),
    "few": (Design(8, "laplace"), 80),
    "mae": (Design(50, "laplace, bias 2"), 40),
    "trained": (Design(50, "laplace, bias 1, ratio 1.5"), 40),
    "profile": (Design(50, "laplace, proportional"), 30),
    "hierarchy": (Design(50, "laplace, bias 1, ratio 3", 4, 0.2), 20),
    "new rater": (Design(50, "gauss, bias 0.7, scatter 0.3", 5), 20),
}


HEAVY = {
    "unequal": (Design(50, "t3", 3), 40),
    "profile": (Design(50, "t3, constant"), 30),
    "hierarchy": (Design(50, "t3, bias 1, ratio 3", 3), 20),
    "trained": (Design(300, "t3, bias 1, ratio 0.4"), 60),
    "mae": (Design(50, "laplace, bias 1, ratio 3"), 40),
}


@pytest.mark.parametrize(
    ("suite", "design", "repetitions"),
    [(suite, *of) for given in (SLICE, HEAVY) for suite, of in given.items()],
)
def test_a_slice_of_each_suite_holds(suite, design, repetitions):
    rows = run_suite(SUITES, suite, design, repetitions, seed=5)
    intervals = [r for r in rows if str(r["what"]).startswith("interval")]
    assert intervals
    for row in intervals:
        # What is printed without a warning, in half of the sets at least.
        assert row["clear"] >= 0.5, row
        # The chance of fewer hits at a true coverage of 92% is below 1 in 1,000.
        worst = 0.92 - 3.5 * (0.92 * 0.08 / (row["clear"] * row["repetitions"])) ** 0.5
        assert row["rate_clear"] >= worst, row
        assert row["relative_width"] > 0


def test_designs_are_what_their_names_say():
    design = Design(20_000, "skew, bias 1, ratio 3", 3)
    law, bias, sd = parts(design)
    assert law == "skew" and list(bias) == [0, 0, 1] and sd[2] == pytest.approx(3 * sd[0])
    assert np.mean(sd**2) == pytest.approx(1)
    rounds, truth, errors = drawn(design, np.random.default_rng(1))
    assert np.std(errors, axis=0) == pytest.approx(sd, rel=0.05)
    assert (rounds.values - truth[:, None] - errors).mean(axis=0) == pytest.approx(bias)
    assert mean_size("gauss", 2.0, 0.0) == pytest.approx(2 * (2 / np.pi) ** 0.5, rel=0.01)
    assert mean_size("skew", 1.0, 0.0) == pytest.approx(np.log(2), rel=0.01)


def test_the_table_of_assumptions_is_that_of_the_results():
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, results()) == page
    with pytest.raises(KeyError, match="no design"):
        Held("nothing", "few", "interval: no such").told(results())


def test_the_command_writes_its_results(tmp_path):
    out = tmp_path / "rows.csv"
    done = CliRunner().invoke(main, ["few", "--quick", "--out", str(out)])
    assert done.exit_code == 0 and "reliability" in done.output
    assert out.read_text(encoding="utf-8").startswith("suite,what,n,law")


def test_sets_without_a_warning_are_counted_apart():
    seen = [
        Outcome(True, 1.0),
        Outcome(False, 3.0),
        Outcome(False, printed=False),
        Outcome(True, 9.0, warned=True),
    ]
    assert unwarned(seen) == {"clear": 0.5, "rate_clear": 0.5} and width(seen) == 3.0
    assert np.isnan(width(seen[2:3])) and np.isnan(unwarned(seen[2:])["rate_clear"])
    failed, held = Check("heavy_tails", False, ""), Check("heavy_tails", None, "")
    given = {"interval: a": seen[0], "test: b": seen[0]}
    assert warned(given, [held, failed])["interval: a"].warned
    assert not warned(given, [held, failed])["test: b"].warned
    assert not warned(given, [held])["interval: a"].warned
