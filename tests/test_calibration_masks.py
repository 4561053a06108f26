"""A thin slice of the calibration of masks by raters with habits."""

import numpy as np
import pandas as pd
import pytest

from analysis.calibration import place_page
from analysis.calibration.designs import Design
from analysis.calibration.habits import SUITES, drawn, options_of
from analysis.calibration.runner import run_suite


def test_ceilings_of_raters_with_habits_hold():
    rows = run_suite(SUITES, "habits", Design(10, "gauss, 4 px", 2), 20, seed=5)
    rate = {row["what"]: row["rate"] for row in rows}
    for name, hits in rate.items():
        if name.startswith("interval"):
            assert hits >= 0.75, name  # fewer: 1 in 300 at a true 92%
    assert rate["test: habit_size"] == 1


def test_the_truth_is_not_accused():
    rows = run_suite(SUITES, "mask verdicts", Design(12, "gauss, 4 px", 2), 4, seed=5)
    rate = {row["what"]: row["rate"] for row in rows}
    assert rate["accused: true masks"] <= 0.25 and rate["accused: a copy of A"] == 1
    assert rate["accused: mean outline"] >= 0.75


def test_masks_are_what_their_names_say():
    design = Design(6, "gauss, 4 px, ratio 2, place 1", 3)
    law, habit, ratio, given = options_of(design)
    assert law == "gauss" and list(habit) == [2, 0, -2] and given == {"ratio": 2, "place": 1}
    assert ratio[2] == pytest.approx(2 * ratio[0]) and np.mean(ratio**2) == pytest.approx(1)
    masks, models = drawn(design, np.random.default_rng(1), models=True)
    area = masks.sum(axis=(2, 3)).mean(axis=1)
    assert area[0] > area[1] > area[2] and (models["a copy of A"] == masks[0]).all()


def test_the_table_of_places_is_that_of_the_results():
    page, table = place_page.PAGE.read_text(encoding="utf-8"), pd.read_csv(place_page.STUDY)
    assert place_page.filled(page, table) == page
    held = table[table.what.str.startswith("interval") & (table.rounds > 2)]
    assert held.rate.mean() > 0.92
