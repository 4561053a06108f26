"""The study of coverage: its page says what its results say, and a thin slice comes out alike."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from analysis.calibration.__main__ import main
from analysis.calibration.designs import Design
from analysis.calibration.figure import FIGURE, INTERVALS, digest
from analysis.calibration.page import MARKED, PAGE, TABLES, filled
from analysis.calibration.results import KEY, RESULTS, pooled, run
from analysis.calibration.suites import SUITES

ROOT = Path(__file__).parent.parent
FOUND = pd.read_csv(ROOT / RESULTS)
TOGETHER = pooled(FOUND)


def test_the_page_says_what_the_results_say():
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert filled(page, TOGETHER) == page, "python -m analysis.calibration --table"
    assert sorted(name for _, name, _ in MARKED.findall(page)) == sorted(TABLES)
    outside = re.sub(MARKED, "", page)
    assert "\n|" not in outside, "a table that is written by hand"


def test_the_figure_is_of_the_results():
    with Image.open(ROOT / FIGURE) as picture:
        assert picture.info["Description"] == digest(ROOT / RESULTS)
    keys = set(zip(TOGETHER.suite, TOGETHER.what, strict=True))
    assert keys >= {key for rows in INTERVALS.values() for key in rows.values()}


def test_every_suite_and_every_interval_has_its_table():
    whats = [(t.suite, w.values()) for t in TABLES.values() for _, w in t.columns]
    shown = {(suite, what) for suite, values in whats for what in values}
    assert {suite for suite, _ in shown} == set(SUITES)
    left = set(zip(TOGETHER.suite, TOGETHER.what, strict=True)) - shown
    assert left == {
        ("values", "interval: mae_floor, Gaussian reading"),  # E|D|/√2: as E|D| for that law
        ("truth", "interval: E(f−Y)², 0.1σ² again"),
        ("truth", "test: below, 0.1σ²"),  # it is above
    }


def test_runs_are_put_together_by_their_number_of_sets():
    rng = np.random.default_rng(0)
    hits, parts = [], []
    for seed, n in ((1, 40), (2, 160)):
        hits.append(rng.random(n) < 0.9)
        parts.append(
            FOUND.iloc[[0]].assign(
                seed=seed,
                repetitions=n,
                rate=hits[-1].mean(),
                relative_width=float(seed),
                relative_bias=math.nan if seed == 1 else 0.5,
            )
        )
    [row] = pooled(pd.concat(parts)).itertuples()
    rate = np.concatenate(hits).mean()
    assert row.repetitions == 200 and row.rate == pytest.approx(rate)
    assert row.rate_se == pytest.approx(math.sqrt(rate * (1 - rate) / 200))
    assert row.relative_width == pytest.approx((1 * 40 + 2 * 160) / 200)
    assert row.relative_bias == 0.5


def test_each_run_is_there_once():
    assert not FOUND.duplicated([*KEY, "seed"]).any()
    assert FOUND.rate.between(0, 1).all() and (FOUND.repetitions > 0).all()


SLICE = {
    "paper": (Design(300, "paper, E|X| 2.0"), 15),
    "plan": (Design(60, "laplace", cluster_size=3), 40),
    "values": (Design(50), 25),
    "truth": (Design(50), 60),
    "scores": (Design(50, "laplace"), 15),
    "scaling": (Design(8, "power, 5%", 1), 60),
    "ranks": (Design(90, "no correlation", cluster_size=3), 200),
    "gauge": (Design(10, "gaussian, raters alike", 3), 40),
    "staple": (Design(4, "items differ", 3), 60),
    "compare": (Design(12, "gaussian", 2), 20),
    "blind": (Design(96, "cosine, 0.1"), 60),
    "afd": (Design(20, "laplace"), 30),
    "ef": (Design(60, "laplace", cluster_size=3), 30),
    "first frames": (Design(20, "lognormal"), 15),
}


@pytest.mark.parametrize("suite", SLICE)
def test_a_thin_slice_comes_out_as_it_did(suite):
    """Fixed seed, no set of the study: within four standard errors of what the file says."""
    design, repetitions = SLICE[suite]
    known = TOGETHER[TOGETHER.suite == suite].set_index(KEY[1:])
    for row in run(suite, design, repetitions, seed=1000, n_jobs=1):
        was = known.loc[tuple(row[k] for k in KEY[1:])]
        p = (was.rate * was.repetitions + 1) / (was.repetitions + 2)
        error = math.sqrt(p * (1 - p) * (1 / row["repetitions"] + 1 / was.repetitions))
        assert abs(row["rate"] - was.rate) < 4 * error + 1e-9, row


def test_a_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setitem(SUITES, "ranks", (SUITES["ranks"][0], SUITES["ranks"][1][:2]))
    out = tmp_path / "found.csv"
    options = ["ranks", "--repetitions", "3", "--n-jobs", "1", "--out", str(out)]
    first = CliRunner().invoke(main, options, catch_exceptions=False)
    assert first.output.count("ranks:") == 2
    again = CliRunner().invoke(main, options, catch_exceptions=False)
    assert again.output == ""
    CliRunner().invoke(main, [*options, "--seed", "2"], catch_exceptions=False)
    assert set(pooled(pd.read_csv(out)).repetitions) == {6}
