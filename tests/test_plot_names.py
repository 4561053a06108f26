"""Names in pictures are what they are: a dollar is a dollar, and no control character arrives."""

import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

from annostat import AnnostatWarning, Rounds, compare_noise, score_models, simulate_masks
from annostat.agreement import bland_altman, limits_with_mean
from annostat.concentration import concentration
from annostat.interchange import interchange
from annostat.plotting import (
    plot_bland_altman,
    plot_concentration,
    plot_deviations,
    plot_interchange,
    plot_masks,
    plot_noise,
    plot_rmse_floor,
    plot_scaling,
    plot_scores,
    save_figure,
)
from annostat.plotting.figures import svg_of
from annostat.report import make_report
from annostat.scaling import compare_scaling
from annostat.truth import compare_masks

NAMES = ("cost $ a $", "price $x_$ \x1b[31m")  # the second is no formula that can be read
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def rounds():
    g = np.random.default_rng(1)
    truth = g.integers(0, 100, (60, 1))
    return Rounds.from_array(truth + np.rint(g.laplace(0, 2, (60, 2))), names=NAMES, unit="$x_$")


def scores():
    g = np.random.default_rng(2)
    found = rounds()
    models = {f"{name} of": found.values.mean(axis=1) + g.normal(0, 3, 60) for name in NAMES}
    return score_models(found, models, n_resamples=100)


def of_masks():
    drawn, truth = simulate_masks(6, 2, noise_px=1.5, rng=1, shape=(32, 32), radius_px=(6, 9))
    from annostat.labels import MaskRounds

    named = MaskRounds.from_arrays(
        dict(zip(NAMES, drawn.values, strict=True)), items=[NAMES[1] + str(i) for i in range(6)]
    )
    return compare_masks(named, models={NAMES[1]: truth}, surface=False, n_resamples=100)


def of_scaling():
    sizes = np.geomspace(1e3, 1e6, 8)
    return compare_scaling(sizes, 3 * sizes**-0.3, size_name=NAMES[1])


def of_places():
    g = np.random.default_rng(3)
    found = rounds()
    models = {f"{name} in": found.values[:, 0] + g.normal(0, 3, 60) for name in NAMES}
    return interchange(found, models)


PICTURES = {
    "places": lambda: plot_interchange(of_places()),
    "limits": lambda: plot_bland_altman(bland_altman(rounds())),
    "deviations": lambda: plot_deviations(limits_with_mean(rounds(), n_resamples=99)),
    "noise": lambda: plot_noise(compare_noise(rounds(), cores=["laplace"], n_tests=0)),
    "scores": lambda: plot_scores(scores()),
    "floor": lambda: plot_rmse_floor(scores()),
    "concentration": lambda: plot_concentration(
        concentration(np.random.default_rng(0).normal(size=50), name=NAMES[1])
    ),
    "masks": lambda: plot_masks(of_masks()),
    "scaling": lambda: plot_scaling(of_scaling()),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_dollar_is_a_dollar_in_every_picture(name, tmp_path):
    drawn = PICTURES[name]()
    figure = drawn.figure if hasattr(drawn, "figure") else drawn
    figure.canvas.draw()  # without ours, as in a notebook
    text = svg_of(figure).decode()
    assert not CONTROL.search(text)
    if name not in ("noise", "deviations"):  # which show no name
        assert "$" in text
    save_figure(figure, tmp_path / "a.png")
    save_figure(figure, tmp_path / "a.pdf")


def test_text_and_pages_show_names_and_obey_none(tmp_path):
    found = scores()
    for text in (str(found), found._repr_html_(), make_report([found], title=NAMES[1])):
        assert not CONTROL.search(text) and r"price $x_$ \x1b[31m" in text
    placed = of_places()
    for text in (str(placed), placed._repr_html_(), make_report([placed], title=NAMES[1])):
        assert not CONTROL.search(text) and r"\x1b[31m" in text
    table = tmp_path / "t.csv"
    values = rounds().values
    rows = "".join(f"{a:.0f},{b:.0f}\n" for a, b in values)
    table.write_text(f"{NAMES[0]},{NAMES[1]}\n" + rows)
    done = subprocess.run(
        [sys.executable, "-m", "annostat", "bounds", table, "--rounds", *NAMES],
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0 and not CONTROL.search(done.stdout.decode())


def cut_off(figure):
    """Return the texts of a figure that it cuts off."""
    figure.draw_without_rendering()
    whole = figure.bbox.padded(1)
    boxes = {}
    for ax in figure.axes:
        legend = ax.get_legend()
        texts = [ax.title, ax.xaxis.label, ax.yaxis.label]
        texts += [*ax.get_yticklabels(), *(legend.get_texts() if legend else ())]
        boxes |= {t.get_text(): t.get_window_extent() for t in texts if t.get_visible()}
    cut = [words for words, b in boxes.items() if words and not whole.containsx(b.x1)]
    return cut + [words for words, b in boxes.items() if words and not whole.containsx(b.x0)]


LONG = [f"A very long name of a network, trained on everything, number {i:02d}" for i in range(14)]


@pytest.mark.parametrize("size", ["one", "two", ""])
@pytest.mark.parametrize("n", [2, 12])
def test_long_names_and_many_models_stay_inside(size, n):
    g = np.random.default_rng(5)
    truth = g.normal(50, 10, 120)
    labels = Rounds.from_array(truth[:, None] + g.normal(0, 3, (120, 2)), names=LONG[12:], unit="%")
    models = {name: truth + g.normal(0, 1 + i, 120) for i, name in enumerate(LONG[:n])}
    found = score_models(labels, models, n_resamples=100)
    placed = interchange(labels, models, margin=1)
    for result in (found, found.ranking, placed):
        figure = result.plot(size=size)
        assert cut_off(figure) == []
        if size:
            assert figure.get_size_inches()[0] == {"one": 3.35, "two": 6.89}[size]
            sizes = [t.get_fontsize() for ax in figure.axes for t in ax.get_xticklabels()]
            assert max(sizes) == 7
    rows = [t.get_text() for t in placed.plot(size=size).axes[0].get_yticklabels()]
    assert rows == [f"A very lo… number {i:02d}" for i in range(n)]


def test_names_that_differ_in_their_middle_are_told_apart():
    from annostat.plotting.figures import told_apart

    names = [f"Radiologist number {i} of the hospital in the north" for i in range(3)]
    assert told_apart(names) == [f"…diologist number {i}…" for i in range(3)]
    assert told_apart(["a", "b"]) == ["a", "b"]


def test_signs_that_the_font_lacks_are_lent_or_named_once(tmp_path):
    """ "⌔" is in DejaVu Sans Mono alone, which matplotlib brings along; nobody has the other."""
    figure = Figure()
    title = figure.add_subplot().set_title("⌔")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(figure, tmp_path / "lent.png")
    assert title.get_fontfamily()[-1] != title.get_fontfamily()[0]
    figure = Figure()
    figure.add_subplot().set_title("\U000f1234 \U000f1235")
    with pytest.warns(AnnostatWarning, match="no installed font has these signs") as told:
        save_figure(figure, tmp_path / "boxes.png")
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "\U000f1234" in svg_of(figure).decode()  # a browser has fonts of its own
