"""The tables of findings and points in docs/suites.md are those of the results."""

import pandas as pd

from analysis.calibration.designs import Design
from analysis.calibration.mark_page import PAGE, RESULTS, TABLES, Wanted, filled, table
from analysis.calibration.runner import run_suites


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


def test_rows_of_a_design_take_the_place_of_those_it_had(tmp_path):
    """A suite goes on where its file lacks designs, and keeps what others wrote."""
    designs = [Design(10, "a", 2), Design(20, "a", 2)]
    asked = []

    def run(suite, design, repetitions, *, seed):
        asked.append(design.n)
        row = {"suite": suite, "what": "interval", **vars(design), "repetitions": repetitions}
        return [row | {"rate": 0.95, "relative_width": 1.0}]

    suites = {"one": (None, designs), "two": (None, designs[:1])}
    out = tmp_path / "rows.csv"
    run_suites(suites, ["one"], False, 5, 1, out=out, run=run)
    run_suites(suites, ["two"], False, 5, 1, out=out, run=run)
    run_suites(suites, ["one"], False, 5, 1, out=out, lacking=True, run=run)
    assert asked == [10, 20, 10]
    run_suites({"one": (None, designs[1:])}, [], False, 9, 1, out=out, lacking=True, run=run)
    found = pd.read_csv(out)
    assert found[["suite", "n", "repetitions"]].to_numpy().tolist() == [
        ["one", 10, 5],
        ["one", 20, 9],
        ["two", 10, 5],
    ]
