"""Floors and ceilings: the paper's numbers, identities, simulation, the command."""

import json
from pathlib import Path

import pytest

from annostat import (
    bounds_from_summary,
    compare_published,
)
from annostat.cli import main

ROOT = Path(__file__).parent.parent


# ---------------------------------------------------------------------- published summaries


def test_numbers_of_the_paper():
    found = bounds_from_summary(sd=5.7, convention="between-sessions", correlation=0.801, n=50)
    assert round(found.rmse_floor.value, 2) == 4.03
    assert round(found.correlation_ceiling.value, 3) == 0.895
    assert round(found.r2_ceiling.value, 3) == 0.801


def test_echocotr_under_each_convention():
    def z(**options):
        found = compare_published(score_rmse=5.17, score_n=1277, sd=5.7, n=50, **options)
        return {r.convention: (round(r.z, 1), r.refuted) for r in found.readings}, found

    plain, found = z()
    assert plain["between-sessions"] == (2.4, False)
    assert plain["noise-sd"] == (-1.0, False)
    assert plain["session-vs-mean"] == (-4.4, True)
    heavy, _ = z(kurtosis=6.0, score_kurtosis=6.0)
    assert heavy["session-vs-mean"] == (-2.8, True)
    words = " ".join(found.conclusions())
    assert "Not refuted: between-sessions, noise-sd" in words and "another data set" in words


def test_the_merged_reading_of_the_correlation():
    found = bounds_from_summary(sd=5.7, correlation=0.801)
    merged, between = (found.readings[k] for k in ("session-vs-mean", "between-sessions"))
    assert merged.reliability.value == pytest.approx(2 * 0.801**2 - 1)
    assert round(merged.correlation_ceiling.value, 3) == 0.532
    assert round(between.sd_of_labels.value, 1) == 9.0
    assert round(merged.sd_of_labels.value, 1) == 9.5


def run(capsys, *args):
    code = 0
    try:
        main([str(a) for a in args])
    except SystemExit as stop:
        code = stop.code or 0
    out = capsys.readouterr()
    return code, out.out, out.err


def test_example_runs(capsys):
    code, out, err = run(capsys, "bounds", "--example", "lidc-diameter", "--json", "-",
                         "--resamples", "100")  # fmt: skip
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["rmse_floor"]["value"] == pytest.approx(1.714, abs=1e-3)
    assert len(found["icc"]) == 6
