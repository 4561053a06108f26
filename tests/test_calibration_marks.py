"""The tables of findings and points in docs/suites.md are those of the results."""

import pandas as pd

from analysis.calibration.mark_page import PAGE, RESULTS, TABLES, Wanted, filled, table


def test_the_page_is_made_from_the_results():
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, pd.read_csv(RESULTS)) == page
    assert all(f"<!-- table: {wanted.name} -->" in page for wanted in TABLES)


def test_what_holds_less_than_promised_is_bold():
    row = {"suite": "f1", "law": "edge", "missing": 0.3, "cluster_size": 1, "repetitions": 200}
    row |= {"what": "interval: ceiling", "relative_width": 0.1, "rounds": 3}
    told = table(
        pd.DataFrame(
            [
                {**row, "n": 300, "rate": 0.95, "clear": 1.0, "rate_clear": 0.95},
                {**row, "n": 50, "rate": 0.9, "clear": 0.5, "rate_clear": 0.8},
            ]
        ),
        Wanted("findings", {("f1", "interval: ceiling"): "ceiling"}),
    )
    want = "| ceiling | edge, 30% missing | 50 / 300 | **80** (50) / 95 | 200 |"
    assert told.splitlines()[-1] == want
