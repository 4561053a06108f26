"""Figures of many items: no page that is too large to send."""

import numpy as np
from matplotlib.figure import Figure

from annostat.plotting.figures import MOST_MARKS, save_figure, svg_of


def scattered(n, how):
    figure = Figure()
    ax = figure.subplots()
    x, y = np.random.default_rng(0).normal(size=(2, n))
    if how == "scatter":
        ax.scatter(x, y, s=4)
    else:
        ax.plot(x, y, "o", ms=2)
    return figure


def test_many_marks_are_an_image_and_few_stay_drawn(tmp_path):
    for how in ("scatter", "plot"):
        few, many = (svg_of(scattered(n, how)).decode() for n in (MOST_MARKS, 60_000))
        assert "<image" not in few and few.count("<use ") > MOST_MARKS
        assert "<image" in many and len(many) < 1_000_000
        assert many.count("<text") > 5  # words stay words
        save_figure(scattered(60_000, how), tmp_path / "many.pdf")
        assert (tmp_path / "many.pdf").stat().st_size < 600_000


def test_a_long_line_stays_a_line():
    figure = Figure()
    figure.subplots().plot(np.linspace(0, 1, 50_000))
    assert "<image" not in svg_of(figure).decode()
