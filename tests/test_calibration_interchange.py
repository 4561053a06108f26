"""A thin slice of the calibration of interchange: it runs, and what is printed holds."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.calibration.designs import Design
from analysis.calibration.interchange import (
    SUITES,
    cells,
    fair,
    filled,
    holed,
    main,
    run,
    tables,
    true_values,
)

SLICE = {
    "population": [
        (Design(50, "absolute, alike, laplace", 5), 40),
        (Design(50, "squared, both, gauss", 5), 30),
        (Design(50, "linear, bias, gauss", 5), 30),
    ],
    "holes": [
        (Design(100, "absolute, sparse alike, gauss", 10), 30),
        (Design(100, "differ, alike, gauss", 5, 0.3, 5), 30),
    ],
    "these": [
        (Design(100, "radial, alike these, gauss", 2), 30),
        (Design(200, "differ, alike these, gauss", 2), 30),
    ],
    "points": [
        (Design(50, "radial, alike, gauss", 5), 30),
        (Design(100, "radial, alike, gauss", 5, 0.0, 5), 20),
    ],
    "findings": [
        (Design(50, "1-f1, alike these, plain", 2), 30),
        (Design(50, "1-f1, alike, plain", 3), 20),
    ],
    "masks": [(Design(20, "1-dice, alike, gauss", 3), 12)],
}


@pytest.mark.parametrize("suite", list(SUITES))
def test_a_slice_of_each_suite_holds(suite):
    for design, repetitions in SLICE[suite]:
        rows = run(suite, design, repetitions, seed=5)
        judged = [r for r in rows if r["what"].startswith("interval: γ") and r["repetitions"] > 9]
        assert judged
        for row in judged:
            # The chance of fewer hits at a true coverage of 92% is below 1 in 1,000.
            worst = 0.92 - 3.5 * (0.92 * 0.08 / row["repetitions"]) ** 0.5
            assert row["rate"] >= worst, (design, row)
        for row in rows:
            if row["what"] in ("test: better, fair", "test: worse, fair"):
                assert row["rate"] <= 0.05 + 3.5 * (0.06 / row["repetitions"]) ** 0.5, (design, row)


def test_designs_are_what_their_names_say():
    design = Design(20_000, "absolute, both, gauss", 3)
    z, f = cells(design, 0.5, np.random.default_rng(1))
    assert z.shape == (20_000, 3) and f.shape == (20_000,)
    assert abs(true_values("absolute, alike, gauss", 1.0, 1)[1] - 2 / np.pi**0.5) < 0.01
    assert fair("absolute, alike, gauss", 1) == pytest.approx(1.0, abs=0.02)
    assert fair("squared, bias, gauss", 1) == pytest.approx((1 + 0.25) ** 0.5, abs=0.02)
    sparse = holed(z, Design(20_000, "absolute, sparse both, gauss", 3), np.random.default_rng(2))
    assert (np.isfinite(sparse).sum(axis=1) == 2).all()
    grades, _ = cells(Design(500, "linear, bias, gauss", 3), 0.5, np.random.default_rng(1))
    assert set(np.unique(grades)) <= {1, 2, 3, 4, 5}


def test_the_command_and_its_table(tmp_path):
    done = CliRunner().invoke(main, ["masks", "--quick"])
    assert done.exit_code == 0 and "interval: γ, reader" in done.output
    rows = run("these", Design(50, "absolute, alike these, gauss", 2), 30, seed=1)
    text = tables(pd.DataFrame(rows))
    assert "| alike these | absolute | 30 |" in text
    page = filled("a\n<!-- table -->\nformer\n<!-- end -->\nb", pd.DataFrame(rows))
    assert page.startswith("a\n") and page.endswith("\nb") and "former" not in page
