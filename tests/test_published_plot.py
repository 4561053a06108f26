"""Published numbers are drawn: the bound of each reading, and the reported score."""

from dataclasses import replace

import pytest

from annostat import AnnostatError
from annostat.ceilings import Judged, bounds_from_summary, compare_published


def judged(**more):
    printed = {"sd": 5.7, "correlation": 0.8, "n": 50, **more}
    claim = compare_published(**printed, score_rmse=5.17, score_correlation=0.85, score_n=200)
    return Judged(bounds_from_summary(**printed, unit="points"), claim)


def words(ax):
    return [t.get_text() for t in ax.texts]


def test_every_reading_has_its_bound_and_its_verdict():
    found = judged()
    ax = found.plot().axes[0]
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert names == [r.convention for r in found.published.readings if r.quantity == "rmse"]
    of_rmse = [r for r in found.published.readings if r.quantity == "rmse"]
    for reading, text in zip(of_rmse, words(ax), strict=False):
        assert ("refuted" in text) == reading.refuted
        assert text.startswith(found.bounds.readings[reading.convention].rmse_floor.short())
    assert (
        "reported 5.17" in words(ax) and "RMSE against one annotation (points)" in ax.get_xlabel()
    )


def test_one_reading_and_no_score():
    ax = judged(convention="between-sessions").plot(score="correlation").axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["between-sessions"]
    assert "reported 0.85" in words(ax) and ax.get_xlim()[1] == 1.0
    open_ = bounds_from_summary(sd=5.7, n=50)
    assert not any("reported" in text for text in words(open_.plot().axes[0]))


def test_numbers_without_a_bound_are_said():
    found = replace(bounds_from_summary(sd=5.7, n=50), readings={})
    with pytest.raises(AnnostatError, match="no reading"):
        found.plot()


def test_the_command_draws_and_writes_a_page(tmp_path, run):
    asked = ("bounds", "--sd", "5.7", "--n", "50", "--score-rmse", "5.17", "--score-n", "200")
    code, _, err = run(*asked, "--plot", tmp_path / "p.svg", "--report", tmp_path / "p.html")
    assert (code, err) == (0, "")
    assert "reported 5.17" in (tmp_path / "p.svg").read_text(encoding="utf-8")
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "Can the reported score be true?" in page and "data:image/" in page
    code, _, err = run(*asked[:5], "--convention", "noise-sd", "--plot", tmp_path / "q.png")
    assert (code, err) == (0, "") and (tmp_path / "q.png").stat().st_size > 3000
