"""What a notebook shows of a result: few lines, a screen, a picture."""

import sys

import numpy as np
import pytest

import annostat.cardiac
import annostat.consensus
import annostat.datasets.audit
import annostat.interchange
import annostat.planning
import annostat.study  # noqa: F401  their results are looked at below
from annostat import bounds
from annostat.errors import AnnostatError
from annostat.plotting.drawn import FIGURE, PANEL
from annostat.plotting.figures import new_figure
from annostat.results import Result, Section
from annostat.results.html import render_html
from tests.test_golden import THREE, TWO, of_agreement, of_ceilings
from tests.test_screens import MADE, scores_of


def every(kind):
    for below in kind.__subclasses__():
        yield below
        yield from every(below)


def test_no_result_prints_its_parts():
    kinds = {kind for kind in every(Result) if kind.__module__.startswith("annostat")}
    assert len(kinds) > 30
    assert all(kind.__repr__ is Result.__repr__ for kind in kinds)


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_repr_is_a_few_lines(name):
    text = repr(MADE[name]())
    assert len(text) < 600 and len(text.splitlines()) <= 6
    assert max(map(len, text.splitlines())) <= 80 and "array(" not in text


def test_reprs_of_results_without_a_headline():
    for found in [*of_agreement(), *of_ceilings()]:
        text = repr(found)
        assert type(found).__name__ in text and len(text.splitlines()) <= 6


def test_a_model_is_one_sentence():
    [model, *_] = scores_of(2).models
    assert repr(model).startswith("ModelScore: m0 is not resolved") and len(repr(model)) < 300


@pytest.mark.parametrize("name", ["bounds", "scores", "noise", "masks", "concentration", "scaling"])
def test_a_result_draws_itself(name):
    found = MADE[name]()
    figure = found.plot()
    assert figure.axes and figure._repr_png_().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules or figure not in map(
        sys.modules["matplotlib.pyplot"].figure, sys.modules["matplotlib.pyplot"].get_fignums()
    )
    if type(found) in PANEL:
        _, ax = new_figure((4, 3))
        assert found.plot(ax=ax) is ax
    else:
        assert type(found) in FIGURE
        with pytest.raises(AnnostatError, match="several panels"):
            found.plot(ax=figure.axes[0])


def test_limits_of_agreement_draw_themselves_and_others_say_why_not():
    from annostat.plotting.drawn import draw

    found = bounds(TWO, interval="t")
    assert found.limits.plot().axes
    with pytest.raises(AnnostatError, match="no picture of a str is known"):
        draw("a result")


def test_html_aligns_numbers_marks_checks_and_folds():
    rows = [["<b>", "1.5 (1 to 2)", "x"], ["c", "–", "2"]]
    sections = [
        Section(said=[("Answer", "a < b"), ("!!", "look")]),
        Section("t", ("name", "n", "mixed"), rows, ["ok  holds"]),
        Section("short", lines=["few"], when="brief"),
        Section("long", lines=["many"], when="all"),
    ]
    html = render_html(sections)
    assert "<strong>Answer</strong> a &lt; b" in html and "&lt;b&gt;" in html
    assert '<strong style="color:#D55E00" title="fails">!!</strong> look' in html
    assert 'title="holds">ok</strong> holds' in html
    # The head and two cells of n.
    assert html.count('style="text-align:right;white-space:nowrap"') == 3
    assert "<details><summary>long</summary><p>many</p></details>" in html and "few" in html
    assert "<td" in bounds(TWO, interval="t")._repr_html_()


def test_a_summary_is_the_screen(capsys, monkeypatch):
    found = bounds(THREE, interval="t")
    assert found.summary(width=80) is None
    assert capsys.readouterr().out == found.to_text(width=80) + "\n"
    monkeypatch.delenv("COLUMNS", raising=False)
    found.summary(everything=True)
    out = capsys.readouterr().out
    assert out == found.to_text(width=100, everything=True) + "\n" and "\nok  " in out
    assert np.max([len(line) for line in out.splitlines()]) <= 100


def test_figures_have_the_width_of_a_column():
    from annostat import AnnostatError, agreement, simulate_values

    found = agreement.bland_altman(simulate_values(60, noise_sd=2.0, truth_sd=5.0, rng=1))
    one, two = found.plot(size="one"), found.plot(size="two")
    assert one.get_size_inches()[0] == 3.35 and two.get_size_inches()[0] == 6.89
    sizes = [t.get_fontsize() for t in one.axes[0].get_xticklabels()]
    assert set(sizes) == {7} and one.axes[0].xaxis.label.get_fontsize() == 8
    with pytest.raises(AnnostatError, match="size must be one of"):
        found.plot(size="three")
    with pytest.raises(AnnostatError, match="cannot go with ax"):
        found.plot(size="one", ax=one.axes[0])
    several = bounds(simulate_values(60, noise_sd=2.0, truth_sd=5.0, rng=1))
    for size, width in (("one", 3.35), ("two", 6.89)):  # below one another, and side by side
        panels = [ax for ax in several.plot(size=size).axes if ax.get_subplotspec()]
        assert panels[0].figure.get_size_inches()[0] == width
        rows = {ax.get_subplotspec().rowspan.start for ax in panels}
        assert len(rows) == {"one": 2, "two": 1}[size]
