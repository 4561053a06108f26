"""The table of several classes on the page of calibration is that of the results."""

import pandas as pd

from analysis.calibration.category_page import PAGE, RESULTS, filled, table


def test_the_page_is_made_from_the_results():
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page, pd.read_csv(RESULTS)) == page


def test_what_holds_less_than_promised_is_bold():
    row = {"suite": "classes", "law": "3 classes, even", "n": 50, "rounds": 2, "missing": 0.0}
    row |= {"cluster_size": 1, "repetitions": 100, "relative_width": 0.1}
    told = table(
        pd.DataFrame(
            [
                {**row, "what": "interval: agreement", "rate": 0.97},
                {**row, "what": "ceiling: accuracy", "rate": 0.6},
            ]
        )
    )
    assert told.splitlines()[-1] == "| 3 classes, even | 50 | 2 | 97 | – | – | **60** | – | – |"
